import { type Ledger, present } from "../../core/ledger.ts";

/**
 * The account of a cube, shot by shot: each tag stands in it once, whatever is asked how often. A shot that was dropped
 * and can be used later (its image came late, the reading failed) is then used.
 */
export class TagAccount {
  readonly #used: Set<number>;
  readonly #dropped = new Map<number, string>();
  readonly #notes = new Map<string, number>();
  readonly #amounts = new Map<string, number>();

  constructor(used: Iterable<number> = [], ledger?: Ledger) {
    this.#used = new Set(used);
    if (ledger !== undefined) this.#add(ledger);
  }

  has(tag: number): boolean {
    return this.#used.has(tag) || this.#dropped.has(tag);
  }

  isUsed(tag: number): boolean {
    return this.#used.has(tag);
  }

  use(tag: number): void {
    this.#used.add(tag);
    this.#dropped.delete(tag);
  }

  drop(tag: number, reason: string): void {
    if (!this.#used.has(tag)) this.#dropped.set(tag, reason);
  }

  note(what: string, times = 1): void {
    this.#notes.set(what, (this.#notes.get(what) ?? 0) + times);
  }

  amount(what: string, value: number): void {
    this.#amounts.set(what, (this.#amounts.get(what) ?? 0) + value);
  }

  /** Takes in the account of other shots. */
  merge(other: TagAccount): void {
    for (const tag of other.#used) this.use(tag);
    this.#add(other.ledger);
  }

  #add({ dropped, notes = {}, amounts = {} }: Ledger): void {
    for (const { reason, tags } of dropped) for (const tag of tags) this.drop(tag, reason);
    for (const [what, times] of Object.entries(notes)) this.note(what, times);
    for (const [what, value] of Object.entries(amounts)) this.amount(what, value);
  }

  /** Ascending. */
  get used(): Uint32Array {
    return Uint32Array.from(this.#used).sort();
  }

  /** Reasons, notes and tags in ascending order, so that it does not depend on the order of the shots. */
  get ledger(): Ledger {
    const reasons = new Map<string, number[]>();
    for (const [tag, reason] of this.#dropped) {
      const tags = reasons.get(reason);
      if (tags === undefined) reasons.set(reason, [tag]);
      else tags.push(tag);
    }
    const dropped = [...reasons].sort(byName).map(([reason, tags]) => ({ reason, tags: tags.sort((a, b) => a - b) }));
    return {
      asked: this.#used.size + this.#dropped.size,
      used: this.#used.size,
      dropped,
      ...present("notes", [...this.#notes].sort(byName)),
      ...present("amounts", [...this.#amounts].sort(byName)),
    };
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
