import { countReading } from "../../core/clipped.ts";
import { SaclaError } from "../../core/errors.ts";
import type { ArrayField, Layout, SeriesField, State } from "../reducer.ts";
import { ShotSeries } from "./shot-series.ts";

/** A state as plain arrays: what a checkpoint holds. A series is its tags and its columns. */
export type SavedState = Readonly<
  Record<string, Float64Array | Uint32Array | { readonly tags: Uint32Array; readonly columns: readonly Float64Array[] }>
>;

const initial = { sum: 0, min: Infinity, max: -Infinity, readings: 0 } as const;

/** Bytes of the arrays of a layout and of its work memory; a series takes 4 + 8 · width bytes per shot on top. */
export function layoutBytes(layout: Layout): number {
  return Object.values(layout).reduce((bytes, field) => bytes + fieldBytes(field), 0);
}

/** Those of them that are work memory: the same however many states of the layout there are. */
export function scratchBytes(layout: Layout): number {
  return Object.values(layout).reduce((bytes, field) => bytes + (field.type === "scratch" ? field.bytes : 0), 0);
}

function fieldBytes(field: Layout[string]): number {
  if (field.type === "scratch") return field.bytes;
  return field.type === "series" ? 0 : field.length * (field.type === "uint32" ? 4 : 8);
}

/**
 * Memory for a layout, or a saved state in memory of its own.
 * @param keep - use the saved arrays themselves
 * @throws BAD_ARGUMENT when what was saved does not fit
 */
export function makeState<L extends Layout>(layout: L, saved?: SavedState, keep = false): State<L> {
  const entries = Object.entries(layout).flatMap(([name, field]) =>
    field.type === "scratch"
      ? []
      : [[name, field.type === "series" ? seriesOf(name, field, saved) : arrayOf(name, field, saved, keep)]],
  );
  return Object.fromEntries(entries) as State<L>;
}

function arrayOf(
  name: string,
  field: ArrayField,
  saved: SavedState | undefined,
  keep: boolean,
): Float64Array | Uint32Array {
  if (saved === undefined) return newArray(field);
  const array = saved[name];
  const Type = field.type === "uint32" ? Uint32Array : Float64Array;
  if (!(array instanceof Type) || array.length !== field.length) throw misfit(name, `${field.type} of ${field.length}`);
  return keep ? array : array.slice();
}

function newArray({ type, length, merge }: ArrayField): Float64Array | Uint32Array {
  if (type === "float64")
    return initial[merge] === 0 ? new Float64Array(length) : new Float64Array(length).fill(initial[merge]);
  const array = new Uint32Array(length);
  return merge === "min" ? array.fill(0xffff_ffff) : array;
}

function seriesOf(name: string, { width }: SeriesField, saved: SavedState | undefined): ShotSeries {
  const series = new ShotSeries(width);
  if (saved === undefined) return series;
  const rows = saved[name];
  if (
    rows === undefined ||
    ArrayBuffer.isView(rows) ||
    rows.columns.length !== width ||
    rows.columns.some(({ length }) => length !== rows.tags.length)
  )
    throw misfit(name, `a series of ${width} values per shot`);
  rows.tags.forEach((tag, i) => {
    series.push(tag, ...rows.columns.map((column) => column[i] ?? NaN));
  });
  return series;
}

function misfit(name: string, needed: string): SaclaError {
  return new SaclaError("BAD_ARGUMENT", `The saved ${name} does not fit: ${needed} is needed.`);
}

/** Where an answer for each pixel is written: over the sums when they are not needed any more. */
export function memoryFor(sums: Float64Array, isLast = false): Float64Array {
  return isLast ? sums : new Float64Array(sums.length);
}

/** Adds the state of another part of the shots into `into`. */
export function mergeState<L extends Layout>(layout: L, into: State<L>, from: State<L>): void {
  const [mine, theirs] = [
    new Map<string, unknown>(Object.entries(into)),
    new Map<string, unknown>(Object.entries(from)),
  ];
  let before: unknown;
  for (const [name, field] of Object.entries(layout)) {
    const [a, b] = [mine.get(name), theirs.get(name)];
    if (a instanceof ShotSeries && b instanceof ShotSeries) a.append(b);
    else if ("merge" in field && isArray(a) && isArray(b)) {
      mergeArray(field.merge, a, b);
      if (field.carry !== undefined && isArray(before)) carryTo(before, a, field.carry);
    }
    before = a;
  }
}

/** Steps from which on a sum is carried: far enough from 2^53 of its last digits that it adds exactly until then. */
export const CARRIED_STEPS: number = 2 ** 19;

/** Moves multiples of the step from lower parts of sums that are large to the upper ones. */
function carryTo(upper: Float64Array | Uint32Array, lower: Float64Array | Uint32Array, step: number): void {
  const bound = CARRIED_STEPS * step;
  for (let i = 0; i < lower.length; i++) {
    const x = lower[i] ?? 0;
    if (!(Math.abs(x) >= bound)) continue;
    const high = step * Math.round(x / step);
    lower[i] = x - high;
    upper[i] = (upper[i] ?? 0) + high;
  }
}

function isArray(value: unknown): value is Float64Array | Uint32Array {
  return value instanceof Float64Array || value instanceof Uint32Array;
}

/** A loop for each: states are large, and a choice for every element takes three times as long. */
function mergeArray(merge: ArrayField["merge"], a: Float64Array | Uint32Array, b: Float64Array | Uint32Array): void {
  if (merge === "sum") for (let i = 0; i < a.length; i++) a[i] = (a[i] ?? 0) + (b[i] ?? 0);
  else if (merge === "min") for (let i = 0; i < a.length; i++) a[i] = Math.min(a[i] ?? 0, b[i] ?? 0);
  else if (merge === "max") for (let i = 0; i < a.length; i++) a[i] = Math.max(a[i] ?? 0, b[i] ?? 0);
  else if (a instanceof Float64Array) for (let i = 0; i < b.length; i += 2) countReading(a, b[i] ?? NaN, b[i + 1]);
}

/** The state as plain arrays that share its memory. */
export function saveState<L extends Layout>(layout: L, state: State<L>): SavedState {
  const values = new Map<string, unknown>(Object.entries(state));
  const saved: Record<string, SavedState[string]> = {};
  for (const [name, { type }] of Object.entries(layout)) {
    const value = values.get(name);
    if (value instanceof ShotSeries)
      saved[name] = { tags: value.tags, columns: Array.from({ length: value.width }, (_, k) => value.column(k)) };
    else if (isArray(value)) saved[name] = value;
    else if (type !== "scratch") throw new SaclaError("INTERNAL", `The state has no ${name}.`);
  }
  return saved;
}
