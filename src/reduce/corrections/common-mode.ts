import { badArgument } from "../../core/guards.ts";
import type { Ledger } from "../../core/ledger.ts";
import { finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { quantize } from "../engine/exact.ts";
import { arenaAround } from "../images/in-place.ts";
import type { Correction } from "./correction.ts";
import { kernelBinary } from "./kernel-binary.ts";
import { REACH, zeroPeaks } from "./zero-peak.ts";

export interface CommonModeOptions {
  /**
   * Readout ports: stripes of columns of equal width. A region of an image must begin and end on one.
   * @default 8, those of an MPCCD
   */
  readonly ports?: number | undefined;
  /**
   * Some three times the read noise, ADU: how far the noise of a pixel reaches. @default 30, for an MPCCD of 17 to 18
   * e⁻/ADU (noise 11 ADU)
   */
  readonly withinAdu?: number | undefined;
}

/** What `correct.commonMode` took from one port, from the ledger of a result. */
export interface PortLevel {
  /** Mean level taken away, ADU; NaN when it was found in no image. */
  readonly meanAdu: number;
  /** Images in which the level was found, and in which it was not: those were left as they were. */
  readonly found: number;
  readonly notFound: number;
}

/** A port with a smaller share of pixels within twice `withinAdu` of 0 has no level that can be told. */
const LEAST_SHARE = 0.04;
const LEAST_PIXELS = 100;
/** A level with a larger error, in 30ths of `withinAdu` (1 ADU for an MPCCD), counts as not found. */
const LARGEST_ERROR = 1;
/** Each port is cut into so many blocks of rows: those much brighter than the middle one are not used for the light. */
const BLOCKS = 32;
/** Pixels above, in 30ths of `withinAdu`, are spots and not counted as light. */
const SPOT = 3000;
/** In images of many rows every fourth is enough for covariances. */
const MANY_ROWS = 256;
const [SUM, FOUND, NOT_FOUND] = ["common-mode-adu", "common-mode-found", "common-mode-not-found"] as const;

/**
 * Takes off what the pixels of a readout port drift together, image by image: the place of the peak of pixels without
 * light. Put it after the dark. Pixels without a photon of their own still have some charge of photons in the
 * neighborhood, which would pull the level up and take signal away: this tail is a term of the fit, with the charge of
 * a photon and the size of its cloud from the covariances of neighboring pixels of the same image. Less than 0.3 % of
 * the signal is taken for photons of 77 to 231 ADU (5 to 15 keV), 0.01 to 1.5 photons per pixel and charge clouds of 1
 * to 8 μm rms in pixels of 50 μm. Levels are looked for within ± twice `withinAdu` of 0. A port whose level has an
 * error above a 30th of `withinAdu` is left as it is. Masked pixels (NaN) do not count.
 *
 * The ledger of the result states what was taken: {@link commonModeLevels} reads it. It notes `common-mode-not-found`
 * once per port and image that was left as it is.
 */
export function commonMode(options: CommonModeOptions = {}): Correction {
  const { ports, withinAdu } = resolveOptions("commonMode", options, {
    ports: optional(integer(1), 8),
    withinAdu: optional(finite(Number.MIN_VALUE), 30),
  });
  return {
    name: "commonMode",
    settings: { ports, withinAdu },
    begin: (note, amount) => ({
      sensor: (frame) => {
        const finder = new PortLevels(frame, ports, withinAdu);
        const keys = Array.from({ length: ports }, (_, port) =>
          [SUM, FOUND, NOT_FOUND].map((what) => `${what}/${frame.detId}/${port}`),
        );
        return (pixels) => {
          for (const [port, level] of finder.subtract(pixels).entries()) {
            const [sum = "", found = "", notFound = ""] = keys[port] ?? [];
            if (Number.isNaN(level)) {
              note(NOT_FOUND);
              amount(notFound, 1);
            } else {
              amount(sum, level);
              amount(found, 1);
            }
          }
        };
      },
    }),
  };
}

/**
 * What `correct.commonMode` took away: by sensor, one entry for each port, from the columns with the lowest numbers on.
 * @example
 * const { average, ledger } = await reduce(shots, { average: mean() }, { dark, corrections: [correct.commonMode()] });
 * commonModeLevels(ledger)["MPCCD-2N0-M02-001-1"]?.[0]; // { meanAdu: 0.31, found: 200, notFound: 0 }
 */
export function commonModeLevels({ amounts = {} }: Ledger): Readonly<Record<string, readonly PortLevel[]>> {
  const levels: Record<string, PortLevel[]> = {};
  for (const key of Object.keys(amounts)) {
    const [what, detId, port] = key.split("/");
    if ((what !== FOUND && what !== NOT_FOUND) || detId === undefined) continue;
    const of = (name: string): number => amounts[`${name}/${detId}/${port}`] ?? 0;
    levels[detId] ??= [];
    levels[detId][Number(port)] = { meanAdu: of(SUM) / of(FOUND), found: of(FOUND), notFound: of(NOT_FOUND) };
  }
  return levels;
}

/** The functions of kernels/common-mode.ts that work on an image; addresses in bytes. */
interface PortKernel {
  portCountsF32(
    pixels: number,
    rows: number,
    width: number,
    ports: number,
    blocks: number,
    perUnit: number,
    spot: number,
    counts: number,
    sums: number,
    numbers: number,
  ): void;
  portProductsF32(
    pixels: number,
    rows: number,
    columns: number,
    ports: number,
    blocks: number,
    step: number,
    used: number,
    means: number,
    most: number,
    out: number,
  ): void;
  takeLevelsF32(pixels: number, rows: number, width: number, ports: number, levels: number): void;
}

/** Where the image lies that the kernel works on, and what it counts of it. */
interface PortMemory {
  readonly kernel: PortKernel;
  readonly image: Float32Array;
  /** Images are copied there, and back. */
  readonly isCopy: boolean;
  /** Of each port, two tables that are to be added up. */
  readonly counts: Uint32Array;
  /** Sum and number of pixels of each block of rows of each port; `used`: blocks without bright spots. */
  readonly sums: Float64Array;
  readonly numbers: Float64Array;
  readonly used: Uint8Array;
  readonly means: Float64Array;
  readonly products: Float64Array;
  readonly levels: Float64Array;
}

/** Finds the levels of the ports of one sensor, in memory that is reused. */
class PortLevels {
  readonly #rows: number;
  readonly #columns: number;
  readonly #width: number;
  readonly #ports: number;
  readonly #blocks: number;
  /** ADU of the unit in which levels are found. */
  readonly #unit: number;
  #memory: PortMemory | undefined;

  constructor({ detId, rows, columns }: ImageSpec, ports: number, within: number) {
    if (columns % ports !== 0) throw badArgument("ports", ports, `a divisor of ${columns}, the columns of ${detId}`);
    this.#rows = rows;
    this.#columns = columns;
    this.#width = columns / ports;
    this.#ports = ports;
    this.#blocks = Math.max(1, Math.min(BLOCKS, Math.floor(rows / 8)));
    this.#unit = within / 30;
  }

  /** Gives the levels taken off, NaN for the ports left as they are. */
  subtract(pixels: Float32Array): Float64Array {
    const memory = this.#memoryFor(pixels);
    const { kernel, image, isCopy, levels } = memory;
    if (isCopy) image.set(pixels);
    this.#count(memory);
    this.#findEvenBlocks(memory);
    const means = Array.from(levels, (_, port) => this.#meanOf(memory, port));
    const covariances = this.#covary(memory, means);
    const found = zeroPeaks({ histograms: this.#histograms(memory), means, covariances });
    for (const [port, { level, error }] of found.entries())
      levels[port] = error <= LARGEST_ERROR && Math.abs(level) < 60 ? quantize(level * this.#unit) : NaN;
    kernel.takeLevelsF32(image.byteOffset, this.#rows, this.#width, this.#ports, levels.byteOffset);
    if (isCopy) pixels.set(image);
    return levels;
  }

  /** Memory that has the image itself where the kernel can work on it, room for a copy of it elsewhere. */
  #memoryFor(pixels: Float32Array): PortMemory {
    const known = this.#memory;
    if (known !== undefined && (known.image === pixels || known.isCopy)) return known;
    const cells = this.#ports * this.#blocks;
    const pieces = [16 * REACH * this.#ports, 8 * cells, 8 * cells, cells, 8 * this.#ports, 40, 8 * this.#ports];
    const around = arenaAround(pixels, Arena.bytesFor(pieces));
    const arena = around ?? new Arena(Arena.bytesFor([4 * pixels.length, ...pieces]));
    const made = {
      kernel: instantiateKernel(kernelBinary, arena.memory) as unknown as PortKernel,
      image: around === undefined ? arena.float32(pixels.length) : pixels,
      isCopy: around === undefined,
      counts: arena.uint32(4 * REACH * this.#ports),
      sums: arena.float64(cells),
      numbers: arena.float64(cells),
      used: arena.uint8(cells),
      means: arena.float64(this.#ports),
      products: arena.float64(5),
      levels: arena.float64(this.#ports),
    };
    this.#memory = made;
    return made;
  }

  /** Histograms of the ports, and sums of their blocks. */
  #count({ kernel, image, counts, sums, numbers }: PortMemory): void {
    for (const array of [counts, sums, numbers]) array.fill(0);
    kernel.portCountsF32(
      image.byteOffset,
      this.#rows,
      this.#width,
      this.#ports,
      this.#blocks,
      1 / this.#unit,
      SPOT,
      counts.byteOffset,
      sums.byteOffset,
      numbers.byteOffset,
    );
  }

  /** Of each port, empty where too few pixels have no light. */
  #histograms({ counts }: PortMemory): Float64Array[] {
    return Array.from({ length: this.#ports }, (_, port) => {
      const [even, odd] = [4 * REACH * port, 4 * REACH * port + 2 * REACH];
      const histogram = Float64Array.from({ length: 2 * REACH }, (_, bin) => {
        return (counts[even + bin] ?? 0) + (counts[odd + bin] ?? 0);
      });
      return this.#isEnough(histogram) ? histogram : new Float64Array(0);
    });
  }

  #isEnough(histogram: Float64Array): boolean {
    const near = histogram.subarray(REACH - 60, REACH + 60).reduce((sum, n) => sum + n, 0);
    return near >= Math.max(LEAST_PIXELS, LEAST_SHARE * this.#width * this.#rows);
  }

  /** Those that have no bright spots. */
  #findEvenBlocks({ sums, numbers, used }: PortMemory): void {
    const blocks = this.#blocks;
    for (let port = 0; port < this.#ports; port++) {
      const first = port * blocks;
      const means = Array.from({ length: blocks }, (_, b) => (sums[first + b] ?? 0) / (numbers[first + b] ?? 0));
      const sorted = means.filter((mean) => !Number.isNaN(mean)).sort((a, b) => a - b);
      const [least = NaN, middle = NaN] = [sorted[0], sorted[sorted.length >> 1]];
      const limit = middle + 2 * (middle - least) + 2;
      for (const [b, mean] of means.entries()) used[first + b] = mean <= limit ? 1 : 0;
    }
  }

  #meanOf({ sums, numbers, used }: PortMemory, port: number): number {
    let [sum, number] = [0, 0];
    for (let at = port * this.#blocks; at < (port + 1) * this.#blocks; at++) {
      if (used[at] === 0) continue;
      sum += sums[at] ?? 0;
      number += numbers[at] ?? 0;
    }
    return sum / number;
  }

  /** Of pixels with themselves, neighbors along edges and at corners, less that of pixels far apart. */
  #covary(memory: PortMemory, means: readonly number[]): [number, number, number] {
    const { kernel, image, used, products } = memory;
    const [rows, unit] = [this.#rows, this.#unit];
    products.fill(0);
    memory.means.set(means.map((mean) => mean * unit));
    kernel.portProductsF32(
      image.byteOffset,
      rows,
      this.#columns,
      this.#ports,
      this.#blocks,
      rows < MANY_ROWS ? 1 : 4,
      used.byteOffset,
      memory.means.byteOffset,
      SPOT * unit,
      products.byteOffset,
    );
    const [own = 0, edge = 0, corner = 0, apart = 0, number = 0] = products;
    const [shape, scale] = [apart / 2, number * unit * unit];
    return [(own - shape) / scale, (edge / 2 - shape) / scale, (corner / 2 - shape) / scale];
  }
}
