import { type ErrorCode, errorCatalogue, isSaclaError, SaclaError } from "../core/errors.ts";

/**
 * The wire form, used by every carrier: one small JSON header and one raw frame per typed array. In the header an
 * array stands as `{"$frame": index, "dtype": "f4"}` and a number JSON cannot hold as `{"$number": "NaN"}`.
 * Array bytes are little-endian.
 */
export const WIRE_VERSION = 1;

/** What travels. `value` is the params of a request, the result of an answer, or an item of a stream. */
export type Message =
  | { readonly kind: "call" | "stream"; readonly method: string; readonly value: unknown }
  | { readonly kind: "result" | "item"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: WireError }
  | { readonly kind: "end" };

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: unknown;
}

const dtypes = {
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  f4: Float32Array,
  f8: Float64Array,
} as const;
type Dtype = keyof typeof dtypes;
type WireArray = InstanceType<(typeof dtypes)[Dtype]>;

function dtypeOf(value: ArrayBufferView): Dtype {
  for (const [name, Type] of Object.entries(dtypes)) {
    if (value.constructor === Type) return name as Dtype;
  }
  throw new SaclaError(
    "BAD_MESSAGE",
    `A ${value.constructor.name} cannot travel; allowed are ${Object.values(dtypes)
      .map((T) => T.name)
      .join(", ")}.`,
  );
}

/** A message as parts: the header, then one part per array. Parts after the first **share memory** with the value. */
export function encodeMessage(message: Message): Uint8Array[] {
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
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => {
        if (key.startsWith("$")) throw new SaclaError("BAD_MESSAGE", `The key ${key} cannot travel: names that begin with $ belong to the wire form.`);
        return [key, replace(entry)];
      }),
    );
  };
  const header = JSON.stringify({ sacla: WIRE_VERSION, ...(replace(message) as object) });
  return [new TextEncoder().encode(header), ...frames];
}

/**
 * The message in `parts`. With `copy`, arrays get memory of their own; without, they look into the parts where the
 * alignment allows it.
 * @throws BAD_MESSAGE for anything that {@link encodeMessage} cannot have written
 */
export function decodeMessage(parts: readonly Uint8Array[], options: { copy: boolean }): Message {
  const [head, ...frames] = parts;
  if (head === undefined) throw new SaclaError("BAD_MESSAGE", "An empty message arrived.");
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(head));
  } catch (cause) {
    throw new SaclaError("BAD_MESSAGE", "A message header is not JSON.", { cause });
  }
  if (!isRecord(header) || header["sacla"] !== WIRE_VERSION) {
    const version = isRecord(header) ? JSON.stringify(header["sacla"]) : "none";
    throw new SaclaError("BAD_MESSAGE", `A message has wire version ${version}, but this program speaks ${WIRE_VERSION}.`);
  }
  const used = new Set<number>();
  const revive = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(revive);
    if ("$frame" in value) return arrayOf(value, frames, used, options.copy);
    if ("$number" in value) return Number(value.$number);
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, revive(entry)]));
  };
  const message = checkMessage(revive(header));
  if (used.size !== frames.length) throw new SaclaError("BAD_MESSAGE", `A message has ${frames.length} frames, but its header uses ${used.size}.`);
  return message;
}

function arrayOf(ref: object, frames: readonly Uint8Array[], used: Set<number>, copy: boolean): WireArray {
  const { $frame, dtype } = ref as { $frame: unknown; dtype?: unknown };
  const bytes = typeof $frame === "number" ? frames[$frame] : undefined;
  const Type = typeof dtype === "string" && dtype in dtypes ? dtypes[dtype as Dtype] : undefined;
  if (bytes === undefined || Type === undefined || bytes.byteLength % Type.BYTES_PER_ELEMENT !== 0) {
    throw new SaclaError("BAD_MESSAGE", `A message refers to frame ${String($frame)} of type ${String(dtype)}, which is not there or has another size.`);
  }
  used.add($frame as number);
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0;
  const own = copy || !aligned ? new Uint8Array(bytes) : bytes;
  return new Type(own.buffer as ArrayBuffer, own.byteOffset, own.byteLength / Type.BYTES_PER_ELEMENT);
}

function checkMessage(value: unknown): Message {
  if (isRecord(value)) {
    const { kind, method } = value;
    if ((kind === "call" || kind === "stream") && typeof method === "string") return { kind, method, value: value["value"] };
    if (kind === "result" || kind === "item") return { kind, value: value["value"] };
    if (kind === "end") return { kind };
    if (kind === "error" && isRecord(value["error"])) return { kind, error: checkError(value["error"]) };
  }
  throw new SaclaError("BAD_MESSAGE", "A message is neither a request nor an answer.");
}

function checkError(error: Record<string, unknown>): WireError {
  const { code, message, details } = error;
  // A newer server may know codes this client does not.
  const known = typeof code === "string" && Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : "INTERNAL";
  return { code: known, message: typeof message === "string" ? message : String(code), details };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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
