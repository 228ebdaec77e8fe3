import { asImage, type NdArray } from "../core/ndarray.ts";
import { type Roi, roiShape } from "../core/roi.ts";
import {
  columnOfX,
  type PictureGrid,
  type Placement,
  placeX,
  placeY,
  rowOfY,
  sensorColumn,
  sensorRow,
  wholeRange,
  xOfColumn,
  yOfRow,
} from "./placement.ts";

/** The pixels of one sensor that lie under a rectangle of the picture. */
export interface SensorRegion {
  /** Id of the sensor. */
  readonly sensor: string;
  /** Its number, from 0. */
  readonly index: number;
  /** Smallest rectangle of the sensor that holds them all. */
  readonly roi: Roi;
  /** 1 for each pixel that belongs, over `roi`: shape [roi rows, roi columns]. */
  readonly pixels: NdArray<Uint8Array>;
  /** How many belong. */
  readonly count: number;
}

/** The unmasked pixels of a sensor whose centres lie inside `roi` of the picture, or null when there are none. */
export function pixelsUnder(
  placement: Placement,
  canvas: PictureGrid,
  roi: Roi,
  use: Uint8Array | null,
): Omit<SensorRegion, "sensor" | "index"> | null {
  const belongs = (row: number, column: number): boolean => {
    if (use !== null && use[row * placement.columns + column] !== 1) return false;
    const x = columnOfX(canvas, placeX(placement, row + 0.5, column + 0.5));
    const y = rowOfY(canvas, placeY(placement, row + 0.5, column + 0.5));
    return x >= roi.columns[0] && x < roi.columns[1] && y >= roi.rows[0] && y < roi.rows[1];
  };
  const search = searchArea(placement, canvas, roi);
  let [top, bottom, left, right, count] = [Infinity, 0, Infinity, 0, 0];
  for (let r = search.rows[0]; r < search.rows[1]; r++) {
    for (let c = search.columns[0]; c < search.columns[1]; c++) {
      if (!belongs(r, c)) continue;
      count++;
      top = Math.min(top, r);
      bottom = r + 1;
      left = Math.min(left, c);
      right = Math.max(right, c + 1);
    }
  }
  if (count === 0) return null;
  const found: Roi = { rows: [top, bottom], columns: [left, right] };
  const [height, width] = roiShape(found);
  const pixels = Uint8Array.from({ length: height * width }, (_, i) =>
    belongs(top + Math.floor(i / width), left + (i % width)) ? 1 : 0,
  );
  return { roi: found, pixels: asImage(pixels, height, width), count };
}

/** The part of the sensor worth looking at: the rectangle around the region's corners, seen from the sensor. */
function searchArea(placement: Placement, canvas: PictureGrid, roi: Roi): Roi {
  const points = roi.rows.flatMap((row) =>
    roi.columns.map((column) => ({ x: xOfColumn(canvas, column), y: yOfRow(canvas, row) })),
  );
  return {
    rows: wholeRange(
      points.map(({ x, y }) => sensorRow(placement, x, y)),
      placement.rows,
    ),
    columns: wholeRange(
      points.map(({ x, y }) => sensorColumn(placement, x, y)),
      placement.columns,
    ),
  };
}
