import { badArgument } from "../../core/guards.ts";
import type { Ledger } from "../../core/ledger.ts";
import { finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { quantize } from "../engine/exact.ts";
import { arenaAround } from "../images/in-place.ts";
import type { Correction } from "./correction.ts";
import { kernelBinary } from "./kernel-binary.ts";
import { LightBlocks, type LightKernel } from "./light-blocks.ts";
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
  /** Its error, ADU: the standard error of the fits, which more images make smaller, and with it `biasAdu`. */
  readonly errorAdu: number;
  /**
   * What light may have moved the level by in each image alike, ADU: so much signal of each pixel may be lost, or be
   * too much. 0.3 % of the light; 1 % where it is not even, 1.5 % where it is below 0.05 photons per pixel.
   */
  readonly biasAdu: number;
  /** Images in which the level was found, and in which it was not: those were left as they were. */
  readonly found: number;
  readonly notFound: number;
}

/** A port with a smaller share of pixels within twice `withinAdu` of 0 has no level that can be told. */
const LEAST_SHARE = 0.04;
const LEAST_PIXELS = 100;
/** A level with a larger error, in 30ths of `withinAdu` (1 ADU for an MPCCD), counts as not found. */
const LARGEST_ERROR = 1;
/** Rows and columns of the blocks in which light is looked at; more columns where a port has no multiple of these. */
const BLOCK = 16;
const MOST_BLOCKS = 64;
/** Pixels above, in 30ths of `withinAdu`, are spots and not counted as light. */
const SPOT = 3000;
/** Counts of a port, see portCountsF32. */
const BINS = 4 * (2 * REACH + 2);
/** In images of many rows every fourth is enough for covariances. */
const MANY_ROWS = 256;
const [SUM, FOUND, NOT_FOUND] = ["common-mode-adu", "common-mode-found", "common-mode-not-found"] as const;
/** Sums of squared errors, and of what light may have moved levels by. */
const [SQUARES, UNSURE] = ["common-mode-adu2", "common-mode-unsure"] as const;

/**
 * Takes off what the pixels of a readout port drift together, image by image: the place of the peak of pixels without
 * light. Put it after the dark. Pixels without a photon of their own still have some charge of photons in the
 * neighborhood, which would pull the level up and take signal away: this tail is a term of the fit, with the charge of
 * a photon and the size of its cloud from the covariances of neighboring pixels of the same image. Less than 0.3 % of
 * the signal is taken for photons of 77 to 231 ADU (5 to 15 keV), 0.01 to 1.5 photons per pixel and charge clouds of 1
 * to 8 μm rms in pixels of 50 μm, also where light varies along a port (docs/reductions.md says how far). Levels are
 * looked for within ± twice `withinAdu` of 0. A port whose level has an error above a 30th of `withinAdu` is left as it
 * is. Masked pixels (NaN) do not count.
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
          [SUM, SQUARES, UNSURE, FOUND, NOT_FOUND].map((what) => `${what}/${frame.detId}/${port}`),
        );
        return (pixels) => {
          for (const [port, level] of finder.subtract(pixels).entries()) {
            const [sum = "", squares = "", unsure = "", found = "", notFound = ""] = keys[port] ?? [];
            if (Number.isNaN(level)) {
              note(NOT_FOUND);
              amount(notFound, 1);
            } else {
              amount(sum, level);
              amount(squares, quantize((finder.errors[port] ?? NaN) ** 2));
              amount(unsure, quantize(finder.unsure[port] ?? NaN));
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
 * commonModeLevels(ledger)["MPCCD-2N0-M02-001-1"]?.[0]; // { meanAdu: 0.31, errorAdu: 0.012, biasAdu: 0.01, … }
 */
export function commonModeLevels({ amounts = {} }: Ledger): Readonly<Record<string, readonly PortLevel[]>> {
  const levels: Record<string, PortLevel[]> = {};
  for (const key of Object.keys(amounts)) {
    const [what, detId, port] = key.split("/");
    if ((what !== FOUND && what !== NOT_FOUND) || detId === undefined) continue;
    const of = (name: string): number => amounts[`${name}/${detId}/${port}`] ?? 0;
    levels[detId] ??= [];
    const [found, notFound] = [of(FOUND), of(NOT_FOUND)];
    const meanAdu = of(SUM) / found;
    const biasAdu = of(UNSURE) / found;
    const errorAdu = Math.hypot(Math.sqrt(of(SQUARES)) / found, biasAdu);
    levels[detId][Number(port)] = { meanAdu, errorAdu, biasAdu, found, notFound };
  }
  return levels;
}

/** The functions of kernels/common-mode.ts that work on an image; addresses in bytes. */
interface PortKernel extends LightKernel {
  portCountsF32(
    pixels: number,
    rows: number,
    width: number,
    stripes: number,
    parts: number,
    blocks: number,
    each: number,
    perUnit: number,
    spot: number,
    room: number,
    counts: number,
    table: number,
  ): void;
  blockProductsF32(
    pixels: number,
    rows: number,
    columns: number,
    stripes: number,
    parts: number,
    blocks: number,
    each: number,
    step: number,
    unit: number,
    most: number,
    table: number,
  ): void;
  takeLevelsF32(pixels: number, rows: number, width: number, ports: number, levels: number): void;
}

/** Where the image lies that the kernel works on, and what it counts of it. */
interface PortMemory {
  readonly kernel: PortKernel;
  readonly image: Float32Array;
  /** Images are copied there, and back. */
  readonly isCopy: boolean;
  /** Of each port: four for each bin, to be added up, and those outside. */
  readonly counts: Uint32Array;
  readonly light: LightBlocks;
  readonly room: number;
  readonly levels: Float64Array;
}

