import { SaclaError } from "./errors.ts";
import { asInteger } from "./guards.ts";
import type { Pixels } from "./ndarray.ts";

/** A rectangle of an image: rows and columns from the first to the last, the last **excluded**. */
export interface Roi {
  readonly rows: readonly [start: number, end: number];
  readonly columns: readonly [start: number, end: number];
}

/** `roi` if it is a non-empty rectangle inside an image of `ysize` × `xsize`. @throws BAD_ARGUMENT */
export function checkRoi(roi: Roi, ysize: number, xsize: number): Roi {
  const check = (name: string, range: readonly [number, number], size: number): void => {
    asInteger(`roi.${name} start`, range[0]);
    asInteger(`roi.${name} end`, range[1]);
    if (range[0] >= range[1] || range[1] > size) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `roi.${name} is [${range.join(", ")}], but must be start < end ≤ ${size} (the end is excluded).`,
      );
    }
  };
  check("rows", roi.rows, ysize);
  check("columns", roi.columns, xsize);
  return roi;
}

/** Rows and columns of the rectangle. */
export function roiShape(roi: Roi): [rows: number, columns: number] {
  return [roi.rows[1] - roi.rows[0], roi.columns[1] - roi.columns[0]];
}

/** Copies the rectangle out of a row-major image of `xsize` columns into `out`. */
export function cutRoi(image: Pixels, xsize: number, roi: Roi, out: Pixels): void {
  const [, columns] = roiShape(roi);
  let to = 0;
  for (let r = roi.rows[0]; r < roi.rows[1]; r++) {
    const from = r * xsize + roi.columns[0];
    out.set(image.subarray(from, from + columns), to);
    to += columns;
  }
}
