import type { Positions, Steps } from "./messages.ts";
import { move, shutter, where } from "./stubs.ts";

/** Does `cleanup` after `steps`, however they end: done, stopped, aborted or failed. */
export function* finalize<R>(steps: Steps<R>, cleanup: () => Steps<unknown>): Steps<R> {
  try {
    return yield* steps;
  } finally {
    yield* cleanup();
  }
}

/** Puts axes back where they were. */
export function* andReturn<R>(axes: readonly string[], steps: Steps<R>): Steps<R> {
  const before = yield* where(axes);
  return yield* finalize(steps, () => move(before));
}

/** The shutter is open during `steps`, and closed afterwards however they end. */
export function* withShutterOpen<R>(name: string, steps: Steps<R>): Steps<R> {
  yield* shutter(name, true);
  return yield* finalize(steps, () => shutter(name, false));
}

/** Makes steps from where axes are now, and puts them back afterwards. @example relative(["delay"], ({ delay }) => …) */
export function* relative<R>(axes: readonly string[], make: (now: Positions) => Steps<R>): Steps<R> {
  const now = yield* where(axes);
  return yield* finalize(make(now), () => move(now));
}
