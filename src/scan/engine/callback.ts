import type { Message, Positions, ShotsTaken } from "../messages/messages.ts";
import type { Journal } from "./journal.ts";
import type { PlanLayout } from "./plan-layout.ts";
import type { TargetMap } from "./target-map.ts";

/** A row of the result. */
export interface Row {
  readonly index: number;
  /** Unix milliseconds. */
  readonly time: number;
  /** Positions as asked, and what a plan adds, by name. */
  readonly data: Positions;
  readonly taken: ShotsTaken | null;
  /** Measured before the scan was resumed. */
  readonly isPast: boolean;
}

/** Shots of a whole scan: asked = used + all dropped. */
export interface ShotCounts {
  readonly asked: number;
  readonly used: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/** How a scan began. */
export interface ScanStart {
  readonly uid: string;
  readonly plan: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Unix milliseconds. */
  readonly time: number;
  readonly layout: PlanLayout;
}

/** How a scan ended. */
export interface ScanEnd<R = unknown> {
  readonly outcome: "done" | "stopped" | "aborted";
  /** What the plan gave; undefined unless it is done. */
  readonly result: R | undefined;
  readonly points: number;
  readonly shots: ShotCounts;
}

/** What looks on: a table, a curve, documents. Called in order, never waited for; what it throws ends the scan. */
export interface ScanCallback {
  begin?(start: ScanStart): void;
  point?(row: Row): void;
  note?(text: string): void;
  /** `error` is why it failed; absent when it did not. */
  end?(end: { readonly outcome: ScanEnd["outcome"] | "failed"; readonly points: number; readonly error?: Error }): void;
}

export type EngineState = "idle" | "running" | "pausing" | "paused" | "stopping" | "aborting";

/** What is asked before something that must not be repeated is repeated. */
export interface RepeatQuestion {
  readonly step: number;
  readonly message: Message;
  /** State of the scan in one line. */
  readonly line: string;
}

export interface EngineOptions {
  /** Lets the scan be resumed. */
  readonly journal?: Journal | undefined;
  /** Target maps by the names the plan uses. */
  readonly maps?: Readonly<Record<string, TargetMap>> | undefined;
  readonly callbacks?: readonly ScanCallback[] | undefined;
  /**
   * Whether shots that may have been taken by a process that died may be taken again. Without it, or when it says no,
   * the plan is told that they were interrupted: one on fresh spots takes the next spot.
   */
  readonly mayRepeat?: ((question: RepeatQuestion) => boolean | Promise<boolean>) | undefined;
  /** Limits of the whole plan are checked before the first move. @default true */
  readonly check?: boolean | undefined;
}
