import { setImmediate } from "node:timers/promises";
import type { VirtualClock } from "../../src/facility/index.ts";

/** Lets time pass, in steps of 4 ms, until `work` is done. Work that waits for nothing but the clock takes no time. */
export async function whileBeamRuns<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  // Handled when it is awaited below.
  done.catch(() => {});
  for (let turns = 0; !isDone; turns++) {
    if (turns > 200_000) throw new Error("the work did not end within 800 s of the beam");
    await setImmediate();
    clock.advance(0.004);
  }
  return await done;
}
