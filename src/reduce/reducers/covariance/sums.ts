import type { Shot } from "../../../core/shots.ts";
import { type Arena, instantiateKernel } from "../../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../../engine/accumulator.ts";
import { wholeDark } from "../../engine/accumulators.ts";
import { quantize, quantizeHigh } from "../../engine/exact.ts";
import { CARRIED_STEPS } from "../../engine/state.ts";
import type { OwnAccumulator } from "../../engine/statistic.ts";
import { sums } from "../../engine/wide-sum.ts";
import { TILE } from "../../images/in-place.ts";
import type { ArrayField } from "../../reducer.ts";
import { kernelBinary } from "./kernel-binary.ts";

/**
 * Sums of each pixel x with the number y of the shot, in the order in which the kernel has them: Σx; Σx²; Σxb and
 * Σx(y − b), where b is y rounded to 2^−6; Σx²b, Σxb² and Σx²b² for the error. Of a sum in two parts, only the total
 * says something. b² has so few digits that products with whole pixels, and sums of some of them, are exact: the kernel
 * need not round them one by one, which was most of the work.
 */
export const covarianceSums = [
  "sum",
  "squareUpper",
  "squareLower",
  "productUpper",
  "productLower",
  "rest",
  "leftUpper",
  "leftLower",
  "rightUpper",
  "rightLower",
  "fourUpper",
  "fourLower",
] as const;

type SumName = (typeof covarianceSums)[number];

/** The sums in two parts: the upper one has multiples of the step. */
const parts: readonly { readonly upper: SumName; readonly lower: SumName; readonly step: number }[] = [
  { upper: "squareUpper", lower: "squareLower", step: 2 ** 12 },
  { upper: "productUpper", lower: "productLower", step: 2 ** 12 },
  { upper: "leftUpper", lower: "leftLower", step: 2 ** 16 },
  { upper: "rightUpper", lower: "rightLower", step: 2 ** 16 },
  { upper: "fourUpper", lower: "fourLower", step: 2 ** 20 },
];
const uppers: ReadonlySet<string> = new Set(parts.map(({ upper }) => upper));

/** Fields of so many pixels. */
export function covarianceFields(pixels: number): Readonly<Record<SumName, ArrayField & { readonly type: "float64" }>> {
  const steps = new Map<string, number>(parts.map(({ lower, step }) => [lower, step]));
  const fields = covarianceSums.map((name) => [name, { ...sums(pixels), carry: steps.get(name) }] as const);
  return Object.fromEntries(fields) as ReturnType<typeof covarianceFields>;
}

/** The functions of kernels/covariance.ts that are used here; addresses and strides in bytes. */
interface CovarianceKernel {
  areNear(frames: number, count: number, stride: number, n: number, levels: number, limit: number): number;
  covarySmall(
    frames: number,
    count: number,
    stride: number,
    n: number,
    levels: number,
    pairs: number,
    sums: number,
    step: number,
  ): void;
  covaryU16(
    frames: number,
    count: number,
    stride: number,
    n: number,
    levels: number,
    limit: number,
    numbers: number,
    pairs: number,
    sums: number,
    step: number,
  ): void;
  reach(sums: number, n: number, bound: number): number;
  carry(lower: number, upper: number, n: number, coarse: number): void;
  covariances(sums: number, step: number, n: number, numbers: number, out: number): void;
}

/** The functions over the memory of the arena. */
export function covarianceKernel(arena: Arena): CovarianceKernel {
  return instantiateKernel(kernelBinary, arena.memory) as unknown as CovarianceKernel;
}

/** And sums of what is not of a pixel, which begin with the shots that were taken in and those left out. */
export type CovarianceState = Readonly<Record<SumName | "upper", Float64Array>>;

