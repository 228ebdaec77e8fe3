import { badArgument } from "./guards.ts";
import { asTags, isIn, kept, MAX_TAG } from "./tags.ts";

/** Tags at equal steps, both ends included: `[250018001, 250018599, 2]` are 300 tags at 30 Hz. */
export type TagRange = readonly [first: number, last: number, step: number];

/** Ascending tags, each once, as few ranges. */
export function tagRanges(tags: Uint32Array): TagRange[] {
  const ranges: TagRange[] = [];
  for (let i = 0; i < tags.length; ) {
    const first = tags[i] ?? 0;
    const step = (tags[i + 1] ?? first + 1) - first;
    let end = i;
    while (end + 1 < tags.length && (tags[end + 1] ?? 0) - (tags[end] ?? 0) === step) end++;
    // Two tags far from each other are no series: the second may begin one.
    if (end === i + 1 && end + 1 < tags.length && step > 1) end = i;
    ranges.push([first, tags[end] ?? first, end === i ? 1 : step]);
    i = end + 1;
  }
  return ranges;
}

/** The tags of ranges, ascending, each once. @throws BAD_ARGUMENT for what is no range */
export function tagsOfRanges(ranges: readonly TagRange[]): Uint32Array {
  const tags: number[] = [];
  for (const range of ranges) {
    const [first, last, step] = range;
    const isRange = [first, last, step].every(Number.isInteger) && first >= 0 && step >= 1 && last <= MAX_TAG;
    if (!isRange || last < first) throw badArgument("a range of tags", range, "[first, last, step]");
    for (let tag = first; tag <= last; tag += step) tags.push(tag);
  }
  return ascendingOnce(asTags(tags));
}

/** Tags for a message: `250018001 to 250018599 in steps of 2 (300)`; the first ranges of many. */
export function showTags(tags: Uint32Array, limit = 4): string {
  const ranges = tagRanges(tags);
  const shown = ranges.slice(0, limit).map(([first, last, step]) => {
    if (first === last) return String(first);
    const steps = step === 1 ? "" : ` in steps of ${step}`;
    return `${first} to ${last}${steps} (${(last - first) / step + 1})`;
  });
  return `${shown.join(", ")}${ranges.length > limit ? `, … (${tags.length} in all)` : ""}`;
}

/** The tags of both of two ascending lists. */
export function commonTags(a: Uint32Array, b: Uint32Array): Uint32Array {
  return kept(a, isIn(b));
}

/** The tags of an ascending list that are not in the other one. */
export function tagsWithout(a: Uint32Array, b: Uint32Array): Uint32Array {
  const isInB = isIn(b);
  return kept(a, (tag) => !isInB(tag));
}

/** Tags in any order, ascending and each once; the same list when it is that already. */
export function ascendingOnce(tags: Uint32Array): Uint32Array {
  for (let i = 1; i < tags.length; i++) {
    if ((tags[i] ?? 0) > (tags[i - 1] ?? 0)) continue;
    const sorted = tags.slice().sort();
    return sorted.filter((tag, k) => k === 0 || tag !== sorted[k - 1]);
  }
  return tags;
}
