import type { Clock } from "../../core/clock.ts";
import { TAG_RATE_HZ } from "../../core/constants.ts";
import { RehearsalClock } from "./rehearsal-clock.ts";

const SHORTEST_STEP_SECONDS = 1 / 30;
const LONGEST_STEP_SECONDS = 1;
const MOST_QUESTIONS = 1000;
/** Whoever asks the same so often waits, also where nobody controls the facility yet. */
const A_WAIT = 10;

/**
 * What makes rehearsal time pass for those who ask again and again instead of waiting: a question that is asked twice
 * in the same moment wants to know what comes next. With any other clock it does nothing.
 */
export class VirtualTime {
  readonly #clock: RehearsalClock | undefined;
  readonly #speed: number;
  /** When each question was asked last. */
  readonly #asked = new Map<string, number>();
  /** How often each was asked before time passes. */
  readonly #askedBefore = new Map<string, number>();
  #step = SHORTEST_STEP_SECONDS;

  constructor(clock: Clock, speed: number) {
    this.#clock = clock instanceof RehearsalClock && speed > 0 ? clock : undefined;
    this.#speed = speed;
  }

  /** Somebody controls the facility: time may pass. */
  go(): void {
    this.#clock?.go();
    this.#step = SHORTEST_STEP_SECONDS;
  }

  /**
   * To be told before a question is answered. `ticks` is how long its answer will stay what it is; without it, or when
   * that is for ever, time passes in growing steps up to a second.
   */
  asked(question: string, ticks = Infinity): void {
    const clock = this.#clock;
    if (clock === undefined) return;
    if (!clock.isGoing) {
      const times = (this.#askedBefore.get(question) ?? 0) + 1;
      this.#askedBefore.set(question, times);
      if (times < A_WAIT) return;
      this.go();
    }
    const now = clock.now();
    if (this.#asked.get(question) === now) {
      const seconds = Number.isFinite(ticks) ? ticks / TAG_RATE_HZ : this.#grownStep();
      // Half a millisecond more makes rounding harmless.
      clock.advanceTo(now + (seconds + 5e-4) / this.#speed);
    }
    if (this.#asked.size > MOST_QUESTIONS) this.#asked.clear();
    this.#asked.set(question, clock.now());
  }

  #grownStep(): number {
    const step = this.#step;
    this.#step = Math.min(LONGEST_STEP_SECONDS, 2 * step);
    return step;
  }
}
