import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { dot, solveRows } from "../../core/solve-rows.ts";

/**
 * A curve: a sum of terms, each with a coefficient of its own, whose form depends on the shape parameters. A Gaussian
 * on a flat background has the shape parameters centre and width and the terms bell and 1.
 */
export interface CurveModel {
  /** The value of each term at x, without its coefficient. */
  terms(shape: readonly number[], x: number): readonly number[];
  /** Whether slopes at one place say too little of what lies beside it: a curve with kinks, a step between points. */
  readonly isUneven?: "kinks" | "step" | undefined;
}

/** Points with the standard error of each. */
export interface FitPoints {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly errors: readonly number[];
}

/** Shape parameters to begin with, and what they may be; `scales` are of the size in which each changes. */
export interface ShapeSearch {
  readonly trials: readonly (readonly number[])[];
  readonly scales: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
}

interface Curve {
  readonly shape: readonly number[];
  /** The coefficient of each term. */
  readonly coefficients: readonly number[];
}

export interface FittedCurve extends Curve {
  readonly chiSquare: number;
}

/** Residuals from here on count less and less in a robust fit, in standard errors (Cauchy's weight, 95 % efficient). */
const CAUCHY = 2.385;
/** Points further off a robust curve than this are outliers, in standard errors. */
export const OUTLIER = 5;

/**
 * The curve of the least χ²: the best trial, its coefficients solved for, refined by Levenberg–Marquardt. Undefined
 * where no trial can be solved or refined.
 */
export function fitCurve(
  model: CurveModel,
  points: FitPoints,
  search: ShapeSearch,
  isRobust = false,
): FittedCurve | undefined {
  let best: { shape: readonly number[]; coefficients: readonly number[]; cost: number } | undefined;
  for (const shape of search.trials) {
    const trial = isRobust ? robustTerms(model, points, shape) : solveTerms(model, points, shape);
    if (trial !== undefined && trial.cost < (best?.cost ?? Infinity)) best = { shape, ...trial };
  }
  if (best === undefined) return undefined;
  if (!isRobust) return refine(model, points, search, best);
  let fitted: FittedCurve | undefined = { ...best, chiSquare: NaN };
  for (let round = 0; round < 4 && fitted !== undefined; round++)
    fitted = refine(model, reweighted(points, residuals(model, fitted, points)), search, fitted);
  return fitted === undefined ? undefined : { ...fitted, chiSquare: chiSquareOf(model, fitted, points) };
}

/** χ² per degree of freedom with a scatter added is 1 to this, after so many rounds at most. */
const [NEAR_ONE, SCATTER_ROUNDS] = [1e-3, 30];

/**
 * The curve for points that are further off than their errors: a scatter is added to the error of every point, the same
 * for all, until χ² per degree of freedom is 1 (Mandel and Paule 1970, doi:10.1021/ac60293a019). A curve of another
 * shape than the points is off by about as much everywhere; with errors that are only multiplied, points with small
 * ones, as in the tails of a peak, decide alone.
 * @param first - the curve without the scatter, whose χ² per degree of freedom is above 1
 * @returns also the points with their wider errors, and the scatter
 */
export function fitWithScatter(
  model: CurveModel,
  points: FitPoints,
  search: ShapeSearch,
  first: FittedCurve,
): { readonly fitted: FittedCurve; readonly points: FitPoints; readonly scatter: number } | undefined {
  const freedom = points.x.length - first.shape.length - first.coefficients.length;
  const equal = fitCurve(model, { ...points, errors: points.errors.map(() => 1) }, search);
  if (equal === undefined) return undefined;
  let best: ReturnType<typeof fitWithScatter>;
  // All points alike are more than is needed, none is too little.
  let [least, most] = [0, equal.chiSquare / freedom];
  let added = most;
  for (let round = 0; round < SCATTER_ROUNDS; round++) {
    const wider = { ...points, errors: points.errors.map((error) => Math.sqrt(error * error + added)) };
    const trials = [equal.shape, first.shape, ...(best === undefined ? [] : [best.fitted.shape])];
    const fitted = fitCurve(model, wider, { ...search, trials });
    if (fitted === undefined) return undefined;
    best = { fitted, points: wider, scatter: Math.sqrt(added) };
    const { chiSquare } = fitted;
    if (Math.abs(chiSquare / freedom - 1) < NEAR_ONE) break;
    if (chiSquare > freedom) least = added;
    else most = added;
    // 1 / χ² is almost a straight line of what is added.
    const slope = residuals(model, fitted, wider).reduce((sum, r, i) => sum + (r / (wider.errors[i] ?? NaN)) ** 2, 0);
    const next = added + ((chiSquare - freedom) * chiSquare) / (freedom * slope);
    added = next > least && next < most ? next : (least + most) / 2;
  }
  return best;
}