// Multiples of 2^20 and of 2^−12, up to a sum of 2^73; multiples of 2^16 and of 2^−16, up to 2^69. 4 million shots.
const [FOUR, FOUR_REST] = [1.5 * 2 ** 72, 1.5 * 2 ** 40];
const [THREE, THREE_REST] = [1.5 * 2 ** 68, 1.5 * 2 ** 36];
/** What a pixel is multiplied with: b, y − b, b², and two parts of b² of which each has half its digits. */
type Factors = readonly [b: number, rest: number, square: number, high: number, low: number];

/** `y` rounded to a multiple of 2^−6. */
export function coarse(y: number): number {
  return y + 1.5 * 2 ** 46 - 1.5 * 2 ** 46;
}

function factorsOf(y: number): Factors {
  const b = coarse(y);
  const square = b * b;
  // A multiple of 2^4.
  const high = square + 1.5 * 2 ** 56 - 1.5 * 2 ** 56;
  return [b, y - b, square, high, square - high];
}

/**
 * The whole number near the dark of a pixel that is taken off it. It changes no covariance, and keeps whole numbers
 * whole; 0 for a dark that is not a number.
 */
function levelOf(dark: number): number {
  const whole = wholeDark(dark);
  return whole > 0 ? Math.min(whole, 0xffff) : 0;
}

/** Adds an image with its number, rounding as the kernel does. */
export function addImage(
  state: CovarianceState,
  pixels: ArrayLike<number>,
  y: number,
  dark: Float64Array | undefined,
): void {
  const [b, rest, square, high, low] = factorsOf(y);
  const { sum, rest: rests } = state;
  const add = (upper: Float64Array, lower: Float64Array, i: number, x: number, top: number, fine: number): void => {
    const part = x + top - top;
    upper[i] = (upper[i] ?? 0) + part;
    lower[i] = (lower[i] ?? 0) + (x - part + fine - fine);
  };
  for (let i = 0; i < sum.length; i++) {
    const x = quantize((pixels[i] ?? NaN) - (dark === undefined ? 0 : levelOf(dark[i] ?? NaN)));
    const xx = x * x;
    const squareHigh = quantizeHigh(xx);
    const productHigh = quantizeHigh(x * b);
    sum[i] = (sum[i] ?? 0) + x;
    state.squareUpper[i] = (state.squareUpper[i] ?? 0) + squareHigh;
    state.squareLower[i] = (state.squareLower[i] ?? 0) + quantize(xx - squareHigh);
    state.productUpper[i] = (state.productUpper[i] ?? 0) + productHigh;
    state.productLower[i] = (state.productLower[i] ?? 0) + quantize(x * b - productHigh);
    rests[i] = (rests[i] ?? 0) + quantize(x * rest);
    add(state.leftUpper, state.leftLower, i, xx * b, THREE, THREE_REST);
    add(state.rightUpper, state.rightLower, i, x * square, THREE, THREE_REST);
    add(state.fourUpper, state.fourLower, i, xx * high, FOUR, FOUR_REST);
    add(state.fourUpper, state.fourLower, i, xx * low, FOUR, FOUR_REST);
  }
}

/** Pixels no further from their level are multiplied as 16-bit numbers: see `covaryFour` of kernels/covariance.ts. */
const LARGEST_PIXEL = 2 ** 13;
/** Of signed 16 bits. */
const LARGEST_SHORT = 2 ** 15 - 1;

/**
 * How far from its level a pixel may be so that products with numbers up to `most` are exact, and sums of {@link GROUP}
 * of them: below 2^53 steps of 2^−6 for x²b, of 2^4 for x² times the upper part of b², of 2^−12 for xb².
 */
function furthest(most: number): number {
  const b = most + 1;
  return Math.min(0xffff, Math.floor(Math.min(Math.sqrt(2 ** 44 / b), 2 ** 27 / b, 2 ** 38 / b ** 2)));
}

/**
 * The same so that the lower parts of the sums hold the products of 32 images beside what is carried from
 * them at: 2^19 steps of 2^20 for x²b², of 2^16 for x²b and xb², of 2^12 for xb.
 */
