import { alignToGrid, Overlaps } from "./align-to-grid.ts";
import { followsPicture } from "./kernel.ts";
import { Cells } from "./overlap.ts";
import type { PixelArray } from "./pixels.ts";
import { boundsOf, type PictureGrid, type Placement } from "./placement.ts";
import type { SensorInput } from "./resampler.ts";

/**
 * Standard error of each pixel of a picture by area: the root of Σ (weight · gain · error)² over the sensor pixels that
 * fall into it. Made without a map, since errors are wanted once where pictures are wanted for every shot.
 */
export function areaErrors(
  canvas: PictureGrid,
  placements: readonly Placement[],
  uses: readonly (Uint8Array | null)[],
  errors: readonly SensorInput[],
  gap: number,
  out: Float32Array,
): void {
  const squares = new Float64Array(out.length).fill(-1);
  for (const [i, placement] of placements.entries()) {
    const { pixels, offset, gain } = errors[i] ?? { pixels: null, offset: 0, gain: 1 };
    if (pixels === null) continue;
    const use = uses[i] ?? null;
    const image = pixels.subarray(offset, offset + placement.rows * placement.columns);
    const cells = new Cells(placement, canvas, use);
    const runs = followsPicture(placement, 0) ? new Runs(placement, canvas, use, image) : null;
    const { rows, columns } = boundsOf(placement, canvas);
    for (let row = rows[0]; row < rows[1]; row++) {
      for (let column = columns[0]; column < columns[1]; ) {
        const to = row * canvas.width + column;
        const length = runs?.add(row, column, columns[1], gain * gain, squares, to) ?? 0;
        if (length === 0) addCells(cells, row, column, image, gain * gain, squares, to);
        column += Math.max(1, length);
      }
    }
  }
  for (let i = 0; i < out.length; i++) {
    const square = squares[i] ?? -1;
    out[i] = square < 0 ? gap : Math.sqrt(square);
  }
}

function addTo(squares: Float64Array, to: number, square: number): void {
  const before = squares[to] ?? -1;
  squares[to] = before < 0 ? square : before + square;
}

/** Adds what lies under one pixel of the picture, by cutting it. */
function addCells(
  cells: Cells,
  row: number,
  column: number,
  errors: PixelArray,
  factor: number,
  squares: Float64Array,
  to: number,
): void {
  const n = cells.under(row, column);
  let sum = 0;
  for (let k = 0; k < n; k++)
    sum += ((cells.weights[k] ?? 0) * (errors[cells.base + (cells.offsets[k] ?? 0)] ?? NaN)) ** 2;
  if (n > 0) addTo(squares, to, factor * sum);
}

/** Adds what lies under pixels of the picture that have two by two pixels of the sensor under them: nearly all. */
class Runs {
  readonly #overlaps: Overlaps;
  /** Squared errors of the straightened sensor, 0 for masked pixels. */
  readonly #squares: Float64Array;
  /** Masked pixels of the straightened sensor. */
  readonly #holes: Uint8Array;

  constructor(placement: Placement, canvas: PictureGrid, use: Uint8Array | null, errors: PixelArray) {
    const sensor = alignToGrid(placement, canvas);
    this.#overlaps = new Overlaps(placement, canvas, sensor);
    this.#squares = new Float64Array(sensor.rows * sensor.stride);
    this.#holes = new Uint8Array(this.#squares.length);
    for (let row = 0, pixel = 0; row < placement.rows; row++) {
      let to = sensor.origin + row * sensor.perRow;
      for (let column = 0; column < placement.columns; column++, pixel++, to += sensor.perColumn) {
        if (use !== null && use[pixel] === 0) this.#holes[to] = 1;
        else this.#squares[to] = (errors[pixel] ?? NaN) ** 2;
      }
    }
  }

  /** Gives how many pixels of the row it added, from `column` on and before `end`: 0 when the first is none of them. */
  add(row: number, column: number, end: number, factor: number, squares: Float64Array, to: number): number {
    const overlaps = this.#overlaps;
    const from = overlaps.find(row, column);
    if (from < 0) return 0;
    const length = overlaps.lengthFrom(row, column, from, end);
    overlaps.measure();
    const { right, below, areas, growths } = overlaps;
    const [own, holes] = [this.#squares, this.#holes];
    const [a = 0, b = 0, c = 0, d = 0] = areas;
    const [moreA = 0, moreB = 0, moreC = 0, moreD = 0] = growths;
    for (let k = 0, i = from; k < length; k++, i++) {
      const isHole =
        holes[i] === 1 && holes[i + right] === 1 && holes[i + below] === 1 && holes[i + right + below] === 1;
      if (isHole) continue;
      const sum =
        (a + k * moreA) ** 2 * (own[i] ?? 0) +
        (b + k * moreB) ** 2 * (own[i + right] ?? 0) +
        (c + k * moreC) ** 2 * (own[i + below] ?? 0) +
        (d + k * moreD) ** 2 * (own[i + right + below] ?? 0);
      addTo(squares, to + k, factor * sum);
    }
    return length;
  }
}
