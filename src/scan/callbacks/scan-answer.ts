import { isSaclaError } from "../../core/errors.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { type PointMean, pooledErrors } from "../../core/point-errors.ts";
import { quantity, quantityWithError } from "../../core/quantities.ts";
import { normalCdf } from "../../core/special-functions.ts";
import { difference, normalisedSummary, pumpedAndUnpumped } from "../beamline/shot-collector.ts";
import type { Row } from "../engine/callback.ts";
import { centroid } from "../fits/centroid.ts";
import { fitPeak, type PeakFit } from "../fits/peak.ts";
import { profiles } from "../fits/peak-shapes.ts";
import { fitStep, type StepFit } from "../fits/step.ts";
import type { ShotsTaken } from "../messages/messages.ts";
import { type CurveOptions, curveAxis } from "./scan-curves.ts";

export interface ScanAnswerOptions extends CurveOptions {
  /** A flag, 1 with the pump laser and 0 without: the curves are then pumped − unpumped. */
  readonly pumpedBy?: string | undefined;
  /** The intensity monitor: the curves are the ratios of the sums of both over the shots of a point. */
  readonly normaliseBy?: string | undefined;
}

/** What a scan found in one signal. */
export interface ScanAnswer {
  readonly signal: string;
  /** The monitor that the signal was divided by; null: none. */
  readonly normalisedBy: string | null;
  /** Name of the axis. */
  readonly axis: string;
  readonly kind: "peak" | "dip" | "step" | "none";
  /** Where the fit has its centre; null when there is none. */
  readonly centre: number | null;
  readonly centreError: number | null;
  /** Centre of gravity, of peaks and dips that are not cut by the scan's ends. */
  readonly gravity: { readonly centre: number; readonly centreError: number } | null;
  /** Full width at half maximum of a peak; of a step that of its blur, 2.355 times its rms width. */
  readonly fwhm: number | null;
  readonly fwhmError: number | null;
  readonly height: number | null;
  readonly heightError: number | null;
  /** What the peak stands on, or the signal before the step. */
  readonly background: number | null;
  /** How often noise alone gives the like, somewhere in the scan. */
  readonly falseAlarmProbability: number | null;
  /** Why there is neither peak nor step; "" when there is one. */
  readonly why: string;
}

/** What was found, without where it was looked for. */
type Found = Omit<ScanAnswer, "signal" | "normalisedBy" | "axis">;

/** One step of blur, rms, as a full width at half maximum. */
const FWHM_OF_RMS = Math.sqrt(8 * Math.LN2);

/** Of a curve that is drawn; even, so that the centre is among them. */
const CURVE_STEPS = 80;

/**
 * Peak, dip or step of every signal of a scan of one axis, whichever describes the points better; or why there is none.
 * Nothing for a scan without one axis that all points differ in.
 */
export function scanAnswers(rows: readonly Row[], options: ScanAnswerOptions = {}): ScanAnswer[] {
  const resolved = resolveOptions("scanAnswers", options, { axis: any, units: any, pumpedBy: any, normaliseBy: any });
  const { pumpedBy, normaliseBy, axis = curveAxis(rows) } = resolved;
  if (axis === undefined) return [];
  const placed = rows.flatMap(({ data, taken }) => {
    const x = data[axis];
    return x === undefined || taken === null ? [] : [{ x, taken }];
  });
  const signals = [...new Set(placed.flatMap(({ taken }) => Object.keys(taken.values)))].filter(
    (signal) => signal !== pumpedBy && signal !== normaliseBy,
  );
  return signals.map((signal) => {
    const points = placed.map(({ taken }) => pointOf(taken, signal, options));
    const x = placed.map((one) => one.x);
    return {
      signal,
      normalisedBy: normaliseBy ?? null,
      axis,
      ...(onlyOne(placed, signal, pumpedBy) ?? feature(x, points)),
    };
  });
}

/** Where no shot was pumped, or all were, there is nothing to compare. */
function onlyOne(
  placed: readonly { readonly taken: ShotsTaken }[],
  signal: string,
  pumpedBy: string | undefined,
): Found | undefined {
  if (pumpedBy === undefined) return undefined;
  const all = placed.map(({ taken }) => pumpedAndUnpumped(taken, signal, pumpedBy));
  if (all.every(({ pumped }) => pumped.count === 0))
    return none(`no shot was pumped (${pumpedBy} = 1); the shutter of the pump laser is perhaps closed`);
  return all.every(({ unpumped }) => unpumped.count === 0)
    ? none(`every shot was pumped (${pumpedBy} = 1), so there is none to compare with`)
    : undefined;
}

function pointOf(taken: ShotsTaken, signal: string, { pumpedBy, normaliseBy }: ScanAnswerOptions): PointMean {
  return pumpedBy === undefined ? normalisedSummary(taken, signal, normaliseBy) : difference(taken, signal, pumpedBy);
}

