import { asText, badArgument } from "../../core/guards.ts";
import { any, finite, integer, oneOf, optional, resolveOptions } from "../../core/options.ts";
import { normalCdf } from "../../core/special-functions.ts";
import {
  learnSplitDelayCorrection,
  type SplitDelay,
  type SplitDelayCorrection,
  type SplitDelayPoint,
  withInheritedErrors,
  withZeroDelay,
} from "../../optics/index.ts";
import { leastPeakPoints, type PeakFit } from "../fits/peak.ts";
import { fitStep, leastStepPoints, type StepFit } from "../fits/step.ts";
import { type Plan, type PlanSteps, plan } from "../messages/messages.ts";
import {
  type Curve,
  type CurveScanOptions,
  curveChecks,
  curveOf,
  errorsOf,
  fitted,
  type PeakOptions,
  peakChecks,
  settingsOf,
} from "./peaks.ts";
import { type PointOptions, pointChecks } from "./points.ts";
import { delayAxis, namesOf, positionsOf } from "./pseudo-axis.ts";
import { move, note, where } from "./stubs.ts";
import { andReturn, orReturn } from "./wrappers.ts";

export interface EdgeScanOptions extends CurveScanOptions {
  /** Energy of the edge, in the unit of the axis. */
  readonly edgeEv: number;
  /** `"transmission"`: the signal is behind the sample, the monitor before it. @default "transmission" */
  readonly detected?: "transmission" | "fluorescence" | undefined;
}

/** An absorption edge that was scanned: absorbances with their errors. */
export interface EdgeScan extends Curve {
  readonly fit: StepFit;
  /** Where the edge was seen less where it is. */
  readonly offEv: number;
  readonly errorEv: number;
}

/**
 * Scans an absorption edge and says how far it is from where it should be: what a monochromator is calibrated with. The
 * axis is usually an {@link energyAxis}; it goes back to where it was.
 * @throws NO_STEP, BAD_ARGUMENT
 */
export function edgeScan(options: EdgeScanOptions): Plan<EdgeScan> {
  const { detected, edgeEv } = resolveOptions("edgeScan", options, {
    edgeEv: finite(),
    detected: optional(oneOf("transmission", "fluorescence"), "transmission"),
    ...curveChecks,
  });
  function* steps(): PlanSteps<EdgeScan> {
    const measured = yield* curveOf(options);
    const found =
      detected === "fluorescence"
        ? { ...measured, fit: fitStep(measured.x, measured.y, errorsOf(measured)) }
        : fitAbsorbance(measured);
    const { fit } = found;
    const offEv = fit.centre - edgeEv;
    yield* note(
      `edge at ${fit.centre.toFixed(2)} ± ${fit.centreError.toFixed(2)}, ${Math.abs(offEv).toFixed(2)} ` +
        `${offEv < 0 ? "below" : "above"} ${edgeEv}`,
    );
    return { ...found, offEv, errorEv: fit.centreError };
  }
  const settings = { ...settingsOf(options, leastStepPoints({})), edgeEv, detected };
  return plan("edge-scan", settings, () => andReturn(namesOf(options.axis), steps()), { adaptive: true });
}

/** Rounds in which absorbances are taken about the curve fitted before. */
const ROUNDS = 4;

/**
 * The edge in absorbances of transmissions, which noise may make 0 or less. The logarithm of a noisy number is off, and
 * so is its weight; near the fitted curve it is a straight line: −ln T ≈ A − (T / e^−A − 1), with the error of
 * T / e^−A.
 */
function fitAbsorbance(curve: Curve): Curve & { readonly fit: StepFit } {
  const { x, y, errors } = curve;
  const least = 0.05 * Math.max(...y);
  const about = (model: readonly number[]): Curve => ({
    ...curve,
    y: model.map((absorbance, i) => absorbance - ((y[i] ?? NaN) * Math.exp(absorbance) - 1)),
    errors: model.map((absorbance, i) => (errors[i] ?? NaN) * Math.exp(absorbance)),
  });
  let found = about(y.map((share) => -Math.log(Math.max(share, least))));
  let fit = fitStep(x, found.y, errorsOf(found));
  for (let round = 1; round < ROUNDS; round++) {
    const { background, height, centre, width } = fit;
    found = about(x.map((at) => background + height * normalCdf((at - centre) / width)));
    fit = fitStep(x, found.y, errorsOf(found));
  }
  return { ...found, fit };
}

export interface LearnSplitDelayOptions extends PointOptions {
  readonly optics: SplitDelay;
  readonly photonEnergyEv: number;
  readonly delaysPs: readonly number[];
  /** What tells whether a crystal reflects, in the order in which they are aligned; by the names of their axes. */
  readonly monitors: Readonly<Record<string, { readonly signalName: string; readonly normaliseBy: string }>>;
  /** How far each is turned to both sides, µrad. @default 100 */
  readonly halfUrad?: number | undefined;
  /** @default 41 */
  readonly points?: number | undefined;
  /** When, for the correction: text. */
  readonly learntAt: string;
  /** See {@link learnSplitDelayCorrection}. */
  readonly degree?: number | undefined;
}

/**
 * Aligns crystals of split-delay optics at delays, one after the other by rocking curves, and makes the correction of
 * what it found. At the end all axes stand at the last delay, aligned; when it fails they go back to where they were.
 * Before anything moves it is refused when an axis would leave its limits at any of the delays.
 * @throws NO_PEAK, BAD_ARGUMENT
 */
