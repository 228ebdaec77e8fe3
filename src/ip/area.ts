import { Cells } from "./overlap.ts";
import type { PixelArray } from "./pixels.ts";
import { boundsOf, type PictureGrid, type Placement } from "./placement.ts";
import type { Resampler, SensorInput } from "./resampler.ts";
import { fillSpans, grown, SPAN_FIELDS, SpanBuilder, STRIP } from "./spans.ts";

/**
 * The different shapes of "which sensor pixels fall into one output pixel", as offsets from the first: few, so kept
 * once.
 */
class Patterns {
  readonly #byKey = new Map<string, number>();
  #offsets = new Int32Array(256);
  #starts = new Int32Array(64);
  #count = 0;

  /** Number of the pattern of `n` offsets. Asked for the same one again and again, so `last` is tried first. */
  find(offsets: Int32Array, n: number, last: number): number {
    if (last >= 0 && this.#equals(last, offsets, n)) return last;
    const key = offsets.subarray(0, n).join();
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const pattern = this.#count++;
    const start = this.#starts[pattern] ?? 0;
    while (start + n > this.#offsets.length)
      this.#offsets = grown(this.#offsets, new Int32Array(this.#offsets.length * 2));
    if (pattern + 2 > this.#starts.length) this.#starts = grown(this.#starts, new Int32Array(this.#starts.length * 2));
    this.#offsets.set(offsets.subarray(0, n), start);
    this.#starts[pattern + 1] = start + n;
    this.#byKey.set(key, pattern);
    return pattern;
  }

  #equals(pattern: number, offsets: Int32Array, n: number): boolean {
    const start = this.#starts[pattern] ?? 0;
    if ((this.#starts[pattern + 1] ?? 0) - start !== n) return false;
    for (let i = 0; i < n; i++) if (this.#offsets[start + i] !== offsets[i]) return false;
    return true;
  }

  /** Offsets of all patterns; those of pattern k are from `starts[k]` to `starts[k + 1]`. */
  get offsets(): Int32Array {
    return this.#offsets;
  }

  get starts(): Int32Array {
    return this.#starts;
  }

  get bytes(): number {
    return this.#offsets.byteLength + this.#starts.byteLength;
  }
}

/** A run list with the weights of all its entries, in order. */
interface WeightedRuns {
  readonly runs: Int32Array;
  readonly weights: Float32Array;
}

class WeightedBuilder {
  readonly #runs = new SpanBuilder();
  #weights: Float32Array<ArrayBuffer>;
  #used = 0;

  constructor(expected: number) {
    this.#weights = new Float32Array(expected);
  }

  add(to: number, from: number, pattern: number, weights: Float64Array, n: number): void {
    this.#runs.add(to, from, pattern);
    if (this.#used + n > this.#weights.length) {
      this.#weights = grown(this.#weights, new Float32Array(Math.ceil(this.#weights.length * 1.5) + n));
    }
    for (let i = 0; i < n; i++) this.#weights[this.#used++] = weights[i] ?? 0;
  }

  finish(): WeightedRuns {
    return { runs: this.#runs.finish(), weights: this.#weights.slice(0, this.#used) };
  }
}

/** What one sensor puts into the picture: `first` where no earlier sensor lies, `more` where one does. */
interface AreaMap {
  readonly first: WeightedRuns;
  readonly more: WeightedRuns;
}

/**
 * For one sensor, which fraction of each of its pixels falls into each output pixel: the exact overlap, by cutting the
 * output pixel, seen from the sensor, along the sensor's pixel borders. There a sensor pixel has area 1, so the
 * fractions of one pixel sum to 1 when it lies wholly inside the picture.
 *
 * @param taken - one byte per output pixel, set where an earlier sensor lies; this sensor adds itself
 */
function areaMap(
  placement: Placement,
  canvas: PictureGrid,
  use: Uint8Array | null,
  patterns: Patterns,
  taken: Uint8Array,
): AreaMap {
  const cells = new Cells(placement, canvas, use);
  const bounds = boundsOf(placement, canvas);
  const first = new WeightedBuilder(Math.ceil(placement.rows * placement.columns * 4.2));
  const more = new WeightedBuilder(16);
  let pattern = -1;
  for (let strip = bounds.columns[0]; strip < bounds.columns[1]; strip += STRIP) {
    const end = Math.min(strip + STRIP, bounds.columns[1]);
    for (let row = bounds.rows[0]; row < bounds.rows[1]; row++) {
      for (let column = strip; column < end; column++) {
        const n = cells.under(row, column);
        if (n === 0) continue;
        pattern = patterns.find(cells.offsets, n, pattern);
        const to = row * canvas.width + column;
        (taken[to] === 0 ? first : more).add(to, cells.base, pattern, cells.weights, n);
        taken[to] = 1;
      }
    }
  }
  return { first: first.finish(), more: more.finish() };
}

/**
 * Puts weighted sums of sensor pixels times `gain` where a run list says: in place of what is there, or on top of it.
 * `offset`: where the image begins in `pixels`.
 */
function spreadRuns(
  list: WeightedRuns,
  patterns: Patterns,
  pixels: PixelArray,
  offset: number,
  gain: number,
  out: Float32Array,
  onTop: boolean,
): void {
  const { runs, weights } = list;
  const { offsets, starts } = patterns;
  let w = 0;
  for (let i = 0; i < runs.length; i += SPAN_FIELDS) {
    let to = runs[i] ?? 0;
    let from = (runs[i + 1] ?? 0) + offset;
    const step = runs[i + 2] ?? 0;
    const end = to + (runs[i + 3] ?? 0);
    const pattern = runs[i + 4] ?? 0;
    const start = starts[pattern] ?? 0;
    const stop = starts[pattern + 1] ?? 0;
    if (stop - start === 4 && !onTop) {
      // Two by two sensor pixels: nearly all of a picture with pixels of the sensor's size.
      const o0 = offsets[start] ?? 0;
      const o1 = offsets[start + 1] ?? 0;
      const o2 = offsets[start + 2] ?? 0;
      const o3 = offsets[start + 3] ?? 0;
      for (; to < end; to++) {
        const sum =
          (weights[w] ?? 0) * (pixels[from + o0] ?? 0) +
          (weights[w + 1] ?? 0) * (pixels[from + o1] ?? 0) +
          (weights[w + 2] ?? 0) * (pixels[from + o2] ?? 0) +
          (weights[w + 3] ?? 0) * (pixels[from + o3] ?? 0);
        out[to] = sum * gain;
        w += 4;
        from += step;
      }
      continue;
    }
    for (; to < end; to++) {
      let sum = 0;
      for (let k = start; k < stop; k++) sum += (weights[w++] ?? 0) * (pixels[from + (offsets[k] ?? 0)] ?? 0);
      out[to] = onTop ? (out[to] ?? 0) + sum * gain : sum * gain;
      from += step;
    }
  }
}

/** Adds, for each output pixel of a run list, the sum of its weights times `scale`. */
function addWeights(list: WeightedRuns, patterns: Patterns, scale: number, out: Float32Array): void {
  const { runs, weights } = list;
  const { starts } = patterns;
  let w = 0;
  for (let i = 0; i < runs.length; i += SPAN_FIELDS) {
    const pattern = runs[i + 4] ?? 0;
    const n = (starts[pattern + 1] ?? 0) - (starts[pattern] ?? 0);
    const end = (runs[i] ?? 0) + (runs[i + 3] ?? 0);
    for (let to = runs[i] ?? 0; to < end; to++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += weights[w++] ?? 0;
      out[to] = (out[to] ?? 0) + sum * scale;
    }
  }
}

/**
 * Each sensor pixel's value is shared out over the output pixels it overlaps; overlapping sensors add. The reference
 * for `AreaKernel`, and what paints where that does not.
 */
export class AreaResampler implements Resampler {
  readonly bytes: number;
  readonly #maps: readonly AreaMap[];
  readonly #patterns = new Patterns();
  /** Area of one sensor pixel in output pixels, per sensor. */
  readonly #pixelAreas: readonly number[];
  readonly #darks: (Float32Array | undefined)[] = [];
  /** An image less its dark, kept from one shot to the next. */
  #difference = new Float32Array(0);

  constructor(canvas: PictureGrid, placements: readonly Placement[], uses: readonly (Uint8Array | null)[]) {
    const taken = new Uint8Array(canvas.width * canvas.height);
    this.#maps = placements.map((placement, i) => areaMap(placement, canvas, uses[i] ?? null, this.#patterns, taken));
    this.#pixelAreas = placements.map((placement) => placement.columnPitch * placement.rowPitch);
    const lists = this.#maps.flatMap(({ first, more }) => [first, more]);
    this.bytes = lists.reduce(
      (sum, list) => sum + list.runs.byteLength + list.weights.byteLength,
      this.#patterns.bytes,
    );
  }

  setDark(sensor: number, dark: Float32Array): void {
    this.#darks[sensor] = dark;
  }

  resample(paints: readonly SensorInput[], gap: number, out: Float32Array): void {
    out.fill(gap);
    // Where sensors share an output pixel, the earlier may not have been read: the later ones must not add to a gap.
    for (let i = 0; i < this.#maps.length; i++) {
      const map = this.#maps[i];
      if (map !== undefined && paints[i]?.pixels !== null) fillSpans(map.more.runs, 0, out);
    }
    this.#spread(paints, out, false);
    this.#spread(paints, out, true);
  }

  #spread(paints: readonly SensorInput[], out: Float32Array, onTop: boolean): void {
    for (let i = 0; i < this.#maps.length; i++) {
      const map = this.#maps[i];
      const paint = paints[i];
      if (map === undefined || paint === undefined || paint.pixels === null) continue;
      const list = onTop ? map.more : map.first;
      if (list.runs.length === 0) continue;
      const dark = paint.dark ? this.#darks[i] : undefined;
      const gain = Math.fround(paint.gain);
      if (dark === undefined) spreadRuns(list, this.#patterns, paint.pixels, paint.offset, gain, out, onTop);
      else spreadRuns(list, this.#patterns, this.#subtract(paint.pixels, paint.offset, dark), 0, gain, out, onTop);
    }
  }

  #subtract(pixels: PixelArray, offset: number, dark: Float32Array): Float32Array {
    if (this.#difference.length < dark.length) this.#difference = new Float32Array(dark.length);
    for (let k = 0; k < dark.length; k++) this.#difference[k] = Math.fround(pixels[offset + k] ?? 0) - (dark[k] ?? 0);
    return this.#difference;
  }

  coverage(out: Float32Array): void {
    for (const [i, { first, more }] of this.#maps.entries()) {
      const area = this.#pixelAreas[i] ?? 0;
      addWeights(first, this.#patterns, area, out);
      addWeights(more, this.#patterns, area, out);
    }
  }
}
