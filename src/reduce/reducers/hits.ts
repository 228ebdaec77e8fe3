import { badArgument } from "../../core/guards.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { defined, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { float32From, imageBytes, imageInPlace, kernelOf, takeDifference } from "../images/in-place.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { haveLimits, LitCounts } from "./lit-counts.ts";

export interface HitOptions {
  /** A pixel at or above this is lit, in units of the pixels. Scripts at SACLA take 50 ADU after dark subtraction. */
  readonly threshold: number;
  /** A hit has at least this many lit pixels. @default no such condition */
  readonly minPixels?: number | undefined;
  /** A hit has at least this many peaks. @default no such condition, and peaks are not looked for */
  readonly minPeaks?: number | undefined;
  /** How many standard deviations of its surroundings a peak stands above their mean. @default 5 */
  readonly snr?: number | undefined;
}

/** What {@link hits} gives, shot by shot in the order of the tags. */
export interface Hits {
  readonly tags: Uint32Array;
  /** Lit pixels in each shot. */
  readonly litPixels: Float64Array;
  /** Peaks in each shot; null when they were not looked for. */
  readonly peaks: Float64Array | null;
  /** 1 where every condition given holds. */
  readonly isHit: Uint8Array;
  readonly conditions: { readonly minPixels?: number; readonly minPeaks?: number };
}

/**
 * Hit finding: lit pixels and peaks in each shot. A peak is a lit pixel that is the greatest of its 3 × 3 pixels (of
 * equal ones the first in reading order) and stands `snr` standard deviations above the mean of the 16 pixels that
 * surround those. Pixels that are NaN or infinite are never lit; the two outermost rows and columns hold no peaks, nor
 * does a place with fewer than 8 finite pixels around. Memory: 20 bytes per shot and sensor; in the kernel 2 bytes per
 * pixel, with peaks and a dark 10.
 *
 * @throws BAD_ARGUMENT when neither `minPixels` nor `minPeaks` is given
 * @example
 * const { found } = await reduce(shots, { found: hits({ threshold: 50, minPeaks: 15 }) }, { dark });
 * const tags = hitTags(combineHits(found)); // over all sensors of the detector
 */
export function hits(options: HitOptions): Reducer<Hits> {
  const { threshold, minPixels, minPeaks, snr } = resolveOptions("hits", options, {
    threshold: finite(),
    minPixels: optional(integer()),
    minPeaks: optional(integer()),
    snr: optional(finite(0), 5),
  });
  if (minPixels === undefined && minPeaks === undefined)
    throw badArgument("hits", "without a condition", "given minPixels, minPeaks or both");
  const conditions = {
    ...defined({ minPixels, minPeaks }),
  };
  const withPeaks = minPeaks !== undefined;
  const counted = {
    accumulator: (frame: ImageSpec, dark: Float64Array | undefined) =>
      new LitCounts(threshold, withPeaks ? snr : undefined, dark, frame),
  };
  // One for each sensor: the dark of the sensor is copied beside it once.
  const made = new Map<string, Float32Array>();
  const imageFor = (detId: string, pixels: Pixels, dark: Float64Array | undefined): Float32Array => {
    const known = made.get(detId);
    const image = known?.length === pixels.length ? known : imageInPlace(pixels.length, withPeaks ? 0 : 1);
    made.set(detId, image);
    takeDifference(pixels, dark, image);
    return image;
  };
  return defineReducer({
    name:
      `hits(at ${threshold}, at ` +
      `least ${minPixels ?? 0} pixels, ${withPeaks ? `${minPeaks} peaks at snr ${snr}` : "no peaks"})`,
    appliesDark: withPeaks ? undefined : "in-add",
    layout: ({ rows, columns }) => ({
      shots: { type: "series", width: 2 },
      image: { type: "scratch", bytes: imageBytes(rows * columns, withPeaks ? 0 : 1) },
    }),
    kernel: {
      statistics: [counted],
      type: "uint16",
      fits: (_, dark) => haveLimits(threshold, dark),
      flush: ({ shots }, block) => {
        const { counts = [], peaks = [] } = block.own(counted) ?? {};
        for (const [k, lit] of counts.entries()) shots.push(block.tags[k] ?? NaN, lit, peaks[k] ?? 0);
      },
    },
    add: ({ shots }, pixels, { tag }, frame, dark) => {
      const image = dark === undefined && kernelOf(pixels) !== undefined ? pixels : imageFor(frame.detId, pixels, dark);
      shots.push(tag, ...countLit(image, frame, threshold, withPeaks ? snr : undefined));
    },
    result: ({ shots }) => flagged(shots.tags, shots.column(0), withPeaks ? shots.column(1) : null, conditions),
  });
}