/** Finds the levels of the ports of one sensor, in memory that is reused. */
class PortLevels {
  readonly #rows: number;
  readonly #columns: number;
  readonly #width: number;
  readonly #ports: number;
  /** Stripes of columns that a port is cut into, and blocks of rows that a stripe is cut into. */
  readonly #parts: number;
  readonly #blocks: number;
  /** Blocks of a port, and one more when that is odd. */
  readonly #each: number;
  /** ADU of the unit in which levels are found. */
  readonly #unit: number;
  /** The histogram of each port. */
  readonly #counted: readonly Float64Array[];
  #memory: PortMemory | undefined;
  /** Of the levels last taken off, ADU: standard errors, and what light may have moved them by. */
  readonly errors: Float64Array;
  readonly unsure: Float64Array;

  constructor({ detId, rows, columns }: ImageSpec, ports: number, within: number) {
    if (columns % ports !== 0) throw badArgument("ports", ports, `a divisor of ${columns}, the columns of ${detId}`);
    this.#rows = rows;
    this.#columns = columns;
    this.#width = columns / ports;
    this.#ports = ports;
    let parts = Math.max(1, Math.floor(this.#width / BLOCK));
    while (this.#width % parts !== 0) parts--;
    this.#parts = parts;
    this.#blocks = Math.max(1, Math.min(MOST_BLOCKS, Math.floor(rows / BLOCK)));
    this.#each = 2 * Math.ceil((parts * this.#blocks) / 2);
    this.#unit = within / 30;
    this.errors = new Float64Array(ports);
    this.unsure = new Float64Array(ports);
    this.#counted = Array.from({ length: ports }, () => new Float64Array(2 * REACH));
  }

  /** Gives the levels taken off, NaN for the ports left as they are. */
  subtract(pixels: Float32Array): Float64Array {
    const memory = this.#memoryFor(pixels);
    const { kernel, isCopy, levels } = memory;
    const image = isCopy ? memory.image : pixels;
    if (isCopy) image.set(pixels);
    this.#count(memory, image);
    const found = zeroPeaks({ histograms: this.#histograms(memory), blocks: memory.light });
    for (const [port, { level, error, unsure }] of found.entries()) {
      // Taken off in single precision.
      levels[port] = error <= LARGEST_ERROR && Math.abs(level) < 60 ? Math.fround(quantize(level * this.#unit)) : NaN;
      this.errors[port] = error * this.#unit;
      this.unsure[port] = unsure * this.#unit;
    }
    kernel.takeLevelsF32(image.byteOffset, this.#rows, this.#width, this.#ports, levels.byteOffset);
    if (isCopy) pixels.set(image);
    return levels;
  }

  /** Memory that has the image itself where the kernel can work on it, room for a copy of it elsewhere. */
  #memoryFor(pixels: Float32Array): PortMemory {
    const known = this.#memory;
    if (known !== undefined && (known.isCopy || known.image.buffer === pixels.buffer)) return known;
    const [ports, each] = [this.#ports, this.#each];
    // Of each stripe two sums, and of each of its pixels the bin.
    const room = this.#parts * (32 * ports + 4 * (this.#width / this.#parts + 3));
    const pieces = [4 * BINS * ports, room, 8 * ports, ...LightBlocks.pieces(each, ports)];
    const around = arenaAround(pixels, Arena.bytesFor(pieces));
    const arena = around ?? new Arena(Arena.bytesFor([4 * pixels.length, ...pieces]));
    const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as PortKernel;
    const made = {
      kernel,
      image: around === undefined ? arena.float32(pixels.length) : pixels,
      isCopy: around === undefined,
      counts: arena.uint32(BINS * ports),
      room: arena.allocate(room),
      levels: arena.float64(ports),
      light: new LightBlocks(kernel, arena, each, ports),
    };
    this.#memory = made;
    return made;
  }

  /** Histograms of the ports; sums, means and products of their blocks. */
  #count({ kernel, counts, room, light }: PortMemory, image: Float32Array): void {
    counts.fill(0);
    const [rows, unit, stripes] = [this.#rows, this.#unit, this.#ports * this.#parts];
    const [parts, blocks, each] = [this.#parts, this.#blocks, this.#each];
    kernel.portCountsF32(
      image.byteOffset,
      rows,
      this.#width / parts,
      stripes,
      parts,
      blocks,
      each,
      1 / unit,
      SPOT,
      room,
      counts.byteOffset,
      light.table,
    );
    kernel.blockProductsF32(
      image.byteOffset,
      rows,
      this.#columns,
      stripes,
      parts,
      blocks,
      each,
      rows < MANY_ROWS ? 1 : 4,
      unit,
      SPOT * unit,
      light.table,
    );
  }

  /** Of each port, empty where too few pixels have no light. */
  #histograms({ counts }: PortMemory): Float64Array[] {
    return this.#counted.map((histogram, port) => {
      for (let bin = 0, at = BINS * port + 4; bin < histogram.length; bin++, at += 4) {
        histogram[bin] = (counts[at] ?? 0) + (counts[at + 1] ?? 0) + (counts[at + 2] ?? 0) + (counts[at + 3] ?? 0);
      }
      return this.#isEnough(histogram) ? histogram : histogram.subarray(0, 0);
    });
  }

  #isEnough(histogram: Float64Array): boolean {
    let near = 0;
    for (let bin = REACH - 60; bin < REACH + 60; bin++) near += histogram[bin] ?? 0;
    return near >= Math.max(LEAST_PIXELS, LEAST_SHARE * this.#width * this.#rows);
  }
}
