import { type PictureGrid, type Placement, stepsOf } from "./placement.ts";

/** How a sensor that is turned by nearly a multiple of 90° lies on the pixels of the picture. */
export interface Orientation {
  /** Its rows run along picture columns: ±90°. */
  readonly isTransposed: boolean;
  /**
   * Whether what runs along picture rows (sensor columns, or rows when turned) rises with the picture's columns: 1 or
   * −1.
   */
  readonly along: 1 | -1;
  /** The same for what runs down the picture. */
  readonly down: 1 | -1;
}

/** The nearest one for any angle. */
export function orientationOf(placement: Placement, canvas: PictureGrid): Orientation {
  const { perColumn, perRow } = stepsOf(placement, canvas);
  const turned = Math.abs(placement.sin) > Math.abs(placement.cos);
  const sign = (value: number): 1 | -1 => (value < 0 ? -1 : 1);
  return {
    isTransposed: turned,
    along: sign(turned ? perColumn.v : perColumn.u),
    down: sign(turned ? perRow.u : perRow.v),
  };
}

/** Elements of a picture `width` wide from one sensor row, and from one sensor column, to the next. */
export function pictureSteps(
  { isTransposed: turned, along, down }: Orientation,
  width: number,
): { perRow: number; perColumn: number } {
  return turned ? { perRow: along, perColumn: down * width } : { perRow: down * width, perColumn: along };
}

/** Sensor pixels, counted row by row, from one picture column, and from one picture row, to the next. */
export function sensorSteps(
  { isTransposed: turned, along, down }: Orientation,
  columns: number,
): { perColumn: number; perRow: number } {
  return turned ? { perColumn: along * columns, perRow: down } : { perColumn: along, perRow: down * columns };
}
