import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { Arena, instantiateKernel } from "../../../src/core/wasm.ts";
import { kernelBinary } from "../../../src/reduce/corrections/kernel-binary.ts";
import type { WaveKernel } from "../../../src/reduce/corrections/zero-peak.ts";

const [waves, bins, first] = [40, 128, (2 * Math.PI) / 512];

type Complex = readonly [real: number, imaginary: number];
const times = ([a, b]: Complex, [x, y]: Complex): Complex => [a * x - b * y, a * y + b * x];
const plus = (...terms: readonly Complex[]): Complex => [
  terms.reduce((sum, [x]) => sum + x, 0),
  terms.reduce((sum, [, y]) => sum + y, 0),
];
const powerOfE = ([x, y]: Complex): Complex => [Math.exp(x) * Math.cos(y), Math.exp(x) * Math.sin(y)];

interface Peak {
  readonly exponent: readonly Complex[];
  readonly byCloud: readonly Complex[];
  readonly weights: readonly number[];
  readonly photons: number;
  readonly step: number;
  readonly extra: number;
  readonly noise: number;
  readonly photon: number;
  readonly place: number;
}

/** Waves of the peak and of its derivatives by noise, cloud and level. */
function plainWaves({ exponent, byCloud, weights, photons, step, extra, noise, photon, place }: Peak): Complex[][] {
  return exponent.map((known, k) => {
    const f = first * k;
    const slope = byCloud[k] ?? [NaN, NaN];
    const one = plus(known, times([extra, 0], slope));
    // Σ weight · e^(light · exponent), and the same times the light.
    const [sums, lights] = [[] as Complex[], [] as Complex[]];
    for (const [n, weight] of weights.entries()) {
      const light = photons + n * step;
      const term = times([weight, 0], powerOfE([light * one[0], light * one[1]]));
      sums.push(term);
      lights.push(times([light, 0], term));
    }
    const common = times([k === 0 ? 0.5 : 1, 0], powerOfE([-((noise * f) ** 2) / 2, -f * place]));
    const peak = times(common, plus(...sums));
    return [
      peak,
      times([-noise * f * f, 0], peak),
      times(times(common, plus(...lights)), slope),
      times(peak, [-one[0] / photon, -f - one[1] / photon]),
    ];
  });
}

function somePeak(seed: number, values: number): Peak {
  const random = new Random(seed);
  const of = (scale: number): Complex[] =>
    Array.from({ length: waves }, (_, k) => [
      -scale * (k / waves) * (1 + 0.1 * random.uniform()),
      -scale * (k / waves) * random.uniform(),
    ]);
  const weights = Array.from({ length: values }, () => random.uniform());
  const total = weights.reduce((sum, x) => sum + x, 0);
  return {
    exponent: of(0.8),
    byCloud: of(3),
    weights: weights.map((x) => x / total),
    photons: 3 * random.uniform() - 0.2,
    step: 0.15,
    extra: 0.02 * random.normal(),
    noise: 11 + random.normal(),
    photon: 138,
    place: 30 * random.normal(),
  };
}

function inKernel(peak: Peak, [low, high]: readonly [number, number], counts: readonly number[]) {
  const sizes = [4 * waves, 20, bins, 8 * waves, 4 * bins, 9, waves * bins, waves * bins];
  const arena = new Arena(Arena.bytesFor(sizes.map((size) => 8 * size)));
  const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as WaveKernel;
  const take = (size = 0): Float64Array => arena.float64(size);
  const [exponents, weights, histogram, parts] = [take(sizes[0]), take(sizes[1]), take(sizes[2]), take(sizes[3])];
  const [sums, scores, cosines, sines] = [take(sizes[4]), take(sizes[5]), take(sizes[6]), take(sizes[7])];
  for (const [row, of] of [peak.exponent, peak.byCloud].entries()) {
    exponents.set(
      of.map(([real]) => real),
      2 * row * waves,
    );
    exponents.set(
      of.map(([, imaginary]) => imaginary),
      (2 * row + 1) * waves,
    );
  }
  weights.set(peak.weights);
  histogram.set(counts);
  for (let k = 0; k < waves; k++)
    for (let j = 0; j < bins; j++) {
      cosines[k * bins + j] = Math.cos((j + 0.5 - bins / 2) * first * k);
      sines[k * bins + j] = Math.sin((j + 0.5 - bins / 2) * first * k);
    }
  const { photons, step, extra, noise, photon, place } = peak;
  kernel.peakWaves(
    waves,
    first,
    exponents.byteOffset,
    weights.byteOffset,
    peak.weights.length,
    photons,
    step,
    extra,
    noise,
    photon,
    place,
    parts.byteOffset,
  );
  const found = parts.slice();
  const [table, turns] = [cosines.byteOffset, sines.byteOffset];
  kernel.sumWaves(low, high, parts.byteOffset, waves, bins, table, turns, sums.byteOffset);
  kernel.peakScores(low, high, bins, sums.byteOffset, histogram.byteOffset, scores.byteOffset);
  return { parts: found, scores };
}

/** Slopes of the likelihood by noise, cloud and level, and its curvature; the height of the peak is free. */
function plainScores(peak: Peak, [low, high]: readonly [number, number], counts: readonly number[]): number[] {
  const each = plainWaves(peak);
  const inBins = [0, 1, 2, 3].map((which) =>
    Array.from({ length: high - low }, (_, j) => {
      const at = low + j + 0.5 - bins / 2;
      return each.reduce((sum, wave, k) => {
        const [x = NaN, y = NaN] = wave[which] ?? [];
        return sum + x * Math.cos(at * first * k) - y * Math.sin(at * first * k);
      }, 0);
    }),
  );
  const add = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0);
  const m = (inBins[0] ?? []).map((x) => Math.max(x, 1e-9));
  const counted = counts.slice(low, high);
  const scale = add(counted) / add(m);
  const along = inBins.slice(1).map((slope) => slope.map((x, j) => x - (add(slope) / add(m)) * (m[j] ?? NaN)));
  const [n = [], c = [], l = []] = along;
  const slopes = along.map((slope) => add(slope.map((x, j) => (x * (counted[j] ?? NaN)) / (m[j] ?? NaN))));
  const pairs = [
    [n, n],
    [n, c],
    [c, c],
    [n, l],
    [c, l],
    [l, l],
  ] as const;
  return [...slopes, ...pairs.map(([a, b]) => add(a.map((x, j) => (x * (b[j] ?? NaN) * scale) / (m[j] ?? NaN))))];
}

describe("the zero peak in the kernel", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 7],
    [4, 20],
    [5, 20],
  ])("is the plain sum of waves, and so are its scores: seed %i, %i values of light", (seed, values) => {
    const peak = somePeak(seed, values);
    const random = new Random(100 + seed);
    const window = [19 + seed, 76 - (seed % 2)] as const;
    const counts = Array.from({ length: bins }, (_, j) => Math.floor(900 * random.uniform() + 20 * j));
    const { parts, scores } = inKernel(peak, window, counts);
    for (const [k, expected] of plainWaves(peak).entries()) {
      for (const [which, [real, imaginary]] of expected.entries()) {
        expect(parts[2 * which * waves + k]).toBeCloseTo(real, 12);
        expect(parts[(2 * which + 1) * waves + k]).toBeCloseTo(imaginary, 12);
      }
    }
    for (const [at, expected] of plainScores(peak, window, counts).entries())
      expect((scores[at] ?? NaN) / expected).toBeCloseTo(1, 8);
  });
});
