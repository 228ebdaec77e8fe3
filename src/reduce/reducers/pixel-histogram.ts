import ndarray, { type NdArray } from "ndarray";
import { badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkRoi, type Roi } from "../../core/roi.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { EvenBins } from "./bins.ts";
import { roiWords } from "./roi-series.ts";

export interface PixelHistogramOptions {
  /** Centre of the first bin. */
  readonly from: number;
  /** Centre of the last bin. */
  readonly to: number;
  readonly binWidth: number;
  /** Only this rectangle. @default the whole image */
  readonly roi?: Roi | undefined;
}

/** A histogram of each pixel. */
export interface PixelHistogram {
  readonly from: number;
  readonly to: number;
  readonly binWidth: number;
  /**
   * Shape [rows, columns, bins] of the rectangle; bin i is centred on from + i · binWidth. It **shares memory** with
   * what was accumulated, because a copy could be too large.
   */
  readonly counts: NdArray<Uint32Array>;
  /** Values of all pixels below the first bin, above the last, and not a number. */
  readonly under: number;
  readonly over: number;
  readonly invalid: number;
}

/** 4 GiB, the longest typed array of counts that fits every supported Node.js. */
const MAX_COUNTS = 2 ** 30;

/**
 * How often each value occurred in each pixel, over the shots: for gain per pixel, or pedestals with light on. Bins are
 * [centre − width/2, centre + width/2), the last one closed, as in {@link histogram}. Memory: 4 · bins bytes per pixel,
 * so 601 bins of 1024 × 512 pixels are 1.26 GB: take a rectangle or wide bins.
 *
 * @throws BAD_ARGUMENT when the rectangle is not inside the image, or more than 2^30 counts would be needed
 * @example
 * const { adu } = await reduce(shots, { adu: pixelHistogram({ from: -50, to: 450, binWidth: 5, roi }) }, { dark });
 * adu[sensor].counts.pick(10, 20, null); // 101 counts of one pixel
 */
export function pixelHistogram(options: PixelHistogramOptions): Reducer<PixelHistogram> {
  resolveOptions("pixelHistogram", options, { from: any, to: any, binWidth: any, roi: any });
  const bins = new EvenBins(options.from, options.to, options.binWidth);
  const { from, to, binWidth, length } = bins;
  const rectangle = (rows: number, columns: number): Roi =>
    checkRoi(options.roi ?? { rows: [0, rows], columns: [0, columns] }, rows, columns);
  return defineReducer({
    name: `pixelHistogram(${bins.words}, ${options.roi === undefined ? "whole image" : roiWords(options.roi)})`,
    layout: (frame) => {
      const { rows, columns } = rectangle(frame.rows, frame.columns);
      const pixels = (rows[1] - rows[0]) * (columns[1] - columns[0]);
      if (pixels * length > MAX_COUNTS) {
        throw badArgument(
          `bins for ${pixels} pixels`,
          `${length}, which need ${Math.ceil((pixels * length * 4) / 2 ** 30)} GiB`,
          `at most ${Math.floor(MAX_COUNTS / pixels)}`,
        );
      }
      return {
        counts: { type: "uint32", length: pixels * length, merge: "sum" },
        outside: { type: "float64", length: 3, merge: "sum" },
      };
    },
    add: ({ counts, outside }, pixels, _shot, frame) => {
      const { rows, columns } = rectangle(frame.rows, frame.columns);
      let place = 0;
      for (let r = rows[0]; r < rows[1]; r++) {
        for (let i = r * frame.columns + columns[0]; i < r * frame.columns + columns[1]; i++, place += length) {
          const bin = bins.of(pixels[i] ?? NaN);
          if (bin < length) counts[place + bin] = (counts[place + bin] ?? 0) + 1;
          else outside[bin - length] = (outside[bin - length] ?? 0) + 1;
        }
      }
    },
    result: ({ counts, outside }, frame) => {
      const { rows, columns } = rectangle(frame.rows, frame.columns);
      const [under = 0, over = 0, invalid = 0] = outside;
      const shape = [rows[1] - rows[0], columns[1] - columns[0], length];
      return { from, to, binWidth, counts: ndarray(counts, shape), under, over, invalid };
    },
  });
}
