import { bounded } from "../core/async.ts";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import type { ControlDriver } from "./driver.ts";

/** What a driver may answer and mean; anything else it throws is a fault of it. */
const refusals = [
  "LIMIT",
  "INTERLOCK",
  "DEVICE_BUSY",
  "LEASE_HELD",
  "UNKNOWN_DEVICE",
  "UNKNOWN_DETECTOR",
  "UNKNOWN_BEAMLINE",
  "UNSUPPORTED",
  "DEVICE_FAULT",
] as const;

/** Whether nothing was begun: the driver said no. After a DEVICE_FAULT one cannot know. */
export function isRefusal(error: unknown): boolean {
  return isSaclaError(error, ...refusals) && error.code !== "DEVICE_FAULT";
}

/** A driver whose every answer comes in time, as an answer or as a coded error. */
export class GuardedDriver {
  readonly driver: ControlDriver;
  readonly #timeoutMs: number;

  constructor(driver: ControlDriver, timeoutMs: number) {
    this.driver = driver;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The answer to `work`. When it comes too late, `late` is run as soon as it comes: a motion that begins after it was
   * given up must be stopped then.
   * @throws DEVICE_FAULT when there is no answer in time or the driver fails @throws what the driver refuses with
   */
  async ask<T>(what: string, work: (driver: ControlDriver) => Promise<T>, late?: () => void): Promise<T> {
    const { name } = this.driver;
    let isGivenUp = false;
    try {
      return await bounded(what, { timeoutMs: this.#timeoutMs }, async () => {
        const answer = await work(this.driver);
        if (isGivenUp) late?.();
        return answer;
      });
    } catch (error) {
      isGivenUp = true;
      if (isSaclaError(error, ...refusals)) throw error;
      const { message } = toSaclaError(error);
      throw new SaclaError("DEVICE_FAULT", `${name} failed at ${what}: ${message}`, {
        details: { driver: name, what },
        cause: error,
      });
    }
  }
}
