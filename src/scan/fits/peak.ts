import { SaclaError } from "../../core/errors.ts";
import { type Fitted, leastSquares, type Model, type Points, pointsOf, standardErrors } from "./least-squares.ts";

export type PeakShape = "gaussian" | "lorentzian";

/** A peak on a flat background; errors are one standard deviation. */
export interface PeakFit {
  readonly shape: PeakShape;
  readonly centre: number;
  readonly centreError: number;
  /** Full width at half maximum. */
  readonly fwhm: number;
  readonly fwhmError: number;
  readonly height: number;
  readonly heightError: number;
  readonly background: number;
  readonly backgroundError: number;
  /**
   * χ² per degree of freedom with the errors given; NaN without errors, which are then estimated from the residuals.
   */
  readonly reducedChiSquare: number;
}

const GAUSSIAN = 4 * Math.LN2;

/** Value of the peak with the parameters centre, FWHM, height, background. */
function peakAt(
  shape: PeakShape,
  [centre = NaN, fwhm = NaN, height = NaN, background = NaN]: readonly number[],
  x: number,
): number {
  const u = ((x - centre) / fwhm) ** 2;
  return background + height * (shape === "gaussian" ? Math.exp(-GAUSSIAN * u) : 1 / (1 + 4 * u));
}

/** Derivatives by the four parameters. */
function slopesOf(shape: PeakShape, [centre = NaN, fwhm = NaN, height = NaN]: readonly number[], x: number): number[] {
  const off = x - centre;
  const u = (off / fwhm) ** 2;
  if (shape === "gaussian") {
    const e = Math.exp(-GAUSSIAN * u);
    return [(2 * GAUSSIAN * height * e * off) / fwhm ** 2, (2 * GAUSSIAN * height * e * u) / fwhm, e, 1];
  }
  const e = 1 / (1 + 4 * u);
  return [(8 * height * e * e * off) / fwhm ** 2, (8 * height * e * e * u) / fwhm, e, 1];
}

/**
 * Fits a peak (Levenberg–Marquardt, of `ml-levenberg-marquardt`); errors from the covariance (JᵀWJ)⁻¹ at the minimum.
 * A dip has a negative height. `errors` are the standard errors of y; without them all points weigh the same and the
 * spread of the residuals gives the errors.
 * @throws NO_PEAK when there are too few points, the fit does not settle, or its peak does not stand out
 * @example
 * const { centre, centreError } = fitPeak(thetas, intensities, { errors, shape: "lorentzian" });
 */
export function fitPeak(
  x: readonly number[],
  y: readonly number[],
  options: { readonly shape?: PeakShape; readonly errors?: readonly number[] } = {},
): PeakFit {
  const { shape = "gaussian", errors } = options;
  const points = pointsOf(x, y, errors, 5, noPeak);
  const best = [1, -1].map((sign) => settle(shape, points, sign)).sort((a, b) => a.chiSquare - b.chiSquare)[0];
  if (best === undefined || !Number.isFinite(best.chiSquare)) throw noPeak("the fit does not settle");
  return judged(shape, best, points, errors !== undefined);
}

function settle(shape: PeakShape, points: Points, sign: number): Fitted {
  const { x: xs, y: ys } = points;
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const sorted = [...ys].sort((a, b) => sign * (a - b));
  const background = sorted[Math.floor(sorted.length / 4)] ?? 0;
  const top = sorted.at(-1) ?? 0;
  const half = (top + background) / 2;
  const above = xs.filter((_, i) => sign * ((ys[i] ?? 0) - half) > 0);
  const step = (high - low) / Math.max(1, xs.length - 1);
  const start = [
    xs[ys.indexOf(top)] ?? 0,
    Math.max(step, Math.max(...above) - Math.min(...above)),
    top - background,
    background,
  ];
  const xScale = high - low || 1;
  const yScale = Math.abs(top - background) || 1;
  return leastSquares(modelOf(shape), points, {
    start,
    scales: [xScale, xScale, yScale, yScale],
    offsets: [low, 0, 0, background],
    from: [-2, 1e-4, -1e3, -1e6],
    to: [3, 20, 1e3, 1e6],
  });
}

function modelOf(shape: PeakShape): Model {
  return { value: (p, x) => peakAt(shape, p, x), slopes: (p, x) => slopesOf(shape, p, x) };
}

function judged(shape: PeakShape, { parameters, chiSquare }: Fitted, points: Points, hasErrors: boolean): PeakFit {
  const [centre = NaN, fwhm = NaN, height = NaN, background = NaN] = parameters;
  const reduced = chiSquare / Math.max(1, points.x.length - 4);
  const factor = hasErrors ? 1 : Math.sqrt(reduced);
  const [centreError = NaN, fwhmError = NaN, heightError = NaN, backgroundError = NaN] = standardErrors(
    modelOf(shape),
    parameters,
    points,
  ).map((error) => factor * error);
  if (![centreError, fwhmError, heightError].every(Number.isFinite)) throw noPeak("the points do not determine one");
  if (Math.abs(height) < 3 * heightError)
    throw noPeak(
      `its height ${height.toPrecision(3)} is less than three times its error ${heightError.toPrecision(2)}`,
    );
  return {
    shape,
    centre,
    centreError,
    fwhm: Math.abs(fwhm),
    fwhmError,
    height,
    heightError,
    background,
    backgroundError,
    reducedChiSquare: hasErrors ? reduced : NaN,
  };
}

/**
 * Centre of gravity above the smallest value, with its error when the values have some.
 * @throws NO_PEAK when all values are the same
 */
export function centroid(
  x: readonly number[],
  y: readonly number[],
  errors?: readonly number[],
): { readonly centre: number; readonly centreError: number } {
  const use = x.flatMap((position, i) => (Number.isFinite(position) && Number.isFinite(y[i]) ? [i] : []));
  const floor = Math.min(...use.map((i) => y[i] ?? Infinity));
  let [sum, moment] = [0, 0];
  for (const i of use) {
    sum += (y[i] ?? 0) - floor;
    moment += ((y[i] ?? 0) - floor) * (x[i] ?? 0);
  }
  if (!(sum > 0)) throw noPeak("all values are the same");
  const centre = moment / sum;
  const square = use.reduce((total, i) => total + (((x[i] ?? 0) - centre) * (errors?.[i] ?? NaN)) ** 2, 0);
  return { centre, centreError: Math.sqrt(square) / sum };
}

export function noPeak(why: string): SaclaError {
  return new SaclaError("NO_PEAK", `There is no peak to go to: ${why}.`, { details: { why } });
}
