import { createHash } from "node:crypto";
import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { asImage, type Pixels } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import { quantize } from "../../../src/reduce/engine/exact.ts";
import {
  byClass,
  type Correction,
  correct,
  covariance,
  createStack,
  defineReducer,
  droplets,
  findPeaks,
  hits,
  minMax,
  normalised,
  photonCounts,
  pixelHistogram,
  projections,
  radialProfile,
  reduce,
  roiSeries,
  roiSum,
  shotsFrom,
} from "../../../src/reduce/index.ts";
import { RadialBins } from "../../../src/reduce/reducers/radial-bins.ts";
import { of, shotOf } from "../../unit/reduce/stack.ts";

// More than one slice of the kernel, and pixels left over at its end.
const [rows, columns] = [90, 111];
const info: DetectorInfo = {
  id: "P",
  xsize: columns,
  ysize: rows,
  absGain: null,
  geometry: {
    posXUm: -2500,
    posYUm: 2300,
    posZUm: 0,
    rotationDeg: 3,
    pixelSizeXUm: 50,
    pixelSizeYUm: 50,
    manipulatorShiftUm: 0,
  },
};
const random = new Random(8);
const uniform = (length: number, make: (u: number, i: number) => number): number[] =>
  Array.from({ length }, (_, i) => make(random.uniform(), i));
const length = rows * columns;
const whole = Uint16Array.from(uniform(length, (u) => (u < 0.05 ? 65_535 : Math.floor(400 * u))));
const real = Float32Array.from(
  uniform(length, (u) => (u < 0.02 ? [NaN, Infinity, -Infinity][Math.floor(150 * u)] : 300 * u - 40) ?? NaN),
);
const dark = Float64Array.from(uniform(length, (u) => (u < 0.02 ? NaN : 100 * u - 1)));

const shots = (pixels: Pixels) =>
  (async function* () {
    yield shotOf(1, { P: asImage(pixels, rows, columns) });
    yield shotOf(2, { P: asImage(pixels, rows, columns) });
  })();
const darks = { dark: { mean: { P: ndarray(dark, [rows, columns]) } } };
const geometry = { distanceMm: 6, normalUm: { x: 131, y: -247 }, rot1Deg: 3, rot2Deg: -5 };
const base = { sensors: [info], geometry, axis: { unit: "2th_deg", to: 20, bins: 40 } } as const;

describe("radialProfile in the kernel", () => {
  const cases = [
    ["u16", whole, false],
    ["u16 less a dark", whole, true],
    ["f32", real, false],
    ["f32 less a dark", real, true],
  ] as const;
  it.each(cases)("has the bits of plain sums: %s", async (_, pixels, hasDark) => {
    for (const options of [base, { ...base, azimuth: { sectors: 5 } }, { ...base, split: "area" } as const]) {
      const { rings } = await reduce(shots(pixels), { rings: radialProfile(options) }, hasDark ? darks : {});
      const { binOf, shares, weights } = new RadialBins(options).of("P", rows, columns);
      const size = of(rings, "P").sum.length;
      const [sum, count, norm] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
      for (let i = 0; i < length; i++) {
        const level = hasDark ? quantize(dark[i] ?? NaN) : 0;
        const value = (pixels[i] ?? NaN) - level;
        if (!Number.isFinite(value)) continue;
        const weight = weights?.[i] ?? NaN;
        const parts =
          shares === null
            ? [[binOf[i] ?? 0, 1, quantize(pixels[i] ?? NaN) - level] as const]
            : Array.from({ length: (shares.start[i + 1] ?? 0) - (shares.start[i] ?? 0) }, (__, k) => {
                const at = (shares.start[i] ?? 0) + k;
                const share = shares.share[at] ?? NaN;
                return [shares.bin[at] ?? 0, share, quantize(value * share)] as const;
              });
        for (const [bin, share, part] of parts) {
          if (bin >= size) continue;
          sum[bin] = (sum[bin] ?? 0) + 2 * part;
          count[bin] = (count[bin] ?? 0) + 2 * share;
          norm[bin] = (norm[bin] ?? 0) + 2 * (share === 1 ? weight : quantize(share * weight));
        }
      }
      expect(of(rings, "P").sum).toEqual(sum);
      expect(of(rings, "P").count).toEqual(count);
      expect(of(rings, "P").norm).toEqual(norm);
    }
  });
});

