import { type Orientation, orientationOf, pictureSteps } from "./orientation.ts";
import { NOISE } from "./overlap.ts";
import { type PictureGrid, type Placement, sensorColumn, sensorRow, stepsOf, xOfColumn, yOfRow } from "./placement.ts";

/**
 * Borders that cross a side this close to its end are left to the general way: which side they cross may be rounding.
 */
const MARGIN = 1e-4;

/**
 * A sensor laid straight: its pixels, calibrated, in the order in which they appear in the picture, so that a pixel's
 * neighbours to the right and below are its neighbours in memory.
 */
export interface AlignedSensor {
  readonly orientation: Orientation;
  /** Pixels that follow each other along picture rows, and down the picture. */
  readonly columns: number;
  readonly rows: number;
  /**
   * Elements from one row to the next: more than `columns`, or rows a power of 2 apart would fight for the same cache
   * lines.
   */
  readonly stride: number;
  /** Where sensor pixel (0, 0) is, and from there to the next sensor row and column. */
  readonly origin: number;
  readonly perRow: number;
  readonly perColumn: number;
}

const PADDING = 16;

export function alignToGrid(placement: Placement, canvas: PictureGrid): AlignedSensor {
  const turn = orientationOf(placement, canvas);
  const [columns, rows] = turn.isTransposed ? [placement.rows, placement.columns] : [placement.columns, placement.rows];
  const stride = Math.ceil(columns / PADDING) * PADDING + PADDING;
  const origin = (turn.along < 0 ? columns - 1 : 0) + (turn.down < 0 ? rows - 1 : 0) * stride;
  return { orientation: turn, columns, rows, stride, origin, ...pictureSteps(turn, stride) };
}

/**
 * The overlap of an output pixel with the two by two pixels of a straightened sensor it lies on.
 *
 * Seen from the output pixel, the sensor's borders cross at (a, b) and lean by tan θ. The part of the pixel left of the
 * one and above the other is a quadrilateral of area a·b + (a² − b²)·tan θ / 2, and the part left of the one a
 * trapezium of area a + (½ − b)·tan θ: both exact as long as each border crosses two opposite sides. From one output
 * pixel of a row to the next, a grows by cos θ − 1 and b by −sin θ, and then the squares cancel: every area grows by
 * the same amount from pixel to pixel.
 */
export class Overlaps {
  /** Top left, top right, bottom left, bottom right, and what each grows by to the next output pixel. */
  readonly areas = new Float64Array(4);
  readonly growths = new Float64Array(4);
  /**
   * Elements from left to right and from top to bottom of the two by two: 0 where they are one, on a sensor exactly in
   * line.
   */
  readonly right: 0 | 1;
  readonly below: number;
  readonly #placement: Placement;
  readonly #canvas: PictureGrid;
  readonly #sensor: AlignedSensor;
  readonly #cos: number;
  readonly #sin: number;
  /** Of the output pixel asked for last: its upper left corner in pixels of the straightened sensor, then a and b. */
  readonly #at = new Float64Array(4);

  constructor(placement: Placement, canvas: PictureGrid, sensor: AlignedSensor) {
    this.#placement = placement;
    this.#canvas = canvas;
    this.#sensor = sensor;
    const { perColumn } = stepsOf(placement, canvas);
    const { isTransposed: turned, along, down } = sensor.orientation;
    this.#cos = along * (turned ? perColumn.v : perColumn.u);
    this.#sin = down * (turned ? perColumn.u : perColumn.v);
    this.#place(0, 0);
    const [column = 0, row = 0] = this.#at;
    const whole = (place: number): boolean => this.#sin === 0 && Math.abs(place - Math.round(place)) < NOISE / 2;
    this.right = whole(column) ? 0 : 1;
    this.below = whole(row) ? 0 : sensor.stride;
  }

