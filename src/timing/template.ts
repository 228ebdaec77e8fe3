import { normalCdf } from "../core/special-functions.ts";

/**
 * Shape of an edge: light is lost before it (towards smaller positions), with a width σ, and comes back slowly with
 * the distance from it, e^(−distance/τ). All lengths in bins.
 */
export interface EdgeShape {
  readonly sigma: number;
  /** Infinity: what is lost stays lost. */
  readonly tau: number;
}

/** Height of the normal distribution of standard deviation 1: 1/√(2π). */
const NORMAL_PEAK = 0.3989422804014327;
/** normalCdf at steps of 1/64 from −6 to 6: the fit asks for it some thousand times a shot. */
const STEPS = 64;
const REACH = 6;
const table = Float64Array.from({ length: 2 * REACH * STEPS + 2 }, (_, i) => normalCdf(i / STEPS - REACH));

/** Normal distribution function by cubic interpolation, to 1e-8. */
function cdf(u: number): number {
  if (u <= -REACH) return 0;
  if (u >= REACH) return 1;
  const at = (u + REACH) * STEPS;
  const i = at | 0;
  const from = i / STEPS - REACH;
  const du = u - from;
  const slope = Math.exp(-0.5 * from * from) * NORMAL_PEAK;
  // Taylor: φ' = −uφ, φ'' = (u² − 1)φ.
  return (table[i] ?? 0) + slope * du * (1 - (du * from) / 2 + (du * du * (from * from - 1)) / 6);
}

/** Fills the share lost at each bin by an edge at `at`, and its derivatives by position and by σ. */
export function fillEdge(
  at: number,
  { sigma, tau }: EdgeShape,
  edge: Float64Array,
  byPosition: Float64Array,
  bySigma: Float64Array,
): void {
  const peak = NORMAL_PEAK / sigma;
  const bins = edge.length;
  const first = Math.max(0, Math.min(bins, Math.ceil(at - REACH * sigma)));
  const last = Math.max(first, Math.min(bins, Math.floor(at + REACH * sigma) + 1));
  const endless = tau === Infinity;
  const keep = endless ? 1 : Math.exp(-1 / tau);
  // Before the edge everything is lost but for what came back, from the edge outwards.
  let back = endless ? 1 : Math.exp(-(at - first + 1) / tau);
  for (let x = first - 1; x >= 0; x--) {
    edge[x] = back;
    byPosition[x] = endless ? 0 : -back / tau;
    bySigma[x] = 0;
    back *= keep;
  }
  for (let x = first; x < last; x++) {
    const u = (at - x) / sigma;
    const here = endless || u < 0 ? 1 : Math.exp(-(at - x) / tau);
    const share = cdf(u) * here;
    const bump = peak * Math.exp(-0.5 * u * u) * here;
    edge[x] = share;
    byPosition[x] = bump - (u > 0 && !endless ? share / tau : 0);
    bySigma[x] = -u * bump;
  }
  edge.fill(0, last);
  byPosition.fill(0, last);
  bySigma.fill(0, last);
}

/** Gaussian weights for smoothing, from −reach to reach, of sum 1. */
export function gaussian(sigma: number): Float64Array {
  const reach = Math.max(1, Math.ceil(3 * sigma));
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((value) => value / sum);
}

/** values ⊗ weights, as if the values were 0 outside. */
export function smooth(values: Float64Array, weights: Float64Array, out: Float64Array): void {
  const reach = weights.length >> 1;
  const n = values.length;
  for (let x = 0; x < n; x++) {
    const first = Math.max(0, reach - x);
    const last = Math.min(weights.length, n + reach - x);
    let sum = 0;
    for (let k = first, i = x - reach + first; k < last; k++, i++) sum += (weights[k] ?? 0) * (values[i] ?? 0);
    out[x] = sum;
  }
}

/** Σ over x ≤ at of values(x) e^(−(at − x)/τ) for every `at`, half of the value at `at` itself: a step, slid along. */
export function slideStep(values: Float64Array, tau: number, out: Float64Array): void {
  const keep = tau === Infinity ? 1 : Math.exp(-1 / tau);
  let sum = 0;
  for (let x = 0; x < values.length; x++) {
    const value = values[x] ?? 0;
    sum *= keep;
    out[x] = sum + value / 2;
    sum += value;
  }
}
