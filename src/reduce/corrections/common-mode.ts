import { badArgument } from "../../core/guards.ts";
import type { Ledger } from "../../core/ledger.ts";
import { finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { quantize } from "../engine/exact.ts";
import { kernelBinary } from "../engine/kernel-binary.ts";
import type { Correction } from "./correction.ts";

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

/** Steps in which levels are looked for, on each side of 0. */
const STEPS = 256;
/** A port with a smaller share of pixels near 0 has no median that can be told. */
const LEAST_SHARE = 0.1;
/** With fewer unlit pixels the level would have an error above a 30th of `withinAdu`, 1 ADU. */
const LEAST_UNLIT = 100;
/** The median only places the windows of the mean, so in images of many rows every fourth row is enough for it. */
const MANY_ROWS = 64;
/** In parts of `withinAdu`: what is this far above the median is lit. */
const LIT = 0.6;
/** In parts of `withinAdu`: unlit pixels this near to the level are averaged. */
const WINDOW = 3 / 4;
const [SUM, FOUND, NOT_FOUND] = ["common-mode-adu", "common-mode-found", "common-mode-not-found"] as const;

/**
 * Takes off what the pixels of a readout port drift together, image by image: the mean of its unlit pixels. Put it
 * after the dark. A pixel is unlit when none of its eight neighbors has a photon: so the pixel has no part of the
 * charge of a photon nearby, which would pull the level up and take signal away. Less than 0.3 % of the signal is taken
 * for photons of 100 ADU and more, charge clouds of up to 8 μm rms and pixels of 50 μm; the level is found up to about
 * 0.6 photons per pixel. Levels are looked for within ± twice `withinAdu` of 0. A port with fewer than 100 unlit pixels
 * is left as it is. Masked pixels (NaN) do not count.
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

/** The function of kernels/reduce.ts that is used here; addresses and strides in bytes. */
interface UnlitKernel {
  unlitF32(
    stripe: number,
    stride: number,
    rows: number,
    columns: number,
    step: number,
    lit: number,
    low: number,
    high: number,
    out: number,
  ): void;
}

/** Finds the levels of the ports of one sensor, in memory that is reused. */
class PortLevels {
  readonly #columns: number;
  readonly #width: number;
  /** From one row looked at for the median to the next. */
  readonly #step: number;
  readonly #least: number;
  readonly #within: number;
  readonly #counts: Uint32Array;
  readonly #levels: Float64Array;
  /** The image with a border, in the memory of the kernel, and what that answers: a sum and a number of pixels. */
  readonly #image: Float32Array;
  readonly #answer: Float64Array;
  readonly #kernel: UnlitKernel;

  constructor({ detId, rows, columns }: ImageSpec, ports: number, within: number) {
    if (columns % ports !== 0) throw badArgument("ports", ports, `a divisor of ${columns}, the columns of ${detId}`);
    this.#columns = columns;
    this.#width = columns / ports;
    this.#step = rows < MANY_ROWS ? 1 : 4;
    this.#least = Math.max(1, LEAST_SHARE * this.#width * rows);
    this.#within = within;
    this.#counts = new Uint32Array(2 * STEPS);
    this.#levels = new Float64Array(ports);
    const length = (rows + 2) * (columns + 2);
    const arena = new Arena(Arena.bytesFor([4 * length, 16]));
    this.#image = arena.float32(length).fill(-Infinity);
    this.#answer = arena.float64(2);
    this.#kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as UnlitKernel;
  }

  /** Gives the levels taken off, NaN for the ports left as they are. */
  subtract(pixels: Float32Array): Float64Array {
    const [width, columns, levels] = [this.#width, this.#columns, this.#levels];
    for (let start = 0, at = columns + 3; start < pixels.length; start += columns, at += columns + 2)
      this.#image.set(pixels.subarray(start, start + columns), at);
    for (let port = 0; port < levels.length; port++)
      levels[port] = this.#levelOf(port, this.#medianOf(pixels, port * width));
    for (let start = 0, port = 0; start < pixels.length; start += width, port = (port + 1) % levels.length) {
      const level = levels[port] ?? NaN;
      if (Number.isNaN(level)) continue;
      for (let i = start; i < start + width; i++) pixels[i] = (pixels[i] ?? NaN) - level;
    }
    return levels;
  }

  /** The mean of the unlit pixels in a window about itself. */
  #levelOf(port: number, median: number): number {
    if (Number.isNaN(median)) return NaN;
    const stride = 4 * (this.#columns + 2);
    const stripe = this.#image.byteOffset + stride + 4 * (1 + port * this.#width);
    const rows = this.#image.length / (this.#columns + 2) - 2;
    const [lit, window] = [median + LIT * this.#within, WINDOW * this.#within];
    let level = median;
    // Some of the rows are enough to place the window.
    for (const step of [this.#step, this.#step, 1]) {
      const [low, high, out] = [level - window, level + window, this.#answer.byteOffset];
      this.#kernel.unlitF32(stripe, stride, rows, this.#width, step, lit, low, high, out);
      const [sum = 0, count = 0] = this.#answer;
      if (count < LEAST_UNLIT / step) return NaN;
      level = sum / count;
    }
    return quantize(level);
  }

  /** Of the pixels within twice `within` of 0, to a 128th of `within`; NaN when there are too few. */
  #medianOf(pixels: Float32Array, first: number): number {
    const [counts, width, stride] = [this.#counts, this.#width, this.#columns * this.#step];
    const perAdu = STEPS / (2 * this.#within);
    counts.fill(0);
    let total = 0;
    for (let start = first; start < pixels.length; start += stride) {
      for (let i = start; i < start + width; i++) {
        const bin = (pixels[i] ?? NaN) * perAdu + STEPS;
        if (bin >= 0 && bin < 2 * STEPS) {
          counts[bin | 0] = (counts[bin | 0] ?? 0) + 1;
          total++;
        }
      }
    }
    if (total < this.#least / this.#step) return NaN;
    let below = 0;
    let bin = 0;
    while (bin < 2 * STEPS - 1 && below + (counts[bin] ?? 0) <= total / 2) below += counts[bin++] ?? 0;
    return (bin + 0.5 - STEPS) / perAdu;
  }
}
