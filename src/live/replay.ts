import { throwIfAborted } from "../core/async.ts";
import { type Clock, realClock } from "../core/clock.ts";
import { badArgument } from "../core/guards.ts";
import { any, finite, integer, optional, resolveOptions } from "../core/options.ts";
import { endpointOf } from "../source/source-endpoint.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { inProcess } from "../transport/in-process.ts";
import { ReplaySource } from "./replay-source.ts";

/** Times real speed, or "max": the next shot happens as soon as someone waits for it. */
export type ReplaySpeed = number | "max";

export interface ReplayLiveOptions {
  readonly bl: number;
  /** A run that has stopped. */
  readonly run: number;
  /** @default 1 */
  readonly speed?: ReplaySpeed | undefined;
  /** How long after a shot its images can be had, in the run's time. @default 50 */
  readonly imageDelayMs?: number | undefined;
  /** How long after a shot its 0-D values can be read. @default 120 */
  readonly valueDelayMs?: number | undefined;
  /** How long images can be had. @default 2 */
  readonly memorySeconds?: number | undefined;
  /** What time is taken from. @default that of this computer */
  readonly clock?: Clock | undefined;
}

/**
 * Plays a stored run as if it were being taken: a place that answers as `endpoint` does, but where the run is running,
 * its shots happen one after another, and later runs do not exist yet. It begins when the first live shot is asked for;
 * when it is over, the run has stopped and can be read as ever. Closing it closes `endpoint`.
 *
 * @throws UNKNOWN_RUN
 * @throws RUN_NOT_READY when the run has not stopped
 * @example
 * const archive = await connect("206178.h5");
 * await using facility = new Facility(await replayLive(archive.endpoint, { bl: 3, run: 206178, speed: 10 }));
 * const shots = facility.live.shots({ bl: 3, detectors: ["MPCCD-8-2-001"], untilRunEnd: true });
 * for await (const shot of shots) console.log(shot.tag);
 */
export async function replayLive(endpoint: Endpoint, options: ReplayLiveOptions): Promise<Endpoint> {
  const {
    bl,
    run,
    speed = 1,
    clock,
    ...delays
  } = resolveOptions("replayLive", options, {
    bl: integer(),
    run: integer(),
    speed: any,
    imageDelayMs: optional(finite(0), 50),
    valueDelayMs: optional(finite(0), 120),
    memorySeconds: optional(finite(0), 2),
    clock: any,
  });
  if (speed !== "max" && !(Number.isFinite(speed) && speed > 0))
    throw badArgument("speed", speed, 'a number above 0, or "max"');
  if (speed === "max" && clock !== undefined)
    throw badArgument("clock", "given", 'left out with speed "max", which makes its own time');
  const source = await ReplaySource.of(endpoint, {
    bl,
    run,
    speed: speed === "max" ? 1 : speed,
    clock: speed === "max" ? new EagerClock() : (clock ?? realClock()),
    imageDelaySeconds: delays.imageDelayMs / 1000,
    valueDelaySeconds: delays.valueDelayMs / 1000,
    memorySeconds: delays.memorySeconds,
  });
  return inProcess(endpointOf(source));
}

/** A clock that jumps to whatever is waited for. */
class EagerClock implements Clock {
  #seconds = 0;

  now(): number {
    return this.#seconds;
  }

  async until(seconds: number, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await new Promise((resolve) => setImmediate(resolve));
    this.#seconds = Math.max(this.#seconds, seconds);
  }
}
