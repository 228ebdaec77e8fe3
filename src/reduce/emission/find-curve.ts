import { median } from "../../core/median.ts";
import { dot, solveRows } from "../../core/solve-rows.ts";
import { type EmissionCurve, emissionPixelAt, termsAt } from "./curve.ts";
import type { LineMap } from "./line-map.ts";

/** Rows of a sensor are taken together in so many blocks at most. */
const BLOCKS = 8;
/** Pixels of the windows in which light is looked for. */
const WINDOWS = [3, 7, 15, 31, 63];
/** Light of a window over the noise of its photons. */
const LEAST_SIGNAL = 4;
const ROUNDS = 20;

/** Where a line is in a block, and how bright. */
interface BlockPoint {
  readonly energyEv: number;
  readonly across: number;
  readonly along: number;
  readonly photons: number;
}

/** How many blocks there are across. */
export function blocksOf(across: number): number {
  return Math.max(1, Math.min(BLOCKS, Math.floor(across / 4)));
}

/** First and end of a block. */
export function blockRange(block: number, across: number): readonly [first: number, end: number] {
  const blocks = blocksOf(across);
  return [Math.floor((block * across) / blocks), Math.floor(((block + 1) * across) / blocks)];
}

/** A curve found roughly. */
interface FoundCurve {
  readonly curve: EmissionCurve;
  /** Share of the photons that lie near it, above what an even distribution has there: 1 for sharp lines. */
  readonly share: number;
  /** Energies of which no block shows a line. */
  readonly without: readonly number[];
}

/**
 * The curve through the brightest place of each block of rows, by robust least squares: to a few pixels, whatever the
 * curvature. Undefined where the places lie on no curve.
 */
export function findCurve(
  maps: readonly { readonly energyEv: number; readonly map: LineMap }[],
  frame: Omit<EmissionCurve, "coefficients" | "covariance">,
  terms: readonly number[],
): FoundCurve | undefined {
  const points = maps.flatMap(({ energyEv, map }) => pointsOf(energyEv, map));
  const without = maps
    .map(({ energyEv }) => energyEv)
    .filter((energyEv) => !points.some((point) => point.energyEv === energyEv));
  const rows = points.map(({ energyEv, across }) => {
    const all = termsAt(frame, energyEv, across);
    return terms.map((k) => all[k] ?? NaN);
  });
  let weights = points.map(({ photons }) => Math.sqrt(photons));
  let solved: number[] | undefined;
  let off: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    solved = solveRows(
      rows.map((row, i) => row.map((term) => term * (weights[i] ?? 0))),
      points.map(({ along }, i) => along * (weights[i] ?? 0)),
    );
    if (solved === undefined) return undefined;
    const values = solved;
    off = rows.map((row, i) => Math.abs((points[i]?.along ?? NaN) - dot(row, values)));
    const scale = Math.max(1, 1.5 * median(off));
    weights = points.map(({ photons }, i) => Math.sqrt(photons) / (1 + ((off[i] ?? 0) / scale) ** 2));
  }
  const coefficients = Array.from({ length: 6 }, (_, k) => solved?.[terms.indexOf(k)] ?? 0);
  const curve = { ...frame, coefficients, covariance: [] };
  return { curve, share: shareNear(curve, maps), without };
}

/** Near is within this part of the sensor, to each side. */
const NEAR = 1 / 20;

function shareNear(
  curve: EmissionCurve,
  maps: readonly { readonly energyEv: number; readonly map: LineMap }[],
): number {
  let [near, total, pixels, all] = [0, 0, 0, 0];
  for (const { energyEv, map } of maps) {
    const { along, across, photons, use } = map;
    for (let b = 0; b < across; b++) {
      const middle = emissionPixelAt(curve, energyEv, b);
      for (let a = 0; a < along; a++) {
        const i = b * along + a;
        total += photons[i] ?? 0;
        all += use[i] ?? 0;
        if (Math.abs(a - middle) > NEAR * along) continue;
        near += photons[i] ?? 0;
        pixels += use[i] ?? 0;
      }
    }
  }
  const even = pixels / all;
  return (near / total - even) / (1 - even);
}

