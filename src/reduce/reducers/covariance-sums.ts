import type { Shot } from "../../core/shots.ts";
import type { Arena } from "../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../engine/accumulator.ts";
import { wholeDark } from "../engine/accumulators.ts";
import { quantize, quantizeHigh } from "../engine/exact.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";
import { TILE } from "../images/in-place.ts";

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

/** And sums of what is not of a pixel, which begin with the shots that were taken in and those left out. */
export type CovarianceState = Readonly<Record<(typeof covarianceSums)[number] | "upper", Float64Array>>;

// Multiples of 2^20 and of 2^−12, up to a sum of 2^73; multiples of 2^16 and of 2^−16, up to 2^69. 4 million shots.
const [FOUR, FOUR_REST] = [1.5 * 2 ** 72, 1.5 * 2 ** 40];
const [THREE, THREE_REST] = [1.5 * 2 ** 68, 1.5 * 2 ** 36];
/** To what a product of four numbers is rounded, and one of three. */
export const FOUR_STEP = 2 ** -12;
export const THREE_STEP = 2 ** -16;

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
    const [squareHigh, productHigh] = [quantizeHigh(xx), quantizeHigh(x * b)];
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

/**
 * How far from its level a pixel may be so that products with numbers up to `most` are exact, and sums of {@link GROUP}
 * of them: below 2^53 steps of 2^−6 for x²b, of 2^4 for x² times the upper part of b², of 2^−12 for xb².
 */
function furthest(most: number): number {
  const b = most + 1;
  return Math.min(0xffff, Math.floor(Math.min(Math.sqrt(2 ** 44 / b), 2 ** 27 / b, 2 ** 38 / b ** 2)));
}

/** From a sum of a piece to the next: a power of 2 would bring all of them to the same lines of the cache. */
export const SPAN = TILE + 72;

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
  #kernel: ReduceKernel | undefined;
  #levels: Uint16Array = new Uint16Array();
  #factors: Float64Array = new Float64Array();
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
    return [2 * (this.#pixels + 1), 40 * GROUP, 8 * SPAN * covarianceSums.length];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#levels = arena.uint16(this.#pixels + 1);
    const [levels, dark] = [this.#levels, this.#dark];
    if (dark !== undefined) for (let i = 0; i < dark.length; i++) levels[i] = levelOf(dark[i] ?? NaN);
    this.#factors = arena.float64(5 * GROUP);
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
    for (const state of this.#states) {
      const { first, length } = piece;
      // To read memory that was never written makes the system map it twice.
      if (this.#batches === 1 && state.upper[0] === 0 && state.upper[1] === 0) this.#tile.fill(0);
      else
        for (const [k, name] of covarianceSums.entries())
          this.#tile.set(state[name].subarray(first, first + length), k * SPAN);
      for (let k = 0; k < piece.images; k += GROUP) this.#addGroup(piece, k);
      for (const [k, name] of covarianceSums.entries())
        state[name].set(this.#tile.subarray(k * SPAN, k * SPAN + length), first);
    }
  }

  /** Adds a few images from number `from` on; those without a number part them. */
  #addGroup({ address, images, stride, first, length }: PixelSlice, from: number): void {
    const end = Math.min(images, from + GROUP);
    const numberOf = (k: number): number => this.#numbers[this.#begun - this.#images + k] ?? NaN;
    const levels = this.#levels.byteOffset + 2 * first;
    for (let k = from; k < end; ) {
      const begin = k;
      let most = 0;
      for (; k < end && !Number.isNaN(numberOf(k)); k++) {
        this.#factors.set(factorsOf(numberOf(k)), 5 * (k - begin));
        most = Math.max(most, Math.abs(numberOf(k)));
      }
      const [frames, limit] = [address + begin * stride, furthest(most)];
      const [factors, sums] = [this.#factors.byteOffset, this.#tile.byteOffset];
      if (k > begin) this.#kernel?.covaryU16(frames, k - begin, stride, length, levels, limit, factors, sums, 8 * SPAN);
      else k++;
    }
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
