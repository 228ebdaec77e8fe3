import * as v from "valibot";
import { show } from "../../core/errors.ts";
import { any, optional, resolveOptions } from "../../core/options.ts";
import { AppendLog, FileOwner, readLog } from "../../files/index.ts";
import { type RequestEntry, requestEntry } from "../../transport/request-methods.ts";
import type { LeaseJournalOptions } from "../lease-journal.ts";

/** So many of the last lines are kept at hand. */
const KEPT = 20_000;

/**
 * The dialogue with the operators of the accelerator, one JSON line for each thing said or done, with the shot at which
 * it was. What is about to be done to the machine is on the disk before it is done, so that a process started after a
 * `kill -9` knows what to put back. One living process at a time has the file.
 */
export class RequestLog {
  readonly #log: AppendLog | undefined;
  readonly #owner: FileOwner | undefined;
  /** Lines that the disk did not take yet. */
  readonly #late: RequestEntry[] = [];
  #entries: RequestEntry[];
  /** Says which lines cannot be read; empty when all can be. */
  readonly damage: string;

  private constructor(entries: RequestEntry[], damage: string, log?: AppendLog, owner?: FileOwner) {
    this.#entries = entries;
    this.damage = damage;
    this.#log = log;
    this.#owner = owner;
  }

  /**
   * Makes the file when it is not there.
   * @throws FILE_IN_USE naming the living process that has the file @throws WRITE_FAILED
   * @throws FILE_NOT_FOUND when there is a file that cannot be read
   * @example
   * const requests = await RequestLog.open("sacla-requests.jsonl");
   * const endpoint = withControl(inner, driver, { journal, requests });
   */
  static async open(path: string, options: LeaseJournalOptions = {}): Promise<RequestLog> {
    const { addresses } = resolveOptions("RequestLog.open", options, { addresses: optional(any, []) });
    const owner = await FileOwner.claim(`${path}.owner`, { addresses });
    try {
      const { entries, damage } = RequestLog.read(path);
      return new RequestLog([...entries], damage, AppendLog.join(path), owner);
    } catch (error) {
      owner.close();
      throw error;
    }
  }

  /** Lasts as long as this process. */
  static inMemory(): RequestLog {
    return new RequestLog([], "");
  }

  /**
   * The lines of a file, and which cannot be read.
   * @throws FILE_NOT_FOUND when there is a file that cannot be read
   */
  static read(path: string): { readonly entries: readonly RequestEntry[]; readonly damage: string } {
    const entries: RequestEntry[] = [];
    const damaged: number[] = [];
    for (const { line, value } of readLog("The log of requests", path)) {
      const parsed = v.safeParse(requestEntry, value);
      if (parsed.success) entries.push(parsed.output);
      else damaged.push(line);
    }
    const damage =
      damaged.length === 0
        ? ""
        : `the log of requests ${show(path)} is damaged (line ${damaged.join(", ")}): ` +
          "ask the operators of the accelerator which values they have";
    return { entries, damage };
  }

  /** What whoever started this process should know: whom it took the file over from. */
  get notices(): readonly string[] {
    return [...(this.#owner?.takenOver ?? []), ...(this.damage === "" ? [] : [this.damage])];
  }

  /** Where this process can be reached, once that is known. @throws WRITE_FAILED */
  serves(addresses: readonly string[]): void {
    this.#owner?.serves(addresses);
  }

  /** The last lines, oldest first. */
  get entries(): readonly RequestEntry[] {
    return this.#entries;
  }

  /** Adds a line before something is done. @throws WRITE_FAILED, FILE_IN_USE: then it must not be done */
  begin(entry: RequestEntry): void {
    this.#owner?.check();
    this.#log?.checkThere();
    this.#writeLate();
    this.#log?.append(entry);
    this.#keep(entry);
  }

  /** Adds a line of what has happened, or makes safe: to the disk as soon as that takes it. Never fails. */
  note(entry: RequestEntry): void {
    this.#keep(entry);
    this.#late.push(entry);
    try {
      this.#writeLate();
    } catch {
      // With the next line.
    }
  }

  /** Resolves when all is on the disk. @throws WRITE_FAILED */
  async sync(): Promise<void> {
    this.#writeLate();
    await this.#log?.sync();
  }

  /** Gives the file back. Resolves when all is on the disk. @throws WRITE_FAILED */
  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      this.#log?.close();
      this.#owner?.close();
    }
  }

  #writeLate(): void {
    for (let first = this.#late[0]; first !== undefined; first = this.#late[0]) {
      this.#log?.append(first);
      this.#late.shift();
    }
  }

  #keep(entry: RequestEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length >= 2 * KEPT) this.#entries = this.#entries.slice(-KEPT);
  }
}
