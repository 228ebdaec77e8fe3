import { isSaclaError, SaclaError, toSaclaError } from "../../core/errors.ts";
import { asText, badArgument } from "../../core/guards.ts";
import { finite, flag, integer, optional, resolveOptions } from "../../core/options.ts";
import { onOffDifference, ratioOfSums, type ShotNumbers } from "../../core/ratio.ts";
import { counted } from "../../core/show.ts";
import { type DelayScanFit, type DelayShot, fitDelayScan } from "../fits/delay-scan.ts";
import {
  type FlyTaken,
  type Plan,
  type PlanSteps,
  plan,
  type ShotsRequest,
  type ShotsTaken,
} from "../messages/messages.ts";
import { flyChecks } from "../messages/shots-request.ts";
import { type FlyScanOptions, sweepOnce } from "./fly.ts";
import { measurePoint, type PointOptions, pointChecks } from "./points.ts";
import { type EqualSteps, equalSteps, stepChecks } from "./scans.ts";
import { note, point } from "./stubs.ts";
import { andReturn, asShutters } from "./wrappers.ts";

/** A 0-D signal with the edge of the timing monitor at each shot, from an analysis that runs live. */
export interface LiveEdges {
  readonly signalName: string;
  readonly fsPerPixel: number;
  /** Edge at which nothing is corrected. */
  readonly zeroPixel: number;
}

export interface DelaySweepsOptions extends Omit<FlyScanOptions, "signals" | "sweeps"> {
  /** What the pump changes. */
  readonly signalName: string;
  /** I0 of each shot. */
  readonly normaliseBy: string;
  /** 1 at pumped shots, 0 at the others. */
  readonly pumpedBy: string;
  /** Delay of a unit of the axis, fs; negative where larger positions are earlier X-rays. 1000 for an axis in ps. */
  readonly fsPerUnit: number;
  /** @default the delay is that of the axis alone */
  readonly jitter?: LiveEdges | undefined;
  /** It ends when the error of time zero is no larger. */
  readonly t0ErrorFs: number;
  /** @default 2 */
  readonly leastSweeps?: number | undefined;
  /** It ends after so many, whatever the error. @default 100 */
  readonly mostSweeps?: number | undefined;
  /** A part of the change stays; see {@link fitDelayScan}. @default false */
  readonly offset?: boolean | undefined;
}

/** What {@link delaySweeps} gives. */
export interface DelaySweeps {
  /** Null when the shots show no time zero. */
  readonly fit: DelayScanFit | null;
  readonly sweeps: number;
  /** `precise`: the error that was asked for is reached. */
  readonly outcome: "precise" | "most-sweeps";
}

/**
 * Fast delay scan: the stage sweeps to and fro at the speed that spreads the shots of a sweep over the way; each shot
 * counts at the delay at which it was taken, corrected by the timing monitor where its edges come live. All sweeps so
 * far are fitted after each one; it ends as soon as time zero is as precise as asked. A row for each sweep: time zero,
 * rise, lifetime and amplitude from all shots so far, NaN where they show none. What drifts slowly is in all
 * delays alike, other than in a scan by steps.
 * @throws TOO_FEW_SHOTS when all of the first 100 shots or more are pumped, or none is
 * @example
 * const signals = { signalName: "diode", normaliseBy: "i0", pumpedBy: "laser" };
 * delaySweeps({ axis: "delay", from: -1, to: 3, shots: 300, fsPerUnit: 1000, t0ErrorFs: 10, ...signals });
 */
