import { meanOf } from "../core/point-errors.ts";
import type { CallResult } from "../transport/methods.ts";

type Summary = CallResult<"page.signals">["columns"][number]["summary"];

/** Of a histogram; about the root of the number of values lies between. */
const [LEAST_BINS, MOST_BINS] = [8, 60];

/**
 * Mean, scatter and histogram of a signal, and its correlation with another signal at the same shots. A value that is
 * missing is NaN.
 */
export function signalSummary(values: Float64Array, against: Float64Array | null): Summary {
  const numbers = values.filter(Number.isFinite);
  const { count, mean, standardError } = meanOf(values);
  return {
    complete: values.length === 0 ? null : count / values.length,
    mean: count === 0 ? null : mean,
    standardDeviation: count < 2 ? null : standardError * Math.sqrt(count),
    histogram: histogramOf(numbers),
    correlation: against === null ? null : correlationOf(values, against),
  };
}

function histogramOf(numbers: Float64Array): Summary["histogram"] {
  if (numbers.length < 2) return null;
  const [low, high] = numbers.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
  if (!(high > low)) return null;
  const bins = Math.min(MOST_BINS, Math.max(LEAST_BINS, Math.ceil(Math.sqrt(numbers.length))));
  const counts = new Float64Array(bins);
  const binWidth = (high - low) / bins;
  for (const x of numbers) {
    const bin = Math.min(bins - 1, Math.floor((x - low) / binWidth));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { from: low + binWidth / 2, binWidth, counts };
}

/** Pearson's r; its standard error is (1 − r²) / √(n − 3), from Fisher's z. Null with fewer than four pairs. */
function correlationOf(values: Float64Array, against: Float64Array): Summary["correlation"] {
  const has = values.map((x, i) => (Number.isFinite(x) && Number.isFinite(against[i] ?? NaN) ? 1 : 0));
  const [xs, ys] = [values, against].map((of) => of.filter((_, i) => has[i] === 1));
  if (xs === undefined || ys === undefined || xs.length < 4) return null;
  const [x, y] = [meanOf(xs), meanOf(ys)];
  const together = xs.reduce((sum, value, i) => sum + (value - x.mean) * ((ys[i] ?? NaN) - y.mean), 0);
  const r = together / ((xs.length - 1) * xs.length * x.standardError * y.standardError);
  if (!Number.isFinite(r)) return null;
  return { r, error: Math.max(0, 1 - r * r) / Math.sqrt(xs.length - 3), shots: xs.length };
}
