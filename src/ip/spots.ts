import { SaclaError } from "../core/errors.ts";
import { asFinite, asInteger } from "../core/guards.ts";
import { type NdArray, shapeOf } from "../core/ndarray.ts";
import { any, resolveOptions } from "../core/options.ts";
import type { PixelArray } from "./pixels.ts";

/** One bright pixel of an image. */
export interface BrightSpot {
  readonly column: number;
  readonly row: number;
  readonly value: number;
}

export interface SpotOptions {
  /** How many to find at most. @default 8 */
  readonly count?: number | undefined;
  /** Spots are further apart than this many pixels (straight line). @default 50 */
  readonly minDistance?: number | undefined;
  /** Pixels where this is 0 are not looked at: a coverage or a mask of the image's shape. */
  readonly where?: NdArray<Float32Array | Uint8Array | Int16Array> | undefined;
}

/**
 * The brightest local maxima of an image, brightest first: pixels not below any of their eight neighbours. Of two spots
 * nearer than `minDistance` the brighter stays; of equal ones the first in reading order. NaN (gap) pixels are ignored.
 *
 * @param image - shape [rows, columns]
 * @returns pixel indexes; the centre of a pixel is at (column + 0.5, row + 0.5)
 * @throws BAD_ARGUMENT when the image is not 2-D, `where` has another shape, or an option is wrong
 * @example
 * brightestSpots(picture, { count: 8, minDistance: 50, where: assembler.coverage() });
 */
export function brightestSpots(image: NdArray<PixelArray>, options: SpotOptions = {}): BrightSpot[] {
  resolveOptions("brightestSpots", options, { count: any, minDistance: any, where: any });
  const count = asInteger("count", options.count ?? 8, 1);
  const minDistance = asFinite("minDistance", options.minDistance ?? 50, 0);
  const [rows, columns] = shapeOf("image", image);
  const { where } = options;
  if (where !== undefined) {
    const shape = shapeOf("where", where);
    if (shape[0] !== rows || shape[1] !== columns) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `where has shape [${shape.join(", ")}], but the image has [${rows}, ${columns}].`,
      );
    }
  }
  const looked = (row: number, column: number): boolean => where === undefined || where.get(row, column) !== 0;
  const isMaximum = (row: number, column: number, value: number): boolean => {
    for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++) {
      for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++) {
        if (image.get(r, c) > value && looked(r, c)) return false;
      }
    }
    return true;
  };
  const spots: BrightSpot[] = [];
  const near = (row: number, column: number): boolean =>
    spots.some((s) => (s.row - row) ** 2 + (s.column - column) ** 2 <= minDistance ** 2);
  // One pass per spot over the rows that have something brighter than the best so far. The test that costs little and
  // fails for nearly every pixel comes first.
  const greatest = greatestOfRows(image, rows, columns);
  while (spots.length < count) {
    let best: BrightSpot | undefined;
    let bar = -Infinity;
    for (let row = 0; row < rows; row++) {
      if (!((greatest[row] ?? NaN) > bar)) continue;
      for (let column = 0; column < columns; column++) {
        const value = image.get(row, column);
        if (!(value > bar) || !looked(row, column) || near(row, column) || !isMaximum(row, column, value)) continue;
        bar = value;
        best = { column, row, value };
      }
    }
    if (best === undefined) return spots;
    spots.push(best);
  }
  return spots;
}

/** The greatest value of each row; −Infinity where there is none. */
function greatestOfRows(image: NdArray<PixelArray>, rows: number, columns: number): Float64Array {
  const { data, offset, stride } = image;
  const [perRow = 0, perColumn = 0] = stride;
  return Float64Array.from({ length: rows }, (_, row) => {
    let greatest = -Infinity;
    for (let c = 0, i = offset + row * perRow; c < columns; c++, i += perColumn) {
      const value = data[i] ?? NaN;
      if (value > greatest) greatest = value;
    }
    return greatest;
  });
}

/**
 * Reach of {@link spotCentre}, in pixels: more than the half width of a Bragg spot, less than the distance to the next.
 */
const CENTRE_REACH = 4;

/**
 * The centre of gravity of a spot, over the pixels near its maximum that reach half of it. Noise decides which of two
 * nearly equal pixels is the maximum; it moves the centre far less.
 *
 * @param image - shape [rows, columns], background about 0
 * @returns a place, not a pixel: the centre of pixel (row, column) is (row + 0.5, column + 0.5)
 * @example
 * const { row, column } = spotCentre(picture, spot); // pixel: Math.floor of each
 */
export function spotCentre(
  image: NdArray<PixelArray>,
  spot: BrightSpot,
): { readonly row: number; readonly column: number } {
  const [rows, columns] = shapeOf("image", image);
  let [weight, row, column] = [0, 0, 0];
  for (let r = Math.max(0, spot.row - CENTRE_REACH); r <= Math.min(rows - 1, spot.row + CENTRE_REACH); r++) {
    for (let c = Math.max(0, spot.column - CENTRE_REACH); c <= Math.min(columns - 1, spot.column + CENTRE_REACH); c++) {
      const value = image.get(r, c);
      if (!(value > 0 && value >= spot.value / 2)) continue;
      weight += value;
      row += value * (r + 0.5);
      column += value * (c + 0.5);
    }
  }
  return weight > 0
    ? { row: row / weight, column: column / weight }
    : { row: spot.row + 0.5, column: spot.column + 0.5 };
}
