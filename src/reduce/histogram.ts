import { asFinite, badArgument, checkOptions } from "../core/guards.ts";
import { wholeDark } from "./counters.ts";
import { defineReducer, type Reducer } from "./reducer.ts";
import type { HistogramTally } from "./tally.ts";

export interface HistogramOptions {
  /** Centre of the first bin. @default -100 */
  readonly from?: number;
  /** Centre of the last bin. @default 500 */
  readonly to?: number;
  /** @default 1 */
  readonly binWidth?: number;
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
  checkOptions("histogram", options, ["from", "to", "binWidth"]);
  const from = asFinite("from", options.from ?? -100);
  const to = asFinite("to", options.to ?? 500);
  const binWidth = asFinite("binWidth", options.binWidth ?? 1, Number.MIN_VALUE);
  const bins = Math.round((to - from) / binWidth) + 1;
  if (to < from || bins > 10_000_000) throw badArgument("to", to, `at least ${from}, with at most 10 million bins`);
  const low = from - binWidth / 2;
  const high = low + bins * binWidth;
  const wholeFrom = binWidth === 1 && Number.isInteger(from) ? from : undefined;
  const tally: HistogramTally = { low, binWidth, bins, wholeFrom };
  return defineReducer({
    name: "histogram",
    raw: true,
    layout: () => ({ counts: { type: "float64", length: bins, merge: "sum" }, outside: { type: "float64", length: 3, merge: "sum" } }),
    kernel: {
      tallies: [tally],
      settle: ({ counts, outside }, block) => {
        block.addCounts(tally, counts, outside);
      },
    },
    add: ({ counts, outside }, pixels, _shot, _frame, dark) => {
      let [under, over, invalid] = [0, 0, 0];
      for (let i = 0; i < pixels.length; i++) {
        let x = pixels[i] ?? NaN;
        if (dark !== undefined) {
          const level = dark[i] ?? NaN;
          x -= wholeFrom !== undefined && Number.isInteger(x) ? wholeDark(level) : level;
        }
        if (x >= low && x < high) {
          // Rounding may reach `bins` just below `high`.
          const bin = Math.min(bins - 1, Math.floor((x - low) / binWidth));
          counts[bin] = (counts[bin] ?? 0) + 1;
        } else if (x === high) counts[bins - 1] = (counts[bins - 1] ?? 0) + 1;
        else if (x < low) under++;
        else if (x > high) over++;
        else invalid++;
      }
      outside[0] = (outside[0] ?? 0) + under;
      outside[1] = (outside[1] ?? 0) + over;
      outside[2] = (outside[2] ?? 0) + invalid;
    },
    result: ({ counts, outside }) => {
      const [under = 0, over = 0, invalid = 0] = outside;
      return { from, to: from + (bins - 1) * binWidth, binWidth, counts: counts.slice(), under, over, invalid };
    },
  });
}
