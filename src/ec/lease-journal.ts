import * as v from "valibot";
import { isSaclaError, SaclaError, show } from "../core/errors.ts";
import { any, optional, resolveOptions } from "../core/options.ts";
import { AppendLog, FileOwner, readLog } from "../files/index.ts";
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

export interface LeaseJournalOptions {
  /** Where this process can be reached, for the message to another process that wants the file. @default [] */
  readonly addresses?: readonly string[] | undefined;
}

/**
 * Leases, what was changed under them, and how they ended, in a file of JSON lines. A change is on the disk before the
 * device is asked, so that a process started after a `kill -9` or a loss of power knows what may still be moving.
 *
 * One living process at a time has the file (`FILE.owner` says which): what another one left moving is no business of
 * a process that starts while it lives.
 */
export class LeaseJournal {
  readonly #log: AppendLog | undefined;
  readonly #owner: FileOwner | undefined;
  /** Why nothing can be written down, so that no lease can be taken. */
  readonly #failure: SaclaError | undefined;
  readonly unfinished: readonly UnfinishedLease[];
  /** Says which lines cannot be read, so that what they named is not made safe; empty when all can be read. */
  readonly damage: string;

  private constructor(path: string, log: AppendLog | undefined, owner: FileOwner | undefined, failure?: SaclaError) {
    const { unfinished, damage } = readEntries(path);
    this.#log = log;
    this.#owner = owner;
    this.#failure = failure;
    this.unfinished = unfinished;
    this.damage = damage;
  }

  /**
   * Makes the file when it is not there. When nothing can be written but a process that has died left something to make
   * safe, the journal serves for that alone, and no lease can be taken.
   * @throws FILE_IN_USE naming the living process that has the file @throws WRITE_FAILED
   * @throws FILE_NOT_FOUND when there is a file that cannot be read
   * @example
   * const journal = await LeaseJournal.open("sacla-leases.jsonl");
   * const endpoint = withControl(inner, driver, { journal });
   */
  static async open(path: string, options: LeaseJournalOptions = {}): Promise<LeaseJournal> {
    const { addresses } = resolveOptions("LeaseJournal.open", options, { addresses: optional(any, []) });
    let owner: FileOwner | undefined;
    try {
      owner = await FileOwner.claim(`${path}.owner`, { addresses });
      return new LeaseJournal(path, AppendLog.join(path), owner);
    } catch (error) {
      owner?.close();
      if (!isSaclaError(error, "WRITE_FAILED")) throw error;
      const journal = new LeaseJournal(path, undefined, undefined, error);
      if (journal.unfinished.length === 0) throw error;
      return journal;
    }
  }

  /** What whoever started this process should know: whom it took the file over from, why it cannot write. */
  get notices(): readonly string[] {
    return [...(this.#owner?.takenOver ?? []), ...(this.#failure === undefined ? [] : [this.#failure.message])];
  }

  /** Where this process can be reached, once that is known. @throws WRITE_FAILED */
  serves(addresses: readonly string[]): void {
    this.#owner?.serves(addresses);
  }

  /** @throws WRITE_FAILED @throws FILE_IN_USE when another process has taken the file over */
  taken(bl: number, name: string, reason: string): void {
    this.#check();
    this.#write({ bl, event: "taken", name, reason });
  }

  /** Resolves when it is on the disk. @throws as {@link LeaseJournal.taken} */
  async changed(bl: number, device: string, kind: ChangedKind): Promise<void> {
    this.#check();
    this.#write({ bl, event: "touched", device, kind });
    await this.#log?.sync();
  }

  /** @param left - what could not be made safe: the next process tries it again */
  ended({ bl, name, reason, how, done }: EndedLease, left: ReadonlyMap<string, ChangedKind>): void {
    this.#write({ bl, event: "ended", name, reason, how, done: [...done] });
    if (left.size === 0) return;
    this.#write({ bl, event: "taken", name, reason });
    for (const [device, kind] of left) this.#write({ bl, event: "touched", device, kind });
  }

  /** Gives the file back. Resolves when all is on the disk. @throws WRITE_FAILED */
  async close(): Promise<void> {
    try {
      await this.#log?.sync();
    } finally {
      this.#log?.close();
      this.#owner?.close();
    }
  }

  #check(): void {
    if (this.#failure !== undefined) {
      const { message, details } = this.#failure;
      throw new SaclaError("WRITE_FAILED", `No lease can be written down: ${message}`, { details });
    }
    this.#owner?.check();
    this.#log?.checkThere();
  }

  #write(unstamped: Unstamped<Entry>): void {
    this.#log?.append({ time: new Date().toISOString(), ...unstamped });
  }
}

function readEntries(path: string): { unfinished: UnfinishedLease[]; damage: string } {
  const entries: Entry[] = [];
  const damaged: number[] = [];
  for (const { line, value } of readLog("The journal of leases", path)) {
    const parsed = v.safeParse(entry, value);
    if (parsed.success) entries.push(parsed.output);
    else damaged.push(line);
  }
  const damage =
    damaged.length === 0
      ? ""
      : `the journal of leases ${show(path)} is damaged (line ${damaged.join(", ")}): look whether anything else moves`;
  return { unfinished: unfinishedOf(entries, damaged.length > 0), damage };
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
