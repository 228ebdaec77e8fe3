import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { bytesOf } from "../../core/bytes.ts";
import { SaclaError } from "../../core/errors.ts";

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

type StateArray = Float64Array | Uint32Array;
const types = { f8: Float64Array, i4: Int32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array } as const;
type TypeName = keyof typeof types;

/** How an array is stored: as numbers of which type, byte plane by byte plane, deflated. */
export interface PackedArray {
  /** Type of the array. */
  readonly type: "f8" | "u4";
  readonly length: number;
  /** Type in the file: whole numbers that fit take fewer bytes. "fill": every value is the first one. */
  readonly as: TypeName | "fill";
  /** The bytes as they are: they would hardly become fewer, and take long to unpack. */
  readonly raw?: true;
  /** Compressed bytes. */
  readonly bytes: number;
}

/** Level 1: the planes of sums compress nearly as well as at level 6, in a fifth of the time. */
const LEVEL = 1;

/** Bytes that zlib gives at once. */
const MOST_AT_ONCE = 2 ** 26;

export interface PackOptions {
  /** For a file that many processes read: fractions are stored as they are, which takes more bytes and less time. */
  readonly isRaw?: boolean;
}

/** An array in few bytes, and every bit of it: untouched pixels and small counts take next to nothing. */
export async function packArray(
  array: StateArray,
  { isRaw = false }: PackOptions = {},
): Promise<{ readonly head: PackedArray; readonly body: Uint8Array }> {
  const type = array instanceof Uint32Array ? "u4" : "f8";
  const as = narrowest(array, type);
  if (as === "fill") {
    const body = array.length === 0 ? new Uint8Array() : bytesOf(array.slice(0, 1));
    return { head: { type, length: array.length, as, bytes: body.length }, body };
  }
  if (as === "f8" && (isRaw || (await isDense(array)))) {
    const body = bytesOf(array);
    return { head: { type, length: array.length, as, raw: true, bytes: body.length }, body };
  }
  const numbers = bytesOf(as === type ? array : types[as].from(array));
  const body = await deflate(planes(numbers, types[as].BYTES_PER_ELEMENT), {
    level: LEVEL,
    chunkSize: chunkSize(numbers.length / 2),
  });
  return { head: { type, length: array.length, as, bytes: body.length }, body };
}

/** For zlib, whose default is 16 KiB: a turn of the loop for each takes longer than the work, eight times as long. */
function chunkSize(bytes: number): number {
  return Math.ceil(Math.min(Math.max(bytes, 64), MOST_AT_ONCE));
}

/**
 * @param body - of a raw array its memory is taken, where it has nothing else
 * @throws FILE_DAMAGED when the bytes are not those of the array
 */
export async function unpackArray({ type, length, as, raw }: PackedArray, body: Uint8Array): Promise<StateArray> {
  const Type = type === "u4" ? Uint32Array : Float64Array;
  if (as === "fill") {
    const first = body.length < Type.BYTES_PER_ELEMENT ? 0 : (new Type(Uint8Array.from(body).buffer)[0] ?? 0);
    return new Type(length).fill(first);
  }
  const Stored = types[as];
  const wanted = length * (Stored?.BYTES_PER_ELEMENT ?? NaN);
  const isPacked = Stored !== undefined && raw !== true;
  const bytes = isPacked ? await inflate(body, { chunkSize: chunkSize(wanted + 1) }) : body;
  if (Stored === undefined || bytes.length !== wanted)
    throw new SaclaError("FILE_DAMAGED", `An array of the checkpoint is not the ${length} numbers it says.`);
  const isOwn = raw === true && body.buffer.byteLength === body.length;
  const own = isOwn ? body : raw === true ? Uint8Array.from(body) : unplanes(bytes, Stored.BYTES_PER_ELEMENT);
  const stored = new Stored(own.buffer as ArrayBuffer);
  return stored instanceof Type ? stored : Type.from(stored);
}

/** Numbers in the middle of an array that are tried, and how much of them must be left for it to be kept as it is. */
const SAMPLE = 8192;
const DENSE = 0.7;

async function isDense(array: StateArray): Promise<boolean> {
  if (array.length < 4 * SAMPLE) return false;
  const from = (array.length - SAMPLE) >> 1;
  const sample = planes(bytesOf(array.slice(from, from + SAMPLE)), 8);
  return (await deflate(sample, { level: LEVEL })).length > DENSE * sample.length;
}

function narrowest(array: StateArray, type: "f8" | "u4"): PackedArray["as"] {
  const first = array[0] ?? 0;
  let same = 0;
  while (same < array.length && Object.is(array[same], first)) same++;
  if (same === array.length && !Number.isNaN(first)) return "fill";
  let [least, greatest] = [Infinity, -Infinity];
  for (let i = same - 1; i < array.length; i++) {
    const x = array[i] ?? 0;
    // Neither −0, NaN, a fraction nor what does not fit is the same after the way through 32 bits.
    if (((x | 0) !== x && x >>> 0 !== x) || Object.is(x, -0)) return type;
    if (x < least) least = x;
    if (x > greatest) greatest = x;
  }
  if (least < 0 && greatest > 0x7fff_ffff) return type;
  if (least < 0) return "i4";
  return greatest <= 0xff ? "u1" : greatest <= 0xffff ? "u2" : "u4";
}

/** All first bytes of the numbers, then all second ones: like bytes side by side. */
function planes(bytes: Uint8Array, size: number): Uint8Array {
  if (size === 1) return bytes;
  const n = bytes.length / size;
  const out = new Uint8Array(bytes.length);
  for (let k = 0; k < size; k++) for (let i = 0; i < n; i++) out[k * n + i] = bytes[i * size + k] ?? 0;
  return out;
}

function unplanes(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const n = bytes.length / size;
  const out = new Uint8Array(bytes.length);
  for (let k = 0; k < size; k++) for (let i = 0; i < n; i++) out[i * size + k] = bytes[k * n + i] ?? 0;
  return out;
}
