import { isSaclaError } from "../../core/errors.ts";
import { asText, badArgument } from "../../core/guards.ts";
import { any, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { PointMean } from "../../core/point-errors.ts";
import { type SplitDelay, type SplitDelayCorrection, withAlignment, withInheritedErrors } from "../../optics/index.ts";
import { normalisedSummary } from "../beamline/shot-collector.ts";
import { type Plan, type PlanSteps, type Positions, plan, type ShotsRequest } from "../messages/messages.ts";
import { checkInside, curveOf, fitted } from "./peaks.ts";
import { measurePoint, type PointOptions, pointChecks } from "./points.ts";
import type { PseudoAxis } from "./pseudo-axis.ts";
import { move, set, where } from "./stubs.ts";
import { finalize, orReturn } from "./wrappers.ts";

export interface AlignSplitDelayOptions extends Omit<PointOptions, "freshSpots"> {
  /** Its correction is where the alignment begins. */
  readonly optics: SplitDelay;
  readonly photonEnergyEv: number;
  /** What tells whether a crystal reflects, in the order in which they are aligned; by the names of their axes. */
  readonly monitors: Readonly<Record<string, { readonly signalName: string; readonly normaliseBy: string }>>;
  /**
   * Beam position where both branches meet, µm, and the setting that opens one of them: `"delay"`, `"fixed"` or
   * `"both"`.
   */
  readonly position: { readonly signalName: string; readonly branch: string };
  /** A signal that is greatest at delay 0 whatever the photon energies of the branches are. */
  readonly correlation: string;
  /** Visibility of the interference of both branches. */
  readonly visibility: string;
  /** How far the crystals are turned to both sides, µrad. @default 100 */
  readonly halfUrad?: number | undefined;
  /** How far the delay is looked for to both sides, ps; by the visibility a fifth of it. @default 0.15 */
  readonly halfPs?: number | undefined;
  /** Of each scan. @default 41 */
  readonly points?: number | undefined;
  /** When, for the correction: text. */
  readonly learntAt: string;
}

/** What one step of an alignment found; `before` and `after` are of its signal, where it stood and where it stands. */
export interface AlignmentStep {
  readonly step: string;
  readonly unit: string;
  readonly outcome: "moved" | "stayed" | "failed" | "not-tried";
  /** Why it stayed or failed. */
  readonly why: string;
  /** How far it was from where it has to be; NaN where that was not found. */
  readonly found: number;
  readonly error: number;
  readonly before: PointMean | null;
  readonly after: PointMean | null;
}

export interface SplitDelayAlignment {
  readonly steps: readonly AlignmentStep[];
  /** Whether no step failed. */
  readonly isDone: boolean;
  /** The correction with what was found. */
  readonly correction: SplitDelayCorrection;
}

/** A step: an axis of its own that is 0 where the optics stand, and how it is done. */
interface Step {
  readonly step: string;
  readonly unit: string;
  /** Change of each real axis for one unit that is found. */
  readonly perUnit: Positions;
  readonly run: (axis: PseudoAxis) => PlanSteps<Outcome>;
}
type Outcome = Omit<AlignmentStep, "step" | "unit">;

const DEG_PER_URAD = (1e-6 * 180) / Math.PI;

/**
 * Aligns split-delay optics at delay 0: rocking curve of each crystal of `monitors`; both branches on one place, by BR1
 * and BR2 in opposite directions; delay 0 by the cross-correlation; CC1 and CC2 together to the photon energy of the
 * delay branch, by the visibility; delay 0 by the visibility.
 *
 * A step moves only when what it finds is more than three errors off, and then looks whether its signal has become
 * less. If so, its axes go back, and the next step is tried when what was found is on the peak on which they stand.
 * Else, or without a peak, all axes stay where the steps before have left them, and no further step is tried. When it
 * is stopped, or fails in another way, the axes of that step go back, too.
 * @throws BAD_ARGUMENT
 */
export function alignSplitDelay(options: AlignSplitDelayOptions): Plan<SplitDelayAlignment> {
  const { halfUrad, halfPs, points } = resolveOptions("alignSplitDelay", options, checks);
  const { count } = requestOf(options.shots);
  if (count < 2) throw badArgument("shots", count, "2 or more: their scatter gives the errors");
  const { optics: __, ...settings } = { ...options, halfUrad, halfPs, points };
  const steps = (isPath: boolean): PlanSteps<SplitDelayAlignment> =>
    new Alignment({ ...settings, optics: options.optics }, isPath).steps();
  return plan("align-split-delay", settings, () => steps(false), { adaptive: true, path: () => steps(true) });
}

const { freshSpots: _, ...pointOptions } = pointChecks;
const checks = {
  optics: any,
  photonEnergyEv: finite(0),
  monitors: any,
  position: any,
  correlation: asText,
  visibility: asText,
  halfUrad: optional(finite(0), 100),
  halfPs: optional(finite(0), 0.15),
  points: optional(integer(5), 41),
  learntAt: asText,
  ...pointOptions,
};

type Resolved = AlignSplitDelayOptions & Readonly<Record<"halfUrad" | "halfPs" | "points", number>>;

class Alignment {
  readonly #options: Resolved;
  readonly #isPath: boolean;

  constructor(options: Resolved, isPath: boolean) {
    this.#options = options;
    this.#isPath = isPath;
  }

  *steps(): PlanSteps<SplitDelayAlignment> {
    const { optics, photonEnergyEv, learntAt } = this.#options;
    const start = optics.positions({ delayPs: 0, photonEnergyEv });
    yield* orReturn(optics.axisNames, move(start));
    const rows: AlignmentStep[] = [];
    const changes: Record<string, { change: number; error: number }> = {};
    const rocked: Record<string, number> = {};
    for (const each of this.#all()) {
      const { step, unit, perUnit } = each;
      const here = yield* where(Object.keys(perUnit));
      const failed = rows.find(({ outcome }) => outcome === "failed" || outcome === "not-tried");
      const outcome =
        failed === undefined ? yield* this.#tried(each, here) : missing("not-tried", `after ${failed.step}`);
      rows.push({ step, unit, ...outcome });
      if (step in this.#options.monitors && outcome.error > 0) rocked[step] = DEG_PER_URAD * outcome.error;
      if (outcome.outcome !== "moved") continue;
      for (const [axis, per] of Object.entries(perUnit)) {
        // What was found, not where the axis stands now: a stage goes to the nearest whole pulse.
        const change = at(here, axis) + per * outcome.found - at(start, axis);
        changes[axis] = { change, error: Math.hypot(changes[axis]?.error ?? 0, per * outcome.error) };
      }
    }
    const known = withInheritedErrors(optics.axes, rocked, changes);
    const correction = withAlignment(optics, known, { photonEnergyEv, learntAt });
    return {
      steps: rows,
      isDone: rows.every(({ outcome }) => outcome === "moved" || outcome === "stayed"),
      correction,
    };
  }

  #all(): Step[] {
    const { optics, photonEnergyEv, monitors, halfUrad, halfPs, correlation, visibility } = this.#options;
    const { br1Gap, br2Gap, cc1, cc2 } = optics.axes;
    const { mmPerPs, lateralMmPerMm } = optics.geometry(photonEnergyEv);
    const mmPerUm = 1e-3 / (2 * lateralMmPerMm);
    const delay = { unit: "ps", perUnit: { [br1Gap]: mmPerPs, [br2Gap]: mmPerPs } };
    return [
      ...Object.entries(monitors).map(([axis, { signalName, normaliseBy }]) => ({
        step: axis,
        unit: "µrad",
        perUnit: { [axis]: DEG_PER_URAD },
        run: (turned: PseudoAxis) => this.#toPeak(turned, halfUrad, signalName, normaliseBy),
      })),
      {
        step: "place of the delay branch",
        unit: "µm",
        perUnit: { [br1Gap]: -mmPerUm, [br2Gap]: mmPerUm },
        run: (place) => this.#toOnePlace(place),
      },
      { ...delay, step: "delay 0 by correlation", run: (axis) => this.#toPeak(axis, halfPs, correlation) },
      {
        step: `${cc1} and ${cc2} together`,
        unit: "µrad",
        perUnit: { [cc1]: DEG_PER_URAD, [cc2]: DEG_PER_URAD },
        run: (turned) => this.#toPeak(turned, halfUrad, visibility),
      },
      { ...delay, step: "delay 0 by visibility", run: (axis) => this.#toPeak(axis, halfPs / 5, visibility) },
    ];
  }

  *#tried({ step, unit, perUnit, run }: Step, here: Positions): PlanSteps<Outcome> {
    const axes = Object.keys(perUnit);
    const axis: PseudoAxis = {
      name: step,
      unit,
      axes,
      forward: (value) => Object.fromEntries(axes.map((name) => [name, at(here, name) + value * at(perUnit, name)])),
      inverse: (now) =>
        axes.reduce((sum, name) => sum + (at(now, name) - at(here, name)) / at(perUnit, name), 0) / axes.length,
    };
    try {
      const outcome = yield* orReturn(axes, run(axis));
      if (outcome.outcome !== "moved") yield* move(here);
      return outcome;
    } catch (error) {
      if (!isSaclaError(error, "NO_PEAK")) throw error;
      return missing("failed", error.message);
    }
  }

  *#toPeak(axis: PseudoAxis, half: number, signalName: string, normaliseBy?: string): PlanSteps<Outcome> {
    const { points } = this.#options;
    const options = this.#pointOptions([signalName, ...(normaliseBy === undefined ? [] : [normaliseBy])]);
    const scan = { ...options, axis, from: -half, to: half, points, signalName, normaliseBy };
    const signalAt = function* (value: number): PlanSteps<PointMean> {
      const taken = yield* measurePoint(axis.forward(value), options, { [axis.name]: value });
      return normalisedSummary(taken, signalName, normaliseBy);
    };
    const before = yield* signalAt(0);
    const curve = yield* curveOf(scan);
    let [found, error, width] = [0, 0, 0];
    if (!this.#isPath) {
      const fit = yield* fitted(curve, scan);
      [found, error, width] = [fit.centre, fit.centreError, fit.fwhm];
      checkInside(found, error, -half, half);
      if (!(Math.abs(found) > 3 * error)) return { ...stayed, found, error, before, after: null };
    }
    // From the side from which the scan came: a stage with play stands as it stood at the points.
    yield* move(axis.forward(-half));
    const after = yield* signalAt(found);
    const noise = Math.hypot(before.standardError, after.standardError);
    const result = { found, error, before, after };
    if (this.#isPath) return { ...stayed, ...result };
    if (after.mean >= before.mean - 3 * noise || before.count === 0) return { ...moved, ...result };
    const why = "less signal there than before";
    // On the same peak it stands better where it is. Elsewhere what was found is no peak that repeats.
    return { ...result, outcome: Math.abs(found) < width / 2 ? "stayed" : "failed", why };
  }

  *#toOnePlace(axis: PseudoAxis): PlanSteps<Outcome> {
    const { signalName, branch } = this.#options.position;
    const options = this.#pointOptions([signalName]);
    const beside = function* (): PlanSteps<PointMean> {
      const means: PointMean[] = [];
      for (const open of ["fixed", "delay"]) {
        yield* set(branch, open);
        means.push(normalisedSummary(yield* measurePoint({}, options), signalName, undefined));
      }
      const [fixed, delay] = means as [PointMean, PointMean];
      const standardError = Math.hypot(fixed.standardError, delay.standardError);
      return { count: Math.min(fixed.count, delay.count), mean: delay.mean - fixed.mean, standardError };
    };
    const isPath = this.#isPath;
    const look = function* (): PlanSteps<Outcome> {
      const before = yield* beside();
      const { mean: found, standardError: error } = before;
      const result = { found, error, before };
      if (!isPath) {
        if (!(Number.isFinite(found) && error > 0))
          return {
            ...result,
            outcome: "failed",
            why: `${signalName} has no number in one of the branches`,
            after: null,
          };
        if (!(Math.abs(found) > 3 * error)) return { ...result, ...stayed, after: null };
        yield* move(axis.forward(found));
      }
      const after = yield* beside();
      if (isPath) return { ...result, ...stayed, after };
      const isBetter = Math.abs(after.mean) <= Math.max(0.5 * Math.abs(found), 3 * after.standardError);
      if (isBetter) return { ...result, ...moved, after };
      return { ...result, outcome: "failed", why: `still ${after.mean.toFixed(1)} µm beside the fixed branch`, after };
    };
    return yield* finalize(look(), () => set(branch, "both"));
  }

  #pointOptions(signals: readonly string[]): PointOptions {
    const { shots, shutter, settleSeconds, giveUp } = this.#options;
    return { shots: { ...requestOf(shots), signals }, shutter, settleSeconds, giveUp };
  }
}

function requestOf(shots: PointOptions["shots"]): ShotsRequest {
  return typeof shots === "number" ? { count: shots } : shots;
}

const at = (positions: Positions, axis: string): number => positions[axis] ?? NaN;

const moved = { outcome: "moved", why: "" } as const;
const stayed = { outcome: "stayed", why: "within 3 errors of where it stands" } as const;

function missing(outcome: "failed" | "not-tried", why: string): Outcome {
  return { outcome, why, found: NaN, error: NaN, before: null, after: null };
}
