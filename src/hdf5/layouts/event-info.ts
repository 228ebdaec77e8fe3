import { STATUS_MISSING, STATUS_NOT_CONVERGED, STATUS_OK, STATUS_SATURATED } from "../../core/syncdb.ts";
import type { StoredSignal } from "../write/plan.ts";
import type { H5Writer } from "../write/writer.ts";

const MAX_INT32 = 0x7fff_ffff;

/**
 * Writes one signal: int32 if every value is a whole number, else doubles with NaN for `not-converged` and infinity for
 * `saturated`. The DataConvert layout has no value for `missing`: it is NaN too, and a list of status codes (0 ok,
 * 1 not-converged, 2 saturated, 3 missing) at `statusPath` distinguishes the two.
 */
export function writeSignal(
  writer: H5Writer,
  path: string,
  statusPath: string,
  { id, unit }: StoredSignal,
  values: Float64Array,
  status: Uint8Array,
): void {
  const isWhole =
    (unit === "" || unit === "pulse") &&
    values.every((v, i) => status[i] === STATUS_OK && Number.isInteger(v) && Math.abs(v) <= MAX_INT32);
  const shown = isWhole ? Int32Array.from(values) : values.map((v, i) => numberFor(v, status[i] ?? STATUS_MISSING));
  writer.numbers(path, shown);
  writer.attribute(path, "equipment_id", id);
  writer.attribute(path, "unit", unit);
  if (status.includes(STATUS_MISSING)) writer.numbers(statusPath, status);
}

function numberFor(value: number, status: number): number {
  if (status === STATUS_OK) return value;
  if (status === STATUS_NOT_CONVERGED) return NaN;
  return status === STATUS_SATURATED ? Infinity : NaN;
}

/** Tags as DataConvert stores them, signed; those above 2^31 unsigned, or they would come out negative. */
export function tagNumbers(tags: Uint32Array): Int32Array | Uint32Array {
  return tags.every((tag) => tag <= MAX_INT32) ? Int32Array.from(tags) : tags;
}
