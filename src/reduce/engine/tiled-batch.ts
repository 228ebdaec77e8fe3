import type { Pixels, PixelType } from "../../core/ndarray.ts";
import { Arena } from "../../core/wasm.ts";
import { TILE } from "../images/in-place.ts";
import type { Accumulator, PixelSlice } from "./accumulator.ts";
import { AccumulatorSet } from "./accumulator-set.ts";
import { Float32Sums } from "./accumulators.ts";
import { kernelOver, tileBytes, tileMemory } from "./kernel.ts";
import type { BatchStatistics, HistogramSpec, Statistic } from "./statistic.ts";

/**
 * A few images counted piece by piece straight into the states of reducers. Where the kernel of a whole sensor counts
 * many images and then goes once over the states, this has the states in the cache piece by piece: for images that
 * change from state to state after a few.
 */
export class TiledBatch implements BatchStatistics {
  readonly #type: PixelType;
  readonly #counters: AccumulatorSet;
  readonly #scratch: Pixels;
  /** For sums that are not asked for. */
  readonly #sums = new Float64Array(TILE);
  #group: readonly Pixels[] = [];

  /** @throws RangeError when there is not enough memory */
  constructor(type: PixelType, statistics: readonly Statistic[]) {
    this.#type = type;
    this.#counters = accumulators(type, statistics);
    const arena = new Arena(TiledBatch.bytesFor(type, statistics));
    this.#scratch = tileMemory(arena, type);
    this.#counters.allocate(kernelOver(arena), arena);
  }

  /** Memory it needs. */
  static bytesFor(type: PixelType, statistics: readonly Statistic[]): number {
    return 8 * TILE + Arena.bytesFor([tileBytes(type), ...accumulators(type, statistics).allocations]);
  }

  /** Whether images of this kind can be counted. */
  takes(pixels: Pixels): boolean {
    return pixels instanceof Uint16Array === (this.#type === "uint16");
  }

  /** The images that shall be counted next, at most GROUP. */
  set group(images: readonly Pixels[]) {
    this.#group = images;
  }

  get images(): number {
    return this.#group.length;
  }

  readonly tags: readonly number[] = [];

  own(): undefined {
    return undefined;
  }

  addSums(sums: Float64Array, areNew = false): void {
    const counter = this.#counters.sums;
    if (counter instanceof Float32Sums)
      this.#show((piece, from, to) => counter.accumulateInto(piece, sums.subarray(from, to), areNew));
    else this.#eachTile(counter, (from, to) => counter?.addSums(sums.subarray(from, to), this.images, areNew));
  }

  addSquares(upper: Float64Array, lower: Float64Array, areNew = false): void {
    const counter = this.#counters.squares;
    const parts = (from: number, to: number) => [upper.subarray(from, to), lower.subarray(from, to)] as const;
    // It counts the sums as well, which nobody wants here.
    const sums = this.#sums;
    if (counter instanceof Float32Sums)
      this.#show((piece, from, to) =>
        counter.accumulateInto(piece, sums.subarray(0, to - from), areNew, parts(from, to)),
      );
    else this.#eachTile(counter, (from, to) => counter?.addSquares(...parts(from, to), this.images, areNew));
  }

  addRange(least: Float64Array, greatest: Float64Array): void {
    const counter = this.#counters.range;
    this.#eachTile(counter, (from, to) => counter?.addRange(least.subarray(from, to), greatest.subarray(from, to)));
  }

  addCounts(tally: HistogramSpec, counts: Float64Array, outside: Float64Array): void {
    const counter = this.#counters.histograms.get(tally);
    counter?.clear();
    if (counter !== undefined) this.#show((piece) => counter.accumulate(piece));
    counter?.addCounts(counts, outside);
  }

  #eachTile(counter: Accumulator | undefined, add: (from: number, to: number) => void): void {
    if (counter === undefined) return;
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

/** Sums and squares apart: a reducer asks for one after the other, and sums alone are counted faster. */
function accumulators(type: PixelType, statistics: readonly Statistic[]): AccumulatorSet {
  return new AccumulatorSet({ pixels: TILE, statistics }, type, false);
}
