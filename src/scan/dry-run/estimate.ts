import { show, toSaclaError } from "../../core/errors.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import type { ControlView, SettingInfo } from "../../ec/index.ts";
import { reachOf } from "../beamline/axis-reach.ts";
import type { VirtualAxis } from "../beamline/virtual-devices.ts";
import { checkPlan } from "../engine/check.ts";
import type { TargetMap } from "../engine/target-map.ts";
import { type Message, type Plan, pathPlan } from "../messages/messages.ts";
import { type DryRun, dryRun } from "./dry-run.ts";

export interface EstimateOptions {
  readonly maps?: Readonly<Record<string, TargetMap>> | undefined;
  /** Shots per second. @default 30 */
  readonly rateHz?: number | undefined;
  /** Bytes that one shot takes on the disk: images and 0-D values. @default 0 */
  readonly bytesPerShot?: number | undefined;
}

/** Time a shutter takes, and settings by their role; those of the simulated facility, waits between looks included. */
const SHUTTER_SECONDS = 0.2;
const SETTING_SECONDS: Readonly<Record<SettingInfo["role"], number>> = {
  selector: 0.05,
  attenuator: 0.5,
  amplifier: 0.1,
  "undulator-k": 1,
  accelerator: 3,
};
/**
 * Shots of before the request are left out, and the last ones are found at the next look; measured on the simulated
 * facility.
 */
const SHOTS_OVERHEAD_SECONDS = 0.22;
/** Question, answer and the look that finds an axis at rest. */
const MOVE_OVERHEAD_SECONDS = 0.03;

/**
 * {@link dryRun} with the axes of a beamline as they are now: their places, speeds, ramps and limits. Nothing is moved;
 * positions outside the limits and values that settings do not take are in `violations`.
 *
 * @param control - a lease is not needed: `facility.ec.view(bl, { experiment })` will do
 * @throws UNKNOWN_DEVICE; BAD_ARGUMENT for runs in the wrong order
 * @example
 * const { seconds, shots } = await estimate(plan, await facility.ec.view(3, { experiment }));
 */
export async function estimate(plan: Plan, control: ControlView, options: EstimateOptions = {}): Promise<DryRun> {
  const checks = { maps: any, rateHz: optional(finite(0.001, 1e6), 30), bytesPerShot: optional(finite(0), 0) };
  const { maps = {}, rateHz, bytesPerShot } = resolveOptions("estimate", options, checks);
  const names = new Set<string>();
  const where = async (axes: readonly string[]): Promise<Record<string, number>> =>
    Object.fromEntries(
      await Promise.all(axes.map(async (axis) => [axis, await control.axis(axis).position()] as const)),
    );
  // The dry run names what is outside; here the axes are only collected.
  const limits = (axis: string): "unlimited" => {
    names.add(axis);
    return "unlimited";
  };
  // A run that is on now is over when the plan begins, or it will be refused then.
  const runs = { state: async () => ({ run: 0, state: "ready" as const, shots: 0 }) };
  await checkPlan(plan, { limits, where, runs }, maps);
  const axes: Record<string, VirtualAxis> = {};
  for (const name of names) axes[name] = await virtualAxisOf(control, name);
  const problems = new Set<string>();
  const run = dryRun(
    watched(pathPlan(plan), (message) => lookAt(message, control, problems)),
    {
      maps,
      bytesPerShot,
      devices: {
        axes,
        rateHz,
        switchSeconds: SHUTTER_SECONDS,
        settingSeconds: (setting) => SETTING_SECONDS[control.setting(setting).info.role],
        shotsOverheadSeconds: SHOTS_OVERHEAD_SECONDS,
      },
    },
  );
  return { ...run, violations: [...run.violations, ...problems] };
}

/** The same plan, each of whose messages is looked at. */
function watched(plan: Plan, look: (message: Message) => void): Plan {
  return {
    ...plan,
    *steps() {
      const steps = plan.steps();
      let step = steps.next();
      while (step.done !== true) {
        look(step.value);
        step = steps.next(yield step.value);
      }
      return step.value;
    },
  };
}

/** A shutter that is not there and a value that a setting does not take must be known before anything moves. */
function lookAt(message: Message, control: ControlView, problems: Set<string>): void {
  try {
    if (message.kind === "shutter") control.shutter(message.name);
    if (message.kind === "request")
      for (const [name, value] of Object.entries(message.request.to)) control.checkRequest(name, value);
    if (message.kind !== "set") return;
    const why = control.setting(message.setting).problem(message.value);
    if (why !== "") problems.add(`${message.setting} cannot be set to ${show(message.value)}: ${why}.`);
  } catch (error) {
    problems.add(toSaclaError(error).message);
  }
}

async function virtualAxisOf(control: ControlView, name: string): Promise<VirtualAxis> {
  const axis = control.axis(name);
  return {
    limits: reachOf(axis),
    speed: axis.speed,
    start: await axis.position(),
    seconds: (from, to) => axis.seconds(from, to) + MOVE_OVERHEAD_SECONDS,
  };
}
