import type { NdArray } from "ndarray";
import { asImage, type PreciseImage } from "../../core/ndarray.ts";
import { finite, optional, type Resolved, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { badPixelReasons } from "../../ip/masks.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { type MeanAndVariance, variance } from "./pixel-statistics.ts";

export interface DarkMapOptions {
  /**
   * A pixel is hot (cold) when its mean lies this many robust standard deviations above (below) the median of its port.
   * @default 8
   */
  readonly hotSigma?: number | undefined;
  /**
   * A pixel is noisy when its noise lies this many robust standard deviations above the median of its port.
   * @default 8
   */
  readonly noisySigma?: number | undefined;
  /** A pixel is dead when its noise is at most this fraction of the median of its port. @default 0.2 */
  readonly deadNoise?: number | undefined;
}

const limitChecks = {
  hotSigma: optional(finite(0), 8),
  noisySigma: optional(finite(0), 8),
  deadNoise: optional(finite(0, 1), 0.2),
};
type Limits = Resolved<DarkMapOptions, typeof limitChecks>;

/** What the pixels were judged by, in one readout port. */
export interface DarkPort {
  /** Columns of the port, the end excluded. */
  readonly columns: readonly [start: number, end: number];
  /** Median of the means, and their robust standard deviation, ADU. */
  readonly mean: number;
  readonly meanSpread: number;
  /** Median of the noise, and its robust standard deviation, ADU. */
  readonly noise: number;
  readonly noiseSpread: number;
}

/** What {@link darkMaps} gives; images have shape [rows, columns]. */
export interface DarkMaps {
  /** Mean of each pixel, ADU. */
  readonly mean: PreciseImage;
  /** Standard deviation of each pixel over the shots (of the sample, n − 1), ADU. */
  readonly noise: PreciseImage;
  /**
   * Why a pixel is bad, by the bits of {@link badPixelReasons}; 0 is good. `usable` of sacla/ip makes 1 = use of it.
   */
  readonly mask: NdArray<Uint8Array>;
  /** Pixels with each reason; one pixel may have several. */
  readonly bad: { readonly dead: number; readonly cold: number; readonly hot: number; readonly noisy: number };
  readonly ports: readonly DarkPort[];
  readonly count: number;
  /** False with fewer than 10 shots: the noise of a pixel is then too uncertain to call it dead or noisy. */
  readonly noiseJudged: boolean;
}

const FEWEST_FOR_NOISE = 10;
/** From the median absolute deviation to the standard deviation of a normal distribution, 1 / Φ⁻¹(3/4). */
const MAD_TO_SIGMA = 1.482_602_218_505_602;
/** Spread of rounding to whole ADU: pixels that agree better than this differ by nothing real. */
const ROUNDING = Math.sqrt(1 / 12);
/** MPCCD sensors are read out through 8 ports side by side. */
const PORTS = 8;

/**
 * Mean, noise and bad pixels from dark shots, uncorrected. A pixel is compared with its readout port (64 columns of an
 * MPCCD; the whole image of other cameras) by median and median absolute deviation, which bad pixels do not move. A
 * pixel without a mean (NaN in some shot) is dead. Memory: 24 bytes per pixel (12.6 MB for 1024 × 512).
 *
 * @example
 * const { maps } = await reduce(darkShots, { maps: darkMaps() });
 * const { mean, mask } = maps["MPCCD-2N0-M02-001-1"];
 * new Assembler(infos, { view: "source", masks: { "MPCCD-2N0-M02-001-1": usable(mask) } });
 */
export function darkMaps(options: DarkMapOptions = {}): Reducer<DarkMaps> {
  const limits = resolveOptions("darkMaps", options, limitChecks);
  const statistics = variance({ ddof: 1 });
  const words = `hot ${limits.hotSigma} sigma, noisy ${limits.noisySigma} sigma, dead ${limits.deadNoise}`;
  return defineReducer({
    ...statistics,
    name: `darkMaps(${words})`,
    result: (state, frame, dark, isLast) => judge(statistics.result(state, frame, dark, isLast), frame, limits),
  });
}

function judge({ mean, variance: spread, count }: MeanAndVariance, frame: ImageSpec, limits: Limits): DarkMaps {
  const { detId, rows, columns } = frame;
  const means = mean.data;
  // Written over the variances, which nobody else has.
  const noise = spread.data;
  for (let i = 0; i < noise.length; i++) noise[i] = Math.sqrt(noise[i] ?? NaN);
  const mask = new Uint8Array(rows * columns);
  const noiseJudged = count >= FEWEST_FOR_NOISE;
  const width = detId.startsWith("MPCCD") && columns % PORTS === 0 ? columns / PORTS : columns;
  const ports = Array.from({ length: columns / width }, (_, k) =>
    describePort(means, noise, columns, [k * width, (k + 1) * width]),
  );
  /** Pixels by their reasons. */
  const tally = new Uint32Array(256);
  for (const port of ports) mark(port, limits, noiseJudged, means, noise, columns, mask, tally);
  const having = (bit: number): number =>
    tally.reduce((sum, number, reasons) => ((reasons & bit) === 0 ? sum : sum + number), 0);
  const { dead, cold, hot, noisy } = badPixelReasons;
  return {
    mean,
    noise: asImage(noise, rows, columns),
    mask: asImage(mask, rows, columns),
    bad: { dead: having(dead), cold: having(cold), hot: having(hot), noisy: having(noisy) },
    ports,
    count,
    noiseJudged,
  };
}

/** Writes the reasons against each pixel of a port, and counts them. */
function mark(
  port: DarkPort,
  { hotSigma, noisySigma, deadNoise }: Limits,
  noiseJudged: boolean,
  means: Float64Array,
  noise: Float64Array,
  columns: number,
  mask: Uint8Array,
  tally: Uint32Array,
): void {
  const { dead, cold, hot, noisy } = badPixelReasons;
  const [most, least] = [port.mean + hotSigma * port.meanSpread, port.mean - hotSigma * port.meanSpread];
  // Not below: a port of which most pixels are stuck has a median of 0.
  const [quietest, loudest] = [deadNoise * port.noise, port.noise + noisySigma * port.noiseSpread];
  const [start, end] = port.columns;
  for (let row = 0; row < mask.length; row += columns) {
    for (let i = row + start; i < row + end; i++) {
      const [value, spread] = [means[i] ?? NaN, noise[i] ?? NaN];
      let reasons = value > most ? hot : value < least ? cold : Number.isNaN(value) ? dead : 0;
      if (noiseJudged) reasons |= spread <= quietest ? dead : spread > loudest ? noisy : 0;
      mask[i] = reasons;
      tally[reasons] = (tally[reasons] ?? 0) + 1;
    }
  }
}

function describePort(
  mean: Float64Array,
  noise: Float64Array,
  columns: number,
  span: readonly [number, number],
): DarkPort {
  const [middle, meanSpread] = robust(mean, columns, span);
  const [noiseMiddle, noiseSpread] = robust(noise, columns, span);
  return { columns: span, mean: middle, meanSpread, noise: noiseMiddle, noiseSpread };
}

/** Median and robust standard deviation of the finite values in some columns; NaN when there are none. */
function robust(
  image: Float64Array,
  columns: number,
  [start, end]: readonly [number, number],
): [median: number, sigma: number] {
  const values = new Float64Array((image.length / columns) * (end - start));
  let n = 0;
  for (let row = 0; row < image.length; row += columns) {
    for (let i = row + start; i < row + end; i++) {
      const value = image[i] ?? NaN;
      if (Number.isFinite(value)) values[n++] = value;
    }
  }
  const finite = values.subarray(0, n);
  const middle = medianOf(finite);
  for (let i = 0; i < n; i++) finite[i] = Math.abs((finite[i] ?? NaN) - middle);
  return [middle, Math.max(ROUNDING, MAD_TO_SIGMA * medianOf(finite))];
}

/** Reorders in place. */
export function medianOf(values: Float64Array): number {
  if (values.length === 0) return NaN;
  const half = values.length >> 1;
  const [near, before] = nearMiddle(values);
  const upper = selected(near, half - before);
  if (values.length % 2 === 1) return upper;
  let lower = -Infinity;
  for (let i = 0; i < half - before; i++) lower = Math.max(lower, near[i] ?? NaN);
  return (lower + upper) / 2;
}

const SAMPLE = 512;

/**
 * Some values with those in the middle among them, and how many smaller ones there are beside: a sample says between
 * which two values the middle lies, as a rule. All of few values, or when the sample is wrong.
 */
function nearMiddle(values: Float64Array): [near: Float64Array, before: number] {
  const { length } = values;
  if (length < 8 * SAMPLE) return [values, 0];
  const step = length / SAMPLE;
  const sample = Float64Array.from({ length: SAMPLE }, (_, k) => values[Math.floor(k * step)] ?? NaN).sort();
  // Four standard deviations of the rank of the middle.
  const off = 2 * Math.sqrt(SAMPLE);
  const least = sample[Math.floor(SAMPLE / 2 - off)] ?? NaN;
  const most = sample[Math.ceil(SAMPLE / 2 + off)] ?? NaN;
  let [near, before] = [0, 0];
  for (let i = 0; i < length; i++) {
    // Without a branch, which the processor could not foresee.
    const value = values[i] ?? NaN;
    values[i] = values[near] ?? NaN;
    values[near] = value;
    before += Number(value < least);
    near += Number(value >= least) & Number(value <= most);
  }
  const half = length >> 1;
  return before < half && half < before + near ? [values.subarray(0, near), before] : [values, 0];
}

/** Value number `k` in ascending order (Hoare's selection); those before it are not greater afterwards. */
function selected(values: Float64Array, k: number): number {
  for (let [low, high] = [0, values.length - 1]; low < high; ) {
    const [a, b, c] = [values[low] ?? NaN, values[(low + high) >> 1] ?? NaN, values[high] ?? NaN];
    const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    let [i, j] = [low, high];
    while (i <= j) {
      while ((values[i] ?? NaN) < pivot) i++;
      while ((values[j] ?? NaN) > pivot) j--;
      if (i > j) break;
      const swapped = values[i] ?? NaN;
      values[i++] = values[j] ?? NaN;
      values[j--] = swapped;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k] ?? NaN;
}
