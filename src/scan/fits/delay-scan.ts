import { isSaclaError, SaclaError } from "../../core/errors.ts";
import { flag, optional, resolveOptions } from "../../core/options.ts";
import { dot, inverseOf, normalOf } from "../../core/solve-rows.ts";
import { type DecayFit, decayAt, fitDecay } from "./decay.ts";
import { type FitQuality, noStep } from "./fit-points.ts";
import { type Reference, referenceOf } from "./unpumped-reference.ts";

/** What one shot of a pump–probe delay scan gives. */
export interface DelayShot {
  /** Corrected for jitter where it can be; of an unpumped shot it does not matter. */
  readonly delayFs: number;
  readonly signal: number;
  /** I0. */
  readonly monitor: number;
  readonly pumped: boolean;
}

export interface DelayScanFitOptions {
  /** Whether a part of the change stays: a step beside the decay. @default false */
  readonly offset?: boolean | undefined;
  /** Shots far off the curve do not decide. @default false */
  readonly robust?: boolean | undefined;
}

/** A point of the curve: pumped shots next to each other in delay. */
export interface DelayPoint {
  readonly delayFs: number;
  /** on/off − 1. */
  readonly change: number;
  readonly error: number;
  /** Of the fitted curve. */
  readonly fitted: number;
  readonly shots: number;
}

/** What {@link fitDelayScan} gives; errors are one standard deviation. */
export interface DelayScanFit extends FitQuality {
  /** Time zero. */
  readonly t0Fs: number;
  readonly t0ErrorFs: number;
  /** Rms width of the rise: of the response, the pulses and what is left of the jitter. */
  readonly riseFs: number;
  readonly riseErrorFs: number;
  /** As `lifetime` of {@link fitDecay}: only a lower limit is known when 3 · `lifetimeErrorFs` is more than it. */
  readonly lifetimeFs: number;
  readonly lifetimeErrorFs: number;
  /** Change on/off − 1 at time zero, before the blur, that decays. */
  readonly amplitude: number;
  readonly amplitudeError: number;
  /** Change that stays; 0 without `offset`. */
  readonly offset: number;
  readonly offsetError: number;
  /** Change before time zero. */
  readonly background: number;
  readonly backgroundError: number;
  /** Signal over monitor of the unpumped shots, on average. */
  readonly unpumped: number;
  /** By how much it drifted over the scan, largest less smallest over the mean; 0: no drift is seen. */
  readonly drift: number;
  readonly shots: { readonly pumped: number; readonly unpumped: number };
  /** Pumped shots one by one, or neighbors in delay together. */
  readonly curve: readonly DelayPoint[];
}

/** Shots are fitted one by one up to so many; beyond, neighbors in delay are taken together. */
const MOST_POINTS = 400;
const LEAST_UNPUMPED = 3;
/** With so many unpumped shots their scatter tells how the noise grows with the monitor. */
const NOISE_FROM = 20;

/**
 * Time zero, rise, lifetime and amplitude of a pump–probe delay scan from its shots, without bins: signal / monitor of
 * each pumped shot over that of the unpumped ones, less 1, fitted as {@link fitDecay} does. Where the unpumped ones
 * drift (a sample that is damaged, a beam that moves), so does what pumped ones are divided by: as a polynomial, or
 * as a random walk that follows the unpumped shots next to each. The
 * weight of a shot follows its monitor as the scatter of the unpumped shots does.
 * @param shots - in the order in which they were taken
 * @throws TOO_FEW_SHOTS with fewer than 3 unpumped shots
 * @throws NO_STEP when the shots do not determine time zero, rise or lifetime, or one shot alone does
 * @example
 * const { t0Fs, t0ErrorFs, lifetimeFs, amplitude } = fitDelayScan(shots);
 */
