import { badArgument } from "../core/guards.ts";
import type { NdArray } from "../core/ndarray.ts";
import { shapeOf } from "../core/ndarray.ts";
import type { PlotAxis } from "./ticks.ts";

/** What can be drawn: shape [ysize, xsize]; a strided view will do. */
export type Drawable =
  | NdArray<Float32Array>
  | NdArray<Float64Array>
  | NdArray<Uint16Array>
  | NdArray<Float32Array | Float64Array | Uint16Array>;

/**
 * Pixels without a value: those equal to a number, or those where a mask of the same shape is not 0. NaN always is one.
 */
export type Gap = number | NdArray<Uint8Array>;

/** Row-major pixels, NaN in every gap. */
export interface DrawnPixels {
  readonly data: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * The pixels of an image as one row-major run: no copy when they are that already.
 * @throws BAD_ARGUMENT when it is not 2-D or empty
 */
export function drawnPixels(image: Drawable): DrawnPixels {
  const [rows, columns] = shapeOf("image", image);
  if (rows === 0 || columns === 0) throw badArgument("image shape", image.shape, "at least one row and one column");
  const { data, offset } = image;
  const [rowStride = columns, columnStride = 1] = image.stride;
  const contiguous = columnStride === 1 && rowStride === columns;
  if (contiguous && !(data instanceof Uint16Array))
    return { data: data.subarray(offset, offset + rows * columns), rows, columns };
  // Whole numbers become floats, so that gaps can be NaN.
  const out = !(data instanceof Float64Array) ? new Float32Array(rows * columns) : new Float64Array(rows * columns);
  for (let r = 0, to = 0; r < rows; r++) {
    for (let c = 0, from = offset + r * rowStride; c < columns; c++, from += columnStride)
      out[to++] = data[from] ?? NaN;
  }
  return { data: out, rows, columns };
}

/** A copy with NaN wherever `gap` says there is no value. @throws BAD_ARGUMENT when a mask has another shape */
export function withGap(pixels: DrawnPixels, gap: Gap): DrawnPixels {
  const data = pixels.data.slice();
  if (typeof gap === "number") {
    for (let i = 0; i < data.length; i++) if (data[i] === gap) data[i] = NaN;
    return { ...pixels, data };
  }
  const [rows, columns] = shapeOf("gap mask", gap);
  if (rows !== pixels.rows || columns !== pixels.columns) {
    throw badArgument("gap mask shape", gap.shape, `that of the image: [${pixels.rows}, ${pixels.columns}]`);
  }
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) if (gap.get(r, c) !== 0) data[r * columns + c] = NaN;
  return { ...pixels, data };
}

/**
 * Means of blocks of `size` × `size` pixels, without the NaN ones; blocks at the right and lower edge may be smaller.
 */
export function blockMeans({ data, rows, columns }: DrawnPixels, size: number): DrawnPixels {
  const outColumns = Math.ceil(columns / size);
  const outRows = Math.ceil(rows / size);
  const sums = new Float64Array(outRows * outColumns);
  const counts = new Uint32Array(sums.length);
  for (let r = 0; r < rows; r++) {
    const outRow = Math.floor(r / size) * outColumns;
    for (let c = 0; c < columns; c++) {
      const value = data[r * columns + c] ?? NaN;
      if (Number.isNaN(value)) continue;
      const to = outRow + Math.floor(c / size);
      sums[to] = (sums[to] ?? 0) + value;
      counts[to] = (counts[to] ?? 0) + 1;
    }
  }
  // 0 / 0 is NaN: a block of gaps only is a gap.
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) / (counts[i] ?? 0);
  return { data: sums, rows: outRows, columns: outColumns };
}

/** Smallest and largest finite value (above 0 only, when asked); undefined when there is none. */
export function extremes(data: ArrayLike<number>, positiveOnly = false): [low: number, high: number] | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] ?? NaN;
    if (!Number.isFinite(value) || (positiveOnly && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : undefined;
}

const SAMPLE = 250_000;

/**
 * The range from the 1 % to the 99.5 % point of the finite values (of the positive ones on a logarithmic scale), from
 * at most 250 000 pixels spread evenly over the image. When these two are equal, as in an image that is nearly all
 * zero, it is the whole range; a constant image gets a range around its value, and one without any value 0…1 (log:
 * 1…10).
 */
export function robustRange({ data, columns }: DrawnPixels, log: boolean): PlotAxis {
  const sample = spread(data, columns, log);
  const at = (part: number): number => sample[Math.round(part * (sample.length - 1))] ?? NaN;
  const [low, high] = [at(0.01), at(0.995)];
  if (low < high) return { low, high, log };
  const whole = extremes(data, log);
  if (whole === undefined) return log ? { low: 1, high: 10, log } : { low: 0, high: 1, log };
  return widened(whole[0], whole[1], log);
}

/** An axis over low…high, widened around the value when both are the same. */
export function widened(low: number, high: number, log: boolean): PlotAxis {
  if (low < high) return { low, high, log };
  if (log) return { low: low / 3, high: low * 3, log };
  const half = low === 0 ? 0.5 : Math.abs(low) / 2;
  return { low: low - half, high: low + half, log };
}

function spread(data: ArrayLike<number>, columns: number, positiveOnly: boolean): Float64Array {
  let step = Math.ceil(data.length / SAMPLE);
  // A step that shares a factor with the row length would look at some columns only.
  while (step > 1 && greatestCommonDivisor(step, columns) !== 1) step++;
  const sample = new Float64Array(Math.ceil(data.length / step));
  let n = 0;
  for (let i = 0; i < data.length; i += step) {
    const value = data[i] ?? NaN;
    if (Number.isFinite(value) && !(positiveOnly && value <= 0)) sample[n++] = value;
  }
  return sample.subarray(0, n).sort();
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
