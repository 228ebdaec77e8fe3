import { SaclaError } from "./errors.ts";
import { asInteger } from "./guards.ts";
import { counted } from "./show.ts";
import { showAs } from "./shown.ts";

/** Largest tag: tags are unsigned 32-bit. */
export const MAX_TAG = 0xffff_ffff;

/** `tags` as a Uint32Array. @throws BAD_ARGUMENT when one is not a whole number from 0 to 2^32 − 1 */
export function asTags(tags: Iterable<number>): Uint32Array {
  if (tags instanceof Uint32Array) return tags;
  const list = [...tags];
  for (const [i, tag] of list.entries()) asInteger(`tag ${i}`, tag, 0, MAX_TAG);
  return Uint32Array.from(list);
}

/**
 * The tags of some shots of one HighTag: ascending, each once, never changed. Every operation gives a new list.
 * Lists of different HighTags never mix.
 *
 * @example
 * const exposed = all.minus(dark).every(2);
 */
export class TagList implements Iterable<number> {
  readonly hightag: number;
  readonly values: Uint32Array;

  constructor(hightag: number, tags: Iterable<number>) {
    this.hightag = asInteger("hightag", hightag);
    this.values = ascending(asTags(tags));
  }

  /** The same kind of list over other tags; subclasses keep what they carry. */
  protected derive(tags: Uint32Array): this {
    return new TagList(this.hightag, tags) as this;
  }

  get length(): number {
    return this.values.length;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.values[Symbol.iterator]();
  }

  /** Tag number `index`; negative counts from the end. */
  at(index: number): number | undefined {
    return this.values.at(index);
  }

  has(tag: number): boolean {
    return this.indexOf(tag) >= 0;
  }

  /** Position of `tag`, or −1. */
  indexOf(tag: number): number {
    const i = lowerBound(this.values, tag);
    return this.values[i] === tag ? i : -1;
  }

  /** Smallest step between neighbours: 60 / repetition rate when no image is missing. 0 for fewer than two tags. */
  get step(): number {
    let step = 0;
    for (let i = 1; i < this.values.length; i++) {
      const gap = (this.values[i] ?? 0) - (this.values[i - 1] ?? 0);
      if (step === 0 || gap < step) step = gap;
    }
    return step;
  }

  /** Tags in both lists. @throws BAD_ARGUMENT when the HighTags differ */
  intersect(other: TagList): this {
    this.#sameHightag(other);
    return this.derive(kept(this.values, isIn(other.values)));
  }

  /** Tags in either list. @throws BAD_ARGUMENT when the HighTags differ */
  union(other: TagList): this {
    this.#sameHightag(other);
    const isKnown = isIn(this.values);
    const more = kept(other.values, (tag) => !isKnown(tag));
    if (more.length === 0) return this.derive(this.values);
    const all = new Uint32Array(this.length + more.length);
    all.set(this.values);
    all.set(more, this.length);
    return this.derive(all.sort());
  }

  /** Tags of this list that are not in the other. @throws BAD_ARGUMENT when the HighTags differ */
  minus(other: TagList): this {
    this.#sameHightag(other);
    const isInOther = isIn(other.values);
    return this.derive(kept(this.values, (tag) => !isInOther(tag)));
  }

  /** Tags at positions [start, end), as Array.prototype.slice. */
  slice(start?: number, end?: number): this {
    return this.derive(this.values.slice(start, end));
  }

  /** Tags from `first` to `last`, both included. */
  between(first: number, last: number): this {
    return this.derive(this.values.slice(lowerBound(this.values, first), lowerBound(this.values, last + 1)));
  }

  /** Every `n`-th tag, beginning at position `offset`. */
  every(n: number, offset = 0): this {
    asInteger("n", n, 1);
    asInteger("offset", offset);
    return this.derive(this.values.filter((_, i) => i >= offset && (i - offset) % n === 0));
  }

  /** The tags for which `keep` is true. */
  filter(keep: (tag: number, index: number) => boolean): this {
    return this.derive(kept(this.values, keep));
  }

  /** What `make` gives for each tag, in their order. */
  map<T>(make: (tag: number, index: number) => T): T[] {
    return Array.from(this.values, (tag, i) => make(tag, i));
  }

  /** Calls `work` with each tag, in their order. */
  forEach(work: (tag: number, index: number) => void): void {
    for (const [i, tag] of this.values.entries()) work(tag, i);
  }

  /** The list in `parts` consecutive pieces of nearly equal length, for workers or jobs. */
  split(parts: number): this[] {
    asInteger("parts", parts, 1);
    return Array.from({ length: parts }, (_, k) =>
      this.slice(Math.floor((k * this.length) / parts), Math.floor(((k + 1) * this.length) / parts)),
    );
  }

  toJSON(): { hightag: number; tags: number[] } {
    return { hightag: this.hightag, tags: [...this.values] };
  }

  #sameHightag(other: TagList): void {
    if (other.hightag !== this.hightag) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `Tags of HighTag ${this.hightag} and ${other.hightag} cannot be combined: ` +
          "the same tag means different shots in each.",
      );
    }
  }
}

/** Index of the first of ascending values that is not below `tag`; their number when there is none. */
export function lowerBound(values: Uint32Array, tag: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) < tag) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a tag is in an ascending list; to be asked for tags in ascending order. */
export function isIn(tags: Uint32Array): (tag: number) => boolean {
  let k = 0;
  return (tag) => {
    while (k < tags.length && (tags[k] ?? 0) < tag) k++;
    return tags[k] === tag;
  };
}

/** As `tags.filter`, which takes five times as long. */
export function kept(tags: Uint32Array, keep: (tag: number, index: number) => boolean): Uint32Array {
  const found = new Uint32Array(tags.length);
  let count = 0;
  for (let i = 0; i < tags.length; i++) {
    const tag = tags[i] ?? 0;
    if (keep(tag, i)) found[count++] = tag;
  }
  return found.slice(0, count);
}

function ascending(tags: Uint32Array): Uint32Array {
  for (let i = 1; i < tags.length; i++) {
    if ((tags[i] ?? 0) <= (tags[i - 1] ?? 0)) return Uint32Array.from(new Set(tags)).sort();
  }
  return tags;
}

showAs(TagList, ({ length, hightag, values }) => {
  const range = length === 0 ? "" : `, ${values[0]} to ${values[length - 1]}`;
  return `${counted(length, "tag")} of HighTag ${hightag}${range}`;
});
