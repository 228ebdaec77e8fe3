import { TAG_RATE_HZ } from "../../core/constants.ts";
import type { TagRows } from "../../core/tag-rows.ts";
import { absenceOf } from "./absence.ts";
import type { H5File } from "./h5file.ts";
import { unlessOdd } from "./h5types.ts";

/** Whole numbers that are written as texts, as some scripts write runs and tags; undefined for anything else. */
export function digitsIn(file: H5File, path: string): Float64Array | undefined {
  if (file.hasNumbers(path)) return undefined;
  const texts = file.texts(path) ?? [file.textOrNone(path) ?? ""];
  return texts.every((text) => /^\d{1,10}$/.test(text)) ? Float64Array.from(texts, Number) : undefined;
}

/** DataConvert stores tags as signed 32-bit: those above 2^31 come out negative. */
export function unsignedTag(tag: number): number {
  return tag < 0 ? tag + 0x1_0000_0000 : tag;
}

/** Whether a number is a tag. */
export function isTag(tag: number): boolean {
  return tag === tag >>> 0;
}

/** The tags of so many images at a path, or in words what is in their place. */
export function tagsOfImages(file: H5File, path: string, images: number): Uint32Array | string {
  const listed = digitsIn(file, path) ?? file.numbersOrNone(path);
  const absence = unlessOdd(() => absenceOf(file, path));
  if (absence !== undefined) return `has no values: ${absence.what}`;
  if (listed === undefined) return `is ${file.described(path) ?? "no dataset"}`;
  if (listed.length !== images) return `has ${listed.length} values for ${images} images`;
  const tags = listed.map(unsignedTag);
  const odd = listed.find((_, i) => !isTag(tags[i] ?? NaN));
  if (odd !== undefined) return `has ${odd}, which is not a tag`;
  return new Set(tags).size === images ? Uint32Array.from(tags) : "names a tag twice";
}

/**
 * Gives a tag without a time that of the tag beside it, and the tags between.
 * @param times - in the order of the list
 */
export function fillTimes(times: Float64Array, rows: TagRows): void {
  const fill = (tags: Uint32Array): void => {
    let last: readonly [tag: number, time: number] | undefined;
    for (const tag of tags) {
      const row = rows.rowOf(tag) ?? NaN;
      const time = times[row] ?? NaN;
      if (Number.isFinite(time)) last = [tag, time];
      else if (last !== undefined) times[row] = last[1] + (tag - last[0]) / TAG_RATE_HZ;
    }
  };
  fill(rows.ascending);
  fill(rows.ascending.toReversed());
}
