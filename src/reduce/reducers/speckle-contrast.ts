import { badArgument } from "../../core/guards.ts";
import type { NdArray, Pixels } from "../../core/ndarray.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { type BySensor, mapPixels } from "../corrections/per-sensor.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { type AduPerPhoton, aduOf, aduWords, checkAduPerPhoton } from "./photon-counts.ts";
import { checkReadNoise, type NoiseVariance, noiseOf, noiseWords, type ReadNoise } from "./read-noise.ts";

export interface SpeckleContrastOptions {
  /** See {@link aduPerPhoton} for how to compute it; 1 when the images are in photons already. */
  readonly aduPerPhoton: AduPerPhoton;
  /** Read noise: rms in ADU, or what `darkAverage` gave, the very one that was subtracted. */
  readonly noiseAdu: ReadNoise;
  /**
   * Mean illumination by sensor, in any unit, shape [rows, columns]: its shape is no contrast. @default even: whatever
   * varies slowly over the sensor is counted as contrast
   */
  readonly illumination?: BySensor<NdArray> | undefined;
}

/** What {@link speckleContrast} gives. Errors are 1 σ. */
export interface SpeckleContrast {
  /** Photons per pixel, over all shots. */
  readonly photonsPerPixel: number;
  readonly photonsPerPixelError: number;
  /**
   * β = 1/M: the variance of the expected photons of a pixel over the square of their mean. M: number of modes. NaN,
   * as is its error, with no more photons than noise makes.
   */
  readonly contrast: number;
  /** Of statistics, and of what mean and read noise are uncertain by when `noiseAdu` is a dark average: with few dark
   * shots this is most of it below 0.03 photons per pixel, however many shots there are. */
  readonly contrastError: number;
  /**
   * Why the contrast is not known: it is null when the number may be used. `too-few-photons`: the error is above 0.25,
   * so that anything from 0 to 1 may be true.
   */
  readonly undetermined: "no-shots" | "too-few-photons" | null;
  /** What the contrast changes by when `aduPerPhoton` is 1 % too small: 0.01 over the photons per pixel. */
  readonly changePerPercentOfGain: number;
  readonly tags: Uint32Array;
  /** Of each shot: photons per pixel, contrast and its error from the blocks of the image. */
  readonly perShot: {
    readonly photonsPerPixel: Float64Array;
    readonly contrast: Float64Array;
    readonly contrastError: Float64Array;
  };
}

/** An image is cut into this many blocks on each side, whose scatter is the error. */
const BLOCKS = 4;
/** Pixels in the neighborhood that has all the charge of a photon. */
const NEIGHBORHOOD = 9;
const LARGEST_ERROR = 0.25;
/** Numbers kept for each shot. */
export const MOMENTS = 8;
const [MEAN, MEAN_VARIANCE, EXCESS, EXCESS_VARIANCE, SQUARE, PIXELS, NOISE, DARK] = [0, 1, 2, 3, 4, 5, 6, 7];

/**
 * Contrast of speckle with few photons per pixel, where photons share their charge between pixels. Counting photons by
 * threshold or droplets gives a contrast that is wrong by a third and more with the 7 μm charge cloud of 300 μm of
 * silicon, because shared photons are put into the wrong pixels.
 *
 * Charge is not lost by sharing: for a mean of k photons, the covariances of a pixel with itself and its eight
 * neighbors add up to the variance of whole photons, k + βk², plus the variance of the read noise. So
 * β = (Σ covariances − noise − k) / k², in photons, without a threshold and without knowing the cloud. It holds for
 * charge clouds that reach no further than the next pixel (up to 10 μm rms for pixels of 50 μm), and for speckle not
 * larger than a pixel: larger speckle adds its correlation with the neighbors. k is the mean of each shot.
 *
 * Images must be dark-subtracted, with the common mode taken off where there is one. The charge per photon must be
 * right: 1 % too little adds 0.01/k to β (`changePerPercentOfGain`). Pixels that are NaN or infinite are left out, and
 * those at the border of the image, which miss charge from outside. Memory: 8 bytes per pixel (4.2 MB for 1024 × 512)
 * and 68 bytes per shot.
 *
 * @throws BAD_ARGUMENT when an option has no entry for a sensor or another shape
 * @example
 * const dark = await darkAverage(darkShots);
 * const perPhoton = aduPerPhoton(9000, info.absGain);
 * const { speckle } = await reduce(
 *   shots,
 *   { speckle: speckleContrast({ aduPerPhoton: perPhoton, noiseAdu: dark }) },
 *   { dark },
 * );
 * const { contrast, contrastError, undetermined } = speckle[sensor];
 */
