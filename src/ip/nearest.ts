import type { PixelArray } from "./pixels.ts";
import { boundsOf, type PictureGrid, type Placement, sensorColumn, sensorRow, xOfColumn, yOfRow } from "./placement.ts";
import type { Resampler, SensorInput } from "./resampler.ts";
import { fillSpans, SPAN_FIELDS, SpanBuilder, STRIP } from "./spans.ts";

/** The sensor pixel that holds the centre of an output pixel, counted row by row; −1 when none does. */
export function pixelUnder(placement: Placement, canvas: PictureGrid, row: number, column: number): number {
  const x = xOfColumn(canvas, column + 0.5);
  const y = yOfRow(canvas, row + 0.5);
  const r = Math.floor(sensorRow(placement, x, y));
  const c = Math.floor(sensorColumn(placement, x, y));
  return r < 0 || r >= placement.rows || c < 0 || c >= placement.columns ? -1 : r * placement.columns + c;
}

/** For one sensor, which of its pixels each output pixel shows. */
function nearestRuns(placement: Placement, canvas: PictureGrid, use: Uint8Array | null): Int32Array {
  const runs = new SpanBuilder();
  const bounds = boundsOf(placement, canvas);
  for (let strip = bounds.columns[0]; strip < bounds.columns[1]; strip += STRIP) {
    const end = Math.min(strip + STRIP, bounds.columns[1]);
    for (let row = bounds.rows[0]; row < bounds.rows[1]; row++) {
      for (let column = strip; column < end; column++) {
        const from = pixelUnder(placement, canvas, row, column);
        if (from >= 0 && (use === null || use[from] === 1)) runs.add(row * canvas.width + column, from, 0);
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
