import { oneLine } from "../core/printable.ts";
import type { Io } from "./io.ts";

/** Redraws at most this often. */
const INTERVAL_MS = 100;

/**
 * One line of a terminal that is drawn anew. A narrow terminal breaks it into several, which are taken away with it.
 */
export class StatusLine {
  readonly #io: Io;
  #length = 0;

  constructor(io: Io) {
    this.#io = io;
  }

  draw(text: string): void {
    const line = oneLine(text);
    this.#control(this.#home());
    this.#io.err(line);
    this.#length = line.length;
  }

  clear(): void {
    if (this.#length > 0) this.#control(this.#home());
    this.#length = 0;
  }

  #control(sequence: string): void {
    if (this.#io.control === undefined) this.#io.err(sequence);
    else this.#io.control(sequence);
  }

  #home(): string {
    // A terminal that does not know its width says 0.
    const rows = Math.ceil(this.#length / (this.#io.columns || Infinity));
    return rows > 1 ? `\x1b[${rows - 1}A\r\x1b[J` : "\r\x1b[K";
  }
}

/**
 * A line on the terminal that shows how far long work is: `averaging 120/300 shots, 41/s, 4 s left`. Silent in pipes.
 */
export class Progress {
  readonly #io: Io;
  readonly #label: string;
  readonly #line: StatusLine;
  readonly #started: number = performance.now();
  #drawn = 0;
  /** What was done before this began, as when work goes on after an interruption. */
  #before: number | undefined;

  constructor(io: Io, label: string) {
    this.#io = io;
    this.#label = label;
    this.#line = new StatusLine(io);
  }

  readonly update = (done: number, total: number | undefined): void => {
    const now = performance.now();
    this.#before ??= Math.max(0, done - 1);
    if (!this.#io.isTerminal || now - this.#drawn < INTERVAL_MS) return;
    this.#drawn = now;
    const rate = (done - this.#before) / ((now - this.#started) / 1000);
    const left = total === undefined || rate === 0 ? "" : `, ${Math.ceil((total - done) / rate)} s left`;
    this.#line.draw(
      `${this.#label} ${done}${total === undefined ? "" : `/${total}`} shots, ${rate.toFixed(0)}/s${left}`,
    );
  };

  end(): void {
    this.#line.clear();
  }
}

/** Progress of work in named steps, each with its own count and rate. */
export class StepProgress {
  readonly #io: Io;
  readonly #label: string;
  #step = "";
  #progress: Progress | undefined;

  constructor(io: Io, label: string) {
    this.#io = io;
    this.#label = label;
  }

  readonly update = (step: string, done: number, total: number | undefined): void => {
    if (step !== this.#step) {
      this.end();
      this.#step = step;
      this.#progress = new Progress(this.#io, `${this.#label}, ${step}`);
    }
    this.#progress?.update(done, total);
  };

  end(): void {
    this.#progress?.end();
  }
}
