import { Matrix, solve } from "ml-matrix";
import { SaclaError } from "../../core/errors.ts";
import { asOneOf } from "../../core/guards.ts";
import { type Fitted, leastSquares, type Model, type Points, pointsOf, standardErrors } from "./least-squares.ts";

/** How the signal goes on after a step. */
export type AfterStep = "flat" | "line" | "parabola";

/** A blurred step; errors are one standard deviation. */
export interface StepFit {
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
  /** What is there before the step. */
  readonly background: number;
  readonly backgroundError: number;
  /**
   * After the step it goes on as height + slope · t + bend · t², t counted from the centre; 0 where they are not
   * fitted.
   */
  readonly slope: number;
  readonly bend: number;
  /**
   * χ² per degree of freedom with the errors given; NaN without errors, which are then estimated from the residuals.
   */
  readonly reducedChiSquare: number;
}

const afters = ["flat", "line", "parabola"] as const;
/** Centres and widths that are looked at before the search. */
const CENTRES = 40;
const WIDTHS = [0.01, 0.025, 0.06, 0.15];

/**
 * Fits a step blurred by a Gaussian: background + height · Φ((x − centre) / width), Φ the normal distribution function.
 * So do pump–probe signals rise that are slow to recover, and beams vanish behind a knife edge (Khosrofian and Garetz
 * 1983). `after: "line"` or `"parabola"` adds what comes after the step, blurred likewise: a recovery that begins in
 * the window. Errors from the covariance (JᵀWJ)⁻¹ at the minimum. `errors` are the standard errors of y; without them
 * all points weigh the same and the spread of the residuals gives the errors.
 * @throws NO_STEP when there are too few points, none stands out by three errors, or its place or width is not
 * determined: outside the points, broader than they are wide, sharper than they are apart
 * @throws BAD_ARGUMENT when the lengths differ
 * @example
 * const { centre, centreError } = fitStep(delays, differences, { errors, after: "parabola" });
 */
export function fitStep(
  x: readonly number[],
  y: readonly number[],
  options: { readonly errors?: readonly number[]; readonly after?: AfterStep } = {},
): StepFit {
  const { errors } = options;
  const after = asOneOf("after", options.after ?? "flat", afters);
  const free = 4 + afters.indexOf(after);
  const points = pointsOf(x, y, errors, free + 1, noStep);
  const [low, high] = [Math.min(...points.x), Math.max(...points.x)];
  const range = high - low;
  if (!(range > 0)) throw noStep("all points are in one place");
  const start = bestTrial(points, free, low, range);
  const rise = Math.max(...points.y) - Math.min(...points.y);
  const best = leastSquares(model, points, {
    start,
    scales: [range, range, rise, rise, rise / range, rise / range ** 2].slice(0, free),
    offsets: [low, 0, 0, start[3] ?? 0, 0, 0].slice(0, free),
    from: [-1, 1e-4, -1e3, -1e3, -1e5, -1e6].slice(0, free),
    to: [2, 2, 1e3, 1e3, 1e5, 1e6].slice(0, free),
  });
  if (!Number.isFinite(best.chiSquare)) throw noStep("the fit does not settle");
  return judged(after, best, points, errors !== undefined, low, high);
}

/** Parameters: centre, width, height, background, slope, bend; the last two may be left out. */
const model: Model = {
  value: (parameters, x) => {
    const [centre = NaN, width = NaN] = parameters;
    const [one, ramp, parabola] = blurred(centre, width, x);
    const [, , height = NaN, background = NaN, slope = 0, bend = 0] = parameters;
    return background + height * one + slope * ramp + bend * parabola;
  },
  slopes: (parameters, x) => {
    const [centre = NaN, width = NaN, height = NaN, , slope = 0, bend = 0] = parameters;
    const [one, ramp, parabola, bell] = blurred(centre, width, x);
    const u = (x - centre) / width;
    return [
      (-height * bell) / width - slope * one - 2 * bend * ramp,
      (-height * u * bell) / width + slope * bell + 2 * bend * width * one,
      one,
      1,
      ramp,
      parabola,
    ].slice(0, parameters.length);
  },
};

