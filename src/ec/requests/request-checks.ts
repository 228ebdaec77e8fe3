import { SaclaError, show } from "../../core/errors.ts";
import type { AcceleratorRequest, RequestRule, Verification } from "../../transport/request-methods.ts";
import { whyOutOfRange } from "../device-checks.ts";
import type { SettingInfo } from "../driver.ts";
import { expectedRange } from "./verdict.ts";

/** Rules of a parameter for which its driver has none. */
export function defaultRule(parameter: string): RequestRule {
  return { parameter, step: null, perMinute: 6, rampSeconds: 120, verification: null };
}

/** What a proposal is checked against, all of one moment. */
interface Proposal {
  readonly info: SettingInfo;
  readonly rule: RequestRule;
  readonly mode: "normal" | "tuning";
  readonly from: number | string;
  readonly to: number | string;
  /** Another request of the beamline that has not ended. */
  readonly open: AcceleratorRequest | undefined;
  /** How many were let through in the last minute. */
  readonly lately: number;
}

/**
 * Why a request may not be put to the operators; undefined when it may. Nothing is cut to what is allowed: a value that
 * nobody asked for is never set.
 */
export function refusalOf({ info, rule, mode, from, to, open, lately }: Proposal): SaclaError | undefined {
  const { name, unit } = info;
  const details = { parameter: name, from, to };
  const range = whyOutOfRange(info, to);
  if (range !== "") return new SaclaError("LIMIT", `${name} cannot be asked for ${show(to)}: ${range}.`, { details });
  if (typeof from === "number" && typeof to === "number" && rule.step !== null) {
    // 0.3 − 0.1 is a hair more than 0.2.
    const isTooFar = Math.abs(to - from) > rule.step * (1 + 1e-9);
    const first = from + Math.sign(to - from) * rule.step;
    if (isTooFar)
      return new SaclaError(
        "LIMIT",
        `${name} cannot be asked for ${to} ${unit} at once: one request changes it by at most ${rule.step} ${unit}, ` +
          `and it is ${from}. Ask for ${Number(first.toPrecision(12))} first.`,
        { details: { ...details, step: rule.step } },
      );
  }
  if (mode !== "normal")
    return new SaclaError(
      "INTERLOCK",
      `The accelerator is in ${mode} mode for this beamline: its operators take no requests. ` +
        "Ask again when it is normal.",
      { details: { ...details, mode } },
    );
  if (open !== undefined)
    return new SaclaError(
      "DEVICE_BUSY",
      `Request ${open.id} of this beamline (${open.parameter}) is ${open.state}; one at a time can be verified.`,
      { details: { ...details, open: open.id, state: open.state } },
    );
  if (lately >= rule.perMinute)
    return new SaclaError(
      "TOO_MANY_REQUESTS",
      `${name} was asked for ${lately} times within a minute, and may be ${rule.perMinute} times. Wait a minute.`,
      { details: { ...details, perMinute: rule.perMinute } },
    );
  return undefined;
}

/**
 * By what a change is verified: the rule's signal, or where there is none the requester's.
 * @throws BAD_ARGUMENT when nothing would show that the value is reached
 */
export function verificationFor(rule: RequestRule, given: Verification | null, to: number | string): Verification {
  const { parameter } = rule;
  if (rule.verification !== null && given !== null)
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${parameter} is verified by ${rule.verification.signal} as its rule says; give no verification of your own.`,
    );
  const verification = given ?? rule.verification;
  if (verification === null)
    throw new SaclaError(
      "BAD_ARGUMENT",
      `Nothing says which 0-D signal shows ${parameter}: give verification, its signal and tolerance.`,
      { details: { parameter } },
    );
  if (expectedRange(verification, to) !== null) return verification;
  const what = typeof to === "string" ? `the range of the signal for ${show(to)}` : "a tolerance";
  throw new SaclaError("BAD_ARGUMENT", `The verification of ${parameter} lacks ${what}.`, { details: { parameter } });
}
