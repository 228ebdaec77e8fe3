import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { asImage, type PixelType } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import type { Shot } from "../../../src/core/shots.ts";
import type { SyncValue } from "../../../src/core/syncdb.ts";
import { quantize } from "../../../src/reduce/engine/exact.ts";
import {
  accumulate,
  type Correction,
  commonModeLevels,
  correct,
  histogram,
  mean,
  minMax,
  reduce,
  resultsOf,
  roiSeries,
  roiSum,
  variance,
} from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { rounds } from "../../support/full.ts";
import { floatPixel } from "../../support/pixel-values.ts";
import { type ScriptedShot, scriptedShots } from "../../support/scripted-shots.ts";
import { tinySource } from "../../support/tiny-source.ts";

const rows = 2;
const columns = 4;
const i0 = "bm1/charge";
const energy = "spec_1/energy";

type Scripted = Omit<ScriptedShot, "tag">;

/** Shots with tags 100, 101, … */
function shotsOf(
  script: readonly Scripted[],
  [rowsHere, columnsHere]: [number, number] = [rows, columns],
  type: PixelType = "float32",
): AsyncGenerator<Shot> {
  return scriptedShots(
    script.map((shot, i) => ({ tag: 100 + i, ...shot })),
    rowsHere,
    columnsHere,
    type,
  );
}

const eight = (x: number): number[] => Array(8).fill(x);
const info = (absGain: number | null): DetectorInfo => ({
  id: "A",
  xsize: columns,
  ysize: rows,
  absGain,
  geometry: null,
});
const image = (...values: number[]) => asImage(Float64Array.from(values), rows, columns);

async function corrected(shots: AsyncIterable<Shot>, ...corrections: Correction[]): Promise<number[]> {
  const { average } = await reduce(shots, { average: mean() }, { corrections });
  return [...(average["A"]?.data ?? [])];
}

