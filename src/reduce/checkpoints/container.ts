import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { fileError, SaclaError, show } from "../../core/errors.ts";
import { isRecord } from "../../core/guards.ts";
import { replaceFile } from "../../files/index.ts";
import { type PackedArray, type PackOptions, packArray, unpackArray } from "./packing.ts";

/**
 * The bytes of a checkpoint file: `SACLACP1`, the length of the head (uint32, little-endian), the head (JSON), the
 * compressed arrays one after another, and the SHA-256 of all that. The number in the mark is the version of the form.
 */
const MARK = "SACLACP";
const VERSION = 1;
const START = 12;
const DIGEST = 32;
const CHANGED = "it is cut off, or was changed after it was written";
/** A longer head is that of a damaged file. */
const LONGEST_HEAD = 1 << 30;

interface WholeHead {
  readonly head: unknown;
  /** Plain values, with {@link ARRAY} in place of each array. */
  readonly content: unknown;
  readonly arrays: readonly PackedArray[];
}

/** Key by which the content says which array belongs there. */
const ARRAY = "$array";

/**
 * Writes a file whole or not at all.
 * @param head - read alone by {@link readHead}, without the arrays
 * @param content - plain values, and Float64Array or Uint32Array
 * @param options - how the arrays are packed
 * @throws WRITE_FAILED
 */
export async function writeContainer(
  path: string,
  head: object,
  content: unknown,
  options: PackOptions = {},
): Promise<void> {
  const arrays: (Float64Array | Uint32Array)[] = [];
  const plain = withoutArrays(content, arrays);
  // One after another: packing takes memory for each.
  const packed = [];
  for (const array of arrays) packed.push(await packArray(array, options));
  const whole: WholeHead = { head, content: plain, arrays: packed.map((each) => each.head) };
  const text = Buffer.from(JSON.stringify(whole));
  const start = Buffer.alloc(START);
  start.write(`${MARK}${VERSION}`, "latin1");
  start.writeUInt32LE(text.length, 8);
  const parts = [start, text, ...packed.map(({ body }) => body)];
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part);
  replaceFile(path, Buffer.concat([...parts, digest.digest()]));
}

/** Whether a file is whole, without unpacking it. @throws as {@link readContainer} */
export function verifyContainer(path: string): void {
  wholeFile(path);
}

/** The head alone; whether the file is whole is not looked at. @throws as {@link readContainer} */
export function readHead(path: string): unknown {
  const file = opened(path);
  try {
    const start = Buffer.alloc(START);
    readSync(file, start, 0, START, 0);
    const length = headLength(path, start, fstatSync(file).size);
    const text = Buffer.alloc(length);
    readSync(file, text, 0, length, START);
    return parseHead(path, text).head;
  } finally {
    closeSync(file);
  }
}

/**
 * Head and content of a file that {@link writeContainer} has written.
 * @throws FILE_NOT_FOUND @throws FILE_DAMAGED when it is not a whole one @throws UNSUPPORTED for another version
 */
export async function readContainer(path: string): Promise<{ readonly head: unknown; readonly content: unknown }> {
  const { head, content, packed } = wholeFile(path);
  const unpacked: (Float64Array | Uint32Array)[] = [];
  for (const { array, body } of packed) unpacked.push(await unpackArray(array, body));
  return { head, content: withArrays(content, unpacked) };
}

/** A file whose digest is right. Each array has memory of its own, so that one that is as it was needs no copy. */
function wholeFile(path: string): Omit<WholeHead, "arrays"> & { packed: { array: PackedArray; body: Uint8Array }[] } {
  const file = opened(path);
  try {
    const { size } = fstatSync(file);
    const digest = createHash("sha256");
    const next = (length: number): Buffer => {
      const bytes = Buffer.allocUnsafeSlow(length);
      for (let at = 0; at < length; ) {
        const read = readSync(file, bytes, at, length - at, null);
        if (read === 0) throw damaged(path, CHANGED);
        at += read;
      }
      return bytes;
    };
    const start = next(Math.min(START, size));
    const text = next(headLength(path, start, size));
    const { head, content, arrays } = parseHead(path, text, CHANGED);
    let left = size - START - text.length - DIGEST;
    for (const part of [start, text]) digest.update(part);
    const packed = arrays.map((array) => {
      if (!(array.bytes >= 0 && array.bytes <= left)) throw damaged(path, CHANGED);
      left -= array.bytes;
      const body = next(array.bytes);
      digest.update(body);
      return { array, body };
    });
    if (left !== 0 || !digest.digest().equals(next(DIGEST))) throw damaged(path, CHANGED);
    return { head, content, packed };
  } finally {
    closeSync(file);
  }
}

function opened(path: string): number {
  try {
    // A folder can be opened, too.
    if (statSync(path).isDirectory()) throw new Error("it is a folder");
    return openSync(path, "r");
  } catch (cause) {
    throw fileError("FILE_NOT_FOUND", "The checkpoint", path, cause);
  }
}

function headLength(path: string, start: Buffer, size: number): number {
  if (size < START || start.toString("latin1", 0, MARK.length) !== MARK)
    throw damaged(path, "it is empty or no checkpoint");
  const version = start.toString("latin1", MARK.length, 8);
  if (version !== String(VERSION))
    throw new SaclaError(
      "UNSUPPORTED",
      `The checkpoint ${show(path)} has version ${show(version)}; this sacla reads version ${VERSION}. ` +
        "Merge it with the version that wrote it, or reduce its shots again.",
      { details: { path } },
    );
  const length = start.readUInt32LE(8);
  if (length > LONGEST_HEAD || START + length + DIGEST > size) throw damaged(path, "it is cut off");
  return length;
}

function parseHead(path: string, text: Buffer, otherwise = "its head cannot be read"): WholeHead {
  try {
    const whole: unknown = JSON.parse(text.toString("utf8"));
    if (isRecord(whole) && Array.isArray(whole["arrays"]) && whole["arrays"].every(isRecord))
      return whole as unknown as WholeHead;
  } catch {
    // Said below.
  }
  throw damaged(path, otherwise);
}

function damaged(path: string, why: string): SaclaError {
  return new SaclaError("FILE_DAMAGED", `The checkpoint ${show(path)} cannot be used: ${why}.`, { details: { path } });
}

function withoutArrays(value: unknown, arrays: (Float64Array | Uint32Array)[]): unknown {
  if (value instanceof Float64Array || value instanceof Uint32Array) return { [ARRAY]: arrays.push(value) - 1 };
  if (Array.isArray(value)) return value.map((entry) => withoutArrays(entry, arrays));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withoutArrays(entry, arrays)]));
}

function withArrays(value: unknown, arrays: readonly (Float64Array | Uint32Array)[]): unknown {
  if (Array.isArray(value)) return value.map((entry) => withArrays(entry, arrays));
  if (!isRecord(value)) return value;
  const index = value[ARRAY];
  if (typeof index === "number") return arrays[index];
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withArrays(entry, arrays)]));
}
