import type { AcceleratorRequest, RequestRule } from "../transport/request-methods.ts";

/**
 * What a control system must know; the simulated facility, MADOCA, or a user's one small file. Every call answers at
 * once or within its own bounded time. Failures are SaclaErrors: LIMIT, INTERLOCK, DEVICE_FAULT, DEVICE_BUSY,
 * UNKNOWN_DEVICE. `withControl` adds leases, limit checks, time bounds and the safe state, so a driver writes none.
 */
export interface ControlDriver {
  /** For messages: "the simulated facility". */
  readonly name: string;
  devices(bl: number): Promise<readonly DeviceInfo[]>;
  /** Where a device is and whether it is at rest. */
  read(device: string): Promise<DeviceReading>;
  /** Begins an absolute move in pulses and answers at once; `read` tells when it is over. */
  move(axis: string, pulses: number): Promise<void>;
  /** Stops an axis with its ramp; answers at once. */
  stop(axis: string): Promise<void>;
  /** Redefines the present position. */
  preset(axis: string, pulses: number): Promise<void>;
  setSpeed(axis: string, pulsesPerSecond: number): Promise<void>;
  setShutter(shutter: string, open: boolean): Promise<void>;
  set(setting: string, value: number | string): Promise<void>;
  startRun(bl: number, request: RunRequest): Promise<{ run: number }>;
  pauseRun(bl: number): Promise<void>;
  resumeRun(bl: number): Promise<void>;
  stopRun(bl: number): Promise<void>;
  runState(bl: number): Promise<RunState>;
  /** Whether X-rays can reach the hutch now, and if not why (trip, interlock, shutter upstream). */
  beam(bl: number): Promise<BeamState>;
  /**
   * What requests to the operators of the accelerator need. Without it they are checked against the allowed values
   * alone. A request that was accepted is `set`, and `read` tells when it has arrived.
   */
  readonly accelerator?: AcceleratorSide;
  /** Told before somebody gets the lease of a beamline, each time. Without it a lease changes nothing by itself. */
  leased?(bl: number): Promise<void>;
  close(): Promise<void>;
}

/** What a control system knows of the accelerator beyond its settings. */
export interface AcceleratorSide {
  rules(bl: number): Promise<readonly RequestRule[]>;
  /** Whether requests are taken (`normal`), and the newest shot, HighTag and tag; null where nobody knows. */
  state(bl: number): Promise<{
    readonly mode: "normal" | "tuning";
    readonly shot: readonly [hightag: number, tag: number] | null;
  }>;
  /** Of operators that are simulated: their answer. Without it people answer, by `sacla requests`. */
  answer?(request: AcceleratorRequest, signal: AbortSignal): Promise<OperatorAnswer>;
}

/** What operators say to a request. */
export interface OperatorAnswer {
  readonly operator: string;
  /** `change`: `to` is offered instead. */
  readonly answer: "accept" | "change" | "decline" | "stop";
  readonly to: number | string | null;
  readonly why: string;
}

/** A run to be started. */
export interface RunRequest {
  readonly comment: string;
  /** Ids; none: those the run control has anyway. */
  readonly detectors: readonly string[];
  /** Images to take; 0: until it is stopped. */
  readonly shots: number;
}

/** The run that is on, or the last one. */
export interface RunState {
  readonly run: number;
  readonly state: "ready" | "running" | "paused" | "stopping" | "fault";
  readonly shots: number;
}

export interface BeamState {
  readonly on: boolean;
  /** Empty while the beam is on. */
  readonly why: string;
}

/** What a device is; names are control names (`bl3_st2_pm001`), `syncdb` the equipment id of its 0-D signal. */
export type DeviceInfo = AxisInfo | ShutterInfo | SettingInfo;

export interface AxisInfo {
  readonly kind: "axis";
  readonly name: string;
  readonly syncdb: string | null;
  readonly meaning: string;
  readonly limitsPulses: readonly [number, number] | "unlimited";
  /** Pulses/s. */
  readonly speed: number;
  readonly speedLimits: readonly [number, number];
  readonly accelerationPulsesPerS2: number;
  readonly backlashPulses: number;
}

export interface ShutterInfo {
  readonly kind: "shutter";
  readonly name: string;
  readonly syncdb: string | null;
  readonly meaning: string;
}

export interface SettingInfo {
  readonly kind: "setting";
  /** "accelerator": its operators alone change it, on request. */
  readonly role: "selector" | "attenuator" | "amplifier" | "undulator-k" | "accelerator";
  readonly name: string;
  readonly syncdb: string | null;
  readonly meaning: string;
  readonly unit: string;
  /** An empty list: it is only read from here. */
  readonly allowed: readonly (number | string)[] | { readonly from: number; readonly to: number };
}

export interface DeviceReading {
  readonly device: string;
  /** "locked": somebody else's or an interlock's; "fault": it failed, `why` says how. */
  readonly state: "ready" | "moving" | "locked" | "fault";
  /** Pulses of an axis; "open" / "closed" of a shutter; value of a setting. */
  readonly value: number | string;
  readonly why: string;
}
