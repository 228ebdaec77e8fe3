import { badArgument } from "./guards.ts";
import { solveRows } from "./solve-rows.ts";

/** Mean of the shots of a point; its standard error is NaN for fewer than two. */
export interface PointMean {
  readonly count: number;
  readonly mean: number;
  readonly standardError: number;
}

/** Errors of the points of a curve, and the degrees of freedom they were estimated from. */
export interface PointErrors {
  readonly errors: readonly number[];
  /** For `errorFreedom` of the fits. */
  readonly errorFreedom: number;
}

/** Mean of the numbers there are; NaN and ±Infinity are left out. */
export function meanOf(values: Float64Array): PointMean {
  const numbers = values.filter(Number.isFinite);
  const count = numbers.length;
  const mean = numbers.reduce((sum, value) => sum + value, 0) / count;
  const squares = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { count, mean, standardError: Math.sqrt(squares / (count - 1) / count) };
}

/**
 * Standard errors of counts: √(N + 1), so that no counts have an error too.
 * @throws BAD_ARGUMENT when a count is negative
 */
export function countErrors(counts: readonly number[]): number[] {
  return counts.map((count) => {
    if (count < 0) throw badArgument("a count", count, "0 or more");
    return Math.sqrt(count + 1);
  });
}

/**
 * Errors of the points of one curve from the scatter of all their shots. Of 3 shots a point's own scatter is so
 * uncertain that an interval of one standard error holds the truth in 58 % of cases and weights from it in 41 to 53 %:
 * so the variance of a shot is described as a + b·|mean| + c·mean² (noise, counts, pulse energy) over all points, and a
 * point's own variance counts beside it as much as its shots allow and the points differ (moderated variance, Smyth
 * 2004).
 *
 * A point of a single shot gets the common variance; where no point has two shots, all errors are NaN.
 * @example
 * const { errors, errorFreedom } = pooledErrors(points);
 * fitPeak(x, points.map(({ mean }) => mean), { errors, errorFreedom });
 */
export function pooledErrors(points: readonly PointMean[]): PointErrors {
  const known = points.filter(({ count, mean, standardError }) => count > 1 && Number.isFinite(mean + standardError));
  const errorFreedom = known.reduce((sum, { count }) => sum + count - 1, 0);
  if (errorFreedom === 0) return { errors: points.map(() => NaN), errorFreedom };
  const of = varianceModel(known);
  const prior = priorFreedom(known, of);
  const errors = points.map(({ count, mean, standardError }) => {
    if (count === 0 || !Number.isFinite(mean)) return NaN;
    const common = of(mean);
    if (count < 2 || prior === Infinity) return Math.sqrt(common / count);
    const own = standardError ** 2 * count;
    return Math.sqrt((prior * common + (count - 1) * own) / (prior + count - 1) / count);
  });
  return { errors, errorFreedom };
}

/** Variance of one shot against the mean: the best of the sums of 1, |mean| and mean² with no negative part. */
function varianceModel(points: readonly PointMean[]): (mean: number) => number {
  const freedom = points.reduce((sum, { count }) => sum + count - 1, 0);
  const pooled = points.reduce((sum, p) => sum + (p.count - 1) * p.standardError ** 2 * p.count, 0) / freedom;
  const scale = Math.max(...points.map(({ mean }) => Math.abs(mean))) || 1;
  const terms = (mean: number): number[] => [1, Math.abs(mean) / scale, (mean / scale) ** 2];
  let of = (_: number): number => pooled;
  if (points.length < 6 || !(pooled > 0)) return of;
  // A variance v from d degrees of freedom has the variance 2v²/d, v by the model of the round before.
  for (let round = 0; round < 4; round++) {
    const before = of;
    const rows = points.map(({ count, mean, standardError }) => ({
      terms: terms(mean),
      value: standardError ** 2 * count,
      weight: (count - 1) / before(mean) ** 2,
    }));
    const coefficients = nonNegative(rows);
    const floor = 1e-3 * pooled;
    of = (mean) =>
      Math.max(
        floor,
        terms(mean).reduce((sum, term, k) => sum + term * (coefficients[k] ?? 0), 0),
      );
  }
  return of;
}

/** Least squares without negative coefficients: of three terms every subset is tried. */
function nonNegative(
  rows: readonly { readonly terms: readonly number[]; readonly value: number; readonly weight: number }[],
): number[] {
  let best = { coefficients: [0, 0, 0], cost: Infinity };
  for (let subset = 1; subset < 8; subset++) {
    const chosen = [0, 1, 2].filter((k) => subset & (1 << k));
    const solved = solveRows(
      rows.map(({ terms, weight }) => chosen.map((k) => Math.sqrt(weight) * (terms[k] ?? 0))),
      rows.map(({ value, weight }) => Math.sqrt(weight) * value),
    );
    if (solved === undefined || solved.some((value) => value < 0)) continue;
    const coefficients = [0, 0, 0];
    for (const [i, k] of chosen.entries()) coefficients[k] = solved[i] ?? 0;
    const cost = rows.reduce(
      (sum, r) => sum + r.weight * (r.value - r.terms.reduce((s, t, k) => s + t * (coefficients[k] ?? 0), 0)) ** 2,
      0,
    );
    if (cost < best.cost) best = { coefficients, cost };
  }
  return best.coefficients;
}

/**
 * How many degrees of freedom the common variance is worth beside a point's own: few where the points differ from it by
 * more than their own few shots explain, and by more than twice what chance does. Else the common variance alone
 * counts: weights from a few shots each would make the stated errors too small.
 */
function priorFreedom(points: readonly PointMean[], of: (mean: number) => number): number {
  let [excess, chance, weights] = [0, 0, 0];
  for (const { count, mean, standardError } of points) {
    const freedom = count - 1;
    const ratio = (standardError ** 2 * count) / of(mean);
    excess += freedom * ((ratio - 1) ** 2 - 2 / freedom);
    // The variance of (ratio − 1)² when the ratio is χ² over its degrees of freedom.
    chance += freedom ** 2 * (8 / freedom ** 2 + 48 / freedom ** 3);
    weights += freedom;
  }
  const spread = (excess - 2 * Math.sqrt(chance)) / weights;
  return spread > 0 ? 2 / (excess / weights) : Infinity;
}
