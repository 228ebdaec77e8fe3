import { asText, badArgument } from "../../core/guards.ts";
import { flag, integer, oneOf, optional, resolveOptions } from "../../core/options.ts";
import { pooledErrors } from "../../core/point-errors.ts";
import { normalisedSummary } from "../beamline/shot-collector.ts";
import { type Centroid, centroid } from "../fits/centroid.ts";
import { type FitOptions, noPeak } from "../fits/fit-points.ts";
import { fitPeak, leastPeakPoints, type PeakFit, type PeakFitOptions, peakFitChecks } from "../fits/peak.ts";
import { type Plan, type PlanSteps, plan } from "../messages/messages.ts";
import { measurePoint, type PointOptions, pointChecks } from "./points.ts";
import { asAxis, nameOf, namesOf, type PseudoAxis, positionsOf, readingOf } from "./pseudo-axis.ts";
import { type EqualSteps, equalSteps, stepChecks } from "./scans.ts";
import { move, note, where } from "./stubs.ts";
import { orReturn } from "./wrappers.ts";

/** What is measured at each step of a curve. */
export interface CurveScanOptions extends PointOptions, EqualSteps {
  /** An axis, or several as one. */
  readonly axis: string | PseudoAxis;
  /** One of the signals of the shots. */
  readonly signalName: string;
  /** The intensity monitor: the curve is the ratio of the sums of both over the shots of a point. */
  readonly normaliseBy?: string | undefined;
}

export interface PeakOptions extends CurveScanOptions, Pick<PeakFitOptions, "shape" | "background" | "robust"> {}

export const curveChecks = {
  axis: asAxis,
  signalName: asText,
  normaliseBy: optional(asText),
  ...stepChecks,
  ...pointChecks,
};
export const peakChecks = { ...peakFitChecks, robust: optional(flag), ...curveChecks };

/** A curve with the errors of its points. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly errors: readonly number[];
  /** Degrees of freedom behind the errors: the scatter of the shots of all points gives them. 0: there are none. */
  readonly errorFreedom: number;
}

/** A rocking curve: the curve, and its peak with errors. The axis stays at the last point. @throws NO_PEAK */
export function rockingCurve(options: PeakOptions): Plan<Curve & { readonly fit: PeakFit }> {
  resolveOptions("rockingCurve", options, peakChecks);
  return plan(
    "rocking-curve",
    settingsOf(options, leastPeakPoints(options)),
    function* () {
      const curve = yield* curveOf(options);
      return { ...curve, fit: yield* fitted(curve, options) };
    },
    { adaptive: true },
  );
}

/**
 * A rocking curve, then to its peak, approached from the side where the scan began. It goes nowhere when the peak lies
 * outside the scanned window or its error is larger than a quarter of it: the axis goes back to where the scan began.
 * @throws NO_PEAK
 */
export function goToPeak(options: PeakOptions): Plan<PeakFit> {
  resolveOptions("goToPeak", options, peakChecks);
  return plan("go-to-peak", settingsOf(options, leastPeakPoints(options)), () => goTo(options), { adaptive: true });
}

function* goTo(options: PeakOptions): PlanSteps<PeakFit> {
  const { axis, from, to } = options;
  const curve = yield* curveOf(options);
  yield* move(positionsOf(axis, from));
  const fit = yield* fitted(curve, options);
  checkInside(fit.centre, fit.centreError, from, to);
  yield* move(positionsOf(axis, fit.centre));
  return fit;
}

/** What {@link rock} found, and where the axis stands now. */
export interface Rocked extends Curve {
  /** Null with `go: "centre"`. */
  readonly fit: PeakFit | null;
  /** Null but for `go: "centre"`. */
  readonly centroid: Centroid | null;
  readonly standsAt: number;
}

const rockChecks = { go: optional(oneOf("peak", "centre", "back"), "back"), ...peakChecks };

/**
 * A rocking curve that ends where you say: at the fitted peak, at the centre of gravity, or back where the axis was. It
 * goes back, too, when there is no peak, and when the scan is stopped or fails; not after a fault of a device.
 * @throws NO_PEAK
 * @example const { fit } = yield* rock({ axis: "theta", go: "peak", from: -0.1, to: 0.1, points: 41, … }).steps();
 */
export function rock(
  options: PeakOptions & {
    /** @default "back" */
    readonly go?: "peak" | "centre" | "back" | undefined;
  },
): Plan<Rocked> {
  const { go } = resolveOptions("rock", options, rockChecks);
  const { axis, from, to } = options;
  const names = namesOf(axis);
  function* steps(): PlanSteps<Rocked> {
    const before = yield* where(names);
    const curve = yield* curveOf(options);
    const found = go === "centre" ? centroid(curve.x, curve.y, { robust: options.robust, ...errorsOf(curve) }) : null;
    const fit = found === null ? yield* fitted(curve, options) : null;
    const { centre, centreError } = found ?? fit ?? { centre: NaN, centreError: NaN };
    checkInside(centre, centreError, from, to);
    // From the side from which the scan came: a stage with play stands as it stood at the points.
    if (go !== "back") yield* move(positionsOf(axis, from));
    yield* move(go === "back" ? before : positionsOf(axis, centre));
    return { ...curve, fit, centroid: found, standsAt: readingOf(axis, yield* where(names)) };
  }
  const settings = { ...settingsOf(options, leastPeakPoints(go === "centre" ? {} : options)), go };
  return plan("rock", settings, () => orReturn(names, steps()), { adaptive: true });
}

