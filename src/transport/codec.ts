import { MAX_TIMEOUT_MS } from "../core/async.ts";
import { type ErrorCode, errorCatalogue, isSaclaError, SaclaError, show } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import { numberArrays } from "../core/ndarray.ts";

/**
 * The wire form, used by every carrier: one small JSON header and one raw frame per typed array. In the header an
 * array stands as `{"$frame": index, "dtype": "f4"}` and a number JSON cannot hold as `{"$number": "NaN"}`.
 * Array bytes are little-endian.
 */
export const WIRE_VERSION = 1;

/** What a client sends. */
export type RequestMessage =
  | {
      readonly kind: "call";
      readonly id: number;
      readonly method: string;
      /** The parameters by name. */
      readonly value: unknown;
      readonly timeoutMs?: number | undefined;
      readonly key?: string | undefined;
      /** Over ZeroMQ with keys, of a call that changes something: see docs/protocol.md. */
      readonly proof?: string | undefined;
    }
  | {
      readonly kind: "stream";
      readonly id: number;
      readonly method: string;
      readonly value: unknown;
      /** Items that may be sent before more credit comes. */
      readonly credit: number;
      readonly timeoutMs?: number | undefined;
    }
  | { readonly kind: "credit"; readonly id: number; readonly credit: number }
  | { readonly kind: "cancel" | "ping"; readonly id: number };

/** What a server sends. `id` is that of the request; null when it could not be read. */
export type AnswerMessage =
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "item"; readonly id: number; readonly seq: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number | null; readonly error: WireError }
  | { readonly kind: "end" | "pong"; readonly id: number };

/** What travels: see docs/protocol.md for each field. */
export type WireMessage = RequestMessage | AnswerMessage;

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: unknown;
}

type Dtype = keyof typeof numberArrays;
type WireArray = InstanceType<(typeof numberArrays)[Dtype]>;

const dtypeNames = new Map<unknown, Dtype>(Object.entries(numberArrays).map(([name, Type]) => [Type, name as Dtype]));

function dtypeOf(value: ArrayBufferView): Dtype {
  const name = dtypeNames.get(value.constructor);
  if (name !== undefined) return name;
  const allowed = Object.values(numberArrays).map((Type) => Type.name);
  throw new SaclaError("BAD_MESSAGE", `A ${value.constructor.name} cannot travel; allowed are ${allowed.join(", ")}.`);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A message as parts: the header, then one part per array. Parts after the first **share memory** with the value. */
export function encodeMessage(message: WireMessage): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const replace = (value: unknown): unknown => {
    if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
    if (typeof value === "bigint" || typeof value === "function" || typeof value === "symbol") {
      throw new SaclaError("BAD_MESSAGE", `A ${typeof value} cannot travel.`);
    }
    if (typeof value !== "object" || value === null) return value;
    if (ArrayBuffer.isView(value)) {
      frames.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      return { $frame: frames.length - 1, dtype: dtypeOf(value) };
    }
    if (Array.isArray(value)) return value.map(replace);
    // Plain loops here and below: this runs for every shot, and what it leaves behind is what the collector has to do.
    const plain: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      if (isReserved(key))
        throw new SaclaError(
          "BAD_MESSAGE",
          `The key ${key} cannot travel: it belongs to the wire form or to the language.`,
        );
      plain[key] = replace((value as Record<string, unknown>)[key]);
    }
    return plain;
  };
  const header = JSON.stringify({ sacla: WIRE_VERSION, ...(replace(message) as object) });
  return [encoder.encode(header), ...frames];
}

/**
 * The message in `parts`. With `copy`, arrays get memory of their own; without, they look into the parts where the
 * alignment allows it.
 * @throws BAD_MESSAGE for anything that {@link encodeMessage} cannot have written
 */
export function decodeMessage(parts: readonly Uint8Array[], options: { copy: boolean }): WireMessage {
  const [head, ...frames] = parts;
  if (head === undefined) throw new SaclaError("BAD_MESSAGE", "An empty message arrived.");
  let header: unknown;
  try {
    header = JSON.parse(decoder.decode(head));
  } catch (cause) {
    throw new SaclaError("BAD_MESSAGE", "A message header is not JSON.", { cause });
  }
  if (!isRecord(header) || header["sacla"] !== WIRE_VERSION) {
    const version = isRecord(header) ? JSON.stringify(header["sacla"]) : "none";
    throw new SaclaError(
      "BAD_MESSAGE",
      `A message has wire version ${version}, but this program speaks ${WIRE_VERSION}.`,
    );
  }
  const used = new Set<number>();
  let depth = 0;
  const revive = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    // A hostile header could else exhaust the stack.
    if (++depth > MAX_DEPTH) throw new SaclaError("BAD_MESSAGE", `A message is nested more than ${MAX_DEPTH} deep.`);
    const revived = reviveObject(value);
    depth--;
    return revived;
  };
  const reviveObject = (value: object): unknown => {
    // Revived in place: the header has just been parsed, and nobody else has it.
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = revive(value[i]);
      return value;
    }
    if ("$frame" in value) return arrayOf(value, frames, used, options.copy);
    if ("$number" in value) return numberOf(value);
    const record = value as Record<string, unknown>;
    for (const key of Object.keys(record)) {
      if (isReserved(key)) throw badField("a key", key, "neither __proto__ nor a name that begins with $");
      record[key] = revive(record[key]);
    }
    return record;
  };
  const message = checkMessage(revive(header));
  if (used.size !== frames.length)
    throw new SaclaError("BAD_MESSAGE", `A message has ${frames.length} frames, but its header uses ${used.size}.`);
  return message;
}

