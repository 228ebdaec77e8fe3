import type { TagList } from "./tags.ts";

/** Also when a program has several copies of this package, such as one inside a bundle. */
const CUT: unique symbol = Symbol.for("sacla.tagCut");

/** Lets others take the end of a list of tags while its beginning is being read. */
export class TagCut {
  #end: number;
  #begun = 0;

  constructor(tags: TagList) {
    this.#end = tags.length;
    Object.defineProperty(tags, CUT, { value: this });
  }

  /** That of a list; undefined for one that is read to its end. */
  static of(tags: object | undefined): TagCut | undefined {
    return (tags as { readonly [CUT]?: TagCut } | undefined)?.[CUT];
  }

  /** How many tags are for who reads the list. */
  get end(): number {
    return this.#end;
  }

  /** To be asked before the tag at a position is read: whether it is still for who reads the list. */
  begin(position: number): boolean {
    if (position >= this.#end) return false;
    this.#begun = Math.max(this.#begun, position + 1);
    return true;
  }

  /**
   * Leaves the first `most` tags to the reader, or as many as it has begun to read.
   * @returns how many: all of them when the list as such is not read, and nobody would stop
   */
  leave(most: number): number {
    if (this.#begun > 0) this.#end = Math.min(this.#end, Math.max(this.#begun, most));
    return this.#end;
  }
}
