import { log } from "../core/portable-math.ts";
import type { Random } from "../core/random.ts";

const SIZE = 65_536;

/** Multiplier of the linear congruential generator (PCG's, O'Neill 2014) that draws from {@link noiseTable}. */
export const NOISE_STEP = 747_796_405;

/** Chance that a normal value lies beyond those of {@link noiseTable}, at 4.17 σ. */
const TAIL = 2 / SIZE;

let table: Float32Array | undefined;

/**
 * The quantiles of the normal distribution, mean 0 and rms 1, less its tails. A row of noise is drawn by
 * `state = (Math.imul(state, NOISE_STEP) + increment) | 0` and `table[state >>> 16]`, with a state and an odd increment
 * of its own: no two rows are alike, and it takes 1.4 ns a pixel, a tenth of a normal value from {@link Random}.
 */
export function noiseTable(): Float32Array {
  table ??= makeTable();
  return table;
}

/** The increment of a row. */
export function noiseIncrement(random: Random): number {
  return random.int32() | 1;
}

/** Calls `put` for the pixels whose noise lies in the tails that {@link noiseTable} leaves out, with its value. */
export function noiseTails(pixels: number, random: Random, put: (pixel: number, noise: number) => void): void {
  for (let left = random.poisson(TAIL * pixels); left > 0; left--) {
    const pixel = Math.floor(random.uniform() * pixels);
    const isNegative = random.uniform() < 0.5;
    const beyond = tailValue(random);
    put(pixel, isNegative ? -beyond : beyond);
  }
}

/** A normal value beyond the end of the table (Marsaglia 1964). */
function tailValue(random: Random): number {
  const start = -quantile(1 / SIZE);
  for (;;) {
    const x = Math.sqrt(start * start - 2 * log(1 - random.uniform()));
    if (random.uniform() * x < start) return x;
  }
}

function makeTable(): Float32Array {
  const core = 1 - TAIL;
  return Float32Array.from({ length: SIZE }, (_, i) => quantile(TAIL / 2 + (core * (i + 0.5)) / SIZE));
}

/** The normal value below which a share lies (Acklam), error < 1.2e-9 relative. */
function quantile(p: number): number {
  if (p > 0.5) return -quantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * log(p));
    return (
      (((((-7.784894002430293e-3 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q +
        4.374664141464968) *
        q +
        2.938163982698783) /
      ((((7.784695709041462e-3 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
    );
  }
  const q = p - 0.5;
  const r = q * q;
  return (
    ((((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r -
      30.66479806614716) *
      r +
      2.506628277459239) *
      q) /
    (((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r -
      13.28068155288572) *
      r +
      1)
  );
}