  /**
   * Number of the top left one of the two by two pixels under an output pixel; −1 when it lies on others too or on the
   * sensor's border. Their areas are then found by {@link measure}.
   */
  find(row: number, column: number): number {
    const { columns, rows, stride } = this.#sensor;
    this.#place(row, column);
    const at = this.#at;
    const fromLeft = at[0] ?? 0;
    const fromTop = at[1] ?? 0;
    const cos = this.#cos;
    const sin = this.#sin;
    // The borders next to the middle of the output pixel, or on its far side where it has no border inside.
    const across = this.right === 0 ? Math.round(fromLeft) + 1 : Math.round(fromLeft + (cos - sin) / 2);
    const down = this.below === 0 ? Math.round(fromTop) + 1 : Math.round(fromTop + (cos + sin) / 2);
    if (across < 1 || across + this.right > columns || down < 1 || down + (this.below === 0 ? 0 : 1) > rows) return -1;
    const toBorder = across - fromLeft;
    const toBorderDown = down - fromTop;
    const a = cos * toBorder + sin * toBorderDown;
    const b = cos * toBorderDown - sin * toBorder;
    if (sin === 0 ? this.#isThin(a, b) : isCut(a, b, sin / cos)) return -1;
    at[2] = a;
    at[3] = b;
    return (down - 1) * stride + across - 1;
  }

  /**
   * How many output pixels of a row, from one that lies on `from` on and before column `end`, lie each on the next
   * pixel. Every border moves by the same amount from pixel to pixel, so the end is searched, not walked to.
   * {@link measure} then is about the first of them.
   */
  lengthFrom(row: number, column: number, from: number, end: number): number {
    const isNext = (k: number): boolean => column + k < end && this.find(row, column + k) === from + k;
    let [length, step] = [1, 1];
    for (; isNext(length + step - 1); step *= 2) length += step;
    for (; step >= 1; step /= 2) if (isNext(length + step - 1)) length += step;
    this.find(row, column);
    return length;
  }

  /** Whether an area of an unturned sensor may be noise, which must not let through what its pixel holds. */
  #isThin(a: number, b: number): boolean {
    const across = this.right === 0 ? 1 : Math.min(a, 1 - a);
    const down = this.below === 0 ? 1 : Math.min(b, 1 - b);
    return across * down < 2 * NOISE;
  }

  /** Areas and growths at the output pixel found last. */
  measure(): void {
    const { areas, growths } = this;
    const a = this.#at[2] ?? 0;
    const b = this.#at[3] ?? 0;
    const moreA = this.#cos - 1;
    const moreB = -this.#sin;
    const lean = this.#sin / this.#cos;
    const corner = a * b + (lean * (a * a - b * b)) / 2;
    const left = a + (0.5 - b) * lean;
    const top = b - (0.5 - a) * lean;
    areas[0] = corner;
    areas[1] = top - corner;
    areas[2] = left - corner;
    areas[3] = 1 - left - top + corner;
    const moreCorner = a * moreB + b * moreA + lean * (a * moreA - b * moreB);
    const moreLeft = moreA - moreB * lean;
    const moreTop = moreB + moreA * lean;
    growths[0] = moreCorner;
    growths[1] = moreTop - moreCorner;
    growths[2] = moreLeft - moreCorner;
    growths[3] = moreCorner - moreLeft - moreTop;
  }

  /** Puts the upper left corner of an output pixel, in pixels of the straightened sensor, into `#at`. */
  #place(row: number, column: number): void {
    const p = this.#placement;
    const x = xOfColumn(this.#canvas, column);
    const y = yOfRow(this.#canvas, row);
    const u = sensorColumn(p, x, y);
    const v = sensorRow(p, x, y);
    const { orientation: turn, columns, rows } = this.#sensor;
    const along = turn.isTransposed ? v : u;
    const down = turn.isTransposed ? u : v;
    this.#at[0] = turn.along < 0 ? columns - along : along;
    this.#at[1] = turn.down < 0 ? rows - down : down;
  }
}

/** Whether a border that leans misses one of the sides it should cross, or nearly. */
function isCut(a: number, b: number, lean: number): boolean {
  const isEnd = (place: number): boolean => place < MARGIN || place > 1 - MARGIN;
  return isEnd(a - b * lean) || isEnd(a + (1 - b) * lean) || isEnd(b + a * lean) || isEnd(b - (1 - a) * lean);
}