export function speckleContrast(options: SpeckleContrastOptions): Reducer<SpeckleContrast> {
  resolveOptions("speckleContrast", options, { aduPerPhoton: any, noiseAdu: any, illumination: any });
  const moments = speckleMoments(options);
  return defineReducer({
    name: `speckleContrast(${moments.words})`,
    layout: (frame) => {
      moments.check(frame);
      return {
        shots: { type: "series", width: MOMENTS },
        deviations: { type: "scratch", bytes: 8 * frame.rows * frame.columns },
      };
    },
    add: ({ shots }, pixels, { tag }, frame) => shots.push(tag, ...moments.of(pixels, frame)),
    result: ({ shots }) => {
      const columns = Array.from({ length: MOMENTS }, (_, k) => shots.column(k));
      return contrastOf(shots.tags, columns);
    },
  });
}

/** What one image tells of contrast, in {@link MOMENTS} numbers. */
interface SpeckleMoments {
  /** The options, in words that are compared. */
  readonly words: string;
  /** @throws BAD_ARGUMENT when an option has no entry for the sensor */
  check(frame: ImageSpec): void;
  of(pixels: Pixels, frame: ImageSpec): number[];
}

/** @throws BAD_ARGUMENT for options that cannot be */
export function speckleMoments(options: SpeckleContrastOptions): SpeckleMoments {
  const { aduPerPhoton, noiseAdu, illumination } = options;
  checkAduPerPhoton(aduPerPhoton);
  if (noiseAdu === undefined) throw badArgument("noiseAdu", undefined, "the read noise, or a dark average");
  checkReadNoise(noiseAdu);
  const images = new Map<string, ShotMoments>();
  return {
    words: `${aduWords(aduPerPhoton)}, noise ${noiseWords(noiseAdu)}${lightWords(illumination)}`,
    check: (frame) => {
      noiseOf(noiseAdu, frame);
      aduOf(aduPerPhoton, frame.detId);
    },
    of: (pixels, frame) => {
      const key = `${frame.detId} ${frame.rows} ${frame.columns}`;
      const moments = images.get(key) ?? new ShotMoments(options, frame);
      images.set(key, moments);
      return moments.of(pixels);
    },
  };
}

function lightWords(illumination: BySensor<NdArray> | undefined): string {
  if (illumination === undefined) return "";
  const words = Object.entries(illumination).map(([id, map]) => {
    let [sum, weighted] = [0, 0];
    const [rows = 0, columns = 0] = map.shape;
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const value = Number(map.get(r, c));
        if (!Number.isFinite(value)) continue;
        sum += value;
        weighted += value * (r * columns + c);
      }
    return `${id} ${sum} ${weighted}`;
  });
  return `, illumination ${words.join(", ")}`;
}

/** Sums over a block: of photons, of products with pixels at a distance, and how many there were. */
class BlockSums {
  readonly photons = new Float64Array(BLOCKS * BLOCKS);
  readonly pixels = new Float64Array(BLOCKS * BLOCKS);
  /** Of the pixel itself, of neighbors along an edge, of neighbors at a corner. */
  readonly products = [0, 1, 2].map(() => new Float64Array(BLOCKS * BLOCKS));
  readonly pairs = [0, 1, 2].map(() => new Float64Array(BLOCKS * BLOCKS));

  clear(): void {
    for (const array of [this.photons, this.pixels, ...this.products, ...this.pairs]) array.fill(0);
  }

  /** Covariances of a pixel with its neighborhood, added up, less the photons, over the blocks given. */
  excess(blocks: readonly number[]): number {
    const over = (array: Float64Array | undefined): number => blocks.reduce((sum, b) => sum + (array?.[b] ?? 0), 0);
    const each = [0, 1, 2].map((k) => over(this.products[k]) / over(this.pairs[k]));
    return (each[0] ?? 0) + 4 * (each[1] ?? 0) + 4 * (each[2] ?? 0) - over(this.photons) / over(this.pixels);
  }
}

/** Moments of one image after another, in memory that is reused. */
class ShotMoments {
  readonly #frame: ImageSpec;
  readonly #adu: number;
  readonly #noise: NoiseVariance;
  /** Illumination over its mean. */
  readonly #light: Float64Array | undefined;
  /** Photons less the mean of the shot; 0 where there is no number. */
  readonly #deviations: Float64Array;
  readonly #sums = new BlockSums();

