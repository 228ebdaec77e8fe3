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

/** Numbers that {@link countReading} keeps: the greatest readings, each with how many shots read it. */
export const READINGS: number = 2 * (1 + NEXT_BELOW);

/**
 * Counts a reading among the greatest ones, which are kept in falling order, each before its count; 0 shots in places
 * that are free. Counted in parts and in any order, they are the same: what is among the greatest of all is so in its
 * part, too.
 * @param shots - that read it
 */
export function countReading(readings: Float64Array, value: number, shots = 1): void {
  if (!Number.isFinite(value) || shots === 0) return;
  let at = 0;
  while (at < READINGS && shotsAt(readings, at) > 0 && (readings[at] ?? NaN) > value) at += 2;
  if (at === READINGS) return;
  if (shotsAt(readings, at) === 0 || readings[at] !== value) {
    readings.copyWithin(at + 2, at, READINGS - 2);
    readings.set([value, 0], at);
  }
  readings[at + 1] = shotsAt(readings, at) + shots;
}

function shotsAt(readings: Float64Array, at: number): number {
  return readings[at + 1] ?? 0;
}

/** Shots that read the greatest value, where they heap up there; 0 for readings that thin out towards it. */
export function clippedAmong(readings: Float64Array): number {
  const [count = 0, ...next] = readings.filter((_, i) => i % 2 === 1);
  const isHeap = next.every((fewer) => fewer > 0 && count >= CLIPPED_TIMES * fewer);
  return isHeap && count >= LEAST_CLIPPED ? count : 0;
}

/**
 * Whether a signal is cut off at its greatest reading: shots heap up there; null for readings that thin out towards it.
 * @param what - its name in the words
 */
export function clippedIn(what: string, values: ShotNumbers): Clipped | null {
  const readings = new Float64Array(READINGS);
  for (let i = 0; i < values.length; i++) countReading(readings, values[i] ?? NaN);
  const [ceiling = NaN] = readings;
  const count = clippedAmong(readings);
  if (count === 0) return null;
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