/** (y − curve) / error of each point. */
export function residuals(model: CurveModel, { shape, coefficients }: Curve, { x, y, errors }: FitPoints): number[] {
  return x.map((at, i) => ((y[i] ?? NaN) - dot(model.terms(shape, at), coefficients)) / (errors[i] ?? NaN));
}

/**
 * Trials by their χ² on a few points, each the mean of neighbors; the best `count` of them. For shapes that are wide
 * against the distance of the points, where there are many.
 */
export function bestTrials(
  model: CurveModel,
  { x, y, errors }: FitPoints,
  trials: readonly (readonly number[])[],
  groups: number,
  count: number,
): (readonly number[])[] {
  const order = x.map((_, i) => i).sort((a, b) => (x[a] ?? NaN) - (x[b] ?? NaN));
  const coarse = Array.from({ length: groups }, (_, k) => {
    const [from, to] = [k, k + 1].map((g) => Math.floor((g * order.length) / groups));
    const group = order.slice(from, to);
    const weight = group.reduce((sum, i) => sum + (errors[i] ?? NaN) ** -2, 0);
    const mean = (of: readonly number[]): number =>
      group.reduce((sum, i) => sum + (of[i] ?? NaN) * (errors[i] ?? NaN) ** -2, 0) / weight;
    return { x: mean(x), y: mean(y), error: weight ** -0.5 };
  });
  const points = { x: coarse.map((p) => p.x), y: coarse.map((p) => p.y), errors: coarse.map((p) => p.error) };
  const ranked = trials.map((trial) => ({ trial, cost: chiSquareAt(model, points, trial) }));
  ranked.sort((a, b) => a.cost - b.cost);
  return ranked.slice(0, count).map(({ trial }) => trial);
}

/** How much each point adds to χ² of the terms alone, over what it adds to that of the curve. */
export function contributions(
  without: CurveModel,
  model: CurveModel,
  fitted: FittedCurve,
  points: FitPoints,
): number[] {
  const flat = solveTerms(without, points, []);
  const before = flat === undefined ? undefined : residuals(without, { shape: [], ...flat }, points);
  return residuals(model, fitted, points).map((r, i) => (before?.[i] ?? Infinity) ** 2 - r * r);
}

/** χ² of the best curve with terms alone, such as a constant or a line; Infinity where they cannot be solved for. */
export function chiSquareOfTerms(model: CurveModel, points: FitPoints): number {
  return solveTerms(model, points, [])?.cost ?? Infinity;
}

/** The same for a shape that is given. */
export function chiSquareAt(model: CurveModel, points: FitPoints, shape: readonly number[]): number {
  return solveTerms(model, points, shape)?.cost ?? Infinity;
}

/**
 * Standard errors of shape parameters and coefficients, from the covariance (JᵀWJ)⁻¹. Of a curve that is uneven the
 * larger of those and of two thirds of the way to where χ² has grown by 2.25, with kinks also of those from differences
 * over one error. Undefined where the points do not determine every parameter.
 */
export function standardErrors(
  model: CurveModel,
  fitted: FittedCurve,
  points: FitPoints,
  search: ShapeSearch,
): number[] | undefined {
  const errors = errorsFrom(jacobianOf(model, fitted, points, search.scales));
  if (errors === undefined || model.isUneven === undefined) return errors;
  const all = [...fitted.shape, ...fitted.coefficients];
  const contour = fitted.shape.flatMap((_, k) =>
    [1, -1].flatMap((way) => contourPoint(model, fitted, points, search, k, RISE_ERRORS * way * (errors[k] ?? NaN))),
  );
  const wide = errors.slice(0, fitted.shape.length).map((error) => error / SLOPE_STEP);
  const over = model.isUneven === "kinks" ? errorsFrom(jacobianOf(model, fitted, points, wide)) : errors;
  return errors.map((error, k) =>
    Math.max(error, over?.[k] ?? NaN, ...contour.map((at) => Math.abs((at[k] ?? NaN) - (all[k] ?? NaN)) / RISE_ERRORS)),
  );
}

