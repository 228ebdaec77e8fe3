import { sleep } from "../../core/async.ts";
import { SaclaError, toSaclaError } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { LedgerBook } from "../../core/ledger.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import { durationText } from "../../core/time-text.ts";
import { signalId } from "../../ec/experiment.ts";
import { type Axis, type Control, type Experiment, toPosition } from "../../ec/index.ts";
import { xrayShutter } from "../../ec/xray-shutter.ts";
import type { FlyRequest, FlyTaken, ShotCondition, ShotsRequest, ShotsTaken } from "../messages/messages.ts";
import { askAgain, onceMoreAfterSlip } from "./again.ts";
import { askFor } from "./ask-operators.ts";
import { reachOf } from "./axis-reach.ts";
import { BeamGuard, type BeamGuardOptions } from "./beam-guard.ts";
import { type BeamLook, type BeamRule, checkBeamRule, lookAtBeam, noBeam } from "./beam-look.ts";
import type { Beamline, BeamlineRuns, DoOptions } from "./beamline.ts";
import { NO_BEAM, ShotCollector, signalsOf, whyNoBeam, whyNotGood } from "./shot-collector.ts";
import { type ControlledFacility, POLL_MS, ShotFeed } from "./shot-feed.ts";

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
  /**
   * What a shot with beam is, for shots that do not say it themselves; those without beam are waited out and never
   * count. `"auto"`: the monitor is at least a tenth of its median over the two seconds before the plan begins, or ten
   * times its noise when the plan opens the shutter itself. `"off"`: every shot counts. @default "auto"
   */
  readonly beam?: BeamRule | undefined;
  /**
   * Longest wait for the beam, seconds; then the scan ends with NO_BEAM. A closed X-ray shutter is waited for a minute
   * at most: nobody else can open it while the scan holds the lease. @default 600 before the plan begins, 3600 at a
   * point
   */
  readonly beamWaitSeconds?: number | undefined;
}