/**
 * Aligns axes one after the other to the centroid of a signal, for `rounds` rounds: the next axis is scanned with the
 * ones before at their centre. @throws NO_PEAK
 */
export function alignCentroid(
  axes: readonly Omit<PeakOptions, "shape" | "background">[],
  options: { readonly rounds?: number | undefined } = {},
): Plan<Readonly<Record<string, Centroid>>> {
  const { rounds } = resolveOptions("alignCentroid", options, { rounds: optional(integer(1), 1) });
  const { shape: _, background: __, ...axisChecks } = peakChecks;
  for (const axis of axes) resolveOptions("axis of alignCentroid", axis, axisChecks);
  function* steps(isPath: boolean): PlanSteps<Readonly<Record<string, Centroid>>> {
    const centres: Record<string, Centroid> = {};
    for (let round = 0; round < rounds; round++) {
      for (const each of axes) {
        const curve = yield* curveOf(each);
        yield* move(positionsOf(each.axis, each.from));
        if (isPath) {
          yield* move(positionsOf(each.axis, (each.from + each.to) / 2));
          continue;
        }
        const found = centroid(curve.x, curve.y, { robust: each.robust, ...errorsOf(curve) });
        checkInside(found.centre, found.centreError, each.from, each.to);
        yield* move(positionsOf(each.axis, found.centre));
        centres[nameOf(each.axis)] = found;
      }
    }
    return centres;
  }
  const settings = { axes: axes.map((each) => settingsOf(each, leastPeakPoints({}))), ...options };
  return plan("align-centroid", settings, () => steps(false), { adaptive: true, path: () => steps(true) });
}

/**
 * As JSON: a pseudo axis by its name, and where it goes.
 * @param least - fewest points that what is looked for can be fitted to
 * @throws BAD_ARGUMENT for a curve of one place or of fewer points, in which nothing can be found
 */
export function settingsOf(options: CurveScanOptions, least: number): Readonly<Record<string, unknown>> {
  const { axis, from, to, points } = options;
  if (from === to) throw badArgument("to", to, `another place than from, ${from}`);
  if (points < least) throw badArgument("points", points, `at least ${least}, one more than the fit has parameters`);
  if (typeof axis === "string") return { ...options };
  return { ...options, axis: axis.name, ends: [axis.forward(from), axis.forward(to)] };
}

export function* curveOf(options: CurveScanOptions): PlanSteps<Curve> {
  const { axis, signalName: signal, normaliseBy } = options;
  const points: {
    readonly x: number;
    readonly count: number;
    readonly mean: number;
    readonly standardError: number;
  }[] = [];
  for (const position of equalSteps(options)) {
    const to = positionsOf(axis, position);
    const taken = yield* measurePoint(to, options, typeof axis === "string" ? {} : { [axis.name]: position });
    const mean = normalisedSummary(taken, signal, normaliseBy);
    // Where the axis really is: a target between two pulses is rounded to one.
    const at = yield* where(namesOf(axis));
    points.push({ x: readingOf(axis, at), ...mean });
  }
  return { x: points.map(({ x }) => x), y: points.map(({ mean }) => mean), ...pooledErrors(points) };
}

export function* fitted(curve: Curve, options: PeakOptions): PlanSteps<PeakFit> {
  const { shape, background, robust, axis } = options;
  const fit = fitPeak(curve.x, curve.y, { shape, background, robust, ...errorsOf(curve) });
  const digits = (value: number): string => String(Number(value.toPrecision(6)));
  const scattered =
    fit.errorScale > 1
      ? ` (the points are ${fit.errorScale.toPrecision(2)} times further off than their errors: backlash, drift, ` +
        "another shape?)"
      : "";
  yield* note(
    `${nameOf(axis)}: ${fit.shape} peak at ${digits(fit.centre)} ± ${fit.centreError.toPrecision(2)}, FWHM ` +
      `${digits(fit.fwhm)} ± ${fit.fwhmError.toPrecision(2)}${scattered}`,
  );
  return fit;
}

/** Where no point has two shots, the residuals give the errors. */
export function errorsOf({ errors, errorFreedom }: Curve): Pick<FitOptions, "errors" | "errorFreedom"> {
  return errorFreedom > 0 ? { errors, errorFreedom } : {};
}

export function checkInside(centre: number, error: number, from: number, to: number): void {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  if (!(centre >= low && centre <= high))
    throw noPeak(`it would be at ${centre.toPrecision(6)}, outside the scanned ${low} to ${high}`);
  if (!(error <= (high - low) / 4))
    throw noPeak(
      `its place ${centre.toPrecision(6)} ± ${error.toPrecision(2)} is not known well enough within ${low} to ${high}`,
    );
}
