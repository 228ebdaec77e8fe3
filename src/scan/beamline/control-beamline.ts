import { sleep } from "../../core/async.ts";
import { SaclaError, toSaclaError } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { LedgerBook } from "../../core/ledger.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import { type Column, entryOf } from "../../core/syncdb.ts";
import type { Db } from "../../db/index.ts";
import { signalId } from "../../ec/experiment.ts";
import { type Axis, type Control, type Experiment, toPosition } from "../../ec/index.ts";
import type { Endpoint } from "../../transport/index.ts";
import type { FlyRequest, FlyTaken, ShotsRequest, ShotsTaken } from "../messages/messages.ts";
import { BeamWait, type Missing } from "./beam-wait.ts";
import type { Beamline, BeamlineRuns, DoOptions } from "./beamline.ts";
import { ShotCollector, type ShotReading, signalsOf, whyNotGood } from "./shot-collector.ts";

export interface ControlBeamlineOptions {
  /** Names of signals; without it signals go by their equipment ids. */
  readonly experiment?: Experiment | undefined;
  /** A signal that every shot has: tells which shots have come when a request names no signal. */
  readonly monitor: string;
  /** Shots per second. @default 30 */
  readonly rateHz?: number | undefined;
  /** Between two looks for new shots. @default 100 */
  readonly pollMs?: number | undefined;
  /**
   * How far the newest value in the database may be behind the beam: shots nearer than this to the moment of the
   * request may have happened before it and are not taken. @default 200
   */
  readonly latencyMs?: number | undefined;
  /** How long no new shot may come while the beam is said to be on. @default 30000 */
  readonly silentMs?: number | undefined;
}

/** What gives the beamline and its database. A `Facility` is one. */
export interface ControlledFacility {
  readonly db: Db;
  readonly endpoint: Endpoint;
}

const TAGS_PER_MS = 0.06;
/** A stopped axis is at rest after so long. */
const LONGEST_RAMP_MS = 5000;
const REST_POLL_MS = 20;
/** A run that was ended is stored after so long. */
const LONGEST_STORING_MS = 60_000;
/** Shots asked for at a time. */
const MOST_TAGS = 10_000;

/** Values of some signals at one shot. */
type ReadShot = (signal: string) => ShotReading;

/**
 * The controlled beamline as the engine acts on it. Shots are found by asking for the newest tag and reading the 0-D
 * columns up to it.
 *
 * @example
 * await using control = await facility.ec.control(3, { name: "night shift", reason: "delay scan", experiment });
 * const beamline = controlBeamline(facility, control, { experiment, monitor: "i0" });
 * await new Engine(beamline).run(plan);
 */
export function controlBeamline(
  facility: ControlledFacility,
  control: Control,
  options: ControlBeamlineOptions,
): Beamline {
  const { rateHz } = resolveOptions("controlBeamline", options, {
    experiment: any,
    monitor: asText,
    rateHz: optional(finite(0.001, 60), 30),
    pollMs: optional(finite(0)),
    latencyMs: optional(finite(0)),
    silentMs: optional(finite(0)),
  });
  const used = new Set<string>();
  const feed = (): ShotFeed => new ShotFeed(facility, control, options);
  return {
    rateHz,
    now: () => performance.now(),
    sleep,
    limits: (axis) => control.axis(axis).limits,
    checkSignals: async (signals) => {
      for (const name of [options.monitor, ...signals])
        await facility.db.readTagnumberNewest(signalId(options.experiment, name));
    },
    where: async (axes) =>
      Object.fromEntries(
        await Promise.all(axes.map(async (axis) => [axis, await control.axis(axis).position()] as const)),
      ),
    move: async (to, { signal }) => {
      const axes = Object.keys(to);
      for (const axis of axes) used.add(axis);
      try {
        return await (await control.plan({ ...to })).go({ signal });
      } catch (error) {
        // What was stopped still runs down its ramp, and cleanup that moves it would find it busy.
        await atRest(control, axes);
        throw error;
      }
    },
    set: async (setting, value) => await control.setting(setting).set(value),
    shutter: async (name, open) => {
      const shutter = control.shutter(name);
      await (open ? shutter.open() : shutter.close());
    },
    shots: async (request, how) =>
      await underLease(control, how, async (bound) => await takeShots(feed(), control, request, bound)),
    fly: async (request, how) => {
      used.add(request.axis);
      try {
        return await underLease(
          control,
          how,
          async (bound) => await fly(feed(), control, request, rateHz, options, bound),
        );
      } catch (error) {
        await atRest(control, [request.axis]);
        throw error;
      }
    },
    runs: runsOf(control, options),
    safe: async () => {
      await control.safe();
      await atRest(control, [...used]);
    },
  };
}

