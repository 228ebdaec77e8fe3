import type { Pixels } from "../../core/ndarray.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { quantize } from "../engine/exact.ts";
import { float32From } from "../images/in-place.ts";
import { kernelBinary } from "./kernel-binary.ts";

/** The function of kernels/droplets.ts that is used here; addresses in bytes. */
interface DropletKernel {
  dropletsF32(
    image: number,
    rows: number,
    columns: number,
    adu: number,
    seed: number,
    low: number,
    taken: number,
    members: number,
    left: number,
    order: number,
    entries: number,
    sums: number,
    spectrum: number,
    perPhoton: number,
    bins: number,
  ): number;
}

/** Of the spectrum of droplet sums: bins in one photon, and bins in all. */
export const BINS_PER_PHOTON = 50;
export const SPECTRUM_BINS: number = 5 * BINS_PER_PHOTON + 1;

/** Finds the droplets of one image after another in memory of its own. */
export class DropletFinder {
  readonly rows: number;
  readonly columns: number;
  readonly #kernel: DropletKernel;
  readonly #image: Float32Array;
  /** 1 for pixels that belong to a droplet already. */
  readonly #taken: Uint8Array;
  /** Pixels of the droplets found so far, one droplet after another. */
  readonly #members: Int32Array;
  /** Photons' worth of charge that is left in each pixel of a droplet. */
  readonly #left: Float64Array;
  readonly #order: Int32Array;
  /** Pixels that got photons, each with their number. */
  readonly #entries: Uint32Array;
  readonly #sums: Float64Array;
  readonly #spectrum: Uint32Array;
  readonly #brighter: (a: number, b: number) => number;

  /** Droplets of one photon in the last image, and what their brightest pixels had, in photons, added up exactly. */
  singles = 0;
  brightest = 0;

  /** Bytes of its memory. */
  static bytesFor(pixels: number): number {
    const each = [4, 1, 4, 8, 4, 16].map((bytes) => bytes * pixels);
    return Arena.bytesFor([...each, 8 * 4, 4 * (SPECTRUM_BINS + 1)]);
  }

  constructor(rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    const pixels = rows * columns;
    const arena = new Arena(DropletFinder.bytesFor(pixels));
    this.#kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as DropletKernel;
    this.#image = arena.float32(pixels);
    this.#taken = arena.uint8(pixels);
    this.#members = arena.int32(pixels);
    const left = arena.float64(pixels);
    this.#left = left;
    this.#order = arena.int32(pixels);
    this.#entries = arena.uint32(4 * pixels);
    this.#sums = arena.float64(4);
    this.#spectrum = arena.uint32(SPECTRUM_BINS + 1);
    this.#brighter = (a, b) => (left[b] ?? 0) - (left[a] ?? 0) || a - b;
  }

