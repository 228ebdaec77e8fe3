import type { Pixels } from "../../core/ndarray.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { quantize } from "../engine/exact.ts";
import { kernelBinary } from "../engine/kernel-binary.ts";
import { TILE } from "../images/in-place.ts";
import type { SensorBins } from "./radial-bins.ts";

/**
 * Tables of sums that neighbouring pixels go to in turn: mostly they lie in one bin, and need not wait for each other.
 */
const TABLES = 4;

/** The functions of kernels/reduce.ts that are used here; addresses and strides in bytes. */
interface RingKernel {
  ringsU16(pixels: number, n: number, bins: number, sums: number, stride: number): void;
  ringsF32(pixels: number, n: number, bins: number, sums: number, stride: number, missing: number): number;
  sharesU16: SharesKernel;
  sharesF32: SharesKernel;
}
type SharesKernel = (
  pixels: number,
  n: number,
  dark: number,
  start: number,
  bins: number,
  shares: number,
  sums: number,
  squares: number,
  missing: number,
) => number;

/** Sums of the images of one sensor over its bins: exact, in WebAssembly, in memory that is reused. */
export class RadialSums {
  /** Of the image taken in last; less the dark. */
  readonly sum: Float64Array;
  /** Pixel values × share², for the errors of shared pixels; empty when not asked for. */
  readonly squares: Float64Array;
  /** Pixels and their weights that counted in that image; `weight` is `count` when all weights are 1. */
  readonly count: Float64Array;
  readonly weight: Float64Array;
  readonly #sensor: SensorBins;
  readonly #given: Float64Array | undefined;
  /** The same on the grid. */
  readonly #dark: Float64Array | undefined;
  /** Pixels, weights and dark in each bin when no pixel is missing. */
  readonly #counts: Float64Array;
  readonly #weights: Float64Array;
  readonly #darkIn: Float64Array;
  readonly #kernel: RingKernel;
  readonly #whole: Uint16Array;
  readonly #real: Float32Array;
  readonly #bins: Uint16Array;
  readonly #missing: Uint32Array;
  /** The tables: of whole numbers the low and high half of each. */
  readonly #wholeSums: Uint32Array;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  readonly #shares: { readonly start: Uint32Array; readonly share: Float64Array; readonly dark: Float64Array } | null;

