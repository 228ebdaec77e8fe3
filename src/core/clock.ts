import { offAbort, onAbort, sleep, throwIfAborted } from "./async.ts";
import { asFinite } from "./guards.ts";

/** What simulated and replayed facilities take their time from. */
export interface Clock {
  /** Seconds since some fixed moment; never goes back. */
  now(): number;
  /** Resolves when {@link now} has reached `seconds`. @throws ABORTED when the signal fires first */
  until(seconds: number, signal?: AbortSignal): Promise<void>;
}

/** A timer of Node.js fires at once above 25 days; nobody waits longer than this at a time. */
const LONGEST_SLEEP_MS = 86_400_000;

/** The time of this computer. */
export function realClock(): Clock {
  const now = (): number => performance.now() / 1000;
  return { now, until: async (seconds, signal) => await sleepUntil(now, seconds, signal) };
}

/** {@link Clock.until} of a clock that goes as fast as that of this computer. */
export async function sleepUntil(now: () => number, seconds: number, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  for (let left = seconds - now(); left > 0; left = seconds - now())
    await sleep(Math.min(LONGEST_SLEEP_MS, Math.ceil(left * 1000)), signal);
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
  readonly #waiting = new Set<{ readonly seconds: number; readonly wake: () => void }>();

  now(): number {
    return this.#seconds;
  }

  /** Moves on by `seconds`, at least 0. @throws BAD_ARGUMENT when asked to go back */
  advance(seconds: number): void {
    this.#seconds += asFinite("seconds", seconds, 0);
    for (const waiter of [...this.#waiting]) if (waiter.seconds <= this.#seconds) waiter.wake();
  }

  async until(seconds: number, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (this.#seconds < seconds) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(waiter);
          offAbort(signal, wake);
          resolve();
        };
        const waiter = { seconds, wake };
        this.#waiting.add(waiter);
        onAbort(signal, wake);
      });
    }
    throwIfAborted(signal);
  }
}
