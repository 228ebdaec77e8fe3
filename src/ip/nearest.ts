import type { PixelArray } from "./pixels.ts";
import { boundsOf, type PictureGrid, type Placement, xOfColumn, yOfRow } from "./placement.ts";
import type { Resampler, SensorInput } from "./resampler.ts";
import { fillSpans, SPAN_FIELDS, SpanBuilder, STRIP } from "./spans.ts";

/** Which sensor pixels hold the centres of output pixels, found row by row for a range of output columns. */
export class PixelsUnder {
  readonly #placement: Placement;
  readonly #canvas: PictureGrid;
  /** What each output column adds to the sensor row, and to the sensor column. */
  readonly #toRow: Float64Array;
  readonly #toColumn: Float64Array;

  constructor(placement: Placement, canvas: PictureGrid, [first, end]: readonly [number, number]) {
    this.#placement = placement;
    this.#canvas = canvas;
    const x = Float64Array.from(
      { length: Math.max(0, end - first) },
      (_, i) => xOfColumn(canvas, first + i + 0.5) - placement.x,
    );
    this.#toRow = x.map((value) => value * placement.sin);
    this.#toColumn = x.map((value) => value * placement.cos);
  }

  /** Writes the pixels of an output row, counted row by row of the sensor, from `out[at]` on; −1 where none is. */
  find(outputRow: number, out: Int32Array, at: number): void {
    const { rows, columns, rowPitch, columnPitch, cos, sin, y: bottom } = this.#placement;
    const y = yOfRow(this.#canvas, outputRow + 0.5) - bottom;
    const [lessRow, moreColumn] = [y * cos, y * sin];
    const [toRow, toColumn] = [this.#toRow, this.#toColumn];
    for (let i = 0; i < toRow.length; i++) {
      const row = Math.floor(((toRow[i] ?? 0) - lessRow) / rowPitch);
      const column = Math.floor(((toColumn[i] ?? 0) + moreColumn) / columnPitch);
      out[at + i] = row < 0 || row >= rows || column < 0 || column >= columns ? -1 : row * columns + column;
    }
  }
}

/** For one sensor, which of its pixels each output pixel shows. */
function nearestRuns(placement: Placement, canvas: PictureGrid, use: Uint8Array | null): Int32Array {
  const runs = new SpanBuilder();
  const bounds = boundsOf(placement, canvas);
  const from = new Int32Array(STRIP);
  for (let strip = bounds.columns[0]; strip < bounds.columns[1]; strip += STRIP) {
    const end = Math.min(strip + STRIP, bounds.columns[1]);
    const under = new PixelsUnder(placement, canvas, [strip, end]);
    for (let row = bounds.rows[0]; row < bounds.rows[1]; row++) {
      under.find(row, from, 0);
      for (let column = strip; column < end; column++) {
        const pixel = from[column - strip] ?? -1;
        if (pixel >= 0 && (use === null || use[pixel] === 1)) runs.add(row * canvas.width + column, pixel, 0);
      }
    }
  }
  return runs.finish();
}

/** `offset`: where the image begins in `pixels`. `gain`: in single precision. */
function copyRuns(runs: Int32Array, pixels: PixelArray, offset: number, gain: number, out: Float32Array): void {
  for (let i = 0; i < runs.length; i += SPAN_FIELDS) {
    let to = runs[i] ?? 0;
    let from = (runs[i + 1] ?? 0) + offset;
    const step = runs[i + 2] ?? 0;
    const end = to + (runs[i + 3] ?? 0);
    for (; to < end; to++) {
      out[to] = Math.fround(pixels[from] ?? 0) * gain;
      from += step;
    }
  }
}

/** The same with a dark, counted from the image's first pixel. */
function copyRunsLessDark(
  runs: Int32Array,
  pixels: PixelArray,
  offset: number,
  dark: Float32Array,
  gain: number,
  out: Float32Array,
): void {
  for (let i = 0; i < runs.length; i += SPAN_FIELDS) {
    let to = runs[i] ?? 0;
    let from = runs[i + 1] ?? 0;
    const step = runs[i + 2] ?? 0;
    const end = to + (runs[i + 3] ?? 0);
    for (; to < end; to++) {
      out[to] = Math.fround(Math.fround(pixels[from + offset] ?? 0) - (dark[from] ?? 0)) * gain;
      from += step;
    }
  }
}

/**
 * Each output pixel shows the sensor pixel under its centre; where sensors overlap, the last one read is on top. The
 * reference for `NearestKernel`, and what paints where that does not.
 */
export class NearestResampler implements Resampler {
  readonly bytes: number;
  readonly #maps: readonly Int32Array[];
  readonly #darks: (Float32Array | undefined)[] = [];

  constructor(canvas: PictureGrid, placements: readonly Placement[], uses: readonly (Uint8Array | null)[]) {
    this.#maps = placements.map((placement, i) => nearestRuns(placement, canvas, uses[i] ?? null));
    this.bytes = this.#maps.reduce((sum, runs) => sum + runs.byteLength, 0);
  }

  setDark(sensor: number, dark: Float32Array): void {
    this.#darks[sensor] = dark;
  }

  resample(paints: readonly SensorInput[], gap: number, out: Float32Array): void {
    out.fill(gap);
    for (const [i, runs] of this.#maps.entries()) {
      const paint = paints[i];
      if (paint === undefined || paint.pixels === null) continue;
      const gain = Math.fround(paint.gain);
      const dark = this.#darks[i];
      if (paint.dark && dark !== undefined) copyRunsLessDark(runs, paint.pixels, paint.offset, dark, gain, out);
      else copyRuns(runs, paint.pixels, paint.offset, gain, out);
    }
  }

  coverage(out: Float32Array): void {
    for (const runs of this.#maps) fillSpans(runs, 1, out);
  }
}
