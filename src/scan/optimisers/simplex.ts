import type { Measured, Optimiser, SteppedRange } from "./optimiser.ts";

/** A simplex is so small that nothing is to be gained: this part of the first steps. */
const SMALLEST = 0.02;

/**
 * The simplex of Nelder and Mead (1965), for signals with little noise: it believes each value it is told.
 */
export class Simplex implements Optimiser {
  readonly #ranges: readonly SteppedRange[];
  readonly #steps: Generator<readonly number[], void, Measured>;
  #measured: readonly Measured[] = [];
  readonly #start: readonly number[];
  #last: Measured | undefined;

  constructor(ranges: readonly SteppedRange[], start: readonly number[]) {
    this.#ranges = ranges;
    this.#start = start;
    this.#steps = this.#walk(start);
  }

  next(): readonly number[] | undefined {
    const step = this.#last === undefined ? this.#steps.next() : this.#steps.next(this.#last);
    return step.done === true ? undefined : step.value;
  }

  tell(measured: readonly Measured[]): void {
    this.#measured = measured;
    this.#last = measured.at(-1);
  }

  best(): readonly number[] {
    return this.#measured.reduce((best, each) => (each.value > best.value ? each : best), {
      at: this.#start,
      value: -Infinity,
    }).at;
  }

  *#walk(start: readonly number[]): Generator<readonly number[], void, Measured> {
    const inRange = (place: readonly number[]): readonly number[] =>
      place.map((value, i) => Math.min(this.#ranges[i]?.to ?? value, Math.max(this.#ranges[i]?.from ?? value, value)));
    let corners: Measured[] = [yield start];
    for (const [i, { step, to }] of this.#ranges.entries()) {
      const up = (start[i] ?? NaN) + step <= to ? step : -step;
      corners.push(yield inRange(start.map((value, k) => (k === i ? value + up : value))));
    }
    while (this.#size(corners) > SMALLEST) {
      corners.sort((a, b) => b.value - a.value);
      const [best, worst, second] = [corners[0], corners.at(-1), corners.at(-2)];
      if (best === undefined || worst === undefined || second === undefined) return;
      const centre = start.map(
        (_, i) => corners.slice(0, -1).reduce((sum, { at }) => sum + (at[i] ?? NaN), 0) / (corners.length - 1),
      );
      const along = (factor: number): readonly number[] =>
        inRange(centre.map((value, i) => value + factor * (value - (worst.at[i] ?? NaN))));
      const reflected: Measured = yield along(1);
      let taken: Measured | undefined;
      if (reflected.value > best.value) {
        const expanded: Measured = yield along(2);
        taken = expanded.value > reflected.value ? expanded : reflected;
      } else if (reflected.value > second.value) taken = reflected;
      else {
        const contracted: Measured = yield along(reflected.value > worst.value ? 0.5 : -0.5);
        if (contracted.value > Math.max(worst.value, reflected.value)) taken = contracted;
      }
      if (taken !== undefined) {
        corners[corners.length - 1] = taken;
        continue;
      }
      const shrunk: Measured[] = [best];
      for (const { at } of corners.slice(1))
        shrunk.push(yield inRange(at.map((value, i) => (value + (best.at[i] ?? NaN)) / 2)));
      corners = shrunk;
    }
  }

  #size(corners: readonly Measured[]): number {
    return Math.max(
      ...this.#ranges.map(({ step }, i) => {
        const values = corners.map(({ at }) => at[i] ?? NaN);
        return (Math.max(...values) - Math.min(...values)) / step;
      }),
    );
  }
}
