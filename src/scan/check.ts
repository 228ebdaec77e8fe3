import { isSaclaError, SaclaError, showList, toSaclaError } from "../core/errors.ts";
import type { Apparatus } from "./apparatus.ts";
import type { Answer, Message, Plan, ShotsRequest, ShotsTaken } from "./messages.ts";
import { signalsOf } from "./shot-collector.ts";
import type { TargetMap } from "./target-map.ts";
import { checkWithin } from "./virtual-devices.ts";

/** A plan with more steps than this is taken for one that never ends, and is checked so far. */
const MOST_STEPS = 5_000_000;

/**
 * Walks a plan without doing anything and looks at every position it goes to. Of an adaptive plan the steps that follow
 * from measured values are not known; they are checked when they come.
 * @throws LIMIT naming all positions outside the limits @throws UNKNOWN_DEVICE
 */
export async function checkPlan(plan: Plan, apparatus: Pick<Apparatus, "limits" | "where">, maps: Readonly<Record<string, TargetMap>>): Promise<void> {
  const previews = new Map(Object.entries(maps).map(([name, map]) => [name, map.preview()]));
  const at = new Map<string, number>();
  const problems = new Set<string>();
  const steps = plan.steps();
  let step = steps.next();
  try {
    for (let n = 0; step.done !== true && n < MOST_STEPS; n++) {
      const message = step.value;
      for (const [axis, to] of targetsOf(message)) {
        const why = problemOf(apparatus, axis, to);
        if (why !== "") problems.add(why);
        at.set(axis, to);
      }
      if (message.kind === "where") await look(message.axes, at, apparatus);
      step = steps.next(assumedAnswer(message, at, previews));
    }
  } catch (error) {
    // What it makes of values nobody has measured says nothing.
    if (!plan.adaptive || isSaclaError(error, "UNKNOWN_DEVICE", "NO_FRESH_SPOT")) throw toSaclaError(error);
  }
  if (problems.size > 0) {
    throw new SaclaError("LIMIT", `Nothing was moved: the plan ${plan.name} leaves the limits. ${showList(problems, 5)}`, {
      details: { problems: [...problems] },
    });
  }
}

async function look(axes: readonly string[], at: Map<string, number>, apparatus: Pick<Apparatus, "where">): Promise<void> {
  const unknown = axes.filter((axis) => !at.has(axis));
  if (unknown.length === 0) return;
  for (const [axis, position] of Object.entries(await apparatus.where(unknown))) at.set(axis, position);
}

/** Every position a message goes to. */
export function targetsOf(message: Message): readonly (readonly [axis: string, to: number])[] {
  if (message.kind === "move") return Object.entries(message.to);
  if (message.kind !== "fly") return [];
  const { axis, from, to } = message.request;
  return [
    [axis, from],
    [axis, to],
  ];
}

function problemOf(apparatus: Pick<Apparatus, "limits">, axis: string, to: number): string {
  try {
    checkWithin(axis, to, apparatus.limits(axis));
    return "";
  } catch (error) {
    if (isSaclaError(error, "LIMIT")) return error.message;
    throw error;
  }
}

function assumedAnswer(message: Message, at: ReadonlyMap<string, number>, maps: ReadonlyMap<string, TargetMap>): Answer {
  switch (message.kind) {
    case "move":
      return { kind: "positions", at: message.to };
    case "where":
      return { kind: "positions", at: Object.fromEntries(message.axes.map((axis) => [axis, at.get(axis) ?? NaN])) };
    case "shots":
      return { kind: "shots", taken: allGood(message.request) };
    case "fly":
      return { kind: "fly", taken: { outcome: "done", ledger: { asked: 0, used: 0, dropped: [] }, tags: [], positions: [], values: {} } };
    case "spot": {
      const map = maps.get(message.map);
      if (map === undefined) throw new SaclaError("BAD_ARGUMENT", `The plan uses the target map ${JSON.stringify(message.map)}, which was not given.`);
      return { kind: "spot", spot: map.take() };
    }
    default:
      return { kind: "nothing" };
  }
}

function allGood(request: ShotsRequest): ShotsTaken {
  const { count } = request;
  const ones = new Array<number>(count).fill(1);
  return {
    outcome: "done",
    attempts: 1,
    ledger: { asked: count, used: count, dropped: [] },
    tags: [],
    values: Object.fromEntries(signalsOf(request).map((signal) => [signal, ones])),
    heldSeconds: 0,
  };
}
