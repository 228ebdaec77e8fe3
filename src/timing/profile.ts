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
  /** Share of the bins that saturation took, and that were filled from their neighbours. */
  readonly lost: number;
  /** 1 in each of those; undefined where there is none. */
  readonly gaps: Uint8Array | undefined;
}

/**
 * More than this part of the light lost around a bin: it is lost in all bands. What is left there was picked by its own
 * noise, and bands without an edge may take the place of those with one.
 */
const MOST_LOST_AROUND = 0.5;
/** Bins on either side that are around one. */
const AROUND = 5;

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
  const gaps = gapsOf(norm);
  let lost = 0;
  for (let x = 0; x < bins; x++) {
    sum[x] = (sum[x] ?? 0) / (norm[x] ?? 0);
    lost += gaps?.[x] ?? 0;
  }
  if (gaps !== undefined && lost < bins) fillGaps(sum, gaps);
  if (darkSide === "high") {
    sum.reverse();
    gaps?.reverse();
  }
  return { values: sum, lost: lost / bins, gaps };
}

/** The bins around which too much of the weight is missing; a band that is missing everywhere is none. */
function gapsOf(norm: Float64Array): Uint8Array | undefined {
  const bins = norm.length;
  let [most, least] = [0, Infinity];
  for (let x = 0; x < bins; x++) {
    const weight = norm[x] ?? 0;
    if (weight > most) most = weight;
    if (weight < least) least = weight;
  }
  if (least === most && most > 0) return undefined;
  const missing = new Float64Array(bins + 1);
  for (let x = 0; x < bins; x++) missing[x + 1] = (missing[x] ?? 0) + (most > 0 ? 1 - (norm[x] ?? 0) / most : 1);
  return Uint8Array.from(norm, (weight, x) => {
    const [from, to] = [Math.max(0, x - AROUND), Math.min(bins, x + AROUND + 1)];
    const around = ((missing[to] ?? 0) - (missing[from] ?? 0)) / (to - from);
    return !(weight > 0) || around > MOST_LOST_AROUND ? 1 : 0;
  });
}

/** Whether a gap is within so many bins of a position. */
export function hasGap(gaps: Uint8Array | undefined, at: number, within: number): boolean {
  return gaps?.subarray(Math.max(0, Math.ceil(at - within)), Math.floor(at + within) + 1).includes(1) ?? false;
}

/** Bins without a value take that of the straight line between their neighbours. */
function fillGaps(values: Float64Array, gaps: Uint8Array): void {
  let before = -1;
  for (let x = 0; x <= values.length; x++) {
    if (gaps[x] === 1) continue;
    const [from, to] = [values[before] ?? values[x] ?? 1, values[x] ?? values[before] ?? 1];
    for (let k = before + 1; k < x; k++) values[k] = from + ((to - from) * (k - before)) / (x - before);
    before = x;
  }
}
