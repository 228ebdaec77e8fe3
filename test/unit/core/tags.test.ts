import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TagList } from "../../../src/core/tags.ts";

const tags = fc.uniqueArray(fc.integer({ min: 0, max: 0xffff_ffff }), { maxLength: 60 });
const list = (values: number[], hightag = 201801): TagList => new TagList(hightag, values);

describe("TagList", () => {
  it("sorts, drops doubles and keeps all 32 bits", () => {
    expect([...list([5, 0xffff_ffff, 3, 5])]).toEqual([3, 5, 0xffff_ffff]);
  });

  it("does set operations as sets do", () => {
    fc.assert(
      fc.property(tags, tags, (a, b) => {
        const setB = new Set(b);
        const sorted = (values: Iterable<number>): number[] => [...new Set(values)].sort((x, y) => x - y);
        expect([...list(a).intersect(list(b))]).toEqual(sorted(a.filter((t) => setB.has(t))));
        expect([...list(a).minus(list(b))]).toEqual(sorted(a.filter((t) => !setB.has(t))));
        expect([...list(a).union(list(b))]).toEqual(sorted([...a, ...b]));
      }),
    );
  });

  it("splits into consecutive parts that make the whole", () => {
    fc.assert(
      fc.property(tags, fc.integer({ min: 1, max: 9 }), (values, parts) => {
        const whole = list(values);
        const pieces = whole.split(parts);
        expect(pieces.flatMap((piece) => [...piece])).toEqual([...whole]);
        const lengths = pieces.map((piece) => piece.length);
        expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("reads the step from the tags, whatever is missing", () => {
    expect(list([101, 103, 107, 109]).step).toBe(2);
    expect(list([7, 13, 19]).step).toBe(6);
    expect(list([7]).step).toBe(0);
  });

  it("finds tags, and ranges with both ends included", () => {
    const all = list([10, 12, 14, 16]);
    expect([all.indexOf(14), all.indexOf(13), all.has(10), all.at(-1)]).toEqual([2, -1, true, 16]);
    expect([...all.between(11, 14)]).toEqual([12, 14]);
    expect([...all.every(2, 1)]).toEqual([12, 16]);
  });

  it("refuses to mix HighTags", () => {
    expect(() => list([1]).union(list([1], 201802))).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("201802") }),
    );
  });

  it.each([[-1], [1.5], [2 ** 32], [NaN]])("refuses the tag %s", (tag) => {
    expect(() => list([tag])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
