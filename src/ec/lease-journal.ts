import * as v from "valibot";
import { show } from "../core/errors.ts";
import { AppendLog, readLog } from "../files/index.ts";
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
 * Leases, what was changed under them, and how they ended, in an {@link AppendLog}. A change is on the disk before the
 * device is asked, so that a process started after a `kill -9` or a loss of power knows what may still be moving.
 */
export class LeaseJournal {
  readonly #log: AppendLog;
  readonly unfinished: readonly UnfinishedLease[];
  /** Says which lines cannot be read, so that what they named is not made safe; empty when all can be read. */
  readonly damage: string;

  /** @throws FILE_NOT_FOUND when there is a file that cannot be read @throws WRITE_FAILED */
  constructor(path: string) {
    const entries: Entry[] = [];
    const damaged: number[] = [];
    for (const { line, value } of readLog("The journal of leases", path)) {
      const parsed = v.safeParse(entry, value);
      if (parsed.success) entries.push(parsed.output);
      else damaged.push(line);
    }
    this.unfinished = unfinishedOf(entries, damaged.length > 0);
    this.damage =
      damaged.length === 0
        ? ""
        : `the journal of leases ${show(path)} is damaged (line ${damaged.join(", ")}): ` +
          "look whether anything else moves";
    this.#log = AppendLog.join(path);
  }

  taken(bl: number, name: string, reason: string): void {
    this.#write({ bl, event: "taken", name, reason });
  }

  /** Resolves when it is on the disk. @throws WRITE_FAILED */
  async changed(bl: number, device: string, kind: ChangedKind): Promise<void> {
    this.#write({ bl, event: "touched", device, kind });
    await this.#log.sync();
  }

  /** @param left - what could not be made safe: the next process tries it again */
  ended({ bl, name, reason, how, done }: EndedLease, left: ReadonlyMap<string, ChangedKind>): void {
    this.#write({ bl, event: "ended", name, reason, how, done: [...done] });
    if (left.size === 0) return;
    this.taken(bl, name, reason);
    for (const [device, kind] of left) this.#write({ bl, event: "touched", device, kind });
  }

  /** Resolves when all is on the disk. @throws WRITE_FAILED */
  async close(): Promise<void> {
    try {
      await this.#log.sync();
    } finally {
      this.#log.close();
    }
  }

  #write(unstamped: Unstamped<Entry>): void {
    this.#log.append({ time: new Date().toISOString(), ...unstamped });
  }
}

/** @param isDamaged - then a change whose lease cannot be read counts, too */
function unfinishedOf(entries: readonly Entry[], isDamaged: boolean): UnfinishedLease[] {
  const open = new Map<
    number,
    { bl: number; name: string; reason: string; changedDevices: Map<string, ChangedKind> }
  >();
  const begin = (bl: number, name: string, reason: string): void => {
    open.set(bl, { bl, name, reason, changedDevices: new Map() });
  };
  for (const one of entries) {
    if (one.event === "taken") begin(one.bl, one.name, one.reason);
    if (one.event === "touched") {
      if (isDamaged && !open.has(one.bl)) begin(one.bl, "unknown", "the line of the journal is damaged");
      open.get(one.bl)?.changedDevices.set(one.device, one.kind);
    }
    if (one.event === "ended") open.delete(one.bl);
  }
  return [...open.values()];
}
