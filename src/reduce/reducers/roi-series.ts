import { badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkRoi, type Roi } from "../../core/roi.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { checkPixelLimits } from "../corrections/between.ts";
import { quantize, quantizeHigh } from "../engine/exact.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { areLarge, RoiTotals } from "./roi-totals.ts";

/** One rectangle, shot by shot, in the order of the tags of {@link RoisSeries}. */
export interface OneRoiSeries {
  readonly roi: Roi;
  /** Sum of the finite pixels, in units of the pixels. */
  readonly sums: Float64Array;
  /** How many pixels are finite: fewer than the rectangle has where masked ones are NaN. */
  readonly counts: Float64Array;
  /** sums / counts, NaN where no pixel is finite. */
  readonly means: Float64Array;
  /** Greatest finite pixel, −Infinity where there is none. */
  readonly max: Float64Array;
}

/** What {@link roiSeries} gives. */
export interface RoisSeries {
  readonly tags: Uint32Array;
  /** In the order the rectangles were given. */
  readonly rois: readonly OneRoiSeries[];
}

/** The greatest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** Options of sums over rectangles. */
export interface RoiOptions {
  /** Pixels below the first or above the second number are left out: read noise, or saturated pixels. */
  readonly between?: readonly [low: number, high: number] | undefined;
}

/**
 * Sum, mean and maximum of many rectangles in each shot, in one pass. Pixels that are NaN or infinite, or outside
 * `between`, are left out and show in `counts`. Memory: 4 + 24 · rectangles bytes per shot.
 *
 * @throws BAD_ARGUMENT when there is no rectangle, one is not inside the image, or the limits are no range
 * @example
 * const peak = { rows: [500, 540], columns: [200, 240] };
 * const beside = { rows: [540, 580], columns: [200, 240] };
 * const { signal } = await reduce(shots, { signal: roiSeries([peak, beside]) });
 * const [on, off] = signal[sensor].rois.map((roi) => roi.means);
 */
export function roiSeries(rois: readonly Roi[], options: RoiOptions = {}): Reducer<RoisSeries> {
  const [low, high] = roiLimits("roiSeries", options);
  if (!Array.isArray(rois) || rois.length === 0) throw badArgument("rois", rois, "a list of at least one rectangle");
  const row = new Float64Array(3 * rois.length);
  const work = {
    rois,
    // Values less the dark as float32 that are not finite are outside.
    limits: [Math.max(low, -LARGEST), Math.min(high, LARGEST)],
    function: "roisU16",
    initial: [0, 0, 0, -Infinity],
  } as const;
  const counted = {
    accumulator: (frame: ImageSpec, dark: Float64Array | undefined) => new RoiTotals(work, dark, frame),
  };
  return defineReducer({
    name: `roiSeries(${rois.map(roiWords).join("; ")}${limitWords(low, high)})`,
    sumsOnGrid: true,
    appliesDark: "in-add",
    layout: ({ rows, columns }) => {
      for (const roi of rois) checkRoi(roi, rows, columns);
      return { shots: { type: "series", width: row.length }, row: { type: "scratch", bytes: row.byteLength } };
    },
    kernel: {
      statistics: [counted],
      type: "uint16",
      fits: (frame) => areLarge(rois, frame),
      flush: ({ shots }, block) => {
        for (const [k, numbers] of (block.own(counted)?.perImage ?? []).entries()) {
          for (let i = 0; i < rois.length; i++) {
            const [upper = NaN, lower = NaN, count = NaN, max = NaN] = numbers.slice(4 * i, 4 * i + 4);
            row.set([upper + lower, count, max], 3 * i);
          }
          shots.push(block.tags[k] ?? NaN, ...row);
        }
      },
    },
    add: ({ shots }, pixels, { tag }, { columns }, dark) => {
      for (const [k, { rows, columns: span }] of rois.entries()) {
        // In two parts, which both add exactly: a large rectangle of bright pixels is beyond one.
        let [upper, lower, count, max] = [0, 0, 0, -Infinity];
        for (let r = rows[0]; r < rows[1]; r++) {
          let sum = 0;
          const end = r * columns + span[1];
          for (let i = r * columns + span[0]; i < end; i++) {
            const x = dark === undefined ? (pixels[i] ?? NaN) : Math.fround((pixels[i] ?? NaN) - (dark[i] ?? NaN));
            // The first is true of NaN and of both infinities.
            if (x - x !== 0 || x < low || x > high) continue;
            sum += quantize(x);
            count++;
            if (x > max) max = x;
          }
          const above = quantizeHigh(sum);
          upper += above;
          lower += sum - above;
        }
        row.set([upper + lower, count, max], 3 * k);
      }
      shots.push(tag, ...row);
    },
    result: ({ shots }) => ({
      tags: shots.tags,
      rois: rois.map((roi, k) => {
        const [total, counts, max] = [shots.column(3 * k), shots.column(3 * k + 1), shots.column(3 * k + 2)];
        return { roi, sums: total, counts, means: total.map((s, i) => s / (counts[i] ?? NaN)), max };
      }),
    }),
  });
}

/** The limits of a sum, −Infinity to Infinity without. @throws BAD_ARGUMENT */
export function roiLimits(where: string, options: RoiOptions): readonly [low: number, high: number] {
  const { between = [-Infinity, Infinity] } = resolveOptions(where, options, { between: any });
  const [low, high] = between;
  checkPixelLimits(low, high);
  return [low, high];
}

/** In words that are compared. */
export function limitWords(low: number, high: number): string {
  return low === -Infinity && high === Infinity ? "" : `, between ${low} and ${high}`;
}

/** In words that are compared. */
export function roiWords({ rows, columns }: Roi): string {
  return `rows ${rows.join("-")}, columns ${columns.join("-")}`;
}
