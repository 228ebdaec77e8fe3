import type { Clock } from "../../core/clock.ts";
import { SaclaError, show } from "../../core/errors.ts";
import { reason } from "../device-checks.ts";
import type { DeviceReading } from "../driver.ts";
import type { GuardedDriver } from "../guarded-driver.ts";

/** How the machine is watched. */
interface RampTimes {
  /** Between two looks. */
  readonly pollMs: number;
  /** At rest somewhere else for so many looks, it does not come. */
  readonly stillPolls: number;
}

/** Where a parameter is to go, and how near counts as there. */
interface Ramp {
  readonly parameter: string;
  readonly to: number | string;
  readonly tolerance: number;
  readonly seconds: number;
}

/** Puts parameters of the machine on values and watches them arrive. */
export class Ramps {
  readonly #driver: GuardedDriver;
  readonly #clock: Clock;
  readonly #times: RampTimes;
  /** By parameter: the driver's last answer, however late. It may take effect after it was given up. */
  readonly #pending = new Map<string, Promise<unknown>>();

  constructor(driver: GuardedDriver, clock: Clock, times: RampTimes) {
    this.#driver = driver;
    this.#clock = clock;
    this.#times = times;
  }

  /**
   * Asks the machine and waits until it is there; gives the value it has.
   * @throws DEVICE_FAULT when it stays elsewhere, is at fault or does not come in its time @throws INTERLOCK @throws
   * ABORTED @throws what the driver refuses with
   */
  async go({ parameter, to, tolerance, seconds }: Ramp, signal: AbortSignal): Promise<number | string> {
    await this.#driver.ask(`request ${show(to)} of ${parameter}`, async (driver) => {
      const answer = driver.set(parameter, to);
      const settled = answer.then(
        () => {},
        () => {},
      );
      this.#pending.set(parameter, settled);
      await answer;
    });
    return await this.#arrive(parameter, to, tolerance, seconds, signal);
  }

  /** Waits until the machine is at rest and has answered all that it was asked. @throws DEVICE_FAULT, ABORTED */
  async rest(parameter: string, seconds: number, signal: AbortSignal): Promise<DeviceReading> {
    const late = new AbortController();
    const both = AbortSignal.any([signal, late.signal]);
    const until = this.#clock.now() + seconds;
    await Promise.race([this.#pending.get(parameter), this.#clock.until(until, both).catch(() => {})]);
    late.abort();
    for (;;) {
      const reading = await this.read(parameter);
      if (reading.state !== "moving") return reading;
      if (this.#clock.now() > until)
        throw new SaclaError("DEVICE_FAULT", `${parameter} is still moving after ${seconds} s.`);
      await this.#pause(signal);
    }
  }

  async read(parameter: string): Promise<DeviceReading> {
    return await this.#driver.ask(`read of ${parameter}`, (driver) => driver.read(parameter));
  }

  async #arrive(
    parameter: string,
    to: number | string,
    tolerance: number,
    seconds: number,
    signal: AbortSignal,
  ): Promise<number | string> {
    const until = this.#clock.now() + seconds;
    for (let still = 0; ; ) {
      const { state, value, why } = await this.read(parameter);
      const details = { parameter, to, value, why };
      if (state === "ready" && isNear(value, to, tolerance)) return value;
      if (state === "locked")
        throw new SaclaError("INTERLOCK", `${parameter} is locked at ${show(value)}: ${reason(why)}.`, { details });
      if (state === "fault")
        throw new SaclaError("DEVICE_FAULT", `${parameter} is at fault: ${reason(why)}.`, { details });
      still = state === "ready" ? still + 1 : 0;
      if (still > this.#times.stillPolls || this.#clock.now() > until)
        throw new SaclaError(
          "DEVICE_FAULT",
          `${parameter} was to become ${show(to)} but ${state === "moving" ? "is still moving at" : "stays at"} ` +
            `${show(value)}.`,
          { details },
        );
      await this.#pause(signal);
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await this.#clock.until(this.#clock.now() + this.#times.pollMs / 1000, signal);
  }
}

/** Whether a value is there: words exactly, numbers as an instrument reads them back. */
export function isNear(value: number | string, to: number | string, tolerance: number): boolean {
  return value === to || (typeof value === "number" && typeof to === "number" && Math.abs(value - to) <= tolerance);
}
