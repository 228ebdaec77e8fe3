import type {
  FlyRequest,
  FlyTaken,
  Positions,
  RequestsKept,
  RequestToOperators,
  RunToStart,
  ShotsRequest,
  ShotsTaken,
} from "../messages/messages.ts";
import type { AxisReach } from "./axis-reach.ts";

export interface DoOptions {
  /** Ends the call with ABORTED; what moved has been stopped. */
  readonly signal?: AbortSignal | undefined;
  /** Gets a line for the user when something waits that may wait for long. */
  readonly note?: ((text: string) => void) | undefined;
  /** Told when it begins to wait for something that may never come (true), and when it goes on (false). */
  readonly waiting?: ((isWaiting: boolean) => void) | undefined;
}

/** The run control of a beamline. */
export interface BeamlineRuns {
  /** The run that is on, or the last one, with its images. */
  state(): Promise<{
    readonly run: number;
    readonly state: "ready" | "running" | "paused" | "stopping" | "fault";
    readonly shots: number;
  }>;
  /**
   * Answers when it has begun.
   * @throws DEVICE_BUSY when one is on
   * @throws UNKNOWN_DETECTOR, DEVICE_FAULT, LEASE_LOST
   */
  start(request: RunToStart): Promise<{ readonly run: number }>;
  /** Ends the run, if one is on, and waits until the next one could start. @throws ABORTED: it ends all the same */
  stop(options: DoOptions): Promise<void>;
  /** Does nothing when no run is on. */
  pause(): Promise<void>;
  /** Goes on with a paused run. @throws DEVICE_BUSY when none is */
  resume(): Promise<void>;
}

/** What the engine acts on: the control of a beamline, or devices that exist only in numbers. */
export interface Beamline {
  /** Shots per second. */
  readonly rateHz: number;
  /** Milliseconds; virtual in a dry run. */
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** In user units. @throws UNKNOWN_DEVICE */
  limits(axis: string): AxisReach;
  /** Whether these signals exist, asked before a plan begins. @throws UNKNOWN_SIGNAL, UNKNOWN_DEVICE */
  checkSignals?(signals: readonly string[]): Promise<void>;
  /**
   * Asked before the first step of a plan: looks at the beam, and tells by notes what it takes for beam. Waits when
   * there is none, for a bounded time.
   * @throws NO_BEAM when none comes @throws ABORTED
   */
  prepare?(
    needs: { readonly needsBeam: boolean; readonly opens: readonly string[] },
    options: DoOptions,
  ): Promise<void>;
  /** Where axes are, in user units. @throws UNKNOWN_DEVICE */
  where(axes: readonly string[]): Promise<Positions>;
  /**
   * Moves axes together and waits; gives where they are.
   * @throws LIMIT before anything moves @throws INTERLOCK, DEVICE_BUSY, DEVICE_FAULT, ABORTED; all have been stopped
   */
  move(to: Positions, options: DoOptions): Promise<Positions>;
  set(setting: string, value: number | string, options?: DoOptions): Promise<void>;
  /**
   * Asks the operators of the accelerator, and waits until each value is set and verified. Without it, a plan that
   * asks is refused.
   * @throws LIMIT, REQUEST_DECLINED, REQUEST_EXPIRED, NOT_VERIFIED and what else `Control.request` throws
   * @throws ABORTED
   */
  request?(request: RequestToOperators, options: DoOptions): Promise<RequestsKept>;
  /** Asked before a plan begins, for each value it asks for. @throws LIMIT, UNKNOWN_DEVICE */
  checkRequest?(name: string, value: number | string): void;
  shutter(name: string, open: boolean): Promise<void>;
  /** Waits until `count` good shots have come, within the budget; accounts for every shot. @throws ABORTED */
  shots(request: ShotsRequest, options: DoOptions): Promise<ShotsTaken>;
  /**
   * Moves an axis at the speed that spreads the shots over the way, and gives where it was at each.
   * @throws UNSUPPORTED, LIMIT, ABORTED
   */
  fly(request: FlyRequest, options: DoOptions): Promise<FlyTaken>;
  /** Runs of the facility. Without it, a plan that starts one is refused. */
  readonly runs?: BeamlineRuns;
  /** The declared safe state: axes at rest, shutters closed. */
  safe(): Promise<void>;
}
