import { useSyncExternalStore } from "react";

/** What the header says of the live data. */
export interface Health {
  /** Whether live pictures are asked for. */
  readonly isWatching: boolean;
  /** From the shot to the screen, both by the clock of this computer. */
  readonly shotToScreenMs: number | null;
  /** When the newest shot happened, milliseconds of this computer's clock. */
  readonly shownAt: number | null;
  /** The same by the clock of the source, unix seconds. */
  readonly shotTime: number | null;
  /** The server's clock less ours, seconds; the way of the answer is in it. */
  readonly clockOffset: number | null;
  /** Whether enough answers have come: the first ones may be slow. */
  readonly isClockSure: boolean;
  readonly used: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly error: string | null;
  /** Why no live shot comes; null: they come. */
  readonly quiet: string | null;
}

const none: Health = {
  isWatching: false,
  shotToScreenMs: null,
  shownAt: null,
  shotTime: null,
  clockOffset: null,
  isClockSure: false,
  used: 0,
  dropped: {},
  error: null,
  quiet: null,
};
let health: Health = none;
const listeners = new Set<() => void>();
const SURE_ANSWERS = 10;
/** Of the last answers: the fastest of them tells the clocks apart best. */
const offsets: number[] = [];

/**
 * The first shot and what goes wrong are shown at once; numbers when who shows them draws again by itself. Each picture
 * changes them, and the screen would be drawn for it a second and a third time.
 */
export function tellHealth(change: Partial<Health>): void {
  const before = health;
  health = { ...health, ...change };
  const isNews = (["isWatching", "error", "quiet"] as const).some((name) => health[name] !== before[name]);
  if (isNews || (health.shownAt === null) !== (before.shownAt === null)) for (const listener of listeners) listener();
}

/** Pictures are asked for, or no longer: what was said of those before is no longer true. */
export function tellWatching(isWatching: boolean): void {
  const { clockOffset, isClockSure } = health;
  tellHealth({ ...none, isWatching, clockOffset, isClockSure });
}

/** @param now - the time at the server when it answered, unix seconds */
export function tellClock(now: number): void {
  offsets.push(now - Date.now() / 1000);
  if (offsets.length > 20) offsets.shift();
  // The later an answer comes, the further back its time seems.
  tellHealth({ clockOffset: Math.max(...offsets), isClockSure: offsets.length >= SURE_ANSWERS });
}

export function healthNow(): Health {
  return health;
}

/** Numbers are as new as the last time it was drawn: see `useTick`. */
export function useHealth(): Health {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, healthNow);
}
