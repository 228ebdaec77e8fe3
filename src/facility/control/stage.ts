import { SaclaError } from "../../core/errors.ts";
import { checkLimits, checkSpeed } from "../../ec/device-checks.ts";
import type { AxisInfo, DeviceReading } from "../../ec/index.ts";
import { braking, trapezoid } from "./kinematics.ts";
import { MotionLog } from "./motion-log.ts";
import { controlParameters } from "./parameters.ts";

/**
 * Seeded draws that decide about faults: the n-th draw for a device and a kind of fault is the same whenever it is
 * made.
 */
export interface FaultDraws {
  /** From 0 to 1. */
  draw(what: string): number;
}

/** What a device keeps from one facility to the next; of an axis, `value` is in the motor's own pulses. */
export interface DeviceRest {
  readonly value: number | string | boolean;
  /** What the counter of an axis shows beyond `value`. */
  readonly offset?: number;
  readonly speed?: number;
}

/** How often which fault befalls a motion. */
export interface StageFaults {
  readonly slip: number;
  readonly stuck: number;
  readonly late: number;
  readonly refused: number;
}

/** A stepping-motor stage: its counter shows pulses, its load lags by the backlash. Times are ticks of 1/60 s. */
export class Stage {
  readonly #info: AxisInfo;
  readonly #faults: StageFaults;
  readonly #faultDraws: FaultDraws;
  readonly #log: MotionLog;
  #speed: number;
  /** The motion from which it does not come back by itself. */
  #isStuck = false;

  /** @param home - the motor's own pulses; `offset`: what the counter shows beyond them */
  constructor(info: AxisInfo, home: number, faults: StageFaults, faultDraws: FaultDraws, offset = 0) {
    this.#info = info;
    this.#faults = faults;
    this.#faultDraws = faultDraws;
    this.#speed = info.speed;
    this.#log = new MotionLog(home, info.backlashPulses, offset);
  }

  get info(): AxisInfo {
    return { ...this.#info, speed: this.#speed };
  }

  /** What the counter shows at a tick, whole pulses. */
  counterAt(tick: number): number {
    const motion = this.#log.at(tick);
    return Math.round(this.#log.placeIn(motion, tick) + motion.offset);
  }

  /** Where the load truly is at a tick, in pulses that no preset changes. */
  loadAt(tick: number): number {
    return this.#log.loadIn(this.#log.at(tick), tick);
  }

  /** When what is going on now is over; Infinity when it never will be. */
  restsAt(): number {
    return this.#isStuck ? Infinity : this.#log.endOf(this.#log.last);
  }

  /** Where it stands when all is over, for a facility that goes on later. */
  get rest(): DeviceRest {
    const { to, offset } = this.#log.last;
    return { value: to, offset, speed: this.#speed };
  }

  read(now: number): DeviceReading {
    const motion = this.#log.last;
    const value = Math.round(this.#log.placeIn(motion, now) + motion.offset);
    return { device: this.#info.name, state: now < this.restsAt() ? "moving" : "ready", value, why: "" };
  }

  /** @throws LIMIT, DEVICE_BUSY */
  move(now: number, pulses: number): void {
    checkLimits(this.#info, pulses);
    const { name, accelerationPulsesPerS2 } = this.#info;
    this.#checkRest(now);
    if (this.#faultDraws.draw("refused") < this.#faults.refused) {
      throw new SaclaError("DEVICE_BUSY", `${name} is used by another program at the moment; ask again.`, {
        details: { axis: name },
      });
    }
    const { to: from, offset } = this.#log.last;
    const target = Math.round(pulses) - offset;
    const isLate = this.#faultDraws.draw("late") < this.#faults.late;
    const speed = isLate ? this.#speed * controlParameters.lateSpeedShare : this.#speed;
    this.#isStuck = this.#faultDraws.draw("stuck") < this.#faults.stuck && target !== from;
    const end = this.#isStuck ? this.#stuckPlace(from, target) : this.#slippedPlace(from, target);
    this.#log.add(trapezoid(from, end, speed, accelerationPulsesPerS2), now, offset);
  }

  /** Brings it to rest with its ramp; frees it when it is stuck. */
  stop(now: number): void {
    if (now >= this.restsAt()) return;
    const motion = this.#log.last;
    this.#isStuck = false;
    const velocity = this.#log.velocityIn(motion, now);
    if (velocity === 0 && now > motion.start) return;
    this.#log.add(
      braking(this.#log.placeIn(motion, now), velocity, this.#info.accelerationPulsesPerS2),
      now,
      motion.offset,
    );
  }

  /** @throws DEVICE_BUSY */
  preset(now: number, pulses: number): void {
    this.#checkRest(now);
    const { to } = this.#log.last;
    this.#log.add(trapezoid(to, to, 1, 1), now, Math.round(pulses) - to);
  }

  /** Of the motions to come. @throws LIMIT */
  setSpeed(pulsesPerSecond: number): void {
    checkSpeed(this.#info, pulsesPerSecond);
    this.#speed = pulsesPerSecond;
  }

  #checkRest(now: number): void {
    const { state, value } = this.read(now);
    if (state === "ready") return;
    const { name } = this.#info;
    throw new SaclaError("DEVICE_BUSY", `${name} is still moving (at ${value} pulses); wait for it or stop it.`, {
      details: { axis: name, value },
    });
  }

  #stuckPlace(from: number, target: number): number {
    const { stuckFrom, stuckTo } = controlParameters;
    return Math.trunc(
      from + (target - from) * (stuckFrom + (stuckTo - stuckFrom) * this.#faultDraws.draw("stuck place")),
    );
  }

  #slippedPlace(from: number, target: number): number {
    if (this.#faultDraws.draw("slip") >= this.#faults.slip) return target;
    const { slipShare, slipPulses } = controlParameters;
    const lost = Math.min(Math.abs(target - from), slipPulses + Math.round(slipShare * Math.abs(target - from)));
    return target - Math.sign(target - from) * lost;
  }
}
