import { isSaclaError, toSaclaError } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import type { PlanSteps, Positions, RunToStart, ShotsRequest, ShotsTaken } from "../messages/messages.ts";
import { move, note, set, shots, shutter, startRun, stopRun, where } from "./stubs.ts";

/**
 * Does `cleanup` after `steps`, however they end: done, stopped, aborted or failed. When both fail, the plan fails by
 * what failed first, and a note says what else did.
 */
export function* finalize<R>(steps: PlanSteps<R>, cleanup: () => PlanSteps<unknown>): PlanSteps<R> {
  let result: R;
  try {
    result = yield* steps;
  } catch (error) {
    try {
      yield* cleanup();
    } catch (second) {
      // A scan that is stopped has not failed: what fails in its cleanup is the news.
      if (isSaclaError(error, "ABORTED")) throw second;
      yield* note(`the cleanup failed, too: ${toSaclaError(second).message}`);
    }
    throw error;
  }
  yield* cleanup();
  return result;
}

/**
 * Puts axes back where they were; not after a fault of a device, which somebody must look at before anything is moved
 * again.
 */
export function andReturn<R>(axes: readonly string[], steps: PlanSteps<R>): PlanSteps<R> {
  return returning(axes, steps, true);
}

/** As {@link andReturn}, but only when `steps` fail or are stopped: when they are done, axes stay. */
export function orReturn<R>(axes: readonly string[], steps: PlanSteps<R>): PlanSteps<R> {
  return returning(axes, steps, false);
}

function* returning<R>(axes: readonly string[], steps: PlanSteps<R>, whenDone: boolean): PlanSteps<R> {
  const before = yield* where(axes);
  let isWanted = whenDone;
  let isFaulty = false;
  const watched = function* (): PlanSteps<R> {
    try {
      return yield* steps;
    } catch (error) {
      isWanted = true;
      isFaulty = isSaclaError(error, "DEVICE_FAULT");
      throw error;
    }
  };
  return yield* finalize(watched(), function* (): PlanSteps {
    if (isFaulty) yield* note(`${axes.join(", ")}: not put back after the fault`);
    else if (isWanted) yield* move(before);
  });
}

/**
 * The shutter is open during `steps`, and closed afterwards however they end. Several, such as those of X-rays and pump
 * laser, are opened in their order, and closed in the other one.
 */
export function* withShutterOpen<R>(names: string | readonly string[], steps: PlanSteps<R>): PlanSteps<R> {
  const [name, ...others] = typeof names === "string" ? [names] : names;
  if (name === undefined) return yield* steps;
  yield* shutter(name, true);
  return yield* finalize(others.length === 0 ? steps : withShutterOpen(others, steps), () => shutter(name, false));
}

/** One name of a shutter, or several. @throws BAD_ARGUMENT */
export function asShutters(name: string, value: unknown): string | readonly string[] {
  return Array.isArray(value) ? value.map((one: unknown, i) => asText(`${name}[${i}]`, one)) : asText(name, value);
}

/**
 * A run of the facility is on during `steps`, and ended afterwards however they end.
 * @example const taken = yield* withRun({ comment: "reference" }, shots(60));
 */
export function* withRun<R>(request: RunToStart, steps: PlanSteps<R>): PlanSteps<R> {
  yield* startRun(request);
  return yield* finalize(steps, stopRun);
}

/** One pulse on the sample, and what tells it from those that were stopped. */
export interface OnePulse extends Omit<ShotsRequest, "count" | "selector"> {
  /** Open for the pulse only. */
  readonly shutter: string;
  /** The pulse selector: `off` until the shutter is open, then `single`. */
  readonly selector: string;
}

/**
 * One pulse: nothing passes the selector while the shutter opens, then it lets one through. `conditions` tell the shot
 * that hit from those around it, which had no X-rays; `budget` bounds how long it is looked for. Where the sample does
 * not survive a second one, within {@link once}.
 * @example
 * const conditions = [{ signalName: "diode", between: [0.01, 1] }] as const;
 * yield* once(onePulse({ shutter: "xrays", selector: "pulses", conditions, budget: { shots: 20 } }));
 */
export function* onePulse({ shutter: name, selector, ...request }: OnePulse): PlanSteps<ShotsTaken> {
  yield* set(selector, "off");
  return yield* withShutterOpen(name, shots({ ...request, count: 1, selector }));
}

/**
 * Makes steps from where axes are now, and puts them back afterwards.
 * @example relative(["delay"], ({ delay }) => …)
 */
export function* relative<R>(axes: readonly string[], make: (now: Positions) => PlanSteps<R>): PlanSteps<R> {
  const now = yield* where(axes);
  return yield* finalize(make(now), () => move(now));
}
