import { SaclaError } from "../../src/core/errors.ts";
import type { ControlDriver, DeviceInfo, DeviceReading, RunRequest, RunState } from "../../src/ec/index.ts";
import { moveSeconds } from "../../src/ec/units.ts";

/** What can be wrong with a toy device or the way to it. */
export type ToyFault =
  | "hang"
  | "slip"
  | "stuck"
  | "late"
  | "refused"
  | "locked"
  | "disconnect"
  | "fault"
  | "late-start";

const axis = (name: string, changes: Partial<DeviceInfo & { kind: "axis" }> = {}): DeviceInfo => ({
  kind: "axis",
  name,
  syncdb: null,
  meaning: "toy",
  limitsPulses: [-100_000, 100_000],
  speed: 50_000,
  speedLimits: [10, 1_000_000],
  accelerationPulsesPerS2: 5_000_000,
  backlashPulses: 0,
  ...changes,
});

export const toyDevices: readonly DeviceInfo[] = [
  axis("bl3_st2_pm001", { syncdb: "xfel_bl_3_st_2_motor_1/position", meaning: "optical delay" }),
  axis("bl3_st2_pm002"),
  axis("bl3_st2_pm003", { limitsPulses: [0, 0], meaning: "limits never set" }),
  axis("bl3_st2_pm004", { limitsPulses: "unlimited" }),
  { kind: "shutter", name: "bl3_lh1_shutter1", syncdb: null, meaning: "pump laser" },
  {
    kind: "setting",
    role: "amplifier",
    name: "bl3_st2_pd1_gain",
    syncdb: null,
    meaning: "diode",
    unit: "",
    allowed: [0, 1, 2, 3],
  },
  {
    kind: "setting",
    role: "undulator-k",
    name: "bl3_id1_k",
    syncdb: null,
    meaning: "K of ID1",
    unit: "",
    allowed: { from: 1.5, to: 2.4 },
  },
];

interface ToyAxis {
  from: number;
  to: number;
  begun: number;
  seconds: number;
  /** Ends of motions so far, for "how often did it move". */
  moves: number;
}

/** A small control system whose devices move in real time and fail on request. */
export class ToyDriver implements ControlDriver {
  readonly name = "the toy";
  /** Set by tests: what is wrong with a device ("*": with all). */
  readonly faults = new Map<string, ToyFault>();
  /** Everything that was asked to change something, in order. */
  readonly calls: string[] = [];
  beamOn = true;
  isClosed = false;
  readonly #axes = new Map<string, ToyAxis>();
  readonly #open = new Set<string>();
  readonly #values = new Map<string, number | string>();
  #devices: readonly DeviceInfo[] = toyDevices;
  #run: RunState = { run: 0, state: "ready", shots: 0 };
  /** Answers that hang until the test lets them go. */
  readonly #held: (() => void)[] = [];

  async devices(bl: number): Promise<readonly DeviceInfo[]> {
    if (bl !== 3) throw new SaclaError("UNKNOWN_BEAMLINE", `the toy has beamline 3 only, not ${bl}.`);
    return this.#devices;
  }

