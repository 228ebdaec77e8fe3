import type { CallOptions } from "../core/async.ts";
import { isSaclaError } from "../core/errors.ts";
import type { RunReader } from "./run-reader.ts";
import type { RunTags } from "./run-tags.ts";
import type { SignalColumn } from "./signal-column.ts";

/** The names of the two flags of a shutter, in one spelling. Without `close`, open is all there is. */
export interface FlagNames {
  readonly open: string;
  readonly close?: string;
}

/** What the flags of a shutter say of one shot. `flags-agree`: open and closed, or neither. */
export type FlagState = "open" | "closed" | "flags-agree" | "flag-missing";

/** A shutter's flags over some shots. */
export interface Flags {
  readonly signals: readonly string[];
  /** False when only the open flag was recorded. */
  readonly both: boolean;
  /** The open flag itself; undefined or NaN where it is missing. */
  readonly open: (i: number) => number | undefined;
  readonly state: (i: number) => FlagState;
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
      open: (i) => open.values[i],
      state: (i) => flagState(open.values[i], close === undefined ? undefined : close.values[i], close !== undefined),
    };
  }
  return undefined;
}

/** The same with the close flag left aside. */
export function openAlone({ signals, open }: Flags): Flags {
  return { signals: signals.slice(0, 1), both: false, open, state: (i) => flagState(open(i), undefined, false) };
}

function flagState(open: number | undefined, close: number | undefined, both: boolean): FlagState {
  if (open !== 0 && open !== 1) return "flag-missing";
  if (!both) return open === 1 ? "open" : "closed";
  if (close !== 0 && close !== 1) return "flag-missing";
  if (open === close) return "flags-agree";
  return open === 1 ? "open" : "closed";
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
      if (column.counts.missing < column.length || column.length === 0) return column;
    } catch (error) {
      if (!isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
    }
  }
  return undefined;
}
