import type { DetectorInfo } from "../core/detector.ts";

/** Standard errors of the noise above which a pixel is compared with its neighbours. */
const HIGH = 15;
/** A pixel may have so many times the fourth highest value of its neighbours. */
const TIMES = 4;
const REACH = 2;

/**
 * A copy in which masked pixels are NaN, hot pixels are cut to what their neighbours allow, and cold ones to the noise;
 * so is a whole sensor of one value. Bright regions stay as they are: there the neighbours are bright, too. Pixels are
 * cut and not left out, so that of few photons none is lost.
 */
export function withoutSpikes(data: ArrayLike<number>, mask: Uint8Array | null, info: DetectorInfo): Float64Array {
  const { xsize, ysize } = info;
  const calm = new Float64Array(xsize * ysize);
  for (let i = 0; i < calm.length; i++) {
    const own = data[i] ?? NaN;
    // NaN for NaN and for both infinities.
    calm[i] = mask !== null && mask[i] === 0 ? NaN : own + (own - own);
  }
  const limits = limitsOf(calm);
  if (limits === undefined) return calm.fill(NaN);
  const { low, high } = limits;
  const before = calm.slice();
  for (let i = 0; i < calm.length; i++) {
    const own = before[i] ?? NaN;
    if (own < low) calm[i] = low;
    if (own > high) calm[i] = Math.min(own, Math.max(high, TIMES * fourthNear(before, i, xsize)));
  }
  return calm;
}

/** What lies between is taken as it is; undefined when all pixels have one value. */
function limitsOf(values: Float64Array): { readonly low: number; readonly high: number } | undefined {
  const step = Math.max(1, Math.floor(values.length / 50_000));
  const sample = values.filter((value, i) => i % step === 0 && value - value === 0).sort();
  if ((sample[0] ?? 0) === (sample.at(-1) ?? 0)) return undefined;
  // Zeros are regions that are not read out, or pixels without a photon.
  const lit = sample.filter((value) => value !== 0);
  const middle = lit[lit.length >> 1] ?? 0;
  const sizes = lit.map((value) => Math.abs(value - middle)).sort();
  const noise = 1.4826 * (sizes[sizes.length >> 1] ?? 0);
  const far = Math.max(HIGH * noise, 2 * Math.abs(middle));
  const above = sample.filter((value) => value > middle + 5 * noise);
  // More of them than pixels are hot: single photons above the noise.
  const photon = above.length > 0.02 * sample.length ? (above[above.length >> 2] ?? 0) : 0;
  return { low: middle - far, high: Math.max(middle + far, 3 * photon) };
}

/** The fourth highest of the 24 pixels about one; the lowest of them at a corner of few. */
function fourthNear(values: Float64Array, at: number, width: number): number {
  const near: number[] = [];
  const column = at % width;
  const [first, last] = [Math.max(0, column - REACH) - column, Math.min(width - 1, column + REACH) - column];
  for (let row = -REACH; row <= REACH; row++)
    for (let k = first; k <= last; k++) {
      const value = values[at + row * width + k] ?? NaN;
      if (!Number.isNaN(value) && (row !== 0 || k !== 0)) near.push(value);
    }
  return near.sort((a, b) => b - a)[Math.min(3, near.length - 1)] ?? 0;
}
