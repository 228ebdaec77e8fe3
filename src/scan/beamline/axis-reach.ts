import { SaclaError } from "../../core/errors.ts";
import type { AxisView } from "../../ec/index.ts";

/** Where an axis may be sent. `within`: a target beyond a limit by no more than this counts as at the limit. */
export type AxisReach = { readonly from: number; readonly to: number; readonly within?: number } | "unlimited";

/** The limits of an axis that goes in whole pulses: half a pulse beyond a limit is rounded to it. */
export function reachOf({ limits, definition }: AxisView): AxisReach {
  return limits === "unlimited" ? limits : { ...limits, within: 0.5 / definition.pulsesPerUnit };
}

/** @throws LIMIT */
export function checkWithin(axis: string, target: number, limits: AxisReach): void {
  if (!Number.isFinite(target))
    throw new SaclaError("LIMIT", `${axis} cannot go to ${target}: that is no position.`, {
      details: { axis, target },
    });
  if (limits === "unlimited") return;
  // 0.1 · 3 is 0.30000000000000004: what the last bits of a product add is far below a pulse.
  const slack = Math.max(limits.within ?? 0, 1e-12 * Math.max(Math.abs(limits.from), Math.abs(limits.to)));
  if (target >= limits.from - slack && target <= limits.to + slack) return;
  throw new SaclaError("LIMIT", `${axis} cannot go to ${target}: its limits are ${limits.from} to ${limits.to}.`, {
    details: { axis, target, limits },
  });
}