function pointsOf(energyEv: number, map: LineMap): BlockPoint[] {
  const { along, across, photons, use } = map;
  const points: BlockPoint[] = [];
  for (let block = 0; block < blocksOf(across); block++) {
    const [first, end] = blockRange(block, across);
    const [counts, pixels] = [new Float64Array(along + 1), new Float64Array(along + 1)];
    for (let a = 0; a < along; a++) {
      let [sum, used] = [0, 0];
      for (let b = first; b < end; b++) {
        sum += photons[b * along + a] ?? 0;
        used += use[b * along + a] ?? 0;
      }
      counts[a + 1] = (counts[a] ?? 0) + sum;
      pixels[a + 1] = (pixels[a] ?? 0) + used;
    }
    const best = brightest(counts, pixels, along);
    if (best === undefined) continue;
    points.push({ energyEv, across: (first + end - 1) / 2, ...best });
  }
  return points;
}

/** The window with most light over its surroundings; `counts` and `pixels` are sums up to each place. */
function brightest(
  counts: Float64Array,
  pixels: Float64Array,
  along: number,
): { readonly along: number; readonly photons: number } | undefined {
  const within = (sums: Float64Array, from: number, to: number): number => (sums[to] ?? 0) - (sums[from] ?? 0);
  const total = counts[along] ?? 0;
  let best: { score: number; from: number; to: number; background: number } | undefined;
  for (const window of WINDOWS) {
    if (window > along / 3) break;
    for (let from = 0; from + window <= along; from++) {
      const to = from + window;
      const [light, used] = [within(counts, from, to), within(pixels, from, to)];
      // What lies half a window and more away.
      const [left, right] = [Math.max(0, from - window), Math.min(along, to + window)];
      const others = (pixels[along] ?? 0) - within(pixels, left, right);
      const background = others > 0 ? (total - within(counts, left, right)) / others : 0;
      const score = (light - background * used) / Math.sqrt(light + 1);
      if (score > (best?.score ?? LEAST_SIGNAL)) best = { score, from, to, background };
    }
  }
  if (best === undefined) return undefined;
  const { from, to, background } = best;
  let [sum, moment] = [0, 0];
  for (let a = from; a < to; a++) {
    const light = within(counts, a, a + 1) - background * within(pixels, a, a + 1);
    sum += light;
    moment += light * a;
  }
  return { along: Math.min(to, Math.max(from, moment / sum)), photons: sum };
}

/** Rms width of a line round a curve, in pixels, from moments in a window that follows the width. */
export function widthAround(curve: EmissionCurve, energyEv: number, map: LineMap): number {
  const { along, across, photons, use } = map;
  let width = along / 12;
  for (let round = 0; round < ROUNDS; round++) {
    let [inside, pixels, square, outside, others, squares] = [0, 0, 0, 0, 0, 0];
    for (let b = 0; b < across; b++) {
      const middle = emissionPixelAt(curve, energyEv, b);
      for (let a = 0; a < along; a++) {
        const i = b * along + a;
        if (use[i] !== 1) continue;
        const [n, d] = [photons[i] ?? 0, a - middle];
        if (Math.abs(d) < 3 * width) {
          inside += n;
          pixels++;
          square += n * d * d;
          squares += d * d;
        } else if (Math.abs(d) > 4 * width) {
          outside += n;
          others++;
        }
      }
    }
    const background = others > 0 ? outside / others : 0;
    const variance = (square - background * squares) / (inside - background * pixels);
    const next = Math.sqrt(Math.max(0.25, Number.isFinite(variance) ? variance : 0.25));
    if (Math.abs(next - width) < 0.01 * width) return next;
    width = next;
  }
  return width;
}
