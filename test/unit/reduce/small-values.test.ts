import { describe, expect, it } from "vitest";
import {
  byClass,
  Cube,
  covariance,
  darkMaps,
  mean,
  normalised,
  projections,
  type Reducer,
  radialProfile,
  reduce,
  roiSeries,
  roiSum,
  variance,
} from "../../../src/reduce/index.ts";
import { scriptedShots } from "../../support/scripted-shots.ts";
import { frame, shotsOf } from "./stack.ts";

const [rows, columns] = [16, 16];
const size = rows * columns;
const whole = { rows: [0, rows], columns: [0, columns] } as const;
const sensor = {
  id: "A",
  xsize: columns,
  ysize: rows,
  absGain: 17.8,
  geometry: {
    posXUm: -400,
    posYUm: 400,
    posZUm: 0,
    rotationDeg: 0,
    pixelSizeXUm: 50,
    pixelSizeYUm: 50,
    manipulatorShiftUm: 0,
  },
};

/** Runs a reducer over images, and takes from its result what the mean pixel of even images is. */
function summing<T>(make: () => Reducer<T>, of: (found: T) => number | undefined) {
  return async (pixels: Float32Array): Promise<number> => {
    const shots = shotsOf(
      [1, 2, 3].map((tag) => ({ tag, pixels, signal: 1.9 + 0.05 * tag })),
      frame(rows, columns),
    );
    const found = (await reduce(shots, { it: make() })).it["A"];
    return found === undefined ? NaN : (of(found) ?? NaN);
  };
}

const normalisedByI0 = () => normalised({ equipId: "i0", reference: 2 });
/** Every reducer that sums pixels. */
const all: Readonly<Record<string, (pixels: Float32Array) => Promise<number>>> = {
  mean: summing(mean, (r) => r.data[5]),
  variance: summing(variance, (r) => r.mean.data[5]),
  darkMaps: summing(darkMaps, (r) => r.mean.data[5]),
  covariance: summing(
    () => covariance({ equipId: "i0" }),
    () => NaN,
  ),
  normalised: summing(normalisedByI0, (r) => r.mean.data[5]),
  roiSeries: summing(
    () => roiSeries([whole]),
    (r) => (r.rois[0]?.sums[0] ?? NaN) / size,
  ),
  roiSum: summing(
    () => roiSum(whole),
    (r) => (r.sums[0] ?? NaN) / size,
  ),
  projections: summing(projections, (r) => r.alongX[5]),
  radialProfile: summing(
    () => radialProfile({ sensors: [sensor], binUm: 100, maxUm: 400, perShot: { from: 100, to: 300 } }),
    (r) => r.mean[2],
  ),
  "byClass of normalised": summing(
    () => byClass(normalisedByI0(), ["a"], () => "a"),
    (r) => r.classes["a"]?.mean.data[5],
  ),
  "byClass of mean": summing(
    () => byClass(mean(), ["a"], () => "a"),
    (r) => r.classes["a"]?.data[5],
  ),
};
/** Of these the state keeps each shot's sum in double precision, so that any size is right. */
const anySize = ["roiSum"];

const even = (value: number): Float32Array => new Float32Array(size).fill(value);
/** One hot pixel of 1 among values that sums on the grid would lose. */
const hot = even(3e-7);
hot[17] = 1;

describe.each(Object.entries(all))("%s", (name, meanOf) => {
  it.each([
    ["3e-7", even(3e-7)],
    ["1e-12, as joules are", even(1e-12)],
    ["subnormal numbers", even(1e-40)],
    ["3e-7 beside one hot pixel", hot],
  ])("refuses images of %s, or is right", async (_, pixels) => {
    if (anySize.includes(name)) {
      const expected = pixels.reduce((sum, value) => sum + value, 0) / size;
      expect((await meanOf(pixels)) / expected).toBeCloseTo(1, 6);
    } else
      await expect(meanOf(pixels)).rejects.toMatchObject({
        code: "TOO_SMALL",
        message: expect.stringContaining("correct.scale"),
      });
  });

  it("is right for images of zeros, of usual and of huge values", async () => {
    if (name === "covariance") return;
    for (const value of [0, 0.01, 7.25, 1e30]) {
      const found = await meanOf(even(value));
      // The ratio of sums over I0 of 2 on average.
      expect(Math.abs(found - Math.fround(value))).toBeLessThanOrEqual(1e-4 * value);
    }
  });

  it("takes small values in a few pixels, or in none, for what they are: most others are usual", async () => {
    const mixed = Float32Array.from({ length: size }, (_, i) => (i % 4 === 0 ? 3e-7 : i % 4 === 1 ? 0 : 5));
    await expect(meanOf(mixed)).resolves.toBeDefined();
  });
});

describe("a cube", () => {
  const shots = (pixels: Float32Array) =>
    scriptedShots(
      [1, 2, 3].map((tag) => ({ tag, pixels, signals: { x: 0.5, i0: 1 + tag } })),
      rows,
      columns,
    );
  it("refuses images too small for the exact sums of its bins, with each reducer", async () => {
    for (const images of [{ it: mean() }, { it: variance() }, { it: normalised({ equipId: "i0", reference: 2 }) }])
      for (const pixels of [even(3e-7), hot])
        await expect(
          new Cube({ axes: [{ name: "x", of: "x", edges: [0, 1] }], values: { images } }).update(shots(pixels)),
        ).rejects.toMatchObject({ code: "TOO_SMALL" });
  });

  it("sums regions of any size", async () => {
    const cube = await new Cube({
      axes: [{ name: "x", of: "x", edges: [0, 1] }],
      values: { sums: { all: { detector: "A" } }, signals: ["i0"] },
    }).update(shots(even(1e-12)));
    expect((cube.numbers("all").mean.data[0] ?? NaN) / size / Math.fround(1e-12)).toBeCloseTo(1, 6);
  });
});