export function learnSplitDelay(options: LearnSplitDelayOptions): Plan<SplitDelayCorrection> {
  const { photonEnergyEv, halfUrad, points, degree } = resolveOptions("learnSplitDelay", options, {
    optics: any,
    photonEnergyEv: finite(0),
    delaysPs: any,
    monitors: any,
    halfUrad: optional(finite(0), 100),
    points: optional(integer(5), 41),
    learntAt: asText,
    degree: optional(integer(0, 5)),
    ...pointChecks,
  });
  const { optics, delaysPs, monitors, learntAt, ...rest } = options;
  if (delaysPs.length === 0) throw badArgument("delaysPs", delaysPs, "at least one");
  const { shots, shutter, settleSeconds, giveUp } = rest;
  const half = (halfUrad * 1e-6 * 180) / Math.PI;
  // What is found replaces what was learnt before, but for the zero of the delay and crystals that are not rocked, such
  // as CC1, which was brought to the photon energy of the other branch. A series is of its own gaps, and is dropped.
  const before = Object.entries(optics.correction?.axes ?? {});
  const kept = Object.fromEntries(
    before.filter(([axis, { coefficients }]) => coefficients.length === 1 && monitors[axis] === undefined),
  );
  const bare = optics.with(optics.correction && { ...optics.correction, axes: kept, gapZeroMm: {} });
  const names = optics.axisNames;
  function* steps(isPath: boolean): PlanSteps<SplitDelayCorrection> {
    const learnt: SplitDelayPoint[] = [];
    const offsets: Record<string, number> = {};
    for (const delayPs of delaysPs) {
      const nominal = bare.positions({ delayPs, photonEnergyEv });
      const near = Object.fromEntries(Object.entries(nominal).map(([axis, at]) => [axis, at + (offsets[axis] ?? 0)]));
      yield* move(near);
      const found: Record<string, { offset: number; error: number }> = {};
      for (const [axis, monitor] of Object.entries(monitors)) {
        const middle = near[axis];
        if (middle === undefined) throw badArgument("monitors", axis, `names of ${names.join(", ")}`);
        const range = { axis, from: middle - half, to: middle + half, points };
        const curve: PeakOptions = { ...range, ...monitor, shots, shutter, settleSeconds, giveUp };
        const measured = yield* curveOf(curve);
        const { centre, centreError } = isPath ? { centre: middle, centreError: half } : yield* fitted(measured, curve);
        yield* move({ [axis]: range.from });
        yield* move({ [axis]: centre });
        offsets[axis] = centre - (nominal[axis] ?? NaN);
        found[axis] = { offset: offsets[axis], error: centreError };
      }
      const own = Object.fromEntries(Object.entries(found).map(([axis, { error }]) => [axis, error]));
      const offsetsFound = withInheritedErrors(optics.axes, own, found);
      learnt.push({ gapMm: bare.gapMm({ delayPs, photonEnergyEv }), offsets: offsetsFound });
    }
    const correction = learnSplitDelayCorrection({ photonEnergyEv, points: learnt, learntAt, degree });
    return { ...correction, axes: { ...kept, ...correction.axes }, gapZeroMm: optics.correction?.gapZeroMm ?? {} };
  }
  const settings = { ...rest, photonEnergyEv, delaysPs, monitors, learntAt, halfUrad, points };
  const path = (): PlanSteps<unknown> => steps(true);
  return plan("learn-split-delay", settings, () => orReturn(names, steps(false)), { adaptive: true, path });
}

export interface ZeroDelayOptions extends Omit<PeakOptions, "axis"> {
  readonly optics: SplitDelay;
  readonly photonEnergyEv: number;
  /** When, for the correction: text. */
  readonly learntAt: string;
}

/** Where the delay is 0, and the correction that knows it. */
export interface FoundZeroDelay {
  readonly fit: PeakFit;
  readonly correction: SplitDelayCorrection;
  /** The delay at which the optics stand now, by the new correction: the stages stop at whole pulses. */
  readonly standsAtPs: number;
}

/**
 * Finds where the delay of split-delay optics is 0: the peak of a signal that is greatest there, such as the visibility
 * of speckle while both halves interfere, or a cross-correlation. Then it goes there.
 * @throws NO_PEAK with all axes back where they were
 */
export function findZeroDelay(options: ZeroDelayOptions): Plan<FoundZeroDelay> {
  const { optics, photonEnergyEv, learntAt, ...rest } = options;
  const { axis: _, ...checks } = peakChecks;
  resolveOptions("findZeroDelay", options, {
    optics: any,
    photonEnergyEv: finite(0),
    learntAt: asText,
    ...checks,
  });
  const axis = delayAxis(optics, photonEnergyEv);
  const scanned: PeakOptions = { ...rest, axis };
  function* steps(): PlanSteps<FoundZeroDelay> {
    const fit = yield* fitted(yield* curveOf(scanned), scanned);
    const { mmPerPs } = optics.geometry(photonEnergyEv);
    const gaps = [optics.axes.br1Gap, optics.axes.br2Gap];
    const zero = { atPs: fit.centre, errorPs: fit.centreError, mmPerPs, photonEnergyEv, learntAt };
    yield* move(positionsOf(axis, rest.from));
    yield* move(positionsOf(axis, fit.centre));
    const correction = withZeroDelay(optics.correction, gaps, zero);
    const standsAtPs = optics.with(correction).knobs(yield* where(axis.axes)).delayPs;
    return { fit, correction, standsAtPs };
  }
  const settings = { ...settingsOf(scanned, leastPeakPoints(scanned)), photonEnergyEv, learntAt };
  return plan("find-zero-delay", settings, () => orReturn(axis.axes, steps()), { adaptive: true });
}
