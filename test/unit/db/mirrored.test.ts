import { describe, expect, it } from "vitest";
import { FacilityError, isSaclaError, SaclaError } from "../../../src/core/errors.ts";
import { TagList } from "../../../src/core/tags.ts";
import { APIError, Db } from "../../../src/db/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { callMethods } from "../../../src/transport/methods.ts";
import { TINY_HIGHTAG, tinyDetectors, tinySource } from "../../support/tiny-source.ts";

const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const motor = "xfel_bl_3_st_2_motor_1/position";
const db = new Db(inProcess(endpointOf(tinySource())));

async function failure(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("did not fail");
}

describe("the mirrored functions", () => {
  it("are those the facility's Python has, named by the mechanical rule", () => {
    const python = Object.values(callMethods).flatMap(({ python }) => /^dbpy\.(\w+)\(/.exec(python ?? "")?.[1] ?? []);
    expect(python).toHaveLength(22);
    for (const name of python) {
      const camel = name.replace(/_([a-zA-Z])/g, (_, letter: string) => letter.toUpperCase());
      expect(Reflect.get(db, camel), camel).toBeTypeOf("function");
    }
  });

  it("answer about runs with Python's arguments in Python's order", async () => {
    expect(await db.getApiVersion()).toBe("tiny 1.0");
    expect(await db.readRunnumberNewest(3)).toBe(12);
    expect([await db.readRunstatus(3, 10), await db.readRunstatus(3, 12)]).toEqual([0, 2]);
    const info = await db.readRuninfo(3, 10);
    expect(info).toMatchObject({
      hightagnumber: TINY_HIGHTAG,
      start_tagnumber: 1000,
      end_tagnumber: 1012,
      total_tagnumber: 12,
      runstatus: 0,
    });
    expect(await db.readComment(3, 10)).toBe("powder");
    expect(await db.readStarttime(3, 10)).toBe(info.starttime);
    expect(await db.readStoptime(3, 10)).toBe(info.stoptime);
    expect(await db.readStartTagnumber(3, 10)).toEqual([TINY_HIGHTAG, 1000]);
    expect(await db.readEndTagnumber(3, 10)).toEqual([TINY_HIGHTAG, 1012]);
    expect(await db.readHightagnumber(3, 10)).toBe(TINY_HIGHTAG);
    expect(await db.readHightagnumberFromtime("12:00:00", 17, 3, 2018)).toBe(201801);
    expect(await db.readHightagnumberFromtime("12:00:00", 7, 11, 2025)).toBe(TINY_HIGHTAG);
    expect(await db.readDetidlist(3, 10)).toEqual(tinyDetectors);
    expect(await db.readConfigPhotonenergy(3, 10)).toBe(10.5);
    expect(await db.readConfigPhotonenergyInKeV(3, 10)).toBe(10.5);
  });

  it("answer about tags: the end of a run is exclusive, both ends of readTaglist are inclusive", async () => {
    expect([...(await db.readTaglistByrun(3, 10))]).toEqual([1000, 1002, 1004, 1006, 1008, 1010]);
    expect([...(await db.readTaglistBydetid(3, 10, "MPCCD-2N0-1-006-2"))]).toEqual([1000, 1002, 1004, 1008, 1010]);
    expect([...(await db.readTaglist(3, TINY_HIGHTAG, 1008, 2002))]).toEqual([1008, 1010, 2000, 2002]);
    expect(await db.readTagnumberNewest(bm1)).toEqual([TINY_HIGHTAG, 3002]);
  });

  it("answer about signals, in the order of the tags given, whatever holds them", async () => {
    expect(await db.readSyncdatalist(bm1, TINY_HIGHTAG, [1006, 1000, 1004, 1008, 1010])).toEqual([
      "7.00000e-09C",
      "0.00000e+00C",
      "not-converged",
      "saturated",
      "missing",
    ]);
    expect(await db.readSyncdatalist(motor, TINY_HIGHTAG, new Set([1000]))).toEqual(["10000pulse"]);
    expect([...(await db.readSyncdatalistFloat(bm1, TINY_HIGHTAG, Uint32Array.of(1006, 1004)))]).toEqual([7e-9, NaN]);
    expect([...(await db.readSyncdatalistFloat(motor, TINY_HIGHTAG, new TagList(TINY_HIGHTAG, [1004, 1002])))]).toEqual(
      [10020, 10040],
    );
    expect(await db.readEquiplist()).toHaveLength(6);
    expect(await db.readTimestampFromtag(TINY_HIGHTAG, 1060, bm1)).toBeCloseTo(
      (await db.readTimestampFromtag(TINY_HIGHTAG, 1000, bm1)) + 1,
      6,
    );
  });

  it("answer −1 as the status of a run that does not exist, and APIError everywhere else", async () => {
    expect(await db.readRunstatus(3, 9999)).toBe(-1);
    const ofRun = [
      "Runinfo",
      "Comment",
      "Starttime",
      "Stoptime",
      "StartTagnumber",
      "EndTagnumber",
      "Hightagnumber",
      "TaglistByrun",
      "Detidlist",
    ] as const;
    for (const name of [...ofRun, "ConfigPhotonenergy", "ConfigPhotonenergyInKeV"] as const) {
      const error = await failure(() => db[`read${name}`](3, 9999));
      expect(error, name).toBeInstanceOf(db.APIError);
      expect(isSaclaError(error, "UNKNOWN_RUN"), name).toBe(true);
    }
  });
});

describe("db.APIError", () => {
  it.each<[string, string, () => Promise<unknown>]>([
    ["UNKNOWN_BEAMLINE", "4", () => db.readRunstatus(4, 1)],
    ["UNKNOWN_DETECTOR", "MPCCD-9", () => db.readTaglistBydetid(3, 10, "MPCCD-9")],
    ["UNKNOWN_SIGNAL", "no/such", () => db.readSyncdatalistFloat("no/such", TINY_HIGHTAG, [1000])],
    ["UNKNOWN_HIGHTAG", "201901", () => db.readSyncdatalist(bm1, 201901, [1000])],
  ])("is what the facility refuses: %s", async (code, value, work) => {
    const error = await failure(work);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toBeInstanceOf(FacilityError);
    expect(error).toMatchObject({ code, name: "APIError", message: expect.stringContaining(value) });
  });

  it.each<[string, () => Promise<unknown>]>([
    ["BAD_ARGUMENT", () => db.readSyncdatalistFloat(bm1, TINY_HIGHTAG, [1000.5])],
    ["BAD_ARGUMENT", () => db.readRuninfo(3, NaN)],
    ["BAD_ARGUMENT", () => db.readTaglist(3, TINY_HIGHTAG, 2000, 1000)],
    ["ABORTED", () => db.readRuninfo(3, 10, { signal: AbortSignal.abort() })],
  ])("is not what was asked wrongly or given up: %s", async (code, work) => {
    const error = await failure(work);
    expect(error).toBeInstanceOf(SaclaError);
    expect(error).not.toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code });
  });
});
