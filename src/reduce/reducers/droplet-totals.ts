import type { ImageSpec } from "../../core/shots.ts";
import { type Arena, instantiateKernel } from "../../core/wasm.ts";
import { GROUP, type PixelSlice, type ReduceKernel } from "../engine/accumulator.ts";
import { KernelDark } from "../engine/kernel-dark.ts";
import type { OwnAccumulator } from "../engine/statistic.ts";
import { float32From, TILE } from "../images/in-place.ts";
import { BINS_PER_PHOTON, SPECTRUM_BINS } from "./droplet-finder.ts";
import { kernelBinary } from "./kernel-binary.ts";
import { haveLimits, PixelLimits } from "./lit-counts.ts";

/** The function of kernels/droplets.ts that is used here; addresses in bytes. */
interface DropletKernel {
  dropletsU16(
    image: number,
    dark: number,
    limits: number,
    lows: number,
    from: number,
    to: number,
    rows: number,
    columns: number,
    adu: number,
    low: number,
    taken: number,
    members: number,
    left: number,
    order: number,
    photons: number,
    sums: number,
    spectrum: number,
    perPhoton: number,
    bins: number,
  ): void;
}

/** Charge of a photon, and the thresholds of droplets in ADU. */
interface DropletLevels {
  readonly adu: number;
  readonly seed: number;
  readonly low: number;
}

/** What is found in one image. */
interface ImageDroplets {
  readonly photons: number;
  readonly droplets: number;
}

/** The droplets of unsigned 16-bit images that lie in the memory of the kernel, as a `DropletFinder` finds them. */
export class DropletTotals implements OwnAccumulator {
  readonly takesImages = true;
  /** Of the spectrum and of what pixels add up to: 32 bits. */
  static readonly mostImages = 4096;

  readonly #frame: ImageSpec;
  readonly #levels: DropletLevels;
  readonly #dark: KernelDark;
  readonly #limits: PixelLimits;
  /** Above which a pixel can be in a droplet; undefined when some can in any case. */
  readonly #lows: PixelLimits | undefined;
  #kernel: DropletKernel | undefined;
  /** Work memory of the kernel: see kernels/droplets.ts. */
  #work = { members: 0, left: 0, order: 0 };
  /** Of each image of a group, as are the sums. */
  #taken: Uint8Array = new Uint8Array();
  #sums: Float64Array = new Float64Array();
  #spectrum: Uint32Array = new Uint32Array();
  #images: ImageDroplets[] = [];
  /** Of each pixel. */
  photons: Uint32Array = new Uint32Array();
  /** As of a `DropletFinder`, over all images. */
  singles = 0;
  brightest = 0;

  constructor(levels: DropletLevels, dark: Float64Array | undefined, frame: ImageSpec) {
    this.#frame = frame;
    this.#levels = levels;
    this.#dark = new KernelDark(dark);
    const pixels = frame.rows * frame.columns;
    this.#limits = new PixelLimits(levels.seed, dark, pixels);
    this.#lows = haveLimits(levels.low, dark) ? new PixelLimits(levels.low, dark, pixels) : undefined;
  }

  /** Whether the numbers of images less such a dark are within its reach. */
  static fits(
    { adu, seed, low }: DropletLevels,
    { rows, columns }: ImageSpec,
    dark: Float64Array | undefined,
  ): boolean {
    // No pixel has more than 16 bits and what makes one lit at 0: droplets have fewer than 2^30 photons.
    const isLimited = haveLimits(low, dark) || haveLimits(seed, dark);
    return isLimited && (rows * columns * (0xffff + seed)) / adu < 2 ** 30;
  }

  get allocations(): number[] {
    const pixels = this.#frame.rows * this.#frame.columns;
    const each = [GROUP, 4, 8, 4, 4].map((bytes) => bytes * pixels);
    const limits = [...this.#limits.allocations, ...(this.#lows?.allocations ?? [])];
    return [...limits, this.#dark.bytes, ...each, 32 * GROUP, 4 * (SPECTRUM_BINS + 1)];
  }

  allocate(kernel: ReduceKernel, arena: Arena): void {
    const pixels = this.#frame.rows * this.#frame.columns;
    this.#kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as DropletKernel;
    this.#limits.allocate(kernel, arena);
    this.#lows?.allocate(kernel, arena);
    this.#dark.allocate(arena);
    this.#taken = arena.uint8(GROUP * pixels, false);
    const [members, left, order] = [4, 8, 4].map((bytes) => arena.allocate(bytes * pixels, false));
    this.#work = { members: members ?? 0, left: left ?? 0, order: order ?? 0 };
    this.photons = arena.uint32(pixels, false);
    this.#sums = arena.float64(4 * GROUP);
    this.#spectrum = arena.uint32(SPECTRUM_BINS + 1, false);
  }

  begin(): void {}

  accumulate({ address, images, stride, length }: PixelSlice): void {
    this.#taken.fill(0, 0, images * length);
    this.#sums.fill(0);
    // A few rows of all images: their part of the dark stays in the cache.
    for (let from = 0; from < length; from += TILE)
      for (let k = 0; k < images; k++) this.#find(address + k * stride, k, from, Math.min(length, from + TILE));
    for (let k = 0; k < images; k++) {
      const [photons = NaN, droplets = NaN, singles = NaN, brightest = NaN] = this.#sums.subarray(4 * k, 4 * k + 4);
      this.#images.push({ photons, droplets });
      this.singles += singles;
      this.brightest += brightest;
    }
  }

  /** Finds those that begin in a part of image `k` of a group. */
  #find(image: number, k: number, from: number, to: number): void {
    const { rows, columns } = this.#frame;
    const { members, left, order } = this.#work;
    this.#kernel?.dropletsU16(
      image,
      this.#dark.addressOf(0),
      this.#limits.addressOf(0),
      this.#lows?.addressOf(0) ?? 0,
      from,
      to,
      rows,
      columns,
      this.#levels.adu,
      float32From(this.#levels.low),
      this.#taken.byteOffset + k * rows * columns,
      members,
      left,
      order,
      this.photons.byteOffset,
      this.#sums.byteOffset + 32 * k,
      this.#spectrum.byteOffset,
      BINS_PER_PHOTON,
      SPECTRUM_BINS,
    );
  }

  clear(): void {
    this.#images = [];
    this.photons.fill(0);
    this.#spectrum.fill(0);
    [this.singles, this.brightest] = [0, 0];
  }

  get perImage(): readonly ImageDroplets[] {
    return this.#images;
  }

  /** Droplets by their charge. */
  get spectrum(): Uint32Array {
    return this.#spectrum;
  }
}
