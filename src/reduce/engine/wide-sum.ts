import type { ArrayField } from "../reducer.ts";
import { quantize, quantizeHigh } from "./exact.ts";

/**
 * Sums over so many pixels and shots that one double could not hold them exactly (2^33 on the grid of {@link
 * quantize}): kept as a multiple of 2^12 and a rest, which both add exactly up to 2^65 and 4 million shots.
 */
export interface WideSums {
  readonly upper: Float64Array;
  readonly lower: Float64Array;
}

/** Adds `x` to sum number `i`. */
export function addWide(upper: Float64Array, lower: Float64Array, i: number, x: number): void {
  const high = quantizeHigh(x);
  upper[i] = (upper[i] ?? 0) + high;
  lower[i] = (lower[i] ?? 0) + quantize(x - high);
}

/** The sums as single numbers, each rounded once. */
export function wideTotals({ upper, lower }: WideSums): Float64Array {
  return upper.map((u, i) => u + (lower[i] ?? 0));
}

/** A field of sums in a layout. */
export function sums(length: number): ArrayField & { readonly type: "float64" } {
  return { type: "float64", length, merge: "sum" };
}

/** `sum / count` element by element, NaN where the count is 0. */
export function ratio(sum: Float64Array, count: Float64Array): Float64Array {
  return sum.map((s, i) => ((count[i] ?? 0) > 0 ? s / (count[i] ?? NaN) : NaN));
}