describe("rectangles in the kernel", () => {
  // Of odd width, and one that begins in the second slice; 11 images are groups of 8 and 3.
  const rois = [
    { rows: [0, rows], columns: [3, 110] },
    { rows: [80, 81], columns: [0, columns] },
  ] as const;
  const images = Array.from({ length: 11 }, (_, k) => whole.map((x, i) => (i % 7 === 0 ? x + k : x)));
  it.each([
    [undefined, undefined],
    [dark, undefined],
    [dark, [-20, 250] as const],
  ])("have the numbers of the plain rule", async (level, between) => {
    const stack = createStack([images.length, rows, columns]);
    for (const [k, image] of images.entries()) stack.data.set(image, k * length);
    const options = between === undefined ? {} : { between };
    const answers = await reduce(
      shotsFrom({ P: stack }),
      { one: roiSum(rois[0], options), both: roiSeries(rois, options) },
      level === undefined ? {} : { dark: { mean: { P: ndarray(level, [rows, columns]) } } },
    );
    const [low, high] = between ?? [-Infinity, Infinity];
    const values = (image: Uint16Array, { rows: r, columns: c }: (typeof rois)[number]): number[] =>
      [...image.keys()]
        .filter((i) => i >= r[0] * columns && i < r[1] * columns && i % columns >= c[0] && i % columns < c[1])
        .map((i) => (image[i] ?? NaN) - (level?.[i] ?? 0))
        .filter((x) => !(x < low || x > high));
    expect([...of(answers.one, "P").sums]).toEqual(
      images.map((image) => values(image, rois[0]).reduce((sum, x) => sum + x, 0)),
    );
    for (const [k, roi] of rois.entries()) {
      const found = images.map((image) => values(image, roi).map(Math.fround).filter(Number.isFinite));
      const got = of(answers.both, "P").rois[k];
      expect([...(got?.sums ?? [])]).toEqual(found.map((of) => of.map(quantize).reduce((sum, x) => sum + x, 0)));
      expect([...(got?.counts ?? [])]).toEqual(found.map((of) => of.length));
      expect([...(got?.max ?? [])]).toEqual(found.map((of) => Math.max(...of)));
    }
  });

  it("sums bright pixels to the same bits however many shots come at a time", async () => {
    // Beyond 2^33, where one double would not hold the sum on the grid.
    const bright = createStack([2, 512, 512]);
    for (let i = 0; i < bright.data.length; i++) bright.data[i] = 65_000 + (i % 500);
    const level = ndarray(
      Float64Array.from({ length: 512 * 512 }, (_, i) => 0.3 * ((i * 7) % 11)),
      [512, 512],
    );
    const roi = { rows: [0, 512], columns: [0, 511] } as const;
    const { sum } = await reduce(shotsFrom({ P: bright }), { sum: roiSeries([roi]) }, { dark: { mean: { P: level } } });
    let exact = 0n;
    for (let i = 0; i < 512 * 512; i++) {
      const x = quantize(Math.fround((bright.data[i] ?? NaN) - (level.data[i] ?? NaN)));
      if (i % 512 < 511) exact += BigInt(x * 2 ** 20);
    }
    expect(of(sum, "P").rois[0]?.sums[0]).toBe(Number(exact) / 2 ** 20);
  });
});

describe("photonCounts in the kernel", () => {
  const negative = dark.map((level) => level - 90);
  it.each([
    ["u16", whole, undefined],
    ["u16 less a dark", whole, dark],
    ["u16 less a dark below 0", whole, negative],
    ["f32", real, undefined],
    ["f32 less a dark", real, dark],
  ] as const)("has the photons of the plain rule: %s", async (_, pixels, level) => {
    for (const [adu, threshold] of [
      [154, 0.5],
      [33.3, 0.7],
      [40, 1],
    ] as const) {
      const { count } = await reduce(
        shots(pixels),
        { count: photonCounts({ aduPerPhoton: adu, threshold }) },
        level === undefined ? {} : { dark: { mean: { P: ndarray(level, [rows, columns]) } } },
      );
      const expected = Uint32Array.from({ length }, (__, i) => {
        const value = Math.fround((pixels[i] ?? NaN) - (level?.[i] ?? 0));
        if (!(value >= threshold * adu && value < Infinity)) return 0;
        return 2 * Math.max(1, Math.floor(value / adu - threshold) + 1);
      });
      expect(of(count, "P").photons.data).toEqual(expected);
      const total = expected.reduce((sum, n) => sum + n, 0) / 2;
      expect([...of(count, "P").perShot]).toEqual([total, total]);
    }
  });
});

