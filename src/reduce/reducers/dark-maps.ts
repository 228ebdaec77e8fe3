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
  const spans = Array.from({ length: columns / width }, (_, k) => [k * width, (k + 1) * width] as const);
  const ports = describePorts(means, noise, columns, spans);
  /** Pixels by their reasons. */
  const tally = new Uint32Array(256);
  const judges = ports.map((port) => judgeOf(port, limits, noiseJudged));
  // Row by row, as they lie in memory.
  for (let row = 0; row < mask.length; row += columns)
    for (const judge of judges) mark(judge, row, means, noise, mask, tally);
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

/** Between which values a pixel of a port is good. */
interface PortJudge {
  readonly columns: readonly [start: number, end: number];
  readonly least: number;
  readonly most: number;
  readonly quietest: number;
  readonly loudest: number;
}

function judgeOf(port: DarkPort, { hotSigma, noisySigma, deadNoise }: Limits, noiseJudged: boolean): PortJudge {
  return {
    columns: port.columns,
    least: port.mean - hotSigma * port.meanSpread,
    most: port.mean + hotSigma * port.meanSpread,
    quietest: noiseJudged ? deadNoise * port.noise : -Infinity,
    loudest: noiseJudged ? port.noise + noisySigma * port.noiseSpread : Infinity,
  };
}

/** Writes the reasons against each pixel of a port in one row, and counts them. */
function mark(
  { columns: [start, end], least, most, quietest, loudest }: PortJudge,
  row: number,
  means: Float64Array,
  noise: Float64Array,
  mask: Uint8Array,
  tally: Uint32Array,
): void {
  const { dead, cold, hot, noisy } = badPixelReasons;
  for (let i = row + start; i < row + end; i++) {
    const [value, spread] = [means[i] ?? NaN, noise[i] ?? NaN];
    // Without branches, which the processor could not foresee. Not below the quietest: a port of which most pixels are
    // stuck has a median of 0.
    const reasons =
      (Number(value > most) * hot) |
      (Number(value < least) * cold) |
      (Number(Number.isNaN(value) || spread <= quietest) * dead) |
      (Number(spread > loudest) * noisy);
    mask[i] = reasons;
    tally[reasons] = (tally[reasons] ?? 0) + 1;
  }
}

type Span = readonly [start: number, end: number];

function describePorts(
  means: Float64Array,
  noise: Float64Array,
  columns: number,
  spans: readonly Span[],
): readonly DarkPort[] {
  const strips = spans.map((span) => new Strip(columns, span, (means.length / columns) * (span[1] - span[0])));
  const [ofMeans, ofNoise] = [robust(means, strips), robust(noise, strips)];
  return spans.map((span, k) => {
    const [mean = NaN, meanSpread = NaN] = ofMeans[k] ?? [];
    const [middle = NaN, noiseSpread = NaN] = ofNoise[k] ?? [];
    return { columns: span, mean, meanSpread, noise: middle, noiseSpread };
  });
}

/** Median and robust standard deviation of the finite values in each strip; NaN when there are none. */
function robust(image: Float64Array, strips: readonly Strip[]): readonly (readonly [median: number, sigma: number])[] {
  const middles = medians(image, strips);
  const spreads = medians(image, strips, middles);
  return middles.map((middle, k) => [middle, Math.max(ROUNDING, MAD_TO_SIGMA * (spreads[k] ?? NaN))]);
}

/** The median of finite values; NaN of none. */
export function medianOf(values: Float64Array): number {
  return medians(values, [new Strip(values.length, [0, values.length], values.length)])[0] ?? NaN;
}

/** Medians of the finite values in each strip, or of how far they are from the `middles`; NaN where there are none. */
function medians(image: Float64Array, strips: readonly Strip[], middles: readonly number[] = []): readonly number[] {
  for (const [k, strip] of strips.entries()) strip.begin(image, middles[k]);
  const columns = strips[0]?.columns ?? NaN;
  // Row by row, as they lie in memory: what is a page further each time takes several times as long.
  for (let row = 0; row < image.length; row += columns) for (const strip of strips) strip.take(image, row);
  return strips.map((strip) => strip.median(image));
}

