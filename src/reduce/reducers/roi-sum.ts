import { checkRoi, type Roi } from "../../core/roi.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { limitWords, type RoiOptions, roiLimits, roiWords } from "./roi-series.ts";
import { areLarge, RoiTotals } from "./roi-totals.ts";

/** The sum over a rectangle, shot by shot. The only answer that grows with the shots. */
export interface RoiSeries {
  readonly tags: Uint32Array;
  readonly sums: Float64Array;
}

/**
 * Sum of the pixels of a rectangle in each shot; with `between` of those within the limits, which apply after the dark.
 * @throws BAD_ARGUMENT when the rectangle is not inside the image, or the limits are no range
 */
export function roiSum(roi: Roi, options: RoiOptions = {}): Reducer<RoiSeries> {
  const [low, high] = roiLimits("roiSum", options);
  const work = { rois: [roi], limits: [low, high], function: "roiU16", initial: [0] } as const;
  const counted = {
    accumulator: (frame: ImageSpec, dark: Float64Array | undefined) => new RoiTotals(work, dark, frame),
  };
  return defineReducer({
    name: `roiSum(${roiWords(roi)}${limitWords(low, high)})`,
    appliesDark: true,
    layout: ({ rows, columns }) => {
      checkRoi(roi, rows, columns);
      return { sums: { type: "series", width: 1 } };
    },
    kernel: {
      statistics: [counted],
      type: "uint16",
      fits: (frame) => areLarge([roi], frame),
      flush: ({ sums }, block) => {
        for (const [k, [sum = NaN]] of (block.own(counted)?.perImage ?? []).entries())
          sums.push(block.tags[k] ?? NaN, sum);
      },
    },
    add: ({ sums }, pixels, { tag }, { columns }, dark) => {
      let sum = 0;
      for (let r = roi.rows[0]; r < roi.rows[1]; r++) {
        const end = r * columns + roi.columns[1];
        for (let i = r * columns + roi.columns[0]; i < end; i++) {
          const x = (pixels[i] ?? 0) - (dark?.[i] ?? 0);
          // Neither is true of NaN, which makes the sum NaN.
          if (!(x < low || x > high)) sum += x;
        }
      }
      sums.push(tag, sum);
    },
    result: ({ sums }) => ({ tags: sums.tags, sums: sums.column() }),
  });
}
