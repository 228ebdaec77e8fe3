import type { Message, MessageResult } from "../messages/messages.ts";
import { type Journal, messageText } from "./journal.ts";

/** The journal of a scan that goes on, or none. What cannot be written ends the scan, but never its cleanup. */
export class RunJournal {
  readonly #journal: Journal | undefined;
  /** Whether a message was written down by this process. */
  #isLive = false;
  /** Why it cannot be written any more; nothing is written then. */
  broken: unknown;

  constructor(journal: Journal | undefined) {
    this.#journal = journal;
  }

  get past(): Journal["past"] {
    return this.#journal?.past ?? new Map();
  }

  get isDirty(): boolean {
    return this.broken === undefined && this.#journal?.isDirty === true;
  }

  /** To be called at the beginning; nothing is written to a new journal. @throws WRITE_FAILED */
  resumed(): void {
    if (this.past.size > 0) this.#must((journal) => journal.resumed());
  }

  /** Before a message acts. @throws WRITE_FAILED: it must not act then */
  intent(n: number, message: Message, nowMs: number): void {
    this.#isLive = true;
    this.#must((journal) => journal.intent(n, messageText(message), nowMs));
  }

  /** @throws WRITE_FAILED */
  noteRuns(...line: Parameters<Journal["noteRuns"]>): void {
    this.#must((journal) => journal.noteRuns(...line));
  }

  /**
   * A resumed scan that has done nothing itself leaves its journal as it was.
   * @param byPast - it ends by a failure of an earlier process, which died before it wrote this line
   * @throws WRITE_FAILED
   */
  left(n: number, why: string, byPast: boolean): void {
    if (this.#isLive || byPast) this.#must((journal) => journal.left(n, why));
  }

  /** @throws WRITE_FAILED */
  end(): void {
    this.#must((journal) => journal.end());
  }

  /** What was measured is given to the plan, and so to the table, even when it cannot be written. */
  result(n: number, answer: MessageResult, nowMs: number): void {
    this.#try((journal) => journal.result(n, answer, nowMs));
  }

  done(n: number, message: Message, answer: MessageResult, nowMs: number): void {
    this.#isLive = true;
    this.#try((journal) => journal.done(n, messageText(message), answer, nowMs));
  }

  failure(...line: Parameters<Journal["failure"]>): void {
    this.#try((journal) => journal.failure(...line));
  }

  /** @throws WRITE_FAILED */
  async sync(): Promise<void> {
    if (this.broken !== undefined) return;
    try {
      await this.#journal?.sync();
    } catch (error) {
      this.broken = error;
      throw error;
    }
  }

  #try(write: (journal: Journal) => void): void {
    if (this.#journal === undefined || this.broken !== undefined) return;
    try {
      write(this.#journal);
    } catch (error) {
      this.broken = error;
    }
  }

  #must(write: (journal: Journal) => void): void {
    if (this.broken !== undefined) return;
    this.#try(write);
    if (this.broken !== undefined) throw this.broken;
  }
}
