import { createHash, type Hash } from "node:crypto";
import { isRecord } from "../../core/guards.ts";
import { isNdArray, rowMajor } from "../../core/ndarray.ts";

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
  } else if (isNdArray(value)) {
    hash.update(`ndarray ${value.shape.join(",")};`);
    const numbers = rowMajor(value);
    add(hash, numbers instanceof Float64Array ? numbers : Float64Array.from(numbers));
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
