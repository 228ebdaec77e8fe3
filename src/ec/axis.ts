import { sleep } from "../core/async.ts";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import { asFinite } from "../core/guards.ts";
import { any, resolveOptions } from "../core/options.ts";
import { reason, whyOutside } from "./device-checks.ts";
import type { AxisInfo, DeviceReading } from "./driver.ts";
import type { AxisDefinition } from "./experiment.ts";
import type { HeldLease } from "./held-lease.ts";
import { type AxisLimits, limitsOf, moveSeconds, showLimits, showPosition, toPosition, toPulses } from "./units.ts";

/** How a move is waited for. */
export interface MoveOptions {
  /** Stops the axis and ends the wait with ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/** The checks of {@link MoveOptions}, for `resolveOptions`. */
export const moveChecks = { signal: any };

/** How waits are bounded. */
export interface WaitLimits {
  /** Between two looks at a moving device. */
  readonly pollMs: number;
  /** Beyond what distance, speed and ramp say; also how long a moving axis may stand still. */
  readonly marginMs: number;
}

/** How long an axis may say that it is at rest before it begins to move. */
const LATE_START_MS = 400;
/** A motor that slips loses a few steps, or a small share of the way. */
const SLIP_PULSES = 20;
const SLIP_SHARE = 0.1;

/** One axis in the experiment's units. */
export class Axis {
  readonly name: string;
  readonly unit: string;
  readonly definition: AxisDefinition;
  readonly #lease: HeldLease;
  readonly #waits: WaitLimits;
  #info: AxisInfo;
  /** Of its moves, in units/s; undefined: as it is at the controller. */
  #speed: number | undefined;

  constructor(lease: HeldLease, name: string, definition: AxisDefinition, info: AxisInfo, waits: WaitLimits) {
    this.#lease = lease;
    this.name = name;
    this.unit = definition.unit;
    this.definition = definition;
    this.#info = info;
    this.#speed = definition.speed;
    this.#waits = waits;
  }

  /** Its control name. */
  get device(): string {
    return this.#info.name;
  }