/**
 * Keys that carry no value of their own: those of the wire form, and the one by which a message could reach into the
 * program.
 */
function isReserved(key: string): boolean {
  return key.startsWith("$") || key === "__proto__";
}

function numberOf(ref: object): number {
  const { $number } = ref as { $number: unknown };
  if ($number === "NaN" || $number === "Infinity" || $number === "-Infinity") return Number($number);
  throw badField("$number", $number, "NaN, Infinity or -Infinity");
}

function arrayOf(ref: object, frames: readonly Uint8Array[], used: Set<number>, copy: boolean): WireArray {
  const { $frame, dtype } = ref as { $frame: unknown; dtype?: unknown };
  const bytes = typeof $frame === "number" ? frames[$frame] : undefined;
  const Type =
    typeof dtype === "string" && Object.hasOwn(numberArrays, dtype) ? numberArrays[dtype as Dtype] : undefined;
  if (bytes === undefined || Type === undefined || bytes.byteLength % Type.BYTES_PER_ELEMENT !== 0) {
    throw new SaclaError(
      "BAD_MESSAGE",
      `A message refers to frame ${String($frame)} of type ${String(dtype)}, which is not there or has another size.`,
    );
  }
  used.add($frame as number);
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0;
  const own = copy || !aligned ? new Uint8Array(bytes) : bytes;
  return new Type(own.buffer as ArrayBuffer, own.byteOffset, own.byteLength / Type.BYTES_PER_ELEMENT);
}

/** Far above what any method needs. */
const MAX_DEPTH = 64;
/** The longest `method` and `key`; both are echoed in messages and kept. */
export const MAX_NAME = 200;

function checkMessage(header: unknown): WireMessage {
  if (!isRecord(header)) throw new SaclaError("BAD_MESSAGE", "A message header is not an object.");
  const { kind } = header;
  const id = (): number => whole(header, "id", 0);
  switch (kind) {
    case "call":
      return {
        kind,
        id: id(),
        method: name(header, "method"),
        value: parameters(header),
        ...timeout(header),
        ...key(header),
        ...proof(header),
      };
    case "stream":
      return {
        kind,
        id: id(),
        method: name(header, "method"),
        value: parameters(header),
        credit: whole(header, "credit", 1),
        ...timeout(header),
      };
    case "credit":
      return { kind, id: id(), credit: whole(header, "credit", 1) };
    case "cancel":
    case "ping":
    case "pong":
    case "end":
      return { kind, id: id() };
    case "result":
      return { kind, id: id(), value: answer(header) };
    case "item":
      return { kind, id: id(), seq: whole(header, "seq", 0), value: answer(header) };
    case "error":
      return { kind, id: header["id"] === null ? null : id(), error: checkError(header["error"]) };
    default:
      throw badField("kind", kind, "one of call, stream, credit, cancel, ping, result, item, end, error, pong");
  }
}

function whole(header: Record<string, unknown>, field: string, min: number): number {
  const value = header[field];
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  throw badField(field, value, `a whole number of at least ${min}`);
}

function name(header: Record<string, unknown>, field: string): string {
  const value = header[field];
  if (typeof value === "string" && value !== "" && value.length <= MAX_NAME) return value;
  throw badField(field, value, `text of 1 to ${MAX_NAME} characters`);
}

function key(header: Record<string, unknown>): { key?: string } {
  return header["key"] === undefined ? {} : { key: name(header, "key") };
}

function proof(header: Record<string, unknown>): { proof?: string } {
  return header["proof"] === undefined ? {} : { proof: name(header, "proof") };
}

function timeout(header: Record<string, unknown>): { timeoutMs?: number } {
  const { timeoutMs } = header;
  if (timeoutMs === undefined) return {};
  if (typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS) return { timeoutMs };
  throw badField("timeoutMs", timeoutMs, `a number from 0 to ${MAX_TIMEOUT_MS}`);
}

function parameters(header: Record<string, unknown>): unknown {
  const { value } = header;
  if (isRecord(value) && !ArrayBuffer.isView(value)) return value;
  throw badField("value", value, "an object of parameters by name");
}

function answer(header: Record<string, unknown>): unknown {
  if ("value" in header) return header["value"];
  throw badField("value", undefined, "there");
}

function badField(field: string, value: unknown, allowed: string): SaclaError {
  return new SaclaError("BAD_MESSAGE", `${field} of a message is ${show(value)}, but must be ${allowed}.`, {
    details: { field, value: show(value) },
  });
}

function checkError(error: unknown): WireError {
  if (!isRecord(error)) throw badField("error", error, "an object with code, message and details");
  const { code, message, details = {} } = error;
  if (typeof code !== "string" || typeof message !== "string")
    throw badField("error", error, "an object with code, message and details");
  // A newer server may know codes this client does not.
  const known = Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : "INTERNAL";
  return { code: known, message, details };
}

/** The id of a message that could not be understood, to answer it; null when not even that can be read. */
export function messageId(parts: readonly Uint8Array[]): number | null {
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(parts[0]));
    return isRecord(header) ? whole(header, "id", 0) : null;
  } catch {
    return null;
  }
}

/** An error as it travels: code, message and details; never a stack or a cause, which belong to the other machine. */
export function toWireError(error: unknown): WireError {
  if (isSaclaError(error)) return { code: error.code, message: error.message, details: error.details };
  return { code: "INTERNAL", message: error instanceof Error ? error.message : String(error), details: {} };
}

/** The error a travelled one stands for. */
export function fromWireError(error: WireError): SaclaError {
  return new SaclaError(error.code, error.message, { details: isRecord(error.details) ? error.details : {} });
}
