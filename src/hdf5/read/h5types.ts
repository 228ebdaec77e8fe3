import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { numberArrays, type Pixels } from "../../core/ndarray.ts";
import { FLOAT, INTEGER, imageAxis } from "../direct/dataset.ts";
import { fromFloat16 } from "../direct/float16.ts";
import type { H5 } from "./library.ts";

export type H5Metadata = ReturnType<H5["get_dataset_metadata"]>;

export const arrays = { ...numberArrays, i8: BigInt64Array, u8: BigUint64Array } as const;
/** float16 has no array of its own. */
export type NumberType = keyof typeof arrays | "f2";
export type NumberArray = InstanceType<(typeof arrays)[keyof typeof arrays]>;

/** Numbers of a type in memory; float16 numbers are given as float32. */
export function numbersAt(type: NumberType, memory: ArrayBuffer, at: number, length: number): NumberArray {
  if (type !== "f2") return new arrays[type](memory, at, length);
  const out = new Float32Array(length);
  fromFloat16(new Uint16Array(memory, at, length), out);
  return out;
}

/** Further classes of H5T_class_t. */
export const STRING = 3;
const ENUM = 8;

/** The type of whole numbers and IEEE floats; undefined for all else. */
export function numberType({ type, size, signed, enum_type }: H5Metadata): NumberType | undefined {
  // h5py writes booleans as an enumeration of bytes.
  const base = type === ENUM ? enum_type?.type : type;
  if (base === FLOAT) return size === 2 || size === 4 || size === 8 ? `f${size}` : undefined;
  if (base !== INTEGER || (size !== 1 && size !== 2 && size !== 4 && size !== 8)) return undefined;
  return `${signed ? "i" : "u"}${size}`;
}

/** Whether it is a list, or one value: MATLAB writes lists as matrices of one row or one column. */
export function isLine({ shape }: H5Metadata): boolean {
  return shape !== null && shape.filter((length) => length !== 1).length < 2;
}

/** What is neither number nor text, by its H5T_class_t. */
const otherTypes: Readonly<Record<number, string>> = {
  [INTEGER]: "whole numbers of an unusual size",
  2: "times",
  4: "bit fields",
  5: "opaque bytes",
  6: "compound (or complex numbers)",
  7: "references",
  [ENUM]: "an enumeration",
  9: "lists of variable length",
  10: "arrays",
};

/** Type and shape in words. */
export function typeAndShape(meta: H5Metadata): string {
  const type =
    meta.type === STRING
      ? "text"
      : (numberType(meta) ?? (meta.type === FLOAT ? `f${meta.size}` : (otherTypes[meta.type] ?? "of an unknown type")));
  if (meta.shape === null) return "empty";
  return meta.shape.length === 0 ? `one ${type}` : `${type} of shape [${meta.shape.join(", ")}]`;
}

/**
 * A text up to its NUL, without the spaces that fixed-length texts end with. What is no UTF-8 is read as Japanese in
 * the encoding that fits, else as Latin-1.
 */
export function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
  const usual = text.toString("utf8");
  return (usual.includes("\ufffd") ? (decodedJapanese(text) ?? text.toString("latin1")) : usual).trim();
}

function decodedJapanese(bytes: Uint8Array): string | undefined {
  // Nearly every text of another encoding is one of half-width letters in Shift JIS, which nobody writes.
  return ["shift_jis", "euc-jp"].map((encoding) => decoded(bytes, encoding)).find(isJapanese);
}

function isJapanese(text: string): boolean {
  return /[\u3040-\u30ff\u4e00-\u9fff]/.test(text) && !/[\uff61-\uff9f]/.test(text);
}

function decoded(bytes: Uint8Array, encoding: string): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    // Of another encoding, or of one that this Node.js was built without.
    return "";
  }
}

/** What of a shape is in the way of an image, in words after that shape; "" where it has two axes. */
export function surplusAxes(shape: readonly number[]): string {
  const most = 4;
  const last = shape.at(-1) ?? 0;
  if (shape.length < 3 || imageAxis(shape) !== undefined) return "";
  return last <= most
    ? `: ${last} channels a pixel; write one of them, or their sum`
    : ": several images in one; write each by itself";
}

/** The largest thing read at once: no image or column is near it, but a damaged header can ask for anything. */
export const MAX_BYTES = 2 ** 30;

export function doubles(values: NumberArray): Float64Array {
  return values instanceof BigInt64Array || values instanceof BigUint64Array
    ? Float64Array.from(values, Number)
    : new Float64Array(values);
}

/** A part of a dataset as the library takes it, all of it where no part is named: lengths, first places, steps. */
export function slabOf(offset?: readonly number[], count?: readonly number[]): [Sizes, Sizes, Sizes] {
  const sizes = (list?: readonly number[]): Sizes => list?.map(BigInt) ?? null;
  return [sizes(count), sizes(offset), sizes(count?.map(() => 1))];
}

type Sizes = bigint[] | null;

/** Fills `out` with numbers of any type. */
export function setPixels(out: Pixels, numbers: NumberArray): void {
  if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array)
    out.set(Float32Array.from(numbers, Number));
  else out.set(numbers);
}

/** The error of an image that is not as those of its detector. */
export function otherImage(
  file: string,
  path: string,
  meta: H5Metadata | undefined,
  wanted: string,
  expected: readonly number[],
): SaclaError {
  const found = meta === undefined ? "is not there" : `is ${typeAndShape(meta)}`;
  return new SaclaError(
    "FILE_DAMAGED",
    `${path} of ${show(file)} ${found}, but the detector's images ${wanted}${surplusAxes(meta?.shape ?? [])}.`,
    {
      details: { file, path, shape: meta?.shape ?? [], expected },
    },
  );
}

/** What `read` returns; undefined when something else is in its place. */
export function unlessOdd<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSaclaError(error, "NOT_DATACONVERT", "FILE_DAMAGED", "UNSUPPORTED")) return undefined;
    throw error;
  }
}
