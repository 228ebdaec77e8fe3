import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import { makeState } from "../../../src/reduce/engine/state.ts";
import {
  type AccumulateOptions,
  accumulate,
  byClass,
  covariance,
  darkMaps,
  droplets,
  emissionMaps,
  histogram,
  hits,
  mean,
  memoryOf,
  minMax,
  normalised,
  PartialResult,
  photonCounts,
  pixelHistogram,
  projections,
  type Reducer,
  radialProfile,
  resultsOf,
  roiSeries,
  roiSum,
  speckleContrast,
  speckleDelays,
  variance,
} from "../../../src/reduce/index.ts";
import { decodeMessage, encodeMessage } from "../../../src/transport/codec.ts";
import { rounds } from "../../support/full.ts";
import { floatPixel } from "../../support/pixel-values.ts";
import { frame, shotOf, shotsOf, type TestImage } from "../../unit/reduce/stack.ts";

const detId = "MPCCD-1N0-M06-002";
const small = frame(6, 8, detId);
const [rows, columns] = [256, 128];
const sensor = frame(rows, columns, detId);
const pixels = rows * columns;

const infoOf = ({ rows, columns }: typeof small): DetectorInfo => ({
  id: detId,
  xsize: columns,
  ysize: rows,
  absGain: 17.8,
  geometry: {
    posXUm: -120,
    posYUm: 140,
    posZUm: 0,
    rotationDeg: 3,
    pixelSizeXUm: 50,
    pixelSizeYUm: 50,
    manipulatorShiftUm: 0,
  },
});

/** All but the first row. */
const maskOf = ({ rows, columns }: typeof small) => new Uint8Array(rows * columns).fill(1, columns);

const classes = ["a", "b"];
const classOf = (tag: number): string | null => [null, "a", "b"][tag % 3] ?? null;
const delays = { aduPerPhoton: 154, noiseAdu: 11, equipId: "bm1/charge", edges: [-1, 0, 1] };
const roi = { rows: [1, 4], columns: [2, 7] } as const;

const photonsWasm = 8 * 8192;
const dropletsWasm = 37 * pixels + 64 + 1024;
const imageWasm = 4 * pixels + 2 * 8192;
const ringsWasm = 2 * pixels + 4 * 8 * 1001 + 8 * 8192 + 32;

/**
 * Every reducer of the module, and its bytes for `sensor` without those that grow with the shots;
 * `wasm`: those of them in WebAssembly memory, which Node.js does not count among array buffers.
 */
const every: Record<string, { make: (of: typeof small) => Reducer<unknown>; bytes: number; wasm?: number }> = {
  mean: { make: () => mean(), bytes: 8 * pixels + 8 },
  variance: { make: () => variance(), bytes: 24 * pixels + 8 },
  minMax: { make: () => minMax(), bytes: 16 * pixels },
  histogram: { make: () => histogram(), bytes: 8 * 604 },
  roiSum: { make: () => roiSum(roi), bytes: 0 },
  roiSeries: { make: () => roiSeries([roi, { rows: [0, 6], columns: [0, 8] }]), bytes: 48 },
  projections: { make: () => projections(), bytes: 24 * (rows + columns) + 8 + 16 * columns },
  radialProfile: {
    make: (of) =>
      radialProfile({
        sensors: [infoOf(of)],
        binUm: 45,
        maxUm: 45_000,
        masks: [maskOf(of)],
        perShot: { from: 40, to: 200 },
      }),
    // Sums; bin of each pixel, mask, pixels in each bin and edges; kept bins of the shot in hand, its sums, pixels and
    // their dark; in the kernel bins of the pixels, tables of sums and a slice of the image.
    bytes: 24 * 1000 + 3 * pixels + 8 * 1000 + 8 * 1001 + 8 * 2 * 5 + 4 * 8 * 1000 + ringsWasm,
    wasm: ringsWasm,
  },
  hits: { make: () => hits({ threshold: 50, minPixels: 3, minPeaks: 1, snr: 1 }), bytes: imageWasm, wasm: imageWasm },
  darkMaps: { make: () => darkMaps(), bytes: 24 * pixels + 8 },
  photonCounts: {
    make: () => photonCounts({ aduPerPhoton: 154 }),
    bytes: 4 * pixels + photonsWasm,
    wasm: photonsWasm,
  },
  droplets: {
    make: () => droplets({ aduPerPhoton: { [detId]: 154 } }),
    bytes: 4 * pixels + 8 * 252 + 16 + dropletsWasm,
    wasm: dropletsWasm,
  },
  emissionMaps: {
    make: () => emissionMaps({ aduPerPhoton: 154, noiseAdu: 11, calibration: [{ energyEv: 7050, tags: [1, 2] }] }),
    bytes: 2 * (4 * pixels + 8 * 252 + 16) + 24 + dropletsWasm,
    wasm: dropletsWasm,
  },
  speckleContrast: { make: () => speckleContrast({ aduPerPhoton: 154, noiseAdu: 11 }), bytes: 8 * pixels },
  speckleDelays: { make: () => speckleDelays(delays), bytes: 8 * pixels },
  covariance: { make: () => covariance({ equipId: "bm1/charge" }), bytes: 96 * pixels + 112 },
  normalised: { make: () => normalised({ equipId: "bm1/charge", reference: 5e-9 }), bytes: 40 * pixels + 80 + 176 },
  pixelHistogram: { make: () => pixelHistogram({ from: -100, to: 400, binWidth: 50, roi }), bytes: 4 * 15 * 11 + 24 },
  byClass: { make: () => byClass(mean(), classes, classOf), bytes: 2 * (8 * pixels + 8) + 24 },
};
const nested: Record<string, { make: (of: typeof small) => Reducer<unknown> }> = {
  "byClass of hits": { make: () => byClass(hits({ threshold: 50, minPeaks: 1 }), classes, classOf) },
  "byClass of covariance": { make: () => byClass(covariance({ equipId: "bm1/charge" }), classes, classOf) },
  "byClass of byClass": {
    make: () =>
      byClass(
        byClass(droplets({ aduPerPhoton: 154 }), ["a"], () => "a"),
        classes,
        classOf,
      ),
  },
};
const all = { ...every, ...nested };