  /** What the experiment file and the hardware both allow, in units. */
  get limits(): AxisLimits {
    return limitsOf(this.definition, this.#info);
  }

  /** Units/s. */
  get speed(): number {
    return (this.#speed ?? this.#info.speed / this.definition.pulsesPerUnit) || 0;
  }

  /** Where it is, in pulses (`value`) and in units (`position`, NaN when unknown), and how it is. Needs no lease. */
  async read(signal?: AbortSignal): Promise<DeviceReading & { readonly position: number }> {
    const reading = await this.#lease.ask("ec.read", { bl: this.#lease.bl, device: this.#info.name }, signal);
    return {
      ...reading,
      position: typeof reading.value === "number" ? toPosition(this.definition, reading.value) : NaN,
    };
  }

  /** Where it is, in units. */
  async position(): Promise<number> {
    return (await this.read()).position;
  }

  /** Why it may not go to `to`; "" when it may. */
  problem(to: number): string {
    if (!Number.isFinite(to)) return `${to} is no position`;
    const end = toPulses(this.definition, to);
    // The end first: why it cannot be approached matters only when it could be reached.
    for (const target of this.#legs(Number.NaN, end).reverse()) {
      const hard = whyOutside(this.#info.limitsPulses, target, "pulses");
      const soft = this.#outsideOwn(target);
      // Whoever says units cannot tell from pulses how far it may go.
      const inUnits = hard === "" || this.unit === "pulse" ? "" : ` (${this.showLimits()} ${this.unit})`;
      const why = soft === "" ? `${hard}${inUnits}` : soft;
      if (why !== "") return target === end ? why : `it is approached by way of ${this.show(target)}, and ${why}`;
    }
    return "";
  }

  /** In pulses, as the axis goes: a limit between two of them is the nearer one. */
  #outsideOwn(target: number): string {
    const { limits } = this.definition;
    if (limits !== "unlimited") {
      const [a, b] = [toPulses(this.definition, limits[0]), toPulses(this.definition, limits[1])];
      if (limits[0] < limits[1] && target >= Math.min(a, b) && target <= Math.max(a, b)) return "";
    }
    return whyOutside(limits, toPosition(this.definition, target), this.unit);
  }

  /** Seconds from one position to another, the approach included. */
  seconds(from: number, to: number): number {
    const ramp = {
      speed: this.speed * this.definition.pulsesPerUnit,
      accelerationPulsesPerS2: this.#info.accelerationPulsesPerS2,
    };
    let at = toPulses(this.definition, from);
    let seconds = 0;
    for (const target of this.#legs(at, toPulses(this.definition, to))) {
      seconds += this.#legSeconds(target - at, ramp);
      at = target;
    }
    return seconds;
  }

  /**
   * Goes to a position and waits until it is there, for at most the time that distance and speed say and a margin.
   * Gives where it is.
   * @throws LIMIT before anything moves @throws DEVICE_BUSY, INTERLOCK, LEASE_LOST
   * @throws DEVICE_FAULT when it is stuck, slipped or came too late; it has been stopped
   * @throws ABORTED when the signal fires; it has been stopped
   */
  async moveTo(to: number, options: MoveOptions = {}): Promise<number> {
    const { done } = await this.start(to, resolveOptions("moveTo", options, moveChecks));
    return await done;
  }

  /** As {@link moveTo}, answering when the motion has begun; `done` is where it arrived, or why it did not. */
  async start(to: number, options: MoveOptions = {}): Promise<{ readonly done: Promise<number> }> {
    const { signal } = resolveOptions("start", options, moveChecks);
    asFinite(`the position of ${this.name}`, to);
    const why = this.problem(to);
    if (why !== "") {
      throw new SaclaError("LIMIT", `${this.name} cannot go to ${to} ${this.unit}: ${why}.`, {
        details: { axis: this.name, to, limits: this.limits },
      });
    }
    if (this.#speed !== undefined) await this.#changeSpeed(this.#speed);
    const { value, state } = await this.read(signal);
    const now = typeof value === "number" ? value : NaN;
    const [first, ...others] = this.#legs(now, toPulses(this.definition, to));
    if (first === undefined) throw new SaclaError("INTERNAL", "A move has no leg.");
    // Asked even where it is already: whether it may move is the keeper's to say.
    if (state !== "ready" || first !== now || others.length > 0) await this.#begin(first);
    const done = this.#legsDone(now, first, others, signal);
    // Whoever looks only at the start must not be ended by an unhandled rejection.
    done.catch(() => {});
    return { done };
  }

  /** Speed of its moves from now on, units/s, instead of that of the experiment file. @throws LIMIT, LEASE_LOST */
  async setSpeed(speed: number): Promise<void> {
    await this.#changeSpeed(asFinite(`the speed of ${this.name}`, speed));
    this.#speed = speed;
  }

  /** Stops it with its ramp. Needs no lease. */
  async stop(): Promise<void> {
    await this.#lease.change("ec.stop", { bl: this.#lease.bl, axis: this.#info.name });
  }

  /**
   * Calls the present position `position`; nothing moves.
   * @throws LIMIT, DEVICE_BUSY, INTERLOCK, DEVICE_FAULT, LEASE_LOST
   */
  async preset(position: number): Promise<void> {
    const pulses = toPulses(this.definition, asFinite(`the position of ${this.name}`, position));
    await this.#lease.change("ec.preset", {
      bl: this.#lease.bl,
      lease: this.#lease.token(),
      axis: this.#info.name,
      pulses,
    });
  }

  /** {@link limits} for people: as many digits as one pulse is worth. */
  showLimits(): string {
    return showLimits(this.definition, this.limits);
  }

  /** A place in pulses for people: in units, with as many digits as one pulse is worth. */
  show(pulses: number): string {
    return showPosition(this.definition, toPosition(this.definition, pulses));
  }

  /** Pulses to go to one after the other; with an approach, always arriving from the same side. */
  #legs(now: number, target: number): number[] {
    const { approach, sign, pulsesPerUnit } = this.definition;
    if (approach === undefined || now === target) return [target];
    const side = (approach.from === "below" ? -1 : 1) * sign;
    // Already on its way from that side: no detour. NaN: from anywhere, so the detour is counted.
    const isOnSide = side * (now - target) > 0;
    return isOnSide ? [target] : [target + side * Math.round(approach.by * pulsesPerUnit), target];
  }

  /** The controller may overshoot by its backlash and come back. */
  #legSeconds(pulses: number, ramp: Pick<AxisInfo, "speed" | "accelerationPulsesPerS2">): number {
    return pulses === 0 ? 0 : moveSeconds(Math.abs(pulses) + 2 * Math.abs(this.#info.backlashPulses), ramp);
  }

  async #changeSpeed(speed: number): Promise<void> {
    const pulsesPerSecond = speed * this.definition.pulsesPerUnit;
    if (pulsesPerSecond === this.#info.speed) return;
    await this.#lease.change("ec.setSpeed", {
      bl: this.#lease.bl,
      lease: this.#lease.token(),
      axis: this.#info.name,
      pulsesPerSecond,
    });
    this.#info = { ...this.#info, speed: pulsesPerSecond };
  }

