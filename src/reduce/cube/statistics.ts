import ndarray from "ndarray";
import { badArgument } from "../../core/guards.ts";
import type { NdArray } from "../../core/ndarray.ts";
import { pooledErrors } from "../../core/point-errors.ts";
import type { State } from "../reducer.ts";
import {
  addExactly,
  addProductExactly,
  addSquareExactly,
  isSummable,
  PLACES,
  ratioErrorOf,
  standardErrorOf,
  total,
} from "./sums.ts";

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

/** What is remembered of a number and the monitor in one bin: the sums of both, and the ratio of each shot. */
export const ratioLayout = {
  count: one,
  invalid: one,
  sum: sums,
  below: sums,
  squares: sums,
  products: sums,
  belowSquares: sums,
} as const;
export type RatioState = State<typeof ratioLayout>;

/** Takes in the number and the monitor of one shot; NaN for one that it has not. */
export function addPair(state: RatioState, x: number, y: number): void {
  if (!isSummable(x) || !isSummable(y)) {
    state.invalid[0] = (state.invalid[0] ?? 0) + 1;
    return;
  }
  state.count[0] = (state.count[0] ?? 0) + 1;
  addExactly(state.sum, x);
  addExactly(state.below, y);
  addSquareExactly(state.squares, x);
  addProductExactly(state.products, x, y);
  addSquareExactly(state.belowSquares, y);
}

/** Makes an array of a number of each bin; `empty` where a bin has no state. */
function overBins<S>(states: readonly (S | undefined)[], shape: readonly number[]) {
  return (pick: (state: S) => number, empty: number): NdArray<Float64Array> =>
    ndarray(
      Float64Array.from(states, (state) => (state === undefined ? empty : pick(state))),
      [...shape],
    );
}

/** The ratios of sums of all bins. @param states - by bin; undefined for an empty one */
export function ratioStatistics(states: readonly (RatioState | undefined)[], shape: readonly number[]): BinStatistics {
  const over = overBins(states, shape);
  return {
    count: over(({ count }) => count[0] ?? 0, 0),
    invalid: over(({ invalid }) => invalid[0] ?? 0, 0),
    sum: over(({ sum }) => total(sum), 0),
    mean: over(({ sum, below }) => total(sum) / total(below), NaN),
    standardError: over((state) => ratioErrorOf(state.count[0] ?? 0, state), NaN),
  };
}

/**
 * The same numbers with errors from the scatter of all bins: of few shots a bin, its own scatter is so uncertain that
 * an interval of one standard error holds the truth too seldom. See `pooledErrors`; the fits of scans take
 * `errorFreedom`, too.
 * @example
 * const on = withPooledErrors(scan.normalised("ring", "on"));
 * fitDecay(delays, [...on.mean.data], { errors: [...on.standardError.data], errorFreedom: on.errorFreedom });
 */
export function withPooledErrors(
  statistics: BinStatistics,
): BinStatistics & { /** Degrees of freedom the errors come from. */ readonly errorFreedom: number } {
  const { count, mean, standardError } = statistics;
  const { errors, errorFreedom } = pooledErrors(
    Array.from(mean.data, (value, i) => ({
      count: count.data[i] ?? 0,
      mean: value,
      standardError: standardError.data[i] ?? NaN,
    })),
  );
  return { ...statistics, standardError: ndarray(Float64Array.from(errors), [...mean.shape]), errorFreedom };
}

/** The numbers of all bins. @param states - by bin; undefined for an empty one */
export function binStatistics(states: readonly (NumberState | undefined)[], shape: readonly number[]): BinStatistics {
  const over = overBins(states, shape);
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
  /** √((σ_on / off)² + (ratio · σ_off / off)²); that of {@link contrast} too. */
  readonly ratioError: NdArray<Float64Array>;
  /** on / off − 1. */
  readonly contrast: NdArray<Float64Array>;
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
    contrast: each((x, _, y) => x / y - 1),
    ratioError: each((x, sx, y, sy) => Math.hypot(sx / y, (x * sy) / (y * y))),
  };
}
