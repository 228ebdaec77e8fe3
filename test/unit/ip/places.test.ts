import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Assembler, pixelPositions } from "../../../src/ip/index.ts";
import { itWithSharedData, sharedData } from "../../support/optional.ts";
import { octal, sensor } from "./octal.ts";

const views = ["source", "detector"] as const;

describe("places", () => {
  const place = fc.double({ min: 0, max: 1, noNaN: true });

  it.each(views)("%s view: from a sensor to the picture and back is where it was", (view) => {
    const assembler = new Assembler(octal, { view });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), place, place, (index, down, along) => {
        const [row, column] = [0.001 + down * 1023.998, 0.001 + along * 511.998];
        const there = assembler.toImage(index, row, column);
        const back = assembler.toSensor(there.column, there.row);
        expect(back?.index).toBe(index);
        expect(back?.sensor).toBe(octal[index]?.id);
        expect(Math.abs((back?.exactRow ?? NaN) - row)).toBeLessThan(1e-9);
        expect(Math.abs((back?.exactColumn ?? NaN) - column)).toBeLessThan(1e-9);
        expect([back?.row, back?.column]).toEqual([
          Math.floor(back?.exactRow ?? NaN),
          Math.floor(back?.exactColumn ?? NaN),
        ]);
        expect(assembler.toImage(back?.sensor ?? "", back?.exactRow ?? NaN, back?.exactColumn ?? NaN)).toEqual({
          column: expect.closeTo(there.column, 9),
          row: expect.closeTo(there.row, 9),
        });
      }),
    );
  });

  it.each(views)("%s view: micrometres to the picture and back, the same for the pixel positions", (view) => {
    const assembler = new Assembler(octal, { view });
    expect(assembler.micrometresToImage(20_000, 30_000)).toEqual({
      column: view === "source" ? 1599.5 : 2399 - 1599.5,
      row: 599.5,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }),
        fc.integer({ min: 0, max: 1023 }),
        fc.integer({ min: 0, max: 511 }),
        (index, row, column) => {
          const { x, y } = positions[index] ?? { x: undefined, y: undefined };
          const there = assembler.toImage(index, row + 0.5, column + 0.5);
          const um = assembler.imageToMicrometres(there.column, there.row);
          expect(um).toEqual({
            xUm: expect.closeTo(x?.get(row, column) ?? NaN, 6),
            yUm: expect.closeTo(y?.get(row, column) ?? NaN, 6),
          });
          expect(assembler.micrometresToImage(um.xUm, um.yUm)).toEqual({
            column: expect.closeTo(there.column, 9),
            row: expect.closeTo(there.row, 9),
          });
        },
      ),
    );
  });
  const positions = octal.map((info) => pixelPositions(info));

  it("says which pixel the picture shows", () => {
    const sensors = [
      sensor("a", { xsize: 7, ysize: 9, posXUm: -130, posYUm: 210, rotationDeg: 17 }),
      sensor("b", { xsize: 9, ysize: 5, posXUm: 3, rotationDeg: -80, pixelSizeXUm: 31 }),
    ];
    const images = sensors.map(({ xsize, ysize }, i) =>
      Float32Array.from({ length: xsize * ysize }, (_, k) => 100 * i + k),
    );
    for (const view of views) {
      const assembler = new Assembler(sensors, { view, width: 26, height: 25 });
      const picture = assembler.assemble(images);
      for (let r = 0; r < 25; r++) {
        for (let c = 0; c < 26; c++) {
          const under = assembler.toSensor(c + 0.5, r + 0.5);
          const value =
            under === null
              ? NaN
              : images[under.index]?.[under.row * (sensors[under.index]?.xsize ?? NaN) + under.column];
          expect(picture.get(r, c)).toBe(value);
        }
      }
    }
  });

  it("gives null in the hole at the beam, and beyond the picture", () => {
    const assembler = new Assembler(octal, { view: "source" });
    expect(assembler.toSensor(1199.5, 1199.5)).toBeNull();
    expect(assembler.toSensor(-1e6, 0)).toBeNull();
  });

  it("places pixel centres by hand calculation", () => {
    const { x, y } = pixelPositions(
      sensor("a", {
        xsize: 2,
        ysize: 3,
        posXUm: 1000,
        posYUm: -500,
        rotationDeg: 90,
        pixelSizeXUm: 10,
        pixelSizeYUm: 20,
      }),
    );
    // Columns run up (+Y), rows to the right (+X).
    expect(x.shape).toEqual([3, 2]);
    expect([x.get(0, 0), y.get(0, 0)]).toEqual([1010, -495]);
    expect([x.get(2, 1), y.get(2, 1)]).toEqual([1050, -485]);
  });
});