export function delaySweeps(options: DelaySweepsOptions): Plan<DelaySweeps> {
  const { signalName, normaliseBy, pumpedBy, fsPerUnit, jitter, t0ErrorFs, leastSweeps, mostSweeps, offset, ...fly } =
    resolveOptions("delaySweeps", options, sweepChecks);
  if (fsPerUnit === 0) throw badArgument("fsPerUnit", 0, "a number other than 0");
  const signals = [signalName, normaliseBy, pumpedBy, ...(jitter === undefined ? [] : [jitter.signalName])];
  function* steps(isPath: boolean): PlanSteps<DelaySweeps> {
    const shots: DelayShot[] = [];
    const flags: (number | null)[] = [];
    let fit: DelayScanFit | null = null;
    for (let sweep = 1; sweep <= mostSweeps; sweep++) {
      const taken = yield* sweepOnce({ ...fly, signals }, sweep % 2 === 0);
      shots.push(...shotsOf(taken, { signalName, normaliseBy, pumpedBy, fsPerUnit, jitter }));
      flags.push(...(taken.values[pumpedBy] ?? []));
      if (!isPath) requireBothKinds(pumpedBy, flags);
      let why = "";
      if (sweep >= leastSweeps) ({ fit, why } = fitOrWhy(shots, offset));
      yield* point({ sweep, shots: shots.length, ...rowOf(fit) });
      if (sweep < leastSweeps) continue;
      yield* note(
        `sweep ${sweep}, ${counted(shots.length, "shot")}: ${fit === null ? `no time zero yet: ${why}` : t0Text(fit)}`,
      );
      if (fit !== null && fit.t0ErrorFs <= t0ErrorFs) return { fit, sweeps: sweep, outcome: "precise" };
    }
    return { fit, sweeps: mostSweeps, outcome: "most-sweeps" };
  }
  return plan("delay-sweeps", { ...options }, () => andReturn([fly.axis], steps(false)), {
    adaptive: true,
    path: () => andReturn([fly.axis], steps(true)),
  });
}

const { signals: _, ...sweepFlyChecks } = flyChecks;
const sweepChecks = {
  ...sweepFlyChecks,
  shutter: optional(asShutters),
  signalName: asText,
  normaliseBy: asText,
  pumpedBy: asText,
  fsPerUnit: finite(),
  jitter: optional((name, value) =>
    resolveOptions(name, value as LiveEdges, { signalName: asText, fsPerPixel: finite(), zeroPixel: finite() }),
  ),
  t0ErrorFs: finite(Number.MIN_VALUE),
  leastSweeps: optional(integer(1), 2),
  mostSweeps: optional(integer(1), 100),
  offset: optional(flag, false),
};

function shotsOf(
  { positions, values }: FlyTaken,
  so: Pick<DelaySweepsOptions, "signalName" | "normaliseBy" | "pumpedBy" | "fsPerUnit" | "jitter">,
): DelayShot[] {
  const at = (signal: string, i: number): number => values[signal]?.[i] ?? NaN;
  return positions.flatMap((position, i) => {
    const pumped = at(so.pumpedBy, i);
    const edge = so.jitter === undefined ? 0 : at(so.jitter.signalName, i) - so.jitter.zeroPixel;
    const delayFs = so.fsPerUnit * position - (so.jitter?.fsPerPixel ?? 0) * edge;
    // Of a shot of which nobody knows whether it was pumped, or without an edge, nothing can be said.
    if ((pumped !== 0 && pumped !== 1) || !Number.isFinite(delayFs)) return [];
    return [{ delayFs, signal: at(so.signalName, i), monitor: at(so.normaliseBy, i), pumped: pumped === 1 }];
  });
}

/** So many shots of one kind alone, and the other kind will not come. */
const ONE_KIND = 100;

/** @throws TOO_FEW_SHOTS when all shots so far are pumped, or none is: more of them would show nothing */
function requireBothKinds(pumpedBy: string, flags: readonly (number | null)[]): void {
  const [on, off] = [1, 0].map((kind) => flags.filter((flag) => flag === kind).length);
  if (flags.length < ONE_KIND || (on !== 0 && off !== 0)) return;
  const [what, next] =
    on === off
      ? ["neither 0 nor 1", "."]
      : on === 0
        ? ["0", ", and pumped ones are needed, too: is the pump laser on, and its shutter open?"]
        : ["1", ", and unpumped ones are needed, too: does the pulse selector of the pump laser leave pulses out?"];
  throw new SaclaError(
    "TOO_FEW_SHOTS",
    `${pumpedBy} is ${what} at all ${counted(flags.length, "shot")} so far${next} Or name another signal ` +
      "that is 1 at pumped shots and 0 at the others.",
    { details: { pumpedBy, pumped: on, unpumped: off } },
  );
}

