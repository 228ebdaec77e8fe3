import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { asText, badArgument } from "../../core/guards.ts";
import { any, optional, resolveOptions } from "../../core/options.ts";
import type { ControlView, DeviceInfo } from "../../ec/index.ts";
import { isShutterClosed, xrayShutter } from "../../ec/xray-shutter.ts";
import type { ShotCondition } from "../messages/messages.ts";
import { asBeam } from "../messages/shots-request.ts";
import { type ShotReading, whyNotGood } from "./shot-collector.ts";
import { type ControlledFacility, type FeedOptions, ShotFeed } from "./shot-feed.ts";

/** What a shot with beam is, unless a plan says it of its shots: see `controlBeamline`. */
export type BeamRule = "auto" | "off" | ShotCondition;

/** @throws BAD_ARGUMENT */
export function checkBeamRule(name: string, rule: unknown): BeamRule {
  if (rule === "auto" || rule === "off") return rule;
  if (typeof rule !== "object") throw badArgument(name, rule, '"auto", "off", or a condition on a signal');
  return asBeam(name, rule);
}

/** Shots that are looked at: two seconds at 30 Hz. */
const SHOTS = 60;
/** Fewer than this say nothing of the noise. */
const LEAST_SHOTS = 10;
/** Without beam the noise of a monitor is on both sides of zero; with beam next to nothing is below. */
const POSITIVE_PART = 0.9;
/** Of the median with beam: a pulse of a SASE laser is hardly ever so weak, and noise hardly ever so strong. */
const PART_OF_MEDIAN = 0.1;
const TIMES_NOISE = 10;

const lookChecks = {
  experiment: any,
  monitor: asText,
  rateHz: any,
  pollMs: any,
  latencyMs: any,
  silentMs: any,
  beam: optional(checkBeamRule),
  beamWaitSeconds: any,
};

/** The beam as it is before a scan. */
export interface BeamLook {
  /** What a shot with beam is. */
  readonly condition: ShotCondition;
  /** {@link condition} for people, and where it comes from. */
  readonly text: string;
  /** Whether the monitor shows beam now. */
  readonly isOn: boolean;
  /** Whether the control says that there is none while the monitor shows some: what it shows may be two seconds old. */
  readonly isDoubtful: boolean;
  /** Why there is none, for people; "" when there is. */
  readonly why: string;
  /** That the X-ray shutter is closed and the plan does not open it, with what to type; "" when that is not so. */
  readonly warning: string;
  /** Whether the plan opens what is closed now, so that beam may come with its first shots. */
  readonly isOpenedByPlan: boolean;
}

/** Why no X-rays reach the hutch, as the control says it; "" when they do, or it cannot say. */
export async function whyBeamIsOff(control: Pick<ControlView, "beam">): Promise<string> {
  try {
    const { on, why } = await control.beam();
    return on ? "" : why;
  } catch (error) {
    if (isSaclaError(error, "UNSUPPORTED")) return "";
    throw error;
  }
}

/**
 * Looks at the beam monitor and the X-ray shutter; nothing is changed and nothing is waited for.
 * @param opens - shutters that the plan opens
 */
export async function lookAtBeam(
  facility: ControlledFacility,
  control: ControlView,
  options: FeedOptions & {
    readonly beam?: BeamRule | undefined;
    /** Those of `controlBeamline` may be handed over as they are. */
    readonly rateHz?: number | undefined;
    readonly beamWaitSeconds?: number | undefined;
  },
  opens: readonly string[],
  signal?: AbortSignal,
): Promise<BeamLook> {
  const { monitor, experiment, beam } = resolveOptions("lookAtBeam", options, lookChecks);
  const given = typeof beam === "object" ? beam : undefined;
  const name = given?.signalName ?? monitor;
  const { values, unit } = await new ShotFeed(facility, control, options).recent(name, SHOTS, signal);
  const shutter = await xrayShutter(facility, control.bl);
  const devices = opens.map((each) => experiment?.shutters[each]?.device ?? each);
  const isClosed = shutter !== undefined && (await isShutterClosed(facility, control.bl, shutter.name));
  const isOpened = shutter === undefined ? devices.length > 0 : devices.includes(shutter.name);
  const judged =
    given === undefined
      ? judgeMonitor(name, values, unit)
      : { condition: given, text: "", isOn: partOf(values, (value) => whyNotGood(given, value) === null) >= 0.5 };
  const last = values.at(-1);
  const whyOff = await whyBeamIsOff(control);
  const warning = isClosed && !isOpened ? closedText(shutter, Object.entries(experiment?.shutters ?? {})) : "";
  const shown = last === undefined ? `${name} has no values` : `${name} is ${shownValue(last, unit)}`;
  return {
    ...judged,
    text: judged.text === "" ? `a shot has beam when ${conditionText(judged.condition)}` : judged.text,
    isDoubtful: judged.isOn && (warning !== "" || whyOff !== ""),
    why: judged.isOn ? "" : `${shown}${whyOff === "" ? "" : `, ${whyOff}`}`,
    warning,
    isOpenedByPlan: isOpened && (shutter === undefined || isClosed),
  };
}

