import { SaclaError } from "../../core/errors.ts";
import { asFinite, asInteger, asText, badArgument } from "../../core/guards.ts";
import { any, defined, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type {
  FlyRequest,
  FlyTaken,
  MessageResult,
  PlanSteps,
  Positions,
  RequestsKept,
  RequestToOperators,
  RunToStart,
  ShotsRequest,
  ShotsTaken,
  TargetSpot,
} from "../messages/messages.ts";
import { checkRequest, flyChecks } from "../messages/shots-request.ts";

/** Moves axes together and waits; gives where they are. @example yield* move({ delay: 1.5, x: 3 }); */
export function* move(to: Positions): PlanSteps<Positions> {
  checkPositions("the target", to);
  return expected(yield { kind: "move", to }, "positions").at;
}

/** Where axes are. */
export function* where(axes: readonly string[]): PlanSteps<Positions> {
  return expected(yield { kind: "where", axes }, "positions").at;
}

/** Moves axes by a distance. The target is worked out first, so that a resumed scan does not go twice as far. */
export function* moveRelative(by: Positions): PlanSteps<Positions> {
  checkPositions("the distance", by);
  const now = yield* where(Object.keys(by));
  return yield* move(
    Object.fromEntries(Object.entries(by).map(([axis, distance]) => [axis, (now[axis] ?? NaN) + distance])),
  );
}

/** Sets a pulse selector, attenuator or amplifier. */
export function* set(setting: string, value: number | string): PlanSteps {
  yield { kind: "set", setting: asText("setting", setting), value };
}

const requestChecks = { reason: optional(asText), answerSeconds: optional(finite(0.001, 86_400)) };

/**
 * Asks the operators of the accelerator for values of its parameters, one after the other, and goes on when each is set
 * and verified by 0-D signals. What the machine has already is not asked for. A beamline changes only K of ID1 itself,
 * by {@link set}.
 * @throws REQUEST_DECLINED, REQUEST_EXPIRED, NOT_VERIFIED; the value before is there again
 * @example
 * yield* request({ probeDelayFs: 60 });
 */
export function* request(
  to: Readonly<Record<string, number | string>>,
  options: Omit<RequestToOperators, "to"> = {},
): PlanSteps<RequestsKept> {
  const given = defined(resolveOptions("request", options, requestChecks));
  for (const [name, value] of Object.entries(to))
    if (typeof value === "number") asFinite(`the value of ${name}`, value);
    else asText(`the value of ${name}`, value);
  return expected(yield { kind: "request", request: { to, ...given } }, "request").kept;
}

export function* shutter(name: string, open: boolean): PlanSteps {
  yield { kind: "shutter", name: asText("shutter", name), open };
}

/** Waits so many seconds, for a sample or a temperature to settle. */
export function* wait(seconds: number): PlanSteps {
  yield { kind: "wait", seconds: asFinite("seconds", seconds, 0, 86_400) };
}

const runChecks = { comment: any, detectors: any, shots: optional(integer(1)) };

/**
 * Starts a run of the facility and gives its number: from now on detectors are stored. One at a time; {@link withRun}
 * also stops it, and at the latest it ends with the plan. @throws DEVICE_BUSY when a run is on @throws
 * UNKNOWN_DETECTOR, DEVICE_FAULT
 * @example const run = yield* startRun({ comment: "reference", detectors: ["MPCCD-8B0-2-008"] });
 */
export function* startRun(request: RunToStart): PlanSteps<number> {
  if (typeof request.comment !== "string") throw badArgument("comment of the run", request.comment, "a text");
  const { detectors = [] } = resolveOptions("startRun", request, runChecks);
  for (const detector of detectors) asText("detector", detector);
  return expected(yield { kind: "startRun", request }, "run").run;
}

/** Ends the run that the plan has started, and waits until it is stored. */
export function* stopRun(): PlanSteps {
  yield { kind: "stopRun" };
}

/** Takes shots until enough good ones have come; see {@link ShotsRequest}. */
export function* shots(request: number | ShotsRequest): PlanSteps<ShotsTaken> {
  const asked = typeof request === "number" ? { count: asInteger("count", request, 1) } : checkRequest(request);
  return expected(yield { kind: "shots", request: asked }, "shots").taken;
}

/** One axis at constant speed while shots are taken. */
export function* flyOnce(request: FlyRequest): PlanSteps<FlyTaken> {
  resolveOptions("flyOnce", request, flyChecks);
  return expected(yield { kind: "fly", request }, "fly").taken;
}

/** A fresh spot of a target map, marked as spent before it is given. @throws NO_FRESH_SPOT */
export function* spot(map: string): PlanSteps<TargetSpot> {
  return expected(yield { kind: "spot", map: asText("map", map) }, "spot").spot;
}

/** Writes to the map whether the beam monitor saw a shot on the spot. */
export function* confirm(map: string, { index }: TargetSpot, hit: boolean): PlanSteps {
  yield { kind: "confirm", map, spot: index, hit };
}

/** A row of the result: positions, and what was measured there. */
export function* point(data: Positions, taken: ShotsTaken | null = null): PlanSteps {
  yield { kind: "point", data, taken };
}

/** A safe point: here a scan pauses and stops. */
export function* checkpoint(): PlanSteps {
  yield { kind: "checkpoint" };
}

export function* note(text: string): PlanSteps {
  yield { kind: "note", text };
}

/** Steps that must not be repeated without asking: the sample does not survive them. */
export function* once<R>(steps: PlanSteps<R>): PlanSteps<R> {
  yield { kind: "once", begins: true };
  try {
    return yield* steps;
  } finally {
    yield { kind: "once", begins: false };
  }
}

function expected<K extends MessageResult["kind"]>(
  answer: MessageResult | undefined,
  kind: K,
): Extract<MessageResult, { kind: K }> {
  if (isAnswer(answer, kind)) return answer;
  throw new SaclaError("INTERNAL", `A plan was answered with ${answer?.kind ?? "nothing"} where ${kind} was due.`);
}

function isAnswer<K extends MessageResult["kind"]>(
  answer: MessageResult | undefined,
  kind: K,
): answer is Extract<MessageResult, { kind: K }> {
  return answer?.kind === kind;
}

function checkPositions(what: string, positions: Positions): void {
  for (const [axis, value] of Object.entries(positions)) asFinite(`${what} of ${axis}`, value);
}
