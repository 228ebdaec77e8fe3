import { badArgument } from "../core/guards.ts";

/** Linear, or logarithmic to base 10. */
export type Scale = "linear" | "log";

/** `range` if it is two finite numbers, low < high, above 0 on a logarithmic scale. @throws BAD_ARGUMENT */
export function checkRange(
  name: string,
  range: readonly [low: number, high: number],
  log: boolean,
): readonly [low: number, high: number] {
  const [low, high] = range;
  if (Number.isFinite(low) && Number.isFinite(high) && low < high && (!log || low > 0)) return range;
  throw badArgument(
    name,
    range,
    log ? "two finite numbers, 0 < low < high, on a log scale" : "two finite numbers, low < high",
  );
}
