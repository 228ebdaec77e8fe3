import { median } from "../core/median.ts";
import { fromBeamCentre, labPlaces } from "./ring-geometry.ts";
import type { RingPixels } from "./ring-pixels.ts";

/** Bins on each side that the level of a radial bin is compared with. */
const NEIGHBOURS = 5;

/**
 * A rough centre of rings, before anything is fitted: where the radial profile is sharpest, coarse to fine.
 * @param blocks - means over blocks of about this size
 * @returns µm, to some 100 µm
 */
export function searchCentre(
  blocks: (sizeUm: number) => RingPixels,
  begin: { readonly x: number; readonly y: number },
): { readonly x: number; readonly y: number } {
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
  return centre;
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

/** How much brighter than what lies beside it each bin of 2θ is, at a geometry. */
function angleContrasts({ x, y, value }: RingPixels, parameters: readonly number[]) {
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
  return { contrast: contrastOf(sum, count), count };
}

/** How much brighter the rings are than what lies beside them, at a geometry. */
function ringScore(pixels: RingPixels, angles: readonly number[], parameters: readonly number[]): number {
  const { contrast, count } = angleContrasts(pixels, parameters);
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

/** Noise of a bin below which it is no ring. */
const STRANGE = 8;

/**
 * What stands out in the picture beyond 0.7 of the innermost ring: how much of it lies on rings of the calibrant, as a
 * part of all, and 2θ (radians) of the most that does not.
 */
export function shareOnRings(pixels: RingPixels, angles: readonly number[], parameters: readonly number[]) {
  const { contrast, count } = angleContrasts(pixels, parameters);
  const heights = contrast.map((value, k) => value * Math.sqrt(count[k] ?? 0));
  const sizes = heights
    .filter((value) => value !== 0)
    .map(Math.abs)
    .sort();
  const noise = (sizes[sizes.length >> 1] ?? 0) / 0.6745;
  let [on, off, most, at] = [0, 0, 0, NaN];
  for (const [k, height] of heights.entries()) {
    const angle = (k + 0.5) * ANGLE_STEP;
    if (height < STRANGE * noise || angle < 0.7 * (angles[0] ?? 0)) continue;
    if (angles.some((ring) => Math.abs(ring - angle) < 2.5 * ANGLE_STEP)) on += height;
    else {
      off += height;
      if (height > most) [most, at] = [height, angle];
    }
  }
  return { share: on + off === 0 ? 1 : on / (on + off), at };
}

/**
 * How well the rings of the calibrant match the picture at a geometry, beside the same rings at other distances: in
 * robust standard deviations of the matches there (`standing`), and as a part of the best of them (`share`).
 */
export function matchBeside(pixels: RingPixels, angles: readonly number[], parameters: readonly number[]) {
  const profile = angleContrasts(pixels, parameters);
  const at = (part: number): number =>
    matchOf(
      profile,
      angles.map((angle) => Math.atan(part * Math.tan(angle)) / ANGLE_STEP),
    );
  const others: number[] = [];
  for (let part = 0.6; part <= 1.4; part += 0.002) if (Math.abs(part - 1) > 0.03) others.push(at(part));
  const middle = median(others);
  const spread = median(others.map((score) => Math.abs(score - middle))) / 0.6745;
  return { standing: (at(1) - middle) / spread, share: at(1) / Math.max(...others) };
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

/** Mean of each bin less the line through its neighbourhood; 0 where there is too little. */
function contrastOf(sum: Float64Array, count: Float64Array): Float64Array {
  return sum.map((own, k) => {
    if ((count[k] ?? 0) < 20) return 0;
    let [n, s, nx, nxx, sx] = [0, 0, 0, 0, 0];
    for (let x = -NEIGHBOURS; x <= NEIGHBOURS; x++) {
      const [c, v] = [count[k + x] ?? 0, sum[k + x] ?? 0];
      n += c;
      s += v;
      nx += c * x;
      nxx += c * x * x;
      sx += v * x;
    }
    const spread = n * nxx - nx * nx;
    const slope = spread > 0 ? (n * sx - nx * s) / spread : 0;
    return own / (count[k] ?? 1) - (s - slope * nx) / n;
  });
}

/** How far the distance may be from the one to begin with. */
const FAR = 0.3;
const STARTS = 5;
const RADIAL_UM = 100;

/** Where the beam is aside, the centre is uncertain along one direction: tried so far from the one found, µm. */
const ASIDE = [0, -400, 400, -800, 800, -1200, 1200];

/**
 * Centres (µm) and distances at which the rings of the calibrant lie on rings of the picture, the best first. A few
 * chance hits are no match: each ring counts by the root of its contrast, and rings that do not show count against the
 * distance.
 */
export function startsOf(
  blocks: (sizeUm: number) => RingPixels,
  angles: readonly number[],
  centre: { readonly x: number; readonly y: number },
  begin: number,
): { readonly x: number; readonly y: number; readonly distanceUm: number }[] {
  const pixels = blocks(200);
  const mean = (all: Float64Array): number => all.reduce((sum, value) => sum + value, 0) / all.length;
  const [dx, dy] = [mean(pixels.x) - centre.x, mean(pixels.y) - centre.y];
  const away = Math.hypot(dx, dy);
  const tried = (away > 15_000 ? ASIDE : [0]).flatMap((shift) => {
    const at = { x: centre.x + (shift * dx) / (away || 1), y: centre.y + (shift * dy) / (away || 1) };
    const profile = contrasts(pixels, at, RADIAL_UM);
    return Array.from({ length: 2000 * FAR + 1 }, (_, k) => {
      const part = 1 - FAR + k / 1000;
      return { ...at, part, distanceUm: begin * part, score: matchAt(profile, angles, begin * part) };
    });
  });
  tried.sort((a, b) => b.score - a.score);
  const top = tried[0]?.score ?? 0;
  const best: typeof tried = [];
  for (const one of tried)
    if (
      best.length < STARTS &&
      one.score >= Math.min(top, 0.5 * top) &&
      best.every(({ part }) => Math.abs(part - one.part) > 0.008)
    )
      best.push(one);
  return best;
}

function matchAt(profile: ReturnType<typeof contrasts>, angles: readonly number[], distanceUm: number): number {
  const near = angles.filter((angle) => angle < 1.3);
  return matchOf(
    profile,
    near.map((angle) => (distanceUm * Math.tan(angle)) / RADIAL_UM),
  );
}

/** @param places - of the rings, in bins */
function matchOf({ contrast, count }: ReturnType<typeof contrasts>, places: readonly number[]): number {
  let [score, rings] = [0, 0];
  for (const place of places) {
    const bin = Math.floor(place);
    let [sum, n] = [0, 0];
    for (let j = bin - 1; j <= bin + 1; j++) {
      sum += (contrast[j] ?? 0) * (count[j] ?? 0);
      n += count[j] ?? 0;
    }
    if (n < 60) continue;
    rings++;
    score += Math.sign(sum) * Math.sqrt(Math.abs(sum) / Math.sqrt(n));
  }
  return rings === 0 ? 0 : score / Math.sqrt(rings);
}