function closedText(
  { name, meaning }: DeviceInfo,
  named: readonly (readonly [name: string, shutter: { readonly device: string }])[],
): string {
  const own = named.find(([, { device }]) => device === name)?.[0] ?? name;
  return (
    `The ${meaning} ${name} is closed and the plan does not open it, so no X-rays will come. Open it first ` +
    `(sacla shutter ${name} open), or have the plan open it for its shots (--shutter ${own}, ` +
    `in a plan shutter: ${JSON.stringify(own)}).`
  );
}

/** What beam is by the values of a monitor just before. */
function judgeMonitor(
  name: string,
  values: readonly ShotReading[],
  unit: string,
): Pick<BeamLook, "condition" | "text" | "isOn"> {
  const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const positive = numbers.filter((value) => value > 0);
  const isOn = numbers.length >= LEAST_SHOTS && positive.length >= POSITIVE_PART * values.length;
  if (isOn) {
    const least = rounded(PART_OF_MEDIAN * median(positive));
    return {
      condition: atLeast(name, least),
      text:
        `a shot has beam when ${name} is at least ${shownValue(least, unit)}: ` +
        `a tenth of its median over the ${numbers.length} shots just before`,
      isOn,
    };
  }
  const below = numbers.filter((value) => value <= 0);
  if (below.length < LEAST_SHOTS / 2)
    return {
      condition: { signalName: name, between: [-Number.MAX_VALUE, Number.MAX_VALUE] },
      text: `a shot has beam when ${name} has a number: without beam it has none`,
      isOn: false,
    };
  // Median of |x| of a normal distribution: 0.6745 σ.
  const noise = median(below.map(Math.abs)) / 0.6745;
  const least = rounded(TIMES_NOISE * noise);
  return {
    condition: atLeast(name, least),
    text:
      `a shot has beam when ${name} is at least ${shownValue(least, unit)}: ` +
      "ten times its noise, as it shows no beam now",
    isOn: false,
  };
}

function atLeast(signalName: string, least: number): ShotCondition {
  return { signalName, between: [least, Number.MAX_VALUE] };
}

/** A condition for people. */
function conditionText({ signalName, between, equals }: ShotCondition): string {
  if (equals !== undefined) return `${signalName} is ${equals}`;
  const digits = (limit: number): number => Number(limit.toPrecision(6));
  const [low, high] = (between ?? [-Number.MAX_VALUE, Number.MAX_VALUE]).map(digits);
  if (between?.[1] === Number.MAX_VALUE) return `${signalName} is at least ${low}`;
  return between?.[0] === -Number.MAX_VALUE
    ? `${signalName} is at most ${high}`
    : `${signalName} is within ${low} to ${high}`;
}

/** @throws NO_BEAM */
export function noBeam(seconds: number, why: string, kept: string): SaclaError {
  return new SaclaError("NO_BEAM", `There was no beam for ${Math.round(seconds)} s: ${why}. ${kept}`, {
    details: { seconds, why },
  });
}

function partOf(values: readonly ShotReading[], is: (value: ShotReading) => boolean): number {
  return values.length === 0 ? 0 : values.filter(is).length / values.length;
}

function shownValue(value: ShotReading, unit: string): string {
  return typeof value === "number" ? `${Number(value.toPrecision(3))}${unit === "" ? "" : ` ${unit}`}` : show(value);
}

/** What is shown is what is compared with. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}
