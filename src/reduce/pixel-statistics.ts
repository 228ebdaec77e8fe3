import ndarray from "ndarray";
import { asInteger } from "../core/guards.ts";
import type { PreciseImage } from "../core/ndarray.ts";
import { coarse, onGrid } from "./exact.ts";
import { defineReducer, type Reducer } from "./reducer.ts";

/** Mean of each pixel over the shots, shape [rows, columns], float64. All NaN when there was no shot. */
export function mean(): Reducer<PreciseImage> {
  return defineReducer({
    name: "mean",
    layout: ({ rows, columns }) => ({ sum: { type: "float64", length: rows * columns, merge: "sum" }, count: { type: "float64", length: 1, merge: "sum" } }),
    add: ({ sum, count }, pixels) => {
      count[0] = (count[0] ?? 0) + 1;
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + onGrid(pixels[i] ?? NaN);
    },
    result: ({ sum, count }, { rows, columns }) =>
      ndarray(
        sum.map((s) => s / (count[0] ?? 0)),
        [rows, columns],
      ),
  });
}

/** What {@link variance} gives: the images have shape [rows, columns], float64. */
export interface MeanAndVariance {
  readonly mean: PreciseImage;
  /** In squared units of the pixels. */
  readonly variance: PreciseImage;
  /** Standard error of the mean, √(variance / count). */
  readonly standardError: PreciseImage;
  /** Shots taken in. */
  readonly count: number;
}

/**
 * Mean, variance and standard error of each pixel. Squares are summed exactly in two parts, so a small spread on a
 * large mean keeps its digits.
 * @param options.ddof - Divide by n − ddof; 0 as numpy's default, 1 for a sample. @default 0
 */
export function variance(options: { ddof?: number } = {}): Reducer<MeanAndVariance> {
  const ddof = asInteger("ddof", options.ddof ?? 0, 0, 1);
  return defineReducer({
    name: "variance",
    layout: ({ rows, columns }) => {
      const image = { type: "float64", length: rows * columns, merge: "sum" } as const;
      return { sum: image, upper: image, lower: image, count: { type: "float64", length: 1, merge: "sum" } };
    },
    add: ({ sum, upper, lower, count }, pixels) => {
      count[0] = (count[0] ?? 0) + 1;
      for (let i = 0; i < sum.length; i++) {
        const x = onGrid(pixels[i] ?? NaN);
        const square = x * x;
        const high = coarse(square);
        sum[i] = (sum[i] ?? 0) + x;
        upper[i] = (upper[i] ?? 0) + high;
        lower[i] = (lower[i] ?? 0) + onGrid(square - high);
      }
    },
    result: ({ sum, upper, lower, count }, { rows, columns }) => {
      const n = count[0] ?? 0;
      const means = sum.map((s) => s / n);
      // Σx² − (Σx)²/n, with (Σx)²/n = mean · Σx taken off the larger part first, where the digits cancel.
      const spread = sum.map((s, i) => (n <= ddof ? NaN : Math.max(0, varianceSum(s, upper[i] ?? NaN, lower[i] ?? NaN, n)) / (n - ddof)));
      const image = (data: Float64Array): PreciseImage => ndarray(data, [rows, columns]);
      return { mean: image(means), variance: image(spread), standardError: image(spread.map((v) => Math.sqrt(v / n))), count: n };
    },
  });
}

/** Σ(x − mean)² from exact sums: around a whole-number pivot near the mean, so that little cancels. */
function varianceSum(sum: number, upper: number, lower: number, n: number): number {
  const pivot = Math.round(sum / n);
  // Σ(x − p)² = Σx² − 2pΣx + np², and Σ(x − p) = Σx − np is exact; so is 2pΣx − np² = p(Σx + (Σx − np)) up to one rounding.
  const rest = sum - n * pivot;
  const aboutPivot = upper - pivot * (sum + rest) + lower;
  return aboutPivot - (rest * rest) / n;
}

/** What {@link minMax} gives: the least and greatest value of each pixel, shape [rows, columns]. */
export interface MinMax {
  readonly min: PreciseImage;
  readonly max: PreciseImage;
}

/** Least and greatest value of each pixel over the shots. ±Infinity when there was no shot. */
export function minMax(): Reducer<MinMax> {
  return defineReducer({
    name: "minMax",
    layout: ({ rows, columns }) => ({
      min: { type: "float64", length: rows * columns, merge: "min" },
      max: { type: "float64", length: rows * columns, merge: "max" },
    }),
    add: ({ min, max }, pixels) => {
      for (let i = 0; i < min.length; i++) {
        const x = pixels[i] ?? NaN;
        if (x < (min[i] ?? 0)) min[i] = x;
        if (x > (max[i] ?? 0)) max[i] = x;
      }
    },
    result: ({ min, max }, { rows, columns }) => ({ min: ndarray(min.slice(), [rows, columns]), max: ndarray(max.slice(), [rows, columns]) }),
  });
}
