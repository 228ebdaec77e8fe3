import { sleep } from "../../core/async.ts";
import type { RequestEntry, RequestRule } from "../../transport/request-methods.ts";
import type { GuardedDriver } from "../guarded-driver.ts";
import { defaultRule } from "./request-checks.ts";

/** Longest look at the newest shot: a line of the log does not wait for it. */
const SHOT_MS = 200;

/** What the driver knows of the accelerator, each answer in bounded time; usual values where it knows nothing. */
export class MachineSide {
  readonly #driver: GuardedDriver;

  constructor(driver: GuardedDriver) {
    this.#driver = driver;
  }

  async rules(bl: number): Promise<readonly RequestRule[]> {
    const { accelerator } = this.#driver.driver;
    return accelerator === undefined ? [] : await this.#ask(bl, "rules", () => accelerator.rules(bl));
  }

  async ruleOf(bl: number, parameter: string): Promise<RequestRule> {
    return (await this.rules(bl)).find((rule) => rule.parameter === parameter) ?? defaultRule(parameter);
  }

  async state(bl: number): Promise<{ mode: "normal" | "tuning"; shot: RequestEntry["shot"] }> {
    const { accelerator } = this.#driver.driver;
    if (accelerator === undefined) return { mode: "normal", shot: null };
    return await this.#ask(bl, "state", () => accelerator.state(bl));
  }

  /** The newest shot; null where nobody knows, or it takes too long. */
  async shot(bl: number): Promise<RequestEntry["shot"]> {
    const late = new AbortController();
    const none = sleep(SHOT_MS, late.signal).then(
      () => null,
      () => null,
    );
    const shot = await Promise.race([
      this.state(bl).then(
        (state) => state.shot,
        () => null,
      ),
      none,
    ]);
    late.abort();
    return shot;
  }

  async #ask<T>(bl: number, what: string, work: () => Promise<T>): Promise<T> {
    return await this.#driver.ask(`${what} of the accelerator, beamline ${bl}`, work);
  }
}
