import { hash, Random } from "../../core/random.ts";

/** A time without beam. Seconds since the facility was created. */
export interface Outage {
  readonly from: number;
  readonly to: number;
  /** Tells one from another. */
  readonly id: number;
}

/** No outage is longer, so that one looks back only one block. */
const BLOCK_SECONDS = 600;

/** Outages of one kind, strewn over time by a seed: each block of ten minutes has its own, whoever asks, whenever. */
export class Outages {
  readonly #key: number;
  readonly #perBlock: number;
  readonly #span: readonly [number, number];
  readonly #blocks = new Map<number, readonly Outage[]>();

  constructor(key: number, perHour: number, span: readonly [number, number]) {
    this.#key = key;
    this.#perBlock = (perHour * BLOCK_SECONDS) / 3600;
    this.#span = span;
  }

  /** The outage going on then; of several, the one that lasts longest. */
  at(seconds: number): Outage | undefined {
    if (this.#perBlock === 0 || seconds < 0) return undefined;
    const block = Math.floor(seconds / BLOCK_SECONDS);
    let found: Outage | undefined;
    for (const each of [block - 1, block]) {
      for (const outage of this.#block(each)) {
        if (outage.from <= seconds && seconds < outage.to && outage.to > (found?.to ?? 0)) found = outage;
      }
    }
    return found;
  }

  /** Those that begin after `from`, up to `to`, in order. */
  beginning(from: number, to: number): readonly Outage[] {
    if (this.#perBlock === 0) return [];
    const found: Outage[] = [];
    for (let block = Math.max(0, Math.floor(from / BLOCK_SECONDS)); block <= Math.floor(to / BLOCK_SECONDS); block++) {
      found.push(...this.#block(block).filter((outage) => outage.from > from && outage.from <= to));
    }
    return found;
  }

  #block(block: number): readonly Outage[] {
    if (block < 0) return [];
    const known = this.#blocks.get(block);
    if (known !== undefined) return known;
    const random = new Random(hash(this.#key, block));
    const [shortest, longest] = this.#span;
    const made = Array.from({ length: random.poisson(this.#perBlock) }, (_, i) => {
      const from = (block + random.uniform()) * BLOCK_SECONDS;
      return { from, to: from + shortest + (longest - shortest) * random.uniform(), id: hash(this.#key, block, i) };
    }).sort((a, b) => a.from - b.from);
    if (this.#blocks.size >= 8) this.#blocks.clear();
    this.#blocks.set(block, made);
    return made;
  }
}
