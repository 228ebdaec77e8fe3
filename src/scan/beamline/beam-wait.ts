import { durationText, timeText } from "../../core/time-text.ts";

/** A shorter hold is not worth a line: one pulse that the accelerator left out is a hold, too. */
const SHOWN_AFTER_MS = 1000;
const AGAIN_AFTER_MS = 60_000;

/** Who is told of a wait. */
interface WaitTold {
  readonly note?: ((text: string) => void) | undefined;
  readonly waiting?: ((isWaiting: boolean) => void) | undefined;
}

/** What shots wait for. */
export interface Missing {
  readonly why: string;
  /** Since when, on the clock of the looks. @default the look before */
  readonly sinceMs?: number;
}

function ignored(): void {}

/** Follows how long shots wait for the beam, and says so: a wait that nobody sees looks like a program that hangs. */
export class BeamWait {
  readonly #note: (text: string) => void;
  readonly #budgetSeconds: number | undefined;
  readonly #waiting: (isWaiting: boolean) => void;
  #lastMs: number;
  #sinceMs: number | undefined;
  #nextNoteMs = Infinity;
  #isShown = false;
  #pastMs = 0;

  constructor(nowMs: number, budgetSeconds: number | undefined, how: WaitTold = {}) {
    this.#lastMs = nowMs;
    this.#note = how.note ?? ignored;
    this.#waiting = how.waiting ?? ignored;
    this.#budgetSeconds = budgetSeconds;
  }

  /** How long it has waited now without a break. */
  get waitedMs(): number {
    return this.#sinceMs === undefined ? 0 : this.#lastMs - this.#sinceMs;
  }

  /** Time held so far. */
  get heldMs(): number {
    return this.#pastMs + (this.#sinceMs === undefined ? 0 : this.#lastMs - this.#sinceMs);
  }

  /**
   * @param missing - null while shots come with beam
   * @param longest - seconds after which the wait is given up, where something sees to that
   */
  look(nowMs: number, missing: Missing | null, longest?: number): void {
    if (missing === null) {
      if (this.#sinceMs !== undefined) this.#over("goes on: the beam was missing for");
    } else {
      if (this.#sinceMs === undefined) {
        this.#sinceMs = missing.sinceMs ?? this.#lastMs;
        this.#nextNoteMs = this.#sinceMs + SHOWN_AFTER_MS;
      }
      if (nowMs >= this.#nextNoteMs) this.#show(nowMs - this.#sinceMs, nowMs, missing.why, longest);
    }
    this.#lastMs = nowMs;
  }

  /** The shots are over, perhaps in the middle of a hold. */
  end(): void {
    this.#over("given up: the beam has been missing for");
  }

  #show(heldMs: number, nowMs: number, why: string, longest: number | undefined): void {
    if (this.#isShown) this.#note(`still waits for the beam, for ${durationText(heldMs / 1000)} now: ${why}.`);
    else
      this.#note(
        `waits for the beam since ${timeText(new Date(Date.now() - heldMs))}: ${why}. ` + `${this.#bound(longest)}.`,
      );
    if (!this.#isShown) this.#waiting(true);
    this.#isShown = true;
    this.#nextNoteMs = nowMs + AGAIN_AFTER_MS;
  }

  /** What ends it. */
  #bound(longest: number | undefined): string {
    const stop = "stop (Ctrl+C) or abort (Ctrl+C twice)";
    const goesOn = "It goes on by itself when the beam is back";
    const seconds = this.#budgetSeconds;
    if (seconds !== undefined)
      return `${goesOn}, and is given up ${seconds} s after its begin (budget.seconds); ${stop} ends it now`;
    return longest === undefined
      ? `${goesOn}; there is no budget.seconds, so only that or ${stop} ends the wait`
      : `${goesOn}; there is no budget.seconds, so it is given up after ${durationText(longest)}; ` +
          `${stop} ends it now`;
  }

  #over(text: string): void {
    const { heldMs } = this;
    if (this.#isShown) {
      this.#waiting(false);
      this.#note(`${text} ${durationText((heldMs - this.#pastMs) / 1000)}.`);
    }
    this.#pastMs = heldMs;
    this.#sinceMs = undefined;
    this.#isShown = false;
  }
}
