import type { RingPixels } from "./ring-pixels.ts";

/** Bins on each side that the level of a radial bin is compared with. */
const NEIGHBOURS = 5;

/**
 * A rough centre of rings and their distance, before anything is fitted: the centre at which the radial profile is
 * sharpest, coarse to fine, then the distance at which the rings of the calibrant lie on its peaks.
 * @param blocks - means over blocks of about this size
 * @param angles - 2θ of the rings, radians
 * @returns centre to some 100 µm, distance to some 0.2 %
 */
export function searchRings(
  blocks: (sizeUm: number) => RingPixels,
  angles: readonly number[],
  begin: { readonly x: number; readonly y: number; readonly distanceUm: number },
): { readonly x: number; readonly y: number; readonly distanceUm: number } {
  const [coarse, fine] = [blocks(400), blocks(200)];
  let centre = { x: begin.x, y: begin.y };
  for (const [step, reach, pixels] of [
    [1000, 4, coarse],
    [400, 3, coarse],
    [150, 3, fine],
    [75, 2, fine],
  ] as const) {
    const middle = centre;
    let best = -Infinity;
    for (let i = -reach; i <= reach; i++) {
      for (let k = -reach; k <= reach; k++) {
        const at = { x: middle.x + i * step, y: middle.y + k * step };
        const score = sharpness(pixels, at, Math.max(step, 150));
        if (score > best) [best, centre] = [score, at];
      }
    }
  }
  return { ...centre, distanceUm: distanceOf(fine, angles, centre, begin.distanceUm) };
}

/** Σ n (mean − level of the neighbours)² over radial bins. */
function sharpness(pixels: RingPixels, centre: { x: number; y: number }, binUm: number): number {
  const { contrast, count } = contrasts(pixels, centre, binUm);
  return contrast.reduce((sum, c, k) => sum + (count[k] ?? 0) * c * c, 0);
}

function contrasts({ x, y, value }: RingPixels, centre: { x: number; y: number }, binUm: number) {
  const bins = Math.ceil(300_000 / binUm);
  const [sum, count] = [new Float64Array(bins), new Float64Array(bins)];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [(x[i] ?? 0) - centre.x, (y[i] ?? 0) - centre.y];
    const bin = Math.floor(Math.sqrt(dx * dx + dy * dy) / binUm);
    if (bin >= bins) continue;
    sum[bin] = (sum[bin] ?? 0) + (value[i] ?? 0);
    count[bin] = (count[bin] ?? 0) + 1;
  }
  const contrast = sum.map((own, k) => {
    let [s, n] = [0, 0];
    for (let j = Math.max(0, k - NEIGHBOURS); j <= Math.min(bins - 1, k + NEIGHBOURS); j++) {
      s += sum[j] ?? 0;
      n += count[j] ?? 0;
    }
    return (count[k] ?? 0) < 20 ? 0 : own / (count[k] ?? 1) - s / n;
  });
  return { contrast, count };
}

/** The distance, within 15 % of the one to begin with, at which contrast on the rings is largest. */
function distanceOf(
  pixels: RingPixels,
  angles: readonly number[],
  centre: { x: number; y: number },
  begin: number,
): number {
  const binUm = 100;
  const { contrast, count } = contrasts(pixels, centre, binUm);
  let [best, found] = [-Infinity, begin];
  for (let k = -150; k <= 150; k++) {
    const distance = begin * (1 + k / 1000);
    let score = 0;
    for (const angle of angles) {
      if (angle >= 1.3) break;
      const bin = Math.floor((distance * Math.tan(angle)) / binUm);
      for (let j = bin - 1; j <= bin + 1; j++) score += (contrast[j] ?? 0) * Math.sqrt(count[j] ?? 0);
    }
    if (score > best) [best, found] = [score, distance];
  }
  return found;
}
