import { flag, optional, resolveOptions } from "../../core/options.ts";
import { erfcx, fProbability, normalCdf } from "../../core/special-functions.ts";
import {
  type FitOptions,
  type FitQuality,
  type FoundFeature,
  findFeature,
  fitOptionChecks,
  noStep,
} from "./fit-points.ts";
import { bestTrials, type CurveModel, type FitPoints, fitCurve, type ShapeSearch } from "./least-squares.ts";
import { checkEdge, searchOf } from "./step.ts";

export interface DecayFitOptions extends FitOptions {
  /**
   * Whether a part of the signal stays: a step beside the decay. Without it the signal returns to the background, or
   * all of it stays, where the lifetime is many times the scan.
   * @default false
   */
  readonly offset?: boolean | undefined;
}

/** An edge that decays, blurred; errors are one standard deviation. */
export interface DecayFit extends FitQuality {
  /** Time zero: where the edge is, before the blur. */
  readonly centre: number;
  readonly centreError: number;
  /** Rms width of the blur; × 2.355 is its full width at half maximum. */
  readonly width: number;
  readonly widthError: number;
  /**
   * Time in which the signal falls to 1/e. When 3 · `lifetimeError` is more than `lifetime`, the scan shows no end of
   * the change, and only a lower limit (3 σ) is known: lifetime / (1 + 3 · lifetimeError / lifetime).
   */
  readonly lifetime: number;
  readonly lifetimeError: number;
  /** Of the decaying part at time zero, before the blur; negative for a loss of signal. */
  readonly amplitude: number;
  readonly amplitudeError: number;
  /** Of the part that stays; 0 without `offset`. */
  readonly offset: number;
  readonly offsetError: number;
  /** The signal before time zero. */
  readonly background: number;
  readonly backgroundError: number;
}

/** The lower limit (3 σ) of a lifetime: its reciprocal, the rate, has the even error. */
export function leastLifetime(lifetime: number, error: number): number {
  return lifetime / (1 + (3 * error) / lifetime);
}

/**
 * Fits a signal that rises at once and decays exponentially, blurred by a Gaussian (the error function convolved with
 * an exponential, as pump–probe delay scans show it): background + amplitude · (G ∗ H · e^(−t/lifetime)) + offset · Φ,
 * t = x − centre. Errors from the covariance at the minimum.
 * @param x - delays; time zero, width and lifetime have their unit
 * @throws NO_STEP when the points do not tell an edge from noise, rest on a single point, or do not determine time
 * zero, width or how long the signal lasts at least; with `offset`, when nothing is seen to decay
 * @throws BAD_ARGUMENT when the lengths differ, or an error is negative
 * @example
 * const { centre, lifetime, lifetimeError } = fitDecay(delaysFs, differences, { errors });
 */
export function fitDecay(x: readonly number[], y: readonly number[], options: DecayFitOptions = {}): DecayFit {
  const { offset: hasOffset, ...common } = resolveOptions("fitDecay", options, {
    ...fitOptionChecks,
    offset: optional(flag, false),
  });
  const model: CurveModel = {
    terms: ([centre = NaN, width = NaN, lifetime = NaN], at) => {
      const decay = blurredDecay(at - centre, width, lifetime);
      return hasOffset ? [decay, 1, normalCdf((at - centre) / width)] : [decay, 1];
    },
  };
  const found = findFeature(x, y, common, {
    model,
    without: { terms: () => [1] },
    search: (points) => decaySearch(points, model),
    refusal: noStep,
    excess: "multiplied",
    least: hasOffset ? 7 : 6,
  });
  const [centre = NaN, width = NaN, lifetime = NaN] = found.shape;
  const [amplitude = NaN, background = NaN, offset = 0] = found.coefficients;
  const [centreError = NaN, widthError = NaN, lifetimeError = NaN, amplitudeError = NaN, backgroundError = NaN] =
    found.errors;
  if (hasOffset) checkDecays(found);
  checkEdge({ centre, width, height: amplitude, heightError: amplitudeError }, found.points);
  // Of a change that stays it is known how long it lasts at least.
  const least = leastLifetime(lifetime, lifetimeError);
  const range = Math.max(...found.points.x) - Math.min(...found.points.x);
  if (!(lifetimeError < lifetime || least > range))
    throw noStep(`its lifetime ${lifetime.toPrecision(3)} ± ${lifetimeError.toPrecision(2)} is not determined`);
  return {
    ...found.quality,
    centre,
    centreError,
    width,
    widthError,
    lifetime,
    lifetimeError,
    amplitude,
    amplitudeError,
    offset,
    offsetError: found.errors[5] ?? 0,
    background,
    backgroundError,
  };
}

/** How often noise may make a decay of what only stays. */
const FALSE_DECAYS = 1e-3;
/** Lifetime and amplitude. */
const DECAY_PARAMETERS = 2;

/** @throws NO_STEP where a step that stays describes the points as well as one of which a part decays */
function checkDecays({ points, chiSquare, quality, shape, coefficients }: FoundFeature): void {
  const step: CurveModel = { terms: ([centre = NaN, width = NaN], at) => [normalCdf((at - centre) / width), 1] };
  const search = searchOf(points);
  const trials = bestTrials(step, points, search.trials, Math.min(COARSE, points.x.length), 10);
  const stays = fitCurve(step, points, { ...search, trials });
  if (stays === undefined) return;
  const freedom = points.x.length - shape.length - coefficients.length;
  const gain = (stays.chiSquare - chiSquare) / DECAY_PARAMETERS;
  // Errors that are not given, or too small, are those of the residuals.
  const unit = Number.isNaN(quality.reducedChiSquare) ? chiSquare / freedom : quality.errorScale ** 2;
  if (fProbability(gain / unit, DECAY_PARAMETERS, freedom) > FALSE_DECAYS)
    throw noStep("nothing of the change decays in the scan, and all of it may stay: fit it without the offset");
}

/** What the curve follows from. */
type DecayCurve = Pick<DecayFit, "centre" | "width" | "lifetime" | "amplitude" | "offset" | "background">;

/** The fitted curve at x. */
export function decayAt({ centre, width, lifetime, amplitude, offset, background }: DecayCurve, x: number): number {
  const t = x - centre;
  return background + amplitude * blurredDecay(t, width, lifetime) + offset * normalCdf(t / width);
}

/**
 * e^(−t/lifetime) from 0 on, convolved with a Gaussian of unit area: ½ e^(−t²/2w²) erfcx((w/lifetime − t/w)/√2), which
 * neither overflows before the edge nor after it.
 */
function blurredDecay(t: number, width: number, lifetime: number): number {
  const u = (width / lifetime - t / width) / Math.SQRT2;
  if (u > -5) return 0.5 * Math.exp(-0.5 * (t / width) ** 2) * erfcx(u);
  return Math.exp(0.5 * (width / lifetime) ** 2 - t / lifetime);
}

/** From twice as many points on, trials are chosen on so many. */
const COARSE = 60;

function decaySearch(points: FitPoints, model: CurveModel): ShapeSearch {
  const { trials: edges, scales, from, to } = searchOf(points);
  const [range = NaN] = scales;
  const trials = edges.flatMap((edge) => [0.05, 0.15, 0.4, 1].map((lifetime) => [...edge, lifetime * range]));
  return {
    trials: points.x.length < 2 * COARSE ? trials : bestTrials(model, points, trials, COARSE, 10),
    scales: [...scales, range],
    from: [...from, 1e-3 * range],
    to: [...to, 20 * range],
  };
}
