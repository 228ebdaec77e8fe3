import ndarray, { type NdArray } from "ndarray";
import { badArgument } from "../../core/guards.ts";
import type { ShotSeries } from "../engine/shot-series.ts";
import { ratio, type WideSums, wideTotals } from "../engine/wide-sum.ts";
import type { RadialUnit } from "./radial-axis.ts";

/** Profiles shot by shot; the arrays have shape [shots, bins], shots in the order of `tags`, bins as in the profile. */
export interface ShotProfiles {
  readonly tags: Uint32Array;
  /** Middle of each radial bin kept. */
  readonly radial: Float64Array;
  readonly sum: NdArray<Float64Array>;
  readonly norm: NdArray<Float64Array>;
  /** sum / norm, NaN where no pixel counted. */
  readonly mean: NdArray<Float64Array>;
}

/**
 * Intensity against distance from the beam, over all shots. With azimuthal sectors the arrays hold sector after sector:
 * value [sector · radial.length + bin].
 */
export interface RadialProfile {
  readonly unit: RadialUnit;
  /** Middle of each radial bin. */
  readonly radial: Float64Array;
  /** Edges of the radial bins, one more than bins. */
  readonly edges: Float64Array;
  /** Middle of each sector, degrees counter-clockwise from X looking from the source; null for the whole circle. */
  readonly azimuthDeg: Float64Array | null;
  /** sum / norm, per pixel and shot, in units of the pixels; NaN where no pixel counted. */
  readonly mean: Float64Array;
  /**
   * Standard error of `mean`; from what, see `errorsFrom`. NaN where there is none: no pixel, or fewer than two shots.
   */
  readonly error: Float64Array;
  readonly errorsFrom: "poisson" | "shots";
  /** Sum of the pixel values in each bin over all shots, as they are: corrections stand in `norm`. */
  readonly sum: Float64Array;
  /** How many pixel values that is; shares of pixels count as shares. */
  readonly count: Float64Array;
  /** Sum of polarisation × relative solid angle of those pixels; `count` without corrections. */
  readonly norm: Float64Array;
  /** `sum` in two exact parts, so that {@link combineProfiles} does not round twice. */
  readonly exact: WideSums;
  /** The same of pixel values × share², for Poisson errors of shared pixels; null when pixels are whole. */
  readonly exactSquares: WideSums | null;
  readonly aduPerPhoton: number;
  /** Null when it was not asked for. */
  readonly perShot: ShotProfiles | null;
}

/** What is summed of a profile. */
type ProfileParts = Omit<RadialProfile, "mean" | "error" | "sum">;

export function profileOf(parts: ProfileParts): RadialProfile {
  const sum = wideTotals(parts.exact);
  return { ...parts, sum, mean: ratio(sum, parts.norm), error: errorsOf(parts, sum) };
}

function errorsOf({ norm, errorsFrom, exactSquares, aduPerPhoton, perShot }: ProfileParts, sum: Float64Array) {
  if (errorsFrom === "shots") return perShot === null ? sum.map(() => NaN) : scatterErrors(perShot);
  const squares = exactSquares === null ? sum : wideTotals(exactSquares);
  return ratio(
    squares.map((value) => Math.sqrt(aduPerPhoton * Math.max(0, value))),
    norm,
  );
}

/**
 * Standard error of Σ sum / Σ norm over the shots, from the residuals sum − ratio · norm: what sum and norm have in
 * common is not noise.
 */
function scatterErrors({ tags, sum, norm }: ShotProfiles): Float64Array {
  const shots = tags.length;
  const bins = sum.shape[1] ?? 0;
  return Float64Array.from({ length: bins }, (_, bin) => {
    let [sums, norms, squares] = [0, 0, 0];
    for (let k = 0; k < shots; k++) {
      sums += sum.data[k * bins + bin] ?? NaN;
      norms += norm.data[k * bins + bin] ?? NaN;
    }
    for (let k = 0; k < shots; k++)
      squares += ((sum.data[k * bins + bin] ?? NaN) - (sums / norms) * (norm.data[k * bins + bin] ?? NaN)) ** 2;
    return shots < 2 ? NaN : Math.sqrt((squares * shots) / (shots - 1)) / norms;
  });
}

