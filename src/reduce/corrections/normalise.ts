import { asFinite, asText, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { multiply } from "../images/in-place.ts";
import type { Correction } from "./correction.ts";

export interface NormaliseOptions {
  /** The intensity monitor (I0): `xfel_bl_3_tc_bm_1_pd/charge`. */
  readonly equipId: string;
  /**
   * Shots outside are dropped: the least and the greatest I0 that are used, both included, in the unit of the signal;
   * above 0.
   */
  readonly limits: readonly [low: number, high: number];
  /**
   * Images are scaled to this I0, so that a shot of exactly this intensity stays as it is; in the unit of the signal,
   * within the limits.
   */
  readonly reference: number;
}

/**
 * Scales each image to a common intensity: × reference / I0, for what needs every image by itself, such as photons or a
 * histogram. A mean of such images is a mean of ratios, which scatters more: for mean images use the reducer
 * `normalised`, a ratio of sums. Dropped are shots with I0 outside the limits (`i0-out-of-limits`) and those without a
 * number (`i0-not-converged`, `i0-saturated`, `i0-missing`). Such shots have been read already; to save that, choose
 * with `filterShots` first.
 */
export function normalise(options: NormaliseOptions): Correction {
  const { equipId, limits, reference } = resolveOptions("normalise", options, {
    equipId: any,
    limits: any,
    reference: any,
  });
  asText("equipId", equipId);
  const low = asFinite("limits[0]", limits[0], Number.MIN_VALUE);
  const high = asFinite("limits[1]", limits[1], Number.MIN_VALUE);
  if (low > high) throw badArgument("limits", limits, "[low, high] with low ≤ high");
  asFinite("reference", reference, low, high);
  return {
    name: "normalise",
    settings: { equipId, limits: [low, high], reference },
    signals: [equipId],
    begin: () => {
      let factor = NaN;
      return {
        shot: (shot) => {
          const read = shot.value(equipId);
          if ("reason" in read) return `i0-${read.reason}`;
          // Written so that NaN is outside.
          if (!(read.value >= low && read.value <= high)) return "i0-out-of-limits";
          factor = reference / read.value;
          return null;
        },
        sensor: () => (pixels) => multiply(pixels, factor),
      };
    },
  };
}