  async #send(pulses: number): Promise<void> {
    await this.#lease.change("ec.move", {
      bl: this.#lease.bl,
      lease: this.#lease.token(),
      axis: this.#info.name,
      pulses,
    });
  }

  /** The first leg; when it cannot be known whether it began, it is stopped. */
  async #begin(pulses: number): Promise<void> {
    try {
      await this.#send(pulses);
    } catch (error) {
      throw isSaclaError(error, "UNREACHABLE", "TIMEOUT", "ABORTED") ? await this.#stopped(error) : error;
    }
  }

  async #legsDone(
    from: number,
    first: number,
    others: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<number> {
    try {
      let at = await this.#arrive(from, first, signal);
      for (const next of others) {
        await this.#send(next);
        at = await this.#arrive(at, next, signal);
      }
      return toPosition(this.definition, at);
    } catch (error) {
      throw await this.#stopped(error);
    }
  }

  /** Stops it; gives the error to throw. */
  async #stopped(error: unknown): Promise<SaclaError> {
    // What moved under a lost lease has been stopped by its keeper, and may be another's by now.
    if (this.#lease.signal.aborted) return toSaclaError(this.#lease.signal.reason);
    const failure = toSaclaError(error);
    try {
      await this.stop();
      return failure;
    } catch (second) {
      return new SaclaError(
        failure.code,
        `${failure.message} It could not be stopped: ${toSaclaError(second).message}`,
        {
          details: failure.details,
          cause: failure,
        },
      );
    }
  }

  /** Waits for the end of one leg; gives the pulse it stands on. */
  async #arrive(from: number, target: number, signal: AbortSignal | undefined): Promise<number> {
    const { pollMs, marginMs } = this.#waits;
    const tolerance = Math.max(1, Math.round((this.definition.tolerance ?? 0) * this.definition.pulsesPerUnit));
    const expectedMs = 1000 * this.#legSeconds(target - from, this.#info);
    const started = performance.now();
    const until = AbortSignal.any(signal === undefined ? [this.#lease.signal] : [this.#lease.signal, signal]);
    let last = from;
    let changedAt = started;
    for (;;) {
      // Before it is asked: a process that stands still between answer and look must not take that for a stuck axis.
      const now = performance.now();
      const reading = await this.read(until);
      const at = typeof reading.value === "number" ? reading.value : NaN;
      if (at !== last) {
        last = at;
        changedAt = now;
      }
      const fault = (why: string, slipped = false): SaclaError =>
        this.#fault(why, slipped, from, target, at, now - started);
      if (reading.state === "fault") throw fault(`is at fault: ${reason(reading.why)}`);
      if (reading.state === "locked") {
        throw new SaclaError(
          "INTERLOCK",
          `${this.name} was locked on its way to ${this.show(target)}, at ${this.show(at)}: ${reason(reading.why)}.`,
          {
            details: { axis: this.name, target, at, why: reading.why },
          },
        );
      }
      if (reading.state === "ready") {
        if (Math.abs(at - target) <= tolerance) return at;
        if (now - changedAt > LATE_START_MS) {
          if (reading.why !== "") throw fault(`did not arrive: ${reading.why}`);
          const text = at === from ? "did not move" : "stopped short or slipped, or somebody stopped it";
          // What ends far from its target was stopped by somebody, perhaps: such a move must not be repeated.
          throw fault(text, Math.abs(at - target) <= Math.max(SLIP_PULSES, SLIP_SHARE * Math.abs(target - from)));
        }
      } else if (now - changedAt > marginMs) {
        throw fault(`is stuck: it has not moved for ${(marginMs / 1000).toFixed(1)} s`);
      }
      if (now - started > 1.5 * expectedMs + marginMs)
        throw fault(`came too late: ${(expectedMs / 1000).toFixed(1)} s were expected`);
      await sleep(pollMs, until);
    }
  }

  #fault(why: string, slipped: boolean, from: number, target: number, at: number, ms: number): SaclaError {
    const off = toPosition(this.definition, at) - toPosition(this.definition, target);
    return new SaclaError(
      "DEVICE_FAULT",
      `${this.name} ${why}. It was sent from ${this.show(from)} to ${this.show(target)} and ` +
        `is at ${this.show(at)} after ${(ms / 1000).toFixed(1)} s; it was stopped.`,
      {
        details: {
          axis: this.name,
          device: this.#info.name,
          fromPulses: from,
          targetPulses: target,
          atPulses: at,
          off,
          unit: this.unit,
          slipped,
        },
      },
    );
  }
}
