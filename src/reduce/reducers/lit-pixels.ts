import type { Pixels } from "../../core/ndarray.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { float32From, imageBytes, imageInPlace, kernelOf, takeDifference } from "../corrections/in-place.ts";
import { kernelBinary } from "../engine/kernel-binary.ts";

const TILE = 8192;

/** The functions of kernels/reduce.ts that are used here; addresses in bytes. */
interface LimitKernel {
  limitsU16(dark: number, n: number, least: number, limits: number): number;
  countAboveU16(pixels: number, n: number, limits: number): number;
}

/**
 * For unsigned 16-bit pixels: whether a pixel less its dark, as float32, is at least `least` is the same as whether the
 * stored number is above a whole number, the limit of the pixel. Gives whether every limit could be written: a pixel
 * that is above whatever it has, has none.
 * @param limits - in the memory of the kernel
 * @param work - there too, for a part of the dark
 */
export function writeLimits(
  kernel: Pick<LimitKernel, "limitsU16">,
  least: number,
  dark: Float64Array | undefined,
  limits: Uint16Array,
  work: Float64Array,
): boolean {
  for (let first = 0; first < limits.length; first += work.length) {
    const part = Math.min(work.length, limits.length - first);
    if (dark !== undefined) work.set(dark.subarray(first, first + part));
    if (kernel.limitsU16(work.byteOffset, part, least, limits.byteOffset + 2 * first) === 0) return false;
  }
  return true;
}

/** Limits of the pixels of a sensor in the memory of the kernel. */
interface Limits {
  readonly kernel: LimitKernel;
  readonly tile: Uint16Array;
  readonly of: Uint16Array;
}

/** Counts the pixels from a threshold on in images of one sensor, in memory that is reused. */
export class LitPixels {
  readonly #threshold: number;
  readonly #dark: Float64Array | undefined;
  /** Null when a pixel has none. */
  #limits: Limits | null | undefined;
  #image: Float32Array | undefined;

  /** @param dark - of each pixel; without one the images are less the dark already */
  constructor(threshold: number, dark: Float64Array | undefined) {
    this.#threshold = threshold;
    this.#dark = dark;
  }

  /** Bytes for images of a type, without a dark that is float64. */
  static bytesFor({ rows, columns, type }: ImageSpec): number {
    const pixels = rows * columns;
    return type === "uint16" ? Arena.bytesFor([8 * TILE, 2 * pixels]) : imageBytes(pixels, 0);
  }

  isFor(dark: Float64Array | undefined): boolean {
    return dark === this.#dark;
  }

  count(pixels: Pixels): number {
    if (pixels instanceof Uint16Array) {
      if (this.#limits === undefined) this.#limits = limitsFor(this.#threshold, this.#dark, pixels.length);
      if (this.#limits !== null) return countAbove(this.#limits, pixels);
    }
    let image = pixels;
    if (this.#dark !== undefined || kernelOf(pixels) === undefined) {
      this.#image ??= imageInPlace(pixels.length, this.#dark === undefined ? 0 : 1);
      image = this.#image;
      takeDifference(pixels, this.#dark, this.#image);
    }
    const kernel = kernelOf(image);
    if (kernel !== undefined) return kernel.litF32(image.byteOffset, image.length, float32From(this.#threshold));
    let lit = 0;
    for (const value of image) if (value >= this.#threshold && value < Infinity) lit++;
    return lit;
  }
}

function limitsFor(threshold: number, dark: Float64Array | undefined, pixels: number): Limits | null {
  const arena = new Arena(Arena.bytesFor([8 * TILE, 2 * pixels]));
  const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as LimitKernel;
  const [work, of] = [arena.float64(TILE), arena.uint16(pixels)];
  const tile = new Uint16Array(arena.memory.buffer, work.byteOffset, TILE);
  return writeLimits(kernel, threshold, dark, of, work) ? { kernel, tile, of } : null;
}

function countAbove({ kernel, tile, of }: Limits, pixels: Uint16Array): number {
  let lit = 0;
  for (let first = 0; first < pixels.length; first += TILE) {
    const part = pixels.subarray(first, first + TILE);
    tile.set(part);
    lit += kernel.countAboveU16(tile.byteOffset, part.length, of.byteOffset + 2 * first);
  }
  return lit;
}
