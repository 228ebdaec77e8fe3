import ndarray from "ndarray";
import { asFinite, asText, badArgument } from "../../../core/guards.ts";
import type { PreciseImage } from "../../../core/ndarray.ts";
import { any, resolveOptions } from "../../../core/options.ts";
import type { ImageSpec, Shot } from "../../../core/shots.ts";
import { quantize } from "../../engine/exact.ts";
import { addWide, sums, type WideSums } from "../../engine/wide-sum.ts";
import { defineReducer, type Reducer } from "../../reducer.ts";
import { eachPixel, type Pivoted } from "./answers.ts";
import { addImage, CovarianceSums, coarse, covarianceFields } from "./sums.ts";

export interface CovarianceOptions {
  /** Equipment id of the 0-D signal; the shots must have been asked for with it in `signals`. */
  readonly equipId: string;
  /**
   * The signal is multiplied by this and rounded to 2^−20 before it is summed; choose it so that the signal varies by
   * about 1 to 1000. @default 2^40 for a charge (`…/charge`, nC become about 1000), else 2^8
   */
  readonly scale?: number | undefined;
}

/** What {@link covariance} gives; images have shape [rows, columns]. */
export interface Covariance {
  /** Of the population (divided by n), in units of the pixels × units of the signal. */
  readonly covariance: PreciseImage;
  /**
   * Standard error of the covariance, from the scatter of the products (x − x̄)(y − ȳ) over the shots, so for any
   * noise, enlarged by (3 + 7 correlation²) / n. Three of it hold less than they say below some 100 shots
   * (docs/accuracy.md). NaN for fewer than three shots, where the pixel did not vary, where signal × scale has a
   * standard deviation below 2^−5, where pixel and signal vary so little about so large means that rounding cannot
   * be told from it, and where the sum of (pixel × signal × scale)² reaches 2^72: `correlation` is still good there.
   */
  readonly standardError: PreciseImage;
  /** Pearson's, from −1 to 1; NaN where the pixel did not vary. */
  readonly correlation: PreciseImage;
  readonly signal: {
    readonly mean: number;
    readonly variance: number;
    /** To what the values were rounded, 2^−20 / scale, in units of the signal. */
    readonly resolution: number;
  };
  /** Shots taken in. */
  readonly count: number;
  /** Shots left out because they have no number for the signal. */
  readonly skipped: number;
}

/** To what {@link quantize} rounds. */
const STEP = 2 ** -20;
/** The square of a smaller spread would have under 250 steps. */
const LEAST_SPREAD = 2 ** -6;
/** With a smaller one, the rounding of {@link coarse} would be a hundredth of the error. */
const LEAST_FOR_ERROR = 2 ** -5;
/** What {@link quantize} can take. */
const LARGEST = 2 ** 31;

/**
 * Covariance and correlation of every pixel with a 0-D signal, such as a beam monitor. Shots for which the signal has
 * no number are counted and left out; a pixel that is NaN in any other shot is NaN. When signal × scale has a standard
 * deviation below 2^−6, rounding could not be told from it and `correlation` is NaN everywhere: give a larger `scale`.
 * A dark changes no covariance: a whole number near it is taken off, which keeps the sums small; parts with unlike
 * darks are merged only when `correct.dark` is among the corrections. Memory: 96 bytes per pixel (50 MB for
 * 1024 × 512).
 *
 * @throws BAD_ARGUMENT when the shots do not carry the signal, or a value × scale is 2^31 or more
 * @example
 * const shots = facility.shots({ run, detectors, signals: [bm1] });
 * const { withI0 } = await reduce(shots, { withI0: covariance({ equipId: bm1 }) }, { dark });
 * withI0[sensor].correlation.get(512, 256);
 * withI0[sensor].covariance.get(512, 256) / withI0[sensor].standardError.get(512, 256); // significant from 4 on
 */
