import type { Arena } from "../../core/wasm.ts";

// All charges here are in 30ths of `withinAdu`: 1 ADU for an MPCCD.

/** The functions of kernels/light-blocks.ts on a table of so many blocks; addresses in bytes. */
export interface LightKernel {
  lightOfBlocks(table: number, blocks: number, from: number, to: number, level: number): void;
  keepAll(table: number, blocks: number): void;
  keepEven(table: number, blocks: number, noise: number, photon: number, shared: number): number;
  sumEven(table: number, blocks: number, noise: number, out: number): void;
  keepLeast(table: number, blocks: number, noise: number): void;
  averageOf(table: number, blocks: number, from: number, to: number): number;
  oddPart(table: number, blocks: number, from: number, to: number): number;
  isAnyEven(table: number, blocks: number, from: number, to: number): number;
  brightness(
    table: number,
    blocks: number,
    from: number,
    to: number,
    isAny: number,
    level: number,
    photon: number,
    noise: number,
    out: number,
  ): void;
}

/** Numbers of each block in the table. */
const ROWS = 12;
/** Of a port: first value, step and number of values of brightness, and then at most so many weights. */
const HEAD = 3;
export const MOST_VALUES = 20;
const ROUNDS = 8;
/** Photons per pixel of a port up to which all its blocks count as even: a few photons in a block look like spots. */
export const LITTLE = 0.05;
/** Part of the blocks of even light that are not taken for even. */
const BY_CHANCE = 0.03;

/** Light of the pixels of a port: of the first `values`, `weights[k]` have `first` + k · `step`, level included. */
export interface Brightness {
  readonly first: number;
  readonly step: number;
  readonly values: number;
  readonly weights: Float64Array;
}

/** Charge of a photon, and how it lies on the pixels. */
export interface Charge {
  readonly photon: number;
  /** Rms in pixels. */
  readonly cloud: number;
}

/** Small blocks of pixels of one image, as many for each port, and how light lies on them. */
export class LightBlocks {
  readonly #kernel: LightKernel;
  /** Where the numbers of the blocks are: their address, and how many blocks there are of a port and in all. */
  readonly table: number;
  readonly each: number;
  readonly #all: number;
  readonly #sums: Float64Array;
  readonly #found: readonly Float64Array[];
  readonly #weights: readonly Float64Array[];

  /** @param each - blocks of a port, an even number */
  constructor(kernel: LightKernel, arena: Arena, each: number, ports: number) {
    this.#kernel = kernel;
    this.each = each;
    this.#all = each * ports;
    this.table = arena.float64(ROWS * this.#all).byteOffset;
    this.#sums = arena.float64(4);
    this.#found = Array.from({ length: ports }, () => arena.float64(HEAD + MOST_VALUES));
    this.#weights = this.#found.map((found) => found.subarray(HEAD));
  }

  /** Of the memory that these take. */
  static pieces(each: number, ports: number): readonly number[] {
    return [8 * ROWS * each * ports, 32, ...Array.from({ length: ports }, () => 8 * (HEAD + MOST_VALUES))];
  }

  /**
   * Charge of a photon and size of its cloud: covariances of neighboring pixels add up to the light
   * times the charge of a photon. Notes which blocks are even, and uses those only.
   * @param levels - of each port, NaN for ports that are not to be used
   * @param before - charge found before
   * @returns nothing where there is too little light
   */
  chargeOfPhoton(levels: readonly number[], noise: number, before: Charge | undefined): Charge | undefined {
    const kernel = this.#kernel;
    for (const [port, level] of levels.entries())
      kernel.lightOfBlocks(this.table, this.#all, port * this.each, (port + 1) * this.each, level);
    if (before === undefined) kernel.keepLeast(this.table, this.#all, noise);
    else this.#keepEven(noise, before);
    let found = this.#chargeOfEven(noise);
    for (let round = before === undefined ? 0 : ROUNDS - 1; round < ROUNDS && found !== undefined; round++) {
      if (!this.#keepEven(noise, found)) break;
      found = this.#chargeOfEven(noise);
    }
    if (found !== undefined) return found;
    kernel.keepAll(this.table, this.#all);
    return this.#chargeOfEven(noise);
  }

  /** Says whether other blocks are kept than before. */
  #keepEven(noise: number, { photon, cloud }: Charge): boolean {
    const along = 1 - (2 * cloud) / Math.sqrt(Math.PI);
    return this.#kernel.keepEven(this.table, this.#all, noise, photon, (along * (1 - along)) / 2) !== 0;
  }

  #chargeOfEven(noise: number): Charge | undefined {
    this.#kernel.sumEven(this.table, this.#all, noise, this.#sums.byteOffset);
    const [bright = NaN, variance = NaN, edge = NaN, number = NaN] = this.#sums;
    if (!(variance > 0 && bright / number > 0.05)) return undefined;
    // Of the charge squared, this part stays in a row, and so along columns: 1 − 2 cloud/√π.
    const along = Math.min(1, variance / Math.max(variance / 4, variance + 2 * edge));
    return { photon: variance / along ** 2 / bright, cloud: ((1 - along) / 2) * Math.sqrt(Math.PI) };
  }

  /**
   * How bright the pixels of a port are, from the means of its blocks; what these scatter by themselves is taken out.
   * Pixels of a block that is not even have two values, with the mean and the scatter of the block.
   */
  brightnessOf(port: number, level: number, photon: number, noise: number): Brightness {
    const [from, to] = [port * this.each, (port + 1) * this.each];
    const kernel = this.#kernel;
    const [found, weights] = [this.#found[port] ?? this.#sums, this.#weights[port] ?? this.#sums];
    const isAny =
      kernel.averageOf(this.table, this.#all, from, to) - level > LITTLE * photon
        ? kernel.isAnyEven(this.table, this.#all, from, to)
        : 0;
    kernel.brightness(this.table, this.#all, from, to, isAny, level, photon, noise, found.byteOffset);
    const [first = NaN, step = NaN, values = NaN] = found;
    return { first, step, values, weights };
  }

  /** The light of a port, and whether it is even as far as can be told. */
  lightOfPort(port: number, level: number, photon: number): { readonly light: number; readonly isEven: boolean } {
    const [from, to] = [port * this.each, (port + 1) * this.each];
    const light = this.#kernel.averageOf(this.table, this.#all, from, to) - level;
    const isEven = light > LITTLE * photon && this.#kernel.oddPart(this.table, this.#all, from, to) <= BY_CHANCE;
    return { light, isEven };
  }
}
