import type { Shot } from "../../core/shots.ts";
import type { Arena } from "../../core/wasm.ts";
import type { PixelSlice, ReduceKernel } from "../engine/accumulator.ts";
import { GROUP } from "../engine/kernel.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";

/** The sums of each pixel, in the order in which the kernel has them. */
export const pixelSums = [
  "sum",
  "squareUpper",
  "squareLower",
  "productUpper",
  "productLower",
  "fourUpper",
  "fourLower",
  "leftUpper",
  "leftLower",
  "rightUpper",
  "rightLower",
] as const;

/** Sums of the pixels with one number of each shot, in the memory of the kernel. */
export class CovarianceSums implements OwnAccumulator {
  /** Numbers of the shots, NaN for those left out, in the order of the images. */
  readonly numbers: number[] = [];
  readonly #numberOf: (shot: Shot) => number;
  readonly #dark: KernelDark;
  readonly #pixels: number;
  #kernel: ReduceKernel | undefined;
  #begun = 0;
  #group: Float64Array = new Float64Array();
  #sums: Float64Array = new Float64Array();

  /** @param dark - of each pixel */
  constructor(numberOf: (shot: Shot) => number, dark: Float64Array | undefined, pixels: number) {
    this.#numberOf = numberOf;
    this.#dark = new KernelDark(dark);
    this.#pixels = pixels;
  }

  get allocations(): number[] {
    return [8 * GROUP, this.#dark.bytes, 8 * pixelSums.length * this.#padded];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#group = arena.float64(GROUP);
    this.#dark.allocate(arena);
    this.#sums = arena.float64(pixelSums.length * this.#padded, false);
  }

  arrive(shot: Shot): void {
    this.numbers.push(this.#numberOf(shot));
  }

  begin(images: number): void {
    this.#group.set(this.numbers.slice(this.#begun, this.#begun + images));
    this.#begun += images;
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    this.#kernel?.covaryU16(
      address,
      images,
      stride,
      length,
      this.#dark.addressOf(first),
      this.#group.byteOffset,
      this.#sums.byteOffset + 8 * first,
      8 * this.#padded,
    );
  }

  clear(): void {
    this.numbers.splice(0, this.#begun);
    this.#begun = 0;
    this.#sums.fill(0);
  }

  /** Adds the sums of each pixel to those of the state, and gives the numbers of the shots that were counted. */
  addTo(state: Readonly<Record<(typeof pixelSums)[number], Float64Array>>): readonly number[] {
    for (const [k, name] of pixelSums.entries()) {
      const [into, from] = [state[name], this.#sums.subarray(k * this.#padded, (k + 1) * this.#padded)];
      for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) + (from[i] ?? 0);
    }
    return this.numbers.slice(0, this.#begun);
  }

  /** The kernel takes two pixels at a time; what it reads after the last dark goes to sums that nobody reads. */
  get #padded(): number {
    return this.#pixels + (this.#pixels % 2);
  }
}
