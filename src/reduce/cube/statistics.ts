import ndarray from "ndarray";
import { badArgument } from "../../core/guards.ts";
import type { NdArray } from "../../core/ndarray.ts";
import type { State } from "../reducer.ts";
import { addExactly, addSquareExactly, isSummable, PLACES, standardErrorOf, total } from "./sums.ts";

/** A number per shot, over the bins of a cube; each array has the cube's shape. */
export interface BinStatistics {
  /** Shots of the bin that had the number. */
  readonly count: NdArray<Float64Array>;
  /** Shots of the bin that had none: not converged, saturated, missing. */
  readonly invalid: NdArray<Float64Array>;
  readonly sum: NdArray<Float64Array>;
  /** NaN where no shot had the number. */
  readonly mean: NdArray<Float64Array>;
  /** Sample standard deviation / √count; NaN for fewer than two shots. */
  readonly standardError: NdArray<Float64Array>;
}

const sums = { type: "float64", length: PLACES, merge: "sum" } as const;
const one = { type: "float64", length: 1, merge: "sum" } as const;
/** What is remembered of a number in one bin. */
export const numberLayout = { count: one, invalid: one, sum: sums, squares: sums } as const;
export type NumberState = State<typeof numberLayout>;

/** Takes in the number of one shot; NaN when it has none. */
export function addNumber({ count, invalid, sum, squares }: NumberState, x: number): void {
  if (!isSummable(x)) {
    invalid[0] = (invalid[0] ?? 0) + 1;
    return;
  }
  count[0] = (count[0] ?? 0) + 1;
  addExactly(sum, x);
  addSquareExactly(squares, x);
}

/** The numbers of all bins. @param states - by bin; undefined for an empty one */
export function binStatistics(states: readonly (NumberState | undefined)[], shape: readonly number[]): BinStatistics {
  const over = (pick: (state: NumberState) => number, empty: number): NdArray<Float64Array> =>
    ndarray(
      Float64Array.from(states, (state) => (state === undefined ? empty : pick(state))),
      [...shape],
    );
  return {
    count: over(({ count }) => count[0] ?? 0, 0),
    invalid: over(({ invalid }) => invalid[0] ?? 0, 0),
    sum: over(({ sum }) => total(sum), 0),
    mean: over(({ count, sum }) => total(sum) / (count[0] ?? 0), NaN),
    standardError: over(({ count, sum, squares }) => standardErrorOf(count[0] ?? 0, sum, squares), NaN),
  };
}

/** Means with error bars: of the bins of a cube, or of the pixels of an image ({@link variance} with `ddof: 1`). */
export interface MeanAndError {
  readonly mean: NdArray<Float64Array>;
  readonly standardError: NdArray<Float64Array>;
}

/** How two means differ; arrays of the same shape as theirs, NaN where one of the two is. */
export interface Contrast {
  /** on − off. */
  readonly difference: NdArray<Float64Array>;
  /** √(σ_on² + σ_off²). */
  readonly differenceError: NdArray<Float64Array>;
  /** on / off. */
  readonly ratio: NdArray<Float64Array>;
  /** √((σ_on / off)² + (ratio · σ_off / off)²). */
  readonly ratioError: NdArray<Float64Array>;
}

/**
 * Difference and ratio of pumped and unpumped shots, or of any two, with errors.
 * @throws BAD_ARGUMENT when the shapes differ
 * @example
 * const { ratio, ratioError } = contrast(scan.numbers("ring", "on"), scan.numbers("ring", "off"));
 */
export function contrast(on: MeanAndError, off: MeanAndError): Contrast {
  const { shape } = on.mean;
  if (shape.join() !== off.mean.shape.join())
    throw badArgument("shape of off", off.mean.shape, `[${shape.join(", ")}], that of on`);
  const [a, sa, b, sb] = [on.mean.data, on.standardError.data, off.mean.data, off.standardError.data];
  const each = (f: (a: number, sa: number, b: number, sb: number) => number): NdArray<Float64Array> =>
    ndarray(
      a.map((x, i) => f(x, sa[i] ?? NaN, b[i] ?? NaN, sb[i] ?? NaN)),
      [...shape],
    );
  return {
    difference: each((x, _, y) => x - y),
    differenceError: each((_x, sx, _y, sy) => Math.hypot(sx, sy)),
    ratio: each((x, _, y) => x / y),
    ratioError: each((x, sx, y, sy) => Math.hypot(sx / y, (x * sy) / (y * y))),
  };
}
