import { fitPeak, noPeak, type PeakFit, type PeakShape, centroid as weighted } from "../fits/peak.ts";
import { type Plan, type Positions, plan, type Steps } from "../messages.ts";
import { summary } from "../shot-collector.ts";
import { move, note } from "../stubs.ts";
import { measure, type PointOptions } from "./points.ts";
import { type EqualSteps, equalSteps } from "./scans.ts";

export interface PeakOptions extends PointOptions, EqualSteps {
  readonly axis: string;
  /** One of the signals of the shots. */
  readonly signal: string;
  /** Divides the signal, shot by shot averages: the intensity monitor. */
  readonly normaliseBy?: string | undefined;
  /** @default "gaussian" */
  readonly shape?: PeakShape | undefined;
}

/** A curve with the errors of its points. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly errors: readonly number[];
}

/** A rocking curve: the curve, and its peak with errors. The axis stays at the last point. @throws NO_PEAK */
export function rockingCurve(options: PeakOptions): Plan<Curve & { readonly fit: PeakFit }> {
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
  return plan("go-to-peak", { ...options }, () => goTo(options), { adaptive: true });
}

function* goTo(options: PeakOptions): Steps<PeakFit> {
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
  axes: readonly Omit<PeakOptions, "shape">[],
  options: { readonly rounds?: number } = {},
): Plan<Readonly<Record<string, { readonly centre: number; readonly centreError: number }>>> {
  const { rounds = 1 } = options;
  function* steps(): Steps<Readonly<Record<string, { readonly centre: number; readonly centreError: number }>>> {
    const centres: Record<string, { readonly centre: number; readonly centreError: number }> = {};
    for (let round = 0; round < rounds; round++) {
      for (const each of axes) {
        const { x, y, errors } = yield* curveOf(each);
        yield* move({ [each.axis]: each.from });
        const found = weighted(x, y, errors);
        checkInside(found.centre, 0, each.from, each.to);
        yield* move({ [each.axis]: found.centre });
        centres[each.axis] = found;
      }
    }
    return centres;
  }
  return plan("align-centroid", { axes, ...options }, steps, { adaptive: true });
}

function* curveOf(options: PeakOptions): Steps<Curve> {
  const { axis, signal, normaliseBy } = options;
  const [x, y, errors]: [number[], number[], number[]] = [[], [], []];
  for (const position of equalSteps(options)) {
    const to: Positions = { [axis]: position };
    const taken = yield* measure(to, options);
    const top = summary(taken, signal);
    const below = normaliseBy === undefined ? { mean: 1, standardError: 0 } : summary(taken, normaliseBy);
    x.push(position);
    y.push(top.mean / below.mean);
    errors.push(Math.hypot(top.standardError / below.mean, (top.mean * below.standardError) / below.mean ** 2));
  }
  return { x, y, errors };
}

function* fitted({ x, y, errors }: Curve, { axis, shape = "gaussian" }: PeakOptions): Steps<PeakFit> {
  // A point of one shot, or of equal ones, has no error of its own.
  const haveErrors = errors.every((error) => error > 0);
  const fit = fitPeak(x, y, haveErrors ? { shape, errors } : { shape });
  const digits = (value: number): string => String(Number(value.toPrecision(6)));
  yield* note(
    `${axis}: ${shape} peak at ${digits(fit.centre)} ± ${fit.centreError.toPrecision(2)}, FWHM ${digits(fit.fwhm)} ± ${fit.fwhmError.toPrecision(2)}`,
  );
  return fit;
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
