import ndarray from "ndarray";
import type { PreciseImage } from "../../core/ndarray.ts";
import { integer, optional, resolveOptions } from "../../core/options.ts";
import { quantize, quantizeHigh } from "../engine/exact.ts";
import { memoryFor } from "../engine/state.ts";
import { defineReducer, type Reducer } from "../reducer.ts";

/** Mean of each pixel over the shots, shape [rows, columns], float64. All NaN when there was no shot. */
export function mean(): Reducer<PreciseImage> {
  return defineReducer({
    name: "mean",
    sumsOnGrid: true,
    appliesDark: true,
    layout: ({ rows, columns }) => ({
      sum: { type: "float64", length: rows * columns, merge: "sum" },
      count: { type: "float64", length: 1, merge: "sum" },
    }),
    kernel: {
      statistics: ["sum"],
      flush: ({ sum, count }, block) => {
        block.addSums(sum, count[0] === 0);
        count[0] = (count[0] ?? 0) + block.images;
      },
    },
    add: ({ sum, count }, pixels) => {
      count[0] = (count[0] ?? 0) + 1;
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + quantize(pixels[i] ?? NaN);
    },
    result: ({ sum, count }, { rows, columns }, dark, isLast) =>
      ndarray(meansOf(sum, count[0] ?? 0, dark, memoryFor(sum, isLast)), [rows, columns]),
  });
}

// Loops here and below: with map, answering takes as long as taking in a hundred images.
function meansOf(sum: Float64Array, count: number, dark: Float64Array | undefined, means: Float64Array): Float64Array {
  if (dark === undefined) for (let i = 0; i < means.length; i++) means[i] = (sum[i] ?? NaN) / count;
  else for (let i = 0; i < means.length; i++) means[i] = (sum[i] ?? NaN) / count - (dark[i] ?? NaN);
  return means;
}

/** What {@link variance} gives: the images have shape [rows, columns], float64. */
export interface MeanAndVariance {
  readonly mean: PreciseImage;
  /** In squared units of the pixels. */
  readonly variance: PreciseImage;
  /** Standard error of the mean, √(Σ(x − mean)² / (count − 1) / count) for any `ddof`; NaN for fewer than two shots. */
  readonly standardError: PreciseImage;
  /** Shots taken in. */
  readonly count: number;
}

/**
 * Mean, variance and standard error of each pixel. Squares are summed exactly in two parts, so a small spread on a
 * large mean keeps its digits.
 * @param options.ddof - Divide by n − ddof; 0 as numpy's default, 1 for a sample. @default 0
 */
export function variance(options: { readonly ddof?: number | undefined } = {}): Reducer<MeanAndVariance> {
  const { ddof } = resolveOptions("variance", options, { ddof: optional(integer(0, 1), 0) });
  return defineReducer({
    name: `variance(ddof ${ddof})`,
    sumsOnGrid: true,
    appliesDark: true,
    layout: ({ rows, columns }) => {
      const image = { type: "float64", length: rows * columns, merge: "sum" } as const;
      return { sum: image, upper: image, lower: image, count: { type: "float64", length: 1, merge: "sum" } };
    },
    kernel: {
      statistics: ["sum", "squares"],
      flush: ({ sum, upper, lower, count }, block) => {
        block.addSums(sum, count[0] === 0);
        block.addSquares(upper, lower, count[0] === 0);
        count[0] = (count[0] ?? 0) + block.images;
      },
    },
    add: ({ sum, upper, lower, count }, pixels) => {
      count[0] = (count[0] ?? 0) + 1;
      for (let i = 0; i < sum.length; i++) {
        const x = quantize(pixels[i] ?? NaN);
        const square = x * x;
        const high = quantizeHigh(square);
        sum[i] = (sum[i] ?? 0) + x;
        upper[i] = (upper[i] ?? 0) + high;
        lower[i] = (lower[i] ?? 0) + quantize(square - high);
      }
    },
    result: ({ sum, upper, lower, count }, { rows, columns }, dark, isLast) => {
      const n = count[0] ?? 0;
      // A dark is the same for all shots: it moves the mean, and leaves the spread as it is.
      const spread = memoryFor(upper, isLast);
      variancesOf(sum, upper, lower, n, n <= ddof ? NaN : n - ddof, spread);
      const image = (data: Float64Array): PreciseImage => ndarray(data, [rows, columns]);
      let errors: PreciseImage | undefined;
      return {
        mean: image(meansOf(sum, n, dark, memoryFor(sum, isLast))),
        variance: image(spread),
        // Made when asked for: a dark has no use for it.
        get standardError() {
          errors ??= image(rootsOf(spread, n < 2 ? NaN : (n * (n - 1)) / (n - ddof)));
          return errors;
        },
        count: n,
      };
    },
  });
}

/** √(value / by) of each. */
function rootsOf(values: Float64Array, by: number): Float64Array {
  const roots = new Float64Array(values.length);
  for (let i = 0; i < roots.length; i++) roots[i] = Math.sqrt((values[i] ?? NaN) / by);
  return roots;
}

/** Written into `spread`, which may be the upper parts themselves. */
function variancesOf(
  sum: Float64Array,
  upper: Float64Array,
  lower: Float64Array,
  count: number,
  by: number,
  spread: Float64Array,
): void {
  for (let i = 0; i < spread.length; i++) {
    const squares = varianceSum(sum[i] ?? NaN, upper[i] ?? NaN, lower[i] ?? NaN, count);
    // Faster than Math.max.
    spread[i] = (squares <= 0 ? 0 : squares) / by;
  }
}

/** Σ(x − mean)² from exact sums: around a whole-number pivot near the mean, so that little cancels. */
function varianceSum(sum: number, upper: number, lower: number, n: number): number {
  // How squares are shared between the two parts depends on how they were added; what they are together does not.
  const carry = Math.floor(lower * 2 ** -12) * 4096;
  const pivot = Math.round(sum / n);
  // Σ(x − p)² = Σx² − 2pΣx + np², and Σ(x − p) = Σx − np is exact; so is 2pΣx − np² = p(Σx + (Σx − np)) up to one
  // rounding.
  const rest = sum - n * pivot;
  const aboutPivot = upper + carry - pivot * (sum + rest) + (lower - carry);
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
    appliesDark: true,
    layout: ({ rows, columns }) => ({
      min: { type: "float64", length: rows * columns, merge: "min" },
      max: { type: "float64", length: rows * columns, merge: "max" },
    }),
    kernel: {
      statistics: ["range"],
      flush: ({ min, max }, block) => {
        block.addRange(min, max);
      },
    },
    add: ({ min, max }, pixels) => {
      for (let i = 0; i < min.length; i++) {
        const x = pixels[i] ?? NaN;
        if (x < (min[i] ?? 0)) min[i] = x;
        if (x > (max[i] ?? 0)) max[i] = x;
      }
    },
    result: ({ min, max }, { rows, columns }, dark, isLast) => {
      // Adding 0 makes one zero of 0 and −0, which are equal, so that it would depend on the order which of them is
      // kept.
      const less = (values: Float64Array): PreciseImage => {
        const differences = memoryFor(values, isLast);
        for (let i = 0; i < values.length; i++) differences[i] = (values[i] ?? NaN) - (dark?.[i] ?? 0) + 0;
        return ndarray(differences, [rows, columns]);
      };
      return { min: less(min), max: less(max) };
    },
  });
}
