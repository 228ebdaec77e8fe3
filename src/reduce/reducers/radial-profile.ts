import { quantize } from "../engine/exact.ts";
import { addWide, sums } from "../engine/wide-sum.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { RadialBins, type SensorBins } from "./radial-bins.ts";
import type { RadialProfileOptions } from "./radial-options.ts";
import { profileOf, type RadialProfile, shotProfiles } from "./radial-results.ts";

/** Sums over the pixels of one image. */
interface ShotSums {
  readonly sum: Float64Array;
  /** Pixel values × share², for the errors of shared pixels. */
  readonly squares: Float64Array;
  /** Pixels that are no number, and their weights. */
  readonly missing: Float64Array;
  readonly weightMissing: Float64Array;
}

/**
 * Mean intensity in rings round the beam, and in azimuthal sectors of them. Each pixel belongs to the bin its centre
 * lies in, or is shared out by area. A bin is Σ values / Σ (polarisation × relative solid angle) over the pixels that
 * are really there, as pyFAI's `intensity` = sum_signal / sum_normalization: gaps and masked pixels take no part, and
 * pixels that are NaN or infinite are left out shot by shot. Without corrections that is the mean over the pixels. Every
 * sensor has its own profile in the result; {@link combineProfiles} makes the detector's of them. Sensors of different
 * gain must be brought to one scale before.
 *
 * Memory per sensor: 48 to 96 bytes per bin, 2 bytes per pixel for the table of bins, 8 with corrections, some 25 with
 * sharing by area, 1 for the mask if there is one, and with shots kept 4 + 16 · bins bytes per shot.
 *
 * @throws BAD_ARGUMENT when a sensor is not in `sensors` or its images are not whole
 * @throws BAD_GEOMETRY when a sensor has no geometry, or the halves of the detector are open
 * @example
 * const axis = { unit: "q_A^-1", to: 5, bins: 500 } as const;
 * const { rings } = await reduce(
 *   shots,
 *   { rings: radialProfile({ sensors: assembler.sensors, geometry, photonEnergyEv: 10_000, axis }) },
 *   { dark },
 * );
 * const { radial: q, mean, error } = combineProfiles(rings);
 */
export function radialProfile(options: RadialProfileOptions): Reducer<RadialProfile> {
  const table = new RadialBins(options);
  const { bins } = table;
  const { errors, aduPerPhoton, split, polarisation, solidAngle } = table.options;
  const [start, end] = table.kept;
  const weighted = polarisation !== null || solidAngle ? bins : 0;
  const squared = split === "area" && errors === "poisson" ? bins : 0;
  const row = new Float64Array(2 * (end - start) * (table.sectors?.bins ?? 1));
  const shot: ShotSums = {
    sum: new Float64Array(bins + 1),
    squares: new Float64Array(squared),
    missing: new Float64Array(bins + 1),
    weightMissing: new Float64Array(weighted === 0 ? 0 : bins + 1),
  };
  const scratch = Object.values(shot).reduce((bytes, array: Float64Array) => bytes + array.byteLength, row.byteLength);
  return defineReducer({
    name: `radialProfile(${table.words})`,
    sumsOnGrid: true,
    layout: ({ detId, rows, columns }) => ({
      upper: sums(bins),
      lower: sums(bins),
      count: sums(bins),
      norm: sums(weighted),
      squaresUpper: sums(squared),
      squaresLower: sums(squared),
      shots: { type: "series", width: row.length },
      table: { type: "scratch", bytes: table.bytesFor(detId, rows, columns) },
      rows: { type: "scratch", bytes: scratch },
    }),
    add: (
      { upper, lower, count, norm, squaresUpper, squaresLower, shots },
      pixels,
      { tag },
      { detId, rows, columns },
    ) => {
      const sensor = table.of(detId, rows, columns);
      for (const array of Object.values(shot)) array.fill(0);
      if (sensor.shares === null) sumWhole(sensor, pixels, shot);
      else sumShares(sensor, pixels, shot);
      const weightMissing = weighted === 0 ? shot.missing : shot.weightMissing;
      for (let bin = 0; bin < bins; bin++) {
        addWide(upper, lower, bin, shot.sum[bin] ?? 0);
        count[bin] = (count[bin] ?? 0) + (sensor.pixelsIn[bin] ?? 0) - (shot.missing[bin] ?? 0);
      }
      for (let bin = 0; bin < weighted; bin++)
        norm[bin] = (norm[bin] ?? 0) + (sensor.weightIn[bin] ?? 0) - (weightMissing[bin] ?? 0);
      for (let bin = 0; bin < squared; bin++) addWide(squaresUpper, squaresLower, bin, shot.squares[bin] ?? 0);
      if (row.length === 0) return;
      let k = 0;
      for (let first = 0; first < bins; first += table.radial.bins)
        for (let bin = first + start; bin < first + end; bin++) {
          row[k++] = shot.sum[bin] ?? 0;
          row[k++] = (sensor.weightIn[bin] ?? 0) - (weightMissing[bin] ?? 0);
        }
      shots.push(tag, ...row);
    },
    result: ({ upper, lower, count, norm, squaresUpper, squaresLower, shots }) => {
      const radial = table.radial.centres;
      const counted = count.slice();
      return profileOf({
        unit: table.unit,
        radial,
        edges: table.radial.edges.slice(),
        azimuthDeg: table.sectors?.centres ?? null,
        errorsFrom: errors,
        aduPerPhoton,
        count: counted,
        norm: weighted === 0 ? counted : norm.slice(),
        exact: { upper: upper.slice(), lower: lower.slice() },
        exactSquares: squared === 0 ? null : { upper: squaresUpper.slice(), lower: squaresLower.slice() },
        perShot: row.length === 0 ? null : shotProfiles(shots, radial.slice(start, end)),
      });
    },
  });
}

function sumWhole(
  { binOf, weights }: SensorBins,
  pixels: ArrayLike<number>,
  { sum, missing, weightMissing }: ShotSums,
) {
  for (let i = 0; i < binOf.length; i++) {
    const bin = binOf[i] ?? 0;
    const value = pixels[i] ?? NaN;
    // False for NaN and for both infinities.
    if (value - value === 0) sum[bin] = (sum[bin] ?? 0) + quantize(value);
    else {
      missing[bin] = (missing[bin] ?? 0) + 1;
      if (weights !== null) weightMissing[bin] = (weightMissing[bin] ?? 0) + (weights[i] ?? NaN);
    }
  }
}

function sumShares({ shares, weights }: SensorBins, pixels: ArrayLike<number>, to: ShotSums): void {
  if (shares === null) return;
  const { start, bin: bins, share: parts } = shares;
  const { sum, squares, missing, weightMissing } = to;
  for (let i = 0; i < start.length - 1; i++) {
    const value = pixels[i] ?? NaN;
    const isNumber = value - value === 0;
    for (let k = start[i] ?? 0; k < (start[i + 1] ?? 0); k++) {
      const bin = bins[k] ?? 0;
      const share = parts[k] ?? NaN;
      if (isNumber) {
        const part = quantize(value * share);
        sum[bin] = (sum[bin] ?? 0) + part;
        if (squares.length > 0) squares[bin] = (squares[bin] ?? 0) + quantize(part * share);
      } else {
        missing[bin] = (missing[bin] ?? 0) + share;
        if (weights !== null) weightMissing[bin] = (weightMissing[bin] ?? 0) + quantize(share * (weights[i] ?? NaN));
      }
    }
  }
}
