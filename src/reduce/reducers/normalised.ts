import ndarray from "ndarray";
import { clippedAmong, countReading, READINGS } from "../../core/clipped.ts";
import { asFinite, asText } from "../../core/guards.ts";
import type { PreciseImage } from "../../core/ndarray.ts";
import { any, oneOf, optional, resolveOptions } from "../../core/options.ts";
import type { RatioMethod } from "../../core/ratio.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import { oneNaN, quantize } from "../engine/exact.ts";
import { memoryFor } from "../engine/state.ts";
import { addProducts, addWide, sums, type WideSums } from "../engine/wide-sum.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { ProductSums } from "./product-sums.ts";

export interface NormalisedOptions {
  /** The intensity monitor (I0): `xfel_bl_3_tc_bm_1_pd/charge`. The shots must carry it. */
  readonly equipId: string;
  /** The image is given for this I0, in the unit of the signal: with the mean I0 of the run, it stays in its size. */
  readonly reference: number;
  /** @default "ratio-of-sums" */
  readonly method?: RatioMethod | undefined;
}

/** What {@link normalised} gives; images have shape [rows, columns], in the unit of the pixels. */
export interface Normalised {
  /** reference · Σ image / Σ I0, or the mean of image · reference / I0. */
  readonly mean: PreciseImage;
  /** From the residuals image − ratio · I0, so that what both share does not count; NaN for fewer than two shots. */
  readonly standardError: PreciseImage;
  /** Mean I0 of the shots taken in. */
  readonly monitor: number;
  /** Shots taken in. */
  readonly count: number;
  /** Shots left out because I0 has no number; for the mean of ratios, or is below 0.0001 of the reference. */
  readonly skipped: number;
  /** Shots taken in that read the greatest I0, where the monitor is cut off there; else 0. */
  readonly clipped: number;
}

// Places of the sums that are not images.
const [COUNT, SKIPPED, MONITOR, BELOW, SQUARE] = [0, 1, 2, 3, 4];
/** I0 of the reference becomes this before it is rounded to 2^−20. */
const UNIT = 1024;
/** A ratio of more is beyond the reach of exact sums. */
const LEAST = 1e-4;

/**
 * Mean image normalised by an intensity monitor, with its error. The default is the ratio of sums, Σ image / Σ I0: with
 * a monochromatic beam it scatters 1.8 times less than a mean of images that were each divided by their I0 (that is
 * what `variance` after `correct.normalise` gives, too), see {@link RatioMethod}. The error holds the covariance of
 * pixel and monitor (ratio estimator, Cochran 1977, §6).
 *
 * A pixel that is NaN in one of the shots is NaN. A pedestal of the monitor makes the ratio depend on I0: look with
 * `monitorCheck` first. Memory: 40 bytes per pixel (21 MB for 1024 × 512).
 *
 * @throws BAD_ARGUMENT when the shots do not carry the signal
 * @example
 * const shots = facility.shots({ run, detectors, signals: [bm1] });
 * const { image } = await reduce(shots, { image: normalised({ equipId: bm1, reference: 5e-9 }) }, { dark });
 */
export function normalised(options: NormalisedOptions): Reducer<Normalised> {
  const { equipId, reference, method } = resolveOptions("normalised", options, {
    equipId: asText,
    reference: any,
    method: optional(oneOf("ratio-of-sums", "mean-of-ratios"), "ratio-of-sums"),
  });
  asFinite("reference", reference, Number.MIN_VALUE);
  const isRatio = method === "mean-of-ratios";
  const numberOf = (shot: Shot): number => {
    const i0 = shot.number(equipId) / reference;
    return !Number.isFinite(i0) || Math.abs(i0) >= 2 ** 20 || (isRatio && i0 < LEAST) ? NaN : i0;
  };
  const factor = (i0: number): number => (isRatio ? 1 / i0 : 1);
  const y = (i0: number): number => (isRatio && !Number.isNaN(i0) ? UNIT : quantize(UNIT * i0));
  /** Adds what is not of a pixel; NaN for a shot that is left out. */
  const addShot = ({ upper, lower, readings }: WideSums & { readings: Float64Array }, i0: number): void => {
    const place = Number.isNaN(i0) ? SKIPPED : COUNT;
    upper[place] = (upper[place] ?? 0) + 1;
    if (place === SKIPPED) return;
    countReading(readings, i0);
    addWide(upper, lower, MONITOR, UNIT * i0);
    addWide(upper, lower, BELOW, y(i0));
    addWide(upper, lower, SQUARE, y(i0) * y(i0));
  };
  const counted = {
    accumulator: (_: ImageSpec, dark: Float64Array | undefined) => new ProductSums({ numberOf, y, factor }, dark),
  };
  return defineReducer({
    name: `normalised(${equipId}, ${reference}, ${method})`,
    sumsOnGrid: true,
    signals: [equipId],
    layout: ({ rows, columns }) => {
      const image = sums(rows * columns);
      const images = { squareUpper: image, squareLower: image, productUpper: image, productLower: image };
      const readings = { type: "float64", length: READINGS, merge: "readings" } as const;
      return { sum: image, ...images, upper: sums(5), lower: sums(5), readings };
    },
    kernel: {
      statistics: [counted],
      type: "uint16",
      flush: (state, block) => {
        for (const i0 of block.own(counted)?.numbers ?? []) addShot(state, i0);
      },
    },
    add: (state, pixels, shot) => {
      const i0 = numberOf(shot);
      addShot(state, i0);
      if (!Number.isNaN(i0)) addProducts(state, pixels, factor(i0), y(i0));
    },
    result: (
      { sum, squareUpper, squareLower, productUpper, productLower, upper, lower, readings },
      { rows, columns },
      _dark,
      isLast,
    ) => {
      const of = (place: number): number => (upper[place] ?? 0) + (lower[place] ?? 0);
      const [n, below, square] = [of(COUNT), of(BELOW), of(SQUARE)];
      const [means, errors] = [memoryFor(sum, isLast), memoryFor(squareUpper, isLast)];
      for (let i = 0; i < means.length; i++) {
        const ratio = (sum[i] ?? NaN) / below;
        const xx = (squareUpper[i] ?? NaN) + (squareLower[i] ?? NaN);
        const xy = (productUpper[i] ?? NaN) + (productLower[i] ?? NaN);
        const residuals = Math.max(0, xx - ratio * (2 * xy - ratio * square));
        means[i] = UNIT * ratio;
        errors[i] = oneNaN(n < 2 ? NaN : (UNIT * Math.sqrt((residuals * n) / (n - 1))) / Math.abs(below));
      }
      const image = (data: Float64Array): PreciseImage => ndarray(data, [rows, columns]);
      return {
        mean: image(means),
        standardError: image(errors),
        monitor: (reference * of(MONITOR)) / UNIT / n,
        count: n,
        skipped: of(SKIPPED),
        clipped: clippedAmong(readings),
      };
    },
  });
}
