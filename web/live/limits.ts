import type { CallResult } from "../../src/transport/methods.ts";
import type { Look } from "./look.ts";

type Picture = CallResult<"page.picture">["picture"];

/** The values of the lowest and the highest colour, and how much of the picture is beyond them. */
export interface Limits {
  readonly low: number;
  readonly high: number;
  /** Percent of the values. */
  readonly below: number;
  readonly above: number;
}

/** Level that says: no data. */
export const NO_DATA = 65_535;
/** Levels from 0 to this are values. */
export const TOP_LEVEL = 65_534;

export function limitsOf(picture: Picture, { limits, scale }: Pick<Look, "limits" | "scale">): Limits {
  const [from = "", to = ""] = limits.split(/[–,]/);
  const isPercent = limits.includes("–");
  let low = isPercent ? quantile(picture, Number(from)) : Number(from);
  let high = isPercent ? quantile(picture, Number(to)) : Number(to);
  if (!Number.isFinite(low)) low = picture.low;
  if (!Number.isFinite(high)) high = picture.high;
  // There is no colour for what a scale does not have.
  if (scale === "log") {
    const least = leastPositive(picture);
    low = Math.max(low, least);
    high = Math.max(high, 10 * least);
  }
  if (scale === "sqrt") low = Math.max(low, 0);
  if (!(high > low)) high = low + Math.max(1e-6, Math.abs(low) * 1e-6);
  return { low, high, ...beyond(picture, low, high) };
}

/** Percent of the values below and above. */
function beyond(picture: Picture, low: number, high: number): Pick<Limits, "below" | "above"> {
  const [lowest, highest] = [levelOf(picture, low), levelOf(picture, high)];
  let [below, above, all] = [0, 0, 0];
  for (const level of picture.levels) {
    if (level === NO_DATA) continue;
    all++;
    if (level < lowest) below++;
    else if (level > highest) above++;
  }
  return { below: (100 * below) / Math.max(1, all), above: (100 * above) / Math.max(1, all) };
}

/** The level of a value, between two levels for most. */
function levelOf({ low, high }: Picture, value: number): number {
  return high > low ? ((value - low) / (high - low)) * TOP_LEVEL : value < low ? -1 : value > low ? 1 : 0;
}

function quantile({ percent, quantiles }: Picture, wanted: number): number {
  const at = percent.indexOf(wanted);
  return quantiles[at] ?? Number.NaN;
}

function leastPositive(picture: Picture): number {
  const zero = levelOf(picture, 0);
  let least = NO_DATA;
  for (const level of picture.levels) if (level > zero && level < least) least = level;
  const { low, high } = picture;
  return least === NO_DATA ? 1 : Math.max(low + (least * (high - low)) / TOP_LEVEL, 1e-3);
}