function furthestSmall(most: number): number {
  const b = most + 1;
  return Math.floor(Math.min(LARGEST_PIXEL, Math.sqrt(2 ** 34) / b, Math.sqrt(2 ** 30 / b), 2 ** 30 / b ** 2));
}

/** From a sum of a piece to the next: a power of 2 would bring all of them to the same lines of the cache. */
export const SPAN = TILE + 72;

/** Consecutive images with numbers, of which the largest is `most` off 0. */
interface Run {
  readonly first: number;
  readonly numbers: readonly number[];
  readonly most: number;
}

/** Whether numbers in steps of 2^−6 have 16 bits. */
function isShort({ most }: Run): boolean {
  return 64 * Math.abs(coarse(most)) <= LARGEST_SHORT;
}

/** What a pixel is multiplied with, as 16-bit numbers: see `covaryFour` of kernels/covariance.ts. */
function shortsOf(y: number): readonly number[] {
  const b = coarse(y);
  const d = 64 * b;
  const high = Math.round(d ** 2 / 2 ** 15);
  return [d, (y - b) * 2 ** 20, high, d * d - 2 ** 15 * high];
}

/** Adds unsigned 16-bit images in the memory of the kernel, piece by piece straight to the states. */
export class CovarianceSums implements OwnAccumulator {
  readonly takesMany = true;
  readonly #numberOf: (shot: Shot) => number;
  readonly #dark: Float64Array | undefined;
  readonly #pixels: number;
  readonly #states: CovarianceState[] = [];
  /** Numbers of the shots, in the order of the images: those that wait, and those that have been added. */
  readonly #numbers: number[] = [];
  #begun = 0;
  #images = 0;
  #batches = 0;
  #kernel: CovarianceKernel | undefined;
  #levels: Uint16Array = new Uint16Array();
  /** Of each image of a run, as real numbers and as 16-bit ones. */
  #factors: Float64Array = new Float64Array();
  #pairs: Uint16Array = new Uint16Array();
  #tile: Float64Array = new Float64Array();

  /**
   * @param numberOf - of a shot, NaN for one that is left out
   * @param dark - of each pixel
   */
  constructor(numberOf: (shot: Shot) => number, dark: Float64Array | undefined, pixels: number) {
    this.#numberOf = numberOf;
    this.#dark = dark;
    this.#pixels = pixels;
  }

