/** Shots that were asked for and not used, for one reason. */
export interface Dropped {
  readonly reason: string;
  readonly tags: readonly number[];
}

/** The account of a result over many shots: `asked = used + Σ dropped.tags.length`, always. */
export interface Ledger {
  readonly asked: number;
  readonly used: number;
  readonly dropped: readonly Dropped[];
}

/** Keeps the account while shots pass by. */
export class LedgerBook {
  #used = 0;
  readonly #dropped = new Map<string, number[]>();

  use(): void {
    this.#used++;
  }

  drop(tag: number, reason: string): void {
    const tags = this.#dropped.get(reason);
    if (tags === undefined) this.#dropped.set(reason, [tag]);
    else tags.push(tag);
  }

  /** The account so far; what was asked is what has been used or dropped. */
  get ledger(): Ledger {
    const dropped = [...this.#dropped].map(([reason, tags]) => ({ reason, tags: [...tags] }));
    return { asked: this.#used + dropped.reduce((n, d) => n + d.tags.length, 0), used: this.#used, dropped };
  }
}

/** One account for two parts of the shots, reasons in order of first appearance, tags in the order given. */
export function mergeLedgers(a: Ledger, b: Ledger): Ledger {
  const dropped = new Map<string, number[]>();
  for (const { reason, tags } of [...a.dropped, ...b.dropped]) dropped.set(reason, [...(dropped.get(reason) ?? []), ...tags]);
  return { asked: a.asked + b.asked, used: a.used + b.used, dropped: [...dropped].map(([reason, tags]) => ({ reason, tags })) };
}