/** Peaks of one image, in the order of its rows; place by place in each list. */
export interface Peaks {
  /** Column of the centre of gravity; 0 is the middle of the first pixel. */
  readonly x: readonly number[];
  /** Row, counted in the same way. */
  readonly y: readonly number[];
  /** Sum of the 3 × 3 pixels above their surroundings, in units of the pixels. */
  readonly intensity: readonly number[];
}

/**
 * The peaks of one image: those that {@link hits} counts. The centre of gravity and the sum are over the 3 × 3 pixels
 * round the greatest one, less the mean of the 16 pixels around them.
 *
 * @param pixels - row-major; NaN where a pixel is not to be used
 * @example
 * const { x, y, intensity } = findPeaks(pixels, 1024, 512, { threshold: 5, snr: 5 });
 */
export function findPeaks(
  pixels: Pixels,
  rows: number,
  columns: number,
  { threshold, snr }: { readonly threshold: number; readonly snr: number },
): Peaks {
  const [x, y, intensity]: [number[], number[], number[]] = [[], [], []];
  forLit(pixels, rows, columns, threshold, (i, value, inside) => {
    if (!inside || !isPeak(pixels, i, columns, value, snr)) return;
    const level = value + surroundings(pixels, i, columns, value).mean;
    let [sum, weight, alongX, alongY] = [0, 0, 0, 0];
    for (let dr = -1; dr <= 1; dr++) {
      for (let dc = -1; dc <= 1; dc++) {
        const above = (pixels[i + dr * columns + dc] ?? NaN) - level;
        if (above - above !== 0) continue;
        sum += above;
        if (above < 0) continue;
        weight += above;
        alongX += above * dc;
        alongY += above * dr;
      }
    }
    x.push((i % columns) + alongX / weight);
    y.push(Math.floor(i / columns) + alongY / weight);
    intensity.push(sum);
  });
  return { x, y, intensity };
}

/** @param snr - of peaks; undefined when they are not counted */
function countLit(
  pixels: Pixels,
  { rows, columns }: ImageSpec,
  threshold: number,
  snr: number | undefined,
): [lit: number, peaks: number] {
  const kernel = kernelOf(pixels);
  if (kernel !== undefined) {
    const [at, least] = [pixels.byteOffset, float32From(threshold)];
    const peaks = snr === undefined ? 0 : kernel.peaksF32(at, rows, columns, least, snr);
    return [kernel.litF32(at, pixels.length, least), peaks];
  }
  let [lit, peaks] = [0, 0];
  forLit(pixels, rows, columns, threshold, (i, value, inside) => {
    lit++;
    if (snr !== undefined && inside && isPeak(pixels, i, columns, value, snr)) peaks++;
  });
  return [lit, peaks];
}

/** @param visit - is given each lit pixel, and whether it is far enough inside to be a peak */
function forLit(
  pixels: Pixels,
  rows: number,
  columns: number,
  threshold: number,
  visit: (i: number, value: number, inside: boolean) => void,
): void {
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, i++) {
      const value = pixels[i] ?? NaN;
      if (!(value >= threshold && value < Infinity)) continue;
      visit(i, value, r >= 2 && r < rows - 2 && c >= 2 && c < columns - 2);
    }
  }
}