describe("correct.between in the kernel", () => {
  it("keeps the pixels of the plain rule, limits of no float32 too", async () => {
    const some = Float32Array.of(0.1, -0.1, 0.2, -0.2, 0, NaN, Infinity, -Infinity, 1e-40, 1, 0.30000001192092896);
    const limits = [0.1, -0.1, 0.2, -0.2, 0, 1e-300, -1e-300, 0.3, Infinity, -Infinity, 1e300, -1e300];
    for (const low of limits)
      for (const high of limits.filter((limit) => limit >= low))
        for (const otherwise of [0, "missing"] as const) {
          const pixels = (async function* () {
            yield shotOf(1, { P: asImage(some, 1, some.length) });
          })();
          const { r } = await reduce(pixels, { r: minMax() }, { corrections: [correct.between(low, high, otherwise)] });
          const kept = Array.from(some, (x) => (x < low || x > high ? (otherwise === 0 ? 0 : NaN) : x));
          expect([low, high, ...of(r, "P").min.data]).toEqual([
            low,
            high,
            ...kept.map((x) => (Number.isNaN(x) ? Infinity : x)),
          ]);
        }
  });
});

/** Keeps the image that a reducer is shown last. */
async function shown(pixels: Pixels, options: { dark?: typeof darks.dark; corrections?: readonly Correction[] }) {
  let last: Pixels = new Float32Array();
  const seen = defineReducer({
    name: "seen",
    layout: () => ({}),
    add: (_, image) => {
      last = image.slice();
    },
    result: () => null,
  });
  await reduce(shots(pixels), { seen }, options);
  return last;
}

describe("images less a dark, and corrected, in the kernel", () => {
  const gains = Float64Array.from(uniform(length, (u) => (u < 0.02 ? NaN : 0.5 + u)));
  const less = (pixels: Pixels): Float32Array => Float32Array.from(pixels, (x, i) => Math.fround(x - (dark[i] ?? NaN)));
  it.each([
    ["u16", whole],
    ["f32", real],
  ] as const)("have the bits of plain code: %s", async (_, pixels) => {
    expect(await shown(pixels, darks)).toEqual(less(pixels));
    for (const options of [
      { corrections: [correct.dark(darks.dark), correct.scale(1)] },
      { ...darks, corrections: [] },
    ])
      expect(await shown(pixels, options)).toEqual(less(pixels));
    expect(await shown(pixels, { corrections: [correct.scale(1)] })).toEqual(Float32Array.from(pixels));
    const gain = correct.gain({ P: ndarray(gains, [rows, columns]) });
    const image = { ...darks, corrections: [gain, correct.scale(1 / 3), correct.dark(darks.dark)] };
    expect(await shown(pixels, image)).toEqual(
      less(
        less(pixels)
          .map((x, i) => x * (1 / (gains[i] ?? NaN)))
          .map((x) => x * (1 / 3)),
      ),
    );
  });
});

describe("hits in the kernel", () => {
  const steep = Float64Array.from(dark, (level, i) => [-70_000, 70_000, -Infinity, Infinity, -1e39, level][i % 6] ?? 0);
  // So near the threshold that rounding to float32 decides.
  const near = Float64Array.from(whole, (x, i) => x - Math.fround(33.333) * (1 + ((i % 9) - 4) * 2 ** -26));
  it.each([
    ["u16", whole, undefined],
    ["u16 less a dark", whole, dark],
    ["u16 less a dark that makes it the threshold", whole, near],
    ["u16 less a dark beyond 16 bits", whole, steep],
    ["f32", real, undefined],
    ["f32 less a dark", real, dark],
  ] as const)("have the lit pixels and peaks of the plain rule: %s", async (_, pixels, level) => {
    for (const threshold of [50, 0.1, -30, 33.333, Math.fround(33.333)]) {
      const options = level === undefined ? {} : { dark: { mean: { P: ndarray(level, [rows, columns]) } } };
      const both = { lit: hits({ threshold, minPixels: 1 }), peaked: hits({ threshold, minPeaks: 1, snr: 1 }) };
      const { lit, peaked } = await reduce(shots(pixels), both, options);
      const values = Float32Array.from(pixels, (x, i) => x - (level?.[i] ?? 0));
      const expected = values.filter((x) => x >= threshold && x < Infinity).length;
      expect([...of(lit, "P").litPixels]).toEqual([expected, expected]);
      expect(of(peaked, "P").litPixels).toEqual(of(lit, "P").litPixels);
      const { x } = findPeaks(values, rows, columns, { threshold, snr: 1 });
      expect([...(of(peaked, "P").peaks ?? [])]).toEqual([x.length, x.length]);
    }
  });
});

