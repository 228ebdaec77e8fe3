import type { Io } from "./io.ts";

/** Redraws at most this often. */
const INTERVAL_MS = 100;

/** A line on the terminal that shows how far long work is: `averaging 120/300 shots, 41/s, 4 s left`. Silent in pipes. */
export class Progress {
  readonly #io: Io;
  readonly #label: string;
  readonly #started: number = performance.now();
  #drawn = 0;

  constructor(io: Io, label: string) {
    this.#io = io;
    this.#label = label;
  }

  readonly update = (done: number, total: number | undefined): void => {
    const now = performance.now();
    if (!this.#io.isTerminal || now - this.#drawn < INTERVAL_MS) return;
    this.#drawn = now;
    const rate = done / ((now - this.#started) / 1000);
    const left = total === undefined || done === 0 ? "" : `, ${Math.ceil((total - done) / rate)} s left`;
    this.#io.err(`\r\x1b[K${this.#label} ${done}${total === undefined ? "" : `/${total}`} shots, ${rate.toFixed(0)}/s${left}`);
  };

  end(): void {
    if (this.#drawn > 0) this.#io.err("\r\x1b[K");
  }
}