export function fitDelayScan(shots: Iterable<DelayShot>, options: DelayScanFitOptions = {}): DelayScanFit {
  const { offset, robust } = resolveOptions("fitDelayScan", options, {
    offset: optional(flag, false),
    robust: optional(flag, false),
  });
  const { points, reference, unpumped, drift, counts, errorFreedom } = delayCurve(shots, MOST_POINTS);
  const fitTo = (some: readonly CurvePoint[]): DecayFit => {
    const errors = some.map(({ error }) => error);
    return fitDecay(
      some.map(({ delayFs }) => delayFs),
      some.map(({ change }) => change),
      { offset, robust, ...(errorFreedom > 0 ? { errors, errorFreedom } : {}) },
    );
  };
  const fit = fitTo(points);
  const errorOf = unevenErrors(fit, { points, reference, hasOffset: offset }, fitTo);
  const { centre, width, lifetime } = fit;
  const { reducedChiSquare, errorScale, addedScatter, deltaChiSquare, falseAlarmProbability, leftOut } = fit;
  const { amplitude, background } = fit;
  return {
    t0Fs: centre,
    t0ErrorFs: errorOf("centre"),
    riseFs: width,
    riseErrorFs: errorOf("width"),
    lifetimeFs: lifetime,
    lifetimeErrorFs: errorOf("lifetime"),
    amplitude,
    amplitudeError: errorOf("amplitude"),
    offset: fit.offset,
    offsetError: offset ? errorOf("offset") : 0,
    background,
    backgroundError: errorOf("background"),
    unpumped,
    drift,
    shots: counts,
    curve: points.map(({ byReference: _, commonVariance: __, ...point }) => ({
      ...point,
      fitted: decayAt(fit, point.delayFs),
    })),
    points: fit.points,
    ...{ reducedChiSquare, errorScale, addedScatter, deltaChiSquare, falseAlarmProbability, leftOut },
  };
}

/** The fitted change on/off − 1 at a delay, as `curve[k].fitted` is at that of a point. */
export function fittedChange(fit: DelayScanFit, delayFs: number): number {
  const { t0Fs: centre, riseFs: width, lifetimeFs: lifetime, amplitude, offset, background } = fit;
  return decayAt({ centre, width, lifetime, amplitude, offset, background }, delayFs);
}

interface CurvePoint extends Omit<DelayPoint, "fitted"> {
  /** How the change moves with what pumped shots are divided by, shot by shot. */
  readonly byReference: readonly (readonly [shot: number, factor: number])[];
  /** Variance that comes from there and is in `error`. */
  readonly commonVariance: number;
}
type Parameter = "centre" | "width" | "lifetime" | "amplitude" | "background" | "offset";

/** Leverage from which a point decides alone: of a change of its value the curve follows more than half. */
const DECISIVE = 0.5;

/**
 * Errors where points scatter unevenly: an edge that is 10 fs off moves a shot on the rise and none elsewhere. The
 * jackknife: the root of the sum of the squares by which the result moves without each point (HC3 of MacKinnon and
 * White 1985, doi:10.1016/0304-4076(85)90158-7). Where a point decides alone, as a strong shot on a steep rise does,
 * the fit is done again without it, since slopes say too little of how far the curve would go. Never below those of
 * even scatter. All points move together with what pumped shots are divided by: a drift of the unpumped ones that is
 * not known exactly bends the curve.
 * @throws NO_STEP when there is no result without such a point
 */
