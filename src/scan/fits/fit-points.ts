import { SaclaError } from "../../core/errors.ts";
import { asFinite, badArgument } from "../../core/guards.ts";
import { any, flag, optional } from "../../core/options.ts";
import { counted } from "../../core/show.ts";
import { fProbability } from "../../core/special-functions.ts";
import {
  type CurveModel,
  chiSquareAt,
  chiSquareOfTerms,
  contributions,
  type FitPoints,
  type FittedCurve,
  fitCurve,
  fitWithScatter,
  OUTLIER,
  residuals,
  type ShapeSearch,
  standardErrors,
} from "./least-squares.ts";

/** Options that every fit has. */
export interface FitOptions {
  /**
   * Standard errors of y. Without them all points weigh the same and the spread of the residuals gives the errors. An
   * error of 0 (the root of 0 counts) is replaced by the smallest of the others; a point without an error is left out.
   */
  readonly errors?: readonly number[] | undefined;
  /**
   * Degrees of freedom that `errors` were estimated from; see {@link pooledErrors}. Default: they are known.
   */
  readonly errorFreedom?: number | undefined;
  /**
   * Outliers do not decide: points more than 5 standard errors off the curve that most points follow are left out.
   * @default false
   */
  readonly robust?: boolean | undefined;
}

/** Checks of the options that every fit has. */
export const fitOptionChecks = {
  errors: any,
  errorFreedom: optional(asFreedom, Infinity),
  robust: optional(flag, false),
} as const;

/** Infinity: errors that are known. @throws BAD_ARGUMENT */
function asFreedom(name: string, value: unknown): number {
  return value === Infinity ? value : asFinite(name, value, 1);
}

/** What every fit says of itself. */
export interface FitQuality {
  /** χ² per degree of freedom with the errors given; NaN without errors. */
  readonly reducedChiSquare: number;
  /**
   * √χ² per degree of freedom where the points scatter more than their errors explain (by chance once in 1000 fits).
   * Backlash, drifts and another shape show here. 1 where they agree. The errors of a decay are multiplied by it, as
   * the Particle Data Group does.
   */
  readonly errorScale: number;
  /**
   * What a peak or step was then fitted with again: a scatter, in the unit of y, that was added in quadrature to the
   * error of every point, the same for all, so that the tails of a peak do not outweigh its top. 0: none.
   */
  readonly addedScatter: number;
  /** How much larger χ² is without the feature: without errors, in units of the residual mean square. */
  readonly deltaChiSquare: number;
  /** How often noise alone gives such a feature, somewhere in the scan. Above 0.001 a fit is refused. */
  readonly falseAlarmProbability: number;
  /** How many points were used. */
  readonly points: number;
  /** Which points have no value or no error, or are outliers: their index in x. */
  readonly leftOut: readonly number[];
}

/** The most often that a fit may be noise. */
const FALSE_ALARMS = 1e-3;
/** The same in this one place, judged by the residuals: errors given too small find peaks in anything. */
const CHANCE_BY_RESIDUALS = 1e-2;
/** Chance of a χ² from which the errors given are taken for too small. */
const CHANCE_OF_SCATTER = 1e-3;
/** The same in this one place, after one point has gone. */
const CHANCE_WITHOUT_ONE = 5e-2;

/** So many points at most are tried whether the feature rests on them alone. */
const ALONE = 60;

/** A feature to look for, in the words of its refusals. */
interface Feature {
  readonly model: CurveModel;
  readonly search: (points: FitPoints) => ShapeSearch;
  /** The same without the feature. */
  readonly without: CurveModel;
  /** What is refused. */
  readonly refusal: (why: string) => SaclaError;
  /** Fewest points. */
  readonly least: number;
  /** What becomes of errors that are less than the points scatter. */
  readonly excess: "added" | "multiplied";
}

export interface FoundFeature {
  readonly shape: readonly number[];
  readonly coefficients: readonly number[];
  /** Of shape and coefficients. */
  readonly errors: readonly number[];
  readonly chiSquare: number;
  readonly points: FitPoints;
  readonly quality: FitQuality;
}