describe("a chain of corrections", () => {
  it("gives with dark alone what the option dark gives: counts to the shot, means to float32", async () => {
    const anyPixel = fc.oneof(floatPixel({ noNaN: true, min: -1000, max: 1000 }), fc.integer({ min: 0, max: 65535 }));
    const stack = fc.array(fc.array(anyPixel, { minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        stack,
        fc.array(floatPixel({ noNaN: true, min: -500, max: 500 }), { minLength: 8, maxLength: 8 }),
        async (images, level) => {
          const dark = { mean: { A: image(...level) } };
          const script = images.map((pixels) => ({ pixels }));
          const reducers = { average: mean(), adu: histogram() };
          const short = await reduce(shotsOf(script), reducers, { dark });
          const chained = await reduce(shotsOf(script), reducers, { corrections: [correct.dark(dark)] });
          expect(chained.adu).toEqual(short.adu);
          // Half a last place of a float32 of 65536, and half a step of the grid of sums.
          chained.average["A"]?.data.forEach((x, i) => {
            expect(Math.abs(x - (short.average["A"]?.data[i] ?? NaN))).toBeLessThan(2 ** -8 + 2 ** -20);
          });
        },
      ),
      { numRuns: rounds(60) },
    );
  });

  it("is applied in the order stated, after the option dark", async () => {
    const dark = { mean: { A: image(...eight(10)) } };
    const shots = () => shotsOf([{ pixels: eight(30) }]);
    expect(await corrected(shots(), correct.dark(dark), correct.gain({ A: 2 }))).toEqual(eight(10));
    expect(await corrected(shots(), correct.gain({ A: 2 }), correct.dark(dark))).toEqual(eight(5));
    const { average } = await reduce(shots(), { average: mean() }, { dark, corrections: [correct.gain({ A: 2 })] });
    expect([...(average["A"]?.data ?? [])]).toEqual(eight(10));
  });

  it("takes unsigned 16-bit images, and leaves the reader's memory alone", async () => {
    const seen: number[] = [];
    const watched = async function* (): AsyncGenerator<Shot> {
      for await (const shot of shotsOf([{ pixels: eight(7) }], [rows, columns], "uint16")) {
        yield shot;
        seen.push(...(shot.images["A"]?.data ?? []));
      }
    };
    expect(await corrected(watched(), correct.dark({ mean: { A: image(...eight(9.5)) } }))).toEqual(eight(-2.5));
    expect(seen).toEqual(eight(7));
  });

  it("keeps pixels between two limits, and makes others 0 or missing", async () => {
    const stored = [-3, 0, 4, 5, 6, 7, NaN, Infinity];
    const shots = () => shotsOf([{ pixels: stored }]);
    expect(await corrected(shots(), correct.between(4, 6, 0))).toEqual([0, 0, 4, 5, 6, 0, NaN, 0]);
    expect(await corrected(shots(), correct.between(4, 6))).toEqual([NaN, NaN, 4, 5, 6, NaN, NaN, NaN]);
    expect(
      await corrected(shots(), correct.dark({ mean: { A: image(...eight(1)) } }), correct.between(4, 9, 0)),
    ).toEqual([0, 0, 0, 4, 5, 6, NaN, 0]);
    expect(() => correct.between(6, 4)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => correct.between(0, 1, 1 as 0)).toThrow("missing");
  });

  it("limits the pixels of ROI sums", async () => {
    const whole = { rows: [0, 2], columns: [0, 4] } as const;
    const shots = () => shotsOf([{ pixels: [1, 2, 3, 4, 5, 6, 7, 800] }]);
    const { one, many } = await reduce(shots(), {
      one: roiSum(whole, { between: [3, 7] }),
      many: roiSeries([whole], { between: [3, 7] }),
    });
    expect([...(one["A"]?.sums ?? [])]).toEqual([25]);
    expect([many["A"]?.rois[0]?.sums[0], many["A"]?.rois[0]?.counts[0], many["A"]?.rois[0]?.max[0]]).toEqual([
      25, 5, 7,
    ]);
    expect(() => roiSum(whole, { betwen: [0, 1] } as object)).toThrow("Did you mean between?");
  });

  it("refuses values too small for exact sums instead of answering 0, and says how to go on", async () => {
    const joules = [3e-7, 1e-7, 2e-7, 3e-7, 3e-7, 3e-7, 3e-7, 0];
    const shots = () => shotsOf([{ pixels: joules }, { pixels: joules }]);
    for (const reducer of [mean(), variance(), roiSeries([{ rows: [0, 1], columns: [0, 1] }])])
      await expect(reduce(shots(), { reducer })).rejects.toMatchObject({
        code: "TOO_SMALL",
        message: expect.stringContaining("correct.scale"),
      });
    const scaled = await corrected(shots(), correct.scale(1e9));
    for (const [i, value] of scaled.entries()) expect(value / 1e9).toBeCloseTo(joules[i] ?? NaN, 13);
    // Images of zeros are no such images.
    expect(await corrected(shotsOf([{ pixels: eight(0) }]), correct.scale(1))).toEqual(eight(0));
  });

  it("refuses what does not fit a sensor, naming it", async () => {
    const shots = () => shotsOf([{ pixels: eight(1) }]);
    const refused = (correction: Correction, code: string, text: string) =>
      expect(corrected(shots(), correction)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    await refused(correct.dark({ mean: { B: image(...eight(0)) } }), "NO_DARK", "B");
    await refused(correct.gain({ B: 1 }), "BAD_ARGUMENT", "relative gain for A; there is one for B");
    await refused(correct.gain({ A: 0 }), "BAD_ARGUMENT", "positive");
    await refused(correct.gain({ A: image(1, 1, 1, -1, 1, 1, 1, 1) }), "BAD_ARGUMENT", "-1");
    await refused(correct.mask({ A: asImage(new Uint8Array(8), 4, 2) }), "BAD_ARGUMENT", "[4, 2]");
    await refused(correct.photons({ detectors: [info(null)] }), "BAD_ARGUMENT", "absGain of A");
    await refused(correct.commonMode({ ports: 3 }), "BAD_ARGUMENT", "divisor of 4");
    expect(() => correct.normalise({ equipId: i0, limits: [2, 1], reference: 1 })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    expect(() => correct.normalise({ equipId: i0, limits: [1, 2], reference: 3 })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });

  it("says which signal to add to the shots, before it takes in any", async () => {
    const st = new St(inProcess(endpointOf(tinySource())));
    const shots = st.shots({ run: { bl: 3, number: 10 }, detectors: ["OPAL-234363"], signals: [] });
    const corrections = [
      correct.normalise({ equipId: "xfel_bl_3_tc_bm_1_pd/charge", limits: [1e-9, 1e-8], reference: 5e-9 }),
    ];
    await expect(reduce(shots, { average: mean() }, { corrections })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining('signals: ["xfel_bl_3_tc_bm_1_pd/charge"]'),
    });
  });
});

describe("normalise", () => {
  const volts = (value: number): SyncValue => ({ value, unit: "V" });

  it("scales to the reference, and drops shots outside the limits with the reason", async () => {
    const script: SyncValue[] = [
      volts(1),
      volts(4),
      volts(0.5),
      volts(8.001),
      volts(8),
      { reason: "not-converged" },
      { reason: "saturated" },
      { reason: "missing" },
    ];
    const shots = shotsOf(script.map((value) => ({ pixels: eight(8), signals: { [i0]: value } })));
    const corrections = [correct.normalise({ equipId: i0, limits: [1, 8], reference: 4 })];
    const { roi, ledger } = await reduce(shots, { roi: roiSum({ rows: [0, 1], columns: [0, 1] }) }, { corrections });
    expect(roi["A"]).toEqual({ tags: Uint32Array.of(100, 101, 104), sums: Float64Array.of(32, 8, 4) });
    expect(ledger).toEqual({
      asked: 8,
      used: 3,
      dropped: [
        { reason: "i0-out-of-limits", tags: [102, 103] },
        { reason: "i0-not-converged", tags: [105] },
        { reason: "i0-saturated", tags: [106] },
        { reason: "i0-missing", tags: [107] },
      ],
    });
  });

  it("adds what it drops to what the reader dropped", async () => {
    const st = new St(inProcess(endpointOf(tinySource())));
    const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
    const shots = st.shots({
      run: { bl: 3, number: 10 },
      detectors: ["MPCCD-2N0-1-006"],
      signals: [bm1],
      tags: [1002, 1004, 1006, 1008, 1010],
    });
    const corrections = [correct.normalise({ equipId: bm1, limits: [1e-9, 1e-8], reference: 7e-9 })];
    const { ledger } = await reduce(shots, { average: mean() }, { corrections });
    expect(ledger).toEqual({
      asked: 5,
      used: 0,
      dropped: [
        { reason: "frame-missing", tags: [1006] },
        { reason: "i0-out-of-limits", tags: [1002] },
        { reason: "i0-not-converged", tags: [1004] },
        { reason: "i0-saturated", tags: [1008] },
        { reason: "i0-missing", tags: [1010] },
      ],
    });
  });
});

describe("photons", () => {
  // By hand: 1000 ADU × 17.8 e⁻/ADU × 3.65 eV/e⁻ / 10 keV = 6.497 photons.
  const atEv = (ev: number): number => (1000 * 17.8 * 3.65) / ev;

  it("takes the spectrometer, then the configured energy, then 7 keV, and counts which", async () => {
    const values: SyncValue[] = [
      { value: 10, unit: "keV" },
      { value: 9500, unit: "eV" },
      { reason: "not-converged" },
      { value: -1, unit: "keV" },
      { value: 0, unit: "keV" },
    ];
    const script = values.map((value) => ({ pixels: eight(1000), signals: { [energy]: value } }));
    const seen = async (configuredEv: number | undefined) => {
      const corrections = [
        correct.photons({
          detectors: [info(17.8)],
          spectrometer: energy,
          ...(configuredEv === undefined ? {} : { configuredEv }),
        }),
      ];
      const { roi, ledger } = await reduce(
        shotsOf(script),
        { roi: roiSum({ rows: [0, 1], columns: [0, 1] }) },
        { corrections },
      );
      return { sums: [...(roi["A"]?.sums ?? [])], notes: ledger.notes };
    };
    const near = (values: number[]) => values.map((x) => expect.closeTo(x, 5));
    expect(await seen(12_000)).toEqual({
      sums: near([6.497, atEv(9500), atEv(12_000), atEv(12_000), atEv(12_000)]),
      notes: { "energy-from-spectrometer": 2, "energy-as-configured": 3 },
    });
    for (const silly of [undefined, NaN, 4999, 15_001, 1e9, -5]) {
      expect(await seen(silly)).toEqual({
        sums: near([6.497, atEv(9500), atEv(7000), atEv(7000), atEv(7000)]),
        notes: { "energy-from-spectrometer": 2, "energy-assumed-7-kev": 3 },
      });
    }
  });

  it("counts the energy of used shots only, and merges the counts of parts", async () => {
    const script = [3, 5, 9].map((charge, i) => ({
      tag: 200 + i,
      pixels: eight(1),
      signals: {
        [i0]: { value: charge, unit: "C" },
        [energy]: i === 1 ? ({ reason: "missing" } as const) : { value: 10, unit: "keV" },
      },
    }));
    const corrections = [
      correct.photons({ detectors: [info(17)], spectrometer: energy }),
      correct.normalise({ equipId: i0, limits: [1, 6], reference: 5 }),
    ];
    const part = (from: number, to: number) =>
      accumulate(shotsOf(script.slice(from, to)), { average: mean() }, { corrections });
    const { ledger } = resultsOf((await part(0, 1)).merge(await part(1, 3)));
    expect(ledger.notes).toEqual({ "energy-from-spectrometer": 1, "energy-assumed-7-kev": 1 });
    expect([ledger.asked, ledger.used]).toEqual([3, 2]);
  });
});

describe("mask", () => {
  it("makes bad pixels NaN and touches no other; counts stay right", async () => {
    const script = [{ pixels: [1, 2, 3, 4, 5, 6, 7, 8] }, { pixels: [2, 3, 4, 5, 6, 7, 8, 9] }];
    const reasons = asImage(Uint8Array.of(0, 8, 0, 0, 0, 0, 3, 0), rows, columns);
    const { average, adu } = await reduce(
      shotsOf(script),
      { average: mean(), adu: histogram() },
      { corrections: [correct.mask({ A: reasons })] },
    );
    expect([...(average["A"]?.data ?? [])]).toEqual([1.5, NaN, 3.5, 4.5, 5.5, 6.5, NaN, 8.5]);
    expect(adu["A"]?.invalid).toBe(4);
    expect(adu["A"]?.counts.reduce((a, b) => a + b, 0)).toBe(12);
  });
});

describe("gain", () => {
  it("divides by the relative gain; where it is not known there is no value", async () => {
    const relative = { A: image(1, 2, 0.5, 1, NaN, 1, 1, 4) };
    expect(await corrected(shotsOf([{ pixels: eight(8) }]), correct.gain(relative))).toEqual([
      8,
      4,
      16,
      8,
      NaN,
      8,
      8,
      2,
    ]);
    expect(await corrected(shotsOf([{ pixels: eight(8) }]), correct.gain({ A: 1.6 }))).toEqual(eight(5));
  });
});

describe("commonMode", () => {
  // As many pixels as a port of an MPCCD has in a quarter of its rows.
  const big: [number, number] = [256, 256];
  const ports = 4;

  /** Read noise of 11 ADU, photons of 150 ADU in some pixels, and what drifts in each port. */
  function noisy(offsets: readonly number[], litShare: number, seed: number): Float32Array {
    const random = new Random(seed);
    return Float32Array.from({ length: 256 * 256 }, (_, i) => {
      const lit = random.uniform() < litShare ? 150 : 0;
      return (offsets[Math.floor((i % 256) / 64)] ?? NaN) + 11 * random.normal() + lit;
    });
  }

  it("finds what each port drifts, whatever photons lie on it, and leaves masked pixels alone", async () => {
    const anyDrift = fc.array(fc.double({ min: -40, max: 40, noNaN: true }), { minLength: ports, maxLength: ports });
    await fc.assert(
      fc.asyncProperty(
        anyDrift,
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        fc.nat(),
        async (offsets, litShare, seed) => {
          const pixels = noisy(offsets, litShare, seed);
          pixels[5] = NaN;
          const { average, ledger } = await reduce(
            shotsOf([{ pixels }], big),
            { average: mean() },
            { corrections: [correct.commonMode({ ports })] },
          );
          const result = average["A"]?.data ?? new Float64Array(0);
          expect(result[5]).toBeNaN();
          expect(ledger.notes).toBeUndefined();
          // Five standard errors of the mean over the pixels without a lit neighbor, in a window (13 ADU instead of 11).
          const unlit = 64 * 256 * (1 - litShare) ** 9;
          const limit = Math.max(1.7, (5 * 13) / Math.sqrt(unlit));
          const wrong = result.findIndex((x, i) => {
            const taken = (pixels[i] ?? NaN) - x;
            return i !== 5 && !(Math.abs(taken - (offsets[Math.floor((i % 256) / 64)] ?? NaN)) < limit);
          });
          expect(wrong).toBe(-1);
        },
      ),
      { numRuns: rounds(40) },
    );
  });

  it("takes the same off images that wait for others and off single ones, for every reducer", async () => {
    const images = Array.from({ length: 6 }, (_, k) => noisy([k, -k, 2 * k, 7], 0.02, 40 + k));
    const chain = { corrections: [correct.commonMode({ ports })] };
    const shots = images.map((pixels) => ({ pixels: pixels.slice() }));
    const { average, ends } = await reduce(shotsOf(shots, big), { average: mean(), ends: minMax() }, chain);
    const nothing = (): void => {};
    const frame = { detId: "A", rows: 256, columns: 256, type: "float32" as const };
    const sums = new Float64Array(256 * 256);
    const least = new Float64Array(256 * 256).fill(Infinity);
    for (const pixels of images) {
      correct.commonMode({ ports }).begin(nothing, nothing).sensor?.(frame)(pixels, 0);
      for (const [i, x] of pixels.entries()) {
        sums[i] = (sums[i] ?? 0) + quantize(x);
        least[i] = Math.min(least[i] ?? 0, x);
      }
    }
    expect(average["A"]?.data.every((x, i) => x === (sums[i] ?? NaN) / 6)).toBe(true);
    expect(ends["A"]?.min.data.every((x, i) => x === least[i])).toBe(true);
  });

  it("does not leave an image as it is because a mask leaves hardly any pixels of one block", async () => {
    const random = new Random(11);
    const pixels = Float32Array.from({ length: 256 * 256 }, (_, i) => {
      const [row, column] = [Math.floor(i / 256), i % 256];
      const lit = column % 64 < 24 && random.uniform() < 0.4 ? 150 : 0;
      // In the first block three pixels are left, in a row of which no covariances are looked at.
      const isMasked = row < 16 && column < 16 && (row !== 3 || column > 2);
      return isMasked ? NaN : 6 + 11 * random.normal() + lit;
    });
    const { ledger } = await reduce(
      shotsOf([{ pixels }], big),
      { average: mean() },
      { corrections: [correct.commonMode({ ports })] },
    );
    expect(ledger.notes).toBeUndefined();
    for (const { meanAdu } of commonModeLevels(ledger)["A"] ?? []) expect(Math.abs(meanAdu - 6)).toBeLessThan(1.5);
  });

  it("takes the same off ports of an odd width, in the memory of the kernel and elsewhere", async () => {
    const [rowsHere, width] = [300, 15];
    const offsets = [12, -7, 3.5, 0];
    const random = new Random(7);
    const pixels = Float32Array.from({ length: rowsHere * width * ports }, (_, i) => {
      return (offsets[Math.floor(i / width) % ports] ?? 0) + 11 * random.normal();
    });
    const { average } = await reduce(
      shotsOf([{ pixels: [...pixels] }], [rowsHere, width * ports]),
      { average: mean() },
      { corrections: [correct.commonMode({ ports })] },
    );
    const elsewhere = pixels.slice();
    const nothing = (): void => {};
    const frame = { detId: "A", rows: rowsHere, columns: width * ports, type: "float32" as const };
    correct.commonMode({ ports }).begin(nothing, nothing).sensor?.(frame)(elsewhere, 0);
    expect(average["A"]?.data.every((x, i) => x === quantize(elsewhere[i] ?? NaN))).toBe(true);
    const levels = offsets.map((_, port) => (pixels[port * width] ?? NaN) - (elsewhere[port * width] ?? NaN));
    for (const [port, level] of levels.entries()) expect(Math.abs(level - (offsets[port] ?? NaN))).toBeLessThan(1.5);
    const wrong = pixels.findIndex((pixel, i) => {
      return Math.abs(pixel - (elsewhere[i] ?? NaN) - (levels[Math.floor(i / width) % ports] ?? NaN)) > 1e-4;
    });
    expect(wrong).toBe(-1);
  });

  it.each([85, 500])("leaves a port that is lit everywhere by %i ADU, and notes it", async (light) => {
    const pixels = noisy([light, 0, 0, 0], 0, 1);
    const { average, ledger } = await reduce(
      shotsOf([{ pixels }, { pixels }], big),
      { average: mean() },
      { corrections: [correct.commonMode({ ports })] },
    );
    expect(ledger.notes).toEqual({ "common-mode-not-found": 2 });
    expect(commonModeLevels(ledger)["A"]).toMatchObject([
      { meanAdu: NaN, found: 0, notFound: 2 },
      { found: 2, notFound: 0 },
      { found: 2, notFound: 0 },
      { found: 2, notFound: 0 },
    ]);
    expect(average["A"]?.data[3]).toBeCloseTo(pixels[3] ?? NaN, 5);
    expect(average["A"]?.data[80]).not.toBeCloseTo(pixels[80] ?? NaN, 5);
  });
});
