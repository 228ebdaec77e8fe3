import type { PixelType } from "../../core/ndarray.ts";
import type { Arena } from "../../core/wasm.ts";
import type { Accumulator, PixelSlice, ReduceKernel } from "./accumulator.ts";
import { KernelDark } from "./kernel-dark.ts";
import type { HistogramSpec } from "./statistic.ts";

/** Room for the last vector. */
function padded(pixels: number): number {
  return Math.ceil(pixels / 8) * 8;
}

/** Σx, and Σx² when asked, of unsigned 16-bit images: in whole numbers. */
export class Uint16Sums implements Accumulator {
  readonly allocations: readonly number[];
  readonly #pixels: number;
  readonly #squared: boolean;
  #kernel: ReduceKernel | undefined;
  #sums: Uint32Array = new Uint32Array();
  /** Low and high half of each 64-bit number. */
  #squares: Uint32Array = new Uint32Array();

  constructor(pixels: number, squared: boolean) {
    this.#pixels = pixels;
    this.#squared = squared;
    this.allocations = [4 * padded(pixels), squared ? 8 * padded(pixels) : 0];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#sums = arena.uint32(padded(this.#pixels), false);
    this.#squares = arena.uint32(this.#squared ? 2 * padded(this.#pixels) : 0, false);
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const sums = this.#sums.byteOffset + 4 * first;
    if (this.#squared)
      this.#kernel?.momentsU16(address, images, stride, length, sums, this.#squares.byteOffset + 8 * first);
    else this.#kernel?.sumU16(address, images, stride, length, sums);
  }

  clear(): void {
    this.#sums.fill(0);
    this.#squares.fill(0);
  }

  addSums(into: Float64Array, images: number, areNew: boolean): void {
    if (areNew && !this.#squared) into.set(this.#sums.subarray(0, into.length));
    else inPieces([into], areNew, (from, to) => this.#addSums(into, images, from, to));
  }

  #addSums(into: Float64Array, images: number, from: number, to: number): void {
    const sums = this.#sums;
    if (!this.#squared) for (let i = from; i < to; i++) into[i] = (into[i] ?? 0) + (sums[i] ?? 0);
    // With squares the kernel takes 2^15 off each value, to have signed 16-bit numbers.
    else for (let i = from; i < to; i++) into[i] = (into[i] ?? 0) + (((sums[i] ?? 0) | 0) + 32_768 * images);
  }

  addSquares(upper: Float64Array, lower: Float64Array, images: number, areNew: boolean): void {
    inPieces([upper, lower], areNew, (from, to) => this.#addSquares(upper, lower, images, from, to));
  }

  #addSquares(upper: Float64Array, lower: Float64Array, images: number, from: number, to: number): void {
    const [sums, squares] = [this.#sums, this.#squares];
    for (let i = from; i < to; i++) {
      // Σx² = Σy² + 2^16 Σy + 2^30 n with y = x − 2^15: whole numbers far below 2^53.
      const ofY = (squares[2 * i] ?? 0) + 4_294_967_296 * (squares[2 * i + 1] ?? 0);
      const total = ofY + 65_536 * ((sums[i] ?? 0) | 0) + 1_073_741_824 * images;
      const high = 4096 * Math.floor(total / 4096);
      upper[i] = (upper[i] ?? 0) + high;
      lower[i] = (lower[i] ?? 0) + (total - high);
    }
  }
}

/** The same of float32 images, in the parts of exact.ts. */
export class Float32Sums implements Accumulator {
  readonly allocations: readonly number[];
  readonly #pixels: number;
  readonly #squared: boolean;
  #kernel: ReduceKernel | undefined;
  #sums: Float64Array = new Float64Array();
  #upper: Float64Array = new Float64Array();
  #lower: Float64Array = new Float64Array();

  constructor(pixels: number, squared: boolean) {
    this.#pixels = pixels;
    this.#squared = squared;
    const bytes = 8 * padded(pixels);
    this.allocations = squared ? [bytes, bytes, bytes] : [bytes];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    const length = padded(this.#pixels);
    this.#sums = arena.float64(length, false);
    if (!this.#squared) return;
    this.#upper = arena.float64(length, false);
    this.#lower = arena.float64(length, false);
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const at = 8 * first;
    const sums = this.#sums.byteOffset + at;
    if (this.#squared)
      this.#kernel?.momentsF32(
        address,
        images,
        stride,
        length,
        sums,
        this.#upper.byteOffset + at,
        this.#lower.byteOffset + at,
      );
    else this.#kernel?.sumF32(address, images, stride, length, sums);
  }

  /**
   * Adds the images to sums that lie elsewhere, those of the piece: for as many pixels as there are here, with nothing
   * to be cleared before and added after.
   * @param areNew - nothing was added to those yet
   * @param squares - the parts of the squares, when they are counted
   */
  accumulateInto(
    piece: PixelSlice,
    sums: Float64Array,
    areNew: boolean,
    squares?: readonly [upper: Float64Array, lower: Float64Array],
  ): void {
    const [upper, lower] = squares ?? [];
    const both = [
      [this.#sums, sums],
      [this.#upper, upper],
      [this.#lower, lower],
    ] as const;
    if (areNew) this.clear();
    else for (const [own, given] of both) if (given !== undefined) own.set(given);
    this.accumulate(piece);
    for (const [own, given] of both) given?.set(own.subarray(0, given.length));
  }

  clear(): void {
    for (const array of [this.#sums, this.#upper, this.#lower]) array.fill(0);
  }

  addSums(into: Float64Array, _images: number, areNew: boolean): void {
    addTo(into, this.#sums, areNew);
  }

  addSquares(upper: Float64Array, lower: Float64Array, _images: number, areNew: boolean): void {
    addTo(upper, this.#upper, areNew);
    addTo(lower, this.#lower, areNew);
  }
}

/** As many numbers as stay in the cache while they are written twice. */
const PIECE = 2048;

/**
 * Does something to the numbers of arrays piece by piece.
 * @param areNew - nothing but zeros was ever in them: they are written before they are read, because the system maps
 *   memory twice that is read before it was written
 */
function inPieces(
  arrays: readonly (Float64Array | Uint32Array)[],
  areNew: boolean,
  work: (from: number, to: number) => void,
): void {
  const length = arrays[0]?.length ?? 0;
  for (let from = 0; from < length; from += PIECE) {
    const to = Math.min(length, from + PIECE);
    if (areNew) for (const array of arrays) array.fill(0, from, to);
    work(from, to);
  }
}

/** @param areNew - as of {@link inPieces} */
function addTo(into: Float64Array, from: Float64Array, areNew = false): void {
  if (areNew) into.set(from.subarray(0, into.length));
  else for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) + (from[i] ?? 0);
}

/** Adds counts. @param areNew - nothing was added to `into` yet */
export function addCounts(into: Uint32Array, from: Uint32Array, areNew: boolean): void {
  if (areNew) into.set(from.subarray(0, into.length));
  else for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) + (from[i] ?? 0);
}

/** Least and greatest value of each pixel. */
export class RangeAccumulator implements Accumulator {
  readonly allocations: readonly number[];
  readonly #pixels: number;
  readonly #type: PixelType;
  #kernel: ReduceKernel | undefined;
  #least: Uint16Array | Float32Array = new Uint16Array();
  #greatest: Uint16Array | Float32Array = new Uint16Array();

  constructor(pixels: number, type: PixelType) {
    this.#pixels = pixels;
    this.#type = type;
    const bytes = (type === "uint16" ? 2 : 4) * padded(pixels);
    this.allocations = [bytes, bytes];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    const length = padded(this.#pixels);
    const make = (): Uint16Array | Float32Array =>
      this.#type === "uint16" ? arena.uint16(length, false) : arena.float32(length, false);
    this.#least = make();
    this.#greatest = make();
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const at = this.#least.BYTES_PER_ELEMENT * first;
    const [least, greatest] = [this.#least.byteOffset + at, this.#greatest.byteOffset + at];
    if (this.#type === "uint16") this.#kernel?.rangeU16(address, images, stride, length, least, greatest);
    else this.#kernel?.rangeF32(address, images, stride, length, least, greatest);
  }

  clear(): void {
    this.#least.fill(this.#type === "uint16" ? 0xffff : Infinity);
    this.#greatest.fill(this.#type === "uint16" ? 0 : -Infinity);
  }

  addRange(least: Float64Array, greatest: Float64Array): void {
    const [low, high] = [this.#least, this.#greatest];
    for (let i = 0; i < least.length; i++) {
      if ((low[i] ?? 0) < (least[i] ?? 0)) least[i] = low[i] ?? 0;
      if ((high[i] ?? 0) > (greatest[i] ?? 0)) greatest[i] = high[i] ?? 0;
    }
  }
}

/** Counts of values less the dark, over all pixels. */
export interface HistogramAccumulator extends Accumulator {
  addCounts(counts: Float64Array, outside: Float64Array): void;
}

/** More bins than this, and pairs of them would need more than 4 MiB. */
const MOST_PAIRED = 1022;

/**
 * The counter for a histogram.
 * @param dark - of each pixel
 */
export function histogramAccumulator(
  tally: HistogramSpec,
  pixels: number,
  type: PixelType,
  dark: Float64Array | undefined,
): HistogramAccumulator {
  const { wholeFrom, bins } = tally;
  if (type === "uint16" && wholeFrom !== undefined && wholeFrom > -32_768 && wholeFrom + bins < 32_768) {
    const whole = dark === undefined ? undefined : wholeDarks(dark);
    if (dark === undefined || whole !== undefined) return new Uint16Histogram(wholeFrom, bins, pixels, whole);
  }
  return new Float64Histogram(tally, type, dark);
}

/** For whole x and bin edges at halves, x − dark lies in the same bin as x less this whole number. */
export function wholeDark(dark: number): number {
  return Math.ceil(dark - 0.5);
}

/** That of each pixel; undefined where one does not fit 16 bits. */
function wholeDarks(dark: Float64Array): Uint16Array | undefined {
  const whole = new Uint16Array(dark.length);
  for (let i = 0; i < whole.length; i++) {
    const value = wholeDark(dark[i] ?? NaN);
    // Written so that NaN does not.
    if (!(value >= 0 && value <= 0xffff)) return undefined;
    whole[i] = value;
  }
  return whole;
}

/**
 * Unsigned 16-bit images, bins 1 wide on whole numbers: in 16-bit arithmetic, two pixels at a time where there is room.
 */
class Uint16Histogram implements HistogramAccumulator {
  readonly allocations: readonly number[];
  readonly #from: number;
  /** Below, the bins, above. */
  readonly #cells: number;
  readonly #pixels: number;
  readonly #dark: Uint16Array | undefined;
  #kernel: ReduceKernel | undefined;
  #offsets: Uint16Array = new Uint16Array();
  #singles: Uint32Array = new Uint32Array();
  #pairs: Uint32Array = new Uint32Array();

  constructor(from: number, bins: number, pixels: number, dark: Uint16Array | undefined) {
    this.#from = from;
    this.#cells = bins + 2;
    this.#pixels = pixels;
    this.#dark = dark;
    this.allocations = [2 * padded(pixels), 4 * this.#cells, 4 * this.#pairCells];
  }

  get #pairCells(): number {
    return this.#cells - 2 <= MOST_PAIRED ? this.#cells ** 2 : 0;
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#offsets = arena.uint16(padded(this.#pixels));
    this.#singles = arena.uint32(this.#cells);
    this.#pairs = arena.uint32(this.#pairCells, false);
    const [offsets, dark] = [this.#offsets, this.#dark];
    if (dark === undefined) offsets.fill(-32_768);
    else for (let i = 0; i < dark.length; i++) offsets[i] = (dark[i] ?? 0) - 32_768;
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const offsets = this.#offsets.byteOffset + 2 * first;
    const [base, top, singles] = [this.#from - 1, this.#cells - 1, this.#singles.byteOffset];
    if (this.#pairs.length > 0)
      this.#kernel?.pairsU16(address, images, stride, length, offsets, base, top, this.#pairs.byteOffset, singles);
    else this.#kernel?.singlesU16(address, images, stride, length, offsets, base, top, singles);
  }

  clear(): void {
    this.#singles.fill(0);
    this.#pairs.fill(0);
  }

  addCounts(counts: Float64Array, outside: Float64Array): void {
    const cells = this.#cells;
    const sums = Float64Array.from(this.#singles);
    const pairs = this.#pairs;
    for (let a = 0, at = 0; at < pairs.length; a++) {
      for (let b = 0; b < cells; b++, at++) {
        const count = pairs[at] ?? 0;
        if (count === 0) continue;
        sums[a] = (sums[a] ?? 0) + count;
        sums[b] = (sums[b] ?? 0) + count;
      }
    }
    addTo(counts, sums.subarray(1));
    outside[0] = (outside[0] ?? 0) + (sums[0] ?? 0);
    outside[1] = (outside[1] ?? 0) + (sums[cells - 1] ?? 0);
  }
}

/** Any bins, any values, in double precision. */
class Float64Histogram implements HistogramAccumulator {
  readonly allocations: readonly number[];
  readonly #tally: HistogramSpec;
  readonly #type: PixelType;
  readonly #dark: KernelDark;
  #kernel: ReduceKernel | undefined;
  #table: Uint32Array = new Uint32Array();

  constructor(tally: HistogramSpec, type: PixelType, dark: Float64Array | undefined) {
    this.#tally = tally;
    this.#type = type;
    this.#dark = new KernelDark(dark);
    this.allocations = [this.#dark.bytes, 4 * (tally.bins + 3)];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#dark.allocate(arena);
    this.#table = arena.uint32(this.#tally.bins + 3);
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const { low, binWidth, bins, wholeFrom } = this.#tally;
    const whole = wholeFrom === undefined ? 0 : 1;
    const count = this.#type === "uint16" ? this.#kernel?.histogramU16 : this.#kernel?.histogramF32;
    count?.(
      address,
      images,
      stride,
      length,
      this.#dark.addressOf(first),
      whole,
      low,
      low + bins * binWidth,
      binWidth,
      bins,
      this.#table.byteOffset,
    );
  }

  clear(): void {
    this.#table.fill(0);
  }

  addCounts(counts: Float64Array, outside: Float64Array): void {
    const { bins } = this.#tally;
    const table = this.#table;
    for (let i = 0; i < bins; i++) counts[i] = (counts[i] ?? 0) + (table[i + 1] ?? 0);
    outside[0] = (outside[0] ?? 0) + (table[0] ?? 0);
    outside[1] = (outside[1] ?? 0) + (table[bins + 1] ?? 0);
    outside[2] = (outside[2] ?? 0) + (table[bins + 2] ?? 0);
  }
}