function unevenErrors(
  fit: DecayFit,
  { points, reference, hasOffset }: { points: readonly CurvePoint[]; reference: Reference; hasOffset: boolean },
  fitTo: (points: readonly CurvePoint[]) => DecayFit,
): (name: Parameter) => number {
  const names = [
    "centre",
    "width",
    "lifetime",
    "amplitude",
    "background",
    ...(hasOffset ? (["offset"] as const) : []),
  ] as const;
  const used = points.filter((_, i) => !fit.leftOut.includes(i));
  const rows = used.map(({ delayFs, error }) =>
    names.map((name) => {
      const step = 1e-4 * Math.max(Math.abs(fit[name]), name === "centre" ? fit.width : 1e-6);
      const moved = (by: number): number => decayAt({ ...fit, [name]: fit[name] + by }, delayFs);
      return (moved(step) - moved(-step)) / (2 * step) / error;
    }),
  );
  const sizes = names.map((_, k) => Math.hypot(...rows.map((row) => row[k] ?? 0)));
  const scaled = rows.map((row) => row.map((value, k) => value / (sizes[k] ?? 1)));
  const inverse = inverseOf(normalOf(scaled));
  if (inverse === undefined) return (name) => fit[`${name}Error`];
  const moves = used.map((point, i) => {
    const row = scaled[i] ?? [];
    const along = inverse.map((of) => dot(of, row));
    const leverage = dot(along, row);
    if (leverage > DECISIVE) {
      const without = fitWithout(point, points, fitTo);
      return names.map((name) => without[name] - fit[name]);
    }
    const residual = (point.change - decayAt(fit, point.delayFs)) / point.error;
    return along.map((part, k) => (part * residual) / (1 - leverage) / (sizes[k] ?? 1));
  });
  const ofReference = names.map((_, k) => {
    const factors = new Float64Array(reference.at.length);
    let inErrors = 0;
    for (const [i, { error, byReference, commonVariance }] of used.entries()) {
      const pull = dot(inverse[k] ?? [], scaled[i] ?? []) / error / (sizes[k] ?? 1);
      for (const [shot, factor] of byReference) factors[shot] = (factors[shot] ?? 0) + pull * factor;
      inErrors += pull ** 2 * commonVariance;
    }
    return Math.max(0, reference.variance(factors) - inErrors);
  });
  return (name) => {
    const k = (names as readonly Parameter[]).indexOf(name);
    const own = Math.max(fit[`${name}Error`], Math.hypot(...moves.map((move) => move[k] ?? NaN)));
    return Math.sqrt(own ** 2 + (ofReference[k] ?? 0));
  };
}

/** @throws NO_STEP naming the point when there is no result without it */
function fitWithout(
  point: CurvePoint,
  points: readonly CurvePoint[],
  fitTo: (points: readonly CurvePoint[]) => DecayFit,
): DecayFit {
  try {
    return fitTo(points.filter((other) => other !== point));
  } catch (error) {
    if (!isSaclaError(error, "NO_STEP")) throw error;
    throw noStep(
      `time zero and rise rest on the single pumped shot at ${point.delayFs.toFixed(0)} fs: ` +
        "take more shots within some 100 fs of it",
    );
  }
}

/**
 * The change of pumped over unpumped shots against the delay, `most` points at most, each of equally many shots.
 * @throws TOO_FEW_SHOTS
 */
