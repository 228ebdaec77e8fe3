import { sleep } from "../../core/async.ts";
import { SaclaError, toSaclaError } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import { signalId } from "../../ec/experiment.ts";
import type { Control, Experiment } from "../../ec/index.ts";
import { askAgain, onceMoreAfterSlip } from "./again.ts";
import { askFor } from "./ask-operators.ts";
import { reachOf } from "./axis-reach.ts";
import { BeamGauge } from "./beam-gauge.ts";
import { type BeamRule, checkBeamRule } from "./beam-look.ts";
import type { Beamline, BeamlineRuns, DoOptions } from "./beamline.ts";
import { fly } from "./fly.ts";
import { type ControlledFacility, POLL_MS, ShotFeed } from "./shot-feed.ts";
import { takeShots } from "./take-shots.ts";

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
          async (bound) => await fly(feed, control, request, rateHz, options.experiment, gauge, bound),
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