const turned = { ...infoOf(small), geometry: { ...(infoOf(small).geometry ?? fail()), rotationDeg: 4 } };
const rings = {
  sensors: [infoOf(small)],
  binUm: 45,
  maxUm: 45_000,
  masks: [maskOf(small)],
  perShot: { from: 40, to: 200 },
};
const found = { threshold: 50, minPixels: 3, minPeaks: 1, snr: 1 };
/** The same reducers with other options, one of them at a time. */
const others: Record<string, readonly (() => Reducer<unknown>)[]> = {
  variance: [() => variance({ ddof: 1 })],
  histogram: [
    () => histogram({ from: -99, to: 501 }),
    () => histogram({ to: 499 }),
    () => histogram({ from: -200, to: 1000, binWidth: 2 }),
  ],
  roiSum: [() => roiSum({ rows: [1, 4], columns: [2, 6] })],
  roiSeries: [() => roiSeries([roi]), () => roiSeries([roi, { rows: [0, 6], columns: [0, 7] }])],
  radialProfile: [
    () => radialProfile({ ...rings, binUm: 46 }),
    () => radialProfile({ ...rings, maxUm: 40_000 }),
    () => radialProfile({ ...rings, centreUm: { x: 1, y: 0 } }),
    () => radialProfile({ ...rings, perShot: { from: 40, to: 100 } }),
    () => radialProfile({ ...rings, masks: {} }),
    () => radialProfile({ ...rings, masks: [maskOf(small).fill(0, 8, 16)] }),
    () => radialProfile({ ...rings, sensors: [turned] }),
  ],
  hits: (["threshold", "minPixels", "minPeaks", "snr"] as const).map((key) => () => hits({ ...found, [key]: 7 })),
  darkMaps: [() => darkMaps({ hotSigma: 9 }), () => darkMaps({ noisySigma: 9 }), () => darkMaps({ deadNoise: 0.1 })],
  photonCounts: [() => photonCounts({ aduPerPhoton: 155 }), () => photonCounts({ aduPerPhoton: 154, threshold: 0.8 })],
  droplets: [
    () => droplets({ aduPerPhoton: 154 }),
    ...(["seed", "low"] as const).map((key) => () => droplets({ aduPerPhoton: { [detId]: 154 }, [key]: 0.2 })),
    () => droplets({ aduPerPhoton: { [detId]: 154 }, noiseAdu: 11 }),
  ],
  emissionMaps: [
    () => emissionMaps({ aduPerPhoton: 154, noiseAdu: 11 }),
    () => emissionMaps({ aduPerPhoton: 154, noiseAdu: 11, calibration: [{ energyEv: 7051, tags: [1, 2] }] }),
    () => emissionMaps({ aduPerPhoton: 155, noiseAdu: 11, calibration: [{ energyEv: 7050, tags: [1, 2] }] }),
  ],
  speckleContrast: [
    () => speckleContrast({ aduPerPhoton: 155, noiseAdu: 11 }),
    () => speckleContrast({ aduPerPhoton: 154, noiseAdu: 12 }),
    () => speckleContrast({ aduPerPhoton: 154, noiseAdu: 11, illumination: { [detId]: asImage(level, 6, 8) } }),
  ],
  speckleDelays: [
    () => speckleDelays({ ...delays, equipId: "bm2/charge" }),
    () => speckleDelays({ ...delays, edges: [-1, 0, 2] }),
    () => speckleDelays({ ...delays, noiseAdu: 12 }),
    () => speckleDelays({ ...delays, branchShare: 0.4 }),
    () => speckleDelays({ ...delays, oneBranch: { contrast: 0.3, contrastError: 0.01 } }),
  ],
  normalised: [
    () => normalised({ equipId: "bm2/charge", reference: 5e-9 }),
    () => normalised({ equipId: "bm1/charge", reference: 4e-9 }),
    () => normalised({ equipId: "bm1/charge", reference: 5e-9, method: "mean-of-ratios" }),
  ],
  covariance: [
    () => covariance({ equipId: "bm2/charge" }),
    () => covariance({ equipId: "bm1/charge", scale: 2 ** 30 }),
  ],
  pixelHistogram: [
    () => pixelHistogram({ from: -101, to: 399, binWidth: 50, roi }),
    () => pixelHistogram({ from: -100, to: 400, binWidth: 50, roi: { rows: [2, 5], columns: [2, 7] } }),
  ],
  byClass: [() => byClass(mean(), ["a", "c"], classOf), () => byClass(minMax(), classes, classOf)],
};

