import { badArgument } from "../core/guards.ts";
import { parseQuantity } from "../core/quantities.ts";
import { limitIn, parseCondition } from "../db/index.ts";
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
export async function beamOptions(
  session: Session,
  { monitor: given, beam, beamWait }: ScanningOptions,
  bl: number,
): Promise<Pick<ControlBeamlineOptions, "monitor" | "beam" | "beamWaitSeconds">> {
  const monitor = given ?? `xfel_bl_${bl}_tc_bm_1_pd/charge`;
  return { monitor, beam: await beamRule(session, beam, monitor), beamWaitSeconds: beamWait };
}

async function beamRule(session: Session, text: string | undefined, monitor: string): Promise<BeamRule> {
  if (text === undefined) return "auto";
  if (text === "auto" || text === "off") return text;
  return await shotCondition(session, parseQuantity(text) === undefined ? text : `${monitor} >= ${text}`);
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
  const rule = await beamOptions(session, options, looking.bl);
  if (rule.beam === "off") return ["beam: every shot counts, also those without beam"];
  const { experiment } = session;
  const { facility, signal } = session;
  const look = await lookAtBeam(facility, looking, { ...rule, experiment }, opens, signal);
  const waits =
    look.isOn || look.isOpenedByPlan ? [] : [`no beam now: ${look.why}; it is waited for before anything moves`];
  return [...(look.warning === "" ? [] : [`warning: ${look.warning}`]), ...waits, `beam: ${look.text}`];
}

/** What a plan asks of its shots by `--where`; nothing without it. @throws as {@link shotCondition} */
export async function conditionsOf(
  session: Session,
  where: readonly string[],
): Promise<{ readonly conditions?: readonly ShotCondition[] }> {
  if (where.length === 0) return {};
  return { conditions: await Promise.all(where.map(async (text) => await shotCondition(session, text))) };
}

/**
 * A condition on shots as people type it, `i0 > 1e-9`, with a unit if they like, `i0 > 5nC`, or a band,
 * `4nC < i0 < 6nC`.
 * @throws BAD_ARGUMENT for another form, and for a unit that is not that of the signal
 */
async function shotCondition({ facility }: Session, text: string): Promise<ShotCondition> {
  const { equipId: signalName, comparisons } = parseCondition(text);
  const unit = comparisons.some((one) => one.unit !== "") ? await unitOfSignal(facility, signalName) : "";
  let [low, high] = [-Number.MAX_VALUE, Number.MAX_VALUE];
  for (const one of comparisons) {
    const limit = limitIn(one, unit, signalName);
    if (one.operator === "=") return { signalName, equals: limit };
    if (one.operator === "!=") throw badArgument("condition of a scan", text, "one with < <= > >= or =");
    // Limits are included.
    if (one.operator.startsWith(">")) low = one.operator === ">" ? next(limit, 1) : limit;
    else high = one.operator === "<" ? next(limit, -1) : limit;
  }
  return { signalName, between: [low, high] };
}

/** The unit of a signal as its newest value has it. @throws UNKNOWN_SIGNAL */
export async function unitOfSignal({ db, endpoint }: Session["facility"], id: string): Promise<string> {
  const [hightag, tag] = await db.readTagnumberNewest(id);
  const [column] = await endpoint.call("db.readColumns", { equipIds: [id], hightag, tags: Uint32Array.of(tag) });
  return column?.unit ?? "";
}

/** `--repeat`: so many attempts in all. @throws BAD_ARGUMENT */
export function repeatOf(attempts: number): { readonly goodPart: number; readonly attempts: number } {
  if (attempts < 1) throw badArgument("--repeat", attempts, "a whole number from 1");
  return { goodPart: 0.5, attempts };
}

/** The number next to one, up or down. */
function next(x: number, direction: 1 | -1): number {
  if (x === 0) return direction * Number.MIN_VALUE;
  const bits = new BigInt64Array(1);
  const value = new Float64Array(bits.buffer);
  value[0] = x;
  bits[0] = (bits[0] ?? 0n) + (direction * Math.sign(x) > 0 ? 1n : -1n);
  return value[0] ?? x;
}
