/** One thing that is turned: its range, and how far it may go from one point to the next. */
export interface SteppedRange {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** What was measured at a place. */
export interface Measured {
  readonly at: readonly number[];
  readonly value: number;
  /** Standard error of `value`. */
  readonly error: number;
}

/**
 * Says where to measure next, and is told what was found there: it does not know what it turns. Places have a number
 * for each knob, in the order of the ranges. Whoever turns the knobs goes there in steps.
 */
export interface Optimiser {
  /** The next place; undefined when nothing more is to be gained. */
  next(): readonly number[] | undefined;
  /** All that was measured so far, the newest last: errors of earlier points are known better now. */
  tell(measured: readonly Measured[]): void;
  /** Where it takes the greatest value to be, among places that were measured or between them. */
  best(): readonly number[];
}

/** The nearest place to `wanted` within the steps of `now` and the ranges. */
export function withinStep(
  ranges: readonly SteppedRange[],
  now: readonly number[],
  wanted: readonly number[],
): readonly number[] {
  return ranges.map(({ from, to, step }, i) => {
    const here = now[i] ?? NaN;
    const nearest = Math.min(here + step, Math.max(here - step, wanted[i] ?? NaN));
    return Math.min(to, Math.max(from, nearest));
  });
}
