import { isSaclaError } from "../../core/errors.ts";
import { any, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import { checkWithin } from "../beamline/axis-reach.ts";
import { VirtualDevices, type VirtualDevicesOptions } from "../beamline/virtual-devices.ts";
import { targetsOf, withHint } from "../engine/check.ts";
import { RunOrder } from "../engine/run-keeper.ts";
import type { TargetMap } from "../engine/target-map.ts";
import {
  type Message,
  type MessageResult,
  type Plan,
  type Positions,
  pathPlan,
  type ShotsRequest,
} from "../messages/messages.ts";

export interface DryRunOptions {
  readonly devices: VirtualDevicesOptions;
  readonly maps?: Readonly<Record<string, TargetMap>> | undefined;
  /** Bytes that one shot takes on the disk: images and 0-D values. @default 0 */
  readonly bytesPerShot?: number | undefined;
  /** Runs of an adaptive plan, each with other draws of the responses. @default 5 */
  readonly tries?: number | undefined;
}

/** Least and greatest; the same twice when nothing is left to chance. */
export interface EstimateRange {
  readonly from: number;
  readonly to: number;
}

/** What a plan would do. */
export interface DryRun {
  readonly plan: string;
  readonly seconds: EstimateRange;
  readonly points: EstimateRange;
  /** Shots that come by while shots are taken, good or not. */
  readonly shots: EstimateRange;
  readonly bytes: EstimateRange;
  /** Runs of the facility that it starts. */
  readonly runs: EstimateRange;
  /** Openings of shutters. */
  readonly shutterCycles: EstimateRange;
  /** Most shots that one place gets: while a shutter is open, or without shutters those that are taken. */
  readonly dosePerSpot: EstimateRange;
  /** Positions outside the limits, and of an estimate values that settings do not take; all of them, each once. */
  readonly violations: readonly string[];
  /** Where the axes go, in order, of the first try. */
  readonly path: readonly Positions[];
  /** Why the plan would end early; null when it comes to its end. */
  readonly problem: string | null;
}

/** A plan with more steps than this is taken for one that never ends. */
const MOST_STEPS = 5_000_000;
const ADAPTIVE_TRIES = 5;

/**
 * Does a plan on devices that exist only in numbers, and says what it would take and touch. Nothing real is asked or
 * moved. A plan that depends on what is measured gives ranges, from the responses of `devices.signals`.
 *
 * @example
 * const devices = { axes: { delay: { limits: { from: -10, to: 500 }, speed: 100 } } };
 * const { seconds, shots, violations } = dryRun(plan, { devices });
 */
export function dryRun(plan: Plan, options: DryRunOptions): DryRun {
  const given = resolveOptions("dryRun", options, {
    devices: any,
    maps: any,
    bytesPerShot: optional(finite(0), 0),
    tries: optional(integer(1, 1000), ADAPTIVE_TRIES),
  });
  const tries = plan.adaptive ? given.tries : 1;
  const seed = options.devices.seed ?? 1;
  const all = Array.from({ length: tries }, (_, i) =>
    new DryWalk(pathPlan(plan), { ...options, devices: { ...options.devices, seed: seed + i } }).walk(),
  );
  const range = (of: (walk: DryWalk) => number): EstimateRange => ({
    from: Math.min(...all.map(of)),
    to: Math.max(...all.map(of)),
  });
  const first = all[0];
  const bytes = given.bytesPerShot;
  return {
    plan: plan.name,
    seconds: range(({ devices }) => devices.seconds),
    points: range(({ points }) => points),
    shots: range(({ shots }) => shots),
    bytes: range(({ shots }) => shots * bytes),
    runs: range(({ runs }) => runs),
    shutterCycles: range(({ cycles }) => cycles),
    dosePerSpot: range((walk) => walk.dose),
    violations: [...new Set(all.flatMap(({ violations }) => [...violations]))],
    path: first?.path ?? [],
    problem: all.find(({ problem }) => problem !== null)?.problem ?? null,
  };
}

/**
 * @internal Why a plan must not be run as it is. The error of an adaptive plan without a `path` does not count: its
 * steps follow values that are not measured in a dry run.
 */
export function problemsOf(plan: Plan, run: DryRun): readonly string[] {
  const counts = run.problem !== null && !pathPlan(plan).adaptive;
  return [...new Set([...run.violations, ...(counts ? [run.problem] : [])])];
}

/** One pass over the steps. */
class DryWalk {
  readonly devices: VirtualDevices;
  readonly violations = new Set<string>();
  readonly path: Positions[] = [];
  points = 0;
  shots = 0;
  cycles = 0;
  runs = 0;
  problem: string | null = null;
  readonly #plan: Plan;
  readonly #maps: ReadonlyMap<string, TargetMap>;
  readonly #order = new RunOrder();
  readonly #open = new Set<string>();
  /** Settings that are off: one of them may be the selector that keeps pulses from the place. */
  readonly #off = new Set<string>();
  /** Shots by place since the last of them was put off; none, if it turns out to be the selector. */
  readonly #perhaps = new Map<string, number>();
  readonly #at: Record<string, number> = {};
  /** Shots by place, counted while some shutter is open; and those taken, for plans without shutters. */
  readonly #exposed = new Map<string, number>();
  readonly #taken = new Map<string, number>();
  #place = "";
  #usesShutters = false;

  constructor(plan: Plan, { devices, maps = {} }: DryRunOptions) {
    this.#plan = plan;
    this.devices = new VirtualDevices(devices);
    this.#maps = new Map(Object.entries(maps).map(([name, map]) => [name, map.preview()]));
  }

  get dose(): number {
    const doses = this.#usesShutters ? this.#exposed : this.#taken;
    let most = 0;
    for (const shots of doses.values()) most = Math.max(most, shots);
    return Math.round(most);
  }

  walk(): this {
    const steps = this.#plan.steps();
    let step = steps.next();
    for (let n = 0; step.done !== true; n++) {
      if (n >= MOST_STEPS) {
        this.problem = `it had not ended after ${MOST_STEPS} steps`;
        return this;
      }
      try {
        const answer = this.#answer(step.value);
        step = steps.next(answer);
      } catch (error) {
        this.problem ??= withHint(this.#plan, error).message;
        break;
      }
    }
    if (this.#order.isOn) this.devices.stopRun();
    this.#settle();
    return this;
  }

  #answer(message: Message): MessageResult {
    const { devices } = this;
    switch (message.kind) {
      case "move":
        this.#move(message);
        return { kind: "positions", at: message.to };
      case "where":
        return { kind: "positions", at: devices.where(message.axes) };
      case "set":
        this.#set(message);
        break;
      case "request":
        return { kind: "request", kept: this.#exposing(() => devices.request(message.request)) };
      case "shutter":
        this.#shutter(message.name, message.open);
        break;
      case "wait":
        this.#exposing(() => {
          devices.seconds += message.seconds;
        });
        break;
      case "startRun":
        this.#order.take(message);
        this.runs++;
        return { kind: "run", run: this.#exposing(() => devices.startRun(message.request)) };
      case "stopRun":
        this.#order.take(message);
        this.#exposing(() => devices.stopRun());
        break;
      case "shots":
        return { kind: "shots", taken: this.#shots(message.request) };
      case "fly":
        return this.#fly(message);
      case "spot":
        return this.#spot(message.map);
      case "point":
        this.points++;
        break;
      default:
        break;
    }
    return { kind: "nothing" };
  }

  #move(message: Extract<Message, { kind: "move" }>): void {
    if (!this.#isWithin(message)) return;
    const seconds = this.devices.move(message.to);
    Object.assign(this.#at, message.to);
    // One string per place is what the dose is counted by; without axes there is one place.
    this.#place = JSON.stringify(this.#at);
    this.path.push({ ...this.#at });
    if (this.#open.size > 0) this.#expose(seconds);
  }

  #fly(message: Extract<Message, { kind: "fly" }>): MessageResult {
    const { request } = message;
    const within = this.#isWithin(message);
    const taken = within
      ? this.devices.fly(request)
      : {
          outcome: "interrupted" as const,
          ledger: { asked: 0, used: 0, dropped: [] },
          tags: [],
          positions: [],
          values: {},
        };
    this.shots += taken.ledger.asked;
    for (const at of [request.from, request.to]) this.path.push({ ...this.#at, [request.axis]: at });
    this.#at[request.axis] = request.to;
    this.#place = JSON.stringify(this.#at);
    // Each shot has a place of its own.
    for (const doses of [this.#exposed, this.#taken]) doses.set(this.#place, Math.max(1, doses.get(this.#place) ?? 0));
    return { kind: "fly", taken };
  }

  #isWithin(message: Message): boolean {
    let isWithin = true;
    for (const [axis, to] of targetsOf(message)) {
      try {
        checkWithin(axis, to, this.devices.limits(axis));
      } catch (error) {
        if (!isSaclaError(error, "LIMIT")) throw error;
        this.violations.add(error.message);
        isWithin = false;
      }
    }
    return isWithin;
  }

  #shutter(name: string, open: boolean): void {
    this.#usesShutters = true;
    if (open && !this.#open.has(name)) this.cycles++;
    this.devices.shutter(name, open);
    if (open) this.#open.add(name);
    else this.#open.delete(name);
  }

  #set({ setting, value }: Extract<Message, { kind: "set" }>): void {
    // What came before was not kept away by this one.
    this.#settle();
    this.#exposing(() => this.devices.set(setting, value));
    if (value === "off") this.#off.add(setting);
    else this.#off.delete(setting);
  }

  #shots(request: ShotsRequest): ReturnType<VirtualDevices["shots"]> {
    const { selector } = request;
    const taken =
      selector !== undefined && this.#off.has(selector)
        ? this.#onePulse(request)
        : this.#exposing(() => this.devices.shots(request));
    this.shots += taken.ledger.asked;
    add(this.#taken, this.#place, taken.ledger.asked);
    return taken;
  }

  /** While the selector was off nothing came, and now one pulse does. */
  #onePulse(request: ShotsRequest): ReturnType<VirtualDevices["shots"]> {
    this.#perhaps.clear();
    if (this.#open.size > 0) add(this.#exposed, this.#place, 1);
    return this.devices.shots(request);
  }

  #settle(): void {
    for (const [place, shots] of this.#perhaps) add(this.#exposed, place, shots);
    this.#perhaps.clear();
  }

  #spot(name: string): MessageResult {
    const map = this.#maps.get(name);
    if (map === undefined) throw new Error(`there is no target map ${JSON.stringify(name)}`);
    return { kind: "spot", spot: map.take() };
  }

  #exposing<T>(work: () => T): T {
    const before = this.devices.seconds;
    const result = work();
    if (this.#open.size > 0) this.#expose(this.devices.seconds - before);
    return result;
  }

  #expose(seconds: number): void {
    add(this.#off.size > 0 ? this.#perhaps : this.#exposed, this.#place, seconds * this.devices.rateHz);
  }
}

function add(doses: Map<string, number>, place: string, shots: number): void {
  doses.set(place, (doses.get(place) ?? 0) + shots);
}
