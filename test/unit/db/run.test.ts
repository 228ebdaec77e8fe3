import { describe, expect, it } from "vitest";
import { SaclaError } from "../../../src/core/errors.ts";
import { TagList } from "../../../src/core/tags.ts";
import { Db, formatSyncdaq, type Run, RunTags } from "../../../src/db/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { counting } from "../../support/counting.ts";
import { TINY_HIGHTAG, type TinySource, tinySource } from "../../support/tiny-source.ts";

const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const motor = "xfel_bl_3_st_2_motor_1/position";

function open(source: TinySource = tinySource()): Db {
  return new Db(inProcess(endpointOf(source)));
}

async function runTen(source?: TinySource): Promise<Run> {
  return await open(source).run(3, 10);
}

describe("db.run", () => {
  it("gives a run by its number", async () => {
    const run = await runTen();
    expect(run).toMatchObject({ bl: 3, number: 10, hightag: TINY_HIGHTAG, comment: "powder", status: 0 });
    expect(run.startTime.toISOString()).toBe("2025-11-07T03:27:53.666Z");
    expect(run.stopTime.getTime() - run.startTime.getTime()).toBe(200);
    expect(await run.photonEnergyEv()).toBe(10_500);
  });

  it("counts negative numbers from the newest run", async () => {
    const db = open();
    expect((await db.run(3, -1)).number).toBe(12);
    expect((await db.run(3, -3)).number).toBe(10);
    expect((await db.newestRun(3)).number).toBe(12);
    await expect(db.run(3, -4)).rejects.toMatchObject({
      code: "UNKNOWN_RUN",
      message: expect.stringContaining("only 3"),
    });
    await expect(db.run(3, -4)).rejects.toBeInstanceOf(db.APIError);
  });

  it.each([NaN, -1.5, -Infinity])("refuses %s as a run number", async (run) => {
    await expect(open().run(3, run)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("throws APIError for a run that does not exist", async () => {
    const db = open();
    await expect(db.run(3, 13)).rejects.toBeInstanceOf(db.APIError);
    await expect(db.run(3, 13)).rejects.toMatchObject({ code: "UNKNOWN_RUN", message: expect.stringContaining("12") });
  });

  it("keeps a snapshot until it is refreshed", async () => {
    const source = tinySource();
    const run = await open(source).run(3, 12);
    source.setStatus(3, 12, 0);
    expect(run.status).toBe(2);
    expect(await run.refresh()).toBe(run);
    expect(run.status).toBe(0);
  });
});

describe("what a run is asked", () => {
  const questions = async (run: Run): Promise<unknown> => ({
    tags: (await run.tags()).values,
    opal: (await run.tags({ detector: "OPAL-234363" })).values,
    detectors: await run.detectors(),
    info: await run.detectorInfo("OPAL-234363"),
    dark: (await run.darkTags()).values,
    exposed: (await run.exposedTags(await run.tags())).values,
  });

  it("is asked once when the run had stopped, and again after a refresh", async () => {
    const endpoint = counting(inProcess(endpointOf(tinySource())));
    const run = await new Db(endpoint).run(3, 10);
    const first = await questions(run);
    expect(new Set(endpoint.asked).size).toBe(endpoint.asked.length);
    const once = endpoint.asked.length;
    expect(await questions(run)).toEqual(first);
    expect(endpoint.asked.length).toBe(once);
    await run.refresh();
    expect(await questions(run)).toEqual(first);
    expect(endpoint.asked.length).toBe(2 * once);
  });

  it("is asked every time while the run goes on: nothing is stale", async () => {
    const source = tinySource();
    const run = await open(source).run(3, 12);
    expect(run.status).toBe(2);
    const before = (await run.tags()).length;
    const shown = source.tags(3, 12);
    source.tags = () => Uint32Array.from([...shown, (shown.at(-1) ?? 0) + 2]);
    expect((await run.tags()).length).toBe(before + 1);
    source.setStatus(3, 12, 0);
    source.tags = () => Uint32Array.from([...shown, (shown.at(-1) ?? 0) + 2, (shown.at(-1) ?? 0) + 4]);
    // Stopped by now, but the run has not been told: still nothing is kept.
    expect((await run.tags()).length).toBe(before + 2);
    source.tags = () => shown;
    expect((await run.tags()).length).toBe(before);
    await run.refresh();
    expect((await run.tags()).length).toBe(before);
    source.tags = () => shown.slice(0, 1);
    expect((await run.tags()).length).toBe(before);
  });

  it("is asked again when it failed, and an aborted signal counts also for what is kept", async () => {
    const source = tinySource();
    const run = await open(source).run(3, 10);
    const good = source.tags.bind(source);
    source.tags = () => {
      throw new SaclaError("UNREACHABLE", "away");
    };
    await expect(run.tags()).rejects.toMatchObject({ code: "UNREACHABLE" });
    source.tags = good;
    expect((await run.tags()).length).toBeGreaterThan(0);
    await expect(run.tags({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("searching", () => {
  const db = open();
  it.each<[string | RegExp, string[]]>([
    ["BM_1", [bm1]],
    ["xfel_bl_3_st_?_motor_*", [motor]],
    ["bm_1*", []],
    ["*bm_1_pd/charge", [bm1]],
    ["xfel.bl", []],
    [/motor_\d\/position$/g, [motor]],
  ])("for %s", async (pattern, found) => {
    expect(await db.searchSignals(pattern)).toEqual(found);
  });

  it("with a global RegExp misses no name", async () => {
    expect(await db.searchSignals(/xfel/g)).toHaveLength(6);
    expect(await (await db.run(3, 10)).signals()).toHaveLength(6);
  });

  it("groups sensors under their detector", async () => {
    expect(await (await runTen()).detectors()).toEqual([
      { id: "MPCCD-1N0-M06-002", sensors: ["MPCCD-1N0-M06-002"] },
      { id: "MPCCD-2N0-1-006", sensors: ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"] },
      { id: "OPAL-234363", sensors: ["OPAL-234363"] },
    ]);
  });
});

describe("run.tags", () => {
  it("are those of the run or of a detector, and stay RunTags through every operation", async () => {
    const run = await runTen();
    const tags = await run.tags();
    expect([...tags]).toEqual([1000, 1002, 1004, 1006, 1008, 1010]);
    const ofSensor = await run.tags({ detector: "MPCCD-2N0-1-006-2" });
    const without = tags.minus(ofSensor);
    expect([...without]).toEqual([1006]);
    expect(without).toBeInstanceOf(RunTags);
    expect(without.run).toBe(run);
    await expect(run.tags({ detector: "CITIUS1" })).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
  });

  it("where keeps what fulfils the condition and accounts for the rest", async () => {
    const tags = await (await runTen()).tags();
    const seen: [number, number][] = [];
    const strong = await tags.where(bm1, (value, tag) => {
      seen.push([value, tag]);
      return value > 1e-9;
    });
    expect([...strong]).toEqual([1006]);
    expect(strong.ledger).toEqual({
      asked: 6,
      used: 1,
      dropped: [
        { reason: "condition", tags: [1000, 1002] },
        { reason: "not-converged", tags: [1004] },
        { reason: "saturated", tags: [1008] },
        { reason: "missing", tags: [1010] },
      ],
    });
    // A condition never sees a value that is not there, so "not above" cannot let one in.
    expect(seen).toEqual([
      [0, 1000],
      [0, 1002],
      [7e-9, 1006],
    ]);
    expect(strong.every(1).ledger).toBeUndefined();
    await expect(tags.where("no/such", () => true)).rejects.toMatchObject({ code: "UNKNOWN_SIGNAL", name: "APIError" });
  });
});

describe("run.column", () => {
  it("has one entry per tag, with unit and reasons", async () => {
    const column = await (await runTen()).column(bm1);
    expect([...column.values]).toEqual([0, 0, NaN, 7e-9, NaN, NaN]);
    expect(column.unit).toBe("C");
    expect(Array.from({ length: 6 }, (_, i) => column.reason(i))).toEqual([
      null,
      null,
      "not-converged",
      null,
      "saturated",
      "missing",
    ]);
    expect([column.text(3), column.text(4)]).toEqual(["7.00000e-09C", "saturated"]);
    expect(formatSyncdaq(column.tags, column)).toMatch(/^1000, 0\.00000e\+00C\n(.*\n){5}total 6\n$/);
    expect(column.at(1006)).toEqual({ value: 7e-9, unit: "C" });
    expect(column.at(1008)).toEqual({ reason: "saturated" });
    expect(column.counts).toEqual({ ok: 3, "not-converged": 1, saturated: 1, missing: 1 });
    expect([...column.finite()]).toEqual([0, 0, 7e-9]);
    expect(column.mean()).toBeCloseTo(7e-9 / 3, 20);
    expect(() => column.at(1001)).toThrow(/1001.*6 tags.*1000 to 1010/);
    expect(() => column.reason(6)).toThrow(/from 0 to 5/);
  });

  it("puts tags in ascending order, each once, and has no mean without numbers", async () => {
    const run = await runTen();
    const column = await run.column(motor, [1008, 1000, 1008]);
    expect([...column.tags]).toEqual([1000, 1008]);
    expect([...column.values]).toEqual([10_000, 10_080]);
    expect((await run.column(bm1, [1004])).mean()).toBeNaN();
    expect((await run.column(bm1, [])).length).toBe(0);
  });

  it("refuses tags of another run or HighTag", async () => {
    const db = open();
    const run = await db.run(3, 10);
    const other = await (await db.run(3, 11)).tags();
    await expect(run.column(motor, other)).rejects.toMatchObject({
      code: "TAG_OUTSIDE_RUN",
      message: expect.stringContaining("1000 to 1011"),
    });
    await expect(run.column(motor, [1012])).rejects.toBeInstanceOf(db.APIError);
    await expect(run.column(motor, [999, 1000])).rejects.toMatchObject({ code: "TAG_OUTSIDE_RUN" });
    await expect(run.column(motor, new TagList(201801, [1000]))).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("201801"),
    });
  });

  it("does not hold a running run to the end it had when it was loaded", async () => {
    const run = await open().run(3, 12);
    expect((await run.column(motor, [3000, 4000])).length).toBe(2);
    await expect(run.column(motor, [2998])).rejects.toMatchObject({ code: "TAG_OUTSIDE_RUN" });
  });
});

describe("run.table", () => {
  it("aligns signals by tag: a missing value shifts nothing", async () => {
    const table = await (await runTen()).table([bm1, motor], [1004, 1006, 1008]);
    expect(table.units).toEqual({ [bm1]: "C", [motor]: "pulse" });
    expect([...table]).toEqual([
      { tag: 1004, values: { [bm1]: "not-converged", [motor]: 10_040 } },
      { tag: 1006, values: { [bm1]: 7e-9, [motor]: 10_060 } },
      { tag: 1008, values: { [bm1]: "saturated", [motor]: 10_080 } },
    ]);
    expect(table.row(1006)).toEqual({ tag: 1006, values: { [bm1]: 7e-9, [motor]: 10_060 } });
    expect(table.at(1008, motor)).toEqual({ value: 10_080, unit: "pulse" });
    expect(() => table.row(1005)).toThrow(/1005/);
    expect(() => table.column("no/such")).toThrow(/no\/such.*bm_1_pd/);
    expect(table.toCsv()).toBe(
      `tag_number,${bm1}(C),${bm1}:status,${motor}(pulse),${motor}:status\n` +
        "1004,,not-converged,10040,ok\n1006,7e-9,ok,10060,ok\n1008,,saturated,10080,ok\n",
    );
  });

  it("refuses no signals, and one twice", async () => {
    const run = await runTen();
    await expect(run.table([])).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(run.table([bm1, bm1])).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(run.table([bm1, "no/such"])).rejects.toMatchObject({ code: "UNKNOWN_SIGNAL" });
  });

  it("quotes names in CSV that would break it", async () => {
    const source = tinySource().setSignal('a,"b"', "", () => 1);
    const table = await (await runTen(source)).table(['a,"b"'], [1000]);
    expect(table.toCsv()).toBe('tag_number,"a,""b""","a,""b"":status"\n1000,1,ok\n');
  });
});
