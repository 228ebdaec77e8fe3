import ndarray from "ndarray";
import { asInteger } from "../core/guards.ts";
import type { Pixels, PreciseImage } from "../core/ndarray.ts";
import type { Accumulator, Reducer } from "./reducer.ts";

/** Mean of each pixel over the shots, shape [rows, columns], float64. All NaN when there was no shot. */
export function mean(): Reducer<PreciseImage> {
  return {
    create: (rows, columns) => {
      const sum = new Float64Array(rows * columns);
      let n = 0;
      return {
        add: (pixels) => {
          n++;
          for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (pixels[i] ?? 0);
        },
        result: () =>
          ndarray(
            sum.map((s) => s / n),
            [rows, columns],
          ),
      };
    },
  };
}

/** What {@link variance} gives: both images have shape [rows, columns], float64. */
export interface MeanAndVariance {
  readonly mean: PreciseImage;
  /** In squared units of the pixels. */
  readonly variance: PreciseImage;
  /** Shots taken in. */
  readonly count: number;
}

/**
 * Mean and variance of each pixel, by Welford's update, which keeps its digits when the mean is far larger than the
 * spread.
 * @param options.ddof - Divide by n − ddof; 0 as numpy's default, 1 for a sample. @default 0
 */
export function variance(options: { ddof?: number } = {}): Reducer<MeanAndVariance> {
  const ddof = asInteger("ddof", options.ddof ?? 0, 0, 1);
  return { create: (rows, columns) => new Welford(rows, columns, ddof) };
}

class Welford implements Accumulator<MeanAndVariance> {
  readonly #shape: [number, number];
  readonly #mean: Float64Array;
  readonly #squares: Float64Array;
  readonly #ddof: number;
  #n = 0;

  constructor(rows: number, columns: number, ddof: number) {
    this.#shape = [rows, columns];
    this.#mean = new Float64Array(rows * columns);
    this.#squares = new Float64Array(rows * columns);
    this.#ddof = ddof;
  }

  add(pixels: Pixels): void {
    const mean = this.#mean;
    const squares = this.#squares;
    const weight = 1 / ++this.#n;
    for (let i = 0; i < mean.length; i++) {
      const x = pixels[i] ?? 0;
      const before = mean[i] ?? 0;
      const after = before + (x - before) * weight;
      mean[i] = after;
      squares[i] = (squares[i] ?? 0) + (x - before) * (x - after);
    }
  }

  result(): MeanAndVariance {
    const empty = this.#n === 0;
    const scale = 1 / (this.#n - this.#ddof);
    return {
      mean: ndarray(
        this.#mean.map((m) => (empty ? NaN : m)),
        this.#shape,
      ),
      variance: ndarray(
        this.#squares.map((s) => (this.#n <= this.#ddof ? NaN : s * scale)),
        this.#shape,
      ),
      count: this.#n,
    };
  }
}

/** What {@link minMax} gives: the least and greatest value of each pixel, shape [rows, columns]. */
export interface MinMax {
  readonly min: PreciseImage;
  readonly max: PreciseImage;
}

/** Least and greatest value of each pixel over the shots. ±Infinity when there was no shot. */
export function minMax(): Reducer<MinMax> {
  return {
    create: (rows, columns) => {
      const min = new Float64Array(rows * columns).fill(Infinity);
      const max = new Float64Array(rows * columns).fill(-Infinity);
      return {
        add: (pixels) => {
          for (let i = 0; i < min.length; i++) {
            const x = pixels[i] ?? 0;
            if (x < (min[i] ?? 0)) min[i] = x;
            if (x > (max[i] ?? 0)) max[i] = x;
          }
        },
        result: () => ({ min: ndarray(min.slice(), [rows, columns]), max: ndarray(max.slice(), [rows, columns]) }),
      };
    },
  };
}