  async read(device: string): Promise<DeviceReading> {
    const fault = this.#faultOf(device);
    if (fault === "disconnect") throw new Error("ECONNRESET");
    if (fault === "hang" && this.faults.get("*") === "hang") await this.#hang();
    if (fault === "locked") return { device, state: "locked", value: this.#valueOf(device), why: "hutch door open" };
    if (fault === "fault") return { device, state: "fault", value: this.#valueOf(device), why: "driver overheated" };
    const motion = this.#axes.get(device);
    const isMoving =
      motion !== undefined &&
      this.#elapsed(motion) < motion.seconds &&
      !(fault === "late-start" && this.#elapsed(motion) < 0.1);
    return { device, state: isMoving ? "moving" : "ready", value: this.#valueOf(device), why: "" };
  }

  async move(name: string, pulses: number): Promise<void> {
    this.calls.push(`move ${name} ${pulses}`);
    await this.#enter(name);
    const fault = this.#faultOf(name);
    const from = Number(this.#valueOf(name));
    const info = this.#devices.find((device) => device.name === name);
    const seconds = info?.kind === "axis" ? moveSeconds(pulses - from, info) : 0;
    const to = fault === "slip" ? Math.round(from + 0.9 * (pulses - from)) : pulses;
    const motion = {
      from,
      to,
      begun: performance.now() / 1000,
      seconds: fault === "stuck" || fault === "late" ? 1e6 : seconds,
      moves: this.#axisOf(name).moves + 1,
    };
    this.#axes.set(name, motion);
  }

  async stop(name: string): Promise<void> {
    this.calls.push(`stop ${name}`);
    if (this.#faultOf(name) === "disconnect") throw new Error("ECONNRESET");
    const at = Number(this.#valueOf(name));
    this.#axes.set(name, { ...this.#axisOf(name), from: at, to: at, seconds: 0 });
  }

  async preset(name: string, pulses: number): Promise<void> {
    this.calls.push(`preset ${name} ${pulses}`);
    this.#axes.set(name, { ...this.#axisOf(name), from: pulses, to: pulses, seconds: 0 });
  }

  async setSpeed(name: string, speed: number): Promise<void> {
    this.calls.push(`speed ${name} ${speed}`);
    this.#devices = this.#devices.map((device) =>
      device.kind === "axis" && device.name === name ? { ...device, speed } : device,
    );
  }

  async setShutter(name: string, open: boolean): Promise<void> {
    this.calls.push(`${open ? "open" : "close"} ${name}`);
    if (open) await this.#enter(name);
    else if (this.#faultOf(name) === "disconnect") throw new Error("ECONNRESET");
    this.#valueOf(name);
    if (this.#faultOf(name) === "stuck") return;
    if (open) this.#open.add(name);
    else this.#open.delete(name);
  }

  async set(name: string, value: number | string): Promise<void> {
    this.calls.push(`set ${name} ${value}`);
    await this.#enter(name);
    if (this.#faultOf(name) === "stuck") return;
    this.#values.set(name, value);
  }

  async startRun(_bl: number, { shots, detectors }: Pick<RunRequest, "shots" | "detectors">): Promise<{ run: number }> {
    this.calls.push(["startRun", ...detectors].join(" "));
    await this.#enter("run");
    this.#run = { run: this.#run.run + 1, state: "running", shots };
    return { run: this.#run.run };
  }

  async pauseRun(): Promise<void> {
    this.calls.push("pauseRun");
    this.#run = { ...this.#run, state: "paused" };
  }

  async resumeRun(): Promise<void> {
    this.calls.push("resumeRun");
    this.#run = { ...this.#run, state: "running" };
  }

  async stopRun(): Promise<void> {
    this.calls.push("stopRun");
    this.#run = { ...this.#run, state: "ready" };
  }

  async runState(): Promise<RunState> {
    return this.#run;
  }

  async beam() {
    return { on: this.beamOn, why: this.beamOn ? "" : "klystron trip" };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.letGo();
  }

  /** Lets every hanging answer come. */
  letGo(): void {
    for (const go of this.#held.splice(0)) go();
  }

  /** Whether an axis moves now, whatever its fault says. */
  isMoving(name: string): boolean {
    const motion = this.#axes.get(name);
    return motion !== undefined && this.#elapsed(motion) < motion.seconds;
  }

  isOpen(name: string): boolean {
    return this.#open.has(name);
  }

  moves(name: string): number {
    return this.#axisOf(name).moves;
  }

  #hang(): Promise<void> {
    return new Promise((resolve) => this.#held.push(resolve));
  }

  /** The faults of a change. */
  async #enter(device: string): Promise<void> {
    const fault = this.#faultOf(device);
    if (fault === "disconnect") throw new Error("ECONNRESET");
    if (fault === "refused") throw new SaclaError("DEVICE_BUSY", `${device} is used by another program.`);
    if (fault === "hang") await this.#hang();
  }

  #faultOf(device: string): ToyFault | undefined {
    return this.faults.get(device) ?? this.faults.get("*");
  }

  #axisOf(name: string): ToyAxis {
    return this.#axes.get(name) ?? { from: 0, to: 0, begun: 0, seconds: 0, moves: 0 };
  }

  #elapsed({ begun }: ToyAxis): number {
    return performance.now() / 1000 - begun;
  }

  #valueOf(device: string): number | string {
    const info = this.#devices.find(({ name }) => name === device);
    if (info === undefined) throw new SaclaError("UNKNOWN_DEVICE", `the toy has no ${device}.`);
    if (info.kind === "shutter") return this.#open.has(device) ? "open" : "closed";
    if (info.kind === "setting")
      return this.#values.get(device) ?? ("from" in info.allowed ? info.allowed.from : (info.allowed[0] ?? 0));
    const motion = this.#axisOf(device);
    const share = motion.seconds === 0 ? 1 : Math.min(1, this.#elapsed(motion) / motion.seconds);
    // A stuck axis says that it moves and stays; a late one crawls.
    if (this.#faultOf(device) === "stuck" && share < 1) return motion.from;
    if (this.#faultOf(device) === "late" && share < 1) return Math.round(motion.from + 10 * this.#elapsed(motion));
    return Math.round(motion.from + share * (motion.to - motion.from));
  }
}