/** A stopped axis is at rest after so long. */
const LONGEST_RAMP_MS = 5000;
const REST_POLL_MS = 20;
/** A run that was ended is stored after so long. */
const LONGEST_STORING_MS = 60_000;
/** Longest wait for the answer who holds the lease. */
const HOLDER_MS = 5000;
/** The last shots of a flight are in the database so long after it. */
const LONGEST_LAST_SHOTS_MS = 30_000;
/** Longest waits for the beam, seconds: before a plan begins, and at a point. */
const BEFORE_SECONDS = 600;
const AT_A_POINT_SECONDS = 3600;
/** Before a plan begins a closed shutter is waited for so long: somebody may be about to open it. */
const CLOSED_BEFORE_SECONDS = 60;
/** Where the control says that there is no beam and the monitor shows some, so many further shots tell who is right. */
const DOUBTED_SHOTS = 30;
const DOUBTED_MS = 5000;

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
    beam: optional(checkBeamRule),
    beamWaitSeconds: optional(finite(0)),
  });
  const used = new Set<string>();
  const feed = (): ShotFeed => new ShotFeed(facility, control, options);
  const gauge = new BeamGauge(facility, control, options);
  const madeAt = performance.now();
  const isAnothers = async (): Promise<boolean> => await isLeaseOfAnother(facility, control, madeAt);
  return {
    rateHz,
    now: () => performance.now(),
    sleep,
    limits: (axis) => reachOf(control.axis(axis)),
    checkSignals: async (signals) => {
      for (const name of [options.monitor, ...signals])
        await facility.db.readTagnumberNewest(signalId(options.experiment, name));
    },
    prepare: async (needs, how) => {
      if (needs.needsBeam) await underLease(control, how, async (bound) => await gauge.prepare(needs.opens, bound));
    },
    where: async (axes) =>
      Object.fromEntries(
        await Promise.all(axes.map(async (axis) => [axis, await control.axis(axis).position()] as const)),
      ),
    move: async (to, how) => {
      const axes = Object.keys(to);
      for (const axis of axes) used.add(axis);
      try {
        return await onceMoreAfterSlip(
          how,
          async () => await askAgain(how, async () => await (await control.plan({ ...to })).go({ signal: how.signal })),
        );
      } catch (error) {
        // What was stopped still runs down its ramp, and cleanup that moves it would find it busy.
        await atRest(control, axes);
        throw error;
      }
    },
    set: async (setting, value, how = {}) => await askAgain(how, async () => await control.setting(setting).set(value)),
    request: async (request, how) => await askFor(control, request, how),
    checkRequest: (name, value) => control.checkRequest(name, value),
    shutter: async (name, open) => {
      const shutter = control.shutter(name);
      if (open) await shutter.open();
      else if (!(await isAnothers())) await shutter.close();
    },
    shots: async (request, how) =>
      await underLease(control, how, async (bound) => await takeShots(feed(), control, request, gauge, bound)),
    fly: async (request, how) => {
      used.add(request.axis);
      try {
        return await underLease(
          control,
          how,
          async (bound) => await fly(feed, control, request, rateHz, options, gauge, bound),
        );
      } catch (error) {
        await atRest(control, [request.axis]);
        throw error;
      }
    },
    runs: runsOf(control, options),
    safe: async () => {
      if (await isAnothers()) return;
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

/**
 * Whether the lease was lost and another program has taken it since. Who keeps leases has left the beamline safe then,
 * and what moves or is open is the other's: cleanup must not stop or close it.
 * @param since - a moment at which the lease was held, on the clock of `performance.now`
 */
async function isLeaseOfAnother({ endpoint }: ControlledFacility, control: Control, since: number): Promise<boolean> {
  if (!control.signal.aborted) return false;
  const askedAt = performance.now();
  // Whoever cannot be asked does not keep cleanup from being tried.
  const holder = await endpoint.call("lease.holder", { bl: control.bl }, { timeoutMs: HOLDER_MS }).catch(() => null);
  return holder !== null && holder.sinceMs < askedAt - since;
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

function runsOf(control: Control, { experiment, pollMs = POLL_MS }: ControlBeamlineOptions): BeamlineRuns {
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

/** What a shot with beam is: looked at before a plan, or with its first shots. */
class BeamGauge {
  readonly #facility: ControlledFacility;
  readonly #control: Control;
  readonly #options: ControlBeamlineOptions;
  #condition: ShotCondition | undefined;
  #guard: BeamGuardOptions | undefined;

  constructor(facility: ControlledFacility, control: Control, options: ControlBeamlineOptions) {
    this.#facility = facility;
    this.#control = control;
    this.#options = options;
  }

  /** Looks, and waits for beam unless the plan is to let it in. @throws NO_BEAM */
  async prepare(opens: readonly string[], how: DoOptions): Promise<void> {
    const { beam, beamWaitSeconds } = this.#options;
    if (beam === "off") return;
    const feed = new ShotFeed(this.#facility, this.#control, this.#options);
    await feed.begin([], how.signal);
    let warned = "";
    let told = false;
    let shots = 0;
    for (;;) {
      const look = await this.#look(opens, how.signal);
      if (look.warning !== warned && look.warning !== "") how.note?.(`warning: ${look.warning}`);
      warned = look.warning;
      const isKnown = !look.isDoubtful || shots >= DOUBTED_SHOTS || feed.nowMs > DOUBTED_MS;
      if ((look.isOn && isKnown) || look.isOpenedByPlan) {
        how.waiting?.(false);
        how.note?.(`beam: ${look.text}`);
        return;
      }
      if (look.isOn) {
        await feed.next(() => shots++, how.signal);
        continue;
      }
      const longest = look.warning === "" ? BEFORE_SECONDS : CLOSED_BEFORE_SECONDS;
      const seconds = Math.min(longest, beamWaitSeconds ?? longest);
      if (!told)
        how.note?.(
          `no beam: ${look.why}. Waits for it before anything moves, for at most ${durationText(seconds)}; ` +
            "Ctrl+C ends the wait. Shots that need no beam: --beam off.",
        );
      told = true;
      how.waiting?.(true);
      if (feed.nowMs > 1000 * seconds) throw noBeam(feed.nowMs / 1000, look.why, "Nothing was moved.");
      await feed.next(() => {}, how.signal);
    }
  }

  /** The condition for a request; undefined when every shot counts. */
  async conditionFor(
    { beam }: Pick<ShotsRequest, "beam">,
    signal: AbortSignal | undefined,
  ): Promise<ShotCondition | undefined> {
    if (beam !== undefined) return beam === "off" ? undefined : beam;
    if (this.#options.beam === "off") return undefined;
    if (this.#condition === undefined) await this.#look([], signal);
    return this.#condition;
  }

  async guard(): Promise<BeamGuardOptions> {
    this.#guard ??= {
      facility: this.#facility,
      control: this.#control,
      shutter: (await xrayShutter(this.#facility, this.#control.bl))?.name,
      seconds: this.#options.beamWaitSeconds ?? AT_A_POINT_SECONDS,
    };
    return this.#guard;
  }

  async #look(opens: readonly string[], signal: AbortSignal | undefined): Promise<BeamLook> {
    const look = await lookAtBeam(this.#facility, this.#control, this.#options, opens, signal);
    this.#condition = look.condition;
    return look;
  }
}

async function takeShots(
  feed: ShotFeed,
  control: Control,
  asked: ShotsRequest,
  gauge: BeamGauge,
  how: DoOptions,
): Promise<ShotsTaken> {
  const { signal } = how;
  const request = { ...asked, beam: await gauge.conditionFor(asked, signal) };
  const collector = new ShotCollector(request);
  const seconds = request.budget?.seconds;
  const { selector } = request;
  if (selector === undefined) await feed.begin(signalsOf(request), signal);
  else {
    // The one pulse comes at once. Shots that may have been before it are looked at too: the selector was off, so they
    // had no X-rays.
    await feed.begin(signalsOf(request), signal, 0);
    await askAgain(how, async () => await control.setting(selector).set("single"));
    // However long that took: the budget must not be spent before the pulse.
    await feed.markNow(signal);
  }
  const started = feed.nowMs;
  const beam = new BeamGuard(await gauge.guard(), feed, seconds, how);
  while (collector.outcome === undefined) {
    await feed.next((tag, read) => collector.add(tag, read, feed.isEarly(tag)), signal);
    const { outcome } = collector;
    if (outcome !== "gave-up") await beam.look(outcome === undefined ? collector.holding : null);
    if (seconds !== undefined && feed.nowMs - started > 1000 * seconds) collector.giveUp();
  }
  beam.end();
  return collector.taken(beam.heldSeconds);
}

/** Flies at the speed that spreads the shots over the way; the axis has its usual speed before and afterwards. */
async function fly(
  newFeed: () => ShotFeed,
  control: Control,
  request: FlyRequest,
  rateHz: number,
  { experiment }: ControlBeamlineOptions,
  gauge: BeamGauge,
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
  await onceMoreAfterSlip(how, async () => await askAgain(how, async () => await axis.moveTo(from, { signal })));
  const usual = axis.speed;
  await axis.setSpeed((Math.abs(to - from) * rateHz) / (shots - 1));
  try {
    const beam = await gauge.conditionFor(request, signal);
    // It begins with beam; a trip on the way costs its shots.
    if (beam !== undefined) await takeShots(newFeed(), control, { count: 1, beam }, gauge, how);
    const feed = newFeed();
    await feed.begin([...new Set([position, ...signalsOf({ signals, conditions, beam })])], signal);
    const { done } = await askAgain(how, async () => await axis.start(to, { signal }));
    const taken = await shotsOnTheWay(feed, axis, position, { ...request, beam }, done, how);
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
  { from, to, signals = [], conditions = [], beam }: FlyRequest,
  done: Promise<unknown>,
  { signal }: DoOptions,
): Promise<FlyTaken> {
  let arrivedMs = Infinity;
  let hasFailed = false;
  done.then(
    () => {
      arrivedMs = feed.nowMs;
    },
    () => {
      hasFailed = true;
    },
  );
  const book = new LedgerBook();
  const [tags, positions]: [number[], number[]] = [[], []];
  const values = new Map(signals.map((id) => [id, [] as (number | null)[]]));
  // Half a pulse: at the ends it stands still.
  const rest = 0.5 / axis.definition.pulsesPerUnit;
  let isOver = false;
  // An axis that failed on its way never comes to its end; `done` says why.
  while (!isOver && !hasFailed) {
    const wasThere = arrivedMs < Infinity;
    await feed.next((tag, read) => {
      const pulses = read(position);
      const at = typeof pulses === "number" ? toPosition(axis.definition, pulses) : NaN;
      const why =
        whyNotFlying(at, from, to, rest, tags.length > 0) ??
        (beam !== undefined && beam !== "off" && whyNoBeam(beam, read(beam.signalName)) !== null ? NO_BEAM : null) ??
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
    // Where its position has no values, nobody sees that it has arrived.
    if (feed.nowMs > arrivedMs + LONGEST_LAST_SHOTS_MS) isOver = true;
  }
  return { outcome: "done", ledger: book.ledger, tags, positions, values: Object.fromEntries(values) };
}

function whyNotFlying(at: number, from: number, to: number, rest: number, hasBegun: boolean): string | null {
  if (Number.isNaN(at)) return "position-missing";
  if (Math.abs(at - to) <= rest) return "at-rest";
  return !hasBegun && Math.abs(at - from) <= rest ? "at-rest" : null;
}
