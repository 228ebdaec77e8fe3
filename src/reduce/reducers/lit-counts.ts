import type { Arena } from "../../core/wasm.ts";
import type { PixelSlice, ReduceKernel } from "../engine/accumulator.ts";
import { GROUP } from "../engine/kernel.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";
import { float32From, TILE } from "../images/in-place.ts";

/**
 * An unsigned 16-bit pixel less its dark, as float32, is at least `least` exactly when its stored number is above a
 * whole number of 16 bits, the limit of the pixel. A pixel that is lit even at 0 has no limit. Gives whether all have
 * one.
 */
export function haveLimits(least: number, dark: Float64Array | undefined): boolean {
  if (dark === undefined) return !(0 >= least);
  let lowest = Infinity;
  for (let i = 0; i < dark.length; i++) {
    const level = dark[i] ?? NaN;
    if (level < lowest) lowest = level;
  }
  return !(Math.fround(-lowest) >= least);
}

/** The least number that is at least `least` once it is rounded to float32. */
function roundedFrom(least: number): number {
  const from = float32From(least);
  if (!Number.isFinite(from)) return from;
  const middle = (from - float32From(nextAbove(-from))) / 2;
  return Math.fround(middle) >= least ? middle : nextAbove(middle);
}

const bits = new DataView(new ArrayBuffer(8));

/** The least number above `x`. */
function nextAbove(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  bits.setFloat64(0, x);
  bits.setBigInt64(0, bits.getBigInt64(0) + (x > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}

/** Limits of all pixels, in the memory of the kernel. */
export class PixelLimits {
  readonly #least: number;
  readonly #dark: Float64Array | undefined;
  readonly #pixels: number;
  #limits: Uint16Array = new Uint16Array();

  constructor(least: number, dark: Float64Array | undefined, pixels: number) {
    this.#least = least;
    this.#dark = dark;
    this.#pixels = pixels;
  }

  get allocations(): number[] {
    return [8 * TILE, 2 * (this.#pixels + 1)];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    const part = arena.float64(TILE);
    this.#limits = arena.uint16(this.#pixels + 1, false);
    const least = roundedFrom(this.#least);
    for (let first = 0; first < this.#pixels; first += TILE) {
      const length = Math.min(TILE, this.#pixels - first);
      if (this.#dark !== undefined) part.set(this.#dark.subarray(first, first + length));
      kernel.limitsU16(part.byteOffset, length, least, this.addressOf(first));
    }
  }

  /** Where the limit of a pixel lies. */
  addressOf(pixel: number): number {
    return this.#limits.byteOffset + 2 * pixel;
  }
}

/** One number for each image, in the order in which they come; in the memory of the kernel. */
export class ImageTotals {
  readonly #done: number[] = [];
  #group: Float64Array = new Float64Array();
  #images = 0;

  readonly allocations = [8 * GROUP];

  allocate(arena: Arena): void {
    this.#group = arena.float64(GROUP);
  }

  begin(images: number): void {
    this.#finish();
    this.#images = images;
  }

  clear(): void {
    this.#done.length = 0;
    this.#images = 0;
    this.#group.fill(0);
  }

  /** Where those of the group lie. */
  get address(): number {
    return this.#group.byteOffset;
  }

  get values(): readonly number[] {
    this.#finish();
    return this.#done;
  }

  #finish(): void {
    for (let k = 0; k < this.#images; k++) this.#done.push(this.#group[k] ?? NaN);
    this.#images = 0;
    this.#group.fill(0);
  }
}

/** How many pixels of each image are lit. */
export class LitCounts implements OwnAccumulator {
  readonly #limits: PixelLimits;
  readonly #totals = new ImageTotals();
  #kernel: ReduceKernel | undefined;

  constructor(threshold: number, dark: Float64Array | undefined, pixels: number) {
    this.#limits = new PixelLimits(threshold, dark, pixels);
  }

  get allocations(): number[] {
    return [...this.#limits.allocations, ...this.#totals.allocations];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#limits.allocate(kernel, arena);
    this.#totals.allocate(arena);
  }

  begin(images: number): void {
    this.#totals.begin(images);
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    this.#kernel?.countsU16(address, images, stride, length, this.#limits.addressOf(first), this.#totals.address);
  }

  clear(): void {
    this.#totals.clear();
  }

  /** Image by image. */
  get counts(): readonly number[] {
    return this.#totals.values;
  }
}
