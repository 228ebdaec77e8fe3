import ndarray, { type NdArray } from "ndarray";
import { badArgument } from "../../core/guards.ts";
import { quantize } from "../engine/exact.ts";
import type { ShotSeries } from "../engine/shot-series.ts";
import { addWide, ratio, sums, type WideSums, wideTotals } from "../engine/wide-sum.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { RadialBins, type RadialProfileOptions } from "./radial-bins.ts";

/** Profiles shot by shot; the arrays have shape [shots, bins], shots in the order of `tags`. */
export interface ShotProfiles {
  readonly tags: Uint32Array;
  /** Middle of each bin. */
  readonly radiusUm: Float64Array;
  readonly sum: NdArray<Float64Array>;
  readonly count: NdArray<Float64Array>;
  /** sum / count, NaN where no pixel counted. */
  readonly mean: NdArray<Float64Array>;
}

/** Intensity against distance from the beam, over all shots. */
export interface RadialProfile {
  readonly binUm: number;
  /** Middle of each bin. */
  readonly radiusUm: Float64Array;
  /** Mean per pixel and shot, in units of the pixels; NaN where no pixel counted. */
  readonly mean: Float64Array;
  /** Sum of the pixel values in each bin over all shots. */
  readonly sum: Float64Array;
  /** How many pixel values that is. */
  readonly count: Float64Array;
  /** `sum` in two exact parts, so that {@link combineProfiles} does not round twice. */
  readonly exact: WideSums;
  /** Null when it was not asked for. */
  readonly perShot: ShotProfiles | null;
}

/**
 * Mean intensity in rings round the beam. Each pixel belongs to the ring its centre lies in and weighs the same, so a
 * bin is the mean over the pixels that are really there: gaps and masked pixels take no part, and pixels that are NaN
 * or infinite are left out shot by shot. Every sensor has its own profile in the result; {@link combineProfiles} makes
 * the detector's of them. Sensors of different gain must be brought to one scale before.
 *
 * Memory per sensor: 48 bytes per bin, 2 bytes per pixel for the table of bins, 1 for the mask if there is one, and
 * with `perShot` 4 + 16 · bins bytes per shot.
 *
 * @throws BAD_ARGUMENT when a sensor is not in `sensors` or its images are not whole
 * @throws BAD_GEOMETRY when a sensor has no geometry, or the halves of the detector are open
 * @example
 * const { rings } = await reduce(shots, { rings: radialProfile({ sensors: assembler.sensors, binUm: 100 }) }, { dark
 * }); const profile = combineProfiles(rings);
 * const q = profile.radiusUm.map((r) => radiusToQ(r, distanceMm, photonEnergyEv));
 */
export function radialProfile(options: RadialProfileOptions): Reducer<RadialProfile> {
  const table = new RadialBins(options);
  const { bins, binUm } = table;
  const [start, end] = table.kept;
  const shotSum = new Float64Array(bins + 1);
  const missing = new Float64Array(bins + 1);
  const row = new Float64Array(2 * (end - start));
  return defineReducer({
    name: `radialProfile(${table.words})`,
    layout: ({ detId, rows, columns }) => {
      table.of(detId, rows, columns);
      return {
        upper: sums(bins),
        lower: sums(bins),
        count: sums(bins),
        shots: { type: "series", width: row.length },
        table: { type: "scratch", bytes: table.bytesFor(detId, rows * columns) },
        rows: { type: "scratch", bytes: shotSum.byteLength + missing.byteLength + row.byteLength },
      };
    },
    add: ({ upper, lower, count, shots }, pixels, { tag }, { detId, rows, columns }) => {
      const { binOf, pixelsIn } = table.of(detId, rows, columns);
      shotSum.fill(0);
      missing.fill(0);
      for (let i = 0; i < binOf.length; i++) {
        const bin = binOf[i] ?? bins;
        const value = pixels[i] ?? NaN;
        // False for NaN and for both infinities.
        if (value - value === 0) shotSum[bin] = (shotSum[bin] ?? 0) + quantize(value);
        else missing[bin] = (missing[bin] ?? 0) + 1;
      }
      for (let bin = 0; bin < bins; bin++) {
        addWide(upper, lower, bin, shotSum[bin] ?? 0);
        count[bin] = (count[bin] ?? 0) + (pixelsIn[bin] ?? 0) - (missing[bin] ?? 0);
      }
      if (row.length === 0) return;
      for (let bin = start, k = 0; bin < end; bin++) {
        row[k++] = shotSum[bin] ?? 0;
        row[k++] = (pixelsIn[bin] ?? 0) - (missing[bin] ?? 0);
      }
      shots.push(tag, ...row);
    },
    result: ({ upper, lower, count, shots }) => {
      const perShot = row.length === 0 ? null : shotProfiles(shots, table.radii(start, end));
      return profileOf(binUm, table.radii(), { upper: upper.slice(), lower: lower.slice() }, count.slice(), perShot);
    },
  });
}

