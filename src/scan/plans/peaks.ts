import { asText } from "../../core/guards.ts";
import { any, integer, optional, resolveOptions } from "../../core/options.ts";
import { pooledErrors } from "../../core/point-errors.ts";
import { ratioOfSums } from "../../core/ratio.ts";
import { summary } from "../beamline/shot-collector.ts";
import { type Centroid, centroid } from "../fits/centroid.ts";
import { type FitOptions, noPeak } from "../fits/fit-points.ts";
import { fitPeak, type PeakFit, type PeakFitOptions } from "../fits/peak.ts";
import { type Plan, type PlanSteps, type Positions, plan } from "../messages/messages.ts";
import { measurePoint, type PointOptions, pointChecks } from "./points.ts";
import { type EqualSteps, equalSteps, stepChecks } from "./scans.ts";
import { move, note, where } from "./stubs.ts";

export interface PeakOptions extends PointOptions, EqualSteps, Pick<PeakFitOptions, "shape" | "background" | "robust"> {
  readonly axis: string;
  /** One of the signals of the shots. */
  readonly signalName: string;
  /** The intensity monitor: the curve is the ratio of the sums of both over the shots of a point. */
  readonly normaliseBy?: string | undefined;
}

const peakChecks = {
  axis: asText,
  signalName: asText,
  normaliseBy: optional(asText),
  shape: any,
  background: any,
  robust: any,
  ...stepChecks,
  ...pointChecks,
};

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
    { ...options },
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
  return plan("go-to-peak", { ...options }, () => goTo(options), { adaptive: true });
}

function* goTo(options: PeakOptions): PlanSteps<PeakFit> {
  const { axis, from, to } = options;
  const curve = yield* curveOf(options);
  yield* move({ [axis]: from });
  const fit = yield* fitted(curve, options);
  checkInside(fit.centre, fit.centreError, from, to);
  yield* move({ [axis]: fit.centre });
  return fit;
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
  function* steps(): PlanSteps<Readonly<Record<string, Centroid>>> {
    const centres: Record<string, Centroid> = {};
    for (let round = 0; round < rounds; round++) {
      for (const each of axes) {
        const curve = yield* curveOf(each);
        yield* move({ [each.axis]: each.from });
        const found = centroid(curve.x, curve.y, { robust: each.robust, ...errorsOf(curve) });
        checkInside(found.centre, found.centreError, each.from, each.to);
        yield* move({ [each.axis]: found.centre });
        centres[each.axis] = found;
      }
    }
    return centres;
  }
  return plan("align-centroid", { axes, ...options }, steps, { adaptive: true });
}

function* curveOf(options: PeakOptions): PlanSteps<Curve> {
  const { axis, signalName: signal, normaliseBy } = options;
  const points: {
    readonly x: number;
    readonly count: number;
    readonly mean: number;
    readonly standardError: number;
  }[] = [];
  for (const position of equalSteps(options)) {
    const to: Positions = { [axis]: position };
    const taken = yield* measurePoint(to, options);
    const mean =
      normaliseBy === undefined
        ? summary(taken, signal)
        : ratioOfSums(taken.values[signal] ?? [], taken.values[normaliseBy] ?? []);
    // Where the axis really is: a target between two pulses is rounded to one.
    const at = yield* where([axis]);
    points.push({ x: at[axis] ?? position, ...mean });
  }
  return { x: points.map(({ x }) => x), y: points.map(({ mean }) => mean), ...pooledErrors(points) };
}

function* fitted(curve: Curve, options: PeakOptions): PlanSteps<PeakFit> {
  const { shape, background, robust, axis } = options;
  const fit = fitPeak(curve.x, curve.y, { shape, background, robust, ...errorsOf(curve) });
  const digits = (value: number): string => String(Number(value.toPrecision(6)));
  const scattered =
    fit.errorScale > 1
      ? ` (errors × ${fit.errorScale.toPrecision(2)}: the points are further off than their errors; backlash, ` +
        "drift, another shape?)"
      : "";
  yield* note(
    `${axis}: ${fit.shape} peak at ${digits(fit.centre)} ± ${fit.centreError.toPrecision(2)}, FWHM ` +
      `${digits(fit.fwhm)} ± ${fit.fwhmError.toPrecision(2)}${scattered}`,
  );
  return fit;
}

/** Where no point has two shots, the residuals give the errors. */
function errorsOf({ errors, errorFreedom }: Curve): Pick<FitOptions, "errors" | "errorFreedom"> {
  return errorFreedom > 0 ? { errors, errorFreedom } : {};
}

function checkInside(centre: number, error: number, from: number, to: number): void {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  if (!(centre >= low && centre <= high))
    throw noPeak(`it would be at ${centre.toPrecision(6)}, outside the scanned ${low} to ${high}`);
  if (!(error <= (high - low) / 4))
    throw noPeak(
      `its place ${centre.toPrecision(6)} ± ${error.toPrecision(2)} is not known well enough within ${low} to ${high}`,
    );
}