describe("regionToSensors", () => {
  it.each(views)(
    "%s view: is every pixel whose centre lies inside, over the smallest rectangle, in each sensor",
    (view) => {
      const size = fc.integer({ min: 1, max: 12 });
      fc.assert(
        fc.property(
          fc.integer({ min: 0, max: 30 }),
          fc.integer({ min: 0, max: 30 }),
          size,
          size,
          fc.double({ min: -180, max: 180, noNaN: true }),
          (top, left, height, width, rotationDeg) => {
            const sensors = [
              sensor("a", { xsize: 13, ysize: 11, posXUm: 40, posYUm: 90, rotationDeg }),
              sensor("b", { xsize: 8, ysize: 9, posXUm: -420, posYUm: 300 }),
            ];
            const masks = { b: Uint8Array.from({ length: 72 }, (_, k) => (k % 5 === 0 ? 0 : 1)) };
            const assembler = new Assembler(sensors, { view, width: 43, height: 43, masks });
            const roi = { rows: [top, top + height], columns: [left, left + width] } as const;
            const expected = sensors.map(({ xsize, ysize }, index) =>
              Array.from({ length: xsize * ysize }, (_, k) => k).filter((k) => {
                const { row, column } = assembler.toImage(index, Math.floor(k / xsize) + 0.5, (k % xsize) + 0.5);
                return (
                  row >= top &&
                  row < top + height &&
                  column >= left &&
                  column < left + width &&
                  (index === 0 || masks.b[k] === 1)
                );
              }),
            );
            const found = assembler.regionToSensors(roi);
            expect(found.map(({ sensor: id }) => id)).toEqual(
              sensors.filter((_, i) => (expected[i]?.length ?? 0) > 0).map(({ id }) => id),
            );
            for (const { index, roi: box, pixels, count } of found) {
              const listed: number[] = [];
              for (let r = 0; r < box.rows[1] - box.rows[0]; r++) {
                for (let c = 0; c < box.columns[1] - box.columns[0]; c++) {
                  if (pixels.get(r, c) === 1)
                    listed.push((box.rows[0] + r) * (sensors[index]?.xsize ?? NaN) + box.columns[0] + c);
                }
              }
              expect(listed).toEqual(expected[index]);
              expect(count).toBe(listed.length);
              // Smallest: each side of the rectangle holds a pixel.
              const rows = listed.map((k) => Math.floor(k / (sensors[index]?.xsize ?? NaN)));
              expect([Math.min(...rows), Math.max(...rows) + 1]).toEqual(box.rows);
            }
          },
        ),
        { numRuns: 60 },
      );
    },
  );
});

describe("the six spots of the shared octal run", () => {
  interface Truth {
    readonly assembled_source_view: { readonly spot_col_row: [number, number][] };
    readonly sensors: {
      readonly id: string;
      readonly pos_um: number[];
      readonly rotation_deg: number;
      readonly light_mean_minus_dark: { readonly max: number; readonly argmax_row_col: [number, number] };
    }[];
  }

  itWithSharedData("lie within a pixel of where numpy put them, in both views", () => {
    const truth: Truth = JSON.parse(readFileSync(join(sharedData, "206178.truth.json"), "utf8"));
    const infos = truth.sensors.map(({ id, pos_um: [posXUm = NaN, posYUm = NaN], rotation_deg: rotationDeg }) =>
      sensor(id, { posXUm, posYUm, rotationDeg }),
    );
    const found = new Set<number>();
    for (const view of views) {
      const assembler = new Assembler(infos, { view });
      const spots = truth.assembled_source_view.spot_col_row.map(
        ([column, row]) => [view === "source" ? column : assembler.width - column, row] as const,
      );
      for (const { id, light_mean_minus_dark: light } of truth.sensors) {
        // Sensors without a spot have a maximum of noise only.
        if (light.max < 1000) continue;
        const [row, column] = light.argmax_row_col;
        const place = assembler.toImage(id, row + 0.5, column + 0.5);
        const distances = spots.map(([c, r]) => Math.max(Math.abs(c - place.column), Math.abs(r - place.row)));
        expect(Math.min(...distances), `${id} in the ${view} view`).toBeLessThanOrEqual(1);
        found.add(distances.indexOf(Math.min(...distances)));
      }
    }
    expect(found.size).toBe(6);
  });
});
