import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Column, firstRecorded, STATUS_MISSING } from "../../../src/core/syncdb.ts";
import { TagRows } from "../../../src/core/tag-rows.ts";

const listed = fc.uniqueArray(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 1, maxLength: 40 });

/** Entry `i` is `i`, every fifth is missing. */
function column(length: number): Column {
  return {
    equipId: "x",
    unit: "V",
    values: Float64Array.from({ length }, (_, i) => (i % 5 === 4 ? NaN : i)),
    status: Uint8Array.from({ length }, (_, i) => (i % 5 === 4 ? STATUS_MISSING : 0)),
  };
}

describe("the rows of tags", () => {
  it("gives the entries of any tags as looking up one after the other does", () => {
    fc.assert(
      fc.property(listed, fc.boolean(), fc.array(fc.nat()), fc.nat(), fc.nat(), (tags, isSorted, any, from, length) => {
        const list = Uint32Array.from(isSorted ? tags.sort((a, b) => a - b) : tags);
        const rows = new TagRows(list);
        const all = column(list.length);
        const pieces = [
          list,
          list.slice(from % list.length, (from % list.length) + (length % 9)),
          Uint32Array.from(any, (k) => (k % 3 === 0 ? k : (list[k % list.length] ?? 0))),
        ];
        for (const asked of pieces) {
          const picked = rows.pick(all, asked);
          const expected = Array.from(asked, (tag) => list.indexOf(tag));
          expect([...picked.values]).toEqual(expected.map((row) => (row < 0 ? NaN : all.values[row])));
          expect([...picked.status]).toEqual(expected.map((row) => (row < 0 ? STATUS_MISSING : all.status[row])));
          // Memory of its own.
          picked.values.fill(-1);
          expect(all.values).toEqual(column(list.length).values);
          expect(expected.map((row) => (row < 0 ? undefined : row))).toEqual(
            Array.from(asked, (tag) => rows.rowOf(tag)),
          );
        }
        expect(rows.isWhole(list)).toBe(true);
        expect(rows.isWhole(list.slice(1))).toBe(false);
        expect([...rows.ascending]).toEqual([...list].sort((a, b) => a - b));
      }),
    );
  });

  it("knows a list that names a tag twice, wherever", () => {
    for (const tags of [
      [1, 1, 2],
      [2, 1, 2],
      [3, 2, 1, 3],
    ])
      expect(new TagRows(Uint32Array.from(tags)).hasTwice).toBe(true);
    for (const tags of [[1, 2, 3], [3, 1, 2], []]) expect(new TagRows(Uint32Array.from(tags)).hasTwice).toBe(false);
  });

  it("takes of several columns the first that has a record", () => {
    const part = (values: number[]): Column => ({
      equipId: "x",
      unit: values[0] === 7 ? "C" : "",
      values: Float64Array.from(values),
      status: Uint8Array.from(values, (value) => (Number.isNaN(value) ? STATUS_MISSING : 0)),
    });
    const found = firstRecorded([part([NaN, 2, NaN]), part([7, 8, NaN])]);
    expect(found).toEqual({ ...part([7, 2, NaN]), unit: "C" });
  });
});
