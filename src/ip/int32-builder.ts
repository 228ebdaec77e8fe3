/** A growing list of 32-bit words, whole numbers and float32 mixed, as kernels read them. */
export class Int32Builder {
  #ints = new Int32Array(1024);
  #floats = new Float32Array(this.#ints.buffer);
  #used = 0;

  get length(): number {
    return this.#used;
  }

  int(value: number): void {
    if (this.#used === this.#ints.length) this.#grow();
    this.#ints[this.#used++] = value;
  }

  float(value: number): void {
    if (this.#used === this.#ints.length) this.#grow();
    this.#floats[this.#used++] = value;
  }

  words(): Int32Array {
    return this.#ints.subarray(0, this.#used);
  }

  #grow(): void {
    const more = new Int32Array(this.#ints.length * 2);
    more.set(this.#ints);
    this.#ints = more;
    this.#floats = new Float32Array(more.buffer);
  }
}

/** Collects output pixels, in rising order, as pairs (first, number) of neighbours. */
export class IntervalList {
  readonly #pairs = new Int32Builder();
  #first = 0;
  #next = 0;

  add(to: number): void {
    if (to !== this.#next) {
      this.#finish();
      this.#first = to;
    }
    this.#next = to + 1;
  }

  words(): Int32Array {
    this.#finish();
    this.#first = this.#next;
    return this.#pairs.words();
  }

  #finish(): void {
    if (this.#next === this.#first) return;
    this.#pairs.int(this.#first);
    this.#pairs.int(this.#next - this.#first);
  }
}

/** The spans of all output pixels of one owner, as pairs (first, number). */
export function intervalsOf(owners: Uint8Array | Uint16Array, owner: number): Int32Array {
  const spans = new Int32Builder();
  for (let to = owners.indexOf(owner); to >= 0; to = owners.indexOf(owner, to)) {
    const first = to;
    while (owners[to] === owner) to++;
    spans.int(first);
    spans.int(to - first);
  }
  return spans.words();
}
