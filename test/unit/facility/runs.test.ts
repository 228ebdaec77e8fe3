import { describe, expect, it } from "vitest";
import { hightagAt } from "../../../src/core/japan.ts";
import { experiments, unixSecondsOf } from "../../../src/facility/experiments.ts";
import { createSimulatedFacility, demoRun, VirtualClock } from "../../../src/facility/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";

const facility = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0 });
const endpoint = inProcess(endpointOf(facility));

describe("the talk's runs", () => {
  it("gives the run info of 651251 as printed, keys in the printed order", async () => {
    const info = await endpoint.call("db.readRuninfo", { bl: 3, run: 651251 });
    const printed = {
      starttime: 1521205345.631467,
      stoptime: 1521205513.202747,
      total_tagnumber: 10000,
      start_tagnumber: 340377562,
      end_tagnumber: 340387562,
      hightagnumber: 201801,
      comment: "A CD-2B1-M03-001,stor1_09,stor1_10",
      runtype: "",
      stationnumber: 4,
      runstatus: 0,
    };
    expect(info).toEqual(printed);
    expect(Object.keys(info)).toEqual(Object.keys(printed));
  });

  it("has the detectors each listing reads", () => {
    const sensors = (id: string, n: number) => [id, ...Array.from({ length: n }, (_, i) => `${id}-${i + 1}`)];
    expect(facility.detectors(3, 651236)).toEqual(sensors("MPCCD-2B1-M03-001", 2));
    expect(facility.detectors(3, 651264)).toEqual(sensors("MPCCD-2B1-M03-001", 2));
    expect(facility.detectors(3, 1360991)).toEqual(sensors("MPCCD-2N0-M02-001", 2));
    expect(facility.detectors(2, 220934)).toEqual(sensors("MPCCD-8B0-2-008", 8));
    expect(facility.runStatus(3, 1081050)).toBe(0);
  });

  it("says dark in the comment of a dark run and nowhere else", () => {
    expect(facility.runInfo(3, 651264).comment).toContain("dark");
    expect(facility.runInfo(3, 651236).comment).not.toContain("dark");
  });

  it("has a newest finished run of beamline 3 that is later than the talk's", () => {
    expect(facility.runs(3, 1)[0]).toBeGreaterThanOrEqual(1360991);
    expect(facility.runStatus(3, facility.runs(3, 1)[0] ?? -1)).toBe(0);
  });
});

describe("tags of a run", () => {
  it.each([
    [3, 651251, 1, 10000],
    [2, 220934, 2, 300],
    [1, 28_025, 6, 100],
    [demoRun.bl, demoRun.run, 2, 300],
  ])("on beamline %i, run %i, step by %i and are %i", (bl, run, step, images) => {
    const { start_tagnumber: start, end_tagnumber: end, total_tagnumber: total } = facility.runInfo(bl, run);
    const tags = facility.tags(bl, run);
    expect(tags.length).toBe(images);
    expect(tags[0]).toBe(start);
    expect(new Set(tags.slice(1).map((tag, i) => tag - (tags[i] ?? 0)))).toEqual(new Set([step]));
    // The end is exclusive and total_tagnumber counts 60 Hz tags.
    expect(tags.at(-1)).toBe(end - step);
    expect(total).toBe(end - start);
  });

  it("begin at odd numbers for some runs and at even ones for others", () => {
    expect((facility.tags(2, 220934)[0] ?? 0) % 2).toBe(1);
    expect((facility.tags(3, demoRun.run)[0] ?? 1) % 2).toBe(0);
  });
});

describe("the run table", () => {
  it("knows no run outside its ranges", async () => {
    for (const run of [0, -5, 651229, 651271, 999_999_999]) expect(facility.runStatus(3, run)).toBe(-1);
    await expect(endpoint.call("db.readRuninfo", { bl: 3, run: 651271 })).rejects.toMatchObject({
      code: "UNKNOWN_RUN",
    });
    await expect(endpoint.call("db.readRunstatus", { bl: 4, run: 1 })).rejects.toMatchObject({
      code: "UNKNOWN_BEAMLINE",
    });
  });

  it("has no two experiments of a beamline with the same runs or the same tags, and times that fit the HighTag", () => {
    for (const a of experiments) {
      const lastStart = a.firstTag + (Math.min(a.lastRun, a.firstRun + 20) - a.firstRun) * a.pitchTags;
      for (const tag of [a.firstTag, lastStart + a.tagsPerRun])
        expect(hightagAt(unixSecondsOf(a.hightag, tag) ?? NaN)).toBe(a.hightag);
      expect(a.tagsPerRun).toBeLessThanOrEqual(a.pitchTags);
      for (const b of experiments) {
        if (a === b || a.beamline !== b.beamline || b.firstRun < a.firstRun) continue;
        expect(b.firstRun).toBeGreaterThan(a.lastRun);
        if (a.hightag === b.hightag) expect(b.firstTag).toBeGreaterThanOrEqual(lastStart + a.tagsPerRun);
      }
    }
  });

  it("gives fy_id and detectors to newer runs only", () => {
    expect(facility.runInfo(2, 220934)).toMatchObject({ fy_id: "exp2024-2", detectors: "MPCCD-8B0-2-008" });
    expect(Object.keys(facility.runInfo(3, 1081050))).toHaveLength(10);
  });

  it("has HighTag 201801 at the time of the talk's run, asked in Japan time", async () => {
    expect(
      await endpoint.call("db.readHightagnumberFromtime", { time: "22:02:25", day: 16, month: 3, year: 2018 }),
    ).toBe(201801);
  });

  it("refuses a misspelt option and a rate above 1", () => {
    expect(() => createSimulatedFacility({ sed: 3 } as object)).toThrow(/seed, missingRate, speed, clock/);
    expect(() => createSimulatedFacility({ missingRate: 1.5 })).toThrow(/from 0 to 1/);
  });
});

describe("tags of a beamline", () => {
  it("are listed between two tags, both included, runs or not, across a change of rate", () => {
    // Run 1519990 (60 Hz) ends at its start + 600; the experiment at 30 Hz begins later.
    const { end_tagnumber: end } = facility.runInfo(3, 1_519_990);
    expect([...facility.tagsBetween(3, 202501, end, end + 3)]).toEqual([end, end + 1, end + 2, end + 3]);
    const { start_tagnumber: start } = facility.runInfo(3, 1_519_991);
    expect([...facility.tagsBetween(3, 202501, start - 2, start + 4)]).toEqual([
      start - 2,
      start - 1,
      start,
      start + 2,
      start + 4,
    ]);
    expect([...facility.tagsBetween(2, 202402, 1, 6)]).toEqual([1, 3, 5]);
  });

  it("end at the newest tag and are refused for an unknown HighTag or too long a stretch", () => {
    const [hightag] = facility.newestTag("xfel_bl_3_tc_bm_1_pd/charge");
    const newest = facility.live.nowTag();
    expect(facility.tagsBetween(3, hightag, newest, newest + 100)).toEqual(Uint32Array.of(newest));
    expect(() => facility.tagsBetween(3, 199901, 1, 2)).toThrow(expect.objectContaining({ code: "UNKNOWN_HIGHTAG" }));
    expect(() => facility.tagsBetween(3, hightag, 0, 0xffff_ffff)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});
