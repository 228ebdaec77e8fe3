import type { Arena } from "../../core/wasm.ts";

/** Images taken in together: more streams than this from memory begin to hinder each other. */
export const GROUP = 8;

/** The functions of kernels/reduce.ts; addresses and strides in bytes. */
export interface ReduceKernel {
  sumU16(frames: number, count: number, stride: number, n: number, sums: number): void;
  sumF32(frames: number, count: number, stride: number, n: number, sums: number): void;
  momentsU16(frames: number, count: number, stride: number, n: number, sums: number, squares: number): void;
  momentsF32(
    frames: number,
    count: number,
    stride: number,
    n: number,
    sums: number,
    uppers: number,
    lowers: number,
  ): void;
  rangeU16(frames: number, count: number, stride: number, n: number, least: number, greatest: number): void;
  rangeF32(frames: number, count: number, stride: number, n: number, least: number, greatest: number): void;
  /** `base`: first bin − 1; `top`: number of bins + 1. */
  pairsU16(
    frames: number,
    count: number,
    stride: number,
    n: number,
    offsets: number,
    base: number,
    top: number,
    table: number,
    singles: number,
  ): void;
  singlesU16(
    frames: number,
    count: number,
    stride: number,
    n: number,
    offsets: number,
    base: number,
    top: number,
    singles: number,
  ): void;
  histogramU16: Histogram;
  histogramF32: Histogram;
  /** Not 0 when all values are whole and fit 16 bits, and then they are in `out`. */
  wholeF32(frame: number, n: number, out: number): number;
  limitsU16(dark: number, n: number, least: number, limits: number): void;
  countsU16(frames: number, count: number, stride: number, n: number, limits: number, totals: number): void;
  photonsU16(
    frames: number,
    count: number,
    stride: number,
    n: number,
    limits: number,
    most: number,
    dark: number,
    adu: number,
    threshold: number,
    photons: number,
    totals: number,
    counts: number,
  ): void;
  pixelBinsU16(
    frames: number,
    count: number,
    stride: number,
    n: number,
    dark: number,
    low: number,
    high: number,
    width: number,
    bins: number,
    cells: number,
    outside: number,
  ): void;
  roiU16: Region;
  roisU16: Region;
  productsU16: Products;
}
/** `numbers`: of each image; `step`: bytes from one sum of all pixels to the next. */
type Products = (
  frames: number,
  count: number,
  stride: number,
  n: number,
  dark: number,
  numbers: number,
  sums: number,
  step: number,
) => void;
/** `totals`: one f64 of each image, or four. */
type Region = (
  frames: number,
  count: number,
  stride: number,
  n: number,
  dark: number,
  low: number,
  high: number,
  totals: number,
) => void;
type Histogram = (
  frames: number,
  count: number,
  stride: number,
  n: number,
  dark: number,
  whole: number,
  low: number,
  high: number,
  width: number,
  bins: number,
  table: number,
) => void;

/** Consecutive pixels of images in the memory of the kernel. */
export interface PixelSlice {
  /** Address of the first pixel in the first image. */
  readonly address: number;
  readonly images: number;
  /** Bytes from an image to the next. */
  readonly stride: number;
  /** Number of the first pixel, and how many there are. */
  readonly first: number;
  readonly length: number;
}

/** One thing counted for each pixel of a sensor, or over all of them. */
export interface Accumulator {
  /** Bytes of the pieces of memory it needs. */
  readonly allocations: readonly number[];
  /** Gets that memory; to be called once, before anything else. Memory that `clear` writes is not zeroed. */
  allocate(kernel: ReduceKernel, arena: Arena): void;
  accumulate(piece: PixelSlice): void;
  /** Begins anew; to be called before the first image, too. */
  clear(): void;
}
