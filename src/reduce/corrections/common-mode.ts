import { asFinite, asInteger, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import type { Correction } from "./correction.ts";

export interface CommonModeOptions {
  /**
   * Readout ports: stripes of columns of equal width. A region of an image must begin and end on one.
   * @default 8, those of an MPCCD
   */
  readonly ports?: number | undefined;
  /**
   * Pixels this near to the level of their port, ADU, are taken for unlit: some three times the read noise, well below
   * one photon, for the parts of split photons pull the level up. @default 30, for an MPCCD of 17 to 18 e⁻/ADU (noise
   * 11 ADU)
   */
  readonly withinAdu?: number | undefined;
}

/** Steps in which the median is looked for, on each side of 0. */
const STEPS = 256;
/** A port with a smaller share of unlit pixels has no level that can be told. */
const LEAST_SHARE = 0.1;
/** The median only places the window of the mean, so in images of many rows every fourth row is enough for it. */
const MANY_ROWS = 64;

/**
 * Takes off what the pixels of a readout port drift together, image by image: the mean of its unlit pixels, which are
 * those within `withinAdu` of their median. Put it after the dark. The median is looked for within ± twice
 * `withinAdu` of 0. A port that is lit almost everywhere is left as it is, and the result's ledger notes
 * `common-mode-not-found`, once per port and image. Masked pixels (NaN) do not count.
 */
export function commonMode(options: CommonModeOptions = {}): Correction {
  resolveOptions("commonMode", options, { ports: any, withinAdu: any });
  const ports = asInteger("ports", options.ports ?? 8, 1);
  const within = asFinite("withinAdu", options.withinAdu ?? 30, Number.MIN_VALUE);
  return {
    name: "commonMode",
    begin: (note) => ({
      sensor: (frame) => {
        const level = new PortLevels(frame, ports, within);
        return (pixels) => {
          for (let missed = level.subtract(pixels); missed > 0; missed--) note("common-mode-not-found");
        };
      },
    }),
  };
}

/** Finds the levels of the ports of one sensor, in memory that is reused. */
class PortLevels {
  readonly #columns: number;
  readonly #ports: number;
  readonly #width: number;
  /** From one row looked at for the median to the next. */
  readonly #step: number;
  readonly #least: number;
  readonly #within: number;
  readonly #counts: Uint32Array;
  readonly #levels: Float64Array;

  constructor({ detId, rows, columns }: ImageSpec, ports: number, within: number) {
    if (columns % ports !== 0) throw badArgument("ports", ports, `a divisor of ${columns}, the columns of ${detId}`);
    this.#columns = columns;
    this.#ports = ports;
    this.#width = columns / ports;
    this.#step = rows < MANY_ROWS ? 1 : 4;
    this.#least = Math.max(1, LEAST_SHARE * this.#width * rows);
    this.#within = within;
    this.#counts = new Uint32Array(2 * STEPS);
    this.#levels = new Float64Array(ports);
  }

  /** Gives the number of ports left as they are. */
  subtract(pixels: Float32Array): number {
    let missed = 0;
    for (let port = 0; port < this.#ports; port++) {
      const level = this.#levelOf(pixels, port);
      if (Number.isNaN(level)) missed++;
      this.#levels[port] = Number.isNaN(level) ? 0 : level;
    }
    for (let start = 0, port = 0; start < pixels.length; start += this.#width, port = (port + 1) % this.#ports) {
      const level = this.#levels[port] ?? 0;
      for (let i = start; i < start + this.#width; i++) pixels[i] = (pixels[i] ?? NaN) - level;
    }
    return missed;
  }

  #levelOf(pixels: Float32Array, port: number): number {
    const [within, width, columns] = [this.#within, this.#width, this.#columns];
    const median = this.#medianOf(pixels, port * width);
    // Written so that NaN is outside.
    const [low, high] = [median - within, median + within];
    let sum = 0;
    let count = 0;
    for (let start = port * width; start < pixels.length; start += columns) {
      for (let i = start; i < start + width; i++) {
        const x = pixels[i] ?? NaN;
        if (x >= low && x <= high) {
          sum += x;
          count++;
        }
      }
    }
    return count < this.#least ? NaN : sum / count;
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
