import ndarray, { type NdArray } from "ndarray";
import { asFinite } from "../../core/guards.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { falsePhotons } from "./false-photons.ts";
import type { Histogram } from "./histogram.ts";
import { type AduPerPhoton, aduOf, aduWords, checkAduPerPhoton } from "./photon-counts.ts";
import { checkReadNoise, noiseOf, noiseWords, type ReadNoise } from "./read-noise.ts";

export interface DropletOptions {
  /** See {@link aduPerPhoton} for how to compute it; 1 when the images are in photons already. */
  readonly aduPerPhoton: AduPerPhoton;
  /**
   * Read noise, for the thresholds and for what is told of false photons: rms in ADU, or what `darkAverage` gave.
   * @default not known: the thresholds are then those of a read noise below a 14th of a photon
   */
  readonly noiseAdu?: ReadNoise | undefined;
  /** A droplet has at least one pixel of this many photons. @default 0.3, and at least 4 σ of the read noise */
  readonly seed?: number | undefined;
  /**
   * A droplet grows over neighbours of at least this many photons. @default 0.15, and at least 2 σ of the read noise
   */
  readonly low?: number | undefined;
}

/** What {@link droplets} gives. */
export interface Droplets {
  /** Photons in each pixel over all shots, shape [rows, columns]. */
  readonly photons: NdArray<Uint32Array>;
  /**
   * How often each droplet sum occurred, in photons from 0 to 5 by 0.02. Its first peak lies at 1 when `aduPerPhoton`
   * is right.
   */
  readonly spectrum: Histogram;
  readonly tags: Uint32Array;
  /** Photons in each shot, and the droplets that hold them. */
  readonly perShot: Float64Array;
  readonly dropletsPerShot: Float64Array;
  /**
   * Photons that the read noise makes in one image of all its pixels, on average: to be taken off `perShot`. NaN when
   * `noiseAdu` was not given.
   */
  readonly falsePerShot: number;
  /** The thresholds used, in photons. */
  readonly thresholds: { readonly seed: number; readonly low: number };
}

/** Fewer than one false photon in an image of half a million pixels from 7.5 keV on; 17 at 5 keV. */
const [SEED_SIGMA, LOW_SIGMA] = [4, 2];
const BINS_PER_PHOTON = 50;
const SPECTRUM_BINS = 5 * BINS_PER_PHOTON + 1;

/**
 * Photons where their charge is shared between pixels. Pixels of at least `low` photons that touch along an edge, one
 * of them at least `seed`, are a droplet (Chushkin et al. 2012; two thresholds as at LCLS). Its charge divided by that
 * of a photon and rounded is its number of photons; they go one by one to the pixel that has most charge left (the
 * greedy guess, analysed by Sun et al. 2020, J. Synchrotron Rad. 27; of equal pixels the first in reading order). Where
 * photons are so dense that droplets merge, their number stays right and only their places suffer: so the contrast of
 * speckle from `photons` is wrong by a third and more, see {@link speckleContrast}. Give `noiseAdu`: without it, read
 * noise makes photons below 9 keV on an MPCCD.
 *
 * Images must be dark-subtracted. Pixels that are NaN or infinite belong to no droplet. Memory: 4 bytes per pixel (2.1
 * MB for 1024 × 512), 17 more to work in, 2 kB for the spectrum and 20 bytes per shot.
 *
 * @throws BAD_ARGUMENT when `low` is above `seed`, or `aduPerPhoton` or `noiseAdu` has no entry for a sensor
 * @example
 * const perPhoton = aduPerPhoton(10_000, info.absGain);
 * const { found } = await reduce(shots, { found: droplets({ aduPerPhoton: perPhoton, noiseAdu: dark }) }, { dark });
 * found[sensor].photons.get(512, 256);
 */
