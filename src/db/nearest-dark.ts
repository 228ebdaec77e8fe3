import { type CallOptions, callChecks } from "../core/async.ts";
import { isSaclaError } from "../core/errors.ts";
import { any, integer, optional, resolveOptions } from "../core/options.ts";
import type { Run } from "./run.ts";
import { loadRun } from "./run-stream.ts";

export interface NearestDarkOptions extends CallOptions {
  /** Only runs that have this detector or sensor, or all of these. @default any */
  readonly detector?: string | readonly string[] | undefined;
  /** Run numbers that are looked at on each side. @default 30 */
  readonly within?: number | undefined;
}

/** See `Db.nearestDark`. */
export async function findNearestDark<N extends string>(
  of: Run<N>,
  options: NearestDarkOptions,
): Promise<Run<N> | undefined> {
  const { detector, within, ...call } = resolveOptions("nearestDark", options, {
    detector: any,
    within: optional(integer(0, 1000), 30),
    ...callChecks,
  });
  if (await hasDark(of, detector, call)) return of;
  // Numbers follow time, so each side is near to far; of the two the nearer one in time comes first.
  const sides = [-1, 1].map((step) => ({ step, k: 0, next: undefined as Run<N> | undefined }));
  for (;;) {
    for (const side of sides)
      while (side.next === undefined && side.k < within)
        side.next = await runIfAny(of, of.number + side.step * ++side.k, call);
    const [nearer] = sides
      .filter(({ next }) => next !== undefined)
      .sort((a, b) => distance(of, a.next) - distance(of, b.next));
    if (nearer?.next === undefined) return undefined;
    if (await hasDark(nearer.next, detector, call)) return nearer.next;
    nearer.next = undefined;
  }
}

function distance<N extends string>(of: Run<N>, run: Run<N> | undefined): number {
  return run === undefined ? Infinity : Math.abs(run.info.starttime - of.info.starttime);
}

/** Undefined for a number without a run, and for a run that goes on. */
async function runIfAny<N extends string>(of: Run<N>, number: number, call: CallOptions): Promise<Run<N> | undefined> {
  if (number < 0) return undefined;
  try {
    const run = await loadRun<N>(of.endpoint, of.bl, number, call);
    return run.status === 0 ? run : undefined;
  } catch (error) {
    if (isSaclaError(error, "UNKNOWN_RUN", "UNKNOWN_BEAMLINE")) return undefined;
    throw error;
  }
}

async function hasDark<N extends string>(
  run: Run<N>,
  detector: NearestDarkOptions["detector"],
  call: CallOptions,
): Promise<boolean> {
  try {
    const detectors = typeof detector === "string" ? [detector] : (detector ?? []);
    for (const id of detectors) await run.findDetector(id, call);
    return (await run.darkTags(undefined, call)).length > 0;
  } catch (error) {
    if (isSaclaError(error, "UNKNOWN_DETECTOR", "UNKNOWN_SIGNAL")) return false;
    throw error;
  }
}