function fitOrWhy(
  shots: readonly DelayShot[],
  offset: boolean,
): { readonly fit: DelayScanFit | null; readonly why: string } {
  try {
    return { fit: fitDelayScan(shots, { offset }), why: "" };
  } catch (error) {
    if (!isSaclaError(error, "NO_STEP", "TOO_FEW_SHOTS")) throw error;
    return { fit: null, why: toSaclaError(error).message };
  }
}

function rowOf(fit: DelayScanFit | null): Readonly<Record<string, number>> {
  return {
    t0_fs: fit?.t0Fs ?? NaN,
    t0_error_fs: fit?.t0ErrorFs ?? NaN,
    rise_fs: fit?.riseFs ?? NaN,
    lifetime_fs: fit?.lifetimeFs ?? NaN,
    amplitude: fit?.amplitude ?? NaN,
  };
}

function t0Text({ t0Fs, t0ErrorFs, riseFs, lifetimeFs }: DelayScanFit): string {
  return (
    `time zero ${t0Fs.toFixed(1)} ± ${t0ErrorFs.toFixed(1)} fs, ` +
    `rise ${riseFs.toFixed(0)} fs, lifetime ${lifetimeFs.toFixed(0)} fs`
  );
}

export interface SharedScanOptions extends EqualSteps, Omit<PointOptions, "shots"> {
  readonly axis: string;
  readonly signalName: string;
  /** I0: the curve is the ratio of sums. */
  readonly normaliseBy?: string | undefined;
  /** 1 at pumped shots, 0 at the others: the curve is on/off − 1. @default the mean, or the ratio */
  readonly pumpedBy?: string | undefined;
  /** Largest standard error of a point that is wanted. */
  readonly error: number;
  /** Good shots at each point of the first round. @default 30 */
  readonly pilotShots?: number | undefined;
  /** Good shots of the whole scan. @default 100 000 */
  readonly mostShots?: number | undefined;
  /** Conditions and beam as of {@link ShotsRequest}. */
  readonly conditions?: ShotsRequest["conditions"];
  readonly beam?: ShotsRequest["beam"];
  /** The axis goes back to where it was when all is over. @default true */
  readonly andReturn?: boolean | undefined;
}

/** A point of {@link sharedScan}. */
export interface SharedPoint {
  readonly at: number;
  readonly value: number;
  readonly error: number;
  readonly shots: number;
}

/** What {@link sharedScan} gives. */
export interface SharedScan {
  readonly points: readonly SharedPoint[];
  readonly shots: number;
  readonly rounds: number;
  /** `precise`: no error is larger than asked; `no-number`: after two rounds a point has none. */
  readonly outcome: "precise" | "most-shots" | "no-number";
}

/**
 * A step scan that shares its shots between the points by their variance: a first round of a few shots at each, then
 * as many more where they are needed as the scatter says, until no point's error is larger than asked. Where points
 * scatter unlike, as pumped shots do, it takes fewer shots than equally many at each.
 * @throws TOO_FEW_SHOTS when all shots of the first round, 100 or more, are pumped, or none is
 * @example
 * sharedScan({ axis: "delay", from: -1, to: 3, points: 41, signalName: "diode", normaliseBy: "i0", error: 2e-3 });
 */
export function sharedScan(options: SharedScanOptions): Plan<SharedScan> {
  const { andReturn: returns, ...checked } = resolveOptions("sharedScan", options, sharedChecks);
  const steps = (isPath: boolean): PlanSteps<SharedScan> => {
    const all = shareShots(checked, isPath);
    return returns ? andReturn([checked.axis], all) : all;
  };
  return plan("shared-scan", { ...options }, () => steps(false), { adaptive: true, path: () => steps(true) });
}

const { shots: __, ...sharedPointChecks } = pointChecks;
const sharedChecks = {
  ...sharedPointChecks,
  ...stepChecks,
  axis: asText,
  signalName: asText,
  normaliseBy: optional(asText),
  pumpedBy: optional(asText),
  error: finite(Number.MIN_VALUE),
  pilotShots: optional(integer(8), 30),
  mostShots: optional(integer(1), 100_000),
  conditions: flyChecks.conditions,
  beam: flyChecks.beam,
  andReturn: optional(flag, true),
  points: integer(2, 10_000),
};

