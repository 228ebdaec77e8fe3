import { SaclaError } from "../../core/errors.ts";
import type { ShotsTaken } from "../messages/messages.ts";
import type { EngineOptions, ShotCounts } from "./callback.ts";
import type { TargetMap } from "./target-map.ts";

/** Shots of a whole scan. */
export class ShotTotals {
  readonly #counts = { asked: 0, used: 0, dropped: {} as Record<string, number> };

  add({ ledger }: Pick<ShotsTaken, "ledger">): void {
    const counts = this.#counts;
    counts.asked += ledger.asked;
    counts.used += ledger.used;
    for (const { reason, tags } of ledger.dropped) counts.dropped[reason] = (counts.dropped[reason] ?? 0) + tags.length;
  }

  get counts(): ShotCounts {
    return { ...this.#counts, dropped: { ...this.#counts.dropped } };
  }
}

/** @throws BAD_ARGUMENT when the engine was not given that target map */
export function mapOf(maps: EngineOptions["maps"], name: string): TargetMap {
  const map = maps?.[name];
  if (map !== undefined) return map;
  throw new SaclaError(
    "BAD_ARGUMENT",
    `The plan uses the target map ${JSON.stringify(name)}, but the engine was not given one of that name.`,
  );
}

/** Does all of them, in order, whatever fails; gives what failed first. A later failure must not hide it. */
export async function allDone(
  first: unknown,
  works: readonly (() => Promise<void>)[],
  onLater: (error: unknown) => void,
): Promise<unknown> {
  let failed = first;
  for (const work of works) {
    try {
      await work();
    } catch (error) {
      if (failed === undefined) failed = error;
      else if (error !== failed) onLater(error);
    }
  }
  return failed;
}

/** A journal is of another plan, or of one that does not do the same for the same answers. */
export function planChanged(step: number, was: string, is: string): SaclaError {
  return new SaclaError(
    "PLAN_CHANGED",
    `The plan does not go on as its journal says: step ${step} was ${was} and is now ${is}. ` +
      "A plan must not use the clock or chance.",
    { details: { step } },
  );
}
