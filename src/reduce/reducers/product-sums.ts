import type { Shot } from "../../core/shots.ts";
import type { Arena } from "../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../engine/accumulator.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";

/** The sums of each pixel, in the order in which the kernel has them. */
const products = ["sum", "squareUpper", "squareLower", "productUpper", "productLower"] as const;

/** A state with those sums. */
type ProductState = Readonly<Record<(typeof products)[number], Float64Array>>;

/** What the sums of {@link ProductSums} are of. */
interface ProductWork {
  /** A number of the shot, NaN for one that is left out. */
  readonly numberOf: (shot: Shot) => number;
  /** From that number: what pixels are multiplied with in products, on the grid. */
  readonly y: (number: number) => number;
  /** From that number: what pixels are multiplied with before anything else. */
  readonly factor: (number: number) => number;
}

/** Sums of the pixels with one number of each shot, in the memory of the kernel. */
export class ProductSums implements OwnAccumulator {
  readonly #work: ProductWork;
  readonly #dark: KernelDark;
  readonly #pixels: number;
  /** Numbers of the shots, in the order of the images. */
  readonly #numbers: number[] = [];
  #kernel: ReduceKernel | undefined;
  #begun = 0;
  /** What the pixels of each image of a group are multiplied with in products, then the factors. */
  #group: Float64Array = new Float64Array();
  #sums: Float64Array = new Float64Array();

  /** @param dark - of each pixel */
  constructor(work: ProductWork, dark: Float64Array | undefined, pixels: number) {
    this.#work = work;
    this.#dark = new KernelDark(dark);
    this.#pixels = pixels;
  }

  get allocations(): number[] {
    return [16 * GROUP, this.#dark.bytes, 8 * products.length * this.#padded];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#group = arena.float64(2 * GROUP);
    this.#dark.allocate(arena);
    this.#sums = arena.float64(products.length * this.#padded, false);
  }

  arrive(shot: Shot): void {
    this.#numbers.push(this.#work.numberOf(shot));
  }

  begin(images: number): void {
    const { y, factor } = this.#work;
    const numbers = this.#numbers.slice(this.#begun, this.#begun + images);
    this.#group.set(numbers.map(y));
    this.#group.set(numbers.map(factor), GROUP);
    this.#begun += images;
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const [step, dark, numbers] = [8 * this.#padded, this.#dark.addressOf(first), this.#group.byteOffset];
    const sums = this.#sums.byteOffset + 8 * first;
    this.#kernel?.productsU16(address, images, stride, length, dark, numbers, sums, step);
  }

  clear(): void {
    this.#numbers.splice(0, this.#begun);
    this.#begun = 0;
    this.#sums.fill(0);
  }

  /** Adds the sums of each pixel to those of the state, and gives the numbers of the shots that were counted. */
  addTo(state: ProductState): readonly number[] {
    for (const [k, name] of products.entries()) {
      const [into, from] = [state[name], this.#sums.subarray(k * this.#padded, (k + 1) * this.#padded)];
      for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) + (from[i] ?? 0);
    }
    return this.#numbers.slice(0, this.#begun);
  }

  /** The kernel takes two pixels at a time; what it reads after the last dark goes to sums that nobody reads. */
  get #padded(): number {
    return this.#pixels + (this.#pixels % 2);
  }
}
