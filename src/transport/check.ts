import * as v from "valibot";
import { type ErrorCode, SaclaError, show, showList } from "../core/errors.ts";
import { type CallMethod, callMethods, type StreamMethod, streamMethods } from "./methods.ts";

/** @throws UNKNOWN_METHOD when the table has no such call */
export function checkCallMethod(method: string): CallMethod {
  if (Object.hasOwn(callMethods, method)) return method as CallMethod;
  throw unknownMethod(method, Object.keys(callMethods));
}

/** @throws UNKNOWN_METHOD when the table has no such stream */
export function checkStreamMethod(method: string): StreamMethod {
  if (Object.hasOwn(streamMethods, method)) return method as StreamMethod;
  throw unknownMethod(method, Object.keys(streamMethods));
}

function unknownMethod(method: string, known: string[]): SaclaError {
  return new SaclaError("UNKNOWN_METHOD", `There is no method ${show(method)}; there are ${showList(known, 100)}.`);
}

/** `value` if it follows the schema. @throws `code`, naming the first part that does not */
export function checkAgainst<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  code: ErrorCode,
  where: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  const what = path === null ? where : `${path} of ${where}`;
  // Errors are logged and shown to others.
  const shown = path === "lease" && typeof issue.input === "string" ? "(hidden)" : show(issue.input);
  throw new SaclaError(code, `${what} is ${shown}, but must be ${allowedBy(issue)}.`, {
    details: { where, path, value: shown },
  });
}

function allowedBy(issue: v.BaseIssue<unknown>): string {
  // What a schema says in its own words; Valibot's begin so.
  if (!issue.message.startsWith("Invalid ")) return issue.message;
  const expected = issue.expected ?? "something else";
  if (issue.input === undefined && issue.type === "strict_object") return "given";
  if (expected === "never") return "left out: there is no such parameter";
  if (issue.type === "integer") return "a whole number";
  return expected.replace(">=", "at least ").replace("<=", "at most ");
}

/** Parameters of a call that follow its schema. @throws UNKNOWN_METHOD, BAD_ARGUMENT */
export function checkCall<P>(method: string, params: P): P {
  return checkAgainst(callMethods[checkCallMethod(method)].params, params, "BAD_ARGUMENT", method) as P;
}

/** Parameters of a stream that follow its schema. @throws UNKNOWN_METHOD, BAD_ARGUMENT */
export function checkStream<P>(method: string, params: P): P {
  return checkAgainst(streamMethods[checkStreamMethod(method)].params, params, "BAD_ARGUMENT", method) as P;
}
