import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyColumn, entryOf, type MissingReason, roundToText, setEntry } from "../../../src/core/syncdb.ts";
import { MAX_TAG } from "../../../src/core/tags.ts";
import {
  formatSyncdaq,
  formatTagList,
  formatTimingCsv,
  parseSyncdaq,
  parseTagList,
  TimingEdges,
  timingEdges,
} from "../../../src/db/index.ts";
import { itWithSharedData, sharedData } from "../../support/optional.ts";

const anyTag = fc.nat(MAX_TAG);

const tagListSample = "det,MPCCD-8-2-001-1,MPCCD-8-2-001-2\n219817026\n219817028\n219817030\n";
const syncdaqSample =
  "210554288, 7.22600e-02V\n210554290, -1.50000e-03V\n210554724, not-converged\n210554726, saturated\n210554728, missing\ntotal 5\n";
const timingSample =
  "[TMA 14 BL3 201802]\ntag_number,timing_edge_derivative(pixel),timing_edge_fitting(pixel)\n710248580,913.5,915.855384\n710248582,NaN,NaN\n710248586,1021.0,1019.412037\n";

describe("tag lists", () => {
  it("are read and written as MakeTagList writes them", () => {
    const list = parseTagList(tagListSample);
    expect(list.detectors).toEqual(["MPCCD-8-2-001-1", "MPCCD-8-2-001-2"]);
    expect([...list.tags]).toEqual([219817026, 219817028, 219817030]);
    expect(formatTagList(list)).toBe(tagListSample);
  });

  it("may have Windows line ends, blanks and empty lines at the end", () => {
    expect(parseTagList("\uFEFFdet, OPAL-1 \r\n 5 \r\n7\r\n\r\n")).toEqual({
      detectors: ["OPAL-1"],
      tags: Uint32Array.of(5, 7),
    });
    expect(parseTagList("det,\n")).toEqual({ detectors: [], tags: new Uint32Array(0) });
  });

  it("go round", () => {
    const ids = fc.array(fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/));
    fc.assert(
      fc.property(ids, fc.array(anyTag), (detectors, tags) => {
        expect(parseTagList(formatTagList({ detectors, tags }))).toEqual({ detectors, tags: Uint32Array.from(tags) });
      }),
    );
  });

  it.each<[string, string, RegExp]>([
    ["empty", "", /Line 1 of the tag list is "".*det,/],
    ["no header", "219817026\n", /Line 1.*"219817026"/],
    ["a word", "det,a\n12\nabc\n", /Line 3.*"abc"/],
    ["a tag too large", "det,a\n4294967296\n", /Line 2.*"4294967296".*4294967295/],
    ["a negative tag", "det,a\n-1\n", /Line 2/],
    ["a fraction", "det,a\n1.5\n", /Line 2/],
    ["an empty line inside", "det,a\n1\n\n2\n", /Line 3 .*""/],
  ])("with %s are refused, naming the line", (_, text, message) => {
    expect(() => parseTagList(text)).toThrow(
      expect.objectContaining({ code: "BAD_TEXT", message: expect.stringMatching(message) }),
    );
  });

  it.each(["a,b", "a\nb", "", " a"])("cannot be written with detector id %j", (id) => {
    expect(() => formatTagList({ detectors: [id], tags: [] })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});

describe("syncdaq_get output", () => {
  it("is read with unit and reasons, and written alike", () => {
    const { tags, column } = parseSyncdaq("a/voltage", syncdaqSample);
    expect([...tags]).toEqual([210554288, 210554290, 210554724, 210554726, 210554728]);
    expect(column).toMatchObject({ equipId: "a/voltage", unit: "V" });
    expect([0, 1, 2, 3, 4].map((i) => entryOf(column, i))).toEqual([
      { value: 0.07226, unit: "V" },
      { value: -0.0015, unit: "V" },
      { reason: "not-converged" },
      { reason: "saturated" },
      { reason: "missing" },
    ]);
    expect(formatSyncdaq(tags, column)).toBe(syncdaqSample);
  });

  it("takes a value without a leading number as missing, as scripts do", () => {
    expect(parseSyncdaq("a", "1, whatever\n2, 1\ntotal 2").column.status).toEqual(Uint8Array.of(3, 0));
  });

  it("goes round", () => {
    const number = fc
      .double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 })
      .map((x) => roundToText(x) + 0);
    const reason = fc.constantFrom<MissingReason>("not-converged", "saturated", "missing");
    const entries = fc.array(fc.tuple(anyTag, fc.oneof(number, reason)));
    fc.assert(
      fc.property(entries, fc.constantFrom("C", "V", "a.u.", "pulse", "keV", ""), (list, unit) => {
        // A unit is known from a number only.
        const known = list.some(([, entry]) => typeof entry === "number") ? unit : "";
        const column = emptyColumn("a/b", known, list.length);
        list.forEach(([, entry], i) => {
          setEntry(column, i, entry);
        });
        const tags = list.map(([tag]) => tag);
        expect(parseSyncdaq("a/b", formatSyncdaq(tags, column))).toEqual({ tags: Uint32Array.from(tags), column });
      }),
    );
  });

  it.each<[string, string, RegExp]>([
    ["empty", "", /Line 1/],
    ["cut before its end", "1, 2V\n2, 3V\n", /Line 2 .*"2, 3V".*total 1/],
    ["one line short", "1, 2V\ntotal 2\n", /Line 2 .*"total 2".*total 1/],
    ["without a comma", "1 2V\ntotal 1", /Line 1 .*"1 2V"/],
    ["without a value", "1, 2V\n2,  \ntotal 2", /Line 2/],
    ["with a bad tag", "x, 2V\ntotal 1", /Line 1 .*tag/],
    ["in two units", "1, 2V\n2, saturated\n3, 2C\ntotal 3", /Line 3 .*"3, 2C".*"V"/],
  ])("%s is refused, naming the line", (_, text, message) => {
    expect(() => parseSyncdaq("a", text)).toThrow(
      expect.objectContaining({ code: "BAD_TEXT", message: expect.stringMatching(message) }),
    );
  });

  it("is not written with more tags than values", () => {
    expect(() => formatSyncdaq([1, 2], emptyColumn("a", "V", 1))).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});

describe("timing-monitor CSV", () => {
  it("is looked up by tag: no edge is NaN, no row is undefined", () => {
    const edges = timingEdges(timingSample);
    expect(edges.comment).toBe("[TMA 14 BL3 201802]");
    expect(edges.at(710248580)).toEqual({ derivativePx: 913.5, fittingPx: 915.855384, delay: NaN });
    expect(edges.at(710248582)).toEqual({ derivativePx: NaN, fittingPx: NaN, delay: NaN });
    expect(edges.at(710248584)).toBeUndefined();
    expect(edges.delay).toBeUndefined();
    expect(formatTimingCsv(edges)).toBe(timingSample);
  });

  it("may have a fourth column, and no rows", () => {
    const head = "[x]\ntag_number,timing_edge_derivative(pixel),timing_edge_fitting(pixel),delay(fs)\n";
    const edges = timingEdges(`${head}5,1,2,-3.5e2\n`);
    expect(edges.delay?.name).toBe("delay(fs)");
    expect(edges.at(5)).toEqual({ derivativePx: 1, fittingPx: 2, delay: -350 });
    expect(timingEdges(head).tags).toHaveLength(0);
  });

  it("goes round", () => {
    const value = fc.double({ noDefaultInfinity: true }).map((x) => x + 0);
    const rows = fc.uniqueArray(fc.tuple(anyTag, value, value, value), { selector: ([tag]) => tag });
    fc.assert(
      fc.property(rows, fc.option(fc.constant("delay(fs)")), (list, name) => {
        const at = (k: 1 | 2 | 3): Float64Array => Float64Array.from(list, (row) => row[k]);
        const tags = list.map(([tag]) => tag);
        const delay = name === null ? undefined : { name, values: at(3) };
        const edges = new TimingEdges({ comment: "[c]", tags, derivativePx: at(1), fittingPx: at(2), delay });
        expect(timingEdges(formatTimingCsv(edges))).toEqual(edges);
      }),
    );
  });

  const head = "[x]\ntag_number,timing_edge_derivative(pixel),timing_edge_fitting(pixel)\n";
  it.each<[string, string, RegExp]>([
    ["empty", "", /Line 1 .*begins with \[/],
    ["without its first line", head.slice(4), /Line 1 .*"tag_number/],
    ["without a header", "[x]\n5,1,2\n", /Line 2 .*"5,1,2"/],
    ["with a short row", `${head}5,1\n`, /Line 3 .*"5,1".*3 values/],
    ["with a long row", `${head}5,1,2,3\n`, /Line 3/],
    ["with an empty value", `${head}5,1,\n`, /Line 3 .*numbers or NaN/],
    ["with a word", `${head}5,1,2\n6,1,none\n`, /Line 4 .*"6,1,none"/],
    ["with a tag twice", `${head}5,1,2\n5,1,2\n`, /Line 4 .*no row yet/],
  ])("%s is refused, naming the line", (_, text, message) => {
    expect(() => timingEdges(text)).toThrow(
      expect.objectContaining({ code: "BAD_TEXT", message: expect.stringMatching(message) }),
    );
  });

  it("is not written from columns that do not fit", () => {
    const one = Float64Array.of(1);
    const write = (change: object) => () =>
      formatTimingCsv({ comment: "[c]", tags: [1], derivativePx: one, fittingPx: one, ...change });
    expect(write({})).not.toThrow();
    for (const change of [
      { comment: "c" },
      { tags: [1, 2] },
      { fittingPx: new Float64Array(0) },
      { delay: { name: "a,b", values: one } },
    ]) {
      expect(write(change)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    }
    expect(write({ derivativePx: Float64Array.of(Infinity) })).toThrow(/tag 1 is Infinity/);
    expect(write({ tags: [1, 1], derivativePx: new Float64Array(2), fittingPx: new Float64Array(2) })).toThrow(/once/);
  });
});

describe("the facility's own files", () => {
  const read = (name: string): string => readFileSync(join(sharedData, name), "utf8");

  itWithSharedData("go round byte for byte", () => {
    expect(formatTagList(parseTagList(read("206178.taglist.txt")))).toBe(read("206178.taglist.txt"));
    const { tags, column } = parseSyncdaq("xfel_bl_3_tc_bm_1_pd/charge", read("206178.syncdaq.txt"));
    expect([...tags]).toEqual([219817020, 219817022, 219817024, 219817026, 219817028, 219817030]);
    expect(column.unit).toBe("C");
    expect([...column.status]).toEqual([1, 0, 1, 0, 0, 2]);
    expect(formatSyncdaq(tags, column)).toBe(read("206178.syncdaq.txt"));
    const edges = timingEdges(read("206178.tma.csv"));
    expect(edges.at(219817030)?.fittingPx).toBe(1019.412037);
    expect(formatTimingCsv(edges)).toBe(read("206178.tma.csv"));
  });
});
