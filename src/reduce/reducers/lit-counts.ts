import type { ImageSpec } from "../../core/shots.ts";
import { type Arena, instantiateKernel } from "../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../engine/accumulator.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";
import { float32From, TILE } from "../images/in-place.ts";
import { kernelBinary } from "../images/kernel-binary.ts";

/**
 * An unsigned 16-bit pixel less its dark, as float32, is at least `least` exactly when its stored number is above a
 * whole number of 16 bits, the limit of the pixel. A pixel that is lit even at 0 has no limit. Gives whether all have
 * one.
 */
export function haveLimits(least: number, dark: Float64Array | undefined): boolean {
  if (dark === undefined) return !(0 >= least);
  const from = roundedFrom(least);
  // Beyond the reach of float32 nothing is said.
  return Number.isFinite(from) && !reachesDown(dark, -from);
}

/** What was found of darks; forgotten when the program goes on with something else, because darks can be changed. */
const found = new Map<Float64Array, Map<number, boolean>>();

/** Whether a level is at most `bound`. A pass asks more than once, and to look takes longer than to count an image. */
function reachesDown(dark: Float64Array, bound: number): boolean {
  const known = found.get(dark)?.get(bound);
  if (known !== undefined) return known;
  if (found.size === 0) queueMicrotask(() => found.clear());
  const reaches = hasAtMost(dark, bound);
  found.set(dark, new Map([...(found.get(dark) ?? []), [bound, reaches]]));
  return reaches;
}

/** Four at a time, which takes two thirds of the time. */
function hasAtMost(dark: Float64Array, bound: number): boolean {
  const whole = dark.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    if ((dark[i] ?? NaN) <= bound || (dark[i + 1] ?? NaN) <= bound) return true;
    if ((dark[i + 2] ?? NaN) <= bound || (dark[i + 3] ?? NaN) <= bound) return true;
  }
  return dark.subarray(whole).some((level) => level <= bound);
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

/** The function of kernels/images.ts that is used here; addresses in bytes. */
interface PeakKernel {
  peaksU16(
    pixels: number,
    first: number,
    last: number,
    rows: number,
    columns: number,
    dark: number,
    limits: number,
    snr: number,
  ): number;
}

/** How many pixels of each image are lit, and how many of them are peaks when those are looked for. */
export class LitCounts implements OwnAccumulator {
  readonly takesImages?: true;
  readonly #rows: number;
  readonly #columns: number;
  readonly #snr: number | undefined;
  readonly #limits: PixelLimits;
  readonly #totals = new ImageTotals();
  readonly #dark: KernelDark;
  readonly #peaks: number[] = [];
  #kernel: (ReduceKernel & PeakKernel) | undefined;

  /** @param snr - of peaks; undefined when they are not looked for */
  constructor(threshold: number, snr: number | undefined, dark: Float64Array | undefined, frame: ImageSpec) {
    this.#rows = frame.rows;
    this.#columns = frame.columns;
    this.#snr = snr;
    if (snr !== undefined) this.takesImages = true;
    this.#limits = new PixelLimits(threshold, dark, frame.rows * frame.columns);
    this.#dark = new KernelDark(snr === undefined ? undefined : dark);
  }

  get allocations(): number[] {
    return [...this.#limits.allocations, ...this.#totals.allocations, this.#dark.bytes];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    const ofImages = instantiateKernel(kernelBinary, arena.memory) as unknown as PeakKernel;
    this.#kernel = { ...kernel, ...ofImages };
    this.#limits.allocate(kernel, arena);
    this.#totals.allocate(arena);
    this.#dark.allocate(arena);
  }

  begin(images: number): void {
    this.#totals.begin(images);
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const limits = this.#limits.addressOf(first);
    const totals = this.#totals.address;
    if (this.#snr === undefined) {
      this.#kernel?.countsU16(address, images, stride, length, limits, totals);
      return;
    }
    const [rows, columns, dark] = [this.#rows, this.#columns, this.#dark.addressOf(0)];
    const peaks = new Float64Array(images);
    // A few rows of all images: they and their part of the dark stay in the cache.
    const step = Math.ceil(TILE / columns);
    for (let row = 0; row < rows; row += step) {
      const pixels = columns * Math.min(step, rows - row);
      const from = 2 * row * columns;
      this.#kernel?.countsU16(address + from, images, stride, pixels, limits + from, totals);
      for (let k = 0; k < images; k++) {
        const image = address + k * stride;
        const found = this.#kernel?.peaksU16(image, row, row + step, rows, columns, dark, limits, this.#snr);
        peaks[k] = (peaks[k] ?? 0) + (found ?? NaN);
      }
    }
    this.#peaks.push(...peaks);
  }

  clear(): void {
    this.#totals.clear();
    this.#peaks.length = 0;
  }

  /** Image by image. */
  get counts(): readonly number[] {
    return this.#totals.values;
  }

  /** The same of peaks; empty when they are not looked for. */
  get peaks(): readonly number[] {
    return this.#peaks;
  }
}