/**
 * Fits a feature and judges it. It is refused where the points do not determine all its parameters, where noise gives
 * the like more often than once in 1000 scans, or where it rests on a single point.
 * @throws BAD_ARGUMENT when the lengths differ, or an error is negative
 */
export function findFeature(
  x: readonly number[],
  y: readonly number[],
  options: FitOptions,
  { model, search: searchOf, without, refusal, least, excess }: Feature,
): FoundFeature {
  const { robust = false } = options;
  const used = usablePoints(x, y, options.errors);
  if (used.length < least)
    throw refusal(
      `only ${counted(used.length, "point")} ${used.length === 1 ? "has" : "have"} a value, and ${least} are needed`,
    );
  let indices = used;
  let points = pick(x, y, options.errors, indices);
  if (!(Math.max(...points.y) > Math.min(...points.y))) throw refusal("all values are the same");
  const search = searchOf(points);
  let fitted = fitCurve(model, points, search, robust);
  if (fitted !== undefined && robust) {
    const scale = options.errors === undefined ? spread(residuals(model, fitted, points)) : 1;
    const off = residuals(model, fitted, points).map((r) => Math.abs(r) > OUTLIER * Math.max(scale, Number.MIN_VALUE));
    indices = indices.filter((_, i) => off[i] !== true);
    if (indices.length < least) throw refusal(`only ${indices.length} points are no outliers`);
    points = pick(x, y, options.errors, indices);
    fitted = fitCurve(model, points, { ...search, trials: [fitted.shape] });
  }
  if (fitted === undefined) throw refusal("the points do not determine one");
  const count = fitted.shape.length + fitted.coefficients.length;
  const freedom = points.x.length - count;
  const reduced = fitted.chiSquare / freedom;
  const isExcess = fProbability(reduced, freedom, options.errorFreedom ?? Infinity) < CHANCE_OF_SCATTER;
  const errorScale = options.errors === undefined || isExcess ? Math.sqrt(reduced) : 1;
  const wider =
    options.errors !== undefined && isExcess && excess === "added"
      ? fitWithScatter(model, points, search, fitted)
      : undefined;
  if (wider !== undefined) ({ fitted, points } = wider);
  const quality = judge(fitted, points, { model, without, refusal }, options, freedom);
  const raw = standardErrors(model, fitted, points, search);
  if (raw === undefined)
    throw refusal("the points do not determine its place, width and height; scan in finer steps, or further");
  const leftOut = x.map((_, i) => i).filter((i) => !indices.includes(i));
  return {
    shape: fitted.shape,
    coefficients: fitted.coefficients,
    errors: wider === undefined ? raw.map((error) => error * errorScale) : raw,
    chiSquare: fitted.chiSquare,
    points,
    quality: {
      ...quality,
      points: points.x.length,
      leftOut,
      ...(options.errors === undefined
        ? { reducedChiSquare: NaN, errorScale: 1, addedScatter: 0 }
        : { reducedChiSquare: reduced, errorScale, addedScatter: wider?.scatter ?? 0 }),
    },
  };
}

/** Significance against the curve without the feature. @throws what `refusal` makes of noise */
function judge(
  fitted: FittedCurve,
  points: FitPoints,
  { model, without, refusal }: Pick<Feature, "model" | "without" | "refusal">,
  { errors, errorFreedom = Infinity }: FitOptions,
  freedom: number,
): Pick<FitQuality, "deltaChiSquare" | "falseAlarmProbability"> {
  const more = fitted.shape.length + fitted.coefficients.length - without.terms([], 0).length;
  const scale = fitted.chiSquare / freedom;
  const byResiduals = (delta: number): number => (scale > 0 ? fProbability(delta / scale / more, more, freedom) : 0);
  const byErrors = (delta: number): number => fProbability(delta / more, more, errorFreedom);
  const chance = errors === undefined ? byResiduals : byErrors;
  const delta = chiSquareOfTerms(without, points) - fitted.chiSquare;
  // A feature may be in any place: as many chances as points.
  const falseAlarmProbability = Math.min(1, points.x.length * chance(delta));
  if (!(falseAlarmProbability <= FALSE_ALARMS))
    throw refusal(
      `noise alone gives the like in ${Number((100 * falseAlarmProbability).toPrecision(2))} % of such scans`,
    );
  if (!(byResiduals(delta) <= CHANCE_BY_RESIDUALS))
    throw refusal("the points scatter more than their errors, and as much as they rise");
  const all = points.x.map((_, k) => k);
  // Of many points, only those that add most can be such.
  const adds = all.length > ALONE ? contributions(without, model, fitted, points) : [];
  const suspects = [...all].sort((a, b) => (adds[b] ?? 0) - (adds[a] ?? 0)).slice(0, ALONE);
  for (const i of suspects) {
    const rest = pick(
      points.x,
      points.y,
      points.errors,
      all.filter((k) => k !== i),
    );
    const left = chiSquareOfTerms(without, rest) - chiSquareAt(model, rest, fitted.shape);
    if (!(chance(left) <= CHANCE_WITHOUT_ONE))
      throw refusal(
        `it rests on the single point at ${points.x[i]}: scan there in finer steps, or call it an outlier ` +
          "(robust: true)",
      );
  }
  return { deltaChiSquare: errors === undefined ? delta / scale : delta, falseAlarmProbability };
}