describe("hits at a threshold of 0", () => {
  const level = Float64Array.from(uniform(length, (u) => 100 * u + 1));

  it("are counted beside a reducer that the kernel knows too, with a dark that makes that possible", async () => {
    const { found } = await reduce(
      shots(whole),
      { found: hits({ threshold: 0, minPixels: 1 }), range: minMax() },
      { dark: { mean: { P: ndarray(level, [rows, columns]) } } },
    );
    const lit = whole.filter((x, i) => Math.fround(x - (level[i] ?? NaN)) >= 0).length;
    expect([...of(found, "P").tags]).toEqual([1, 2]);
    expect([...of(found, "P").litPixels]).toEqual([lit, lit]);
  });
});

describe("reducers that the kernel knows", () => {
  const stack = createStack([11, rows, columns]);
  for (let k = 0; k < 11; k++)
    stack.data.set(
      whole.map((x, i) => (x * (k + 1) + i) % 1021),
      k * length,
    );
  const i0 = Float64Array.from({ length: 11 }, (_, k) => (k % 4 === 2 ? NaN : 5 + Math.sin(k)));
  const oneByOne = async function* () {
    for (const [k, signal] of i0.entries()) {
      const pixels = stack.data.subarray(k * length, (k + 1) * length);
      yield shotOf(k, { P: asImage(pixels, rows, columns) }, signal);
    }
  };
  const inMemory = () => shotsFrom({ P: stack }, { signals: { i0 } });
  // As files have them, and two of them with fractions.
  const real = createStack([11, rows, columns], "float32");
  for (let i = 0; i < real.data.length; i++) {
    const fraction = [3, 9].includes(Math.floor(i / length)) ? (i % 4) / 4 : 0;
    real.data[i] = (stack.data[i] ?? NaN) + fraction;
  }
  const asFloat32 = () => shotsFrom({ P: real }, { signals: { i0 } });
  const asked = {
    along: projections(),
    rings: radialProfile(base),
    lit: hits({ threshold: 60.5, minPixels: 1 }),
    peaks: hits({ threshold: 60.5, minPeaks: 1, snr: 1 }),
    // A seventh of the pixels belongs to droplets.
    droplets: droplets({ aduPerPhoton: 400, seed: 2.4, low: 2.2 }),
    photons: photonCounts({ aduPerPhoton: 77.7 }),
    withI0: covariance({ equipId: "i0", scale: 100 }),
    perI0: normalised({ equipId: "i0", reference: 0.7 }),
    ratios: normalised({ equipId: "i0", reference: 0.7, method: "mean-of-ratios" }),
    sum: roiSum({ rows: [3, rows], columns: [5, 100] }),
    rois: roiSeries([{ rows: [0, rows], columns: [0, columns] }], { between: [-3, 200] }),
    adu: pixelHistogram({ from: -30.5, to: 300, binWidth: 7 }),
    least: minMax(),
  };
  const plain = Object.fromEntries(
    Object.entries(asked).map(([name, reducer]) => [name, { ...reducer, kernel: undefined }]),
  ) as typeof asked;
  it("take float32 images too when their numbers are whole, as those of files are", async () => {
    const never = (): never => {
      throw new Error("the plain way");
    };
    const counts = { ...photonCounts({ aduPerPhoton: 77.7 }), add: never };
    const images = createStack([9, rows, columns], "float32");
    images.data.set(stack.data.subarray(0, images.data.length));
    const spots = { peaks: { ...asked.peaks, add: never }, droplets: { ...asked.droplets, add: never } };
    const { photons } = await reduce(shotsFrom({ P: images }), { photons: counts, ...spots }, darks);
    const { same } = await reduce(shotsFrom({ P: stack }), { same: photonCounts({ aduPerPhoton: 77.7 }) }, darks);
    expect(of(photons, "P").perShot).toEqual(of(same, "P").perShot.slice(0, 9));
  });

  it("go on after as many images as a counter of 8 bits holds", async () => {
    const many = createStack([260, 64, 64]);
    for (let i = 0; i < many.data.length; i++) many.data[i] = 100 + (i % 3);
    const adu = pixelHistogram({ from: 100, to: 102, binWidth: 1 });
    const { it } = await reduce(shotsFrom({ P: many }), { it: adu });
    expect(of(it, "P").counts.data.reduce((sum, n) => sum + n, 0)).toBe(260 * 4096);
    expect(of(it, "P").counts.get(0, 0, 0)).toBe(87);
  });

  it.each([
    ["one by one, as stored", oneByOne, {}],
    ["one by one, less a dark", oneByOne, darks],
    ["in memory, as stored", inMemory, {}],
    ["in memory, less a dark", inMemory, darks],
    ["float32, as stored", asFloat32, {}],
    ["float32, less a dark", asFloat32, darks],
  ] as const)("give the same as in the plain way: %s", async (_, from, options) => {
    expect(digest(await reduce(from(), asked, options))).toEqual(digest(await reduce(from(), plain, options)));
    const classes = (of: typeof asked) => ({
      lit: byClass(of.lit, ["a", "b"], evenOrOdd),
      perI0: byClass(of.perI0, ["a", "b"], evenOrOdd),
      adu: byClass(of.adu, ["a", "b"], evenOrOdd),
    });
    expect(await reduce(oneByOne(), classes(asked), options)).toEqual(
      await reduce(oneByOne(), classes(plain), options),
    );
  });
});