/** Shots of a round are a little fewer than its variance asks for, as long as more can follow. */
const SHARE_OF_NEED = 0.9;
const LEAST_SHOTS = 8;

type Shared = Omit<SharedScanOptions, "pilotShots" | "mostShots"> & {
  readonly pilotShots: number;
  readonly mostShots: number;
};

function* shareShots(options: Shared, isPath: boolean): PlanSteps<SharedScan> {
  const { axis, signalName, normaliseBy, pumpedBy, error, pilotShots, mostShots, conditions, beam } = options;
  const signals = [signalName, normaliseBy, pumpedBy].filter((name) => name !== undefined);
  const places = equalSteps(options).map((at) => ({ at, taken: [] as ShotsTaken[], need: pilotShots }));
  const { shutter, settleSeconds, giveUp, freshSpots } = options;
  const how = { shutter, settleSeconds, giveUp, freshSpots };
  let [shots, rounds] = [0, 0];
  for (;;) {
    // To and fro, so that no round begins with a long way.
    const order = rounds % 2 === 0 ? places : [...places].reverse();
    for (const place of order) {
      const count = Math.min(Math.ceil(place.need), mostShots - shots);
      if (count <= 0) continue;
      const request: ShotsRequest = { count, signals, conditions, beam };
      const taken = yield* measurePoint({ [axis]: place.at }, { ...how, shots: request }, { round: rounds });
      place.taken.push(taken);
      shots += taken.tags.length;
    }
    rounds++;
    if (pumpedBy !== undefined && !isPath)
      requireBothKinds(
        pumpedBy,
        places.flatMap(({ taken }) => taken.flatMap(({ values }) => [...(values[pumpedBy] ?? [])])),
      );
    const points = places.map(({ at, taken }) => pointOf(at, taken, options));
    for (const [k, place] of places.entries()) place.need = needOf(points[k], error, mostShots);
    const open = points.filter((point) => !(point.error <= error)).length;
    yield* note(
      `round ${rounds}, ${counted(shots, "shot")}: ${open} of ${points.length} points are not precise enough`,
    );
    if (open === 0) return { points, shots, rounds, outcome: "precise" };
    if (rounds > 1 && points.some((point) => !Number.isFinite(point.error)))
      return { points, shots, rounds, outcome: "no-number" };
    if (shots >= mostShots) return { points, shots, rounds, outcome: "most-shots" };
  }
}

function needOf(point: SharedPoint | undefined, error: number, most: number): number {
  if (point === undefined || point.error <= error) return 0;
  if (!Number.isFinite(point.error)) return LEAST_SHOTS;
  const more = point.shots * (SHARE_OF_NEED * (point.error / error) ** 2 - 1);
  return Math.min(most, Math.max(LEAST_SHOTS, more));
}

function pointOf(
  at: number,
  all: readonly ShotsTaken[],
  { signalName, normaliseBy, pumpedBy }: Pick<SharedScanOptions, "signalName" | "normaliseBy" | "pumpedBy">,
): SharedPoint {
  const column = (signal: string): (number | null)[] => all.flatMap(({ values }) => [...(values[signal] ?? [])]);
  const values = column(signalName);
  const ones = values.map(() => 1);
  const monitor: ShotNumbers = normaliseBy === undefined ? ones : column(normaliseBy);
  if (pumpedBy === undefined) {
    const { mean, standardError, count } = ratioOfSums(values, monitor);
    return { at, value: mean, error: standardError, shots: count };
  }
  const flags = column(pumpedBy);
  const classOf = (wanted: number) => ({
    values: values.map((value, i) => (flags[i] === wanted ? value : null)),
    monitor,
  });
  const { contrast, contrastError, on, off } = onOffDifference(classOf(1), classOf(0));
  return { at, value: contrast, error: contrastError, shots: on.count + off.count };
}
