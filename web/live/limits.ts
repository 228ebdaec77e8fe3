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
const NO_DATA = 65_535;
const TOP_LEVEL = 65_534;

/** The values of a picture as the server has sent them: NaN where there are none. */
export function valuesOf({ levels, low, high }: Picture): Float32Array {
  const step = (high - low) / TOP_LEVEL;
  const values = new Float32Array(levels.length);
  for (let i = 0; i < values.length; i++) {
    const level = levels[i] ?? NO_DATA;
    values[i] = level === NO_DATA ? Number.NaN : low + level * step;
  }
  return values;
}

export function limitsOf(picture: Picture, values: Float32Array, { limits, scale }: Look): Limits {
  const [from = "", to = ""] = limits.split(/[–,]/);
  const isPercent = limits.includes("–");
  let low = isPercent ? quantile(picture, Number(from)) : Number(from);
  let high = isPercent ? quantile(picture, Number(to)) : Number(to);
  if (!Number.isFinite(low)) low = picture.low;
  if (!Number.isFinite(high)) high = picture.high;
  // There is no colour for what a scale does not have.
  if (scale === "log") {
    const least = leastPositive(values);
    low = Math.max(low, least);
    high = Math.max(high, 10 * least);
  }
  if (scale === "sqrt") low = Math.max(low, 0);
  if (!(high > low)) high = low + Math.max(1e-6, Math.abs(low) * 1e-6);
  let [below, above, all] = [0, 0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    all++;
    if (value < low) below++;
    else if (value > high) above++;
  }
  return { low, high, below: (100 * below) / Math.max(1, all), above: (100 * above) / Math.max(1, all) };
}

function quantile({ percent, quantiles }: Picture, wanted: number): number {
  const at = percent.indexOf(wanted);
  return quantiles[at] ?? Number.NaN;
}

function leastPositive(values: Float32Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (const value of values) if (value > 0 && value < least) least = value;
  return Number.isFinite(least) ? Math.max(least, 1e-3) : 1;
}
