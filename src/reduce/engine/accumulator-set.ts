import type { PixelType } from "../../core/ndarray.ts";
import type { ImageSpec } from "../../core/shots.ts";
import type { Arena } from "../../core/wasm.ts";
import { type Accumulator, GROUP, type PixelSlice, type ReduceKernel } from "./accumulator.ts";
import {
  Float32Sums,
  type HistogramAccumulator,
  histogramAccumulator,
  RangeAccumulator,
  Uint16Sums,
} from "./accumulators.ts";
import { type HistogramSpec, isOwn, type OwnAccumulator, type OwnStatistic, type Statistic } from "./statistic.ts";

/** What is counted of images. */
export interface AccumulatorSpec {
  readonly pixels: number;
  readonly statistics: readonly Statistic[];
  /** Dark of each pixel, for histograms. */
  readonly dark?: Float64Array | undefined;
  /** For statistics of reducers' own. */
  readonly frame?: ImageSpec | undefined;
}

/** The accumulators of images of one type: those that the statistics need, and no others. */
export class AccumulatorSet {
  /** Images counted since the set was last cleared. */
  images = 0;
  /** For every statistic of sums and of squares: a variance needs both. */
  readonly sums: Uint16Sums | Float32Sums | undefined;
  readonly squares: Uint16Sums | Float32Sums | undefined;
  readonly range: RangeAccumulator | undefined;
  readonly histograms: ReadonlyMap<HistogramSpec, HistogramAccumulator>;
  readonly own: ReadonlyMap<OwnStatistic<OwnAccumulator>, OwnAccumulator>;
  readonly #all: readonly Accumulator[];
  readonly #ofSlices: readonly Accumulator[];
  readonly #ofImages: readonly OwnAccumulator[];
  readonly #many: ReadonlySet<Accumulator>;

  /** @param isJoint - `sums` and `squares` are one accumulator: the kernel counts both in one go over the images */
  constructor({ pixels, statistics, dark, frame }: AccumulatorSpec, type: PixelType, isJoint: boolean) {
    const squared = statistics.includes("squares");
    const Sums = type === "uint16" ? Uint16Sums : Float32Sums;
    this.squares = squared ? new Sums(pixels, true) : undefined;
    if (squared && isJoint) this.sums = this.squares;
    else this.sums = squared || statistics.includes("sum") ? new Sums(pixels, false) : undefined;
    this.range = statistics.includes("range") ? new RangeAccumulator(pixels, type) : undefined;
    this.histograms = new Map(
      statistics.flatMap((spec) =>
        typeof spec === "string" || isOwn(spec)
          ? []
          : [[spec, histogramAccumulator(spec, pixels, type, dark)] as const],
      ),
    );
    this.own = new Map(
      frame === undefined ? [] : statistics.filter(isOwn).map((spec) => [spec, spec.accumulator(frame, dark)]),
    );
    const all = [this.sums, this.squares, this.range, ...this.histograms.values(), ...this.own.values()];
    this.#all = [...new Set(all.filter((accumulator) => accumulator !== undefined))];
    this.#ofImages = [...this.own.values()].filter(({ takesImages }) => takesImages === true);
    const ofImages: readonly Accumulator[] = this.#ofImages;
    this.#many = new Set([...this.own.values()].filter(({ takesMany }) => takesMany === true));
    this.#ofSlices = this.#all.filter((accumulator) => !ofImages.includes(accumulator));
  }

  get allocations(): number[] {
    return this.#all.flatMap(({ allocations }) => allocations);
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    for (const accumulator of this.#all) accumulator.allocate(kernel, arena);
  }

  /** Whether some of them want whole images. */
  get takesImages(): boolean {
    return this.#ofImages.length > 0;
  }

  /** Whether all that one reducer alone counts takes more than GROUP images at a time. */
  get takesMany(): boolean {
    return [...this.own.values()].every(({ takesMany }) => takesMany === true);
  }

  accumulate(slice: PixelSlice): void {
    for (const accumulator of this.#ofSlices)
      if (this.#many.has(accumulator)) accumulator.accumulate(slice);
      else for (const group of groupsOf(slice)) accumulator.accumulate(group);
  }

  /** For those that want whole images. */
  accumulateImages(images: PixelSlice): void {
    for (const accumulator of this.#ofImages) accumulator.accumulate(images);
  }

  /** To be called before images are accumulated. */
  begin(images: number): void {
    if (this.images === 0) for (const accumulator of this.#all) accumulator.clear();
    this.images += images;
    for (const accumulator of this.own.values()) accumulator.begin(images);
  }
}

/** The same pixels of at most GROUP images at a time. */
function groupsOf(slice: PixelSlice): PixelSlice[] {
  const { address, images, stride } = slice;
  return Array.from({ length: Math.ceil(images / GROUP) }, (_, k) => ({
    ...slice,
    address: address + k * GROUP * stride,
    images: Math.min(GROUP, images - k * GROUP),
  }));
}
