import fc from "fast-check";
import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { brightestSpots, spotCentre } from "../../../src/ip/index.ts";

const at = (
  rows: number,
  columns: number,
  bright: [row: number, column: number, value: number][],
  background = 0,
): ReturnType<typeof ndarray<Float32Array>> => {
  const image = ndarray(new Float32Array(rows * columns).fill(background), [rows, columns]);
  for (const [row, column, value] of bright) image.set(row, column, value);
  return image;
};

describe("brightestSpots", () => {
  it("lists them brightest first", () => {
    const image = at(100, 100, [
      [10, 20, 5],
      [80, 90, 9],
      [50, 5, 7],
    ]);
    expect(brightestSpots(image, { count: 2, minDistance: 10 })).toEqual([
      { row: 80, column: 90, value: 9 },
      { row: 50, column: 5, value: 7 },
    ]);
  });

  it("looks at a row again only when a pixel of it is above the best so far", () => {
    const rows = 200;
    const image = at(
      rows,
      rows,
      Array.from({ length: 12 }, (_, k) => [(k * 83) % rows, (k * 47) % rows, 100 + k]),
    );
    let looks = 0;
    const get = image.get.bind(image);
    image.get = (...place: number[]) => {
      looks++;
      return get(...place);
    };
    expect(brightestSpots(image, { count: 8, minDistance: 2 }).map(({ value }) => value)).toEqual([
      111, 110, 109, 108, 107, 106, 105, 104,
    ]);
    expect(looks).toBeLessThan(rows * rows);
  });

  it("takes straight-line distance: exactly minDistance is too near, a hair more is not", () => {
    const image = at(40, 40, [
      [10, 10, 9],
      [13, 14, 8],
      [10, 16, 7],
    ]);
    expect(brightestSpots(image, { count: 2, minDistance: 5 }).map(({ value }) => value)).toEqual([9, 7]);
    expect(brightestSpots(image, { count: 2, minDistance: 4.99 }).map(({ value }) => value)).toEqual([9, 8]);
  });

  it("does not take the flank of a broad peak for a second spot", () => {
    const broad = ndarray(
      Float32Array.from({ length: 121 * 121 }, (_, i) => 1000 - Math.hypot(Math.floor(i / 121) - 60, (i % 121) - 60)),
      [121, 121],
    );
    broad.set(5, 5, 930.5);
    expect(brightestSpots(broad, { count: 2, minDistance: 10 })).toEqual([
      { row: 60, column: 60, value: 1000 },
      { row: 5, column: 5, value: 930.5 },
    ]);
  });

  it("ignores NaN and what `where` leaves out", () => {
    const image = at(30, 30, [
      [5, 5, NaN],
      [5, 6, 3],
      [20, 20, 50],
      [20, 21, 4],
    ]);
    const where = ndarray(new Uint8Array(900).fill(1), [30, 30]);
    where.set(20, 20, 0);
    expect(brightestSpots(image, { count: 2, minDistance: 5, where })).toEqual([
      { row: 20, column: 21, value: 4 },
      { row: 5, column: 6, value: 3 },
    ]);
    expect(brightestSpots(at(3, 3, [], NaN))).toEqual([]);
  });

  it("finds spots below zero, at corners, in strided views, and as many as there are", () => {
    const image = at(9, 9, [[0, 8, -1]], -2);
    expect(brightestSpots(image, { count: 1 })).toEqual([{ row: 0, column: 8, value: -1 }]);
    expect(brightestSpots(image.transpose(1, 0), { count: 3, minDistance: 100 })).toEqual([
      { row: 8, column: 0, value: -1 },
    ]);
  });

  it("is what sorting every local maximum and dropping near ones gives", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 144, maxLength: 144 }),
        fc.double({ min: 0, max: 8, noNaN: true }),
        fc.integer({ min: 1, max: 9 }),
        (values, minDistance, count) => {
          const image = ndarray(Float32Array.from(values), [12, 12]);
          const neighbours = (k: number): number[] =>
            values.filter(
              (_, j) =>
                j !== k &&
                Math.max(Math.abs(Math.floor(j / 12) - Math.floor(k / 12)), Math.abs((j % 12) - (k % 12))) <= 1,
            );
          const maxima = values
            .map((value, k) => ({ row: Math.floor(k / 12), column: k % 12, value, k }))
            .filter(({ value, k }) => neighbours(k).every((v) => v <= value));
          maxima.sort((a, b) => b.value - a.value || a.k - b.k);
          const kept: { row: number; column: number; value: number }[] = [];
          for (const { row, column, value } of maxima) {
            if (kept.length < count && kept.every((s) => Math.hypot(s.row - row, s.column - column) > minDistance))
              kept.push({ row, column, value });
          }
          expect(brightestSpots(image, { count, minDistance })).toEqual(kept);
        },
      ),
    );
  });

  it("refuses wrong shapes and numbers", () => {
    const image = at(4, 4, []);
    const bad = expect.objectContaining({ code: "BAD_ARGUMENT" });
    expect(() => brightestSpots(ndarray(new Float32Array(4)))).toThrow(bad);
    expect(() => brightestSpots(image, { count: 0 })).toThrow(bad);
    expect(() => brightestSpots(image, { minDistance: -1 })).toThrow(bad);
    expect(() => brightestSpots(image, { where: ndarray(new Uint8Array(4), [2, 2]) })).toThrow(bad);
    expect(() => brightestSpots(image, { distance: 3 } as never)).toThrow(bad);
  });
});

describe("spotCentre", () => {
  it("finds the centre of a Gaussian spot to a tenth of a pixel, whichever pixel noise makes the maximum", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 15, max: 25, noNaN: true }),
        fc.double({ min: 15, max: 25, noNaN: true }),
        (row, column) => {
          const image = ndarray(
            Float32Array.from(
              { length: 1600 },
              (_, i) =>
                1000 *
                Math.exp(-((Math.floor(i / 40) + 0.5 - row) ** 2 + ((i % 40) + 0.5 - column) ** 2) / (2 * 1.5 ** 2)),
            ),
            [40, 40],
          );
          const [spot] = brightestSpots(image, { count: 1 });
          if (spot === undefined) throw new Error("no spot");
          for (const nudged of [spot, { ...spot, row: spot.row + 1 }, { ...spot, column: spot.column - 1 }]) {
            const centre = spotCentre(image, nudged);
            expect(Math.abs(centre.row - row)).toBeLessThan(0.2);
            expect(Math.abs(centre.column - column)).toBeLessThan(0.2);
          }
        },
      ),
    );
  });

  it("leaves a spot of one pixel, at a corner or below zero, where it is", () => {
    expect(spotCentre(at(9, 9, [[0, 8, 5]]), { row: 0, column: 8, value: 5 })).toEqual({ row: 0.5, column: 8.5 });
    expect(spotCentre(at(9, 9, [[4, 4, -1]], -2), { row: 4, column: 4, value: -1 })).toEqual({ row: 4.5, column: 4.5 });
  });
});
