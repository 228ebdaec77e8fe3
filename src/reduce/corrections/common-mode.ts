import { asFinite, asInteger, badArgument } from "../../core/guards.ts";
import type { Ledger } from "../../core/ledger.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { quantize } from "../engine/exact.ts";
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

/** What {@link commonMode} took from one port, from the ledger of a result. */
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
const ROUNDS = 4;
const [SUM, FOUND, NOT_FOUND] = ["common-mode-adu", "common-mode-found", "common-mode-not-found"] as const;

/**
 * Takes off what the pixels of a readout port drift together, image by image: the mean of its unlit pixels. Put it after
 * the dark. A pixel is unlit when none of its eight neighbors has a photon: so the pixel has no part of the charge of a
 * photon nearby, which would pull the level up and take signal away. Less than 0.3 % of the signal is taken for photons
 * of 100 ADU and more, charge clouds of up to 8 μm rms and pixels of 50 μm; the level is found up to about 0.6 photons
 * per pixel. Levels are looked for within ± twice `withinAdu` of 0. A port with fewer than 100 unlit pixels is left as it
 * is. Masked pixels (NaN) do not count.
 *
 * The ledger of the result states what was taken: {@link commonModeLevels} reads it. It notes `common-mode-not-found`
 * once per port and image that was left as it is.
 */
export function commonMode(options: CommonModeOptions = {}): Correction {
  resolveOptions("commonMode", options, { ports: any, withinAdu: any });
  const ports = asInteger("ports", options.ports ?? 8, 1);
  const within = asFinite("withinAdu", options.withinAdu ?? 30, Number.MIN_VALUE);
  return {
    name: "commonMode",
    begin: (note, amount) => ({
      sensor: (frame) => {
        const finder = new PortLevels(frame, ports, within);
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
 * What {@link commonMode} took away: by sensor, one entry for each port, from the columns with the lowest numbers on.
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
  readonly #columns: number;
  readonly #width: number;
  /** From one row looked at for the median to the next. */
  readonly #step: number;
  readonly #least: number;
  readonly #within: number;
  readonly #counts: Uint32Array;
  readonly #sums: Float64Array;
  readonly #levels: Float64Array;
  /** 1 for the neighbors of lit pixels; with a border of one pixel, so that neighbors need no check. */
  readonly #shaded: Uint8Array;

  constructor({ detId, rows, columns }: ImageSpec, ports: number, within: number) {
    if (columns % ports !== 0) throw badArgument("ports", ports, `a divisor of ${columns}, the columns of ${detId}`);
    this.#columns = columns;
    this.#width = columns / ports;
    this.#step = rows < MANY_ROWS ? 1 : 4;
    this.#least = Math.max(1, LEAST_SHARE * this.#width * rows);
    this.#within = within;
    this.#counts = new Uint32Array(2 * STEPS);
    this.#sums = new Float64Array(2 * STEPS);
    this.#levels = new Float64Array(ports);
    this.#shaded = new Uint8Array((rows + 2) * (columns + 2));
  }

  /** Gives the levels taken off, NaN for the ports left as they are. */
  subtract(pixels: Float32Array): Float64Array {
    const [width, levels] = [this.#width, this.#levels];
    for (let port = 0; port < levels.length; port++) levels[port] = this.#medianOf(pixels, port * width);
    this.#shade(pixels);
    for (let port = 0; port < levels.length; port++) levels[port] = this.#levelOf(pixels, port, levels[port] ?? NaN);
    for (let start = 0, port = 0; start < pixels.length; start += width, port = (port + 1) % levels.length) {
      const level = levels[port] ?? NaN;
      if (Number.isNaN(level)) continue;
      for (let i = start; i < start + width; i++) pixels[i] = (pixels[i] ?? NaN) - level;
    }
    return levels;
  }

  /** Finds the neighbors of lit pixels; the levels are still the medians. */
  #shade(pixels: Float32Array): void {
    const [shaded, width, stride] = [this.#shaded, this.#width, this.#columns + 2];
    shaded.fill(0);
    for (let start = 0, port = 0, at = stride + 1; start < pixels.length; start += width) {
      const lit = (this.#levels[port] ?? NaN) + LIT * this.#within;
      for (let i = start; i < start + width; i++, at++) {
        if (!((pixels[i] ?? NaN) > lit)) continue;
        shaded[at - stride - 1] = 1;
        shaded[at - stride] = 1;
        shaded[at - stride + 1] = 1;
        shaded[at - 1] = 1;
        shaded[at + 1] = 1;
        shaded[at + stride - 1] = 1;
        shaded[at + stride] = 1;
        shaded[at + stride + 1] = 1;
      }
      if (++port < this.#levels.length) continue;
      port = 0;
      at += 2;
    }
  }

  /** The mean of the unlit pixels in a window about itself. */
  #levelOf(pixels: Float32Array, port: number, median: number): number {
    const [counts, sums, shaded] = [this.#counts, this.#sums, this.#shaded];
    const perAdu = STEPS / (2 * this.#within);
    counts.fill(0);
    sums.fill(0);
    const first = port * this.#width;
    for (let start = first, at = first + this.#columns + 3; start < pixels.length; start += this.#columns) {
      for (let i = start; i < start + this.#width; i++, at++) {
        const value = (pixels[i] ?? NaN) - median;
        const bin = value * perAdu + STEPS;
        if (!(bin >= 0 && bin < 2 * STEPS) || shaded[at] === 1) continue;
        counts[bin | 0] = (counts[bin | 0] ?? 0) + 1;
        sums[bin | 0] = (sums[bin | 0] ?? 0) + value;
      }
      at += this.#columns + 2 - this.#width;
    }
    let level = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const from = Math.max(0, Math.round((level - WINDOW * this.#within) * perAdu + STEPS));
      const to = Math.min(2 * STEPS, Math.round((level + WINDOW * this.#within) * perAdu + STEPS));
      let [count, sum] = [0, 0];
      for (let bin = from; bin < to; bin++) {
        count += counts[bin] ?? 0;
        sum += sums[bin] ?? 0;
      }
      if (count < LEAST_UNLIT) return NaN;
      level = sum / count;
    }
    return quantize(median + level);
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
