import { asFinite } from "../core/guards.ts";

/** What the simulated facility takes its time from. */
export interface Clock {
  /** Seconds since some fixed moment; never goes back. */
  now(): number;
}

/** The time of this computer. */
export function realClock(): Clock {
  return { now: () => performance.now() / 1000 };
}

/**
 * A clock that moves only when told to, so that a test or a rehearsal need not wait.
 *
 * @example
 * const clock = new VirtualClock();
 * const facility = createSimulatedFacility({ clock });
 * clock.advance(20);
 */
export class VirtualClock implements Clock {
  #seconds = 0;

  now(): number {
    return this.#seconds;
  }

  /** Moves on by `seconds`, at least 0. @throws BAD_ARGUMENT when asked to go back */
  advance(seconds: number): void {
    this.#seconds += asFinite("seconds", seconds, 0);
  }
}