/** Step, ramp and parabola from the centre on, blurred; and the bell that blurs them: integrals of one another. */
function blurred(
  centre: number,
  width: number,
  x: number,
): readonly [one: number, ramp: number, parabola: number, bell: number] {
  const u = (x - centre) / width;
  const bell = Math.exp(-0.5 * u * u) / Math.sqrt(2 * Math.PI);
  const one = normalCdf(u, bell);
  return [one, width * (u * one + bell), width * width * ((u * u + 1) * one + u * bell), bell];
}

/** Φ(u), Abramowitz and Stegun 26.2.17, to 1e-7. */
function normalCdf(u: number, bell: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(u));
  const beyond =
    bell * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return u < 0 ? beyond : 1 - beyond;
}

/** The best of some centres and widths, each with the rest solved for: they are linear. */
function bestTrial(points: Points, free: number, low: number, range: number): number[] {
  let [best, least] = [[NaN], Infinity];
  for (let i = 0; i < CENTRES; i++) {
    for (const width of WIDTHS) {
      const [centre, wide] = [low + (range * (i + 0.5)) / CENTRES, width * range];
      const trial = [centre, wide, ...linearPart(points, free, centre, wide)];
      const chiSquare = points.x.reduce(
        (sum, x, k) => sum + (((points.y[k] ?? 0) - model.value(trial, x)) / (points.errors[k] ?? 1)) ** 2,
        0,
      );
      if (chiSquare < least) [best, least] = [trial, chiSquare];
    }
  }
  return best;
}

function linearPart({ x, y, errors }: Points, free: number, centre: number, width: number): number[] {
  const rows = x.map((at, i) => {
    const [one, ramp, parabola] = blurred(centre, width, at);
    return [one, 1, ramp, parabola].slice(0, free - 2).map((value) => value / (errors[i] ?? 1));
  });
  const right = Matrix.columnVector(y.map((value, i) => value / (errors[i] ?? 1)));
  const matrix = new Matrix(rows);
  // By singular values: where all points are on one side of the centre, step and background are the same.
  return solve(matrix.transpose().mmul(matrix), matrix.transpose().mmul(right), true).to1DArray();
}

function judged(
  after: AfterStep,
  { parameters, chiSquare }: Fitted,
  points: Points,
  hasErrors: boolean,
  low: number,
  high: number,
): StepFit {
  const [centre = NaN, width = NaN, height = NaN, background = NaN, slope = 0, bend = 0] = parameters;
  const digits = (value: number): string => value.toPrecision(3);
  if (!(centre > low && centre < high))
    throw noStep(`it would be at ${digits(centre)}, outside the points from ${digits(low)} to ${digits(high)}`);
  if (!(width < (high - low) / 2))
    throw noStep(`what changes does so over more than the points from ${digits(low)} to ${digits(high)}`);
  const reduced = chiSquare / (points.x.length - parameters.length);
  const factor = hasErrors ? 1 : Math.sqrt(reduced);
  const [centreError = NaN, widthError = NaN, heightError = NaN, backgroundError = NaN] = standardErrors(
    model,
    parameters,
    points,
  ).map((error) => factor * error);
  if (Math.abs(height) < 3 * heightError)
    throw noStep(`its height ${digits(height)} is less than three times its error ${digits(heightError)}`);
  // Of a step between two points nothing changes with its place and width.
  const onSlope = points.x.filter((x) => Math.abs(x - centre) < 3 * width).length;
  if (onSlope < 2 || ![centreError, widthError, heightError].every(Number.isFinite))
    throw noStep(`it is sharper than the points are apart near ${digits(centre)}; scan there in finer steps`);
  return {
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
    reducedChiSquare: hasErrors ? reduced : NaN,
  };
}

function noStep(why: string): SaclaError {
  return new SaclaError("NO_STEP", `There is no step: ${why}.`, { details: { why } });
}
