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

/** Adds `times` times `x`, which is on the grid of {@link quantize}: as so many calls of {@link addWide}, at once. */
export function addWideTimes(upper: Float64Array, lower: Float64Array, i: number, x: number, times: number): void {
  const high = quantizeHigh(x);
  upper[i] = (upper[i] ?? 0) + times * high;
  lower[i] = (lower[i] ?? 0) + times * (x - high);
}

/** The sums shared between the two parts in one way, whatever the order in which they were added. */
export function settled({ upper, lower }: WideSums): WideSums {
  const carry = lower.map((rest) => 4096 * Math.floor(rest / 4096));
  return { upper: upper.map((u, i) => u + (carry[i] ?? 0)), lower: lower.map((rest, i) => rest - (carry[i] ?? 0)) };
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

/** Sums of the pixels, of their squares, and of their products with one number of the shot: exact, in two parts. */
interface ProductSums {
  readonly sum: Float64Array;
  readonly squareUpper: Float64Array;
  readonly squareLower: Float64Array;
  readonly productUpper: Float64Array;
  readonly productLower: Float64Array;
}

/** Adds an image, each pixel times `factor`, and its products with `y`, a number on the grid of {@link quantize}. */
export function addProducts(sums: ProductSums, pixels: ArrayLike<number>, factor: number, y: number): void {
  const { sum, squareUpper, squareLower, productUpper, productLower } = sums;
  for (let i = 0; i < sum.length; i++) {
    const x = quantize((pixels[i] ?? NaN) * factor);
    const square = x * x;
    const squareHigh = quantizeHigh(square);
    const product = x * y;
    const productHigh = quantizeHigh(product);
    sum[i] = (sum[i] ?? 0) + x;
    squareUpper[i] = (squareUpper[i] ?? 0) + squareHigh;
    squareLower[i] = (squareLower[i] ?? 0) + quantize(square - squareHigh);
    productUpper[i] = (productUpper[i] ?? 0) + productHigh;
    productLower[i] = (productLower[i] ?? 0) + quantize(product - productHigh);
  }
}