function feature(x: readonly number[], points: readonly PointMean[]): Found {
  const y = points.map(({ mean }) => mean);
  const { errors, errorFreedom } = pooledErrors(points);
  const weights = errorFreedom > 0 ? { errors, errorFreedom } : {};
  const peak = attempt(() => fitPeak(x, y, weights));
  const step = attempt(() => fitStep(x, y, weights));
  if ("why" in peak && "why" in step)
    return none(
      peak.why === step.why ? `no peak and no step: ${peak.why}` : `no peak: ${peak.why}; no step: ${step.why}`,
    );
  if ("why" in peak) return "why" in step ? none(peak.why) : stepFound(step.fit);
  if (!("why" in step) && misfit(step.fit) < misfit(peak.fit)) return stepFound(step.fit);
  return peakFound(peak.fit, () => centroid(x, y, weights));
}

/** Both fits have four parameters: the smaller χ² tells them apart; without errors the more certain one. */
function misfit({ reducedChiSquare, falseAlarmProbability }: PeakFit | StepFit): number {
  return Number.isNaN(reducedChiSquare) ? falseAlarmProbability : reducedChiSquare;
}

function attempt<F>(fitOf: () => F): { readonly fit: F } | { readonly why: string } {
  try {
    return { fit: fitOf() };
  } catch (error) {
    if (!isSaclaError(error, "NO_PEAK", "NO_STEP")) throw error;
    return { why: typeof error.details["why"] === "string" ? error.details["why"] : error.message };
  }
}

function peakFound(fit: PeakFit, gravityOf: () => { centre: number; centreError: number }): Found {
  const gravity = attempt(gravityOf);
  const { centre, centreError, fwhm, fwhmError, height, heightError, background, falseAlarmProbability } = fit;
  return {
    kind: height < 0 ? "dip" : "peak",
    ...{ centre, centreError, fwhm, fwhmError, height, heightError, background, falseAlarmProbability },
    gravity: "why" in gravity ? null : { centre: gravity.fit.centre, centreError: gravity.fit.centreError },
    why: "",
  };
}

function stepFound({
  centre,
  centreError,
  width,
  widthError,
  height,
  heightError,
  background,
  falseAlarmProbability,
}: StepFit): Found {
  const [fwhm, fwhmError] = [FWHM_OF_RMS * width, FWHM_OF_RMS * widthError];
  const numbers = { centre, centreError, fwhm, fwhmError, height, heightError, background, falseAlarmProbability };
  return { kind: "step", ...numbers, gravity: null, why: "" };
}

function none(why: string): Found {
  const nothing = { centre: null, centreError: null, fwhm: null, fwhmError: null, height: null, heightError: null };
  return { kind: "none", ...nothing, background: null, falseAlarmProbability: null, gravity: null, why };
}

/**
 * The fitted model of an answer as a curve to draw, between two places of its axis; undefined where nothing was found.
 * Points lie closer round the centre, so that the top of a narrow peak is not missed.
 */
export function answerCurve(
  { kind, centre, fwhm, height, background }: ScanAnswer,
  from: number,
  to: number,
): { readonly x: number[]; readonly y: number[] } | undefined {
  if (centre === null || fwhm === null || height === null || background === null) return undefined;
  const even = (low: number, high: number): number[] =>
    Array.from({ length: CURVE_STEPS + 1 }, (_, i) => low + ((high - low) * i) / CURVE_STEPS);
  const near = even(centre - 2 * fwhm, centre + 2 * fwhm).filter((at) => at > from && at < to);
  const x = [...even(from, to), ...near].sort((a, b) => a - b);
  const shape = (u: number): number =>
    kind === "step" ? normalCdf(FWHM_OF_RMS * u) : profiles.gaussian.of(u, Number.NaN);
  return { x, y: x.map((at) => background + height * shape((at - centre) / fwhm)) };
}

/** An answer in one line for people. @param units - by name of axis or signal */
export function answerText(answer: ScanAnswer, units: Readonly<Record<string, string>> = {}): string {
  const { signal, normalisedBy, axis, kind, centre, centreError, fwhm, fwhmError, height, heightError } = answer;
  const { gravity, why } = answer;
  const name = normalisedBy === null ? signal : `${signal} / ${normalisedBy}`;
  if (kind === "none") return `${name}: ${why}`;
  const unit = units[axis] ?? "";
  const own = units[signal] ?? "";
  const heightUnit = normalisedBy === null ? own : `${own}/${units[normalisedBy] ?? ""}`.replace(/^\/?$|\/$/, "");
  const at = (value: number | null, error: number | null, of = unit): string =>
    quantityWithError(value ?? NaN, error ?? NaN, of);
  const parts = [
    `${kind} at ${axis} = ${at(centre, centreError)}`,
    `${kind === "step" ? "blur (FWHM)" : "FWHM"} ${at(fwhm, fwhmError)}`,
    `height ${at(height, heightError, heightUnit)}`,
    ...(gravity === null ? [] : [`centre of gravity ${at(gravity.centre, gravity.centreError)}`]),
    chanceText(answer.falseAlarmProbability ?? NaN),
  ];
  return `${name}: ${parts.join(", ")}`;
}

function chanceText(chance: number): string {
  if (!(chance > 1e-6)) return "by noise alone less than once in a million scans";
  return `by noise alone once in ${quantity(Math.round(1 / chance))} scans`;
}