/**
 * Work that ends when the lease is lost: the devices have been made safe then, and what it waits for would never come.
 * @throws LEASE_LOST and not the ABORTED by which the engine knows a pause
 */
async function underLease<T>(control: Control, how: DoOptions, work: (bound: DoOptions) => Promise<T>): Promise<T> {
  const lost = control.signal;
  const signal = AbortSignal.any([lost, ...(how.signal === undefined ? [] : [how.signal])]);
  try {
    return await work({ ...how, signal });
  } catch (error) {
    throw lost.aborted ? toSaclaError(lost.reason) : error;
  }
}

/** Waits until stopped axes are at rest, for a bounded time: whether they are is for the next move to say. */
async function atRest(control: Control, axes: readonly string[]): Promise<void> {
  const until = performance.now() + LONGEST_RAMP_MS;
  const isMoving = async (axis: string): Promise<boolean> => {
    try {
      return (await control.axis(axis).read()).state === "moving";
    } catch {
      // What cannot be read is not waited for; the error that led here is the one to show.
      return false;
    }
  };
  while (performance.now() < until && (await Promise.all(axes.map(isMoving))).includes(true)) await sleep(REST_POLL_MS);
}

function runsOf(control: Control, { experiment, pollMs = 100 }: ControlBeamlineOptions): BeamlineRuns {
  return {
    state: async () => await control.runState(),
    start: async ({ comment, detectors = [], shots = 0 }) =>
      await control.startRun({
        comment,
        detectors: detectors.map((name) => experiment?.detectors[name]?.id ?? name),
        shots,
      }),
    stop: async ({ signal }) => {
      await control.stopRun();
      const until = performance.now() + LONGEST_STORING_MS;
      for (;;) {
        const { run, state } = await control.runState();
        if (state === "ready") return;
        if (state === "fault" || performance.now() > until)
          throw new SaclaError("DEVICE_FAULT", `Run ${run} was to end, but is ${state}. Look at the run control.`, {
            details: { run, state },
          });
        await sleep(pollMs, signal);
      }
    },
    pause: async () => await control.pauseRun(),
    resume: async () => await control.resumeRun(),
  };
}

async function takeShots(
  feed: ShotFeed,
  control: Control,
  request: ShotsRequest,
  { signal, note }: DoOptions,
): Promise<ShotsTaken> {
  const collector = new ShotCollector(request);
  const seconds = request.budget?.seconds;
  if (request.selector === undefined) await feed.begin(signalsOf(request), signal);
  else {
    // The one pulse comes at once. Shots that may have been before it are looked at too: the selector was off, so they
    // had no X-rays.
    await feed.begin(signalsOf(request), signal, 0);
    await control.setting(request.selector).set("single");
    // However long that took: the budget must not be spent before the pulse.
    await feed.markNow(signal);
  }
  const started = performance.now();
  const beamWait = new BeamWait(started, seconds, note);
  while (collector.outcome === undefined) {
    await feed.next((tag, read) => collector.add(tag, read, feed.isEarly(tag)), signal);
    const now = performance.now();
    const why = collector.holding;
    beamWait.look(now, feed.beamOff ?? (why === null ? null : { why }));
    if (seconds !== undefined && now - started > 1000 * seconds) collector.giveUp();
  }
  beamWait.end();
  return collector.taken(beamWait.heldMs / 1000);
}

