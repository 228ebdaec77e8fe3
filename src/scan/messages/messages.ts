import type { Ledger } from "../../core/ledger.ts";
import { any, flag, optional, resolveOptions } from "../../core/options.ts";

/** Positions of axes by name, in the units of the experiment file. */
export type Positions = Readonly<Record<string, number>>;

/** What a 0-D signal must be for a shot to count as good. A shot for which it has no number is not good. */
export interface ShotCondition {
  /** Equipment id, or the experiment's name of it. */
  readonly signalName: string;
  /** Stands before the reason in the account: with `i0`, `i0-out-of-limits`. @default the signal */
  readonly name?: string | undefined;
  /** Least and greatest value, both included. */
  readonly between?: readonly [low: number, high: number] | undefined;
  /** For flags: this very value. */
  readonly equals?: number | undefined;
}

/** Ends a point before all its shots have come, when the error bar is small enough. */
export interface Precision {
  readonly signalName: string;
  /**
   * A flag signal that parts the shots: the error is then that of the mean where it is 1 less the mean where it is 0.
   */
  readonly pumpedBy?: string | undefined;
  /** Standard error wanted, in the unit of the signal. */
  readonly error: number;
  /** Good shots before anything is believed, of each kind. @default 10 */
  readonly leastShots?: number | undefined;
}

/** When a point is done. */
export interface ShotsRequest {
  /** Good shots wanted. */
  readonly count: number;
  /** Signals kept of every good shot. */
  readonly signals?: readonly string[] | undefined;
  readonly conditions?: readonly ShotCondition[] | undefined;
  /**
   * While this does not hold there is no beam: the point waits, and such shots do not count against the budget.
   * `"off"`: every shot counts, also those without beam. @default that of the beamline, for the simulated and the real
   * one a threshold on the beam monitor; see `controlBeamline`
   */
  readonly beam?: ShotCondition | "off" | undefined;
  readonly precision?: Precision | undefined;
  /** Limits after which the point is abandoned; with a `selector`, counted from when it fires. */
  readonly budget?: {
    /** Shots with beam that may come by, over all attempts. */
    readonly shots?: number | undefined;
    /** Seconds, waits for the beam included. Without it such a wait has no end of its own. */
    readonly seconds?: number | undefined;
  };
  /** Begins the point again when too few of its shots were good: those of the failed attempt are not used. */
  readonly repeat?: {
    /** Least part of the shots with beam that must be good, 0 to 1. */
    readonly goodPart: number;
    /** Attempts at most. */
    readonly attempts: number;
  };
  /**
   * Pulse selector that lets one pulse through (`single`) as soon as shots are looked for, so that this pulse is not
   * missed; for `count` 1. The shutter is open by then: see {@link onePulse}.
   */
  readonly selector?: string | undefined;
}

/** Values of one signal over good shots. */
export interface SignalSummary {
  readonly count: number;
  readonly mean: number;
  /** Sample standard deviation / √count; NaN for fewer than two. */
  readonly standardError: number;
}

/** What came of a {@link ShotsRequest}. */
export interface ShotsTaken {
  /**
   * `precise`: ended early by its error bar. `interrupted`: the program died or was stopped meanwhile; nothing of it is
   * used.
   */
  readonly outcome: "done" | "precise" | "gave-up" | "interrupted";
  readonly attempts: number;
  /** Every shot that came by: used, or dropped with the reason. */
  readonly ledger: Ledger;
  /** Good shots in order. */
  readonly tags: readonly number[];
  /** Values of the good shots, as long as `tags`; null where there is no number. */
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
  /** Of signals that lack a number at some good shots: how many by the SyncDB's reason. Absent when none does. */
  readonly missing?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Seconds spent waiting for the beam. */
  readonly heldSeconds: number;
  /** The facility's run they are in, when the plan had started one. */
  readonly run?: number;
}

/** One axis moves at constant speed while shots are taken. */
export interface FlyRequest {
  readonly axis: string;
  readonly from: number;
  readonly to: number;
  /** Shots over the way; the speed follows from them and the repetition rate. */
  readonly shots: number;
  readonly signals?: readonly string[] | undefined;
  readonly conditions?: readonly ShotCondition[] | undefined;
  /** As of {@link ShotsRequest}: it begins with beam, and shots without it are left out. */
  readonly beam?: ShotCondition | "off" | undefined;
}

/** Good shots of a fly scan with where the axis was at each. */
export interface FlyTaken {
  readonly outcome: "done" | "interrupted";
  readonly ledger: Ledger;
  readonly tags: readonly number[];
  /** Position of the axis at each good shot. */
  readonly positions: readonly number[];
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
  /** The facility's run they are in, when the plan had started one. */
  readonly run?: number;
}

