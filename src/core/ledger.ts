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
  /**
   * What was done to used shots that was not the same for all of them, and how often; absent when there is nothing to
   * tell.
   */
  readonly notes?: Readonly<Record<string, number>>;
  /** What corrections took from used shots, added up; absent when there is nothing to tell. */
  readonly amounts?: Readonly<Record<string, number>>;
}

/** Why a shot was dropped that nobody came to look at, because the reading stopped before it. */
export const NOT_READ = "not-read";

/** Why each tag was dropped. */
export function reasonsByTag(dropped: readonly Dropped[]): Map<number, string> {
  return new Map(dropped.flatMap(({ reason, tags }) => tags.map((tag) => [tag, reason] as const)));
}

/** The reasons with their counts: "60 dark, 3 condition"; empty when nothing was dropped. */
export function droppedWords(dropped: readonly Dropped[]): string {
  return dropped.map(({ reason, tags }) => `${tags.length} ${reason}`).join(", ");
}

/** The same behind a sentence: ": 60 dark, 3 condition"; empty when nothing was dropped. */
export function droppedBecause(dropped: readonly Dropped[]): string {
  return dropped.length === 0 ? "" : `: ${droppedWords(dropped)}`;
}

/** Keeps the account while shots pass by. */
export class LedgerBook {
  #used = 0;
  readonly #dropped = new Map<string, number[]>();
  /** The reason of the last drop, which mostly is that of the next one. */
  #last: { readonly reason: string; readonly tags: number[] } | undefined;
  readonly #notes = new Map<string, number>();
  readonly #amounts = new Map<string, number>();

  use(shots = 1): void {
    this.#used += shots;
  }

  drop(tag: number, reason: string): void {
    if (this.#last?.reason !== reason) {
      this.#last = { reason, tags: this.#dropped.get(reason) ?? [] };
      this.#dropped.set(reason, this.#last.tags);
    }
    this.#last.tags.push(tag);
  }

  /** Something to tell about a shot that is used. */
  note(what: string): void {
    this.#notes.set(what, (this.#notes.get(what) ?? 0) + 1);
  }

  /** What was done to a used shot in numbers, on the grid of exact sums. */
  amount(what: string, value: number): void {
    this.#amounts.set(what, (this.#amounts.get(what) ?? 0) + value);
  }

  /** How many are used, and dropped by reason: without the tags, for who asks often. */
  get counts(): { readonly used: number; readonly dropped: Readonly<Record<string, number>> } {
    return {
      used: this.#used,
      dropped: Object.fromEntries([...this.#dropped].map(([reason, tags]) => [reason, tags.length])),
    };
  }

  /** The account so far; what was asked is what has been used or dropped. */
  get ledger(): Ledger {
    const dropped = [...this.#dropped].map(([reason, tags]) => ({ reason, tags: [...tags] }));
    const account = { asked: this.#used + dropped.reduce((n, d) => n + d.tags.length, 0), used: this.#used, dropped };
    // Of each point of a scan there is one.
    if (this.#notes.size + this.#amounts.size === 0) return account;
    return { ...account, ...present("notes", this.#notes), ...present("amounts", this.#amounts) };
  }
}

/** A record of the ledger, or nothing when it is empty. */
export function present<K extends string>(
  name: K,
  entries: Iterable<readonly [string, number]>,
): { readonly [P in K]?: Readonly<Record<string, number>> } {
  const record = Object.fromEntries(entries);
  return (Object.keys(record).length === 0 ? {} : { [name]: record }) as { readonly [P in K]?: typeof record };
}

/** One account for two parts of the shots, reasons in order of first appearance, tags in the order given. */
export function mergeLedgers(a: Ledger, b: Ledger): Ledger {
  const dropped = new Map<string, number[]>();
  for (const { reason, tags } of [...a.dropped, ...b.dropped])
    dropped.set(reason, [...(dropped.get(reason) ?? []), ...tags]);
  const entries = [...dropped].map(([reason, tags]) => ({ reason, tags }));
  return {
    asked: a.asked + b.asked,
    used: a.used + b.used,
    dropped: entries,
    ...present("notes", added(a.notes, b.notes)),
    ...present("amounts", added(a.amounts, b.amounts)),
  };
}

function added(a: Ledger["notes"], b: Ledger["notes"]): Map<string, number> {
  const total = new Map(Object.entries(a ?? {}));
  for (const [what, number] of Object.entries(b ?? {})) total.set(what, (total.get(what) ?? 0) + number);
  return total;
}

/**
 * Only the dropped shots of an account, as an account of their own: what to merge in when the shots it used are
 * accounted for elsewhere. Shots that were never looked at are left out, so that they can still be asked for.
 */
export function onlyDropped(ledger: Ledger): Ledger {
  const dropped = ledger.dropped.filter(({ reason }) => reason !== NOT_READ);
  return { asked: dropped.reduce((n, { tags }) => n + tags.length, 0), used: 0, dropped };
}

/** The same account with reasons, tags, notes and amounts ascending: parts merged in any order give the same one. */
export function orderedLedger({ asked, used, dropped, notes = {}, amounts = {} }: Ledger): Ledger {
  const byName = <T>(entries: (readonly [string, T])[]) => entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const reasons = byName(dropped.map(({ reason, tags }) => [reason, tags] as const));
  return {
    asked,
    used,
    dropped: reasons.map(([reason, tags]) => ({ reason, tags: [...tags].sort((a, b) => a - b) })),
    ...present("notes", byName(Object.entries(notes))),
    ...present("amounts", byName(Object.entries(amounts))),
  };
}
