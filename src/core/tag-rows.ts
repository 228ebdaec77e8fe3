import { bytesOf } from "./bytes.ts";
import { type Column, emptyColumn, STATUS_MISSING } from "./syncdb.ts";
import { lowerBound } from "./tags.ts";

/** Where tags stand in a list, which need not be in order. */
export class TagRows {
  /** In the order of the list. */
  readonly listed: Uint32Array;
  /** Only for a list that is not ascending: of a long one the map takes more memory than all its signals. */
  readonly #rows: ReadonlyMap<number, number> | undefined;

  constructor(listed: Uint32Array) {
    this.listed = listed;
    if (!isAscending(listed)) this.#rows = new Map(Array.from(listed, (tag, row) => [tag, row]));
  }

  /** Whether a tag is listed twice. */
  get hasTwice(): boolean {
    return this.#rows !== undefined && this.#rows.size !== this.listed.length;
  }

  /** All tags, ascending. */
  get ascending(): Uint32Array {
    return this.#rows === undefined ? this.listed : this.listed.slice().sort();
  }

  /** Position of a tag; undefined when it is not listed. */
  rowOf(tag: number): number | undefined {
    if (this.#rows !== undefined) return this.#rows.get(tag);
    const row = lowerBound(this.listed, tag);
    return this.listed[row] === tag ? row : undefined;
  }

  /** The entries of some tags of a column over the list; missing where a tag is not listed. */
  pick(column: Column, tags: Uint32Array): Column {
    const { equipId, unit, values, status } = column;
    const from = this.#piece(tags);
    if (from !== undefined) {
      const to = from + tags.length;
      return { equipId, unit, values: values.slice(from, to), status: status.slice(from, to) };
    }
    const picked = emptyColumn(equipId, unit, tags.length);
    for (let i = 0, row: number | undefined = -1; i < tags.length; i++) {
      const tag = tags[i] ?? 0;
      // Most are asked for in the order of the list.
      const next: number = (row ?? -1) + 1;
      row = this.listed[next] === tag ? next : this.rowOf(tag);
      if (row === undefined) continue;
      picked.values[i] = values[row] ?? NaN;
      picked.status[i] = status[row] ?? STATUS_MISSING;
    }
    return picked;
  }

  /** Whether these are the tags of the list, in its order. */
  isWhole(tags: Uint32Array): boolean {
    return tags.length === this.listed.length && this.#piece(tags) === 0;
  }

  /** Row of the first of the tags, when they are a piece of the list. */
  #piece(tags: Uint32Array): number | undefined {
    const from = this.rowOf(tags[0] ?? -1);
    if (from === undefined) return undefined;
    const listed = this.listed.subarray(from, from + tags.length);
    return Buffer.compare(bytesOf(listed), bytesOf(tags)) === 0 ? from : undefined;
  }
}

function isAscending(tags: Uint32Array): boolean {
  for (let i = 1; i < tags.length; i++) if ((tags[i] ?? 0) <= (tags[i - 1] ?? 0)) return false;
  return true;
}
