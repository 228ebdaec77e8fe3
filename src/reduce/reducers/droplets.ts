import ndarray, { type NdArray } from "ndarray";
import { asFinite } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { addCounts } from "../engine/accumulators.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { type DropletEfficiency, dropletEfficiency } from "./droplet-efficiency.ts";
import { BINS_PER_PHOTON, DropletFinder, SPECTRUM_BINS } from "./droplet-finder.ts";
import { DropletTotals } from "./droplet-totals.ts";
import { falsePhotons } from "./false-photons.ts";
import type { Histogram } from "./histogram.ts";
import { type AduPerPhoton, aduOf, aduWords, checkAduPerPhoton, NOT_FOR_CONTRAST } from "./photon-counts.ts";
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
  /**
   * Photons of all shots, corrected for those that the thresholds lose and those that the read noise makes. Null when
   * `noiseAdu` was not given, or fewer than 200 droplets of one photon were found.
   */
  readonly corrected: DropletEfficiency | null;
  /** What the result must not be used for. */
  readonly warnings: readonly string[];
}

/** Fewer than one false photon in an image of half a million pixels from 7.5 keV on; 17 at 5 keV. */
const [SEED_SIGMA, LOW_SIGMA] = [4, 2];

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
 * MB for 1024 × 512), 37 more to work in, or in the kernel 38 for each sensor, of which most are not touched; 2 kB for
 * the spectrum and 20 bytes per shot.
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
  const levelsOf = (frame: ImageSpec) => {
    const { seed, low } = thresholdsOf(frame);
    const adu = aduOf(options.aduPerPhoton, frame.detId);
    return { adu, seed: seed * adu, low: low * adu };
  };
  const counted = {
    accumulator: (frame: ImageSpec, dark: Float64Array | undefined) => new DropletTotals(levelsOf(frame), dark, frame),
    mostImages: DropletTotals.mostImages,
  };
  let finder = new DropletFinder(0, 0);
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
        singles: { type: "float64", length: 2, merge: "sum" },
        shots: { type: "series", width: 2 },
        finder: { type: "scratch", bytes: DropletFinder.bytesFor(rows * columns) },
      };
    },
    kernel: {
      statistics: [counted],
      type: "uint16",
      fits: (frame, dark) => DropletTotals.fits(levelsOf(frame), frame, dark),
      flush: ({ photons, spectrum, singles, shots }, block) => {
        const own = block.own(counted);
        if (own === undefined) return;
        addCounts(photons, own.photons, shots.length === 0);
        for (let k = 0; k < spectrum.length; k++) spectrum[k] = (spectrum[k] ?? 0) + (own.spectrum[k] ?? 0);
        singles[0] = (singles[0] ?? 0) + own.singles;
        singles[1] = (singles[1] ?? 0) + own.brightest;
        for (const [k, found] of own.perImage.entries())
          shots.push(block.tags[k] ?? NaN, found.photons, found.droplets);
      },
    },
    add: ({ photons, spectrum, singles, shots }, pixels, { tag }, frame) => {
      const { detId, rows, columns } = frame;
      const { seed, low } = thresholdsOf(frame);
      if (finder.rows !== rows || finder.columns !== columns) finder = new DropletFinder(rows, columns);
      const [total, number] = finder.count(pixels, aduOf(options.aduPerPhoton, detId), seed, low, photons, spectrum);
      singles[0] = (singles[0] ?? 0) + finder.singles;
      singles[1] = (singles[1] ?? 0) + finder.brightest;
      shots.push(tag, total, number);
    },
    result: ({ photons, spectrum, singles, shots }, frame, _dark, isLast) => {
      const { seed, low, noise, falsePerPixel } = thresholdsOf(frame);
      const perShot = shots.column(0);
      const pixels = frame.rows * frame.columns;
      const dropletsPerShot = shots.column(1);
      const [number = 0, brightest = 0] = singles;
      return {
        photons: ndarray(isLast === true ? photons : photons.slice(), [frame.rows, frame.columns]),
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
        perShot,
        dropletsPerShot,
        falsePerShot: falsePerPixel * pixels,
        thresholds: { seed, low },
        corrected: dropletEfficiency({
          seed,
          low,
          noise,
          falsePerPixel,
          perShot,
          droplets: dropletsPerShot.reduce((sum, n) => sum + n, 0),
          rows: frame.rows,
          columns: frame.columns,
          singles: number,
          brightest: brightest / number,
        }),
        warnings: [NOT_FOR_CONTRAST],
      };
    },
  });
}

/** In photons, and what they let through. */
interface Thresholds {
  readonly seed: number;
  readonly low: number;
  /** Read noise; NaN when it is not known. */
  readonly noise: number;
  readonly falsePerPixel: number;
}

function thresholdsFor({ aduPerPhoton, noiseAdu, ...given }: DropletOptions, frame: ImageSpec): Thresholds {
  const adu = aduOf(aduPerPhoton, frame.detId);
  const sigma = noiseAdu === undefined ? 0 : Math.sqrt(noiseOf(noiseAdu, frame).typical) / adu;
  const seed = given.seed ?? Math.max(0.3, SEED_SIGMA * sigma, given.low ?? 0);
  const low = given.low ?? Math.min(Math.max(0.15, LOW_SIGMA * sigma), seed);
  const falsePerPixel = sigma > 0 ? falsePhotons(seed / sigma, low / sigma, 1 / sigma) : NaN;
  return { seed, low, noise: sigma > 0 ? sigma : NaN, falsePerPixel };
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
