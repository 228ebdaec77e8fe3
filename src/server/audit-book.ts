import { toSaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Role } from "./client.ts";

/** One changing call as it was asked and how it ended. */
export interface AuditEntry {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly client: string;
  readonly role: Role | null;
  readonly method: string;
  /** The parameters; a `lease` in them is hidden. */
  readonly value: unknown;
  readonly key: string | null;
  /** "asked" before it is done, then "ok" or the code of the error. */
  readonly outcome: string;
}

/**
 * The log of calls that change something. A call that cannot be logged is not executed, unless it makes safe: then it
 * is logged as soon as it can be.
 */
export interface AuditLog {
  write(entry: AuditEntry): Promise<void>;
}

/** Entries kept for a disk that takes none. Each is in the server's log as well. */
const MOST_WAITING = 10_000;
const TRY_AGAIN_MS = 1000;

/**
 * The entries of an audit, in order. What the audit does not take stays in memory and is in the server's log; it is
 * written when the audit takes entries again, before any newer one.
 */
export class AuditBook {
  readonly #audit: AuditLog;
  readonly #logger: Logger;
  readonly #waiting: AuditEntry[] = [];
  /** Of the entries that wait, the first so many are in the server's log. */
  #logged = 0;
  /** Entries that are in the server's log alone. */
  #dropped = 0;
  #emptying: Promise<void> | undefined;
  #again: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(audit: AuditLog, logger: Logger) {
    this.#audit = audit;
    this.#logger = logger;
  }

  /** Writes an entry after those that wait. @throws WRITE_FAILED; the entry is then written nowhere */
  async write(entry: AuditEntry): Promise<void> {
    while (this.#waiting.length > 0) await this.#empty();
    await this.#audit.write(entry);
  }

  /** Writes entries of what has been done: now, or as soon as the audit takes them. Never fails. */
  async record(...entries: readonly AuditEntry[]): Promise<void> {
    this.#waiting.push(...entries);
    // An emptying that is under way may have seen the end already.
    await this.#emptying?.catch(() => {});
    await this.#empty().catch(() => {});
  }

  /** Tries once more to write what waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#again);
    await this.#emptying?.catch(() => {});
    await this.#empty().catch(() => {});
  }

  /** @throws WRITE_FAILED */
  #empty(): Promise<void> {
    this.#emptying ??= this.#writeWaiting().finally(() => {
      this.#emptying = undefined;
    });
    return this.#emptying;
  }

  async #writeWaiting(): Promise<void> {
    try {
      for (let entry = this.#waiting[0]; entry !== undefined; entry = this.#waiting[0]) {
        await this.#audit.write(entry);
        if (this.#waiting[0] === entry) this.#forgetFirst();
      }
      if (this.#dropped > 0) await this.#audit.write(this.#gap());
      this.#dropped = 0;
    } catch (error) {
      this.#logNew(toSaclaError(error).message);
      this.#tryAgain();
      throw error;
    }
  }

  #forgetFirst(): void {
    this.#waiting.shift();
    if (this.#logged > 0) this.#logged--;
  }

  #logNew(error: string): void {
    for (const entry of this.#waiting.slice(this.#logged))
      this.#logger.error({ error, entry }, "the audit log could not be written; this entry is written when it can be");
    this.#logged = this.#waiting.length;
    while (this.#waiting.length > MOST_WAITING) {
      this.#forgetFirst();
      this.#dropped++;
    }
  }

  #tryAgain(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#empty().catch(() => {}), TRY_AGAIN_MS);
    this.#again.unref();
  }

  /** Says that entries are missing, and where they are. */
  #gap(): AuditEntry {
    return {
      time: new Date().toISOString(),
      client: "the server",
      role: null,
      method: "audit",
      value: { entriesOnlyInTheServersLog: this.#dropped },
      key: null,
      outcome: "WRITE_FAILED",
    };
  }
}