  get allocations(): number[] {
    return [2 * (this.#pixels + 8), 40 * GROUP, 8 * GROUP, 8 * SPAN * covarianceSums.length];
  }

  allocate(_: ReduceKernel, arena: Arena): void {
    this.#kernel = covarianceKernel(arena);
    this.#levels = arena.uint16(this.#pixels + 8);
    const [levels, dark] = [this.#levels, this.#dark];
    if (dark !== undefined) for (let i = 0; i < dark.length; i++) levels[i] = levelOf(dark[i] ?? NaN);
    this.#factors = arena.float64(5 * GROUP);
    this.#pairs = arena.uint16(4 * GROUP);
    this.#tile = arena.float64(SPAN * covarianceSums.length);
  }

  bind(state: object): void {
    this.#states.push(state as CovarianceState);
  }

  arrive(shot: Shot): void {
    this.#numbers.push(this.#numberOf(shot));
  }

  begin(images: number): void {
    this.#begun += images;
    this.#images = images;
    this.#batches++;
  }

  accumulate(piece: PixelSlice): void {
    const runs = this.#runs(piece.images);
    const isSmall = this.#isSmall(piece, runs);
    const used = covarianceSums.filter((name) => !isSmall || !uppers.has(name));
    for (const state of this.#states) {
      // To read memory that was never written makes the system map it twice.
      const areNew = this.#batches === 1 && state.upper[0] === 0 && state.upper[1] === 0;
      if (areNew) this.#tile.fill(0);
      else for (const name of used) this.#load(state, name, piece);
      for (const run of runs) this.#add(piece, run, isSmall);
      for (const { upper, lower, step } of parts) {
        if (this.#kernel?.reach(this.#at(lower), piece.length, CARRIED_STEPS * step) === 0) continue;
        if (isSmall && !areNew) this.#load(state, upper, piece);
        this.#kernel?.carry(this.#at(lower), this.#at(upper), piece.length, 1.5 * 2 ** 52 * step);
        if (isSmall) this.#store(state, upper, piece);
      }
      for (const name of used) this.#store(state, name, piece);
    }
  }

  /** The images of the batch, at most {@link GROUP} together; those without a number part them. */
  #runs(images: number): readonly Run[] {
    const runs: Run[] = [];
    for (let k = 0; k < images; ) {
      const first = k;
      for (; k < images && k - first < GROUP && !Number.isNaN(this.#number(k)); k++);
      const numbers = Array.from({ length: k - first }, (_, i) => this.#number(first + i));
      if (k > first) runs.push({ first, numbers, most: Math.max(...numbers.map(Math.abs)) });
      else k++;
    }
    return runs;
  }

  #number(k: number): number {
    return this.#numbers[this.#begun - this.#images + k] ?? NaN;
  }

  /** Whether the lower parts of the sums hold what is added; most images of a detector are such. */
  #isSmall({ address, images, stride, first, length }: PixelSlice, runs: readonly Run[]): boolean {
    if (length % 8 !== 0 || !runs.every(isShort)) return false;
    const limit = furthestSmall(Math.max(0, ...runs.map(({ most }) => most)));
    return this.#kernel?.areNear(address, images, stride, length, this.#levelsOf(first), limit) !== 0;
  }

  #add({ address, stride, first, length }: PixelSlice, run: Run, isSmall: boolean): void {
    const images = run.numbers.length;
    const [frames, levels] = [address + run.first * stride, this.#levelsOf(first)];
    const [pairs, sums] = [isShort(run) ? this.#pairs.byteOffset : 0, this.#tile.byteOffset];
    for (const [k, y] of run.numbers.entries()) {
      this.#factors.set(factorsOf(y), 5 * k);
      if (pairs !== 0)
        for (const [i, factor] of shortsOf(y).entries()) this.#pairs[8 * (k >> 1) + 2 * i + (k & 1)] = factor;
    }
    // Of an image that there is not, every product is 0.
    if (images % 2 !== 0) for (let i = 0; i < 4; i++) this.#pairs[8 * (images >> 1) + 2 * i + 1] = 0;
    if (isSmall) {
      this.#kernel?.covarySmall(frames, images, stride, length, levels, pairs, sums, 8 * SPAN);
      return;
    }
    const limit = Math.min(furthest(run.most), pairs === 0 ? 0xffff : LARGEST_PIXEL);
    const factors = this.#factors.byteOffset;
    this.#kernel?.covaryU16(frames, images, stride, length, levels, limit, factors, pairs, sums, 8 * SPAN);
  }

  #levelsOf(pixel: number): number {
    return this.#levels.byteOffset + 2 * pixel;
  }

  /** Address of a sum in the tile. */
  #at(name: SumName): number {
    return this.#tile.byteOffset + 8 * SPAN * covarianceSums.indexOf(name);
  }

  #load(state: CovarianceState, name: SumName, { first, length }: PixelSlice): void {
    this.#tile.set(state[name].subarray(first, first + length), SPAN * covarianceSums.indexOf(name));
  }

  #store(state: CovarianceState, name: SumName, { first, length }: PixelSlice): void {
    const from = SPAN * covarianceSums.indexOf(name);
    state[name].set(this.#tile.subarray(from, from + length), first);
  }

  clear(): void {
    this.#numbers.splice(0, this.#begun);
    this.#begun = 0;
  }

  /** Of the shots that have been added since the last {@link CovarianceSums.clear}. */
  get numbers(): readonly number[] {
    return this.#numbers.slice(0, this.#begun);
  }
}