  constructor({ aduPerPhoton, noiseAdu, illumination }: SpeckleContrastOptions, frame: ImageSpec) {
    this.#frame = frame;
    this.#adu = aduOf(aduPerPhoton, frame.detId);
    this.#noise = noiseOf(noiseAdu, frame);
    this.#deviations = new Float64Array(frame.rows * frame.columns);
    const map = illumination?.[frame.detId];
    if (illumination === undefined) return;
    if (map === undefined) throw badArgument("illumination", Object.keys(illumination).join(", "), frame.detId);
    this.#light = mapPixels("illumination", map, frame);
  }

  of(pixels: Pixels): number[] {
    const { rows, columns } = this.#frame;
    const [light, noise, perAdu] = [this.#light, this.#noise, 1 / this.#adu];
    let [sum, lights, squares, count, variance] = [0, 0, 0, 0, 0];
    for (let r = 1; r < rows - 1; r++) {
      for (let i = r * columns + 1; i < (r + 1) * columns - 1; i++) {
        const g = light?.[i] ?? 1;
        const x = (pixels[i] ?? NaN) * perAdu;
        const own = noise.ofPixel(i);
        if (!isUsed(x, g, own)) continue;
        sum += x;
        lights += g;
        squares += g * g;
        variance += own;
        count++;
      }
    }
    if (!(lights > 0)) return [NaN, NaN, NaN, NaN, NaN, 0, NaN, NaN];
    // In a pixel of mean illumination.
    const mean = sum / count;
    this.#deviate(pixels, sum / lights);
    this.#correlate(pixels);
    const sums = this.#sums;
    const all = Array.from({ length: BLOCKS * BLOCKS }, (_, b) => b).filter((b) => (sums.pixels[b] ?? 0) > 0);
    const noiseVariance = (variance / count) * perAdu * perAdu;
    const raw = sums.excess(all);
    // The mean of the shot is taken from the same pixels: it takes a part of each of the nine covariances with it.
    const own = (raw + mean) * (NEIGHBORHOOD / count);
    const meanVariance = (raw + mean) / count;
    const even = (squares * count) / (lights * lights);
    return [
      mean,
      meanVariance,
      raw + own - noiseVariance,
      scatter(all.map((b) => sums.excess([b]))),
      Math.max(0, mean * mean - meanVariance) * even,
      count,
      noiseVariance,
      noise.ofDark * perAdu * perAdu,
    ];
  }

  #deviate(pixels: Pixels, mean: number): void {
    const [light, noise, perAdu, out] = [this.#light, this.#noise, 1 / this.#adu, this.#deviations];
    for (let i = 0; i < out.length; i++) {
      const g = light?.[i] ?? 1;
      const x = (pixels[i] ?? NaN) * perAdu;
      out[i] = isUsed(x, g, noise.ofPixel(i)) ? x - mean * g : NaN;
    }
  }

  #correlate(pixels: Pixels): void {
    const { rows, columns } = this.#frame;
    const [y, sums, perAdu] = [this.#deviations, this.#sums, 1 / this.#adu];
    const neighbors = [
      [1, -1, columns, -columns],
      [columns + 1, columns - 1, 1 - columns, -1 - columns],
    ];
    sums.clear();
    for (let r = 1; r < rows - 1; r++) {
      const row = Math.floor((r * BLOCKS) / rows) * BLOCKS;
      for (let c = 1; c < columns - 1; c++) {
        const i = r * columns + c;
        const own = y[i] ?? NaN;
        if (Number.isNaN(own)) continue;
        const block = row + Math.floor((c * BLOCKS) / columns);
        sums.photons[block] = (sums.photons[block] ?? 0) + (pixels[i] ?? 0) * perAdu;
        sums.pixels[block] = (sums.pixels[block] ?? 0) + 1;
        add(sums, 0, block, own * own, 1);
        for (const [k, steps] of neighbors.entries()) {
          let [total, pairs] = [0, 0];
          for (const step of steps) {
            const other = y[i + step] ?? NaN;
            if (Number.isNaN(other)) continue;
            total += other;
            pairs++;
          }
          add(sums, k + 1, block, own * total, pairs);
        }
      }
    }
  }
}

function isUsed(photons: number, light: number, noise: number): boolean {
  return Number.isFinite(photons) && light > 0 && noise >= 0;
}

function add({ products, pairs }: BlockSums, kind: number, block: number, product: number, number: number): void {
  const [all, count] = [products[kind], pairs[kind]];
  if (all === undefined || count === undefined) return;
  all[block] = (all[block] ?? 0) + product;
  count[block] = (count[block] ?? 0) + number;
}

/** Variance of the mean of some values, from their scatter. */
function scatter(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) / values.length;
}