export function covariance(options: CovarianceOptions): Reducer<Covariance> {
  const { equipId: signal } = resolveOptions("covariance", options, { equipId: asText, scale: any });
  const scale = asFinite("scale", options.scale ?? (signal.endsWith("/charge") ? 2 ** 40 : 2 ** 8), Number.MIN_VALUE);
  const numberOf = (shot: Shot): number => {
    const number = shot.number(signal);
    return Number.isFinite(number) ? scaled(signal, number, scale) : NaN;
  };
  const counted = {
    accumulator: ({ rows, columns }: ImageSpec, dark: Float64Array | undefined) =>
      new CovarianceSums(numberOf, dark, rows * columns),
  };
  return defineReducer({
    name: `covariance(${signal}, scale ${scale}, pixels less whole darks)`,
    sumsOnGrid: true,
    appliesDark: true,
    signals: [signal],
    layout: ({ rows, columns }) => ({ ...covarianceFields(rows * columns), upper: sums(7), lower: sums(7) }),
    kernel: {
      statistics: [counted],
      type: "uint16",
      flush: (state, block) => {
        for (const y of block.own(counted)?.numbers ?? []) addShot(state, y);
      },
    },
    add: (state, pixels, shot, _frame, dark) => {
      const y = numberOf(shot);
      addShot(state, y);
      if (!Number.isNaN(y)) addImage(state, pixels, y, dark);
    },
    result: (state, { rows, columns }, dark, isLast) => {
      const { upper, lower } = state;
      const [count = 0, skipped = 0] = [upper[COUNT], upper[SKIPPED]];
      const of = (place: number): number => (upper[place] ?? 0) + (lower[place] ?? 0);
      const y = pivoted(of(SIGNAL), count);
      const yy = signalSpread({ upper, lower }, count);
      const spread = Math.sqrt(yy / count);
      const signal = { count, scale, y, yy, coarse: pivoted(of(COARSE), count), squares: of(COARSE_SQUARE) };
      const found = eachPixel(state, signal, isLast === true);
      if (spread < LEAST_SPREAD) found.correlation.fill(NaN);
      if (spread < LEAST_FOR_ERROR) found.error.fill(NaN);
      if (dark !== undefined)
        for (let i = 0; i < dark.length; i++)
          if (Number.isNaN(dark[i])) found.covariance[i] = found.error[i] = found.correlation[i] = NaN;
      const image = (data: Float64Array): PreciseImage => ndarray(data, [rows, columns]);
      return {
        covariance: image(found.covariance),
        standardError: image(found.error),
        correlation: image(found.correlation),
        signal: { mean: y.sum / count / scale, variance: yy / count / scale ** 2, resolution: STEP / scale },
        count,
        skipped,
      };
    },
  });
}

// Places of the sums that are not images.
const [COUNT, SKIPPED, SIGNAL, SQUARE, SQUARE_TOP, COARSE, COARSE_SQUARE] = [0, 1, 2, 3, 4, 5, 6];

function scaled(signal: string, value: number, scale: number): number {
  const y = value * scale;
  if (Math.abs(y) < LARGEST) return quantize(y);
  throw badArgument("scale", scale, `below ${LARGEST / Math.abs(value)}, because ${signal} reaches ${value}`);
}

/**
 * Adds `y` squared, which has up to 102 digits in base 2: a motor can spread by a few pulses about a few million. So
 * the square is taken in parts, of which only the last is rounded.
 */
function addSquare(upper: Float64Array, lower: Float64Array, y: number): void {
  // Rounds to a multiple of 2^6, as quantizeHigh() does to one of 2^12.
  const high = y + 1.5 * 2 ** 58 - 1.5 * 2 ** 58;
  const low = y - high;
  const square = high * high;
  // A multiple of 2^44, for what is beyond the reach of wide sums.
  const top = square + 1.5 * 2 ** 96 - 1.5 * 2 ** 96;
  upper[SQUARE_TOP] = (upper[SQUARE_TOP] ?? 0) + top;
  addWide(upper, lower, SQUARE, square - top);
  addWide(upper, lower, SQUARE, 2 * high * low);
  addWide(upper, lower, SQUARE, low * low);
}

/** Adds what is not of a pixel; NaN for a shot that is left out. */
function addShot({ upper, lower }: WideSums, y: number): void {
  const place = Number.isNaN(y) ? SKIPPED : COUNT;
  upper[place] = (upper[place] ?? 0) + 1;
  if (place === SKIPPED) return;
  addWide(upper, lower, SIGNAL, y);
  addSquare(upper, lower, y);
  addWide(upper, lower, COARSE, coarse(y));
  addWide(upper, lower, COARSE_SQUARE, coarse(y) ** 2);
}

/** Σ(y − ȳ)² from the exact sums, in whole steps: n Σy² − (Σy)² cancels more digits than a double has. */
function signalSpread({ upper, lower }: WideSums, count: number): number {
  if (count === 0) return NaN;
  const steps = (i: number): bigint => BigInt((upper[i] ?? 0) / STEP) + BigInt((lower[i] ?? 0) / STEP);
  const sum = steps(SIGNAL);
  const squares = steps(SQUARE) + steps(SQUARE_TOP);
  return (Math.max(0, Number(((BigInt(count) * squares) << 20n) - sum * sum)) * STEP * STEP) / count;
}

function pivoted(sum: number, count: number): Pivoted {
  const pivot = Math.round(sum / count);
  return { sum, pivot, rest: sum - count * pivot };
}
