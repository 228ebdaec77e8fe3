import { any, resolveOptions } from "../../core/options.ts";
import { wholeDark } from "../engine/accumulators.ts";
import type { HistogramSpec } from "../engine/statistic.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { EvenBins } from "./bins.ts";

export interface HistogramOptions {
  /** Centre of the first bin. @default -100 */
  readonly from?: number | undefined;
  /** Centre of the last bin. @default 500 */
  readonly to?: number | undefined;
  /** @default 1 */
  readonly binWidth?: number | undefined;
}

/** How often each value occurred, over all pixels of all shots. */
export interface Histogram {
  readonly from: number;
  readonly to: number;
  readonly binWidth: number;
  /** One count per bin; bin i is centred on from + i · binWidth. */
  readonly counts: Float64Array;
  /** Values below the first bin, and above the last. */
  readonly under: number;
  readonly over: number;
  /** Values that are not a number. */
  readonly invalid: number;
}

/**
 * Histogram of the pixel values. Bins are [centre − width/2, centre + width/2), the last one closed, so that counts
 * equal `numpy.histogram` over the edges `arange(from, to + 1) − 0.5`.
 */
export function histogram(options: HistogramOptions = {}): Reducer<Histogram> {
  resolveOptions("histogram", options, { from: any, to: any, binWidth: any });
  const bins = new EvenBins(options.from ?? -100, options.to ?? 500, options.binWidth ?? 1);
  const { from, to, binWidth, low, length } = bins;
  const wholeFrom = binWidth === 1 && Number.isInteger(from) ? from : undefined;
  const tally: HistogramSpec = { low, binWidth, bins: length, wholeFrom };
  return defineReducer({
    name: `histogram(${bins.words})`,
    appliesDark: true,
    layout: () => ({
      counts: { type: "float64", length, merge: "sum" },
      outside: { type: "float64", length: 3, merge: "sum" },
    }),
    kernel: {
      statistics: [tally],
      flush: ({ counts, outside }, block) => {
        block.addCounts(tally, counts, outside);
      },
    },
    add: ({ counts, outside }, pixels, _shot, _frame, dark) => {
      for (let i = 0; i < pixels.length; i++) {
        let x = pixels[i] ?? NaN;
        if (dark !== undefined) {
          const level = dark[i] ?? NaN;
          x -= wholeFrom !== undefined && Number.isInteger(x) ? wholeDark(level) : level;
        }
        const bin = bins.of(x);
        if (bin < length) counts[bin] = (counts[bin] ?? 0) + 1;
        else outside[bin - length] = (outside[bin - length] ?? 0) + 1;
      }
    },
    result: ({ counts, outside }) => {
      const [under = 0, over = 0, invalid = 0] = outside;
      return { from, to, binWidth, counts: counts.slice(), under, over, invalid };
    },
  });
}
