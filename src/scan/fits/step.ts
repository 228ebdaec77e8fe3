import { oneOf, optional, resolveOptions } from "../../core/options.ts";
import { normalCdf } from "../../core/special-functions.ts";
import { type FitOptions, type FitQuality, findFeature, fitOptionChecks, noStep, placesIn } from "./fit-points.ts";
import type { CurveModel, FitPoints, ShapeSearch } from "./least-squares.ts";
import { typicalStep } from "./peak.ts";

/** How the signal goes on after a step. */
export type AfterStep = "flat" | "line" | "parabola";

export interface StepFitOptions extends FitOptions {
  /** @default "flat" */
  readonly after?: AfterStep | undefined;
}

/** A blurred step; errors are one standard deviation. */
export interface StepFit extends FitQuality {
  readonly after: AfterStep;
  /** Where half of the step is done. */
  readonly centre: number;
  readonly centreError: number;
  /** Rms width of the blur; × 2.355 is its full width at half maximum, × 2.563 the way from 10 % to 90 %. */
  readonly width: number;
  readonly widthError: number;
  /** Negative for a step down. */
  readonly height: number;
  readonly heightError: number;
  /** The signal before the step. */
  readonly background: number;
  readonly backgroundError: number;
  /**
   * After the step the signal goes on as height + slope · t + bend · t², t counted from the centre; 0 where they are
   * not fitted.
   */
  readonly slope: number;
  readonly bend: number;
}

const afters = ["flat", "line", "parabola"] as const;

/** Fewest points that a fit takes: one more than it has parameters. */
export function leastStepPoints({ after = "flat" }: StepFitOptions): number {
  return termsOf(after) + 3;
}

/** Height, background, and what comes after the step. */
function termsOf(after: AfterStep): number {
  return 2 + afters.indexOf(after);
}

/** Centres and widths that are tried before the search; widths in parts of the range. */
const CENTRES = 40;
const WIDTHS = [0.01, 0.025, 0.06, 0.15];

/**
 * Fits a step blurred by a Gaussian: background + height · Φ((x − centre) / width), Φ the normal distribution function.
 * Pump–probe signals that are slow to recover rise like this, and beams vanish like this behind a knife edge
 * (Khosrofian and Garetz 1983). `after: "line"` or `"parabola"` adds what comes after the step, blurred likewise: a
 * recovery that begins in the window; {@link fitDecay} takes an exponential. Errors from the covariance at the minimum.
 * @throws NO_STEP when the points do not tell a step from noise, rest on a single point, or do not determine its centre
 *   or width: outside the points, broader than they are wide, sharper than they are apart
 * @throws BAD_ARGUMENT when the lengths differ, an error is negative, or a word is not known
 * @example
 * const { centre, centreError } = fitStep(delays, differences, { errors, after: "parabola" });
 */
export function fitStep(x: readonly number[], y: readonly number[], options: StepFitOptions = {}): StepFit {
  const { after, ...common } = resolveOptions("fitStep", options, {
    ...fitOptionChecks,
    after: optional(oneOf(...afters), "flat"),
  });
  const terms = termsOf(after);
  const model: CurveModel = {
    terms: ([centre = NaN, width = NaN], at) => {
      const [step, ramp, parabola] = blurred(centre, width, at);
      return [step, 1, ramp, parabola].slice(0, terms);
    },
    // Of a step that is narrow against the distance of the points little changes with its width.
    isUneven: "step",
  };
  const found = findFeature(x, y, common, {
    model,
    without: { terms: () => [1] },
    search: searchOf,
    refusal: noStep,
    excess: "added",
    least: leastStepPoints({ after }),
  });
  const [centre = NaN, width = NaN] = found.shape;
  const [height = NaN, background = NaN, slope = 0, bend = 0] = found.coefficients;
  const [centreError = NaN, widthError = NaN, heightError = NaN, backgroundError = NaN] = found.errors;
  checkEdge({ centre, width, height, heightError }, found.points);
  return {
    ...found.quality,
    after,
    centre,
    centreError,
    width,
    widthError,
    height,
    heightError,
    background,
    backgroundError,
    slope,
    bend,
  };
}

/** Step, ramp and parabola from the centre on, blurred: integrals of one another. */
function blurred(centre: number, width: number, x: number): readonly [step: number, ramp: number, parabola: number] {
  const u = (x - centre) / width;
  const bell = Math.exp(-0.5 * u * u) / Math.sqrt(2 * Math.PI);
  const step = normalCdf(u);
  return [step, width * (u * step + bell), width * width * ((u * u + 1) * step + u * bell)];
}

/** Trials of edges: centre and width; shared by the fits of steps and of decays. */
export function searchOf({ x }: FitPoints): ShapeSearch {
  const [low, high] = [Math.min(...x), Math.max(...x)];
  const range = high - low;
  if (!(range > 0)) throw noStep("all points are in one place");
  const trials = Array.from({ length: CENTRES }, (_, i) => low + (range * (i + 0.5)) / CENTRES).flatMap((centre) =>
    WIDTHS.map((width) => [centre, width * range]),
  );
  return {
    trials,
    scales: [range, range],
    from: [low - range, 1e-4 * range],
    to: [high + range, 2 * range],
  };
}

/** @throws NO_STEP for an edge whose centre or width the points do not show */
export function checkEdge(
  { centre, width, height, heightError }: Pick<StepFit, "centre" | "width" | "height" | "heightError">,
  { x }: FitPoints,
): void {
  const [low, high] = [Math.min(...x), Math.max(...x)];
  const digits = (value: number): string => value.toPrecision(3);
  const place = placesIn(low, high);
  if (!(centre > low && centre < high))
    throw noStep(`it would be at ${place(centre)}, outside the points from ${place(low)} to ${place(high)}`);
  if (!(width < (high - low) / 2))
    throw noStep(`what changes does so over more than the points from ${place(low)} to ${place(high)}`);
  if (Math.abs(height) < 3 * heightError)
    throw noStep(`its height ${digits(height)} is less than three times its error ${digits(heightError)}`);
  // Of a step between two points nothing changes with its centre and width.
  if (x.filter((at) => Math.abs(at - centre) < 3 * width).length < 2 || width < typicalStep(x) / 10)
    throw noStep(`it is sharper than the points are apart near ${place(centre)}; scan there in finer steps`);
}