/** χ² grows by 2.25 over 1.5 standard errors: to a tenth of that, after so many rounds at most. */
const [RISE_ERRORS, RISE, NEAR_RISE, RISE_ROUNDS] = [1.5, 2.25, 0.1, 6];

/**
 * All parameters where shape parameter k is so far off that χ² has grown by 2.25, the others being the best for that;
 * none where the range of the parameter ends before.
 */
function contourPoint(
  model: CurveModel,
  fitted: FittedCurve,
  points: FitPoints,
  { scales, from, to }: ShapeSearch,
  k: number,
  first: number,
): number[][] {
  const without = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== k);
  const search = { trials: [], scales: without(scales), from: without(from), to: without(to) };
  let [move, near] = [first, without(fitted.shape)];
  let found: number[] | undefined;
  for (let round = 0; round < RISE_ROUNDS; round++) {
    const value = (fitted.shape[k] ?? NaN) + move;
    if (!(value > (from[k] ?? -Infinity) && value < (to[k] ?? Infinity))) return [];
    const fixed: CurveModel = { terms: (rest, x) => model.terms(rest.toSpliced(k, 0, value), x) };
    const solved = solveTerms(fixed, points, near);
    const best = solved && refine(fixed, points, search, { shape: near, coefficients: solved.coefficients });
    if (best === undefined) return [];
    near = [...best.shape];
    found = [...best.shape.toSpliced(k, 0, value), ...best.coefficients];
    const rise = best.chiSquare - fitted.chiSquare;
    if (Math.abs(rise - RISE) < NEAR_RISE * RISE) break;
    move *= Math.min(2, Math.max(0.5, Math.sqrt(RISE / Math.max(rise, Number.MIN_VALUE))));
  }
  return found === undefined ? [] : [found];
}

/** Roots of the diagonal of (JᵀJ)⁻¹; undefined where the scaled J has not full rank. */
function errorsFrom(rows: readonly number[][]): number[] | undefined {
  const jacobian = new Matrix([...rows]);
  const count = jacobian.columns;
  // Divided by the size of each column, so that units of very different size do not hide what is determined.
  const sizes = Array.from({ length: count }, (_, k) => Math.hypot(...jacobian.getColumn(k)));
  if (!sizes.every((size) => size > 0 && Number.isFinite(size)) || jacobian.rows < count) return undefined;
  for (let k = 0; k < count; k++) jacobian.mulColumn(k, 1 / (sizes[k] ?? NaN));
  const { diagonal, rightSingularVectors: right } = new SingularValueDecomposition(jacobian);
  if (!(Math.min(...diagonal) > LEAST_SINGULAR * Math.max(...diagonal))) return undefined;
  return sizes.map(
    (size, k) => Math.sqrt(diagonal.reduce((sum, value, j) => sum + (right.get(k, j) / value) ** 2, 0)) / size,
  );
}

/** Ratio of singular values below which a combination of parameters changes nothing but rounding. */
const LEAST_SINGULAR = 1e-6;

/** Steps at most; the part of χ² below which a further step changes nothing; damping at the start and at most. */
const STEPS = 100;
const SETTLED = 1e-10;
const DAMPING = 1e-3;
const MOST_DAMPING = 1e12;

/**
 * Levenberg–Marquardt with damping in parts of the diagonal (Marquardt 1963, doi:10.1137/0111030): a step that raises
 * χ² is not taken. Parameters at the end of their range stay there.
 */
