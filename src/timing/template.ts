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
const slopes = table.map((_, i) => Math.exp(-0.5 * (i / STEPS - REACH) ** 2) * NORMAL_PEAK);

/** Normal distribution function by cubic interpolation, to 1e-8. */
function cdf(u: number): number {
  if (u <= -REACH) return 0;
  if (u >= REACH) return 1;
  const at = (u + REACH) * STEPS;
  const i = at | 0;
  const from = i / STEPS - REACH;
  const du = u - from;
  // Taylor: φ' = −uφ, φ'' = (u² − 1)φ.
  return (table[i] ?? 0) + (slopes[i] ?? 0) * du * (1 - (du * from) / 2 + (du * du * (from * from - 1)) / 6);
}

/** The bins in which an edge changes: before `first` what was lost comes back, from `last` on nothing is lost. */
export interface EdgeWindow {
  readonly first: number;
  readonly last: number;
  /** Share lost at the bin before `first`. */
  readonly before: number;
}

/**
 * Fills the share lost by an edge at `at`, and its derivatives by position and by σ, in the bins of its window only.
 */
export function fillWindow(
  at: number,
  { sigma, tau }: EdgeShape,
  edge: Float64Array,
  byPosition: Float64Array,
  bySigma: Float64Array,
): EdgeWindow {
  const peak = NORMAL_PEAK / sigma;
  const bins = edge.length;
  const first = Math.max(0, Math.min(bins, Math.ceil(at - REACH * sigma)));
  const last = Math.max(first, Math.min(bins, Math.floor(at + REACH * sigma) + 1));
  const endless = tau === Infinity;
  for (let x = first; x < last; x++) {
    const u = (at - x) / sigma;
    const here = endless || u < 0 ? 1 : Math.exp(-(at - x) / tau);
    const share = cdf(u) * here;
    const bump = peak * Math.exp(-0.5 * u * u) * here;
    edge[x] = share;
    byPosition[x] = bump - (u > 0 && !endless ? share / tau : 0);
    bySigma[x] = -u * bump;
  }
  return { first, last, before: endless ? 1 : Math.exp(-(at - first + 1) / tau) };
}

/** {@link fillWindow}, and the bins on both sides of it. */
export function fillEdge(
  at: number,
  shape: EdgeShape,
  edge: Float64Array,
  byPosition: Float64Array,
  bySigma: Float64Array,
): void {
  const { first, last, before } = fillWindow(at, shape, edge, byPosition, bySigma);
  const { tau } = shape;
  const keep = keptPerBin(tau);
  // Before the edge everything is lost but for what came back, from the edge outwards.
  let back = before;
  for (let x = first - 1; x >= 0; x--) {
    edge[x] = back;
    byPosition[x] = tau === Infinity ? 0 : -back / tau;
    bySigma[x] = 0;
    back *= keep;
  }
  edge.fill(0, last);
  byPosition.fill(0, last);
  bySigma.fill(0, last);
}

/** What of the lost light is still lost one bin further from the edge. */
export function keptPerBin(tau: number): number {
  return tau === Infinity ? 1 : Math.exp(-1 / tau);
}

/** Gaussian weights for smoothing, from −reach to reach, of sum 1. */
export function gaussian(sigma: number): Float64Array {
  const reach = Math.max(1, Math.ceil(3 * sigma));
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((value) => value / sum);
}

/** Σ over x ≤ at of values(x) e^(−(at − x)/τ) for every `at`, half of the value at `at` itself: a step, slid along. */
export function slideStep(values: Float64Array, tau: number, out: Float64Array): void {
  const keep = keptPerBin(tau);
  let sum = 0;
  for (let x = 0; x < values.length; x++) {
    const value = values[x] ?? 0;
    // Times 1 would only make each sum wait longer for the one before.
    if (keep !== 1) sum *= keep;
    out[x] = sum + value / 2;
    sum += value;
  }
}
