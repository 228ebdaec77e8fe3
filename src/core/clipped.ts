import { type Ledger, mergeLedgers, reasonsByTag } from "./ledger.ts";
import type { ShotNumbers } from "./ratio.ts";

/** A signal that an amplifier or an ADC cuts off. */
export interface Clipped {
  /** Its greatest reading. */
  readonly ceiling: number;
  /** Shots that read it. */
  readonly count: number;
  /** In a sentence for people, with the share of all shots. */
  readonly words: string;
}

/** So many shots at least, and so many times as many as read each of the values next below. */
const [LEAST_CLIPPED, CLIPPED_TIMES, NEXT_BELOW] = [5, 5, 10];

/**
 * Whether a signal is cut off at its greatest reading: shots heap up there; null for readings that thin out towards it.
 * @param what - its name in the words
 */
export function clippedIn(what: string, values: ShotNumbers): Clipped | null {
  const counts = new Map<number, number>();
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (Number.isFinite(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const [ceiling, ...below] = Float64Array.from(counts.keys()).sort().reverse();
  if (ceiling === undefined) return null;
  const next = below.slice(0, NEXT_BELOW).map((value) => counts.get(value) ?? 0);
  const count = counts.get(ceiling) ?? 0;
  const isHeap = next.length === NEXT_BELOW && next.every((fewer) => count >= CLIPPED_TIMES * fewer);
  if (!isHeap || count < LEAST_CLIPPED) return null;
  const share = `${((100 * count) / values.length).toPrecision(2)} %`;
  const shown = Number(ceiling.toPrecision(6));
  return {
    ceiling,
    count,
    words: `${count} shots (${share}) read the greatest ${what}, ${shown}: it is cut off there, leave them out`,
  };
}

/**
 * An account with a note `<name>-clipped`: how many of the used shots read a value at which the signal is cut off,
 * which is no measurement.
 * @param tags - of the shots that the numbers are of
 * @param signals - the numbers, by the names that reasons of the account begin with (`i0`, `signal`)
 */
export function withClipped(
  ledger: Ledger,
  tags: ArrayLike<number>,
  signals: Readonly<Record<string, ShotNumbers>>,
): Ledger {
  const notes: Record<string, number> = {};
  const dropped = reasonsByTag(ledger.dropped);
  for (const [name, values] of Object.entries(signals)) {
    const found = clippedIn(name, values);
    if (found === null) continue;
    const clipped = Array.from(tags).filter((tag, i) => values[i] === found.ceiling && !dropped.has(tag));
    if (clipped.length > 0) notes[`${name}-clipped`] = clipped.length;
  }
  return Object.keys(notes).length === 0 ? ledger : mergeLedgers(ledger, { asked: 0, used: 0, dropped: [], notes });
}
