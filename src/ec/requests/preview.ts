import { SaclaError, show, showList, toSaclaError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-names.ts";
import type { DeviceInfo, SettingInfo } from "../driver.ts";
import type { ExperimentDefinition } from "../experiment.ts";
import type { HeldLease } from "../held-lease.ts";
import { defaultRule, refusalOf, verificationFor } from "./request-checks.ts";
import { hasEnded } from "./request-state.ts";
import { expectedRange } from "./verdict.ts";

/** One value that may be asked for, now → will be. */
export interface RequestRow {
  readonly name: string;
  readonly now: number | string;
  readonly willBe: number | string;
  readonly unit: string;
  /** The signal that will show it, and where it must be; "" where nothing does. */
  readonly verifiedBy: string;
  /** Why it would be refused now; "" when it would be put to the operators. */
  readonly problem: string;
}

/** What would become of requests now, without asking anybody. @throws UNKNOWN_DEVICE, UNSUPPORTED */
export async function previewRequests(
  lease: HeldLease,
  wanted: readonly (readonly [name: string, info: SettingInfo, to: number | string])[],
): Promise<readonly RequestRow[]> {
  const { bl } = lease;
  const { mode, rules } = await lease.ask("request.rules", { bl });
  const open = (await lease.ask("request.list", { bl, last: 50 })).find(({ state }) => !hasEnded(state));
  return await Promise.all(
    wanted.map(async ([name, info, to]) => {
      const { value: from } = await lease.ask("ec.read", { bl, device: info.name });
      const rule = rules.find(({ parameter }) => parameter === info.name) ?? defaultRule(info.name);
      const row = { name, now: from, willBe: to, unit: info.unit, verifiedBy: "", problem: "" };
      if (info.role !== "accelerator")
        return { ...row, problem: `${name} is changed without a request: sacla set ${name}` };
      const problem = refusalOf({ info, rule, mode, from, to, open, lately: 0 })?.message ?? "";
      try {
        const verification = verificationFor(rule, null, to);
        const [low, high] = expectedRange(verification, to) ?? [NaN, NaN];
        return { ...row, verifiedBy: `${verification.signal} in ${low} … ${high}`, problem };
      } catch (error) {
        return { ...row, problem: problem === "" ? toSaclaError(error).message : problem };
      }
    }),
  );
}

/**
 * That a name is none of a value of the accelerator.
 * @param own - the settings of the experiment, whose names come first
 */
export function notAskedFor(
  name: string,
  devices: readonly DeviceInfo[],
  own: ExperimentDefinition["settings"] = {},
): SaclaError {
  const ids = devices.flatMap((info) => (info.kind === "setting" && info.role === "accelerator" ? [info.name] : []));
  const named = Object.entries(own).filter(([, { device }]) => ids.includes(device));
  const names = [...named.map(([known]) => known), ...ids];
  const has = names.length === 0 ? "nothing can be here" : `what can be is ${showList(names, 20)}`;
  return new SaclaError(
    "UNKNOWN_DEVICE",
    `${show(name)} cannot be asked for; ${has}.${didYouMean(name, names)} \`sacla requests\` tells what each takes.`,
    { details: { name, names } },
  );
}