/** Flies at the speed that spreads the shots over the way; the axis has its usual speed before and afterwards. */
async function fly(
  feed: ShotFeed,
  control: Control,
  request: FlyRequest,
  rateHz: number,
  { experiment }: ControlBeamlineOptions,
  how: DoOptions,
): Promise<FlyTaken> {
  const { signal } = how;
  const { axis: name, from, to, shots, signals = [], conditions = [] } = request;
  const axis = control.axis(name);
  const position = experiment === undefined ? undefined : experiment.signal(name);
  if (position === undefined) {
    throw new SaclaError(
      "UNSUPPORTED",
      `A fly scan needs the position of ${name} at every shot; name its signal in the experiment file.`,
    );
  }
  await axis.moveTo(from, { signal });
  const usual = axis.speed;
  await axis.setSpeed((Math.abs(to - from) * rateHz) / (shots - 1));
  try {
    await feed.begin(
      [...new Set([position, ...signals, ...conditions.map((condition) => condition.signalName)])],
      signal,
    );
    const { done } = await axis.start(to, { signal });
    const taken = await shotsOnTheWay(feed, axis, position, request, done, how);
    await done;
    return taken;
  } finally {
    await axis.setSpeed(usual);
  }
}

async function shotsOnTheWay(
  feed: ShotFeed,
  axis: Axis,
  position: string,
  { from, to, signals = [], conditions = [] }: FlyRequest,
  done: Promise<unknown>,
  { signal, note }: DoOptions,
): Promise<FlyTaken> {
  let isThere = false;
  const end = (): void => {
    isThere = true;
  };
  done.then(end, end);
  const book = new LedgerBook();
  const [tags, positions]: [number[], number[]] = [[], []];
  const values = new Map(signals.map((id) => [id, [] as (number | null)[]]));
  // Half a pulse: at the ends it stands still.
  const rest = 0.5 / axis.definition.pulsesPerUnit;
  const beamWait = new BeamWait(performance.now(), undefined, note);
  let isOver = false;
  while (!isOver) {
    const wasThere = isThere;
    await feed.next((tag, read) => {
      const pulses = read(position);
      const at = typeof pulses === "number" ? toPosition(axis.definition, pulses) : NaN;
      const why =
        whyNotFlying(at, from, to, rest, tags.length > 0) ??
        conditions
          .map((condition) => whyNotGood(condition, read(condition.signalName)))
          .find((reason) => reason !== null) ??
        null;
      if (why !== null) {
        book.drop(tag, why);
        // Its last shots may come to the database after it has arrived.
        if (wasThere && Math.abs(at - to) <= rest) isOver = true;
        return;
      }
      book.use();
      tags.push(tag);
      positions.push(at);
      for (const [id, column] of values) {
        const value = read(id);
        column.push(typeof value === "number" && Number.isFinite(value) ? value : null);
      }
    }, signal);
    beamWait.look(performance.now(), feed.beamOff);
  }
  return { outcome: "done", ledger: book.ledger, tags, positions, values: Object.fromEntries(values) };
}

function whyNotFlying(at: number, from: number, to: number, rest: number, hasBegun: boolean): string | null {
  if (Number.isNaN(at)) return "position-missing";
  if (Math.abs(at - to) <= rest) return "at-rest";
  return !hasBegun && Math.abs(at - from) <= rest ? "at-rest" : null;
}

/** New shots of a beamline, as they come to the database. */
class ShotFeed {
  readonly #facility: ControlledFacility;
  readonly #control: Control;
  readonly #options: ControlBeamlineOptions;
  #signals: readonly string[] = [];
  #hightag = 0;
  #tag = 0;
  #newsAt = 0;
  #now = -Infinity;
  /** Set while no shots come because there is no beam. */
  beamOff: Missing | null = null;

  constructor(facility: ControlledFacility, control: Control, options: ControlBeamlineOptions) {
    this.#facility = facility;
    this.#control = control;
    this.#options = options;
  }