function refine(
  model: CurveModel,
  points: FitPoints,
  { scales, from, to }: ShapeSearch,
  start: Curve,
): FittedCurve | undefined {
  const count = start.shape.length;
  let best = { ...start, chiSquare: chiSquareOf(model, start, points) };
  for (let [step, damping] = [0, DAMPING]; step < STEPS && damping < MOST_DAMPING; step++) {
    const rows = jacobianOf(model, best, points, scales);
    const sizes = [...best.shape, ...best.coefficients].map((_, k) => Math.hypot(...rows.map((row) => row[k] ?? NaN)));
    const damped = sizes.map((size, k) => sizes.map((_, j) => (j === k ? Math.sqrt(damping) * size : 0)));
    const move = solveRows([...rows, ...damped], [...residuals(model, best, points), ...sizes.map(() => 0)]);
    // The points do not tell the parameters apart: the standard errors say so.
    if (move === undefined) break;
    const shape = best.shape.map((each, k) =>
      Math.min(Math.max(each + (move[k] ?? NaN), from[k] ?? -Infinity), to[k] ?? Infinity),
    );
    const coefficients = best.coefficients.map((each, k) => each + (move[count + k] ?? NaN));
    const chiSquare = chiSquareOf(model, { shape, coefficients }, points);
    const gain = best.chiSquare - chiSquare;
    if (gain > 0) best = { shape, coefficients, chiSquare };
    damping *= gain > 0 ? 0.1 : 10;
    if (gain >= 0 && gain <= SETTLED * chiSquare) break;
  }
  // Of the shape found the coefficients are solved for exactly.
  const solved = solveTerms(model, points, best.shape);
  if (solved === undefined || !Number.isFinite(solved.cost)) return undefined;
  return { shape: best.shape, coefficients: solved.coefficients, chiSquare: solved.cost };
}

/** Derivatives of the curve by shape parameters and coefficients, in standard errors of each point. */
function jacobianOf(
  model: CurveModel,
  { shape, coefficients }: Curve,
  { x, errors }: FitPoints,
  scales: readonly number[],
): number[][] {
  return x.map((at, i) => slopes(model, shape, coefficients, at, scales).map((slope) => slope / (errors[i] ?? NaN)));
}

/** Half of the difference that a slope is taken over, in scales. */
const SLOPE_STEP = 1e-5;

/** Derivatives by shape parameters (central differences, exact to some 1e-10) and coefficients. */
function slopes(
  model: CurveModel,
  shape: readonly number[],
  coefficients: readonly number[],
  x: number,
  scales: readonly number[],
): number[] {
  const found: number[] = [];
  const moved = [...shape];
  for (const [k, value] of shape.entries()) {
    const step = SLOPE_STEP * (scales[k] ?? 1);
    moved[k] = value + step;
    const above = dot(model.terms(moved, x), coefficients);
    moved[k] = value - step;
    found.push((above - dot(model.terms(moved, x), coefficients)) / (2 * step));
    moved[k] = value;
  }
  return found.concat(model.terms(shape, x));
}

/** Coefficients of a given shape: a linear problem. Undefined where terms cannot be told apart. */
function solveTerms(
  model: CurveModel,
  { x, y, errors }: FitPoints,
  shape: readonly number[],
): { readonly coefficients: readonly number[]; readonly cost: number } | undefined {
  const rows = x.map((at, i) => model.terms(shape, at).map((term) => term / (errors[i] ?? NaN)));
  const right = y.map((value, i) => value / (errors[i] ?? NaN));
  const coefficients = solveRows(rows, right);
  if (coefficients === undefined) return undefined;
  let cost = 0;
  for (const [i, row] of rows.entries()) cost += ((right[i] ?? NaN) - dot(row, coefficients)) ** 2;
  return { coefficients, cost };
}

/** The same by iterated weights, so that an outlier does not decide; its cost is Cauchy's. */
function robustTerms(
  model: CurveModel,
  points: FitPoints,
  shape: readonly number[],
): { readonly coefficients: readonly number[]; readonly cost: number } | undefined {
  let solved = solveTerms(model, points, shape);
  for (let round = 0; round < 8 && solved !== undefined; round++)
    solved = solveTerms(model, reweighted(points, residuals(model, { shape, ...solved }, points)), shape);
  if (solved === undefined) return undefined;
  let cost = 0;
  for (const r of residuals(model, { shape, ...solved }, points)) cost += CAUCHY ** 2 * Math.log1p((r / CAUCHY) ** 2);
  return { coefficients: solved.coefficients, cost };
}

/** Points with errors grown by Cauchy's weight of their residuals. */
function reweighted({ x, y, errors }: FitPoints, found: readonly number[]): FitPoints {
  return { x, y, errors: errors.map((error, i) => error * Math.sqrt(1 + ((found[i] ?? 0) / CAUCHY) ** 2)) };
}

function chiSquareOf(model: CurveModel, fitted: Curve, points: FitPoints): number {
  return residuals(model, fitted, points).reduce((sum, r) => sum + r * r, 0);
}
