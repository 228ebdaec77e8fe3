import type { Pixels, PixelType } from "../../core/ndarray.ts";
import { Arena } from "../../core/wasm.ts";
import {
  type Accumulator,
  Float32Sums,
  type HistogramAccumulator,
  histogramAccumulator,
  type PixelSlice,
  RangeAccumulator,
  Uint16Sums,
} from "./accumulators.ts";
import { GROUP, kernelOver, TILE } from "./kernel.ts";
import type { BatchStatistics, HistogramSpec, Statistic } from "./statistic.ts";

/** The counters for pieces of images of one type. */
class TileCounters {
  readonly sums: Uint16Sums | Float32Sums;
  readonly squares: Uint16Sums | Float32Sums;
  readonly range: RangeAccumulator;
  readonly histograms: ReadonlyMap<HistogramSpec, HistogramAccumulator>;

  constructor(type: PixelType, statistics: readonly Statistic[]) {
    const Sums = type === "uint16" ? Uint16Sums : Float32Sums;
    this.sums = new Sums(TILE, false);
    this.squares = new Sums(TILE, true);
    this.range = new RangeAccumulator(TILE, type);
    this.histograms = new Map(
      statistics.flatMap((tally) =>
        typeof tally === "string" ? [] : [[tally, histogramAccumulator(tally, TILE, type, undefined)] as const],
      ),
    );
  }

  get all(): readonly Accumulator[] {
    return [this.sums, this.squares, this.range, ...this.histograms.values()];
  }
}

/**
 * A few images counted piece by piece straight into the states of reducers. Where the kernel of a whole sensor counts
 * many images and then goes once over the states, this has the states in the cache piece by piece: for images that
 * change from state to state after a few.
 */
export class TiledBatch implements BatchStatistics {
  readonly #type: PixelType;
  readonly #counters: TileCounters;
  readonly #scratch: Pixels;
  /** For sums that are not asked for. */
  readonly #sums = new Float64Array(TILE);
  #group: readonly Pixels[] = [];

  /** @throws RangeError when there is not enough memory */
  constructor(type: PixelType, statistics: readonly Statistic[]) {
    this.#type = type;
    this.#counters = new TileCounters(type, statistics);
    const arena = new Arena(TiledBatch.bytesFor(type, statistics));
    const kernel = kernelOver(arena);
    this.#scratch = type === "uint16" ? arena.uint16(GROUP * TILE) : arena.float32(GROUP * TILE);
    for (const counter of this.#counters.all) counter.allocate(kernel, arena);
  }

  /** Memory it needs. */
  static bytesFor(type: PixelType, statistics: readonly Statistic[]): number {
    const { all } = new TileCounters(type, statistics);
    return (
      8 * TILE +
      Arena.bytesFor([GROUP * TILE * (type === "uint16" ? 2 : 4), ...all.flatMap(({ allocations }) => allocations)])
    );
  }

  /** Whether images of this kind can be counted. */
  takes(pixels: Pixels): boolean {
    return pixels instanceof Uint16Array === (this.#type === "uint16");
  }

  /** The images that shall be counted next, at most {@link GROUP}. */
  set group(images: readonly Pixels[]) {
    this.#group = images;
  }

  get images(): number {
    return this.#group.length;
  }

  addSums(sums: Float64Array): void {
    const counter = this.#counters.sums;
    if (counter instanceof Float32Sums)
      this.#show((piece, from, to) => counter.accumulateInto(piece, sums.subarray(from, to)));
    else this.#eachTile(counter, (from, to) => counter.addSums(sums.subarray(from, to), this.images));
  }

  addSquares(upper: Float64Array, lower: Float64Array): void {
    const counter = this.#counters.squares;
    const parts = (from: number, to: number) => [upper.subarray(from, to), lower.subarray(from, to)] as const;
    // It counts the sums as well, which nobody wants here.
    const sums = this.#sums;
    if (counter instanceof Float32Sums)
      this.#show((piece, from, to) => counter.accumulateInto(piece, sums.subarray(0, to - from), parts(from, to)));
    else this.#eachTile(counter, (from, to) => counter.addSquares(...parts(from, to), this.images));
  }

  addRange(least: Float64Array, greatest: Float64Array): void {
    const counter = this.#counters.range;
    this.#eachTile(counter, (from, to) => counter.addRange(least.subarray(from, to), greatest.subarray(from, to)));
  }

  addCounts(tally: HistogramSpec, counts: Float64Array, outside: Float64Array): void {
    const counter = this.#counters.histograms.get(tally);
    counter?.clear();
    if (counter !== undefined) this.#show((piece) => counter.accumulate(piece));
    counter?.addCounts(counts, outside);
  }

  #eachTile(counter: Accumulator, add: (from: number, to: number) => void): void {
    this.#show((piece, from, to) => {
      counter.clear();
      counter.accumulate(piece);
      add(from, to);
    });
  }

  /** Copies the images piece by piece into the memory of the kernel. */
  #show(take: (piece: PixelSlice, from: number, to: number) => void): void {
    const { byteOffset: address, BYTES_PER_ELEMENT: size } = this.#scratch;
    const pixels = this.#group[0]?.length ?? 0;
    for (let from = 0; from < pixels; from += TILE) {
      const length = Math.min(TILE, pixels - from);
      for (const [k, image] of this.#group.entries()) this.#scratch.set(image.subarray(from, from + length), k * TILE);
      take({ address, images: this.images, stride: size * TILE, first: 0, length }, from, from + length);
    }
  }
}
