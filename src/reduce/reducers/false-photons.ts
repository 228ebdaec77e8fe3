import { normalCdf } from "../../core/special-functions.ts";

/** Steps of the densities below in one standard deviation, and how far they reach. */
const [STEPS, REACH] = [24, 12];
/** Fixed polyominoes by their number of pixels: how many there are, by the number of pixels that touch them. */
const SHAPES: readonly (readonly (readonly [touching: number, shapes: number])[])[] = [
  [[4, 1]],
  [[6, 2]],
  [
    [7, 4],
    [8, 2],
  ],
  [
    [8, 9],
    [9, 8],
    [10, 2],
  ],
];

/**
 * Photons that {@link droplets} finds in one pixel of an image without light, on average: over all droplets of 1 to 4
 * pixels of normal noise of rms 1, those with a pixel above `seed`, all above `low`, and a sum that rounds to photons.
 * Larger droplets of noise do not matter from `low` = 1.5 on.
 * @param photon - charge of a photon; all in standard deviations of the noise
 */
export function falsePhotons(seed: number, low: number, photon: number): number {
  const cells = REACH * STEPS;
  const density = (from: number, to: number): Float64Array =>
    Float64Array.from({ length: cells }, (_, k) => {
      const [left, right] = [Math.max(from, k / STEPS), Math.min(to, (k + 1) / STEPS)];
      return right > left ? normalCdf(-left) - normalCdf(-right) : 0;
    });
  const [all, dim] = [density(low, Infinity), density(low, seed)];
  let [sums, dimSums] = [all, dim];
  let expected = 0;
  for (const [index, shapes] of SHAPES.entries()) {
    const pixels = index + 1;
    let photons = 0;
    for (let k = 0; k < sums.length; k++) {
      const found = Math.floor((k + pixels / 2) / STEPS / photon + 0.5);
      if (found > 0) photons += found * ((sums[k] ?? 0) - (dimSums[k] ?? 0));
    }
    for (const [touching, count] of shapes) expected += count * photons * normalCdf(low) ** touching;
    if (pixels === SHAPES.length) break;
    [sums, dimSums] = [convolve(sums, all), convolve(dimSums, dim)];
  }
  return expected;
}

function convolve(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length);
  for (let i = 0; i < a.length; i++) {
    const factor = a[i] ?? 0;
    if (factor > 0) for (let k = 0; k < b.length; k++) out[i + k] = (out[i + k] ?? 0) + factor * (b[k] ?? 0);
  }
  return out;
}
