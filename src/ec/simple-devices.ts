import { sleep } from "../core/async.ts";
import { isSaclaError, SaclaError, show } from "../core/errors.ts";
import type { WaitLimits } from "./axis.ts";
import { reason, whyNotAllowed } from "./device-checks.ts";
import type { DeviceReading, SettingInfo } from "./driver.ts";
import type { HeldLease } from "./held-lease.ts";

/** Longest time a wheel or shutter may say that it moves. */
const LONGEST_MOTION_MS = 30_000;

/** A value out of a range is read back from an instrument, to this part of the range. */
const RANGE_TOLERANCE = 1e-3;

/**
 * Waits until a device stands on `wanted`.
 * @param needsLease - whoever keeps a lost lease has put the device elsewhere: then it is not waited for
 * @throws INTERLOCK, DEVICE_FAULT, LEASE_LOST
 */
async function arrive(
  lease: HeldLease,
  name: string,
  device: string,
  wanted: number | string,
  { pollMs, marginMs, tolerance = 0, needsLease }: WaitLimits & { tolerance?: number; needsLease: boolean },
): Promise<void> {
  const started = performance.now();
  for (;;) {
    // Before it is asked: a process that stands still between answer and look must not take that for a stuck device.
    const passedMs = performance.now() - started;
    const { state, value, why } = await lease.ask("ec.read", { bl: lease.bl, device });
    const details = { device, wanted, value, why };
    const isThere =
      value === wanted ||
      (typeof value === "number" && typeof wanted === "number" && Math.abs(value - wanted) <= tolerance);
    // What an interlock holds where it was asked to be is there, too: closing a shutter that is locked closed.
    if ((state === "ready" || state === "locked") && isThere) return;
    if (needsLease) lease.check();
    if (state === "locked")
      throw new SaclaError("INTERLOCK", `${name} is locked at ${show(value)}: ${reason(why)}.`, { details });
    if (state === "fault") throw new SaclaError("DEVICE_FAULT", `${name} is at fault: ${reason(why)}.`, { details });
    if (passedMs > marginMs + (state === "moving" ? LONGEST_MOTION_MS : 0)) {
      throw new SaclaError(
        "DEVICE_FAULT",
        `${name} is stuck: it was asked for ${show(wanted)} but ` +
          `is ${show(value)} after ${(passedMs / 1000).toFixed(1)} s.`,
        { details },
      );
    }
    await sleep(pollMs);
  }
}

/** A shutter by the experiment's name or its control name. */
export class Shutter {
  readonly name: string;
  readonly #device: string;
  readonly #lease: HeldLease;
  readonly #waits: WaitLimits;

  constructor(lease: HeldLease, name: string, device: string, waits: WaitLimits) {
    this.name = name;
    this.#device = device;
    this.#lease = lease;
    this.#waits = waits;
  }

  /** Opens it and waits until it is open. @throws INTERLOCK, DEVICE_FAULT (it has been closed), LEASE_LOST */
  async open(): Promise<void> {
    const { bl } = this.#lease;
    try {
      await this.#lease.change("ec.setShutter", { bl, lease: this.#lease.token(), shutter: this.#device, open: true });
    } catch (error) {
      // Whether it opens is not known.
      if (isSaclaError(error, "UNREACHABLE", "TIMEOUT", "ABORTED")) await this.#closeAfterFailure();
      throw error;
    }
    try {
      await arrive(this.#lease, this.name, this.#device, "open", { ...this.#waits, needsLease: true });
    } catch (error) {
      await this.#closeAfterFailure();
      throw error;
    }
  }

  /** Closes it and waits until it is closed. Needs no lease. @throws DEVICE_FAULT */
  async close(): Promise<void> {
    await this.#sendClose();
    await arrive(this.#lease, this.name, this.#device, "closed", { ...this.#waits, needsLease: false });
  }

  async #closeAfterFailure(): Promise<void> {
    // What was opened under a lost lease has been closed by its keeper, and may be another's by now.
    if (!this.#lease.signal.aborted) await this.#sendClose().catch(() => {});
  }

  async #sendClose(): Promise<void> {
    const { bl } = this.#lease;
    await this.#lease.change("ec.setShutter", { bl, lease: null, shutter: this.#device, open: false });
  }

  /** How it is: `value` is open or closed. Needs no lease. */
  async state(): Promise<DeviceReading> {
    return await this.#lease.ask("ec.read", { bl: this.#lease.bl, device: this.#device });
  }
}

/** A value out of a list or range: pulse selector, attenuator, amplifier gain, K of ID1. */
export class Setting {
  readonly name: string;
  readonly info: SettingInfo;
  readonly #lease: HeldLease;
  readonly #waits: WaitLimits;

  constructor(lease: HeldLease, name: string, info: SettingInfo, waits: WaitLimits) {
    this.name = name;
    this.info = info;
    this.#lease = lease;
    this.#waits = waits;
  }

  /** Why it may not be put on `value`; "" when it may. */
  problem(value: number | string): string {
    return whyNotAllowed(this.info, value);
  }

  /** Puts it on `value` and waits until it is there. @throws LIMIT, INTERLOCK, DEVICE_BUSY, DEVICE_FAULT, LEASE_LOST */
  async set(value: number | string): Promise<void> {
    await this.#lease.change("ec.set", {
      bl: this.#lease.bl,
      lease: this.#lease.token(),
      setting: this.info.name,
      value,
    });
    const { allowed } = this.info;
    const tolerance = "from" in allowed ? RANGE_TOLERANCE * (allowed.to - allowed.from) : 0;
    const waits = { ...this.#waits, tolerance, needsLease: true };
    await arrive(this.#lease, this.name, this.info.name, value, waits);
  }

  async value(): Promise<number | string> {
    return (await this.read()).value;
  }

  async read(): Promise<DeviceReading> {
    return await this.#lease.ask("ec.read", { bl: this.#lease.bl, device: this.info.name });
  }
}
