import { Arena } from "../../../core/wasm.ts";
import { memoryFor } from "../../engine/state.ts";
import { type CovarianceState, covarianceKernel, covarianceSums } from "./sums.ts";

/** A sum with a whole number near its mean, and what the sum would be about that. */
export interface Pivoted {
  readonly sum: number;
  readonly pivot: number;
  readonly rest: number;
}

/** Of the signal: exact sums of its numbers, and of those rounded to 2^−6. */
interface SignalSums {
  readonly count: number;
  readonly scale: number;
  readonly y: Pivoted;
  /** Σ(y − ȳ)². */
  readonly yy: number;
  readonly coarse: Pivoted;
  /** Of the rounded numbers. */
  readonly squares: number;
}

interface PixelNumbers {
  readonly covariance: Float64Array;
  readonly correlation: Float64Array;
  readonly error: Float64Array;
}

/** Pixels that are looked at together: a dozen of their sums stay in the cache. */
const PART = 2048;
/** A power of 2 would bring all sums of a pixel to the same lines of the cache. */
const SPAN = PART + 8;

/** Covariance, correlation and error of each pixel, in the kernel. */
export function eachPixel(state: CovarianceState, signal: SignalSums, isLast: boolean): PixelNumbers {
  const pixels = state.sum.length;
  // What is written over a piece of the sums has been copied before.
  const found: PixelNumbers = {
    covariance: memoryFor(state.sum, isLast),
    correlation: memoryFor(state.leftLower, isLast),
    error: memoryFor(state.rest, isLast),
  };
  const outputs = [found.covariance, found.correlation, found.error];
  const pieces = [...covarianceSums, ...outputs].map(() => 8 * SPAN);
  const arena = new Arena(Arena.bytesFor([...pieces, 8 * 10]));
  const kernel = covarianceKernel(arena);
  const sums = arena.float64(SPAN * covarianceSums.length);
  const out = arena.float64(SPAN * outputs.length);
  const numbers = arena.float64(10);
  const { count, scale, y, yy, coarse, squares } = signal;
  numbers.set([count, scale, y.sum, y.pivot, y.rest, yy, coarse.sum, coarse.pivot, coarse.rest, squares]);
  for (let first = 0; first < pixels; first += PART) {
    const length = Math.min(PART, pixels - first);
    for (const [k, name] of covarianceSums.entries()) sums.set(state[name].subarray(first, first + length), k * SPAN);
    kernel.covariances(sums.byteOffset, 8 * SPAN, length, numbers.byteOffset, out.byteOffset);
    for (const [k, output] of outputs.entries()) output.set(out.subarray(k * SPAN, k * SPAN + length), first);
  }
  return found;
}
