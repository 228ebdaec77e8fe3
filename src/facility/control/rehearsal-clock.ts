import { throwIfAborted } from "../../core/async.ts";
import { type Clock, VirtualClock } from "../../core/clock.ts";

/**
 * Time for rehearsals: it stands still until the facility is controlled, and from then on moves only while somebody
 * waits for it, at once to the moment waited for. What takes a night takes seconds, and comes out the same each time.
 */
export class RehearsalClock implements Clock {
  readonly #clock = new VirtualClock();
  readonly #waits: number[] = [];
  #isGoing = false;
  #isScheduled = false;

  get isGoing(): boolean {
    return this.#isGoing;
  }

  now(): number {
    return this.#clock.now();
  }

  /** From now on, waiting makes time pass. */
  go(): void {
    this.#isGoing = true;
    this.#schedule();
  }

  /** Moves on to a moment; one that is past changes nothing. */
  advanceTo(seconds: number): void {
    this.#clock.advance(Math.max(0, seconds - this.#clock.now()));
  }

  async until(seconds: number, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (seconds <= this.#clock.now()) return;
    this.#waits.push(seconds);
    this.#schedule();
    try {
      await this.#clock.until(seconds, signal);
    } finally {
      this.#waits.splice(this.#waits.indexOf(seconds), 1);
    }
  }

  /** After what is ready to run now has run: it may ask for something that comes earlier. */
  #schedule(): void {
    if (!this.#isGoing || this.#isScheduled || this.#waits.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#waits.length === 0) return;
      this.advanceTo(this.#waits.reduce((a, b) => Math.min(a, b)));
      this.#schedule();
    });
  }
}
