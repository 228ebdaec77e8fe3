import { levenbergMarquardt } from "ml-levenberg-marquardt";
import { inverse, Matrix } from "ml-matrix";
import type { SaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";

/** A function of x with parameters, fitted to points. */
export interface Model {
  value(parameters: readonly number[], x: number): number;
  /** Derivatives by the parameters. */
  slopes(parameters: readonly number[], x: number): number[];
}

/** Points with the weight of each: one over its standard error squared. */
export interface Points {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly errors: readonly number[];
}

/** Where the search begins, and how far it may go. */
export interface Search {
  readonly start: readonly number[];
  /**
   * Parameters are searched as (value − offset) / scale, of order one: positions of some 1e-6 degree and intensities of
   * 1e9 fit alike.
   */
  readonly scales: readonly number[];
  readonly offsets: readonly number[];
  /** Bounds, scaled. */
  readonly from: number[];
  readonly to: number[];
}

export interface Fitted {
  readonly parameters: readonly number[];
  readonly chiSquare: number;
}

/**
 * The points that have a value, and an error where there are errors; without errors all weigh the same.
 * @throws BAD_ARGUMENT when the lengths differ @throws what `refusal` makes of fewer than `least` points, or equal
 * values
 */
export function pointsOf(
  x: readonly number[],
  y: readonly number[],
  errors: readonly number[] | undefined,
  least: number,
  refusal: (why: string) => SaclaError,
): Points {
  if (x.length !== y.length || (errors !== undefined && errors.length !== x.length))
    throw badArgument("lengths of x, y and errors", [x.length, y.length, errors?.length], "the same");
  const use = x.flatMap((position, i) =>
    Number.isFinite(position) && Number.isFinite(y[i]) && (errors === undefined || (errors[i] ?? NaN) > 0) ? [i] : [],
  );
  if (use.length < least) throw refusal(`only ${use.length} points have a value, and ${least} are needed`);
  const at = (list: readonly number[]): number[] => use.map((i) => list[i] ?? NaN);
  const [xs, ys] = [at(x), at(y)];
  const spread = Math.max(...ys) - Math.min(...ys);
  if (!(spread > 0)) throw refusal("all values are the same");
  return { x: xs, y: ys, errors: errors === undefined ? xs.map(() => spread) : at(errors) };
}

/** The parameters of the least χ² (Levenberg–Marquardt, of `ml-levenberg-marquardt`). */
export function leastSquares(
  { value, slopes }: Model,
  { x, y, errors }: Points,
  { start, scales, offsets, from, to }: Search,
): Fitted {
  const real = (p: readonly number[]): number[] => p.map((each, k) => (offsets[k] ?? 0) + each * (scales[k] ?? 1));
  // Each point is divided by its error here: in version 5.1.0 the library multiplies with its weights in one place and
  // divides by them in another. Points go by their number, so that each finds its error.
  const numbers = x.map((_, i) => i);
  // Less their mean, so that a background costs no digits.
  const level = y.reduce((sum, each) => sum + each, 0) / y.length;
  const fitted = levenbergMarquardt(
    { x: numbers, y: y.map((each, i) => (each - level) / (errors[i] ?? 1)) },
    (p: number[]) => {
      const parameters = real(p);
      return (i: number) => (value(parameters, x[i] ?? NaN) - level) / (errors[i] ?? 1);
    },
    {
      initialValues: start.map((each, k) => (each - (offsets[k] ?? 0)) / (scales[k] ?? 1)),
      minValues: from,
      maxValues: to,
      maxIterations: 100,
      errorTolerance: 0,
      jacobianFunction: (p: number[]) => {
        const parameters = real(p);
        return (i: number) =>
          slopes(parameters, x[i] ?? NaN).map((slope, k) => (slope * (scales[k] ?? 1)) / (errors[i] ?? 1));
      },
    },
  );
  const parameters = real(fitted.parameterValues);
  return {
    parameters,
    chiSquare: x.reduce((sum, at, i) => sum + (((y[i] ?? 0) - value(parameters, at)) / (errors[i] ?? 1)) ** 2, 0),
  };
}

/**
 * Standard errors of the parameters, from the covariance (JᵀWJ)⁻¹; not finite where the points do not determine one.
 */
export function standardErrors({ slopes }: Model, parameters: readonly number[], { x, errors }: Points): number[] {
  const count = parameters.length;
  const jacobian = new Matrix(x.map((at, i) => slopes(parameters, at).map((slope) => slope / (errors[i] ?? 1))));
  // Divided by the size of each column, so that units of very different size do not spoil the inverse.
  const sizes = parameters.map(
    (_, k) => Math.sqrt(jacobian.getColumn(k).reduce((sum, value) => sum + value * value, 0)) || 1,
  );
  const scaled = Matrix.from1DArray(
    x.length,
    count,
    jacobian.to1DArray().map((value, i) => value / (sizes[i % count] ?? 1)),
  );
  const covariance = inverse(scaled.transpose().mmul(scaled), true);
  return sizes.map((size, k) => Math.sqrt(covariance.get(k, k)) / size);
}
