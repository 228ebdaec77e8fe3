import { fromBeamCentre, labPlaces } from "./ring-geometry.ts";
import type { RingPixels } from "./ring-pixels.ts";

/** Bins on each side that the level of a radial bin is compared with. */
const NEIGHBOURS = 5;

/**
 * A rough centre of rings and their distance, before anything is fitted: the centre at which the radial profile is
 * sharpest, coarse to fine, then the distance at which the rings of the calibrant lie on its peaks.
 * @param blocks - means over blocks of about this size
 * @param angles - 2θ of the rings, radians
 * @returns centre x and y and distance in µm, to some 100 µm and 0.2 %; rot1 and rot2, 0
 */
export function searchRings(
  blocks: (sizeUm: number) => RingPixels,
  angles: readonly number[],
  begin: { readonly x: number; readonly y: number; readonly distanceUm: number },
): number[] {
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
  return [centre.x, centre.y, distanceOf(fine, angles, centre, begin.distanceUm), 0, 0];
}

/** First steps of the search with a tilt: centre x and y and distance in µm, rot1 and rot2 in degrees. */
const STEPS = [400, 400, 400, 1, 1];
const TILTS = [-2, 0, 2];

/**
 * The same with a tilt of up to some 3°, for rings that the upright geometry does not find: from each of some tilts the
 * best neighbour again and again, then from the best of them in smaller steps.
 */
export function searchTilted(
  blocks: (sizeUm: number) => RingPixels,
  angles: readonly number[],
  upright: readonly number[],
): number[] {
  const pixels = blocks(400);
  const climb = (from: readonly number[], scale: number, rounds: number) => {
    let [best, score] = [[...from], ringScore(pixels, angles, from)];
    for (let round = 0; round < rounds; round++) {
      const before = score;
      for (const [k, step] of STEPS.entries())
        for (const sign of [-1, 1]) {
          const tried = best.map((value, j) => (j === k ? value + sign * step * scale : value));
          const found = ringScore(pixels, angles, tried);
          if (found > score) [best, score] = [tried, found];
        }
      if (score === before) break;
    }
    return { best, score };
  };
  let top = { best: [...upright], score: -Infinity };
  for (const rot1 of TILTS)
    for (const rot2 of TILTS) {
      const found = climb([...upright.slice(0, 3), rot1, rot2], 1, 2);
      if (found.score > top.score) top = found;
    }
  for (const scale of [1, 0.5, 0.25]) top = climb(top.best, scale, 6);
  return top.best;
}

const ANGLE_STEP = 0.003;

/** How much brighter the rings are than what lies beside them, at a geometry. */
function ringScore({ x, y, value }: RingPixels, angles: readonly number[], parameters: readonly number[]): number {
  const [x0 = NaN, y0 = NaN, distanceUm = NaN, rot1Deg = NaN, rot2Deg = NaN] = parameters;
  const geometry = fromBeamCentre({ centreUm: { x: x0, y: y0 }, distanceMm: distanceUm / 1000, rot1Deg, rot2Deg });
  const toLab = labPlaces(geometry);
  const place = { x: 0, y: 0, z: 0 };
  const bins = Math.ceil(1.6 / ANGLE_STEP);
  const [sum, count] = [new Float64Array(bins), new Float64Array(bins)];
  for (let i = 0; i < x.length; i++) {
    toLab(x[i] ?? NaN, y[i] ?? NaN, place);
    const bin = Math.floor(Math.atan2(Math.sqrt(place.x * place.x + place.y * place.y), place.z) / ANGLE_STEP);
    if (bin >= bins) continue;
    sum[bin] = (sum[bin] ?? 0) + (value[i] ?? 0);
    count[bin] = (count[bin] ?? 0) + 1;
  }
  const contrast = contrastOf(sum, count);
  let score = 0;
  for (const angle of angles) {
    const at = angle / ANGLE_STEP - 0.5;
    const bin = Math.floor(at);
    // Between the two bins beside the ring.
    for (const [k, part] of [
      [bin, 1 - (at - bin)],
      [bin + 1, at - bin],
    ] as const)
      score += part * (contrast[k] ?? 0) * Math.sqrt(count[k] ?? 0);
  }
  return score;
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
  return { contrast: contrastOf(sum, count), count };
}

/** Mean of each bin less that of its neighbourhood; 0 where there is too little. */
function contrastOf(sum: Float64Array, count: Float64Array): Float64Array {
  return sum.map((own, k) => {
    let [s, n] = [0, 0];
    for (let j = Math.max(0, k - NEIGHBOURS); j <= Math.min(sum.length - 1, k + NEIGHBOURS); j++) {
      s += sum[j] ?? 0;
      n += count[j] ?? 0;
    }
    return (count[k] ?? 0) < 20 ? 0 : own / (count[k] ?? 1) - s / n;
  });
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
