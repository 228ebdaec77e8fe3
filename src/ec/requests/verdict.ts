import type { Evidence, Verification } from "../../transport/request-methods.ts";

/** Fewer shots say too little of their scatter. */
export const LEAST_SHOTS = 10;
/** A mean is known to so many of its standard errors: 95 %. */
const SIGMAS = 2;

/** Where a signal must be when the parameter has a value; null where nothing says so. */
export function expectedRange(
  { tolerance, ranges }: Verification,
  value: number | string,
): readonly [low: number, high: number] | null {
  if (typeof value === "string")
    return ranges !== null && Object.hasOwn(ranges, value) ? (ranges[value] ?? null) : null;
  return tolerance === null ? null : [value - tolerance, value + tolerance];
}

/**
 * Whether shots show that a parameter has its value: `yes` when the whole 95 % interval of the mean is in the range,
 * `no` when none of it is, `open` between.
 */
export function verdict(
  { mean, standardError, shots }: Pick<Evidence, "mean" | "standardError" | "shots">,
  range: readonly [low: number, high: number] | null,
): "yes" | "no" | "open" {
  if (range === null) return "no";
  if (shots < LEAST_SHOTS || !Number.isFinite(mean) || !Number.isFinite(standardError)) return "open";
  const [low, high] = range;
  const reach = SIGMAS * standardError;
  if (mean - reach >= low && mean + reach <= high) return "yes";
  return mean + reach < low || mean - reach > high ? "no" : "open";
}
