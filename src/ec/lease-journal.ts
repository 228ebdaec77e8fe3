import { appendFileSync, readFileSync } from "node:fs";
import * as v from "valibot";
import { fileError } from "../core/errors.ts";
import type { ChangedKind, EndedLease } from "./lease.ts";

const base = { time: v.string(), bl: v.number() };
const entry = v.variant("event", [
  v.strictObject({ ...base, event: v.literal("taken"), name: v.string(), reason: v.string() }),
  v.strictObject({
    ...base,
    event: v.literal("touched"),
    device: v.string(),
    kind: v.picklist(["axis", "shutter", "run"]),
  }),
  v.strictObject({
    ...base,
    event: v.literal("ended"),
    name: v.string(),
    reason: v.string(),
    how: v.string(),
    done: v.array(v.string()),
  }),
]);
type Entry = v.InferOutput<typeof entry>;
/** Over each kind of entry by itself; Omit would leave only what all have. */
type Unstamped<E> = E extends unknown ? Omit<E, "time"> : never;

/** A lease that had not ended when the process did. */
export interface UnfinishedLease {
  readonly bl: number;
  readonly name: string;
  readonly reason: string;
  readonly changedDevices: ReadonlyMap<string, ChangedKind>;
}

/**
 * Leases, what was set going under them, and how they ended, as JSON lines. Each line is written before the thing is
 * done, so that a process started after a `kill -9` knows what may still be moving.
 */
export class LeaseJournal {
  readonly #path: string;
  readonly unfinished: readonly UnfinishedLease[];

  /** @throws FILE_NOT_FOUND when there is a file that cannot be read */
  constructor(path: string) {
    this.#path = path;
    this.unfinished = unfinishedOf(readEntries(path));
  }

  taken(bl: number, name: string, reason: string): void {
    this.#write({ bl, event: "taken", name, reason });
  }

  changed(bl: number, device: string, kind: ChangedKind): void {
    this.#write({ bl, event: "touched", device, kind });
  }

  /** @param left - what could not be made safe, which stays to be made good by the next process */
  ended({ bl, name, reason, how, done }: EndedLease, left: ReadonlyMap<string, ChangedKind>): void {
    this.#write({ bl, event: "ended", name, reason, how, done: [...done] });
    if (left.size === 0) return;
    this.taken(bl, name, reason);
    for (const [device, kind] of left) this.changed(bl, device, kind);
  }

  #write(unstamped: Unstamped<Entry>): void {
    try {
      // Begins with the line break, so that a line cut off by a crash does not swallow this one.
      appendFileSync(this.#path, `\n${JSON.stringify({ time: new Date().toISOString(), ...unstamped })}`);
    } catch (error) {
      throw fileError("WRITE_FAILED", "The journal of leases", this.#path, error);
    }
  }
}

function readEntries(path: string): Entry[] {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw fileError("FILE_NOT_FOUND", "The journal of leases", path, error);
  }
  return content.split("\n").flatMap((line) => {
    try {
      const parsed = v.safeParse(entry, JSON.parse(line));
      return parsed.success ? [parsed.output] : [];
    } catch {
      // Cut off by a crash; the beamline must be made safe all the same.
      return [];
    }
  });
}

function unfinishedOf(entries: readonly Entry[]): UnfinishedLease[] {
  const open = new Map<
    number,
    { bl: number; name: string; reason: string; changedDevices: Map<string, ChangedKind> }
  >();
  for (const one of entries) {
    if (one.event === "taken")
      open.set(one.bl, { bl: one.bl, name: one.name, reason: one.reason, changedDevices: new Map() });
    if (one.event === "touched") open.get(one.bl)?.changedDevices.set(one.device, one.kind);
    if (one.event === "ended") open.delete(one.bl);
  }
  return [...open.values()];
}
