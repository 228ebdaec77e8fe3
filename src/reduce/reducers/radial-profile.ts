import type { ImageSpec } from "../../core/shots.ts";
import { addWide, addWideTimes, settled, sums } from "../engine/wide-sum.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { RadialBins } from "./radial-bins.ts";
import type { RadialProfileOptions } from "./radial-options.ts";
import { profileOf, type RadialProfile, shotProfiles } from "./radial-results.ts";
import { RadialSums } from "./radial-sums.ts";

/**
 * Mean intensity in rings round the beam, and in azimuthal sectors of them. Each pixel belongs to the bin its centre
 * lies in, or is shared out by area. A bin is Σ values / Σ (polarisation × relative solid angle) over the pixels that
 * are really there, as pyFAI's `intensity` = sum_signal / sum_normalization: gaps and masked pixels take no part, and
 * pixels that are NaN or infinite are left out shot by shot. Without corrections that is the mean over the pixels.
 * Every sensor has its own profile in the result; {@link combineProfiles} makes the detector's of them. Sensors of
 * different gain must be brought to one scale before.
 *
 * Summed in WebAssembly. Memory per sensor: some 130 bytes per bin, 4 bytes per pixel for the table of bins, 8 with
 * corrections, some 40 with sharing by area, 1 for the mask if there is one, and with shots kept 4 + 16 · bins bytes
 * per shot.
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
  const made = new Map<string, RadialSums>();
  const sumsOf = ({ detId, rows, columns }: ImageSpec, dark: Float64Array | undefined): RadialSums => {
    const known = made.get(detId);
    const sensor = table.of(detId, rows, columns);
    if (known?.isFor(sensor, dark) === true) return known;
    const sums = new RadialSums(sensor, dark, squared > 0);
    made.set(detId, sums);
    return sums;
  };
  return defineReducer({
    name: `radialProfile(${table.words})`,
    sumsOnGrid: true,
    appliesDark: "in-add",
    layout: ({ detId, rows, columns }) => ({
      upper: sums(bins),
      lower: sums(bins),
      count: sums(bins),
      norm: sums(weighted),
      squaresUpper: sums(squared),
      squaresLower: sums(squared),
      shots: { type: "series", width: row.length },
      table: { type: "scratch", bytes: table.bytesFor(detId, rows, columns) },
      rows: {
        type: "scratch",
        bytes: row.byteLength + RadialSums.bytesFor(table.of(detId, rows, columns), squared > 0),
      },
    }),
    // Rings of whole images are those of their sum.
    kernel:
      split === "area" || row.length > 0
        ? undefined
        : {
            statistics: ["sum"],
            type: "uint16",
            flush: ({ upper, lower, count, norm }, block, frame, dark) => {
              const total = new Float64Array(frame.rows * frame.columns);
              block.addSums(total, true);
              const all = sumsOf(frame, dark);
              all.takeSums(total, block.images);
              addSums({ upper, lower, count, norm }, all);
              for (let bin = 0; bin < bins; bin++)
                addWideTimes(upper, lower, bin, -(all.darkIn[bin] ?? 0), block.images);
            },
          },
    add: ({ upper, lower, count, norm, squaresUpper, squaresLower, shots }, pixels, { tag }, frame, dark) => {
      const shot = sumsOf(frame, dark);
      shot.take(pixels);
      addSums({ upper, lower, count, norm }, shot);
      for (let bin = 0; bin < squared; bin++) addWide(squaresUpper, squaresLower, bin, shot.squares[bin] ?? 0);
      if (row.length === 0) return;
      let k = 0;
      for (let first = 0; first < bins; first += table.radial.bins)
        for (let bin = first + start; bin < first + end; bin++) {
          row[k++] = shot.sum[bin] ?? 0;
          row[k++] = shot.weight[bin] ?? 0;
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
        exact: settled({ upper, lower }),
        exactSquares: squared === 0 ? null : settled({ upper: squaresUpper, lower: squaresLower }),
        perShot: row.length === 0 ? null : shotProfiles(shots, radial.slice(start, end)),
      });
    },
  });
}

/** Adds sums, pixels and weights; of the weights none when all are 1. */
function addSums(
  { upper, lower, count, norm }: Readonly<Record<"upper" | "lower" | "count" | "norm", Float64Array>>,
  { sum, count: pixels, weight }: RadialSums,
): void {
  for (let bin = 0; bin < upper.length; bin++) {
    addWide(upper, lower, bin, sum[bin] ?? 0);
    count[bin] = (count[bin] ?? 0) + (pixels[bin] ?? 0);
  }
  for (let bin = 0; bin < norm.length; bin++) norm[bin] = (norm[bin] ?? 0) + (weight[bin] ?? 0);
}