/** Indices of points with a value, and an error where there are errors. @throws BAD_ARGUMENT */
function usablePoints(x: readonly number[], y: readonly number[], errors: readonly number[] | undefined): number[] {
  if (x.length !== y.length || (errors !== undefined && errors.length !== x.length))
    throw badArgument("lengths of x, y and errors", [x.length, y.length, errors?.length], "the same");
  for (const error of errors ?? []) if (error < 0) throw badArgument("an error", error, "0 or more");
  return x.flatMap((position, i) =>
    Number.isFinite(position) && Number.isFinite(y[i]) && (errors === undefined || Number.isFinite(errors[i]))
      ? [i]
      : [],
  );
}

/** Those points; without errors each has that of the noise between neighbours. */
function pick(
  x: readonly number[],
  y: readonly number[],
  errors: readonly number[] | undefined,
  indices: readonly number[],
): FitPoints {
  const at = (list: readonly number[]): number[] => indices.map((i) => list[i] ?? NaN);
  const points = { x: at(x), y: at(y) };
  const given = errors === undefined ? [] : at(errors);
  const smallest = Math.min(...given.filter((error) => error > 0));
  const least = smallest < Infinity ? smallest : noiseOf(points);
  return { ...points, errors: indices.map((_, k) => ((given[k] ?? 0) > 0 ? (given[k] ?? NaN) : least)) };
}

/** Standard deviation of a point, from how far each is off the line between its neighbours. */
function noiseOf({ x, y }: Pick<FitPoints, "x" | "y">): number {
  const order = x.map((_, i) => i).sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  const sorted = order.map((i) => y[i] ?? NaN);
  const off = sorted.slice(1, -1).map((value, i) => value - ((sorted[i] ?? NaN) + (sorted[i + 2] ?? NaN)) / 2);
  const range = Math.max(...y) - Math.min(...y);
  return Math.max(spread(off) / Math.sqrt(1.5), 1e-9 * range) || 1;
}

/** Standard deviation of the bulk: 1.4826 times the median distance from 0. */
function spread(values: readonly number[]): number {
  const sorted = values.map(Math.abs).sort((a, b) => a - b);
  return 1.4826 * (sorted[sorted.length >> 1] ?? 0);
}

/** Writes places so that four digits of the range between them show: a scan of 2 at 20 000 has 5 or more. */
export function placesIn(low: number, high: number): (value: number) => string {
  const most = Math.max(Math.abs(low), Math.abs(high));
  const digits = 4 + Math.max(0, Math.floor(Math.log10(most / (high - low))));
  return (value) => String(Number(value.toPrecision(Number.isFinite(digits) ? Math.min(15, digits) : 4)));
}

/** The error of a feature that is not there. */
export function noPeak(why: string): SaclaError {
  return new SaclaError("NO_PEAK", `There is no peak to go to: ${why}.`, { details: { why } });
}

export function noStep(why: string): SaclaError {
  return new SaclaError("NO_STEP", `There is no step: ${why}.`, { details: { why } });
}