const SAMPLE = 512;

/** Finds the median of some columns of an image: of values near it alone, as a sample says. */
class Strip {
  readonly columns: number;
  readonly #span: Span;
  readonly #values: number;
  readonly #near: Float64Array;
  #middle: number | undefined;
  #least = 0;
  #most = 0;
  /** Values between the limits, those below, and those that are finite. */
  #counts = { near: 0, before: 0, finite: 0 };

  constructor(columns: number, span: Span, values: number) {
    this.columns = columns;
    this.#span = span;
    this.#values = values;
    this.#near = new Float64Array(values);
  }

  begin(image: Float64Array, middle: number | undefined): void {
    this.#middle = middle;
    [this.#least, this.#most] = this.#limitsIn(image);
    this.#counts = { near: 0, before: 0, finite: 0 };
  }

  /** Looks at the row that begins at a pixel. */
  take(image: Float64Array, row: number): void {
    const [near, counts, middle, least, most] = [this.#near, this.#counts, this.#middle, this.#least, this.#most];
    const end = row + this.#span[1];
    let { near: number, before, finite } = counts;
    for (let i = row + this.#span[0]; i < end; i++) {
      const value = image[i] ?? NaN;
      const x = middle === undefined ? value : Math.abs(value - middle);
      // Without a branch, which the processor could not foresee.
      near[number] = x;
      number += Number(x >= least) & Number(x <= most);
      before += Number(x < least) & Number(x >= -Number.MAX_VALUE);
      finite += Number(Math.abs(x) <= Number.MAX_VALUE);
    }
    counts.near = number;
    counts.before = before;
    counts.finite = finite;
  }

  /** Of all rows. */
  median(image: Float64Array): number {
    const half = this.#counts.finite >> 1;
    if (this.#counts.before >= half || half >= this.#counts.before + this.#counts.near) {
      // The sample was wrong.
      [this.#least, this.#most] = [-Number.MAX_VALUE, Number.MAX_VALUE];
      this.#counts = { near: 0, before: 0, finite: 0 };
      for (let row = 0; row < image.length; row += this.columns) this.take(image, row);
    }
    const { near, before, finite } = this.#counts;
    if (finite === 0) return NaN;
    const values = this.#near.subarray(0, near);
    const upper = selected(values, half - before);
    if (finite % 2 === 1) return upper;
    let lower = -Infinity;
    for (let i = 0; i < half - before; i++) lower = Math.max(lower, values[i] ?? NaN);
    return (lower + upper) / 2;
  }

  /** Two values between which the middle lies as a rule. */
  #limitsIn(image: Float64Array): readonly [least: number, most: number] {
    const [start, end] = this.#span;
    const [width, middle] = [end - start, this.#middle];
    if (this.#values < 8 * SAMPLE) return [-Number.MAX_VALUE, Number.MAX_VALUE];
    const sample = new Float64Array(SAMPLE);
    let finite = 0;
    for (let k = 0; k < SAMPLE; k++) {
      const i = Math.floor((k * this.#values) / SAMPLE);
      const value = image[Math.floor(i / width) * this.columns + start + (i % width)] ?? NaN;
      sample[finite] = middle === undefined ? value : Math.abs(value - middle);
      finite += Number(Number.isFinite(value));
    }
    const values = sample.subarray(0, finite).sort();
    // Four standard deviations of the rank of the middle.
    const off = 2 * Math.sqrt(finite);
    return [
      values[Math.floor(finite / 2 - off)] ?? -Number.MAX_VALUE,
      values[Math.ceil(finite / 2 + off)] ?? Number.MAX_VALUE,
    ];
  }
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
