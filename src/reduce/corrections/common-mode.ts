import { badArgument } from "../../core/guards.ts";
import type { Ledger } from "../../core/ledger.ts";
import { finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { quantize } from "../engine/exact.ts";
import type { Correction } from "./correction.ts";
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
/** Pixels this far apart share no charge: what they vary in common is the light's shape. */
const FAR = 3;
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

/** Finds the levels of the ports of one sensor, in memory that is reused. */
class PortLevels {
  readonly #rows: number;
  readonly #columns: number;
  readonly #width: number;
  readonly #ports: number;
  readonly #blocks: number;
  /** ADU of the unit in which levels are found. */
  readonly #unit: number;
  readonly #histograms: readonly Float64Array[];
  readonly #levels: Float64Array;
  /** Sum and number of pixels of each block of rows of each port. */
  readonly #sums: Float64Array;
  readonly #numbers: Float64Array;

  constructor({ detId, rows, columns }: ImageSpec, ports: number, within: number) {
    if (columns % ports !== 0) throw badArgument("ports", ports, `a divisor of ${columns}, the columns of ${detId}`);
    this.#rows = rows;
    this.#columns = columns;
    this.#width = columns / ports;
    this.#ports = ports;
    this.#blocks = Math.max(1, Math.min(BLOCKS, Math.floor(rows / 8)));
    this.#unit = within / 30;
    this.#histograms = Array.from({ length: ports }, () => new Float64Array(2 * REACH));
    this.#levels = new Float64Array(ports);
    this.#sums = new Float64Array(ports * this.#blocks);
    this.#numbers = new Float64Array(ports * this.#blocks);
  }

  /** Gives the levels taken off, NaN for the ports left as they are. */
  subtract(pixels: Float32Array): Float64Array {
    const [width, levels] = [this.#width, this.#levels];
    this.#count(pixels);
    const isUsed = this.#evenBlocks();
    const means = Array.from(levels, (_, port) => this.#meanOf(port, isUsed));
    const covariances = this.#covary(pixels, means, isUsed);
    const usable = this.#histograms.map((histogram) => (this.#isEnough(histogram) ? histogram : new Float64Array(0)));
    for (const [port, { level, error }] of zeroPeaks({ histograms: usable, means, covariances }).entries())
      levels[port] = error <= LARGEST_ERROR && Math.abs(level) < 60 ? quantize(level * this.#unit) : NaN;
    for (let start = 0, port = 0; start < pixels.length; start += width, port = (port + 1) % levels.length) {
      const level = levels[port] ?? NaN;
      if (Number.isNaN(level)) continue;
      for (let i = start; i < start + width; i++) pixels[i] = (pixels[i] ?? NaN) - level;
    }
    return levels;
  }

  #blockOf(row: number): number {
    return Math.floor((row * this.#blocks) / this.#rows);
  }

  /** Histograms of the ports, and sums of their blocks. */
  #count(pixels: Float32Array): void {
    const [width, perUnit, blocks] = [this.#width, 1 / this.#unit, this.#blocks];
    for (const array of [...this.#histograms, this.#sums, this.#numbers]) array.fill(0);
    for (let start = 0, r = 0; r < this.#rows; r++) {
      for (let port = 0; port < this.#ports; port++, start += width) {
        const counts = this.#histograms[port] ?? new Float64Array(0);
        let [sum, number] = [0, 0];
        for (let i = start; i < start + width; i++) {
          const value = (pixels[i] ?? NaN) * perUnit;
          const bin = value + REACH;
          if (bin >= 0 && bin < 2 * REACH) counts[bin | 0] = (counts[bin | 0] ?? 0) + 1;
          else if (!(value > -Infinity && value < SPOT)) continue;
          sum += value;
          number++;
        }
        const at = port * blocks + this.#blockOf(r);
        this.#sums[at] = (this.#sums[at] ?? 0) + sum;
        this.#numbers[at] = (this.#numbers[at] ?? 0) + number;
      }
    }
  }

  #isEnough(histogram: Float64Array): boolean {
    const near = histogram.subarray(REACH - 60, REACH + 60).reduce((sum, n) => sum + n, 0);
    return near >= Math.max(LEAST_PIXELS, LEAST_SHARE * this.#width * this.#rows);
  }

  /** Blocks that have no bright spots. */
  #evenBlocks(): Uint8Array {
    const blocks = this.#blocks;
    const isUsed = new Uint8Array(this.#sums.length);
    for (let port = 0; port < this.#ports; port++) {
      const first = port * blocks;
      const means = Array.from({ length: blocks }, (_, b) => {
        return (this.#sums[first + b] ?? 0) / (this.#numbers[first + b] ?? 0);
      });
      const sorted = means.filter((mean) => !Number.isNaN(mean)).sort((a, b) => a - b);
      const [least = NaN, middle = NaN] = [sorted[0], sorted[sorted.length >> 1]];
      const limit = middle + 2 * (middle - least) + 2;
      for (const [b, mean] of means.entries()) isUsed[first + b] = mean <= limit ? 1 : 0;
    }
    return isUsed;
  }

  #meanOf(port: number, isUsed: Uint8Array): number {
    let [sum, number] = [0, 0];
    for (let at = port * this.#blocks; at < (port + 1) * this.#blocks; at++) {
      if (isUsed[at] === 0) continue;
      sum += this.#sums[at] ?? 0;
      number += this.#numbers[at] ?? 0;
    }
    return sum / number;
  }

  /** Of pixels with themselves, neighbors along edges and at corners, less that of pixels far apart. */
  #covary(pixels: Float32Array, means: readonly number[], isUsed: Uint8Array): [number, number, number] {
    const [rows, columns, width, unit] = [this.#rows, this.#columns, this.#width, this.#unit];
    const [most, step, down, far] = [SPOT * unit, rows < MANY_ROWS ? 1 : 4, columns, FAR * columns];
    let [own, edge, corner, apart, number] = [0, 0, 0, 0, 0];
    for (let r = 0; r < rows - FAR; r += step) {
      const block = this.#blockOf(r);
      for (let port = 0; port < this.#ports; port++) {
        if (isUsed[port * this.#blocks + block] === 0) continue;
        const mean = (means[port] ?? NaN) * unit;
        const end = r * columns + Math.min((port + 1) * width, columns - FAR);
        for (let i = r * columns + Math.max(1, port * width); i < end; i++) {
          const x = pixels[i] ?? NaN;
          const near = (pixels[i + 1] ?? NaN) + (pixels[i + down] ?? NaN);
          const diagonal = (pixels[i + down + 1] ?? NaN) + (pixels[i + down - 1] ?? NaN);
          const away = (pixels[i + FAR] ?? NaN) + (pixels[i + far] ?? NaN);
          // No comparison holds for a pixel that is no number.
          const all = x + near + diagonal + away;
          if (!(x < most && all < 3 * most && all > -most)) continue;
          // One factor less its mean is enough.
          const d = x - mean;
          own += d * x;
          edge += d * near;
          corner += d * diagonal;
          apart += d * away;
          number++;
        }
      }
    }
    const [shape, scale] = [apart / 2, number * unit * unit];
    return [(own - shape) / scale, (edge / 2 - shape) / scale, (corner / 2 - shape) / scale];
  }
}
