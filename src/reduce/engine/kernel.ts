import type { Pixels, PixelType } from "../../core/ndarray.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import { Arena, hasFunctions, instantiateKernel } from "../../core/wasm.ts";
import { correctEach, correctInto, letKernelWorkOn, type SensorCorrection, TILE } from "../images/in-place.ts";
import type { KernelWork, Layout, Reducer, State } from "../reducer.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "./accumulator.ts";
import { AccumulatorSet, type AccumulatorSpec } from "./accumulator-set.ts";
import { kernelBinary } from "./kernel-binary.ts";
import {
  type BatchStatistics,
  type HistogramSpec,
  isOwn,
  type OwnAccumulator,
  type OwnStatistic,
  type Statistic,
} from "./statistic.ts";

/** Images in memory that are taken in together, piece by piece: what is counted of a piece stays in the cache. */
export const BATCH = 4 * GROUP;

/**
 * Images that come one by one and wait for each other: half a group where all that is asked is light, as sums are. The
 * memory of more of them takes longer to touch than it saves, and is the largest of a pass over a file.
 */
const FEW = GROUP / 2;

/** Smaller images are worth neither the memory of a kernel nor the wait for others. */
const FEWEST_PIXELS = 4096;

/** What the kernel can do for a reducer on such images, less a dark. */
export function workOf(
  { kernel }: Reducer<unknown>,
  frame: ImageSpec,
  dark?: Float64Array,
): KernelWork<Layout> | undefined {
  if (kernel === undefined) return undefined;
  if ((kernel.type ?? frame.type) !== frame.type && !needsWhole(kernel, frame.type)) return undefined;
  return kernel.fits?.(frame, dark) === false ? undefined : kernel;
}

/**
 * Whether images of the type go by the kernel only when their numbers are whole: float32 images of a reducer that
 * counts unsigned 16-bit ones by itself. Files have such images.
 */
export function needsWhole({ type, statistics }: KernelWork<Layout>, imageType: PixelType): boolean {
  return type === "uint16" && imageType === "float32" && statistics.every(isOwn);
}

/**
 * What the kernel is to count of such images for the reducers; nothing when it is not worth it.
 * @param type - of the images when they are corrected
 * @param dark - of each pixel
 */
export function statisticsOf(
  reducers: readonly Reducer<unknown>[],
  frame: ImageSpec,
  type: PixelType = frame.type,
  dark?: Float64Array,
): Statistic[] {
  if (frame.rows * frame.columns < FEWEST_PIXELS) return [];
  return reducers.flatMap((reducer) => workOf(reducer, { ...frame, type }, dark)?.statistics ?? []);
}

/** Images after which a 32-bit sum of 16-bit values may be full. */
const MOST_IMAGES = 0xffff;

const names: readonly (keyof ReduceKernel)[] = [
  "sumU16",
  "sumF32",
  "momentsU16",
  "momentsF32",
  "rangeU16",
  "rangeF32",
  "pairsU16",
  "singlesU16",
  "histogramU16",
  "histogramF32",
  "wholeF32",
  "limitsU16",
  "countsU16",
  "photonsU16",
  "pixelBinsU16",
  "productsU16",
  "roiU16",
  "roisU16",
];

/** The functions of the kernel over the memory of the arena. */
export function kernelOver(arena: Arena): ReduceKernel {
  const kernel = instantiateKernel(kernelBinary, arena.memory);
  if (!isReduceKernel(kernel)) throw new TypeError("kernels/reduce.ts lacks a function");
  return kernel;
}

function isReduceKernel(exports: object): exports is ReduceKernel {
  return hasFunctions(exports, names);
}

/** What is counted of the images of one sensor. */
interface SensorStatistics extends AccumulatorSpec {
  /** Of the images that come. */
  readonly type: PixelType;
  /** Done to each piece of the images before it is counted, as float32. @default nothing */
  readonly correct?: SensorCorrection | undefined;
  /** Done to each image before it comes, in the memory of {@link SensorKernel.next}. @default nothing */
  readonly before?: SensorCorrection | undefined;
}

/** Bytes of the slices of images that {@link GROUP} images are copied into. */
export function tileBytes(type: PixelType): number {
  return GROUP * TILE * (type === "uint16" ? 2 : 4);
}

/** Memory for them. */
export function tileMemory(arena: Arena, type: PixelType): Pixels {
  return type === "uint16" ? arena.uint16(GROUP * TILE, false) : arena.float32(GROUP * TILE, false);
}

