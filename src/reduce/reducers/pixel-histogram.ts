import ndarray, { type NdArray } from "ndarray";
import { badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkRoi, type Roi } from "../../core/roi.ts";
import type { ImageSpec } from "../../core/shots.ts";
import type { Arena } from "../../core/wasm.ts";
import type { PixelSlice, ReduceKernel } from "../engine/accumulator.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { EvenBins } from "./bins.ts";
import { roiWords } from "./roi-series.ts";

export interface PixelHistogramOptions {
  /** Centre of the first bin. */
  readonly from: number;
  /** Centre of the last bin. */
  readonly to: number;
  readonly binWidth: number;
  /** Only this rectangle. @default the whole image */
  readonly roi?: Roi | undefined;
}

/** A histogram of each pixel. */
export interface PixelHistogram {
  readonly from: number;
  readonly to: number;
  readonly binWidth: number;
  /**
   * Shape [rows, columns, bins] of the rectangle; bin i is centred on from + i · binWidth. It **shares memory** with
   * what was accumulated, because a copy could be too large.
   */
  readonly counts: NdArray<Uint32Array>;
  /** Values of all pixels below the first bin, above the last, and not a number. */
  readonly under: number;
  readonly over: number;
  readonly invalid: number;
}

/** What a counter of 8 bits holds. */
const MOST_IMAGES = 255;

/** Counts in the memory of the kernel, in counters so small that those of a tile of pixels stay in the cache. */
class PixelBins implements OwnAccumulator {
  readonly takesMany = true;
  readonly #bins: EvenBins;
  readonly #pixels: number;
  readonly #dark: KernelDark;
  #kernel: ReduceKernel | undefined;
  #cells: Uint8Array = new Uint8Array();
  /** Below the first bin, above the last, not a number. */
  #outside: Uint32Array = new Uint32Array();

  constructor(bins: EvenBins, dark: Float64Array | undefined, pixels: number) {
    this.#bins = bins;
    this.#pixels = pixels;
    this.#dark = new KernelDark(dark);
  }

  get allocations(): number[] {
    return [this.#dark.bytes, this.#bins.length * this.#pixels, 12];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    this.#kernel = kernel;
    this.#dark.allocate(arena);
    this.#cells = arena.uint8(this.#bins.length * this.#pixels, false);
    this.#outside = arena.uint32(3);
  }

  begin(): void {}

  accumulate({ address, images, stride, first, length }: PixelSlice): void {
    const { low, high, binWidth, length: bins } = this.#bins;
    const dark = this.#dark.addressOf(first);
    const cells = this.#cells.byteOffset + bins * first;
    const outside = this.#outside.byteOffset;
    this.#kernel?.pixelBinsU16(address, images, stride, length, dark, low, high, binWidth, bins, cells, outside);
  }

  clear(): void {
    this.#cells.fill(0);
    this.#outside.fill(0);
  }

  addTo(counts: Uint32Array, outside: Float64Array): void {
    const cells = this.#cells;
    // Every image counts its first pixel. To read memory that was never written makes the system map it twice.
    const areNew = outside.every((n) => n === 0) && counts.subarray(0, this.#bins.length).every((n) => n === 0);
    if (areNew) counts.set(cells.subarray(0, counts.length));
    else for (let i = 0; i < counts.length; i++) counts[i] = (counts[i] ?? 0) + (cells[i] ?? 0);
    for (let i = 0; i < outside.length; i++) outside[i] = (outside[i] ?? 0) + (this.#outside[i] ?? 0);
  }
}

/** 4 GiB, the longest typed array of counts that fits every supported Node.js. */
const MAX_COUNTS = 2 ** 30;

/**
 * How often each value occurred in each pixel, over the shots: for gain per pixel, or pedestals with light on. Bins are
 * [centre − width/2, centre + width/2), the last one closed, as in {@link histogram}. Memory: 4 · bins bytes per pixel
 * (and 1 · bins in the kernel while shots are read), so 601 bins of 1024 × 512 pixels are 1.26 GB: take a rectangle or
 * wide bins.
 *
 * @throws BAD_ARGUMENT when the rectangle is not inside the image, or more than 2^30 counts would be needed
 * @example
 * const { adu } = await reduce(shots, { adu: pixelHistogram({ from: -50, to: 450, binWidth: 5, roi }) }, { dark });
 * adu[sensor].counts.pick(10, 20, null); // 101 counts of one pixel
 */
export function pixelHistogram(options: PixelHistogramOptions): Reducer<PixelHistogram> {
  resolveOptions("pixelHistogram", options, { from: any, to: any, binWidth: any, roi: any });
  const bins = new EvenBins(options.from, options.to, options.binWidth);
  const { from, to, binWidth, length } = bins;
  const rectangle = (rows: number, columns: number): Roi =>
    checkRoi(options.roi ?? { rows: [0, rows], columns: [0, columns] }, rows, columns);
  const counted = {
    accumulator: ({ rows, columns }: ImageSpec, dark: Float64Array | undefined) =>
      new PixelBins(bins, dark, rows * columns),
    mostImages: MOST_IMAGES,
  };
  return defineReducer({
    name: `pixelHistogram(${bins.words}, ${options.roi === undefined ? "whole image" : roiWords(options.roi)})`,
    appliesDark: "in-add",
    layout: (frame) => {
      const { rows, columns } = rectangle(frame.rows, frame.columns);
      const pixels = (rows[1] - rows[0]) * (columns[1] - columns[0]);
      if (pixels * length > MAX_COUNTS) {
        throw badArgument(
          `bins for ${pixels} pixels`,
          `${length}, which need ${Math.ceil((pixels * length * 4) / 2 ** 30)} GiB`,
          `at most ${Math.floor(MAX_COUNTS / pixels)}`,
        );
      }
      return {
        counts: { type: "uint32", length: pixels * length, merge: "sum" },
        outside: { type: "float64", length: 3, merge: "sum" },
      };
    },
    // A rectangle costs so little that it goes the plain way.
    kernel:
      options.roi !== undefined
        ? undefined
        : {
            statistics: [counted],
            type: "uint16",
            flush: ({ counts, outside }, block) => block.own(counted)?.addTo(counts, outside),
          },
    add: ({ counts, outside }, pixels, _shot, frame, dark) => {
      const { rows, columns } = rectangle(frame.rows, frame.columns);
      let place = 0;
      for (let r = rows[0]; r < rows[1]; r++) {
        for (let i = r * frame.columns + columns[0]; i < r * frame.columns + columns[1]; i++, place += length) {
          const value = pixels[i] ?? NaN;
          const bin = bins.of(dark === undefined ? value : Math.fround(value - (dark[i] ?? NaN)));
          if (bin < length) counts[place + bin] = (counts[place + bin] ?? 0) + 1;
          else outside[bin - length] = (outside[bin - length] ?? 0) + 1;
        }
      }
    },
    result: ({ counts, outside }, frame) => {
      const { rows, columns } = rectangle(frame.rows, frame.columns);
      const [under = 0, over = 0, invalid = 0] = outside;
      const shape = [rows[1] - rows[0], columns[1] - columns[0], length];
      return { from, to, binWidth, counts: ndarray(counts, shape), under, over, invalid };
    },
  });
}
