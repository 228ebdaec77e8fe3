/** Of a device that has been changed more often, the older half is forgotten. */
const MOST = 65_536;

interface Step<T> {
  readonly start: number;
  readonly value: T;
}

/** The values a device was put on, and when: enough to tell its value at any tick. */
export class StepLog<T> {
  readonly #steps: Step<T>[];
  #last: Step<T>;

  constructor(first: T) {
    this.#last = { start: -Infinity, value: first };
    this.#steps = [this.#last];
  }

  /** What was asked for last. */
  get last(): Step<T> {
    return this.#last;
  }

  add(start: number, value: T): void {
    if (this.#steps.length === MOST) this.#steps.splice(0, MOST / 2);
    this.#last = { start, value };
    this.#steps.push(this.#last);
  }

  /** What had been asked for before a tick, and what before that. */
  at(tick: number): Step<T> & { readonly before: T } {
    let low = 0;
    let high = this.#steps.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#steps[middle]?.start ?? 0) < tick) low = middle;
      else high = middle - 1;
    }
    const { start, value } = this.#steps[low] ?? this.#last;
    return { start, value, before: this.#steps[low - 1]?.value ?? value };
  }

  /** Begin of the first change not yet in force at a tick; Infinity when there is none. */
  nextStart(tick: number): number {
    if (tick > this.#last.start) return Infinity;
    let low = 0;
    let high = this.#steps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#steps[middle]?.start ?? 0) >= tick) high = middle;
      else low = middle + 1;
    }
    return this.#steps[low]?.start ?? Infinity;
  }
}
