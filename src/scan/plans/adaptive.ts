import { SaclaError, show } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { finite, resolveOptions } from "../../core/options.ts";
import { summary } from "../beamline/shot-collector.ts";
import { type Plan, type PlanSteps, plan, type SignalSummary } from "../messages/messages.ts";
import { measurePoint } from "./points.ts";
import { type ScanOptions, scanChecks } from "./scans.ts";
import { andReturn } from "./wrappers.ts";

export interface AdaptiveOptions extends ScanOptions {
  readonly from: number;
  readonly to: number;
  /** One of the signals of the shots. */
  readonly signalName: string;
  /** Change of the signal from point to point that is aimed at. */
  readonly change: number;
  readonly leastStep: number;
  readonly greatestStep: number;
}

/**
 * A scan whose step follows the signal: small where it changes, large where it is flat. After a step in which the
 * signal changed by more than twice what is wanted it goes back and looks between. A change of less than three of its
 * standard errors counts as none. A point without any number tells no step, so the scan ends there, also with
 * `giveUp: "go-on"`.
 * @throws TOO_FEW_SHOTS when run
 */
export function adaptiveScan(options: AdaptiveOptions): Plan {
  const {
    axis,
    from,
    to,
    signalName: signal,
    change,
    leastStep,
    greatestStep,
  } = resolveOptions("adaptiveScan", options, {
    ...scanChecks,
    from: finite(),
    to: finite(),
    signalName: asText,
    change: finite(Number.MIN_VALUE),
    leastStep: finite(Number.MIN_VALUE),
    greatestStep: finite(options.leastStep),
  });
  const direction = to >= from ? 1 : -1;
  function* steps(): PlanSteps {
    let at = from;
    let step = greatestStep;
    let before: SignalSummary | undefined;
    let last = from;
    while (direction * (to - at) >= 0) {
      const here = summary(yield* measurePoint({ [axis]: at }, options), signal);
      if (here.count === 0) throw noNumber(signal, axis, at);
      const changed = before === undefined ? change : significantChange(before, here);
      const wanted = changed > 0 ? step * Math.min(2, change / changed) : 2 * step;
      const next = Math.min(greatestStep, Math.max(leastStep, Number.isFinite(wanted) ? wanted : step));
      const isTooFar = before !== undefined && changed > 2 * change && step > leastStep;
      if (!isTooFar) {
        before = here;
        last = at;
      }
      step = isTooFar ? Math.max(leastStep, step / 2) : next;
      // The end is a point of its own, whatever the step.
      at = last === to ? to + direction * greatestStep : direction * (to - last) < step ? to : last + direction * step;
    }
  }
  return plan(
    "adaptive-scan",
    { ...options },
    () => (options.andReturn === false ? steps() : andReturn([axis], steps())),
    { adaptive: true },
  );
}

function noNumber(signal: string, axis: string, at: number): SaclaError {
  return new SaclaError(
    "TOO_FEW_SHOTS",
    `No good shot at ${axis} = ${at} has a number for ${show(signal)}, ` +
      "so an adaptive scan cannot choose its next step.",
    { details: { signal, axis, at } },
  );
}

/** Points of a single shot have no error: there every change counts. */
function significantChange(a: SignalSummary, b: SignalSummary): number {
  const change = Math.abs(b.mean - a.mean);
  return change < 3 * Math.hypot(a.standardError, b.standardError) ? 0 : change;
}
