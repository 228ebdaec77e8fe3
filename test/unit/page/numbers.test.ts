import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { asImage, type RawImage } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import { HitRate } from "../../../src/page/hit-rate.ts";
import { PumpedMeans } from "../../../src/page/pumped-means.ts";
import { RadialScale } from "../../../src/page/radial-scale.ts";
import { signalSummary } from "../../../src/page/signal-summary.ts";
import { normalised, radiusToQ, reduce, shotsFrom, variance } from "../../../src/reduce/index.ts";
import { logTickText, tickText } from "../../../web/plots/ticks.ts";
import { scanCsv } from "../../../web/scans/scan-csv.ts";

describe("RadialScale", () => {
  it("has rings at round values, where the library says that these values are", () => {
    const [distanceMm, photonEnergyEv] = [100, 10_000];
    const { rings } = new RadialScale({ unit: "q_A^-1", distanceMm, photonEnergyEv }).rings([0, 84_000], 50);
    expect(rings.map(({ value }) => value)).toEqual([1, 2, 3]);
    for (const { value, radius, dAngstrom } of rings) {
      expect(radiusToQ(50 * radius, distanceMm, photonEnergyEv)).toBeCloseTo(value, 9);
      expect(dAngstrom).toBeCloseTo((2 * Math.PI) / value, 9);
    }
    const angles = new RadialScale({ unit: "2th_deg", distanceMm, photonEnergyEv: null }).rings([0, 84_000], 50).rings;
    expect(angles.map(({ value, dAngstrom }) => [value, dAngstrom])).toEqual([10, 20, 30, 40].map((v) => [v, null]));
    for (const { value, radius } of angles)
      expect((50 * radius) / 1000).toBeCloseTo(distanceMm * Math.tan((value * Math.PI) / 180), 9);
    const lengths = new RadialScale({ unit: "r_mm", distanceMm: null, photonEnergyEv: null }).rings(
      [0, 84_000],
      50,
    ).rings;
    expect(lengths.map(({ value, radius }) => [value, radius])).toEqual([20, 40, 60, 80].map((v) => [v, 20 * v]));
  });

  it("has finer rings where only a part is seen", () => {
    const scale = new RadialScale({ unit: "r_mm", distanceMm: null, photonEnergyEv: null });
    expect(scale.rings([50_100, 54_000], 50).rings.map(({ value }) => value)).toEqual([51, 52, 53, 54]);
  });

  it("needs the distance for angles, and the photon energy for q", () => {
    for (const unit of ["2th_deg", "q_A^-1"] as const)
      expect(() => new RadialScale({ unit, distanceMm: null, photonEnergyEv: 10_000 })).toThrow("needs the distance");
    expect(() => new RadialScale({ unit: "q_A^-1", distanceMm: 100, photonEnergyEv: null })).toThrow("photon energy");
  });
});

it("HitRate gives hits per shot of each 10 s, with an error that is not zero", () => {
  const rate = new HitRate();
  for (let i = 0; i < 40; i++) rate.add(1000 + i / 2, i < 20 && i % 4 === 0);
  const { shots, hits, times, rate: rates, error } = rate.answer;
  expect([shots, hits, [...times], [...rates]]).toEqual([40, 5, [1005, 1015], [0.25, 0]]);
  // Of the beta distribution: mean 6/22, variance 6 · 16 / (22² · 23).
  expect(error[0]).toBeCloseTo(Math.sqrt((6 * 16) / (22 ** 2 * 23)), 12);
  expect(error[1]).toBeGreaterThan(0);
});

