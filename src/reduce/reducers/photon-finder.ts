import type { Pixels } from "../../core/ndarray.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { float32From } from "../corrections/in-place.ts";
import { kernelBinary } from "../engine/kernel-binary.ts";
import { writeLimits } from "./lit-pixels.ts";

const TILE = 8192;

/** The functions of kernels/reduce.ts that are used here; addresses in bytes. */
interface PhotonKernel {
  limitsU16(dark: number, n: number, least: number, limits: number): number;
  aboveU16(pixels: number, n: number, limits: number, found: number): number;
  fromF32(pixels: number, n: number, least: number, found: number): number;
}

/** Counts photons in the images of one sensor by threshold, in memory that is reused. */
export class PhotonFinder {
  readonly #adu: number;
  readonly #threshold: number;
  /** What a pixel with a photon has at least. */
  readonly #least: number;
  readonly #leastFloat32: number;
  readonly #dark: Float64Array | undefined;
  readonly #kernel: PhotonKernel;
  readonly #whole: Uint16Array;
  readonly #real: Float32Array;
  readonly #found: Uint32Array;
  /** Whole numbers that are too small, the largest of each pixel; empty when a pixel has none. */
  readonly #limits: Uint16Array;

  /**
   * @param adu - of one photon
   * @param threshold - of the first photon, in photons
   * @param dark - of each pixel; without one the images are less the dark already
   */
  constructor(adu: number, threshold: number, dark: Float64Array | undefined, pixels: number) {
    this.#adu = adu;
    this.#threshold = threshold;
    this.#least = threshold * adu;
    this.#leastFloat32 = float32From(this.#least);
    this.#dark = dark;
    const arena = new Arena(PhotonFinder.bytesFor(pixels));
    this.#kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as PhotonKernel;
    const work = arena.float64(TILE);
    this.#whole = new Uint16Array(arena.memory.buffer, work.byteOffset, TILE);
    this.#real = new Float32Array(arena.memory.buffer, work.byteOffset, TILE);
    this.#found = arena.uint32(TILE);
    const limits = arena.uint16(pixels);
    this.#limits = writeLimits(this.#kernel, this.#least, dark, limits, work) ? limits : limits.subarray(0, 0);
  }

  static bytesFor(pixels: number): number {
    return Arena.bytesFor([8 * TILE, 4 * TILE, 2 * pixels]);
  }

  isFor(dark: Float64Array | undefined): boolean {
    return dark === this.#dark;
  }

  /** Adds the photons of an image to those of each pixel; gives how many there are. */
  add(pixels: Pixels, photons: Uint32Array): number {
    const isWhole = pixels instanceof Uint16Array;
    let total = 0;
    if (isWhole ? this.#limits.length === 0 : this.#dark !== undefined) {
      for (let i = 0; i < pixels.length; i++) total += this.#addPixel(pixels[i] ?? NaN, i, photons);
      return total;
    }
    for (let first = 0; first < pixels.length; first += TILE) {
      const part = pixels.subarray(first, first + TILE);
      total += part instanceof Uint16Array ? this.#addWhole(part, first, photons) : this.#addReal(part, first, photons);
    }
    return total;
  }

  #addWhole(part: Uint16Array, first: number, photons: Uint32Array): number {
    const [whole, list, limits] = [this.#whole, this.#found, this.#limits];
    whole.set(part);
    const at = limits.byteOffset + 2 * first;
    const found = this.#kernel.aboveU16(whole.byteOffset, part.length, at, list.byteOffset);
    // So little above its limit, a pixel has one photon whatever rounding does.
    const one = this.#adu - 1;
    let total = 0;
    for (let k = 0; k < found; k++) {
      const pixel = list[k] ?? 0;
      const i = first + pixel;
      const value = whole[pixel] ?? NaN;
      if (value - (limits[i] ?? NaN) <= one) {
        photons[i] = (photons[i] ?? 0) + 1;
        total++;
      } else total += this.#addPixel(value, i, photons);
    }
    return total;
  }

  #addReal(part: Float32Array, first: number, photons: Uint32Array): number {
    const [real, list] = [this.#real, this.#found];
    real.set(part);
    const found = this.#kernel.fromF32(real.byteOffset, part.length, this.#leastFloat32, list.byteOffset);
    let total = 0;
    for (let k = 0; k < found; k++) {
      const pixel = list[k] ?? 0;
      total += this.#addPixel(real[pixel] ?? NaN, first + pixel, photons);
    }
    return total;
  }

  #addPixel(pixel: number, i: number, photons: Uint32Array): number {
    const value = Math.fround(this.#dark === undefined ? pixel : pixel - (this.#dark[i] ?? NaN));
    if (!(value >= this.#least && value < Infinity)) return 0;
    // Dividing may land just below the threshold that multiplying has passed.
    const found = Math.max(1, Math.floor(value / this.#adu - this.#threshold) + 1);
    photons[i] = (photons[i] ?? 0) + found;
    return found;
  }
}