/** A run of the facility: what detectors see from its start to its end is stored. */
export interface RunToStart {
  readonly comment: string;
  /** Ids, or the experiment's names of them. @default those the run control has anyway */
  readonly detectors?: readonly string[];
  /** Images after which it ends by itself. @default until it is stopped */
  readonly shots?: number;
}

/** What is asked of the operators of the accelerator: values of its parameters, by the names of settings. */
export interface RequestToOperators {
  readonly to: Readonly<Record<string, number | string>>;
  /** Why, for them and the log. @default that of the lease */
  readonly reason?: string | undefined;
  /** How long they may take to answer each. @default 60 */
  readonly answerSeconds?: number | undefined;
}

/** Values that the operators have set and 0-D signals have verified, with the number of each request. */
export type RequestsKept = Readonly<Record<string, { readonly value: number | string; readonly id: number | null }>>;

/** A place on a sample that may be shot once. */
export interface TargetSpot {
  readonly index: number;
  readonly at: Positions;
}

/** One thing to do: plain data. A plan is a generator of these. */
export type Message =
  | { readonly kind: "move"; readonly to: Positions }
  | { readonly kind: "where"; readonly axes: readonly string[] }
  | { readonly kind: "set"; readonly setting: string; readonly value: number | string }
  | { readonly kind: "request"; readonly request: RequestToOperators }
  | { readonly kind: "shutter"; readonly name: string; readonly open: boolean }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "startRun"; readonly request: RunToStart }
  /** Ends the run that the plan has started. */
  | { readonly kind: "stopRun" }
  | { readonly kind: "shots"; readonly request: ShotsRequest }
  | { readonly kind: "fly"; readonly request: FlyRequest }
  /** Marks the next fresh spot of a target map as spent and gives it. */
  | { readonly kind: "spot"; readonly map: string }
  /** Whether the beam monitor saw a shot on the spot. */
  | { readonly kind: "confirm"; readonly map: string; readonly spot: number; readonly hit: boolean }
  /** A row of the result. */
  | { readonly kind: "point"; readonly data: Positions; readonly taken: ShotsTaken | null }
  /** A safe point: here a scan pauses and stops. */
  | { readonly kind: "checkpoint" }
  /** What lies between `begins` true and false must not be repeated after a crash or an abort without asking. */
  | { readonly kind: "once"; readonly begins: boolean }
  | { readonly kind: "note"; readonly text: string };

/** What the engine gives for a message. */
export type MessageResult =
  | { readonly kind: "positions"; readonly at: Positions }
  | { readonly kind: "shots"; readonly taken: ShotsTaken }
  | { readonly kind: "fly"; readonly taken: FlyTaken }
  | { readonly kind: "spot"; readonly spot: TargetSpot }
  | { readonly kind: "run"; readonly run: number }
  | { readonly kind: "request"; readonly kept: RequestsKept }
  | { readonly kind: "nothing" };

/** The steps of a plan, composed with `yield*`. */
export type PlanSteps<R = void> = Generator<Message, R, MessageResult>;

/** What can be run, checked, estimated and resumed. */
export interface Plan<R = unknown> {
  readonly name: string;
  /** What it was made with, as JSON: kept with the results and compared when a scan is resumed. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Its steps or its end depend on what is measured, so that its length is a range. */
  readonly adaptive: boolean;
  /** Begins anew at each call. The same answers must give the same messages: no clock, no chance, no hardware. */
  steps(): PlanSteps<R>;
  /**
   * Goes the same ways without a look at what is measured, as if every peak were in the middle: limits are checked, and
   * times estimated, with these steps. Of an adaptive plan, whose own steps end in a dry run at the first peak.
   */
  readonly path?: (() => PlanSteps<unknown>) | undefined;
}

/**
 * A plan out of a generator function.
 * @example
 * const twice = plan("twice", { shots: 60 }, function* () {
 *   yield* count({ shots: 60 });
 *   yield* count({ shots: 60 });
 * });
 */
export function plan<R>(
  name: string,
  settings: Readonly<Record<string, unknown>>,
  steps: () => PlanSteps<R>,
  options: Partial<Pick<Plan, "adaptive" | "path">> = {},
): Plan<R> {
  return { name, settings, steps, ...resolveOptions("plan", options, { adaptive: optional(flag, false), path: any }) };
}

/** @internal What is looked at of a plan before it begins. */
export function pathPlan(plan: Plan): Plan {
  const { path } = plan;
  return path === undefined ? plan : { ...plan, steps: path, adaptive: false, path: undefined };
}
