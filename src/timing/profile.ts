import type { Strip, StripLayout } from "./strip.ts";

/** How strips become profiles. */
export interface Profiler {
  readonly layout: StripLayout;
  /** Mean laser-only strip. */
  readonly background: Float32Array;
  /** How much each band counts; 0: not at all. */
  readonly weights: Float64Array;
  /** The side of the edge on which light is lost; profiles are turned so that it is the low one. */
  readonly darkSide: "low" | "high";
}

export interface Profile {
  /** Mean of shot over background, weighted by band, in each bin. */
  readonly values: Float64Array;
  /** Share of the bins that had no band left without saturated pixels, and were filled from their neighbours. */
  readonly lost: number;
}

/** The profile of a strip. */
export function stripProfile({ values }: Strip, { layout, background, weights, darkSide }: Profiler): Profile {
  const { bands, bins } = layout;
  const sum = new Float64Array(bins);
  const norm = new Float64Array(bins);
  for (let band = 0; band < bands; band++) {
    const weight = weights[band] ?? 0;
    if (!(weight > 0)) continue;
    const from = band * bins;
    for (let x = 0; x < bins; x++) {
      const light = background[from + x] ?? NaN;
      const ratio = (values[from + x] ?? NaN) / light;
      if (!(light > 0) || Number.isNaN(ratio)) continue;
      sum[x] = (sum[x] ?? 0) + weight * ratio;
      norm[x] = (norm[x] ?? 0) + weight;
    }
  }
  return toProfile(sum, norm, darkSide);
}

/** Sums over the bands as a profile: over their weights, gaps filled, turned so that light is lost on the low side. */
export function toProfile(sum: Float64Array, norm: Float64Array, darkSide: "low" | "high"): Profile {
  const bins = sum.length;
  let lost = 0;
  for (let x = 0; x < bins; x++) {
    const weight = norm[x] ?? 0;
    if (weight > 0) sum[x] = (sum[x] ?? 0) / weight;
    else lost++;
  }
  if (lost > 0 && lost < bins) fillGaps(sum, norm);
  if (darkSide === "high") sum.reverse();
  return { values: sum, lost: lost / bins };
}

/** Bins without a value take that of the straight line between their neighbours. */
function fillGaps(values: Float64Array, weights: Float64Array): void {
  let before = -1;
  for (let x = 0; x <= values.length; x++) {
    if (x < values.length && !((weights[x] ?? 0) > 0)) continue;
    const [from, to] = [values[before] ?? values[x] ?? 1, values[x] ?? values[before] ?? 1];
    for (let k = before + 1; k < x; k++) values[k] = from + ((to - from) * (k - before)) / (x - before);
    before = x;
  }
}