function profileOf(
  binUm: number,
  radiusUm: Float64Array,
  exact: WideSums,
  count: Float64Array,
  perShot: ShotProfiles | null,
): RadialProfile {
  const sum = wideTotals(exact);
  return { binUm, radiusUm, mean: ratio(sum, count), sum, count, exact, perShot };
}

function shotProfiles(shots: ShotSeries, radiusUm: Float64Array): ShotProfiles {
  const { tags } = shots;
  const [sum, count] = [
    new Float64Array(tags.length * radiusUm.length),
    new Float64Array(tags.length * radiusUm.length),
  ];
  for (let bin = 0; bin < radiusUm.length; bin++) {
    const [total, number] = [shots.column(2 * bin), shots.column(2 * bin + 1)];
    for (let k = 0; k < tags.length; k++) {
      sum[k * radiusUm.length + bin] = total[k] ?? NaN;
      count[k * radiusUm.length + bin] = number[k] ?? NaN;
    }
  }
  return tabled(tags, radiusUm, sum, count);
}

function tabled(tags: Uint32Array, radiusUm: Float64Array, sum: Float64Array, count: Float64Array): ShotProfiles {
  const table = (data: Float64Array): NdArray<Float64Array> => ndarray(data, [tags.length, radiusUm.length]);
  return { tags, radiusUm, sum: table(sum), count: table(count), mean: table(ratio(sum, count)) };
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
  for (const { binUm, count, perShot } of profiles) {
    const isSame =
      perShot?.radiusUm[0] === first.perShot?.radiusUm[0] &&
      perShot?.radiusUm.length === first.perShot?.radiusUm.length;
    if (binUm !== first.binUm || count.length !== first.count.length || !isSame) {
      throw badArgument(
        "bins",
        `${count.length} of ${binUm} µm`,
        `${first.count.length} of ${first.binUm} µm as in the other sensors`,
      );
    }
  }
  const total = (pick: (profile: RadialProfile) => Float64Array): Float64Array =>
    profiles.map(pick).reduce((all, part) => all.map((value, i) => value + (part[i] ?? 0)));
  const exact = { upper: total((p) => p.exact.upper), lower: total((p) => p.exact.lower) };
  const perShot =
    first.perShot === null
      ? null
      : combineShots(
          profiles.flatMap((p) => p.perShot ?? []),
          first.perShot.radiusUm,
        );
  return profileOf(
    first.binUm,
    first.radiusUm.slice(),
    exact,
    total((p) => p.count),
    perShot,
  );
}

function combineShots(parts: readonly ShotProfiles[], radiusUm: Float64Array): ShotProfiles {
  const tags = Uint32Array.from(new Set(parts.flatMap((part) => [...part.tags]))).sort();
  const place = new Map(Array.from(tags, (tag, k) => [tag, k]));
  const bins = radiusUm.length;
  const [sum, count] = [new Float64Array(tags.length * bins), new Float64Array(tags.length * bins)];
  for (const part of parts) {
    part.tags.forEach((tag, k) => {
      const to = (place.get(tag) ?? 0) * bins;
      for (let bin = 0; bin < bins; bin++) {
        sum[to + bin] = (sum[to + bin] ?? 0) + (part.sum.data[k * bins + bin] ?? 0);
        count[to + bin] = (count[to + bin] ?? 0) + (part.count.data[k * bins + bin] ?? 0);
      }
    });
  }
  return tabled(tags, radiusUm, sum, count);
}