export function droplets(options: DropletOptions): Reducer<Droplets> {
  resolveOptions("droplets", options, { aduPerPhoton: any, noiseAdu: any, seed: any, low: any });
  checkAduPerPhoton(options.aduPerPhoton);
  const { noiseAdu } = options;
  if (noiseAdu !== undefined) checkReadNoise(noiseAdu);
  if (options.seed !== undefined) asFinite("seed", options.seed, Number.MIN_VALUE);
  if (options.low !== undefined) asFinite("low", options.low, Number.MIN_VALUE, options.seed);
  const thresholdsOf = onceBySensor((frame) => thresholdsFor(options, frame));
  let finder = new Finder(0, 0);
  return defineReducer({
    name: `droplets(${aduWords(options.aduPerPhoton)}, seed ${options.seed}, low ${options.low}, noise ${
      noiseAdu === undefined ? "not known" : noiseWords(noiseAdu)
    })`,
    layout: (frame) => {
      const { rows, columns } = frame;
      thresholdsOf(frame);
      return {
        photons: { type: "uint32", length: rows * columns, merge: "sum" },
        spectrum: { type: "float64", length: SPECTRUM_BINS + 1, merge: "sum" },
        shots: { type: "series", width: 2 },
        finder: { type: "scratch", bytes: Finder.bytesFor(rows * columns) },
      };
    },
    add: ({ photons, spectrum, shots }, pixels, { tag }, frame) => {
      const { detId, rows, columns } = frame;
      const { seed, low } = thresholdsOf(frame);
      if (finder.rows !== rows || finder.columns !== columns) finder = new Finder(rows, columns);
      const [total, number] = finder.count(pixels, aduOf(options.aduPerPhoton, detId), seed, low, photons, spectrum);
      shots.push(tag, total, number);
    },
    result: ({ photons, spectrum, shots }, frame) => ({
      photons: ndarray(photons.slice(), [frame.rows, frame.columns]),
      spectrum: {
        from: 0,
        to: (SPECTRUM_BINS - 1) / BINS_PER_PHOTON,
        binWidth: 1 / BINS_PER_PHOTON,
        counts: spectrum.slice(0, SPECTRUM_BINS),
        under: 0,
        over: spectrum[SPECTRUM_BINS] ?? 0,
        invalid: 0,
      },
      tags: shots.tags,
      perShot: shots.column(0),
      dropletsPerShot: shots.column(1),
      falsePerShot: thresholdsOf(frame).falsePerPixel * frame.rows * frame.columns,
      thresholds: { seed: thresholdsOf(frame).seed, low: thresholdsOf(frame).low },
    }),
  });
}

/** In photons, and what they let through. */
interface Thresholds {
  readonly seed: number;
  readonly low: number;
  readonly falsePerPixel: number;
}

function thresholdsFor({ aduPerPhoton, noiseAdu, ...given }: DropletOptions, frame: ImageSpec): Thresholds {
  const adu = aduOf(aduPerPhoton, frame.detId);
  const sigma = noiseAdu === undefined ? 0 : Math.sqrt(noiseOf(noiseAdu, frame).typical) / adu;
  const seed = given.seed ?? Math.max(0.3, SEED_SIGMA * sigma, given.low ?? 0);
  const low = given.low ?? Math.min(Math.max(0.15, LOW_SIGMA * sigma), seed);
  const falsePerPixel = sigma > 0 ? falsePhotons(seed / sigma, low / sigma, 1 / sigma) : NaN;
  return { seed, low, falsePerPixel };
}

/** Remembers what it made for a sensor. */
function onceBySensor<T>(make: (frame: ImageSpec) => T): (frame: ImageSpec) => T {
  const made = new Map<string, T>();
  return (frame) => {
    const old = made.get(frame.detId);
    if (old !== undefined) return old;
    const value = make(frame);
    made.set(frame.detId, value);
    return value;
  };
}

/** Finds the droplets of one image after another in memory of its own. */
class Finder {
  readonly rows: number;
  readonly columns: number;
  /** 1 for pixels that belong to a droplet already. */
  readonly #taken: Uint8Array;
  /** Pixels of the droplets found so far, one droplet after another. */
  readonly #members: Int32Array;
  /** Photons' worth of charge that is left in each pixel of a droplet. */
  readonly #left: Float64Array;
  readonly #order: Int32Array;
  readonly #brighter: (a: number, b: number) => number;

  /** Bytes of its memory. */
  static bytesFor(pixels: number): number {
    return (1 + 4 + 8 + 4) * pixels;
  }

  constructor(rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    this.#taken = new Uint8Array(rows * columns);
    this.#members = new Int32Array(rows * columns);
    const left = new Float64Array(rows * columns);
    this.#left = left;
    this.#order = new Int32Array(rows * columns);
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
    const [seedAdu, lowAdu] = [seed * adu, low * adu];
    let [total, number, used] = [0, 0, 0];
    for (let i = 0; i < this.#taken.length; i++) {
      const value = pixels[i] ?? NaN;
      if (!(value >= seedAdu && value < Infinity) || this.#taken[i] === 1) continue;
      const end = this.#grow(pixels, i, lowAdu, used);
      let charge = 0;
      for (let k = used; k < end; k++) charge += pixels[this.#members[k] ?? 0] ?? 0;
      const share = charge / adu;
      const bin = Math.min(SPECTRUM_BINS, Math.floor(share * BINS_PER_PHOTON + 0.5));
      spectrum[bin] = (spectrum[bin] ?? 0) + 1;
      const found = Math.floor(share + 0.5);
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