  /**
   * @param dark - of each pixel; a pixel whose dark is no number is left out
   * @param squared - for `squares`
   */
  constructor(sensor: SensorBins, dark: Float64Array | undefined, squared: boolean) {
    const { binOf, shares, pixelsIn, weightIn } = sensor;
    const bins = pixelsIn.length;
    this.#sensor = sensor;
    this.#given = dark;
    this.#dark = dark?.map(quantize);
    const arena = new Arena(RadialSums.#bytesOf(sensor, dark !== undefined, squared));
    this.#kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as RingKernel;
    this.#whole = arena.uint16(2 * TILE);
    this.#real = new Float32Array(arena.memory.buffer, this.#whole.byteOffset, TILE);
    this.#missing = arena.uint32(TILE);
    this.#sums = arena.float64(TABLES * (bins + 1));
    this.#wholeSums = new Uint32Array(arena.memory.buffer, this.#sums.byteOffset, 2 * this.#sums.length);
    this.#squares = arena.float64(squared ? bins : 0);
    this.#bins = arena.uint16(shares === null ? binOf.length : shares.bin.length);
    this.#bins.set(shares === null ? binOf : shares.bin);
    [this.sum, this.squares, this.count] = [
      new Float64Array(bins),
      new Float64Array(squared ? bins : 0),
      pixelsIn.slice(),
    ];
    this.weight = weightIn === pixelsIn ? this.count : weightIn.slice();
    this.#darkIn = new Float64Array(bins);
    this.#shares = null;
    if (shares !== null) {
      const [start, share] = [arena.uint32(shares.start.length), arena.float64(shares.share.length)];
      start.set(shares.start);
      share.set(shares.share);
      const pixels = arena.float64(this.#dark?.length ?? 0);
      if (this.#dark !== undefined) pixels.set(this.#dark);
      this.#shares = { start, share, dark: pixels };
    } else if (this.#dark !== undefined) this.#leaveOut(this.#dark);
    this.#counts = this.count.slice();
    this.#weights = this.weight === this.count ? this.#counts : this.weight.slice();
  }

  /** Bytes it needs, for {@link SensorBins} without what those need. */
  static bytesFor(sensor: SensorBins, squared: boolean): number {
    const bins = 8 * sensor.pixelsIn.length;
    const weights = sensor.weightIn === sensor.pixelsIn ? 0 : 2 * bins;
    return RadialSums.#bytesOf(sensor, false, squared) + 4 * bins + weights + (squared ? bins : 0);
  }

  static #bytesOf({ binOf, shares, pixelsIn }: SensorBins, hasDark: boolean, squared: boolean): number {
    const bins = pixelsIn.length;
    return Arena.bytesFor([
      4 * TILE,
      4 * TILE,
      8 * TABLES * (bins + 1),
      squared ? 8 * bins : 0,
      2 * (shares?.bin ?? binOf).length,
      ...(shares === null ? [] : [4 * shares.start.length, 8 * shares.share.length]),
      hasDark && shares !== null ? 8 * (shares.start.length - 1) : 0,
    ]);
  }

  /** Whether it is for these bins and this dark. */
  isFor(sensor: SensorBins, dark: Float64Array | undefined): boolean {
    return sensor === this.#sensor && dark === this.#given;
  }

  /** Sums an image; the answer stands in `sum`, `squares`, `count` and `weight`. */
  take(pixels: Pixels): void {
    this.#sums.fill(0);
    this.#squares.fill(0);
    this.count.set(this.#counts);
    this.weight.set(this.#weights);
    this.sum.set(this.#darkIn);
    for (let first = 0; first < pixels.length; first += TILE) {
      const length = Math.min(TILE, pixels.length - first);
      const part = pixels.subarray(first, first + length);
      if (part instanceof Uint16Array) this.#whole.set(part);
      else this.#real.set(part);
      const found = this.#show(first, length, part instanceof Uint16Array);
      for (let k = 0; k < found; k++) this.#miss(first + (this.#missing[k] ?? 0));
    }
    const stride = this.sum.length + 1;
    const isWhole = pixels instanceof Uint16Array && this.#shares === null;
    for (let bin = 0; bin < this.sum.length; bin++) {
      let total = 0;
      for (let at = bin; at < this.#sums.length; at += stride)
        total += isWhole
          ? (this.#wholeSums[2 * at] ?? 0) + 4_294_967_296 * (this.#wholeSums[2 * at + 1] ?? 0)
          : (this.#sums[at] ?? 0);
      this.sum[bin] = total - (this.sum[bin] ?? 0);
    }
    this.squares.set(this.#squares);
  }

  /**
   * Sums many images from the sums of their pixels. The answer over all of them stands in `sum`, `count` and `weight`.
   * The dark is not subtracted from `sum`: it is `darkIn` for each image. Not for pixels split among several bins.
   */
  takeSums(sums: Float64Array, images: number): void {
    const bins = this.sum.length;
    const totals = new Float64Array(bins + 1);
    for (let i = 0; i < sums.length; i++) {
      const bin = this.#bins[i] ?? 0;
      totals[bin] = (totals[bin] ?? 0) + (sums[i] ?? 0);
    }
    this.sum.set(totals.subarray(0, bins));
    for (let bin = 0; bin < bins; bin++) {
      this.count[bin] = images * (this.#counts[bin] ?? 0);
      this.weight[bin] = images * (this.#weights[bin] ?? 0);
    }
  }

  /** Dark in each bin when no pixel is missing, on the grid. */
  get darkIn(): Float64Array {
    return this.#darkIn;
  }

  /** Gives how many pixels of the tile are no number. */
  #show(first: number, length: number, isWhole: boolean): number {
    const { byteOffset: pixels } = this.#whole;
    const [sums, missing] = [this.#sums.byteOffset, this.#missing.byteOffset];
    if (this.#shares === null) {
      const bins = this.#bins.byteOffset + 2 * first;
      const stride = 8 * (this.sum.length + 1);
      if (!isWhole) return this.#kernel.ringsF32(pixels, length, bins, sums, stride, missing);
      this.#kernel.ringsU16(pixels, length, bins, sums, stride);
      return 0;
    }
    const { start, share, dark } = this.#shares;
    const kernel = isWhole ? this.#kernel.sharesU16 : this.#kernel.sharesF32;
    return kernel(
      pixels,
      length,
      dark.length === 0 ? 0 : dark.byteOffset + 8 * first,
      start.byteOffset + 4 * first,
      this.#bins.byteOffset,
      share.byteOffset,
      sums,
      this.#squares.length === 0 ? 0 : this.#squares.byteOffset,
      missing,
    );
  }

  /** Takes a pixel that is no number out of the counts. */
  #miss(i: number): void {
    const { weights, shares } = this.#sensor;
    const weight = weights?.[i] ?? NaN;
    if (shares === null) {
      const bin = this.#bins[i] ?? 0;
      if (bin >= this.sum.length) return;
      this.count[bin] = (this.count[bin] ?? 0) - 1;
      if (weights !== null) this.weight[bin] = (this.weight[bin] ?? 0) - weight;
      if (this.#dark !== undefined) this.sum[bin] = (this.sum[bin] ?? 0) - (this.#dark[i] ?? NaN);
      return;
    }
    for (let k = shares.start[i] ?? 0; k < (shares.start[i + 1] ?? 0); k++) {
      const [bin, share] = [shares.bin[k] ?? 0, shares.share[k] ?? NaN];
      this.count[bin] = (this.count[bin] ?? 0) - share;
      if (weights !== null) this.weight[bin] = (this.weight[bin] ?? 0) - quantize(share * weight);
    }
  }

  /** Whole pixels: the dark of each bin, and pixels without one are left out. */
  #leaveOut(dark: Float64Array): void {
    const { weights } = this.#sensor;
    for (let i = 0; i < dark.length; i++) {
      const bin = this.#bins[i] ?? 0;
      if (bin >= this.sum.length) continue;
      const level = dark[i] ?? NaN;
      if (level - level === 0) {
        this.#darkIn[bin] = (this.#darkIn[bin] ?? 0) + level;
        continue;
      }
      this.#bins[i] = this.sum.length;
      this.count[bin] = (this.count[bin] ?? 0) - 1;
      if (weights !== null) this.weight[bin] = (this.weight[bin] ?? 0) - (weights[i] ?? NaN);
    }
  }
}
