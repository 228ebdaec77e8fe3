import type { Roi } from "../../core/roi.ts";
import type { ImageSpec } from "../../core/shots.ts";
import type { Arena } from "../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../engine/accumulator.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";

/** What the kernel computes of the pixels of a rectangle that are within limits. */
interface RoiWork {
  readonly rois: readonly Roi[];
  readonly limits: readonly [low: number, high: number];
  /** The function, and what each number of an image begins with. */
  readonly function: "roiU16" | "roisU16";
  readonly initial: readonly number[];
}

/** Less of an image is not worth the copy of the whole image that waits until there are several. */
const LEAST_SHARE = 1 / 8;

/** Whether rectangles are large enough for the kernel. */
export function areLarge(rois: readonly Roi[], { rows, columns }: ImageSpec): boolean {
  const area = rois.reduce((sum, roi) => sum + (roi.rows[1] - roi.rows[0]) * (roi.columns[1] - roi.columns[0]), 0);
  return area >= LEAST_SHARE * rows * columns;
}

/** Numbers of rectangles in each image, in the memory of the kernel. */
export class RoiTotals implements OwnAccumulator {
  readonly #work: RoiWork;
  readonly #dark: KernelDark;
  readonly #columns: number;
  readonly #done: number[][] = [];
  #kernel: ReduceKernel | undefined;
  /** Of each rectangle, of each image of a group. */
  #totals: Float64Array = new Float64Array();
  #images = 0;

  /** @param dark - of each pixel */
  constructor(work: RoiWork, dark: Float64Array | undefined, { columns }: ImageSpec) {
    this.#work = work;
    this.#dark = new KernelDark(dark);
    this.#columns = columns;
  }

  get allocations(): number[] {
    return [this.#dark.bytes, 8 * this.#length];
  }

  get #length(): number {
    return this.#work.rois.length * GROUP * this.#work.initial.length;
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#dark.allocate(arena);
    this.#totals = arena.float64(this.#length, false);
  }

  begin(images: number): void {
    this.#finish();
    this.#images = images;
  }

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const { rois, limits, initial, function: name } = this.#work;
    const [low, high] = limits;
    const [columns, end] = [this.#columns, first + length];
    for (const [k, roi] of rois.entries()) {
      const totals = this.#totals.byteOffset + 8 * GROUP * initial.length * k;
      const lastRow = Math.min(roi.rows[1], Math.ceil(end / columns));
      for (let row = Math.max(roi.rows[0], Math.floor(first / columns)); row < lastRow; row++) {
        const from = Math.max(first, row * columns + roi.columns[0]);
        const n = Math.min(end, row * columns + roi.columns[1]) - from;
        const pixels = address + 2 * (from - first);
        if (n > 0) this.#kernel?.[name](pixels, images, stride, n, this.#dark.addressOf(from), low, high, totals);
      }
    }
  }

  clear(): void {
    this.#done.length = 0;
    this.#images = 0;
    this.#reset();
  }

  /** Image by image: the numbers of each rectangle in turn. */
  get perImage(): readonly (readonly number[])[] {
    this.#finish();
    return this.#done;
  }

  #finish(): void {
    const { rois, initial } = this.#work;
    for (let image = 0; image < this.#images; image++) {
      const numbers = rois.flatMap((_, k) => {
        const at = (k * GROUP + image) * initial.length;
        return [...this.#totals.subarray(at, at + initial.length)];
      });
      this.#done.push(numbers);
    }
    this.#images = 0;
    this.#reset();
  }

  #reset(): void {
    const { initial } = this.#work;
    for (let i = 0; i < this.#totals.length; i++) this.#totals[i] = initial[i % initial.length] ?? NaN;
  }
}