/** Counts the statistics of one sensor in WebAssembly. */
export class SensorKernel implements BatchStatistics {
  readonly #pixels: number;
  readonly #type: PixelType;
  readonly #correct: SensorCorrection | undefined;
  readonly #before: SensorCorrection | undefined;
  /** Of whole numbers that fit 16 bits, in whichever type they come: they are counted several times as fast. */
  readonly #whole: AccumulatorSet;
  /** Of all others; undefined for images that have none. */
  readonly #any: AccumulatorSet | undefined;
  #kernel: ReduceKernel | undefined;
  #buffer: ArrayBuffer | undefined;
  /** Pixels that lie elsewhere are copied here, tile by tile; and those that are corrected. */
  #scratch: Pixels = new Uint16Array();
  /** The pieces of corrected images in there: of whole tiles, and of the last one. */
  #corrected: readonly [tiles: readonly Float32Array[], last: readonly Float32Array[]] = [[], []];
  /**
   * Images that come one by one wait here, as 16-bit whole numbers, until they are a group: what is counted for each
   * pixel is a multiple of an image, and the memory it lies in is far.
   */
  #waiting: Uint16Array = new Uint16Array();
  #waits = 0;
  /** The same of images with fractions, fewer of them because they take twice the memory. */
  #waitingReal: Float32Array = new Float32Array();
  #waitsReal = 0;
  readonly #group: number;
  /** Each of them, for corrections that are done in there. */
  #places: readonly Float32Array[] = [];
  readonly #realGroup: number;
  readonly #waitingTags: number[] = [];
  #tags: number[] = [];
  readonly #most: number;

  /** @param waits - images with fractions wait for others, too */
  constructor(spec: SensorStatistics, waits: boolean) {
    const { pixels, type, statistics, correct, before } = spec;
    this.#most = Math.min(MOST_IMAGES, ...statistics.filter(isOwn).map((own) => own.mostImages ?? Infinity));
    this.#pixels = pixels;
    this.#type = type;
    this.#correct = correct;
    this.#before = before;
    this.#whole = new AccumulatorSet({ ...spec, statistics: correct === undefined ? statistics : [] }, "uint16", true);
    const shared = statistics.filter((statistic) => !isOwn(statistic));
    const countsReal = (type === "float32" || correct !== undefined) && shared.length > 0;
    this.#any = countsReal ? new AccumulatorSet({ ...spec, statistics: shared }, "float32", true) : undefined;
    this.#group = correct !== undefined || statistics.some(isOwn) ? GROUP : FEW;
    this.#realGroup = waits && countsReal && type === "float32" ? FEW : 0;
  }

