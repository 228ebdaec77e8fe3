import { JAPAN_OFFSET_SECONDS } from "./japan.ts";

/** Whose clock times are shown by: Japan's, where the facility is, UTC's, or that of the reader's computer. */
export type Zone = "jst" | "utc" | "local";
export const zones = ["jst", "utc", "local"] as const satisfies readonly Zone[];

/** How a clock is named beside its times. */
export function zoneName(zone: Zone): string {
  return zone === "local" ? "local" : zone.toUpperCase();
}

/** What a source gives that knows no time: the beginning of 1970, and seconds of shots after it. */
const KNOWN_SINCE_MS = Date.UTC(1980);

/** A time to the second, without the name of the clock: `2025-03-04 08:58:00`. `unknown` for a time before 1980. */
export function plainTime(date: Date, zone: Zone = "jst"): string {
  if (date.getTime() < KNOWN_SINCE_MS) return "unknown";
  const local = -date.getTimezoneOffset() * 60_000;
  const ahead = zone === "jst" ? 1000 * JAPAN_OFFSET_SECONDS : zone === "utc" ? 0 : local;
  return new Date(date.getTime() + ahead).toISOString().slice(0, 19).replace("T", " ");
}

/** A time as people write it, with the clock's name: `2025-03-04 08:58:00 JST`. `unknown` for a time before 1980. */
export function timeText(date: Date, zone: Zone = "jst"): string {
  const time = plainTime(date, zone);
  return time === "unknown" ? time : `${time} ${zoneName(zone)}`;
}

/** `2 min 10 s`. */
export function durationText(seconds: number): string {
  const s = Math.round(seconds);
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s % 60} s` : `${s} s`;
}