function fail(): never {
  throw new Error("no geometry");
}

setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

/** Bytes of all typed arrays that somebody still holds. */
function arrayBytes(): number {
  if (typeof collectGarbage !== "function") throw new Error("no gc");
  collectGarbage();
  // Array buffers are given back beside the program; the next collection, however small, waits for that.
  collectGarbage({ type: "minor" });
  return process.memoryUsage().arrayBuffers;
}

const anyPixel = fc.oneof(
  { weight: 6, arbitrary: floatPixel({ noNaN: true, min: -200, max: 900 }) },
  { weight: 3, arbitrary: floatPixel({ noNaN: true, min: -70000, max: 70000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 65535 }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, 65535, Infinity, -Infinity, -0) },
);
const anySignal = fc.oneof(fc.double({ noNaN: true, min: -1e-8, max: 1e-8 }), fc.constantFrom(NaN, 0, 5e-9));
const anyStack = fc
  .array(fc.record({ pixels: fc.array(anyPixel, { minLength: 48, maxLength: 48 }), signal: anySignal }), {
    minLength: 1,
    maxLength: 10,
  })
  .map((images) => images.map((image, k): TestImage => ({ ...image, tag: 1000 + 2 * k })));

const level = Float64Array.from({ length: 48 }, (_, i) => 100 + i / 3);
const dark = { mean: { [detId]: asImage(level, 6, 8) } };

const runOver = async (
  images: readonly TestImage[],
  make: (of: typeof small) => Reducer<unknown>,
  options: AccumulateOptions = {},
  into?: PartialResult<{ it: Reducer<unknown> }>,
) => await accumulate(shotsOf(images, small), { it: make(small) }, options, into);

