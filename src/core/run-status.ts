/**
 * Run states of `dbpy` in words: -1 not begun or unknown, 0 stopped (its data can be read), 1 paused, 2 running. The
 * run control of `ec` says "ready" where `dbpy` says 0.
 */
const words: Readonly<Record<number, string>> = { [-1]: "not ready", 0: "stopped", 1: "paused", 2: "running" };

/** A run state as a word; the number itself when it is none of them. */
export function runStatusWord(status: number): string {
  return words[status] ?? String(status);
}