  /** Adds an image's photons to `photons` and its droplets to `spectrum`; gives how many there are of both. */
  count(
    pixels: Pixels,
    adu: number,
    seed: number,
    low: number,
    photons: Uint32Array,
    spectrum: Float64Array,
  ): [photons: number, droplets: number] {
    this.#image.set(pixels);
    this.#spectrum.fill(0);
    this.#sums.fill(0);
    const entries = this.#kernel.dropletsF32(
      this.#image.byteOffset,
      this.rows,
      this.columns,
      adu,
      float32From(seed * adu),
      float32From(low * adu),
      this.#taken.byteOffset,
      this.#members.byteOffset,
      this.#left.byteOffset,
      this.#order.byteOffset,
      this.#entries.byteOffset,
      this.#sums.byteOffset,
      this.#spectrum.byteOffset,
      BINS_PER_PHOTON,
      SPECTRUM_BINS,
    );
    if (entries < 0) return this.#countPlainly(adu, seed, low, photons, spectrum);
    for (let k = 0; k < 2 * entries; k += 2) {
      const i = this.#entries[k] ?? 0;
      photons[i] = (photons[i] ?? 0) + (this.#entries[k + 1] ?? 0);
    }
    for (let bin = 0; bin < spectrum.length; bin++) spectrum[bin] = (spectrum[bin] ?? 0) + (this.#spectrum[bin] ?? 0);
    const [total = NaN, number = NaN, singles = NaN, brightest = NaN] = this.#sums;
    [this.singles, this.brightest] = [singles, brightest];
    return [total, number];
  }

  /** The same by the rule that the kernel follows, for more photons than it can count. */
  #countPlainly(
    adu: number,
    seed: number,
    low: number,
    photons: Uint32Array,
    spectrum: Float64Array,
  ): [photons: number, droplets: number] {
    const pixels = this.#image;
    const [seedAdu, lowAdu] = [seed * adu, low * adu];
    let [total, number, used] = [0, 0, 0];
    [this.singles, this.brightest] = [0, 0];
    for (let i = 0; i < this.#taken.length; i++) {
      const value = pixels[i] ?? NaN;
      if (!(value >= seedAdu && value < Infinity) || this.#taken[i] === 1) continue;
      const end = this.#grow(pixels, i, lowAdu, used);
      let [charge, most] = [0, 0];
      for (let k = used; k < end; k++) {
        const member = pixels[this.#members[k] ?? 0] ?? 0;
        charge += member;
        if (member > most) most = member;
      }
      const share = charge / adu;
      const bin = Math.min(SPECTRUM_BINS, Math.floor(share * BINS_PER_PHOTON + 0.5));
      spectrum[bin] = (spectrum[bin] ?? 0) + 1;
      const found = Math.floor(share + 0.5);
      if (found === 1) {
        this.singles++;
        this.brightest += quantize(most / adu);
      }
      if (found > 0) {
        this.#assign(pixels, adu, found, used, end, photons);
        total += found;
        number++;
      }
      used = end;
    }
    for (let k = 0; k < used; k++) this.#taken[this.#members[k] ?? 0] = 0;
    return [total, number];
  }

  /** Collects the droplet around pixel `first` in the members from `start` on; gives their end. */
  #grow(pixels: Pixels, first: number, lowAdu: number, start: number): number {
    const { rows, columns } = this;
    const members = this.#members;
    const lastRow = (rows - 1) * columns;
    let end = this.#take(pixels, first, lowAdu, start);
    for (let k = start; k < end; k++) {
      const i = members[k] ?? 0;
      const column = i % columns;
      if (i >= columns) end = this.#take(pixels, i - columns, lowAdu, end);
      if (column > 0) end = this.#take(pixels, i - 1, lowAdu, end);
      if (column < columns - 1) end = this.#take(pixels, i + 1, lowAdu, end);
      if (i < lastRow) end = this.#take(pixels, i + columns, lowAdu, end);
    }
    return end;
  }

  /** Makes a pixel a member when it is bright enough and free; gives the end of the members. */
  #take(pixels: Pixels, i: number, lowAdu: number, end: number): number {
    const value = pixels[i] ?? NaN;
    if (!(value >= lowAdu && value < Infinity) || this.#taken[i] === 1) return end;
    this.#taken[i] = 1;
    this.#members[end] = i;
    return end + 1;
  }

  /**
   * Gives `found` photons to the members, always to the one with most charge left. Whole photons come first whatever
   * their order, and what remains is at most one per pixel: so a sort does it, also for a saturated image.
   */
  #assign(pixels: Pixels, adu: number, found: number, start: number, end: number, photons: Uint32Array): void {
    let remaining = found;
    for (let k = start; k < end; k++) {
      const i = this.#members[k] ?? 0;
      const share = (pixels[i] ?? 0) / adu;
      const whole = Math.floor(share);
      this.#left[i] = share - whole;
      this.#order[k] = i;
      if (whole === 0) continue;
      photons[i] = (photons[i] ?? 0) + whole;
      remaining -= whole;
    }
    if (remaining === 0) return;
    const order = this.#order.subarray(start, end);
    if (order.length > 1) order.sort(this.#brighter);
    for (let k = 0; k < remaining; k++) {
      const i = order[k % order.length] ?? 0;
      photons[i] = (photons[i] ?? 0) + 1;
    }
  }
}
