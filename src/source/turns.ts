import { setImmediate as nextTurn } from "node:timers/promises";
import { throwIfAborted } from "../core/async.ts";

/** How long a source may be asked in one turn of the loop. */
const LONGEST_TURN_MS = 10;

/** Turns of the loop: sources that answer at once would else leave no time for others. */
export class Turns {
  #began = performance.now();

  /** Whether this turn has been long enough. */
  get isOver(): boolean {
    return performance.now() - this.#began > LONGEST_TURN_MS;
  }

  /** @throws ABORTED whoever asked may have gone */
  async next(signal: AbortSignal | undefined): Promise<void> {
    await nextTurn();
    throwIfAborted(signal);
    this.#began = performance.now();
  }
}