/** The series of a reducer, of which each row has the sum and the norm of each bin. */
export function shotProfiles(shots: ShotSeries, radial: Float64Array): ShotProfiles {
  const { tags } = shots;
  const bins = shots.width / 2;
  const [sum, norm] = [new Float64Array(tags.length * bins), new Float64Array(tags.length * bins)];
  for (let bin = 0; bin < bins; bin++) {
    const [total, number] = [shots.column(2 * bin), shots.column(2 * bin + 1)];
    for (let k = 0; k < tags.length; k++) {
      sum[k * bins + bin] = total[k] ?? NaN;
      norm[k * bins + bin] = number[k] ?? NaN;
    }
  }
  return tabled(tags, radial, sum, norm, bins);
}

function tabled(
  tags: Uint32Array,
  radial: Float64Array,
  sum: Float64Array,
  norm: Float64Array,
  bins: number,
): ShotProfiles {
  const table = (data: Float64Array): NdArray<Float64Array> => ndarray(data, [tags.length, bins]);
  return { tags, radial, sum: table(sum), norm: table(norm), mean: table(ratio(sum, norm)) };
}

/**
 * The profiles of a detector's sensors as one: sums and counts add bin by bin, exactly, in any order. A shot that lacks
 * a sensor is the mean over the pixels of the others.
 *
 * @param bySensor - what {@link reduce} gave for one {@link radialProfile}
 * @throws BAD_ARGUMENT when there is no profile, or their bins differ
 */
export function combineProfiles(bySensor: Readonly<Record<string, RadialProfile>>): RadialProfile {
  const profiles = Object.values(bySensor);
  const [first] = profiles;
  if (first === undefined) throw badArgument("profiles", "none", "the profile of at least one sensor");
  const words = (p: RadialProfile): string =>
    JSON.stringify([
      p.unit,
      p.edges.length,
      p.edges.at(0),
      p.edges.at(-1),
      p.count.length,
      p.errorsFrom,
      p.aduPerPhoton,
      p.exactSquares !== null,
      p.perShot === null ? "no shots" : [p.perShot.radial.length, p.perShot.radial[0]],
    ]);
  for (const profile of profiles)
    if (words(profile) !== words(first))
      throw badArgument("bins", words(profile), `${words(first)} as in the other sensors`);
  const total = (pick: (profile: RadialProfile) => Float64Array): Float64Array =>
    profiles.map(pick).reduce((all, part) => all.map((value, i) => value + (part[i] ?? 0)));
  const wide = (pick: (profile: RadialProfile) => WideSums | null): WideSums => ({
    upper: total((p) => pick(p)?.upper ?? new Float64Array()),
    lower: total((p) => pick(p)?.lower ?? new Float64Array()),
  });
  return profileOf({
    ...first,
    exact: wide((p) => p.exact),
    exactSquares: first.exactSquares === null ? null : wide((p) => p.exactSquares),
    count: total((p) => p.count),
    norm: total((p) => p.norm),
    perShot:
      first.perShot === null
        ? null
        : combineShots(
            profiles.flatMap((p) => p.perShot ?? []),
            first.perShot,
          ),
  });
}

function combineShots(parts: readonly ShotProfiles[], { radial, sum: { shape } }: ShotProfiles): ShotProfiles {
  const tags = Uint32Array.from(new Set(parts.flatMap((part) => [...part.tags]))).sort();
  const place = new Map(Array.from(tags, (tag, k) => [tag, k]));
  const bins = shape[1] ?? 0;
  const [sum, norm] = [new Float64Array(tags.length * bins), new Float64Array(tags.length * bins)];
  for (const part of parts) {
    part.tags.forEach((tag, k) => {
      const to = (place.get(tag) ?? 0) * bins;
      for (let bin = 0; bin < bins; bin++) {
        sum[to + bin] = (sum[to + bin] ?? 0) + (part.sum.data[k * bins + bin] ?? 0);
        norm[to + bin] = (norm[to + bin] ?? 0) + (part.norm.data[k * bins + bin] ?? 0);
      }
    });
  }
  return tabled(tags, radial, sum, norm, bins);
}
