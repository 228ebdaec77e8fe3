import { integer, optional, resolveOptions } from "../../core/options.ts";
import { type FlyRequest, type FlyTaken, type Plan, type PlanSteps, plan } from "../messages/messages.ts";
import { flyChecks } from "../messages/shots-request.ts";
import { checkpoint, flyOnce, point } from "./stubs.ts";
import { andReturn, asShutters, withShutterOpen } from "./wrappers.ts";

export interface FlyScanOptions extends FlyRequest {
  /** Sweeps to and fro. @default 1 */
  readonly sweeps?: number | undefined;
  /** Open while it flies; several are opened in this order. */
  readonly shutter?: string | readonly string[] | undefined;
}

/**
 * A fly scan: the axis goes at the speed that spreads the shots evenly over the way, to and fro; each shot comes with
 * the position it was taken at. One row per shot: position, and the values of the signals.
 */
export function flyScan(options: FlyScanOptions): Plan<readonly FlyTaken[]> {
  const checks = { ...flyChecks, sweeps: optional(integer(1), 1), shutter: optional(asShutters) };
  const { sweeps, shutter, ...request } = resolveOptions("flyScan", options, checks);
  function* steps(): PlanSteps<readonly FlyTaken[]> {
    const all: FlyTaken[] = [];
    for (let sweep = 0; sweep < sweeps; sweep++) {
      const taken = yield* sweepOnce({ ...request, shutter }, sweep % 2 === 1);
      all.push(taken);
      for (const [i, position] of taken.positions.entries()) {
        const values = Object.entries(taken.values).map(([signal, column]) => [signal, column[i] ?? NaN] as const);
        yield* point({ [request.axis]: position, tag: taken.tags[i] ?? NaN, ...Object.fromEntries(values) });
      }
    }
    return all;
  }
  return plan("fly-scan", { ...options }, () => andReturn([request.axis], steps()));
}

/** One sweep without rows; `back` from the end to the beginning. */
export function* sweepOnce(options: FlyRequest & Pick<FlyScanOptions, "shutter">, back: boolean): PlanSteps<FlyTaken> {
  const { shutter, ...request } = options;
  yield* checkpoint();
  const flight = flyOnce(back ? { ...request, from: request.to, to: request.from } : request);
  return yield* withShutterOpen(shutter ?? [], flight);
}
