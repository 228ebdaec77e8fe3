import type { Roi } from "../core/roi.ts";

/**
 * How the picture is drawn. `"source"`: X to the right, as seen from the source. `"detector"`: columns mirrored, as
 * seen from behind the detector and as DataConvert's assembled images.
 */
export type View = "source" | "detector";

/** Largest side of a picture: 2^14 squared is an image of 1 GiB. */
export const MAX_SIDE = 16384;

/** The picture: its size in pixels and its view. The beam is at (width / 2, height / 2). */
export interface PictureGrid {
  readonly width: number;
  readonly height: number;
  readonly view: View;
}

/** Where a sensor lies, in output pixels from the beam: X to the right looking from the source, Y up. */
export interface Placement {
  readonly rows: number;
  readonly columns: number;
  /** Corner of sensor pixel (0, 0). */
  readonly x: number;
  readonly y: number;
  readonly cos: number;
  readonly sin: number;
  /** Output pixels from one sensor column to the next, and from one sensor row to the next. */
  readonly columnPitch: number;
  readonly rowPitch: number;
}

/**
 * Cosine and sine of an angle in degrees, exact at multiples of 90. Real sensors lie at 90.0 with pixel borders on
 * output pixel centres, where the last bit of `Math.cos` would decide between two rows.
 */
export function direction(degrees: number): { cos: number; sin: number } {
  const quarter = Math.round(degrees / 90);
  const rest = ((degrees - 90 * quarter) * Math.PI) / 180;
  const [c, s] = [Math.cos(rest), Math.sin(rest)];
  switch (((quarter % 4) + 4) % 4) {
    case 0:
      return { cos: c, sin: s };
    case 1:
      return { cos: -s, sin: c };
    case 2:
      return { cos: -c, sin: -s };
    default:
      return { cos: s, sin: -c };
  }
}

/**
 * X, in output pixels from the beam, of a picture column. Exact for whole and half columns, so both views agree bit for
 * bit.
 */
export function xOfColumn(canvas: PictureGrid, column: number): number {
  const x = column - canvas.width / 2;
  return canvas.view === "source" ? x : -x;
}

export function yOfRow(canvas: PictureGrid, row: number): number {
  return canvas.height / 2 - row;
}

export function columnOfX(canvas: PictureGrid, x: number): number {
  return canvas.width / 2 + (canvas.view === "source" ? x : -x);
}

export function rowOfY(canvas: PictureGrid, y: number): number {
  return canvas.height / 2 - y;
}

// Column direction (cos a, sin a), row direction (sin a, −cos a): section 4.2 of the facts, after ostrich's geometry
// notes.

/** Sensor column (fractional) at a place. */
export function sensorColumn(p: Placement, x: number, y: number): number {
  return ((x - p.x) * p.cos + (y - p.y) * p.sin) / p.columnPitch;
}

/** Sensor row (fractional) at a place. */
export function sensorRow(p: Placement, x: number, y: number): number {
  return ((x - p.x) * p.sin - (y - p.y) * p.cos) / p.rowPitch;
}

/**
 * How sensor places change from one output column, and from one output row, to the next: u along sensor columns, v
 * along rows.
 */
export interface GridSteps {
  readonly perColumn: { readonly u: number; readonly v: number };
  readonly perRow: { readonly u: number; readonly v: number };
}

export function stepsOf(p: Placement, canvas: PictureGrid): GridSteps {
  const { cos, sin, columnPitch, rowPitch } = p;
  const sign = canvas.view === "source" ? 1 : -1;
  return {
    perColumn: { u: (sign * cos) / columnPitch, v: (sign * sin) / rowPitch },
    perRow: { u: -sin / columnPitch, v: cos / rowPitch },
  };
}

/** X of a sensor place. */
export function placeX(p: Placement, row: number, column: number): number {
  return p.x + column * p.columnPitch * p.cos + row * p.rowPitch * p.sin;
}

/** Y of a sensor place. */
export function placeY(p: Placement, row: number, column: number): number {
  return p.y + column * p.columnPitch * p.sin - row * p.rowPitch * p.cos;
}

/** The four corners of a sensor, in output pixels from the beam. */
export function corners(p: Placement): { x: number; y: number }[] {
  return [0, p.rows].flatMap((row) =>
    [0, p.columns].map((column) => ({ x: placeX(p, row, column), y: placeY(p, row, column) })),
  );
}

/** The smallest range of whole rows or columns below `size` that holds values. */
export function wholeRange(values: readonly number[], size: number): [number, number] {
  return [Math.max(0, Math.floor(Math.min(...values))), Math.min(size, Math.ceil(Math.max(...values)))];
}

/** Smallest rectangle of the picture that holds the sensor; empty (start ≥ end) when it lies outside. */
export function boundsOf(p: Placement, canvas: PictureGrid): Roi {
  const points = corners(p);
  const columns = points.map(({ x }) => columnOfX(canvas, x));
  const rows = points.map(({ y }) => rowOfY(canvas, y));
  return { rows: wholeRange(rows, canvas.height), columns: wholeRange(columns, canvas.width) };
}
