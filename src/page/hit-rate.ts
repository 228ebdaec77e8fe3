import type { PageFrame } from "../transport/page-methods.ts";

const BIN_SECONDS = 10;
/** Five minutes. */
const MOST_BINS = 30;

/** Which part of the shots were hits, over the last minutes. */
export class HitRate {
  #bins: { readonly from: number; shots: number; hits: number }[] = [];
  #total = { shots: 0, hits: 0 };

  /** @param time - of the shot, unix seconds */
  add(time: number, isHit: boolean): void {
    const from = BIN_SECONDS * Math.floor(time / BIN_SECONDS);
    let bin = this.#bins.at(-1);
    if (bin?.from !== from) {
      bin = { from, shots: 0, hits: 0 };
      this.#bins = [...this.#bins, bin].slice(-MOST_BINS);
    }
    for (const counts of [bin, this.#total]) {
      counts.shots++;
      if (isHit) counts.hits++;
    }
  }

  get answer(): NonNullable<PageFrame["hits"]> {
    return {
      ...this.#total,
      times: Float64Array.from(this.#bins, ({ from }) => from + BIN_SECONDS / 2),
      rate: Float64Array.from(this.#bins, ({ shots, hits }) => hits / shots),
      error: Float64Array.from(this.#bins, ({ shots, hits }) => shareError(hits, shots)),
    };
  }
}

/**
 * Standard error of a share of k in n shots: its standard deviation when all shares are equally likely before the
 * measurement. It is not zero even when all shots were hits, or none.
 */
export function shareError(k: number, n: number): number {
  return Math.sqrt(((k + 1) * (n - k + 1)) / ((n + 2) ** 2 * (n + 3)));
}
