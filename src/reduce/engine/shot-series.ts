import { badArgument } from "../../core/guards.ts";

/** Values shot by shot, in the order of the tags whatever the order they came in. */
export class ShotSeries {
  readonly width: number;
  readonly #rows: { tag: number; values: readonly number[] }[] = [];

  constructor(width: number) {
    this.width = width;
  }

  /** @throws BAD_ARGUMENT when the number of values is not the width */
  push(tag: number, ...values: number[]): void {
    if (values.length !== this.width) throw badArgument("values per shot", values.length, String(this.width));
    this.#rows.push({ tag, values });
  }

  get length(): number {
    return this.#rows.length;
  }

  /** Adds the shots of another part. */
  append(other: ShotSeries): void {
    for (const { tag, values } of other.#rows) this.push(tag, ...values);
  }

  /** Ascending by tag. */
  get tags(): Uint32Array {
    return Uint32Array.from(this.#sorted(), ({ tag }) => tag);
  }

  /** Value number `k` of each shot, in the order of {@link tags}. */
  column(k = 0): Float64Array {
    return Float64Array.from(this.#sorted(), ({ values }) => values[k] ?? NaN);
  }

  /** In place: rows may lie in any order, and to sort what is sorted takes little, column after column. */
  #sorted(): readonly { tag: number; values: readonly number[] }[] {
    return this.#rows.sort((a, b) => a.tag - b.tag);
  }
}
