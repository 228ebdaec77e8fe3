import { SaclaError, show } from "./errors.ts";

/** Japan is 9 hours ahead of UTC and has no daylight saving time. */
export const JAPAN_OFFSET_SECONDS: number = 9 * 3600;

/** Unix seconds of a Japan time, "HH:MM:SS" of a day. @throws BAD_ARGUMENT when `time` is no such text */
export function japanTime(time: string, day: number, month: number, year: number): number {
  const match = /^([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d)$/.exec(time);
  if (match === null) throw new SaclaError("BAD_ARGUMENT", `time is ${show(time)}, but must be "HH:MM:SS".`);
  const [, hours, minutes, seconds] = match.map(Number);
  return Date.UTC(year, month - 1, day, hours, minutes, seconds) / 1000 - JAPAN_OFFSET_SECONDS;
}

/**
 * The HighTag of a time, for sources that do not record it: 20XX01 from March to August, 20XX02 from September to
 * February, in Japan time. A guess where it matters: the half-years of beam time begin at no fixed day. It fits what is
 * known (201601 in March 2016, 201801 in March 2018, 202502 in November 2025), but 201704 and 201803 exist too.
 */
export function hightagAt(unixSeconds: number): number {
  const japan = new Date((unixSeconds + JAPAN_OFFSET_SECONDS) * 1000);
  const month = japan.getUTCMonth() + 1;
  const year = japan.getUTCFullYear() - (month < 3 ? 1 : 0);
  return year * 100 + (month >= 3 && month <= 8 ? 1 : 2);
}