describe("covariance", () => {
  // Pixels near their dark, and a few so bright that products are rounded; as many images as are added in two goes.
  const images = 37;
  const size = [70, 100] as const;
  const stack = createStack([images, ...size]);
  for (let i = 0; i < stack.data.length; i++)
    stack.data[i] = (i * 7919) % 997 === 0 ? 65_535 - (i % 13) : 90 + (i % 61);
  // A level that is not a number: no covariance is known there.
  const level = Float64Array.from({ length: 7000 }, (_, i) =>
    i === 17 ? NaN : 70_000 * Number(i === 18) + 99.7 + (i % 7),
  );
  const dark = { mean: { P: ndarray(level, [...size]) } };

  it.each([
    [5e-9, 2 ** 40],
    [1, 2 ** 8],
    [4_000_000, 2 ** 8],
  ])("has the bits of the plain way, of a signal about %d", async (about, scale) => {
    const i0 = Float64Array.from({ length: images }, (_, k) => (k % 11 === 5 ? NaN : about * (1 + 0.1 * Math.sin(k))));
    const reducer = covariance({ equipId: "i0", scale });
    const oneByOne = async function* () {
      for (const [k, signal] of i0.entries())
        yield shotOf(k, { P: asImage(stack.data.subarray(7000 * k, 7000 * (k + 1)), ...size) }, signal);
    };
    const inMemory = shotsFrom({ P: stack }, { signals: { i0 } });
    const plain = digest((await reduce(oneByOne(), { it: { ...reducer, kernel: undefined } }, { dark })).it);
    // One reducer under two names: both have their sums.
    const both = await reduce(inMemory, { it: reducer, same: reducer }, { dark });
    expect([digest(both.it), digest(both.same)]).toEqual([plain, plain]);
    expect(digest((await reduce(oneByOne(), { it: reducer }, { dark })).it)).toEqual(plain);
    expect(of(both.it, "P").covariance.get(0, 17)).toBeNaN();
    expect(of(both.it, "P").covariance.get(0, 20)).not.toBeNaN();
  });
});

const evenOrOdd = (tag: number): string | null => (tag % 3 === 0 ? null : tag % 2 === 0 ? "a" : "b");

/** The bits of every array by its path, as a digest: to compare half a million counts one by one takes seconds. */
function digest(value: unknown, path = ""): Record<string, string> {
  if (ArrayBuffer.isView(value))
    return {
      [path]: createHash("sha1")
        .update(value as NodeJS.ArrayBufferView)
        .digest("hex"),
    };
  if (typeof value !== "object" || value === null) return { [path]: String(value) };
  return Object.assign({}, ...Object.entries(value).map(([name, part]) => digest(part, `${path}/${name}`)));
}
