import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import { combineProfiles, radialProfile, radiusToQ, reduce } from "../../../src/reduce/index.ts";
import { frame, of, shotOf, shotsOf } from "./stack.ts";

const sensor = (id: string, posXUm: number, posYUm: number, rotationDeg = 0, rows = 6, columns = 4): DetectorInfo => ({
  id,
  xsize: columns,
  ysize: rows,
  absGain: null,
  geometry: { posXUm, posYUm, posZUm: 0, rotationDeg, pixelSizeXUm: 50, pixelSizeYUm: 50, manipulatorShiftUm: 0 },
});

/** Radius of a pixel's centre by the frame of the docs: columns (cos a, sin a), rows (sin a, −cos a). */
function radius({ geometry: g }: DetectorInfo, row: number, column: number, x0 = 0, y0 = 0): number {
  if (g === null) return NaN;
  const a = (g.rotationDeg * Math.PI) / 180;
  const [along, down] = [(column + 0.5) * g.pixelSizeXUm, (row + 0.5) * g.pixelSizeYUm];
  return Math.hypot(
    g.posXUm + along * Math.cos(a) + down * Math.sin(a) - x0,
    g.posYUm + along * Math.sin(a) - down * Math.cos(a) - y0,
  );
}

const a = sensor("A", -100, 150, 7.3);
const b = sensor("B", 130, 90, -88.2);
const spec = frame(6, 4);
const pixel = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -300, max: 65_535 }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity) },
);
const stack = fc.array(fc.array(pixel, { minLength: 48, maxLength: 48 }), { minLength: 1, maxLength: 4 });