/** Contrast from the numbers of some shots, one column for each. */
export function contrastOf(tags: Uint32Array, columns: readonly Float64Array[]): SpeckleContrast {
  const of = (k: number, shot: number): number => columns[k]?.[shot] ?? NaN;
  const used = [...tags.keys()].filter((shot) => of(PIXELS, shot) > 0 && Number.isFinite(of(EXCESS_VARIANCE, shot)));
  const pixels = used.reduce((sum, shot) => sum + of(PIXELS, shot), 0);
  const mean = used.reduce((sum, shot) => sum + of(MEAN, shot) * of(PIXELS, shot), 0) / pixels;
  const darkVariance = used.reduce((sum, shot) => sum + of(DARK, shot) / of(PIXELS, shot), 0) / used.length;
  const meanVariance =
    used.reduce((sum, shot) => sum + of(MEAN_VARIANCE, shot) * of(PIXELS, shot) ** 2, 0) / pixels ** 2 + darkVariance;
  // Least squares of excess = contrast × square. A shot varies by pairs of charges in the neighborhood and by the noise
  // of its mean; what the dark is wrong by is one and the same in all shots, so shots with few photons tell it.
  const commonVariance = darkVariance + darkShotsVariance(used, of);
  const varies = used.map((shot) => {
    const noise = of(NOISE, shot);
    return (2 * NEIGHBORHOOD * (Math.max(0, of(MEAN, shot)) + noise) ** 2 + noise) / of(PIXELS, shot);
  });
  const over = (value: (shot: number, n: number) => number): number =>
    used.reduce((sum, shot, n) => sum + value(shot, n), 0);
  const common =
    (commonVariance * over((shot, n) => of(SQUARE, shot) / (varies[n] ?? NaN))) /
    (1 + commonVariance * over((_, n) => 1 / (varies[n] ?? NaN)));
  const weights = used.map((shot, n) => (of(SQUARE, shot) - common) / (varies[n] ?? NaN));
  const weighted = (value: (shot: number) => number): number => over((shot, n) => (weights[n] ?? NaN) * value(shot));
  // The weights have the noise of the means: its part in squares and in excesses is known, and taken off.
  const slopes = used.map((shot, n) => {
    const v = varies[n] ?? NaN;
    const slopeOfV = (4 * NEIGHBORHOOD * (Math.max(0, of(MEAN, shot)) + of(NOISE, shot))) / of(PIXELS, shot);
    return (2 * of(MEAN, shot) - (weights[n] ?? NaN) * slopeOfV) / v;
  });
  const extra = over((shot, n) => (slopes[n] ?? NaN) * 2 * of(MEAN, shot) * of(MEAN_VARIANCE, shot));
  const pulled = over((shot, n) => ((slopes[n] ?? NaN) * of(NOISE, shot)) / of(PIXELS, shot));
  const squares = weighted((shot) => of(SQUARE, shot)) - extra;
  // With no more photons than the noise makes there is no contrast, and no error that could be small.
  const square = squares > 0 ? squares : NaN;
  const contrast = (weighted((shot) => of(EXCESS, shot)) + pulled) / square;
  const variance =
    over((shot, n) => (weights[n] ?? NaN) ** 2 * of(EXCESS_VARIANCE, shot)) + weighted(() => 1) ** 2 * commonVariance;
  const contrastError = Math.sqrt(variance) / square;
  const shotContrast = Float64Array.from(tags, (_, shot) => of(EXCESS, shot) / of(SQUARE, shot));
  return {
    photonsPerPixel: mean,
    photonsPerPixelError: Math.sqrt(meanVariance),
    contrast,
    contrastError,
    undetermined: used.length === 0 ? "no-shots" : contrastError <= LARGEST_ERROR ? null : "too-few-photons",
    changePerPercentOfGain: 0.01 / mean,
    tags,
    perShot: {
      photonsPerPixel: Float64Array.from(tags, (_, shot) => of(MEAN, shot)),
      contrast: shotContrast,
      contrastError: Float64Array.from(tags, (_, shot) => Math.sqrt(of(EXCESS_VARIANCE, shot)) / of(SQUARE, shot)),
    },
  };
}

/**
 * Variance, the same error in all shots, of the sums of covariances: from the read noise found with few dark shots, and
 * from the mean dark, whose noise lies in all images as a pattern.
 */
function darkShotsVariance(used: readonly number[], of: (k: number, shot: number) => number): number {
  let sum = 0;
  for (const shot of used) {
    const [noise, dark] = [of(NOISE, shot), of(DARK, shot)];
    if (!(dark > 0)) continue;
    const shots = noise / dark - 1;
    sum += ((2 * noise * noise) / (shots - 1) + 2 * NEIGHBORHOOD * dark * dark) / of(PIXELS, shot);
  }
  return used.length === 0 ? 0 : sum / used.length;
}
