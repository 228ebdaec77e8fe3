import { levenbergMarquardt } from "ml-levenberg-marquardt";
import { inverse, Matrix } from "ml-matrix";
import { SaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";

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
  /** χ² per degree of freedom with the errors given; NaN without errors, which are then estimated from the residuals. */
  readonly reducedChiSquare: number;
}

const GAUSSIAN = 4 * Math.LN2;

/** Value of the peak with the parameters centre, FWHM, height, background. */
function peakAt(shape: PeakShape, [centre = NaN, fwhm = NaN, height = NaN, background = NaN]: readonly number[], x: number): number {
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
  if (x.length !== y.length || (errors !== undefined && errors.length !== x.length))
    throw badArgument("lengths of x, y and errors", [x.length, y.length, errors?.length], "the same");
  const use = x.flatMap((position, i) => (Number.isFinite(position) && Number.isFinite(y[i]) && (errors === undefined || (errors[i] ?? NaN) > 0) ? [i] : []));
  if (use.length < 5) throw noPeak(`only ${use.length} points have a value, and 5 are needed`);
  const at = (list: readonly number[]): number[] => use.map((i) => list[i] ?? NaN);
  const [xs, ys] = [at(x), at(y)];
  const spread = Math.max(...ys) - Math.min(...ys);
  if (!(spread > 0)) throw noPeak("all values are the same");
  const es = errors === undefined ? xs.map(() => spread) : at(errors);
  const best = [1, -1].map((sign) => settle(shape, xs, ys, es, sign)).sort((a, b) => a.chiSquare - b.chiSquare)[0];
  if (best === undefined || !Number.isFinite(best.chiSquare)) throw noPeak("the fit does not settle");
  return judged(shape, best, xs, es, errors !== undefined);
}

interface Settled {
  readonly parameters: number[];
  readonly chiSquare: number;
}

function settle(shape: PeakShape, xs: readonly number[], ys: readonly number[], es: readonly number[], sign: number): Settled {
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const sorted = [...ys].sort((a, b) => sign * (a - b));
  const background = sorted[Math.floor(sorted.length / 4)] ?? 0;
  const top = sorted.at(-1) ?? 0;
  const half = (top + background) / 2;
  const above = xs.filter((_, i) => sign * ((ys[i] ?? 0) - half) > 0);
  const step = (high - low) / Math.max(1, xs.length - 1);
  const start = [xs[ys.indexOf(top)] ?? 0, Math.max(step, Math.max(...above) - Math.min(...above)), top - background, background];
  // Scaled to order one: positions of some 1e-6 degree and intensities of 1e9 fit alike.
  const xScale = high - low || 1;
  const yScale = Math.abs(top - background) || 1;
  const scales = [xScale, xScale, yScale, yScale];
  const offsets = [low, 0, 0, background];
  const real = (p: readonly number[]): number[] => p.map((value, k) => (offsets[k] ?? 0) + value * (scales[k] ?? 1));
  // Each point is divided by its error here: in version 5.1.0 the library multiplies with its weights in one place and
  // divides by them in another. Points go by their number, so that each finds its error.
  const numbers = xs.map((_, i) => i);
  const fitted = levenbergMarquardt(
    { x: numbers, y: ys.map((value, i) => (value - background) / (es[i] ?? 1)) },
    (p: number[]) => {
      const parameters = real(p);
      return (i: number) => (peakAt(shape, parameters, xs[i] ?? NaN) - background) / (es[i] ?? 1);
    },
    {
      initialValues: start.map((value, k) => (value - (offsets[k] ?? 0)) / (scales[k] ?? 1)),
      minValues: [-2, 1e-4, -1e3, -1e6],
      maxValues: [3, 20, 1e3, 1e6],
      maxIterations: 100,
      errorTolerance: 0,
      jacobianFunction: (p: number[]) => {
        const parameters = real(p);
        return (i: number) => slopesOf(shape, parameters, xs[i] ?? NaN).map((slope, k) => (slope * (scales[k] ?? 1)) / (es[i] ?? 1));
      },
    },
  );
  const parameters = real(fitted.parameterValues);
  const chiSquare = xs.reduce((sum, position, i) => sum + (((ys[i] ?? 0) - peakAt(shape, parameters, position)) / (es[i] ?? 1)) ** 2, 0);
  return { parameters, chiSquare };
}

function judged(shape: PeakShape, { parameters, chiSquare }: Settled, xs: readonly number[], es: readonly number[], hasErrors: boolean): PeakFit {
  const jacobian = new Matrix(xs.map((position, i) => slopesOf(shape, parameters, position).map((slope) => slope / (es[i] ?? 1))));
  const [centre = NaN, fwhm = NaN, height = NaN, background = NaN] = parameters;
  // Divided by the size of each column, so that units of very different size do not spoil the inverse.
  const sizes = [0, 1, 2, 3].map((k) => Math.sqrt(jacobian.getColumn(k).reduce((sum, value) => sum + value * value, 0)) || 1);
  const scaled = Matrix.from1DArray(
    xs.length,
    4,
    jacobian.to1DArray().map((value, i) => value / (sizes[i % 4] ?? 1)),
  );
  const covariance = inverse(scaled.transpose().mmul(scaled), true);
  const reduced = chiSquare / Math.max(1, xs.length - 4);
  const [centreError = NaN, fwhmError = NaN, heightError = NaN, backgroundError = NaN] = sizes.map(
    (size, k) => (Math.sqrt(covariance.get(k, k)) / size) * (hasErrors ? 1 : Math.sqrt(reduced)),
  );
  if (![centreError, fwhmError, heightError].every(Number.isFinite)) throw noPeak("the points do not determine one");
  if (Math.abs(height) < 3 * heightError) throw noPeak(`its height ${height.toPrecision(3)} is less than three times its error ${heightError.toPrecision(2)}`);
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

/** Centre of gravity above the smallest value, with its error when the values have some. @throws NO_PEAK when all values are the same */
export function centroid(x: readonly number[], y: readonly number[], errors?: readonly number[]): { readonly centre: number; readonly centreError: number } {
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