function delayCurve(
  shots: Iterable<DelayShot>,
  most: number,
): {
  readonly points: readonly CurvePoint[];
  readonly reference: Reference;
  readonly unpumped: number;
  readonly drift: number;
  readonly counts: { readonly pumped: number; readonly unpumped: number };
  /** Of the errors; 0: they are not known. */
  readonly errorFreedom: number;
} {
  const taken = [...shots];
  // Scaled, so that no power of it grows beyond 1.
  const timed = taken.map((shot, i) => ({ ...shot, time: taken.length < 2 ? 0 : (2 * i) / (taken.length - 1) - 1 }));
  const all = timed.filter(({ signal, monitor }) => Number.isFinite(signal) && monitor > 0);
  requireUnpumped(all);
  const reference = referenceOf(all);
  const referred = all.map((shot, i) => ({ ...shot, shot: i, reference: reference.at[i] ?? NaN }));
  const off = referred.filter(({ pumped }) => !pumped);
  const on = referred.filter(({ pumped, delayFs }) => pumped && Number.isFinite(delayFs));
  const noise = noiseOf(off, reference.freedom);
  const ratio = sumOf(off, (shot) => shot.reference) / off.length;
  on.sort((a, b) => a.delayFs - b.delayFs);
  const points: CurvePoint[] = [];
  const count = Math.min(most, on.length);
  for (let k = 0; k < count; k++) {
    const group = on.slice(Math.floor((k * on.length) / count), Math.floor(((k + 1) * on.length) / count));
    const weights = group.map((shot) => (shot.reference * shot.monitor) ** 2 / noise.of(shot.monitor));
    const weight = weights.reduce((sum, each) => sum + each, 0);
    const mean = (of: (shot: ReferredShot) => number): number =>
      group.reduce((sum, shot, i) => sum + of(shot) * (weights[i] ?? 0), 0) / weight;
    const change = mean((shot) => shot.signal / shot.monitor / shot.reference) - 1;
    const byReference = group.map((shot, i): [number, number] => [
      shot.shot,
      (-(1 + change) * (weights[i] ?? 0)) / weight / shot.reference,
    ]);
    const commonVariance = reference.isLocal ? varianceOf(reference, byReference) : 0;
    points.push({
      delayFs: mean(({ delayFs }) => delayFs),
      change,
      error: Math.sqrt(1 / weight + commonVariance),
      shots: group.length,
      byReference,
      commonVariance,
    });
  }
  const counts = { pumped: on.length, unpumped: off.length };
  const sorted = reference.at.toSorted();
  const drift = ((sorted.at(-1) ?? NaN) - (sorted[0] ?? NaN)) / Math.abs(ratio);
  return { points, reference, unpumped: ratio, drift, counts, errorFreedom: noise.freedom };
}

/** @throws TOO_FEW_SHOTS */
function requireUnpumped(shots: readonly DelayShot[]): void {
  const unpumped = shots.filter(({ pumped }) => !pumped).length;
  if (unpumped < LEAST_UNPUMPED)
    throw new SaclaError("TOO_FEW_SHOTS", `${unpumped} unpumped shots have signal and monitor; 3 are needed.`, {
      details: { pumped: shots.length - unpumped, unpumped },
    });
}

function varianceOf(reference: Reference, by: CurvePoint["byReference"]): number {
  const factors = new Float64Array(reference.at.length);
  for (const [shot, factor] of by) factors[shot] = factor;
  return reference.variance(factors);
}

/** A shot with its place among all and what it is divided by. */
interface ReferredShot extends DelayShot {
  readonly shot: number;
  readonly reference: number;
}

/**
 * Variance of signal − ratio · monitor against the monitor: as its power 0 (noise of the reading), 1 (photons) or 2
 * (noise of the monitor), whichever makes the unpumped shots most likely.
 */
function noiseOf(
  off: readonly ReferredShot[],
  freedom: number,
): { readonly of: (monitor: number) => number; readonly freedom: number } {
  if (off.length < NOISE_FROM) return { of: (monitor) => monitor, freedom: 0 };
  const n = off.length;
  const mean = sumOf(off, ({ monitor }) => monitor) / n;
  let best: { cost: number; power: number; scale: number } | undefined;
  for (const power of [0, 1, 2]) {
    const scale =
      sumOf(off, ({ signal, monitor, reference }) => (signal - reference * monitor) ** 2 / (monitor / mean) ** power) /
      Math.max(1, n - freedom);
    const cost = n * Math.log(scale) + power * sumOf(off, ({ monitor }) => Math.log(monitor / mean));
    if (scale > 0 && cost < (best?.cost ?? Infinity)) best = { cost, power, scale };
  }
  if (best === undefined) return { of: (monitor) => monitor, freedom: 0 };
  const { power, scale } = best;
  return { of: (monitor) => scale * (monitor / mean) ** power, freedom: Math.max(1, n - freedom) };
}

function sumOf(shots: readonly ReferredShot[], of: (shot: ReferredShot) => number): number {
  return shots.reduce((sum, shot) => sum + of(shot), 0);
}
