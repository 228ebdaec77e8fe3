import type { Pixels } from "../../core/ndarray.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../engine/accumulator.ts";
import { kernelBinary } from "../engine/kernel-binary.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";
import { float32From, TILE } from "../images/in-place.ts";
import { ImageTotals, PixelLimits } from "./lit-counts.ts";

/** The function of kernels/reduce.ts that is used here; addresses in bytes. */
interface PhotonKernel {
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
  readonly #real: Float32Array;
  readonly #found: Uint32Array;

  /**
   * @param adu - of one photon
   * @param threshold - of the first photon, in photons
   * @param dark - of each pixel; without one the images are less the dark already
   */
  constructor(adu: number, threshold: number, dark: Float64Array | undefined) {
    this.#adu = adu;
    this.#threshold = threshold;
    this.#least = threshold * adu;
    this.#leastFloat32 = float32From(this.#least);
    this.#dark = dark;
    const arena = new Arena(PhotonFinder.bytes);
    this.#kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as PhotonKernel;
    this.#real = arena.float32(TILE);
    this.#found = arena.uint32(TILE);
  }

  static readonly bytes: number = Arena.bytesFor([4 * TILE, 4 * TILE]);

  isFor(dark: Float64Array | undefined): boolean {
    return dark === this.#dark;
  }

  /** Adds the photons of an image to those of each pixel; gives how many there are. */
  add(pixels: Pixels, photons: Uint32Array): number {
    let total = 0;
    if (pixels instanceof Uint16Array || this.#dark !== undefined) {
      for (let i = 0; i < pixels.length; i++) total += this.#addPixel(pixels[i] ?? NaN, i, photons);
      return total;
    }
    for (let first = 0; first < pixels.length; first += TILE)
      total += this.#addReal(pixels.subarray(first, first + TILE), first, photons);
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

/** Photons of each pixel and of each image, in the memory of the kernel. */
export class PhotonTotals implements OwnAccumulator {
  readonly #adu: number;
  readonly #threshold: number;
  readonly #pixels: number;
  readonly #dark: KernelDark;
  readonly #limits: PixelLimits;
  readonly #totals = new ImageTotals();
  #kernel: ReduceKernel | undefined;
  /** Scratch for the photons of each image. */
  #counts = 0;
  /** Of each pixel. */
  photons: Uint32Array = new Uint32Array();

  /** As of a {@link PhotonFinder}. */
  constructor(adu: number, threshold: number, dark: Float64Array | undefined, pixels: number) {
    this.#adu = adu;
    this.#threshold = threshold;
    this.#pixels = pixels;
    this.#dark = new KernelDark(dark);
    this.#limits = new PixelLimits(threshold * adu, dark, pixels);
  }

  get allocations(): number[] {
    return [...this.#limits.allocations, ...this.#totals.allocations, this.#dark.bytes, 4 * this.#pixels, 16 * GROUP];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#limits.allocate(kernel, arena);
    this.#totals.allocate(arena);
    this.#dark.allocate(arena);
    this.photons = arena.uint32(this.#pixels, false);
    this.#counts = arena.allocate(16 * GROUP);
  }

  begin(images: number): void {
    this.#totals.begin(images);
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    this.#kernel?.photonsU16(
      address,
      images,
      stride,
      length,
      this.#limits.addressOf(first),
      // So little above its limit, a pixel has one photon whatever rounding does.
      Math.min(0xffff, Math.max(0, Math.floor(this.#adu - 1))),
      this.#dark.addressOf(first),
      this.#adu,
      this.#threshold,
      this.photons.byteOffset + 4 * first,
      this.#totals.address,
      this.#counts,
    );
  }

  clear(): void {
    this.#totals.clear();
    this.photons.fill(0);
  }

  /** Image by image. */
  get perImage(): readonly number[] {
    return this.#totals.values;
  }
}