function isPeak(pixels: Pixels, i: number, columns: number, value: number, snr: number): boolean {
  if (!isMaximum(pixels, i, columns, value)) return false;
  const { n, mean, deviation } = surroundings(pixels, i, columns, value);
  return n >= 8 && mean < 0 && -mean >= snr * deviation;
}

function isMaximum(pixels: Pixels, i: number, columns: number, value: number): boolean {
  for (let dr = -1; dr <= 1; dr++) {
    for (let k = i + dr * columns - 1; k <= i + dr * columns + 1; k++) {
      const other = pixels[k] ?? NaN;
      if (other > value || (other === value && k < i)) return false;
    }
  }
  return true;
}

/** The border of the 5 × 5 pixels around a pixel, less its `value`. */
function surroundings(
  pixels: Pixels,
  i: number,
  columns: number,
  value: number,
): { n: number; mean: number; deviation: number } {
  let [n, sum, squares] = [0, 0, 0];
  for (let dr = -2; dr <= 2; dr++) {
    const step = dr === -2 || dr === 2 ? 1 : 4;
    for (let dc = -2; dc <= 2; dc += step) {
      // About `value`, so that a small spread on a large level keeps its digits.
      const below = (pixels[i + dr * columns + dc] ?? NaN) - value;
      if (below - below !== 0) continue;
      n++;
      sum += below;
      squares += below * below;
    }
  }
  const mean = sum / n;
  return { n, mean, deviation: Math.sqrt(Math.max(0, squares / n - mean * mean)) };
}

function flagged(
  tags: Uint32Array,
  litPixels: Float64Array,
  peaks: Float64Array | null,
  conditions: Hits["conditions"],
): Hits {
  const { minPixels = 0, minPeaks = 0 } = conditions;
  const isHit = Uint8Array.from(tags, (_, i) =>
    (litPixels[i] ?? 0) >= minPixels && (peaks === null || (peaks[i] ?? 0) >= minPeaks) ? 1 : 0,
  );
  return { tags, litPixels, peaks, isHit, conditions };
}

/**
 * The sensors of a detector as one: lit pixels and peaks of a shot add up, then the conditions are asked again.
 *
 * @param bySensor - what {@link reduce} gave for one {@link hits}
 * @throws BAD_ARGUMENT when there is no sensor, or their conditions differ
 */
export function combineHits(bySensor: Readonly<Record<string, Hits>>): Hits {
  const parts = Object.values(bySensor);
  const [first] = parts;
  if (first === undefined) throw badArgument("hits", "none", "those of at least one sensor");
  const totals = new Map<number, [lit: number, peaks: number]>();
  for (const { tags, litPixels, peaks, conditions } of parts) {
    if (conditions.minPixels !== first.conditions.minPixels || conditions.minPeaks !== first.conditions.minPeaks) {
      throw badArgument("conditions", conditions, `${JSON.stringify(first.conditions)} as for the other sensors`);
    }
    tags.forEach((tag, i) => {
      const [lit, number] = totals.get(tag) ?? [0, 0];
      totals.set(tag, [lit + (litPixels[i] ?? 0), number + (peaks?.[i] ?? 0)]);
    });
  }
  const sorted = [...totals].sort(([a], [b]) => a - b);
  return flagged(
    Uint32Array.from(sorted, ([tag]) => tag),
    Float64Array.from(sorted, ([, [lit]]) => lit),
    first.peaks === null ? null : Float64Array.from(sorted, ([, [, peaks]]) => peaks),
    first.conditions,
  );
}

/** Tags of the hits, ascending. */
export function hitTags({ tags, isHit }: Hits): Uint32Array {
  return tags.filter((_, i) => isHit[i] === 1);
}
