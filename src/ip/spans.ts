/** Numbers of one run in a run list: see {@link SpanBuilder}. */
export const SPAN_FIELDS = 5;

/**
 * Width of the column strips in which maps are walked. Octal sensors lie on their side, so a picture row reads sensor
 * pixels a whole sensor row apart, each from another cache line. In strips those lines are still in the cache for the
 * next picture row: measured twice as fast as whole rows; 64 to 512 differ little.
 */
export const STRIP = 128;

/**
 * Builds a run list: output pixels that follow each other and read sensor pixels at a constant step, as five numbers
 * `to, from, step, length, pattern`. Real sensors are turned by 90° and a hair, so runs are long and the list is small
 * where a table with an index per pixel is not.
 */
export class SpanBuilder {
  #data = new Int32Array(1024);
  #used = 0;
  #to = -2;
  #from = 0;

  add(to: number, from: number, pattern: number): void {
    const last = this.#used - SPAN_FIELDS;
    if (last >= 0 && to === this.#to + 1 && this.#data[last + 4] === pattern) {
      const step = from - this.#from;
      const length = this.#data[last + 3] ?? 0;
      if (length === 1 || this.#data[last + 2] === step) {
        this.#data[last + 2] = step;
        this.#data[last + 3] = length + 1;
        this.#to = to;
        this.#from = from;
        return;
      }
    }
    if (this.#used + SPAN_FIELDS > this.#data.length)
      this.#data = grown(this.#data, new Int32Array(this.#data.length * 2));
    const at = this.#used;
    this.#data[at] = to;
    this.#data[at + 1] = from;
    this.#data[at + 2] = 0;
    this.#data[at + 3] = 1;
    this.#data[at + 4] = pattern;
    this.#used += SPAN_FIELDS;
    this.#to = to;
    this.#from = from;
  }

  finish(): Int32Array {
    return this.#data.slice(0, this.#used);
  }
}

/** `from` copied into the start of `to`. */
export function grown<T extends Int32Array | Float32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Sets every output pixel of a run list to `value`. */
export function fillSpans(runs: Int32Array, value: number, out: Float32Array): void {
  for (let i = 0; i < runs.length; i += SPAN_FIELDS) {
    const to = runs[i] ?? 0;
    out.fill(value, to, to + (runs[i + 3] ?? 0));
  }
}
