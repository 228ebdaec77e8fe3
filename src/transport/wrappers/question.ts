import { createHash } from "node:crypto";
import { SaclaError, show } from "../../core/errors.ts";
import { checkAgainst, checkCallMethod, checkStreamMethod } from "../check.ts";
import { encodeMessage } from "../codec.ts";
import { callMethods, streamMethods } from "../methods.ts";

/** Parameters of a call that follow its schema. @throws UNKNOWN_METHOD, BAD_ARGUMENT */
export function checkCall<P>(method: string, params: P): P {
  return checkAgainst(callMethods[checkCallMethod(method)].params, params, "BAD_ARGUMENT", method) as P;
}

/** Parameters of a stream that follow its schema. @throws UNKNOWN_METHOD, BAD_ARGUMENT */
export function checkStream<P>(method: string, params: P): P {
  return checkAgainst(streamMethods[checkStreamMethod(method)].params, params, "BAD_ARGUMENT", method) as P;
}

/** A short name that two questions share only when they are the same, in whatever order their parameters stand. */
export function questionKey(...question: unknown[]): string {
  const hash = createHash("sha256");
  for (const part of encodeMessage({ kind: "result", id: 0, value: sorted(question) })) hash.update(`${part.byteLength}:`).update(part);
  return hash.digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const entries = Object.entries(value).map(([key, entry]): [string, unknown] => [key, sorted(entry)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Parameters for a message: `{"bl":3,"tags":"6 from 1000 to 1010"}`. */
export function showParams(params: unknown): string {
  const text = JSON.stringify(params, (_, value: unknown) =>
    value instanceof Uint32Array ? (value.length === 0 ? "none" : `${value.length} from ${value[0]} to ${value.at(-1)}`) : value,
  );
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** What the operating system says of a file, as the coded error that says it. */
export function fileError(code: "WRITE_FAILED" | "FILE_NOT_FOUND", what: string, path: string, cause: unknown): SaclaError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SaclaError(code, `${what} ${show(path)}: ${why}`, { details: { path }, cause });
}
