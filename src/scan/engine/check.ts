import { isSaclaError, SaclaError, showList, toSaclaError } from "../../core/errors.ts";
import { checkWithin } from "../beamline/axis-reach.ts";
import type { Beamline, BeamlineRuns } from "../beamline/beamline.ts";
import { signalsOf } from "../beamline/shot-collector.ts";
import {
  type FlyRequest,
  type Message,
  type MessageResult,
  type Plan,
  pathPlan,
  type RequestToOperators,
  type ShotsRequest,
  type ShotsTaken,
} from "../messages/messages.ts";
import { noRunControl, RunOrder } from "./run-keeper.ts";
import type { TargetMap } from "./target-map.ts";

/** A plan with more steps than this is taken for one that never ends, and is checked so far. */
const MOST_STEPS = 5_000_000;

/** What a plan is checked against. */
export type CheckedBeamline = Pick<Beamline, "limits" | "where" | "checkSignals" | "checkRequest"> & {
  readonly runs?: Pick<BeamlineRuns, "state">;
};

/** What of a plan must be known before it begins. */
export interface PlanNeeds {
  /** It takes shots with a beam condition that is not its own: that of the beamline. */
  readonly needsBeam: boolean;
  /** Shutters that it opens. */
  readonly opens: readonly string[];
}

/**
 * Walks a plan without doing anything and looks at every position it goes to, at its signals and at the order of its
 * runs. Of an adaptive plan without a `path` the steps that follow from measured values are not known; they are checked
 * when they come.
 * @throws LIMIT naming all positions outside the limits @throws UNKNOWN_DEVICE, UNKNOWN_SIGNAL
 * @throws BAD_ARGUMENT for a run that is started while one is on, or stopped while none is
 * @throws DEVICE_BUSY when the plan starts a run, but one is on @throws UNSUPPORTED when there is no run control
 */
export async function checkPlan(
  plan: Plan,
  beamline: CheckedBeamline,
  maps: Readonly<Record<string, TargetMap>>,
): Promise<void> {
  const order = new RunOrder();
  let isRunControlSeen = false;
  const problems = new Set<string>();
  const signals = new Set<string>();
  let lastRequest: ShotsRequest | FlyRequest | undefined;
  await walk(pathPlan(plan), beamline, maps, (message) => {
    for (const [axis, to] of targetsOf(message)) {
      const why = problemOf(beamline, axis, to);
      if (why !== "") problems.add(why);
    }
    if (message.kind === "request") for (const why of requestProblems(beamline, message.request)) problems.add(why);
    if ((message.kind === "shots" || message.kind === "fly") && message.request !== lastRequest) {
      // The same one at every point of most scans.
      lastRequest = message.request;
      for (const signal of signalsOf(lastRequest)) signals.add(signal);
    }
    if (message.kind === "startRun" && !isRunControlSeen) {
      isRunControlSeen = true;
      return checkRunControl(plan, beamline).then(() => order.take(message));
    }
    order.take(message);
    return undefined;
  });
  if (problems.size > 0) {
    throw new SaclaError(
      "LIMIT",
      `Nothing was moved: the plan ${plan.name} leaves the limits. ${showList(problems, 5)}`,
      {
        details: { problems: [...problems] },
      },
    );
  }
  await beamline.checkSignals?.([...signals]);
}

/** What a plan needs of the beam; of an adaptive one as far as its steps are known. */
export async function planNeeds(
  plan: Plan,
  beamline: Pick<Beamline, "where">,
  maps: Readonly<Record<string, TargetMap>>,
): Promise<PlanNeeds> {
  let needsBeam = false;
  const opens = new Set<string>();
  await walk(plan, beamline, maps, (message) => {
    if (message.kind === "shutter" && message.open) opens.add(message.name);
    if (message.kind === "shots" || message.kind === "fly") needsBeam ||= message.request.beam === undefined;
  });
  return { needsBeam, opens: [...opens] };
}

/** Every step of a plan, answered as if all went well; `look` ends it with false. */
export async function walk(
  plan: Plan,
  beamline: Pick<Beamline, "where">,
  maps: Readonly<Record<string, TargetMap>>,
  look: (message: Message) => void | false | Promise<void>,
): Promise<void> {
  const previews = new Map(Object.entries(maps).map(([name, map]) => [name, map.preview()]));
  const at = new Map<string, number>();
  const steps = plan.steps();
  let message = next(plan, () => steps.next());
  for (let n = 0; message !== undefined && n < MOST_STEPS; n++) {
    const looked = look(message);
    if (looked === false) return;
    if (looked !== undefined) await looked;
    for (const [axis, to] of targetsOf(message)) at.set(axis, to);
    if (message.kind === "where") await whereNow(message.axes, at, beamline);
    const answer = assumedAnswer(message, at, previews);
    message = next(plan, () => steps.next(answer));
  }
}

