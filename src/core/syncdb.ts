import { SaclaError } from "./errors.ts";

/** Why a shot has no number for a signal. `missing`: nothing was recorded. */
export type MissingReason = "not-converged" | "saturated" | "missing";

/** Status codes of a {@link Column}, by index: 0 means the value is good. */
export const syncStatus = ["ok", "not-converged", "saturated", "missing"] as const;
export type SyncStatus = (typeof syncStatus)[number];
export const STATUS_OK = 0;
export const STATUS_NOT_CONVERGED = 1;
export const STATUS_SATURATED = 2;
export const STATUS_MISSING = 3;
/** Only of live shots: the value had not come within the wait. It is no index into {@link syncStatus}. */
export const STATUS_LATE = 4;

/** One SyncDB value as it is recorded: a number with its unit, or the reason why there is none. */
export type RecordedValue = { value: number; unit: string } | { reason: MissingReason };

/** The same of a shot; `late` only of live shots: the value had not come within the wait. */
export type SyncValue = RecordedValue | { reason: "late" };

/** One signal over many shots. `values[i]` is NaN wherever `status[i]` is not 0. */
export interface Column {
  readonly equipId: string;
  /** "" for flags and unitless values. */
  readonly unit: string;
  readonly values: Float64Array;
  /** Index into {@link syncStatus}. */
  readonly status: Uint8Array;
}

const numberWithMore = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(.*)$/su;
/** What stands between the factors of a unit: `mm/s`, `N·m`, `1/(s cm)`. */
const betweenUnits = /[\s/·⋅*()[\]]+/u;
/** A unit has letters or one of a few signs, and at most a power: `m2`, `s^-1`, `e-`; the 2 of `1/2` is none. */
const oneUnit = /^[\p{L}%‰°℃℉"'_.-]*[\p{L}%‰°℃℉"'_.](?:\^?[-−+]?\d{1,2}|[⁻⁺]?[¹²³]|[-+])?$/u;
/** The power of ten of a number that was cut off, or written as FORTRAN does: `1e`, `1e5e5`, `1d5`, `1 e5`. */
const cutExponent = /^(?:e[+-]?\d*|\s*[ed][+-]?\d+)$/i;
/** A number of another base begins so, as `0x10`; `0bar` and `0oC` do not: they are 0 with a unit. */
const otherBase = /^\s*[+-]?0(?:x[\da-f]|o[0-7]|b[01])/i;

/**
 * Reads the text form of a SyncDB value: `7.22600e-02V`, `1234pulse`, `0`, `not-converged`, `saturated`.
 * Text without a leading number is `missing`, as scripts at the facility treat it, and so is a number that goes on in
 * another way than with a unit, such as one with a decimal comma. One above the range of doubles is `saturated`.
 */
export function parseSyncValue(text: string): RecordedValue {
  if (text === "not-converged" || text === "saturated") return { reason: text };
  const [, number, more = ""] = (otherBase.test(text) ? null : numberWithMore.exec(text.trim())) ?? [];
  const unit = more.trimStart();
  if (number === undefined || cutExponent.test(more) || !isUnit(unit)) return { reason: "missing" };
  const value = Number(number);
  return Number.isFinite(value) ? { value, unit } : { reason: "saturated" };
}

/** Whether a text can be a unit, or is empty: `5,03nC`, `1.000,5`, `5±1nC`, `10:30`, `1/2` and `3(4)` are no values. */
function isUnit(text: string): boolean {
  return (
    text === "" || (/^[^.-]/.test(text) && text.split(betweenUnits).every((one) => one === "" || oneUnit.test(one)))
  );
}

/** The text form of entry `i` of a column, unit glued to the number. Pulses and flags are whole numbers. */
export function formatSyncValue(column: Column, i: number): string {
  const status = column.status[i];
  const value = column.values[i];
  if (status === undefined || value === undefined)
    throw new SaclaError("BAD_ARGUMENT", `There is no entry ${i} in a column of ${column.values.length}.`);
  if (status !== STATUS_OK) return syncStatus[status] ?? "missing";
  if (Number.isInteger(value) && (column.unit === "pulse" || column.unit === "")) return `${value}${column.unit}`;
  return `${exponential(value)}${column.unit}`;
}

/** C's %.5e: JavaScript writes e-2 where the facility writes e-02. */
function exponential(value: number): string {
  return value.toExponential(5).replace(/e([+-])(\d)$/, "e$10$2");
}

/**
 * `value` rounded to the six significant digits of the text form, so that reading a signal as text or as numbers
 * gives the same numbers.
 */
export function roundToText(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  const scale = 5 - magnitude;
  // Dividing by a power of ten that is exact in a double keeps the result the double nearest to the decimal text.
  if (scale >= 0 && scale <= 22) {
    const power = 10 ** scale;
    return Math.round(value * power) / power;
  }
  return Number(value.toExponential(5));
}

/** A column of `n` entries, all missing, to be filled by {@link setEntry}. */
export function emptyColumn(equipId: string, unit: string, n: number): Column {
  return { equipId, unit, values: new Float64Array(n).fill(NaN), status: new Uint8Array(n).fill(STATUS_MISSING) };
}

/** Sets a number, or a reason, in a column that is being built. */
export function setEntry(column: Column, i: number, entry: number | MissingReason): void {
  if (typeof entry === "number") {
    column.values[i] = entry;
    column.status[i] = STATUS_OK;
  } else {
    column.values[i] = NaN;
    column.status[i] = syncStatus.indexOf(entry);
  }
}

/** Entry `i` of a column as a value with unit or a reason. */
export function entryOf(column: Column, i: number): RecordedValue {
  const status = column.status[i] ?? STATUS_MISSING;
  if (status === STATUS_OK) return { value: column.values[i] ?? NaN, unit: column.unit };
  return { reason: reasonOf(status) ?? "missing" };
}

/** What a status says; null for a good value. */
export function reasonOf(status: number): MissingReason | null {
  if (status === STATUS_OK) return null;
  const reason = syncStatus[status];
  return reason === undefined || reason === "ok" ? "missing" : reason;
}

/** Of each shot the first entry that is recorded, of one or more columns over the same shots; the first is changed. */
export function firstRecorded(columns: readonly [Column, ...Column[]]): Column {
  const [first, ...others] = columns;
  for (const { values, status } of others) {
    for (let i = 0; i < status.length; i++) {
      if (first.status[i] !== STATUS_MISSING || status[i] === STATUS_MISSING) continue;
      first.values[i] = values[i] ?? NaN;
      first.status[i] = status[i] ?? STATUS_MISSING;
    }
  }
  return { ...first, unit: columns.find(({ unit }) => unit !== "")?.unit ?? "" };
}
