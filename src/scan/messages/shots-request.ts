import { asText, badArgument } from "../../core/guards.ts";
import { any, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { FlyRequest, Precision, ShotCondition, ShotsRequest } from "./messages.ts";

/** The checks of {@link FlyRequest}, for `resolveOptions`. */
export const flyChecks = {
  axis: asText,
  from: finite(),
  to: finite(),
  shots: integer(2),
  signals: any,
  conditions: optional(asConditions),
  beam: optional(asBeam),
};

const requestChecks = {
  count: integer(1),
  signals: any,
  conditions: optional(asConditions),
  beam: optional(asBeam),
  precision: optional(asPrecision),
  budget: optional((name, value) => resolveOptions(name, value as Budget, budgetChecks)),
  repeat: optional((name, value) => resolveOptions(name, value as Repeat, repeatChecks)),
  selector: optional(asText),
};
type Budget = NonNullable<ShotsRequest["budget"]>;
type Repeat = NonNullable<ShotsRequest["repeat"]>;
const budgetChecks = { shots: optional(integer(1)), seconds: optional(finite(0)) };
const repeatChecks = { goodPart: finite(0.001, 1), attempts: integer(1) };
const precisionChecks = {
  signalName: asText,
  pumpedBy: optional(asText),
  error: finite(Number.MIN_VALUE),
  leastShots: optional(integer(1)),
};
const conditionChecks = { signalName: asText, name: optional(asText), between: any, equals: optional(finite()) };

/** @throws BAD_ARGUMENT */
export function checkRequest(request: ShotsRequest): ShotsRequest {
  const { count, selector } = resolveOptions("shots", request, requestChecks);
  if (selector !== undefined && count !== 1)
    throw badArgument("count of shots", count, `1: the selector ${selector} lets one pulse through`);
  return request;
}

/** A number of good shots, or a request. @throws BAD_ARGUMENT */
export function checkShots(_name: string, shots: unknown): number | ShotsRequest {
  const request = typeof shots === "object" ? (shots as ShotsRequest) : { count: shots as number };
  checkRequest(request);
  return shots as number | ShotsRequest;
}

function asConditions(name: string, conditions: unknown): readonly ShotCondition[] {
  if (!Array.isArray(conditions)) throw badArgument(name, conditions, "a list of conditions");
  return conditions.map((each) => asCondition("condition", each));
}

function asCondition(name: string, condition: unknown): ShotCondition {
  const { signalName: signal, between, equals } = resolveOptions(name, condition as ShotCondition, conditionChecks);
  if ((between === undefined) === (equals === undefined))
    throw badArgument(`the condition on ${signal}`, { between, equals }, "one of between and equals");
  if (between !== undefined && !(between[0] <= between[1]))
    throw badArgument(`between of ${signal}`, between, "[low, high] with low ≤ high");
  return condition as ShotCondition;
}

/** A condition, or that there is none. @throws BAD_ARGUMENT */
export function asBeam(name: string, beam: unknown): ShotCondition | "off" {
  return beam === "off" ? beam : asCondition(name, beam);
}

function asPrecision(name: string, precision: unknown): Precision {
  resolveOptions(name, precision as Precision, precisionChecks);
  return precision as Precision;
}
