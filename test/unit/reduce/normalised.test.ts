import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { meanOfRatios, ratioOfSums } from "../../../src/core/ratio.ts";
import {
  accumulate,
  Cube,
  type CubeOptions,
  contrast,
  monitorCheck,
  normalised,
  reduce,
  resultsOf,
  variance,
} from "../../../src/reduce/index.ts";
import { scriptedShots } from "../../support/scripted-shots.ts";
import { frame, of, shotsOf } from "./stack.ts";

/** Pulses of a monochromatic beam (M = 1) of 5 nC on average; each pixel has photons in proportion, with noise. */
function pulses(random: Random, count: number) {
  return Array.from({ length: count }, (_, tag) => {
    const i0 = 0.02 - Math.log(1 - random.uniform());
    const pixels = [40 * random.poisson(i0), 4000 * i0 + 10 * random.normal(), 5 * random.normal()].map(Math.fround);
    return { tag, pixels, signal: 5e-9 * i0 };
  });
}

describe("normalised", () => {
  const images = pulses(new Random(3), 50);
  const i0 = images.map(({ signal }) => signal / 5e-9);

  it.each(["ratio-of-sums", "mean-of-ratios"] as const)("is the %s of each pixel, with its error", async (method) => {
    const reducer = normalised({ equipId: "bm1/charge", reference: 5e-9, method });
    const { image } = await reduce(shotsOf([...images, { tag: 90, pixels: [1, 1, 1] }], frame(1, 3)), {
      image: reducer,
    });
    const { mean, standardError, count, skipped, monitor } = of(image);
    expect([count, skipped]).toEqual([50, 1]);
    expect(monitor / 5e-9).toBeCloseTo(i0.reduce((a, b) => a + b, 0) / 50, 6);
    for (let k = 0; k < 3; k++) {
      const values = images.map(({ pixels }) => pixels[k] ?? NaN);
      const expected = method === "ratio-of-sums" ? ratioOfSums(values, i0) : meanOfRatios(values, i0);
      expect((mean.data[k] ?? NaN) / expected.mean).toBeCloseTo(1, 5);
      expect((standardError.data[k] ?? NaN) / expected.standardError).toBeCloseTo(1, 4);
    }
    // The second pixel is I0 itself with noise: its error is that of the noise, not of the pulse energy.
    if (method === "ratio-of-sums") expect(standardError.get(0, 1)).toBeLessThan(3);
  });

  it("gives the same bits however the shots are split, and says its settings", async () => {
    const reducers = { image: normalised({ equipId: "bm1/charge", reference: 5e-9 }) };
    const whole = await accumulate(shotsOf(images, frame(1, 3)), reducers);
    const [head, tail] = [images.slice(0, 17), images.slice(17)];
    const parts = await accumulate(shotsOf([...tail].reverse(), frame(1, 3)), reducers);
    parts.merge(await accumulate(shotsOf(head, frame(1, 3)), reducers));
    expect(of(resultsOf(parts).image)).toEqual(of(resultsOf(whole).image));
    expect(reducers.image.name).toBe("normalised(bm1/charge, 5e-9, ratio-of-sums)");
    for (const reference of [0, NaN, -1])
      expect(() => normalised({ equipId: "i0", reference })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

it("counts the shots at which the monitor is cut off, however they are split", async () => {
  const random = new Random(7);
  const images = pulses(random, 200).map((image) => ({ ...image, signal: Math.min(image.signal, 8e-9) }));
  const cutOff = images.filter(({ signal }) => signal === 8e-9).length;
  expect(cutOff).toBeGreaterThan(20);
  for (const method of ["ratio-of-sums", "mean-of-ratios"] as const) {
    const reducers = { image: normalised({ equipId: "bm1/charge", reference: 5e-9, method }) };
    const parts = await accumulate(shotsOf(images.slice(60), frame(1, 3)), reducers);
    parts.merge(await accumulate(shotsOf(images.slice(0, 60), frame(1, 3)), reducers));
    expect(of(resultsOf(parts).image).clipped).toBe(cutOff);
  }
  const plain = await reduce(shotsOf(pulses(random, 200), frame(1, 3)), {
    image: normalised({ equipId: "bm1/charge", reference: 5e-9 }),
  });
  expect(of(plain.image).clipped).toBe(0);
});

describe("normalised numbers of a cube", () => {
  const options = {
    axes: [{ name: "x", of: "x", edges: [0, 1, 2, 3] }],
    values: {
      images: { spread: variance() },
      sums: { all: { detector: "A" } },
      signals: ["pd", "i0"],
      normaliseBy: "i0",
    },
  } satisfies CubeOptions;
  const random = new Random(5);
  const shots = pulses(random, 60).map(({ tag, pixels, signal }) => ({
    tag,
    pixels,
    signals: { x: tag % 3, pd: signal * 1e9 + 0.1 * random.normal(), i0: tag === 4 ? ("saturated" as const) : signal },
  }));

  it("are ratios of sums with their errors, or means of ratios", async () => {
    const cube = await new Cube(options).update(scriptedShots(shots, 1, 3));
    for (let bin = 0; bin < 3; bin++) {
      const inBin = shots.filter(({ tag }) => tag % 3 === bin && tag !== 4);
      const i0 = inBin.map(({ signals }) => Number(signals.i0));
      for (const [name, values] of [
        ["pd", inBin.map(({ signals }) => signals.pd)],
        ["all", inBin.map(({ pixels }) => pixels.reduce((a, b) => a + b, 0))],
      ] as const) {
        for (const method of ["ratio-of-sums", "mean-of-ratios"] as const) {
          const found = cube.normalised(name, "all", { method });
          const expected = method === "ratio-of-sums" ? ratioOfSums(values, i0) : meanOfRatios(values, i0);
          expect((found.mean.data[bin] ?? NaN) / expected.mean).toBeCloseTo(1, 12);
          expect((found.standardError.data[bin] ?? NaN) / expected.standardError).toBeCloseTo(1, 9);
        }
      }
      expect(cube.normalised("pd").count.data[bin]).toBe(inBin.length);
    }
    expect(cube.normalised("pd").invalid.data[1]).toBe(1);
    expect(cube.signals).toEqual(["x", "pd", "i0"]);
    expect(() => cube.normalised("i0")).toThrow(/one of all, pd/);
  });

  it("are the same to the bit after a merge and a checkpoint", async () => {
    const whole = await new Cube(options).update(scriptedShots(shots, 1, 3));
    const first = await new Cube(options).update(scriptedShots(shots.slice(30), 1, 3));
    const loaded = Cube.load(options, structuredClone(first.checkpoint()));
    loaded.merge(await new Cube(options).update(scriptedShots(shots.slice(0, 30), 1, 3)));
    expect(loaded.normalised("pd")).toEqual(whole.normalised("pd"));
  });
});

describe("contrast", () => {
  it("gives on / off − 1 with the error of the ratio", async () => {
    const statistics = {
      ...(await new Cube({ axes: [{ name: "x", of: "x", edges: [0, 1] }] }).update(scriptedShots([], 1, 1))).numbers(
        "x",
      ),
    };
    statistics.mean.data[0] = 3;
    statistics.standardError.data[0] = 0.3;
    const found = contrast(statistics, statistics);
    expect([found.contrast.data[0], found.ratio.data[0]]).toEqual([0, 1]);
  });
});

describe("monitorCheck", () => {
  const random = new Random(13);
  function shots(pedestal: number, bend: number, noise = 0) {
    const i0 = Array.from({ length: 300 }, () => 1 + 0.25 * random.normal());
    const signal = i0.map((i) => 2 * i + bend * i * i + 0.02 * Math.abs(i) * random.normal());
    return [signal, i0.map((i) => i + pedestal + noise * random.normal())] as const;
  }

  it("finds a pedestal of the monitor, and a curvature, and says so", () => {
    const [signal, monitor] = shots(0.05, 0);
    const found = monitorCheck(signal, monitor);
    expect(Math.abs(found.pedestal - 0.05)).toBeLessThan(4 * found.pedestalError);
    expect(found.pedestalError).toBeLessThan(0.01);
    expect(found.slope).toBeCloseTo(2, 1);
    expect(found.text).toMatch(/^pedestal of 0\.0\d+ ± 0\.00\d+ \(\d.* % of the mean\).*no significant curvature/);
    const bent = monitorCheck(...shots(0, -0.2));
    expect(Math.abs(bent.curvature + 0.2)).toBeLessThan(4 * bent.curvatureError);
    expect(bent.text).toMatch(/bends with the monitor/);
    expect(monitorCheck(...shots(0, 0)).text).toMatch(/^no significant pedestal/);
  });

  it("names shots at which signal or monitor is cut off, not the steps of an ADC", () => {
    const [signal, monitor] = shots(0, 0);
    const clip = (values: readonly number[], at: number): number[] => values.map((value) => Math.min(value, at));
    const found = monitorCheck(clip(signal, 2.5), clip(monitor, 1.4));
    const above = (values: readonly number[], at: number): number => values.filter((value) => value >= at).length;
    expect(found.clipped).toEqual({ signal: above(signal, 2.5), monitor: above(monitor, 1.4) });
    expect(found.text).toMatch(/shots \(\d+ %\) read the greatest signal, 2\.5: .* read the greatest monitor, 1\.4: /);
    for (const step of [0, 0.02, 0.05, 0.2]) {
      const read = (values: readonly number[]) => values.map((v) => (step === 0 ? v : step * Math.round(v / step)));
      expect(monitorCheck(read(signal), read(monitor)).clipped).toEqual({ signal: 0, monitor: 0 });
    }
  });

  it("refuses what it cannot tell", () => {
    for (const [signal, monitor] of [
      [[1], [1, 2]],
      [
        [1, 2, 3],
        [1, 2, 3],
      ],
      [Array(20).fill(1), Array(20).fill(2)],
    ] as const)
      expect(() => monitorCheck(signal, monitor)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
