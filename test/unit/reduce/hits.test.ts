import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import { combineHits, findPeaks, hits, hitTags, reduce } from "../../../src/reduce/index.ts";
import { rounds } from "../../support/full.ts";
import { frame, of, shotOf, shotsOf, type TestImage } from "./stack.ts";

const rows = 40;
const columns = 30;
const spec = frame(rows, columns);

/** Noise of 10 ADU rms with spots of one bright pixel and a faint cross around it. */
function noisy(tag: number, spots: readonly (readonly [row: number, column: number, adu: number])[]): TestImage {
  const random = new Random(tag);
  const pixels = Float32Array.from({ length: rows * columns }, () => 10 * random.normal());
  for (const [r, c, adu] of spots) {
    pixels[r * columns + c] = adu;
    for (const k of [r * columns + c - 1, r * columns + c + 1, (r - 1) * columns + c, (r + 1) * columns + c])
      pixels[k] = adu / 4;
  }
  return { tag, pixels };
}

describe("hits", () => {
  const images = [
    noisy(2, [
      [10, 10, 400],
      [20, 20, 300],
      [30, 5, 1000],
    ]),
    noisy(4, []),
    noisy(6, [[10, 10, 400]]),
    { tag: 8, pixels: new Float32Array(rows * columns).fill(65_535) },
    { tag: 10, pixels: new Float32Array(rows * columns).fill(NaN) },
  ];

  it("counts lit pixels and peaks, and flags a hit by the conditions given", async () => {
    const { lit, peaked, both } = await reduce(shotsOf(images, spec), {
      lit: hits({ threshold: 60, minPixels: 5 }),
      peaked: hits({ threshold: 60, minPeaks: 1 }),
      both: hits({ threshold: 60, minPixels: 10, minPeaks: 3, snr: 8 }),
    });
    expect([...of(lit).litPixels]).toEqual(
      images.map(({ pixels }) => Array.from(pixels).filter((x) => x >= 60).length),
    );
    expect([of(lit).peaks, [...hitTags(of(lit))]]).toEqual([null, [2, 6, 8]]);
    // A saturated image is lit all over but has no peak.
    expect([...(of(peaked).peaks ?? [])]).toEqual([3, 0, 1, 0, 0]);
    expect([...hitTags(of(peaked))]).toEqual([2, 6]);
    expect([...of(both).isHit]).toEqual([1, 0, 0, 0, 0]);
  });

  it("finds peaks as the definition says", async () => {
    const pixel = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 30 }) },
      { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, 200, 5000) },
    );
    const small = frame(9, 8);
    await fc.assert(
      fc.asyncProperty(
        fc.array(pixel, { minLength: 72, maxLength: 72 }),
        fc.integer({ min: 0, max: 6 }),
        async (pixels, snr) => {
          const { found } = await reduce(shotsOf([{ tag: 1, pixels }], small), {
            found: hits({ threshold: 20, minPeaks: 1, snr }),
          });
          const at = (r: number, c: number): number => pixels[r * 8 + c] ?? NaN;
          let peaks = 0;
          for (let r = 2; r < 7; r++) {
            for (let c = 2; c < 6; c++) {
              const value = at(r, c);
              if (!(value >= 20) || value === Infinity) continue;
              const [ring, beaten] = [[] as number[], [] as boolean[]];
              for (let dr = -2; dr <= 2; dr++) {
                for (let dc = -2; dc <= 2; dc++) {
                  const other = at(r + dr, c + dc);
                  const earlier = dr < 0 || (dr === 0 && dc < 0);
                  if (Math.max(Math.abs(dr), Math.abs(dc)) === 2) ring.push(other);
                  else beaten.push(other > value || (other === value && earlier));
                }
              }
              const finite = ring.filter(Number.isFinite);
              const mean = finite.reduce((a, b) => a + b, 0) / finite.length;
              const deviation = Math.sqrt(finite.reduce((a, b) => a + (b - mean) ** 2, 0) / finite.length);
              // Where rounding could decide, either answer is right.
              fc.pre(Math.abs(value - mean - snr * deviation) > 1e-6 || deviation === 0);
              if (!beaten.includes(true) && finite.length >= 8 && value > mean && value - mean >= snr * deviation)
                peaks++;
            }
          }
          expect(of(found).peaks?.[0]).toBe(peaks);
          const { x, y, intensity } = findPeaks(Float32Array.from(pixels), 9, 8, { threshold: 20, snr });
          expect([x.length, y.length, intensity.length]).toEqual([peaks, peaks, peaks]);
          for (const [i, column] of x.entries()) {
            // Within the 3 × 3 pixels.
            expect(pixels[Math.round(y[i] ?? NaN) * 8 + Math.round(column)]).toBeDefined();
            expect(column > 0.9 && column < 6.1 && (y[i] ?? 0) > 0.9 && (y[i] ?? 9) < 7.1).toBe(true);
          }
        },
      ),
      { numRuns: rounds(150) },
    );
  });

  it("judges no peak by fewer than eight finite pixels around it", async () => {
    const around = (finite: number): Float32Array => {
      const pixels = new Float32Array(25).fill(NaN);
      pixels.set([0, 1, 0, 1, 0], 0);
      pixels.set([1, 0, 1, 0, 1].slice(0, finite - 5), 20);
      pixels[12] = 1000;
      return pixels;
    };
    const images = [7, 8].map((finite) => ({ tag: finite, pixels: around(finite) }));
    const { found } = await reduce(shotsOf(images, frame(5, 5)), { found: hits({ threshold: 50, minPeaks: 1 }) });
    expect([...hitTags(of(found))]).toEqual([8]);
  });

  it("adds up the sensors of a detector before asking the conditions", async () => {
    const one = [
      { tag: 1, A: 3, B: 3 },
      { tag: 2, A: 4, B: 0 },
      { tag: 3, A: 6, B: null },
    ];
    const lit = (n: number): ReturnType<typeof asImage<Float32Array>> =>
      asImage(new Float32Array(64).fill(100, 0, n), 8, 8);
    const shots = (async function* () {
      for (const { tag, A, B } of one) yield shotOf(tag, B === null ? { A: lit(A) } : { A: lit(A), B: lit(B) });
    })();
    const { found } = await reduce(shots, { found: hits({ threshold: 50, minPixels: 5 }) });
    expect([[...hitTags(of(found, "A"))], [...hitTags(of(found, "B"))]]).toEqual([[3], []]);
    const all = combineHits(found);
    expect([[...all.tags], [...all.litPixels], [...hitTags(all)]]).toEqual([
      [1, 2, 3],
      [6, 4, 6],
      [1, 3],
    ]);
    expect(() => combineHits({})).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("needs a condition", () => {
    expect(() => hits({ threshold: 50 })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => hits({ threshold: NaN, minPixels: 1 })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => hits({ threshold: 1, minPeaks: 0.5 })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
