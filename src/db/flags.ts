import type { CallOptions } from "../core/async.ts";
import { isSaclaError } from "../core/errors.ts";
import { STATUS_MISSING } from "../core/syncdb.ts";
import type { RunReader } from "./run-reader.ts";
import type { RunTags } from "./run-tags.ts";
import type { SignalColumn } from "./signal-column.ts";

/** The names of the two flags of a shutter, in one spelling. Without `close`, open is all there is. */
export interface FlagNames {
  readonly open: string;
  readonly close?: string;
}

/** What the flags of a shutter say of one shot: `AGREE` is open and closed, or neither. */
export const CLOSED = 0;
export const OPEN = 1;
export const AGREE = 2;
export const MISSING = 3;

/** A shutter's flags over some shots. */
export interface Flags {
  readonly signals: readonly string[];
  /** False when only the open flag was recorded. */
  readonly both: boolean;
  /** The open flag itself, NaN where it is missing. */
  readonly open: Float64Array;
  /** Of each shot {@link OPEN}, {@link CLOSED}, {@link AGREE} or {@link MISSING}. */
  readonly states: Uint8Array;
}

/**
 * The flags of a shutter in the first spelling that the source knows and has something recorded for; undefined when
 * there is none.
 */
export async function readFlags(
  run: RunReader,
  spellings: readonly FlagNames[],
  shots: RunTags,
  options?: CallOptions,
): Promise<Flags | undefined> {
  for (const names of spellings) {
    const open = await readRecorded(run, [names.open], shots, options);
    if (open === undefined) continue;
    const close = names.close === undefined ? undefined : await readRecorded(run, [names.close], shots, options);
    return {
      signals: close === undefined ? [open.equipId] : [open.equipId, close.equipId],
      both: close !== undefined,
      open: open.values,
      states: statesOf(open.values, close?.values),
    };
  }
  return undefined;
}

/** The same with the close flag left aside. */
export function openAlone({ signals, open }: Flags): Flags {
  return { signals: signals.slice(0, 1), both: false, open, states: statesOf(open, undefined) };
}

/** By both flags, or by the open flag alone. */
function statesOf(open: Float64Array, close: Float64Array | undefined): Uint8Array {
  const states = new Uint8Array(open.length);
  for (let i = 0; i < states.length; i++) {
    const is = open[i] ?? NaN;
    const isNot = close === undefined ? 1 - is : (close[i] ?? NaN);
    const areFlags = (is === 0 || is === 1) && (isNot === 0 || isNot === 1);
    states[i] = !areFlags ? MISSING : is === isNot ? AGREE : is;
  }
  return states;
}

/**
 * The first of `names` that the source knows and has anything recorded for; a signal that is missing at every shot
 * is as good as unknown.
 */
export async function readRecorded(
  run: RunReader,
  names: readonly string[],
  shots: RunTags,
  options?: CallOptions,
): Promise<SignalColumn | undefined> {
  for (const name of names) {
    try {
      const column = await run.column(name, shots, options);
      if (column.length === 0 || column.status.some((status) => status !== STATUS_MISSING)) return column;
    } catch (error) {
      if (!isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
    }
  }
  return undefined;
}