  /** From now on, with these signals. */
  async begin(signals: readonly string[], signal: AbortSignal | undefined, latencyMs = this.#latencyMs): Promise<void> {
    this.#signals = signals.length === 0 ? [this.#options.monitor] : signals;
    const [hightag, tag] = await this.#newest(signal);
    this.#hightag = hightag;
    this.#tag = tag + Math.ceil(latencyMs * TAGS_PER_MS);
    this.#newsAt = performance.now();
  }

  /** Shots of before this moment are early, and those that may be. */
  async markNow(signal: AbortSignal | undefined): Promise<void> {
    const [hightag, tag] = await this.#newest(signal);
    if (hightag === this.#hightag) this.#now = tag + Math.ceil(this.#latencyMs * TAGS_PER_MS);
  }

  isEarly(tag: number): boolean {
    return tag <= this.#now;
  }

  /** Waits a little, then gives what has come since. @throws TIMEOUT when nothing comes though there is beam */
  async next(take: (tag: number, read: ReadShot) => void, signal: AbortSignal | undefined): Promise<void> {
    await sleep(this.#options.pollMs ?? 100, signal);
    const [hightag, newest] = await this.#newest(signal);
    if (hightag !== this.#hightag) {
      // Tags begin anew: what lies between is of the old HighTag and cannot be ordered with these.
      this.#hightag = hightag;
      this.#tag = newest;
      this.#now = -Infinity;
    }
    if (newest <= this.#tag) {
      await this.#nothingNew();
      return;
    }
    const { db, endpoint } = this.#facility;
    const tags = await db.readTaglist(
      this.#control.bl,
      hightag,
      this.#tag + 1,
      Math.min(newest, this.#tag + MOST_TAGS),
      { signal },
    );
    this.#tag = Math.min(newest, this.#tag + MOST_TAGS);
    this.#newsAt = performance.now();
    this.beamOff = null;
    if (tags.length === 0) return;
    const columns = await endpoint.call(
      "db.readColumns",
      { equipIds: this.#signals.map((name) => signalId(this.#options.experiment, name)), hightag, tags },
      { signal },
    );
    const byName = new Map<string, Column>(this.#signals.map((name, i) => [name, columns[i] ?? missing(name)]));
    let at = 0;
    const read: ReadShot = (name) => {
      const column = byName.get(name);
      if (column === undefined) return "missing";
      const entry = entryOf(column, at);
      return "reason" in entry ? entry.reason : entry.value;
    };
    for (const tag of tags) {
      take(tag, read);
      at++;
    }
  }

  async #nothingNew(): Promise<void> {
    const silentMs = performance.now() - this.#newsAt;
    const limit = this.#options.silentMs ?? 30_000;
    if (silentMs < limit / 10) return;
    const { on, why } = await this.#control.beam();
    this.beamOff = on ? null : (this.beamOff ?? { why: `no shots come, ${why}`, sinceMs: this.#newsAt });
    if (!on) this.#newsAt = performance.now();
    else if (silentMs > limit)
      throw new SaclaError(
        "TIMEOUT",
        `No shot has come to the database for ${(silentMs / 1000).toFixed(0)} s, though the beam is on.`,
      );
  }

  get #latencyMs(): number {
    return this.#options.latencyMs ?? 200;
  }

  /** The newest shot that has all signals. */
  async #newest(signal: AbortSignal | undefined): Promise<readonly [hightag: number, tag: number]> {
    const all = await Promise.all(
      this.#signals.map(
        async (name) =>
          await this.#facility.db.readTagnumberNewest(signalId(this.#options.experiment, name), { signal }),
      ),
    );
    const hightag = all.reduce((least, [each]) => Math.min(least, each), Infinity);
    return [hightag, all.reduce((least, [each, tag]) => (each === hightag ? Math.min(least, tag) : least), Infinity)];
  }
}

function missing(name: string): Column {
  throw new SaclaError("BAD_MESSAGE", `The source gave no column for ${name}.`);
}
