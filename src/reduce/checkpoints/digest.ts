import { createHash, type Hash } from "node:crypto";
import { isRecord } from "../../core/guards.ts";

/**
 * `sha256:…` of a value of plain objects, lists, numbers, texts, typed arrays and ndarrays. The order of keys does not
 * matter, and a key without a value counts as absent; −0 is not 0, and NaN is itself.
 */
export function digestOf(value: unknown): string {
  const hash = createHash("sha256");
  add(hash, value);
  return `sha256:${hash.digest("hex")}`;
}

function add(hash: Hash, value: unknown): void {
  if (ArrayBuffer.isView(value)) {
    hash.update(`${value.constructor.name} ${value.byteLength};`);
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (Array.isArray(value)) {
    hash.update(`[${value.length};`);
    for (const entry of value) add(hash, entry);
  } else if (isArrayOfAxes(value)) {
    hash.update(`ndarray ${value.shape.join(",")};`);
    add(hash, rowMajor(value));
  } else if (isRecord(value)) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    hash.update(`{${entries.length};`);
    for (const [key, entry] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`${JSON.stringify(key)}:`);
      add(hash, entry);
    }
  } else if (Object.is(value, -0)) hash.update("-0;");
  else hash.update(`${typeof value} ${String(value).length} ${String(value)};`);
}

/** As much of an ndarray as is needed to read it. */
interface ArrayOfAxes {
  readonly shape: readonly number[];
  readonly stride?: readonly number[];
  readonly offset?: number;
  readonly data?: unknown;
  get(...index: number[]): unknown;
}

function isArrayOfAxes(value: unknown): value is ArrayOfAxes {
  return isRecord(value) && Array.isArray(value["shape"]) && typeof value["get"] === "function";
}

/** The memory of an ndarray of doubles that lie row after row; undefined for any other. */
function asStored({ shape, data, stride = [], offset = NaN }: ArrayOfAxes): Float64Array | undefined {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, length) => n * length, 1));
  if (!(data instanceof Float64Array) || !steps.every((step, axis) => step === stride[axis])) return undefined;
  return data.subarray(offset, offset + shape.reduce((n, length) => n * length, 1));
}

function rowMajor(array: ArrayOfAxes): Float64Array {
  const known = asStored(array);
  if (known !== undefined) return known;
  const index = array.shape.map(() => 0);
  const out = new Float64Array(array.shape.reduce((n, length) => n * length, 1));
  for (let i = 0; i < out.length; i++) {
    out[i] = Number(array.get(...index));
    for (let axis = index.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (array.shape[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
  return out;
}
