import { SaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import {
  type BeamRule,
  type ControlBeamlineOptions,
  lookAtBeam,
  type Plan,
  planNeeds,
  type ShotCondition,
  type TargetMap,
} from "../scan/index.ts";
import type { Session } from "./command.ts";
import { view } from "./control.ts";
import type { ScanningOptions } from "./scan-options.ts";

/** What of the options says which shots have beam. @throws BAD_ARGUMENT for a `--beam` that is none */
export function beamOptions(
  { monitor: given, beam, beamWait }: ScanningOptions,
  bl: number,
): Pick<ControlBeamlineOptions, "monitor" | "beam" | "beamWaitSeconds"> {
  const monitor = given ?? `xfel_bl_${bl}_tc_bm_1_pd/charge`;
  return { monitor, beam: beamRule(beam, monitor), beamWaitSeconds: beamWait };
}

function beamRule(text: string | undefined, monitor: string): BeamRule {
  if (text === undefined) return "auto";
  if (text === "auto" || text === "off") return text;
  return shotCondition(text.trim() !== "" && Number.isFinite(Number(text)) ? `${monitor} >= ${text}` : text);
}

/** Lines for people: a warning of a closed shutter, and what counts as beam. None for a plan that takes no shots. */
export async function beamLines(
  session: Session,
  options: ScanningOptions,
  plan: Plan,
  maps: Readonly<Record<string, TargetMap>>,
): Promise<readonly string[]> {
  const looking = await view(session);
  const positions = async (axes: readonly string[]): Promise<Record<string, number>> =>
    Object.fromEntries(
      await Promise.all(axes.map(async (axis) => [axis, await looking.axis(axis).position()] as const)),
    );
  const { needsBeam, opens } = await planNeeds(plan, { where: positions }, maps);
  if (!needsBeam) return [];
  const rule = beamOptions(options, looking.bl);
  if (rule.beam === "off") return ["beam: every shot counts, also those without beam"];
  const { experiment } = session;
  const { facility, signal } = session;
  const look = await lookAtBeam(facility, looking, { ...rule, experiment }, opens, signal);
  const waits =
    look.isOn || look.isOpenedByPlan ? [] : [`no beam now: ${look.why}; it is waited for before anything moves`];
  return [...(look.warning === "" ? [] : [`warning: ${look.warning}`]), ...waits, `beam: ${look.text}`];
}

/**
 * A condition on shots as people type it, `SIGNAL OPERATOR NUMBER`: `i0 > 1e-9`.
 * @throws BAD_ARGUMENT
 */
export function shotCondition(text: string): ShotCondition {
  const [, signalName, operator, number] = /^\s*(\S+?)\s*(<=|>=|<|>|=)\s*(\S+)\s*$/.exec(text) ?? [];
  const limit = Number(number);
  if (signalName === undefined || operator === undefined || !Number.isFinite(limit))
    throw new SaclaError(
      "BAD_ARGUMENT",
      `The condition ${JSON.stringify(text)} must be "SIGNAL OPERATOR NUMBER", with an operator of < <= > >= =.`,
    );
  switch (operator) {
    case "=":
      return { signalName, equals: limit };
    case ">":
      return { signalName, between: [next(limit, 1), Number.MAX_VALUE] };
    case ">=":
      return { signalName, between: [limit, Number.MAX_VALUE] };
    case "<":
      return { signalName, between: [-Number.MAX_VALUE, next(limit, -1)] };
    default:
      return { signalName, between: [-Number.MAX_VALUE, limit] };
  }
}

/** `--repeat`: so many attempts in all. @throws BAD_ARGUMENT */
export function repeatOf(attempts: number): { readonly goodPart: number; readonly attempts: number } {
  if (attempts < 1) throw badArgument("--repeat", attempts, "a whole number from 1");
  return { goodPart: 0.5, attempts };
}

/** The number next to one, up or down: limits are included. */
function next(x: number, direction: 1 | -1): number {
  if (x === 0) return direction * Number.MIN_VALUE;
  const bits = new BigInt64Array(1);
  const value = new Float64Array(bits.buffer);
  value[0] = x;
  bits[0] = (bits[0] ?? 0n) + (direction * Math.sign(x) > 0 ? 1n : -1n);
  return value[0] ?? x;
}
