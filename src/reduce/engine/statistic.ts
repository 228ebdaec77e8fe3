import type { ImageSpec, Shot } from "../../core/shots.ts";
import type { Accumulator } from "./accumulator.ts";

/** What the WebAssembly kernel can count over many images of a sensor. */
export type Statistic = "sum" | "squares" | "range" | HistogramSpec | OwnStatistic<OwnAccumulator>;

/** Something that one reducer alone counts in the memory of the kernel, of unsigned 16-bit images. */
export interface OwnStatistic<A extends OwnAccumulator> {
  /** @param dark - of each pixel */
  accumulator(frame: ImageSpec, dark: Float64Array | undefined): A;
  /** Images after which what is counted must be put into the state. @default no such limit */
  readonly mostImages?: number;
}

/** Counts the slices of images, one group after another. */
export interface OwnAccumulator extends Accumulator {
  /** It looks at pixels together with those around them: its slices are whole images. @default any slices */
  readonly takesImages?: true;
  /** It takes any number of images at a time. @default at most GROUP */
  readonly takesMany?: true;
  /**
   * Given a state to which it adds straight, before the first image; what it leaves to `flush` may come later.
   * @default all is left to `flush`
   */
  bind?(state: object): void;
  /** Told of each image in the order in which they are counted, before its group; to note a 0-D signal. */
  arrive?(shot: Shot): void;
  /** Images of the next group. */
  begin(images: number): void;
}

export function isOwn(statistic: Statistic): statistic is OwnStatistic<OwnAccumulator> {
  return typeof statistic !== "string" && "accumulator" in statistic;
}

/** Bins [low + i · binWidth, low + (i + 1) · binWidth) of the values less the dark; the last one closed. */
export interface HistogramSpec {
  readonly low: number;
  readonly binWidth: number;
  readonly bins: number;
  /**
   * Centre of the first bin, when bins are 1 wide and centred on whole numbers: then whole values need no fractions.
   */
  readonly wholeFrom: number | undefined;
}

/** What was counted since the reducers last took it in; of the images as they are stored, but for histograms. */
export interface BatchStatistics {
  /** Images counted. */
  readonly images: number;
  /** Their tags, in the order in which they were counted; for a statistic that one reducer alone counts. */
  readonly tags: readonly number[];
  /** What counted a statistic of one's own; undefined when there are no images. */
  own<A extends OwnAccumulator>(statistic: OwnStatistic<A>): A | undefined;
  /**
   * Adds Σx of each pixel, x as `quantize` rounds it.
   * @param areNew - nothing was added to the sums yet, which takes less time. @default false
   */
  addSums(sums: Float64Array, areNew?: boolean): void;
  /** Adds Σx² of each pixel, the multiples of 2^12 and the rest; `areNew` as before. */
  addSquares(upper: Float64Array, lower: Float64Array, areNew?: boolean): void;
  /** Lowers and raises the least and greatest value of each pixel. */
  addRange(least: Float64Array, greatest: Float64Array): void;
  /** Adds the counts of the bins; and of the values below, above and not a number. */
  addCounts(tally: HistogramSpec, counts: Float64Array, outside: Float64Array): void;
}