describe("radialProfile", () => {
  it("is the mean over the finite, unmasked pixels of all sensors whose centres lie in the ring", async () => {
    const use = Uint8Array.from({ length: 24 }, (_, i) => (i % 5 === 0 ? 0 : 1));
    await fc.assert(
      fc.asyncProperty(stack, fc.constantFrom(20, 33.3, 90), fc.constantFrom(0, 40), async (images, binUm, x0) => {
        const options = {
          sensors: [a, b],
          binUm,
          centreUm: { x: x0, y: -10 },
          masks: { B: use },
          perShot: { from: 0, to: 1e9 },
        };
        const shots = (async function* () {
          for (const [tag, pixels] of images.entries()) {
            const half = (from: number): Float32Array => Float32Array.from(pixels.slice(from, from + 24));
            yield shotOf(tag, { A: asImage(half(0), 6, 4), B: asImage(half(24), 6, 4) });
          }
        })();
        const { rings } = await reduce(shots, { rings: radialProfile(options) });
        const { mean, sum, count, radial, perShot } = combineProfiles(rings);
        const bins = radial.length;
        const [sums, counts] = [
          images.map(() => Array<number>(bins).fill(0)),
          images.map(() => Array<number>(bins).fill(0)),
        ];
        for (const [s, pixels] of images.entries()) {
          pixels.forEach((value, i) => {
            const [info, k] = i < 24 ? [a, i] : [b, i - 24];
            if (!Number.isFinite(value) || (info === b && use[k] === 0)) return;
            const bin = Math.floor(radius(info, Math.floor(k / 4), k % 4, x0, -10) / binUm);
            (sums[s] ?? [])[bin] = (sums[s]?.[bin] ?? 0) + value;
            (counts[s] ?? [])[bin] = (counts[s]?.[bin] ?? 0) + 1;
          });
        }
        const over = (all: number[][]): number[] =>
          Array.from({ length: bins }, (_, bin) => all.reduce((n, row) => n + (row[bin] ?? 0), 0));
        expect([...sum]).toEqual(over(sums));
        expect([...count]).toEqual(over(counts));
        expect([...mean]).toEqual(
          over(sums).map((value, bin) => (over(counts)[bin] === 0 ? NaN : value / (over(counts)[bin] ?? NaN))),
        );
        expect(radial[1]).toBeCloseTo(1.5 * binUm, 9);
        expect(perShot?.sum.shape).toEqual([images.length, bins]);
        expect([...(perShot?.sum.data ?? [])]).toEqual(sums.flat());
        expect([...(perShot?.norm.data ?? [])]).toEqual(counts.flat());
      }),
      { numRuns: 60 },
    );
  });

  it("counts every pixel once by default, and none beyond maxUm", async () => {
    const images = [{ tag: 1, pixels: new Float32Array(24).fill(2) }];
    const { whole, cut } = await reduce(shotsOf(images, spec), {
      whole: radialProfile({ sensors: [a], binUm: 10 }),
      cut: radialProfile({ sensors: [a], binUm: 10, maxUm: 100 }),
    });
    expect(of(whole).count.reduce((x, y) => x + y, 0)).toBe(24);
    const near = Array.from({ length: 24 }, (_, i) => radius(a, Math.floor(i / 4), i % 4)).filter(
      (r) => r < 100,
    ).length;
    expect([of(cut).count.length, of(cut).count.reduce((x, y) => x + y, 0)]).toEqual([10, near]);
  });

  it("keeps only the bins asked for shot by shot", async () => {
    const images = [3, 1].map((tag) => ({ tag, pixels: new Float32Array(24).fill(tag) }));
    const { rings } = await reduce(shotsOf(images, spec), {
      rings: radialProfile({ sensors: [a], binUm: 50, perShot: { from: 60, to: 140 } }),
    });
    const { perShot } = of(rings);
    expect([...(perShot?.tags ?? [])]).toEqual([1, 3]);
    expect([...(perShot?.radial ?? [])]).toEqual([75, 125]);
    expect([...(perShot?.mean.data ?? [])]).toEqual([1, 1, 3, 3]);
  });

  it("gives NaN where nothing counts, and combines sensors of which one lacks shots", async () => {
    const dead = [{ tag: 1, pixels: new Float32Array(24).fill(NaN) }];
    const { rings } = await reduce(shotsOf(dead, spec), { rings: radialProfile({ sensors: [a], binUm: 50 }) });
    expect(of(rings).mean.every(Number.isNaN)).toBe(true);
    const some = (async function* () {
      yield shotOf(1, {
        A: asImage(new Float32Array(24).fill(1), 6, 4),
        B: asImage(new Float32Array(24).fill(3), 6, 4),
      });
      yield shotOf(2, { A: asImage(new Float32Array(24).fill(1), 6, 4) });
    })();
    const { partial } = await reduce(some, {
      partial: radialProfile({ sensors: [a, b], binUm: 1000, perShot: { from: 0, to: 1000 } }),
    });
    const { mean, perShot } = combineProfiles(partial);
    expect([mean[0], ...(perShot?.mean.data ?? [])]).toEqual([(48 + 72) / 72, 2, 1]);
  });

  it("refuses what cannot be: no sensor, parts of images, other bins, too many bins", async () => {
    const bad = (options: Parameters<typeof radialProfile>[0]): void =>
      expect(() => radialProfile(options)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    bad({ sensors: [], binUm: 10 });
    bad({ sensors: [a], binUm: 0 });
    bad({ sensors: [a], binUm: 0.001 });
    bad({ sensors: [a], binUm: 10, masks: { C: null } });
    bad({ sensors: [a], binUm: 10, perShot: { from: 900, to: 1000 } });
    expect(() => radialProfile({ sensors: [{ ...a, geometry: null }], binUm: 10 })).toThrow(
      expect.objectContaining({ code: "BAD_GEOMETRY" }),
    );
    const cut = reduce(shotsOf([{ tag: 1, pixels: [1, 2, 3, 4] }], frame(2, 2)), {
      r: radialProfile({ sensors: [a], binUm: 10 }),
    });
    await expect(cut).rejects.toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringContaining("whole image") });
    const other = reduce(shotsOf([{ tag: 1, pixels: new Float32Array(24) }], frame(6, 4, "Z")), {
      r: radialProfile({ sensors: [a], binUm: 10 }),
    });
    await expect(other).rejects.toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringContaining("one of A") });
    const profile = async (binUm: number, toUm: number) => {
      const reducer = radialProfile({ sensors: [a], binUm, perShot: { from: 0, to: toUm } });
      return of((await reduce(shotsOf([{ tag: 1, pixels: new Float32Array(24) }], spec), { r: reducer })).r);
    };
    const [first, wider, longer] = [await profile(50, 100), await profile(60, 100), await profile(50, 150)];
    for (const second of [wider, longer])
      expect(() => combineProfiles({ A: first, B: second })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => combineProfiles({})).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("radiusToQ", () => {
  it("agrees with Bragg's law: a ring of spacing d lies at q = 2π / d", () => {
    const [d, energyEv, distanceMm] = [4.1569, 10_000, 80];
    const theta = Math.asin(12_398.419843320025 / energyEv / (2 * d));
    expect(radiusToQ(1000 * distanceMm * Math.tan(2 * theta), distanceMm, energyEv)).toBeCloseTo((2 * Math.PI) / d, 12);
    expect(radiusToQ(0, distanceMm, energyEv)).toBe(0);
    expect(() => radiusToQ(1, 0, energyEv)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