describe("every reducer", () => {
  it("is in this table", () => {
    const src = resolve(import.meta.dirname, "../../../src/reduce");
    const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
    const made = files.flatMap((file) =>
      [...readFileSync(join(src, file), "utf8").matchAll(/^export function (\w+)(?:(?!^}).)*?\): Reducer</gms)].map(
        (m) => m[1],
      ),
    );
    expect(made.filter((name) => name !== "defineReducer").sort()).toEqual(Object.keys(every).sort());
  });

  it.each(Object.entries(all))(
    "%s: parts in any split and order merge to the bits of the whole",
    async (_, { make }) => {
      const anyPart = fc.array(fc.nat(3), { minLength: 10, maxLength: 10 });
      await fc.assert(
        fc.asyncProperty(
          anyStack,
          anyPart,
          fc.nat(3),
          fc.constantFrom({}, { dark }),
          async (images, part, first, options) => {
            const whole = resultsOf(await runOver(images, make, options));
            const pieces = [0, 1, 2, 3].map((k) => images.filter((_image, i) => part[i] === k));
            const parts = await Promise.all(pieces.map((piece) => runOver(piece, make, options)));
            const merged = [0, 1, 2, 3].reduce(
              (total, k) => total.merge(parts[(first + k) % 4] ?? total),
              new PartialResult({ it: make(small) }),
            );
            expect(resultsOf(merged).it).toEqual(whole.it);
          },
        ),
        { numRuns: rounds(40, 4) },
      );
    },
  );

  it.each(Object.entries(all))(
    "%s: goes on from a checkpoint that travelled, to the same bits",
    async (_, { make }) => {
      await fc.assert(
        fc.asyncProperty(anyStack, fc.nat(10), async (images, cut) => {
          const whole = resultsOf(await runOver(images, make));
          const half = (await runOver(images.slice(0, cut), make)).checkpoint();
          const arrived = decodeMessage(encodeMessage({ kind: "result", id: 0, value: half }), { copy: true });
          if (arrived.kind !== "result") throw new Error("no result");
          const resumed = PartialResult.load({ it: make(small) }, arrived.value as typeof half);
          expect(resultsOf(await runOver(images.slice(cut), make, {}, resumed)).it).toEqual(whole.it);
        }),
        { numRuns: rounds(20, 2) },
      );
    },
  );

  it.each(Object.entries(all))(
    "%s: answers without a shot, and for images without a number or full of saturation",
    async (_, { make }) => {
      const reducer = make(small);
      expect(() => reducer.result(makeState(reducer.layout(small)), small)).not.toThrow();
      for (const value of [NaN, 65535, Infinity]) {
        const images = [1, 2, 3].map((tag) => ({ tag, pixels: new Float32Array(48).fill(value), signal: 1e-9 * tag }));
        expect(resultsOf(await runOver(images, make)).it).toHaveProperty([detId]);
      }
    },
  );

  it.each(Object.entries(all))("%s: does not change its state by answering", async (_, { make }) => {
    const images = Array.from({ length: 4 }, (_image, k) => ({
      tag: k,
      pixels: Float32Array.from({ length: 48 }, (_p, i) => (i * 37 * (k + 1)) % 500),
      signal: 1e-9 * k,
    }));
    const once = await runOver(images, make);
    const before = encodeMessage({ kind: "result", id: 0, value: once.checkpoint() }).map((part) =>
      Buffer.from(part).toString("base64"),
    );
    resultsOf(once);
    expect(
      encodeMessage({ kind: "result", id: 0, value: once.checkpoint() }).map((part) =>
        Buffer.from(part).toString("base64"),
      ),
    ).toEqual(before);
  });

  it.each(Object.entries(all))("%s: has the same bits where it may write over its state", async (_, { make }) => {
    const images = [1, 2, 3, 4].map((tag) => ({
      tag,
      pixels: Float32Array.from({ length: 48 }, (_p, i) => (i * 37 * (tag + 1)) % 500),
      signal: 1e-9 * tag,
    }));
    const it = make(small);
    const { sensors } = await accumulate(shotsOf(images, small), { it }, { dark });
    for (const { frame, states, dark: level } of sensors) {
      const state = states.get("it") ?? {};
      const answer = it.result(state, frame, level);
      expect(it.result(state, frame, level, true)).toEqual(answer);
    }
    expect(sensors.length).toBe(1);
  });

  it.each(Object.entries(every))("%s: says its memory before it starts", async (_, { make, bytes, wasm = 0 }) => {
    const image = asImage(new Float32Array(pixels), rows, columns);
    const shots = async function* () {
      yield shotOf(1001, { [detId]: image }, 1e-9);
    };
    const measure = async (): Promise<number> => {
      const before = arrayBytes();
      const it = make(sensor);
      expect(memoryOf([sensor], { it })).toBe(bytes);
      // Without the kernel, whose memory is counted with that of the reading.
      const held = await accumulate(shots(), { it: { ...it, kernel: undefined, dispatch: undefined } });
      const off = arrayBytes() - before - (bytes - wasm);
      expect([held.ledger.used, image.size]).toEqual([1, pixels]);
      return off;
    };
    // Again twice at the most: what an earlier test left may be given back in between.
    let off = await measure();
    for (let round = 0; round < 2 && Math.abs(off) > 4096; round++) off = await measure();
    // Arrays of up to 64 bytes lie elsewhere, and the test runner has some of its own; what a reducer could leave out
    // is at least a byte for each of the pixels, or a table.
    expect(Math.abs(off)).toBeLessThanOrEqual(4096);
  });

  it.each(Object.entries(others).flatMap(([name, makes]) => makes.map((make, k) => [name, k, make] as const)))(
    "%s: has its options in its name, so that unlike parts are refused (%i)",
    (name, _k, make) => {
      const [mine, theirs] = [every[name]?.make(small), make()];
      if (mine === undefined) throw new Error(name);
      const refusal = expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(theirs.name) });
      expect(() => new PartialResult({ it: mine }).merge(new PartialResult({ it: theirs }))).toThrow(refusal);
      expect(() => PartialResult.load({ it: mine }, new PartialResult({ it: theirs }).checkpoint())).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT" }),
      );
    },
  );

  it("with options has another name for each of them", () => {
    expect(Object.keys(others).sort()).toEqual(
      Object.keys(every)
        .filter((name) => !["mean", "minMax", "projections"].includes(name))
        .sort(),
    );
  });
});