describe("signalSummary", () => {
  it("gives mean, scatter, share of shots with a number, and the histogram", () => {
    const { complete, mean, standardDeviation, histogram } = signalSummary(Float64Array.of(1, 2, NaN, 3, 6), null);
    expect([complete, mean, standardDeviation]).toEqual([0.8, 3, Math.sqrt(14 / 3)]);
    expect(histogram?.counts.reduce((sum, n) => sum + n, 0)).toBe(4);
    expect([histogram?.counts[0], histogram?.counts.at(-1)]).toEqual([1, 1]);
    expect(histogram?.from).toBeCloseTo(1 + 5 / 16, 12);
    expect(signalSummary(new Float64Array(0), null)).toMatchObject({ complete: null, mean: null, histogram: null });
  });

  it("gives Pearson's coefficient over the shots that have both, which holds the truth as often as its error says", () => {
    const exact = signalSummary(Float64Array.of(1, 2, 3, 4, NaN), Float64Array.of(-2, -4, -6, -8, 5)).correlation;
    expect(exact?.r).toBeCloseTo(-1, 12);
    expect(exact?.shots).toBe(4);
    const random = new Random(1);
    let within = 0;
    for (let k = 0; k < 300; k++) {
      const x = Float64Array.from({ length: 200 }, () => random.normal());
      const y = x.map((value) => 0.5 * value + Math.sqrt(0.75) * random.normal());
      const found = signalSummary(x, y).correlation;
      if (Math.abs((found?.r ?? NaN) - 0.5) < (found?.error ?? NaN)) within++;
    }
    // 68 % are wanted; the error of the count is 8.
    expect(within).toBeGreaterThan(180);
    expect(within).toBeLessThan(240);
  });
});

describe("PumpedMeans", () => {
  it("gives difference, error and significance as the library's means and errors do", async () => {
    const random = new Random(2);
    const [rows, columns] = [8, 16];
    const imageOf = (light: number): RawImage =>
      asImage(
        Uint16Array.from({ length: rows * columns }, () => 100 + light + 5 * random.normal()),
        rows,
        columns,
      );
    const shots = Array.from({ length: 30 }, (_, i) => ({
      label: i % 2 === 0 ? "on" : "off",
      image: imageOf(9 * (i % 2)),
    }));
    const means = { difference: new PumpedMeans("difference", 1000), error: new PumpedMeans("error", 1000) };
    const significance = new PumpedMeans("significance", 1000);
    for (const { label, image } of shots)
      for (const one of [...Object.values(means), significance]) one.add(label as "on" | "off", { s: image });
    const statistics = async (label: string) => {
      const images = shots.filter((shot) => shot.label === label).map(({ image }) => image);
      const data = Uint16Array.from(images.flatMap(({ data: pixels }) => [...pixels]));
      const { found } = await reduce(shotsFrom({ s: ndarray(data, [images.length, rows, columns]) }), {
        found: variance({ ddof: 1 }),
      });
      return found["s"];
    };
    const [on, off] = [await statistics("on"), await statistics("off")];
    const like = { s: shots[0]?.image as RawImage };
    for (let i = 0; i < rows * columns; i++) {
      const difference = (on?.mean.data[i] ?? NaN) - (off?.mean.data[i] ?? NaN);
      const error = Math.hypot(on?.standardError.data[i] ?? NaN, off?.standardError.data[i] ?? NaN);
      expect(means.difference.images(like)["s"]?.data[i]).toBeCloseTo(difference, 4);
      expect(means.error.images(like)["s"]?.data[i]).toBeCloseTo(error, 4);
      expect(significance.images(like)["s"]?.data[i]).toBeCloseTo(difference / error, 3);
    }
    expect(significance.counts).toEqual({ on: 15, off: 15 });
  });
});