/**
 * The next message; undefined at the end, and where an adaptive plan makes of values nobody has measured what it cannot
 * go on with.
 */
function next(plan: Plan, advance: () => IteratorResult<Message>): Message | undefined {
  try {
    const step = advance();
    return step.done === true ? undefined : step.value;
  } catch (error) {
    if (plan.adaptive) return undefined;
    throw withHint(plan, error);
  }
}

/** An error of a plan that was given values nobody has measured, with what to do about it. */
export function withHint(plan: Plan, error: unknown): SaclaError {
  if (!isSaclaError(error, "NO_PEAK", "NO_STEP")) return toSaclaError(error);
  const { code, message, details } = error;
  const hint = plan.adaptive
    ? "But nothing was measured: without a response in `devices.signals` a signal is 1 at every shot; give one " +
      "to what is fitted."
    : `But nothing was measured. If the steps of ${plan.name} depend on what is, say so: plan(name, settings, ` +
      "steps, { adaptive: true }).";
  return new SaclaError(code, `${message} ${hint}`, { details, cause: error });
}

/** @throws DEVICE_BUSY, DEVICE_FAULT, UNSUPPORTED */
async function checkRunControl(plan: Plan, { runs }: CheckedBeamline): Promise<void> {
  if (runs === undefined) throw noRunControl();
  const { run, state } = await runs.state();
  if (state === "ready" || state === "stopping") return;
  throw new SaclaError(
    state === "fault" ? "DEVICE_FAULT" : "DEVICE_BUSY",
    `Nothing was done: the plan ${plan.name} starts a run, but run ${run} is ${state}. ` +
      `${state === "fault" ? "Look at the run control." : "End it first: sacla run stop."}`,
    { details: { run, state } },
  );
}

async function whereNow(
  axes: readonly string[],
  at: Map<string, number>,
  beamline: Pick<Beamline, "where">,
): Promise<void> {
  const unknown = axes.filter((axis) => !at.has(axis));
  if (unknown.length === 0) return;
  for (const [axis, position] of Object.entries(await beamline.where(unknown))) at.set(axis, position);
}

const noTargets: readonly (readonly [axis: string, to: number])[] = [];

/** Every position a message goes to. */
export function targetsOf(message: Message): readonly (readonly [axis: string, to: number])[] {
  if (message.kind === "move") return Object.entries(message.to);
  if (message.kind !== "fly") return noTargets;
  const { axis, from, to } = message.request;
  return [
    [axis, from],
    [axis, to],
  ];
}

function problemOf(beamline: Pick<Beamline, "limits">, axis: string, to: number): string {
  try {
    checkWithin(axis, to, beamline.limits(axis));
    return "";
  } catch (error) {
    if (isSaclaError(error, "LIMIT")) return error.message;
    throw error;
  }
}

function requestProblems(
  { checkRequest }: Pick<Beamline, "checkRequest">,
  { to }: RequestToOperators,
): readonly string[] {
  return Object.entries(to).flatMap(([name, value]) => {
    try {
      checkRequest?.(name, value);
      return [];
    } catch (error) {
      if (isSaclaError(error, "LIMIT")) return [error.message];
      throw error;
    }
  });
}

function assumedAnswer(
  message: Message,
  at: ReadonlyMap<string, number>,
  maps: ReadonlyMap<string, TargetMap>,
): MessageResult {
  switch (message.kind) {
    case "move":
      return { kind: "positions", at: message.to };
    case "where":
      return { kind: "positions", at: Object.fromEntries(message.axes.map((axis) => [axis, at.get(axis) ?? NaN])) };
    case "shots":
      return { kind: "shots", taken: allGood(message.request) };
    case "fly":
      return {
        kind: "fly",
        taken: { outcome: "done", ledger: { asked: 0, used: 0, dropped: [] }, tags: [], positions: [], values: {} },
      };
    case "startRun":
      return { kind: "run", run: 0 };
    case "request": {
      const values = Object.entries(message.request.to).map(([name, value]) => [name, { value, id: null }] as const);
      return { kind: "request", kept: Object.fromEntries(values) };
    }
    case "spot": {
      const map = maps.get(message.map);
      if (map === undefined)
        throw new SaclaError(
          "BAD_ARGUMENT",
          `The plan uses the target map ${JSON.stringify(message.map)}, which was not given.`,
        );
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
