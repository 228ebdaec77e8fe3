import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { projections, reduce, roiSeries } from "../../../src/reduce/index.ts";
import { frame, of, shotsOf, type TestImage } from "./stack.ts";

const rows = 4;
const columns = 5;
const spec = frame(rows, columns);
const pixel = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -300, max: 65_535 }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity) },
);
const stack = fc
  .array(fc.array(pixel, { minLength: rows * columns, maxLength: rows * columns }), { minLength: 1, maxLength: 6 })
  .map((images) => images.map((pixels, tag): TestImage => ({ tag: tag + 1, pixels })));

/** The finite pixels of an image for which a condition on row and column holds. */
const pick = ({ pixels }: TestImage, where: (row: number, column: number) => boolean): number[] =>
  Array.from(pixels).filter((value, i) => Number.isFinite(value) && where(Math.floor(i / columns), i % columns));
const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

describe("roiSeries", () => {
  const left = { rows: [0, 4], columns: [0, 2] } as const;
  const one = { rows: [2, 3], columns: [3, 4] } as const;

  it("gives sum, count, mean and maximum of the finite pixels, rectangle by rectangle, shot by shot", async () => {
    await fc.assert(
      fc.asyncProperty(stack, async (images) => {
        const { series } = await reduce(shotsOf(images, spec), { series: roiSeries([left, one]) });
        expect([...of(series).tags]).toEqual(images.map(({ tag }) => tag));
        for (const [k, { roi, sums, counts, means, max }] of of(series).rois.entries()) {
          expect(roi).toBe([left, one][k]);
          const inside = images.map((image) =>
            pick(image, (r, c) => r >= roi.rows[0] && r < roi.rows[1] && c >= roi.columns[0] && c < roi.columns[1]),
          );
          expect([...sums]).toEqual(inside.map(sum));
          expect([...counts]).toEqual(inside.map((values) => values.length));
          expect([...max]).toEqual(inside.map((values) => Math.max(...values)));
          expect([...means]).toEqual(inside.map((values) => sum(values) / values.length));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("refuses no rectangle, and one that reaches beyond the image", async () => {
    expect(() => roiSeries([])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    const beyond = roiSeries([left, { rows: [0, 5], columns: [0, 1] }]);
    await expect(reduce(shotsOf([{ tag: 1, pixels: [] }], spec), { beyond })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });
});

describe("projections", () => {
  it("are means over rows and over columns of all finite pixels of all shots", async () => {
    await fc.assert(
      fc.asyncProperty(stack, async (images) => {
        const { profile } = await reduce(shotsOf(images, spec), { profile: projections() });
        const { alongX, alongY, countX, countY } = of(profile);
        const check = (
          means: Float64Array,
          counts: Float64Array,
          where: (k: number) => (r: number, c: number) => boolean,
        ): void => {
          means.forEach((mean, k) => {
            const values = images.flatMap((image) => pick(image, where(k)));
            expect(counts[k]).toBe(values.length);
            expect(mean).toBe(values.length === 0 ? NaN : sum(values) / values.length);
          });
        };
        expect([alongX.length, alongY.length]).toEqual([columns, rows]);
        check(alongX, countX, (k) => (_, c) => c === k);
        check(alongY, countY, (k) => (r) => r === k);
      }),
      { numRuns: 40 },
    );
  });

  it("keep every digit where a plain sum would not: saturated rows with a fraction", async () => {
    // 512 columns × 40 000 shots of 65535 would pass 2^33 on the grid of 2^−20; here it is passed by one large value
    // per row.
    const wide = frame(1, 8);
    const images = Array.from({ length: 100 }, (_, tag) => ({
      tag,
      pixels: [2 ** 30, -(2 ** 29), 2 ** 30, 2 ** 30, 2 ** 30, 2 ** 30, 2 ** 30, 2 ** -20],
    }));
    const { profile } = await reduce(shotsOf(images, wide), { profile: projections() });
    const exact = (100n * (6n * 2n ** 30n - 2n ** 29n) * 2n ** 20n + 100n) * 2n ** 20n;
    expect(of(profile).alongY[0]).toBe(Number(exact) / 2 ** 40 / 800);
    expect(of(profile).alongX[7]).toBe(2 ** -20);
  });
});
