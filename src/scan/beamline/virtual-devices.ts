import { TAG_RATE_HZ } from "../../core/constants.ts";
import { SaclaError, showList } from "../../core/errors.ts";
import { LedgerBook } from "../../core/ledger.ts";
import { any, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import { Random } from "../../core/random.ts";
import type {
  FlyRequest,
  FlyTaken,
  Positions,
  RequestsKept,
  RequestToOperators,
  RunToStart,
  ShotCondition,
  ShotsRequest,
  ShotsTaken,
} from "../messages/messages.ts";
import { type AxisReach, checkWithin } from "./axis-reach.ts";
import { BeamWait } from "./beam-wait.ts";
import { NO_BEAM, ShotCollector, type ShotReading, whyNotGood } from "./shot-collector.ts";

/** A stage as far as its time is concerned, in units of the experiment. */
export interface VirtualAxis {
  readonly limits: AxisReach;
  /** Units/s. */
  readonly speed: number;
  /** Units/s². Without it, it is at speed at once. */
  readonly acceleration?: number;
  /** Goes so far beyond its target when that lies on the other side, and comes back. @default 0 */
  readonly backlash?: number;
  /** Seconds at each move whatever the way: command, settling, the look whether it is there. @default 0 */
  readonly overheadSeconds?: number;
  /** @default 0 */
  readonly start?: number;
  /** Seconds of a move, when they are known otherwise; then nothing else of the time is used. */
  readonly seconds?: (from: number, to: number) => number;
}

/** What a response sees of the world. */
export interface VirtualShot {
  readonly tag: number;
  /** Where each axis is. */
  at(axis: string): number;
  /** Seconds on the virtual clock. */
  readonly seconds: number;
  readonly random: Random;
  setting(name: string): number | string | undefined;
  isOpen(shutter: string): boolean;
}

/** Devices in numbers: for dry runs and for tests of plans. */
export interface VirtualDevicesOptions {
  readonly axes: Readonly<Record<string, VirtualAxis>>;
  readonly settings?: Readonly<Record<string, number | string>> | undefined;
  readonly shutters?: readonly string[] | undefined;
  /** The value of a signal at a shot; a signal that is not named is 1, and meets every condition. */
  readonly signals?: Readonly<Record<string, (shot: VirtualShot) => ShotReading>> | undefined;
  /** @default 30 */
  readonly rateHz?: number | undefined;
  /** Seconds a shutter or a setting takes. @default 0.1 */
  readonly switchSeconds?: number | undefined;
  /** Seconds a setting takes, where they are known for each. @default `switchSeconds` */
  readonly settingSeconds?: ((setting: string) => number) | undefined;
  /** Seconds from the request for shots to the first one, and for their signals to come. @default 0 */
  readonly shotsOverheadSeconds?: number | undefined;
  /**
   * Seconds until a run has begun, and until one that is ended is stored.
   * @default { start: 0.05, stop: 0.55 }, those of the simulated facility
   */
  readonly runSeconds?: { readonly start: number; readonly stop: number };
  /** @default 1 */
  readonly seed?: number | undefined;
}

const axisChecks = {
  limits: any,
  speed: finite(),
  acceleration: optional(finite()),
  backlash: optional(finite()),
  overheadSeconds: optional(finite(0)),
  start: optional(finite()),
  seconds: any,
};
const seconds = optional(finite(0));
const deviceChecks = {
  axes: any,
  settings: any,
  shutters: any,
  signals: any,
  rateHz: optional(finite(0.001, 1e6), 30),
  switchSeconds: seconds,
  settingSeconds: any,
  shotsOverheadSeconds: seconds,
  runSeconds: any,
  seed: optional(integer()),
};

/** So many shots without an end are a plan that never ends. */
const MOST_SHOTS_PER_POINT = 1_000_000;

/** From the question to the verified value: prompt operators, a ramp, ten shots. */
const REQUEST_SECONDS = 10;

const RUN_SECONDS = { start: 0.05, stop: 0.55 };

interface AxisState {
  readonly info: VirtualAxis;
  at: number;
}

/** The devices and their clock. All calls are over at once; only {@link seconds} moves on. */
export class VirtualDevices {
  readonly rateHz: number;
  readonly #axes = new Map<string, AxisState>();
  readonly #settings: Map<string, number | string>;
  readonly #open = new Set<string>();
  readonly #options: VirtualDevicesOptions;
  readonly #shot: VirtualShot & { tag: number; seconds: number };
  readonly #values = new Map<string, ShotReading>();
  #run = { run: 0, state: "ready" as "ready" | "running" | "paused", shots: 0 };
  /** Images of the run, when it ends by itself. */
  #runLength = Infinity;
  /** Since when the run has gone on. */
  #runSince = 0;
  seconds = 0;

  constructor(options: VirtualDevicesOptions) {
    this.#options = options;
    this.rateHz = resolveOptions("virtual devices", options, deviceChecks).rateHz;
    for (const [name, info] of Object.entries(options.axes)) {
      resolveOptions(`virtual axis ${name}`, info, axisChecks);
      this.#axes.set(name, { info, at: info.start ?? 0 });
    }
    this.#settings = new Map(Object.entries(options.settings ?? {}));
    this.#shot = {
      tag: 0,
      seconds: 0,
      random: new Random(options.seed ?? 1),
      at: (axis) => this.#axis(axis).at,
      setting: (name) => this.#settings.get(name),
      isOpen: (shutter) => this.#open.has(shutter),
    };
  }

  limits(axis: string): VirtualAxis["limits"] {
    return this.#axis(axis).info.limits;
  }

  at(axis: string): number {
    return this.#axis(axis).at;
  }

  where(axes: readonly string[]): Positions {
    return Object.fromEntries(axes.map((axis) => [axis, this.at(axis)]));
  }

  /** Seconds from one position to another. */
  moveSeconds(axis: string, from: number, to: number): number {
    const { info } = this.#axis(axis);
    if (info.seconds !== undefined) return info.seconds(from, to);
    const way = Math.abs(to - from);
    if (way === 0) return info.overheadSeconds ?? 0;
    const { backlash = 0, overheadSeconds = 0 } = info;
    // Always arriving from below: a move down goes beyond and comes back.
    const extra = to < from ? backlash : 0;
    return overheadSeconds + rampSeconds(info, way + extra) + (extra === 0 ? 0 : rampSeconds(info, extra));
  }

  /** Moves together; gives the seconds of the slowest. @throws LIMIT before anything moves, UNKNOWN_DEVICE */
  move(to: Positions): number {
    let slowest = 0;
    for (const axis of Object.keys(to)) {
      const target = to[axis] ?? NaN;
      checkWithin(axis, target, this.limits(axis));
      slowest = Math.max(slowest, this.moveSeconds(axis, this.at(axis), target));
    }
    for (const axis of Object.keys(to)) this.#axis(axis).at = to[axis] ?? NaN;
    this.seconds += slowest;
    return slowest;
  }

  set(setting: string, value: number | string): void {
    if (this.#options.settings !== undefined && !this.#settings.has(setting))
      throw unknown("setting", setting, this.#settings.keys());
    const { settingSeconds, switchSeconds = 0.1 } = this.#options;
    this.seconds += settingSeconds?.(setting) ?? switchSeconds;
    this.#settings.set(setting, value);
  }

  /** What the operators of the accelerator are asked for is set, after a request's time for each change. */
  request({ to }: RequestToOperators): RequestsKept {
    const before = this.seconds;
    let changes = 0;
    for (const [name, value] of Object.entries(to)) {
      if (this.#settings.get(name) === value) continue;
      changes++;
      this.set(name, value);
    }
    this.seconds = before + changes * REQUEST_SECONDS;
    return Object.fromEntries(Object.entries(to).map(([name, value]) => [name, { value, id: null }]));
  }

  shutter(name: string, open: boolean): void {
    const { shutters, switchSeconds = 0.1 } = this.#options;
    if (shutters !== undefined && !shutters.includes(name)) throw unknown("shutter", name, shutters);
    if (open) this.#open.add(name);
    else this.#open.delete(name);
    this.seconds += switchSeconds;
  }

  isOpen(shutter: string): boolean {
    return this.#open.has(shutter);
  }

  closeAll(): void {
    this.#open.clear();
  }

  /** The run that is on, or the last one; the first has number 1. */
  run(): { readonly run: number; readonly state: "ready" | "running" | "paused"; readonly shots: number } {
    const { run, state, shots } = this.#run;
    if (state !== "running") return this.#run;
    const images = shots + Math.floor((this.seconds - this.#runSince) * this.rateHz);
    return images < this.#runLength ? { run, state, shots: images } : { run, state: "ready", shots: this.#runLength };
  }

  /** @throws DEVICE_BUSY when a run is on */
  startRun({ shots = Infinity }: RunToStart): number {
    const { run, state } = this.run();
    if (state !== "ready")
      throw new SaclaError("DEVICE_BUSY", `A run cannot be started: run ${run} is ${state}.`, {
        details: { run, state },
      });
    this.seconds += (this.#options.runSeconds ?? RUN_SECONDS).start;
    this.#run = { run: run + 1, state: "running", shots: 0 };
    this.#runLength = shots;
    this.#runSince = this.seconds;
    return run + 1;
  }

  /** Does nothing when no run is on. */
  stopRun(): void {
    if (this.run().state === "ready") return;
    this.#run = { ...this.run(), state: "ready" };
    this.seconds += (this.#options.runSeconds ?? RUN_SECONDS).stop;
  }

  /** Does nothing when no run goes on. */
  pauseRun(): void {
    if (this.run().state === "running") this.#run = { ...this.run(), state: "paused" };
  }

  /** @throws DEVICE_BUSY when no run is paused */
  resumeRun(): void {
    const { run, state } = this.run();
    if (state !== "paused")
      throw new SaclaError("DEVICE_BUSY", `Run ${run} cannot go on: it is ${state}, not paused.`, {
        details: { run, state },
      });
    this.#run = { ...this.#run, state: "running" };
    this.#runSince = this.seconds;
  }

  /** Takes shots until the request is met or given up. @param note - gets a line when shots wait for the beam */
  shots(request: ShotsRequest, note?: (text: string) => void): ShotsTaken {
    const collector = new ShotCollector(this.#judged(request));
    const seconds = request.budget?.seconds;
    const until = seconds === undefined ? Infinity : this.seconds + seconds;
    const { shotsOverheadSeconds = 0 } = this.#options;
    if (request.selector === undefined) this.seconds += shotsOverheadSeconds;
    else {
      this.set(request.selector, "single");
      // The pulse comes as the selector acts, not a shot later; what remains is the time its values take to come.
      this.seconds += Math.max(0, shotsOverheadSeconds - 1 / this.rateHz);
    }
    const beamWait = new BeamWait(1000 * this.seconds, seconds, { note });
    const read = this.#read;
    for (let n = 0; collector.outcome === undefined && n < MOST_SHOTS_PER_POINT; n++) {
      collector.add(this.#nextTag(), read);
      const why = collector.holding;
      beamWait.look(1000 * this.seconds, why === null ? null : { why });
      if (this.seconds > until) collector.giveUp();
    }
    collector.giveUp();
    beamWait.end();
    return collector.taken(beamWait.heldMs / 1000);
  }

  /** An axis at constant speed. @throws LIMIT */
  fly({ axis, from, to, shots, signals = [], ...given }: FlyRequest): FlyTaken {
    const { conditions = [], beam } = this.#judged(given);
    this.move({ [axis]: from });
    const { info } = this.#axis(axis);
    checkWithin(axis, to, info.limits);
    const speed = (Math.abs(to - from) * this.rateHz) / (shots - 1);
    if (speed > info.speed)
      throw new SaclaError(
        "LIMIT",
        `${axis} cannot fly at ${speed} units/s; its speed is ${info.speed}. Take more shots over the way.`,
      );
    const book = new LedgerBook();
    const [tags, positions]: [number[], number[]] = [[], []];
    const values = new Map(signals.map((signal) => [signal, [] as (number | null)[]]));
    for (let i = 0; i < shots; i++) {
      const state = this.#axis(axis);
      state.at = from + ((to - from) * i) / (shots - 1);
      const tag = this.#nextTag();
      const isDark = beam !== undefined && beam !== "off" && whyNotGood(beam, this.#read(beam.signalName)) !== null;
      let why: string | null = isDark ? NO_BEAM : null;
      for (const condition of conditions) why ??= whyNotGood(condition, this.#read(condition.signalName));
      if (why !== null) {
        book.drop(tag, why);
        continue;
      }
      book.use();
      tags.push(tag);
      positions.push(state.at);
      for (const [signal, column] of values) {
        const value = this.#read(signal);
        column.push(typeof value === "number" && Number.isFinite(value) ? value : null);
      }
    }
    return { outcome: "done", ledger: book.ledger, tags, positions, values: Object.fromEntries(values) };
  }

  /** A request without conditions on signals that have no given values: such a signal meets them. */
  #judged<T extends Pick<ShotsRequest, "conditions" | "beam">>(request: T): T {
    const { conditions, beam } = request;
    // A plan of many points mostly asks for shots without conditions.
    if (conditions === undefined && typeof beam !== "object") return request;
    return {
      ...request,
      conditions: conditions?.filter(this.#isKnown),
      beam: typeof beam === "object" && !this.#isKnown(beam) ? undefined : beam,
    };
  }

  readonly #isKnown = ({ signalName }: ShotCondition): boolean => this.#options.signals?.[signalName] !== undefined;

  /** A signal has one value at a shot, however often it is asked for. */
  readonly #read = (signal: string): ShotReading => {
    const of = this.#options.signals?.[signal];
    if (of === undefined) return 1;
    const known = this.#values.get(signal);
    if (known !== undefined) return known;
    const value = of(this.#shot);
    this.#values.set(signal, value);
    return value;
  };

  #nextTag(): number {
    if (this.#values.size > 0) this.#values.clear();
    this.seconds += 1 / this.rateHz;
    this.#shot.seconds = this.seconds;
    this.#shot.tag = Math.round(this.seconds * TAG_RATE_HZ);
    return this.#shot.tag;
  }

  #axis(name: string): AxisState {
    const found = this.#axes.get(name);
    if (found === undefined) throw unknown("axis", name, this.#axes.keys());
    return found;
  }
}

function rampSeconds({ speed, acceleration }: VirtualAxis, way: number): number {
  if (acceleration === undefined) return way / speed;
  const ramp = speed / acceleration;
  return way >= speed * ramp ? way / speed + ramp : 2 * Math.sqrt(way / acceleration);
}

function unknown(kind: string, name: string, known: Iterable<string>): SaclaError {
  return new SaclaError(
    "UNKNOWN_DEVICE",
    `There is no ${kind} ${JSON.stringify(name)}; there is ${showList(known, 20)}.`,
    { details: { name } },
  );
}