  /** Memory it needs at most; what is for fractions is not touched when there are none. */
  get bytes(): number {
    const allocations = [...this.#whole.allocations, ...(this.#any?.allocations ?? [])];
    const waiting = [this.#group * this.#pixels * 2, this.#realGroup * this.#pixels * 4];
    const maps = (this.#correct ?? this.#before) === undefined ? [] : [2 * TILE, ...this.#maps];
    return Arena.bytesFor([tileBytes(this.#tileType), ...waiting, ...allocations, ...maps]);
  }

  /** Bytes of the numbers of each pixel that a correction may need, one map for each of its steps. */
  get #maps(): readonly number[] {
    const { level, steps = [] } = this.#correct ?? this.#before ?? {};
    return [...(level === undefined ? [] : [level]), ...steps].map(() => 8 * this.#pixels);
  }

  /** Of the pixels that are counted. */
  get #tileType(): PixelType {
    return this.#correct === undefined ? this.#type : "float32";
  }

  /** Gets its memory; to be called once, before anything else. @throws RangeError when there is not enough */
  allocate(arena: Arena): void {
    const kernel = kernelOver(arena);
    this.#kernel = kernel;
    this.#buffer = arena.memory.buffer;
    this.#scratch = tileMemory(arena, this.#tileType);
    this.#waiting = arena.uint16(this.#group * this.#pixels, false);
    this.#waitingReal = arena.float32(this.#realGroup * this.#pixels, false);
    this.#whole.allocate(kernel, arena);
    this.#any?.allocate(kernel, arena);
    if (this.#before !== undefined) {
      this.#places = images(this.#waitingReal, this.#realGroup, this.#pixels, this.#pixels);
      letKernelWorkOn(this.#places, arena);
    }
    if (this.#correct === undefined) return;
    const pieces = (length: number): Float32Array[] => images(this.#scratch, GROUP, TILE, length);
    this.#corrected = [pieces(TILE), pieces(this.#pixels % TILE)];
    letKernelWorkOn(this.#corrected.flat(), arena);
  }

  /** The first pixels of an image, corrected. */
  firstPiece(image: Pixels): Float32Array {
    const piece = this.#pieceOf(0, Math.min(TILE, this.#pixels));
    if (this.#correct !== undefined) correctInto(this.#correct, image.subarray(0, piece.length), piece);
    return piece;
  }

  /** Where an image with fractions is best made that comes next: it waits there. Undefined when none waits. */
  get next(): Float32Array | undefined {
    return this.#places[this.#waitsReal];
  }

  /** Lets what reducers count themselves go straight into their states; to be called once, after `allocate`. */
  bind(reducers: readonly { readonly reducer: Reducer<unknown>; readonly state: State<Layout> }[]): void {
    for (const { reducer, state } of reducers)
      for (const statistic of reducer.kernel?.statistics.filter(isOwn) ?? [])
        this.#whole.own.get(statistic)?.bind?.(state);
  }

  /** Whether it corrects the images itself. */
  get corrects(): boolean {
    return this.#correct !== undefined;
  }

  /** Images counted since the last {@link SensorKernel.clear}. */
  get images(): number {
    return this.#whole.images + this.#waits + (this.#any?.images ?? 0) + this.#waitsReal;
  }

  /** Images that can be taken in before {@link SensorKernel.clear} must make room. */
  get room(): number {
    return Math.min(this.#most, Math.floor(0xffff_ffff / this.#pixels)) - this.images;
  }

  /**
   * Takes in consecutive images of the type given, at most {@link BATCH}.
   * @param first - number of the first image in `data`
   * @param shots - of each image
   * @returns whether all of them have whole numbers: others are not in statistics of reducers' own
   */
  accumulate(data: Pixels, first: number, shots: readonly Shot[]): boolean {
    const isElsewhere = this.#whole.takesImages && data.buffer !== this.#buffer;
    if (this.#type !== "uint16" || shots.length === 1 || isElsewhere) {
      const isWhole = shots.map((shot, k) => this.#accumulateOne(data, first + k, shot));
      return !isWhole.includes(false);
    }
    // Those that came before are counted before.
    this.finish();
    const isInPlace = data.buffer === this.#buffer && this.#correct === undefined;
    const most = isInPlace && this.#whole.takesMany ? BATCH : GROUP;
    for (let k = 0; k < shots.length; k += most) {
      const part = shots.slice(k, k + most);
      for (const shot of part) this.#arrive(shot);
      this.#countWhole(
        data,
        first + k,
        part.map(({ tag }) => tag),
      );
    }
    return true;
  }

  #arrive(shot: Shot): void {
    for (const own of this.#whole.own.values()) own.arrive?.(shot);
  }

  /** Counts the images that wait; to be called before the block is read. */
  finish(): void {
    this.#waits = 0;
    if (this.#waitingTags.length > 0) this.#countWhole(this.#waiting, 0, this.#waitingTags.splice(0));
    const images = this.#waitsReal;
    this.#waitsReal = 0;
    if (images > 0) this.#countReal(this.#waitingReal, 0, images);
  }

  /** Makes room. */
  clear(): void {
    this.#whole.images = 0;
    this.#tags = [];
    if (this.#any !== undefined) this.#any.images = 0;
  }

  addSums(sums: Float64Array, areNew = false): void {
    for (const [k, counters] of this.#used.entries()) counters.sums?.addSums(sums, counters.images, areNew && k === 0);
  }

  addSquares(upper: Float64Array, lower: Float64Array, areNew = false): void {
    for (const [k, { squares, images }] of this.#used.entries())
      squares?.addSquares(upper, lower, images, areNew && k === 0);
  }

  addRange(least: Float64Array, greatest: Float64Array): void {
    for (const counters of this.#used) counters.range?.addRange(least, greatest);
  }

  addCounts(tally: HistogramSpec, counts: Float64Array, outside: Float64Array): void {
    for (const counters of this.#used) counters.histograms.get(tally)?.addCounts(counts, outside);
  }

  get tags(): readonly number[] {
    return this.#tags;
  }

  own<A extends OwnAccumulator>(statistic: OwnStatistic<A>): A | undefined {
    return this.#whole.images === 0 ? undefined : (this.#whole.own.get(statistic) as A | undefined);
  }

  get #used(): AccumulatorSet[] {
    return [this.#whole, this.#any].filter((counters) => counters !== undefined).filter(({ images }) => images > 0);
  }

  #accumulateOne(data: Pixels, number: number, shot: Shot): boolean {
    const at = this.#waits * this.#pixels;
    if (data instanceof Uint16Array)
      this.#waiting.set(data.subarray(number * this.#pixels, (number + 1) * this.#pixels), at);
    else if (this.#correct !== undefined || !this.#asWhole(data, number, this.#waiting.byteOffset + 2 * at)) {
      if (this.#realGroup > 0) this.#wait(data.subarray(number * this.#pixels, (number + 1) * this.#pixels));
      else this.#countReal(data, number, 1);
      return false;
    }
    this.#arrive(shot);
    this.#waitingTags.push(shot.tag);
    if (++this.#waits === this.#group) this.finish();
    return true;
  }

  #wait(image: Pixels): void {
    const place = this.#waitsReal * this.#pixels;
    const isThere = image.buffer === this.#buffer && image.byteOffset === this.#waitingReal.byteOffset + 4 * place;
    if (!isThere) this.#waitingReal.set(image, place);
    if (++this.#waitsReal === this.#realGroup) this.finish();
  }

  /** Counts images of whole numbers, unless they are corrected first. */
  #countWhole(data: Pixels, first: number, tags: readonly number[]): void {
    if (this.#correct !== undefined) this.#countReal(data, first, tags.length);
    else this.#count(this.#whole, data, first, tags.length);
    this.#tags.push(...tags);
  }

  #countReal(data: Pixels, first: number, images: number): void {
    if (this.#any !== undefined) this.#count(this.#any, data, first, images);
  }

  /** Writes a float32 image as whole numbers; false when it has others. */
  #asWhole(data: Pixels, number: number, out: number): boolean {
    return this.#eachTile(
      data,
      number,
      1,
      ({ address, first, length }) => this.#kernel?.wholeF32(address, length, out + 2 * first) === 1,
    );
  }

  #count(counters: AccumulatorSet, data: Pixels, first: number, images: number): void {
    counters.begin(images);
    this.#eachTile(data, first, images, (piece) => {
      counters.accumulate(piece);
      return true;
    });
    if (!counters.takesImages) return;
    const stride = data.BYTES_PER_ELEMENT * this.#pixels;
    const address = data.byteOffset + first * stride;
    counters.accumulateImages({ address, images, stride, first: 0, length: this.#pixels });
  }

  /** Shows images tile by tile in the memory of the kernel, until told to stop by false; gives whether it was not. */
  #eachTile(data: Pixels, first: number, images: number, show: (piece: PixelSlice) => boolean): boolean {
    const correct = this.#correct;
    const inPlace = data.buffer === this.#buffer && correct === undefined;
    const size = (inPlace ? data : this.#scratch).BYTES_PER_ELEMENT;
    const stride = size * (inPlace ? this.#pixels : TILE);
    for (let from = 0; from < this.#pixels; from += TILE) {
      const length = Math.min(TILE, this.#pixels - from);
      const at = first * this.#pixels + from;
      if (!inPlace) {
        const parts = Array.from({ length: images }, (_, k) =>
          data.subarray(at + k * this.#pixels, at + k * this.#pixels + length),
        );
        if (correct === undefined) for (const [k, part] of parts.entries()) this.#scratch.set(part, k * TILE);
        else
          correctEach(
            correct,
            parts,
            parts.map((_, k) => this.#pieceOf(k, length)),
            from,
          );
      }
      const address = inPlace ? data.byteOffset + size * at : this.#scratch.byteOffset;
      if (!show({ address, images, stride, first: from, length })) return false;
    }
    return true;
  }

  /** Memory for the corrected pixels of image `k` of a group. */
  #pieceOf(k: number, length: number): Float32Array {
    const [tiles, last] = this.#corrected;
    return (length === TILE ? tiles : last)[k] ?? new Float32Array(length);
  }
}

/** The first pixels of float32 images that lie one behind the other. */
function images(memory: Pixels, number: number, stride: number, length: number): Float32Array[] {
  return Array.from({ length: number }, (_, k) => {
    return new Float32Array(memory.buffer, memory.byteOffset + 4 * stride * k, length);
  });
}