it("PumpedMeans divided by I0 are the library's ratios of sums, and their errors its errors", async () => {
  const random = new Random(3);
  const [rows, columns] = [4, 8];
  const shots = Array.from({ length: 40 }, (_, i) => {
    const i0 = 5 * (0.7 + 0.6 * random.uniform());
    const pixels = () => i0 * (i % 2 === 0 ? 21 : 20) + random.normal();
    const values = Float32Array.from({ length: rows * columns }, pixels);
    return { label: i % 2 === 0 ? ("on" as const) : ("off" as const), i0, values };
  });
  const whats = ["difference-i0", "error-i0", "difference", "error"] as const;
  const means = whats.map((what) => new PumpedMeans(what, 1000));
  for (const { label, values, i0 } of shots)
    for (const [n, one] of means.entries())
      one.add(label, { s: asImage(values, rows, columns) }, n < 2 ? i0 : undefined);
  const reference = shots.reduce((sum, { i0 }) => sum + i0, 0) / shots.length;
  const ofClass = async (label: string) => {
    const some = shots.filter((shot) => shot.label === label);
    const data = Float32Array.from(some.flatMap(({ values }) => [...values]));
    const stream = shotsFrom(
      { s: ndarray(data, [some.length, rows, columns]) },
      { signals: { i0: some.map(({ i0 }) => i0) } },
    );
    return (await reduce(stream, { found: normalised({ equipId: "i0", reference }) })).found["s"];
  };
  const [on, off] = [await ofClass("on"), await ofClass("off")];
  const like = { s: asImage(new Float32Array(rows * columns), rows, columns) };
  const [difference, error, plain, plainError] = means.map((one) => one.images(like)["s"]?.data ?? []);
  for (let i = 0; i < rows * columns; i++) {
    expect(difference?.[i]).toBeCloseTo((on?.mean.data[i] ?? NaN) - (off?.mean.data[i] ?? NaN), 3);
    expect(error?.[i]).toBeCloseTo(Math.hypot(on?.standardError.data[i] ?? 0, off?.standardError.data[i] ?? 0), 3);
    // The scatter of the beam is in what is not divided.
    expect(plainError?.[i]).toBeGreaterThan(5 * (error?.[i] ?? NaN));
    expect(plain?.[i]).not.toBeCloseTo(difference?.[i] ?? NaN, 1);
  }
});

it("scanCsv has the columns of sacla scan --csv, with units and empty cells where nothing was measured", () => {
  const value = { mean: 5, error: 0.5, count: 9 };
  const points = [
    { index: 0, at: { delay: -1 }, asked: 9, used: 9, values: { i0: value, pd: null } },
    { index: 1, at: { delay: 1 }, asked: 9, used: 8, values: { i0: { ...value, error: null } } },
  ];
  expect(
    scanCsv({ points, units: { delay: "ps", i0: "nC" } })
      .trimEnd()
      .split(/\r?\n/),
  ).toEqual([
    "delay (ps),shots used,shots asked,i0 mean (nC),i0 error (nC),pd mean,pd error",
    "-1,9,9,5,0.5,,",
    "1,8,9,5,,,",
  ]);
});

describe("ticks of axes", () => {
  const texts = (format: typeof tickText, ...values: number[]): string[] =>
    values.map((value, i) =>
      format(
        value,
        i,
        values.map((one) => ({ value: one })),
      ),
    );

  it("have one SI prefix, and as many digits as tell them apart; never 1e+5", () => {
    expect(texts(tickText, 0, 50_000, 100_000)).toEqual(["0", "50k", "100k"]);
    expect(texts(tickText, -2000, 0, 2000)).toEqual(["−2000", "0", "2000"]);
    expect(texts(tickText, 123_456_000, 123_456_010)).toEqual(["123.456M", "123.45601M"]);
    expect(texts(tickText, 0.1, 0.2, 0.3)).toEqual(["0.1", "0.2", "0.3"]);
    expect(texts(tickText, 0.00002, 0.00004)).toEqual(["2×10⁻⁵", "4×10⁻⁵"]);
  });

  it("of a logarithmic axis are the powers of ten where there are many", () => {
    const decade = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const all = [1, 10, 100, 1e3, 1e4, 1e5].flatMap((ten) => decade.map((one) => ten * one));
    expect(texts(logTickText, ...all).filter((text) => text !== "")).toEqual([
      "1",
      "10",
      "100",
      "1000",
      "10000",
      "100k",
    ]);
    expect(texts(logTickText, 20, 30, 40)).toEqual(["20", "30", "40"]);
  });
});
