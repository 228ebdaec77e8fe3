import type { Shot } from "../../core/shots.ts";
import type { Arena } from "../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../engine/accumulator.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";
import { SPAN } from "./covariance/sums.ts";

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

/** Sums of the pixels with one number of each shot, added by the kernel piece by piece straight to the states. */
export class ProductSums implements OwnAccumulator {
  readonly #work: ProductWork;
  readonly #dark: KernelDark;
  readonly #states: ProductState[] = [];
  /** Numbers of the shots, in the order of the images. */
  readonly #numbers: number[] = [];
  #kernel: ReduceKernel | undefined;
  #begun = 0;
  /** What the pixels of each image of a group are multiplied with in products, then the factors. */
  #group: Float64Array = new Float64Array();
  #tile: Float64Array = new Float64Array();

  /** @param dark - of each pixel */
  constructor(work: ProductWork, dark: Float64Array | undefined) {
    this.#work = work;
    this.#dark = new KernelDark(dark);
  }

  get allocations(): number[] {
    return [16 * GROUP, this.#dark.bytes, 8 * SPAN * products.length];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#group = arena.float64(2 * GROUP);
    this.#dark.allocate(arena);
    this.#tile = arena.float64(SPAN * products.length);
  }

  bind(state: object): void {
    this.#states.push(state as ProductState);
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
    const [dark, numbers, tile] = [this.#dark.addressOf(first), this.#group.byteOffset, this.#tile];
    for (const state of this.#states) {
      for (const [k, name] of products.entries()) tile.set(state[name].subarray(first, first + length), k * SPAN);
      // It takes two pixels at a time: what it reads after the last dark goes to a sum that nobody reads.
      this.#kernel?.productsU16(address, images, stride, length, dark, numbers, tile.byteOffset, 8 * SPAN);
      for (const [k, name] of products.entries()) state[name].set(tile.subarray(k * SPAN, k * SPAN + length), first);
    }
  }

  clear(): void {
    this.#numbers.splice(0, this.#begun);
    this.#begun = 0;
  }

  /** Of the shots that have been added since the last {@link ProductSums.clear}. */
  get numbers(): readonly number[] {
    return this.#numbers.slice(0, this.#begun);
  }
}
