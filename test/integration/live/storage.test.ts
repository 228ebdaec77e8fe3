import { describe, expect, it } from "vitest";
import { Facility } from "../../../src/connect.ts";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { whileBeamRuns } from "../../support/beam.ts";

const camera = "OPAL-234363";
const sensor = "MPCCD-2N0-M02-001-1";
const NEWEST = -1;

/** Beamline 3 some seconds after its live run has begun. */
function beginning(seconds = 3): { clock: VirtualClock; facility: Facility } {
  const clock = new VirtualClock();
  const facility = new Facility(inProcess(endpointOf(createSimulatedFacility({ clock, missingRate: 0 }))));
  clock.advance(seconds);
  return { clock, facility };
}

describe("olpy, mirrored", () => {
  it("lists detectors of all beamlines, each once, or of one", async () => {
    const { live } = beginning().facility;
    const all = await live.readDetidlist();
    expect(all.filter((id) => id === camera).length).toBe(1);
    expect(all).toContain("MPCCD-8B0-2-008-8");
    const octal = ["", "-1", "-2", "-3", "-4", "-5", "-6", "-7", "-8"].map((end) => `MPCCD-8N0-3-002${end}`);
    const dual = ["MPCCD-2N0-M02-001", sensor, "MPCCD-2N0-M02-001-2"];
    expect(await live.readDetidlist(3)).toEqual([...dual, camera, ...octal]);
  });

  it("collects the newest image, gives its real tag and the same pixels as after the run", async () => {
    const { clock, facility } = beginning();
    const { live, st, db } = facility;
    const reader = new live.StorageReader(sensor);
    const buffer = new live.StorageBuffer(reader);
    const tag = await reader.collect(buffer, live.NEWESTTAG);
    const image = buffer.readDetData(0);
    const { run_number: run, tag_number, xsize } = buffer.readDetInfo(0);
    expect([run, tag_number, xsize, image.shape]).toEqual([1_520_001, tag, 512, [1024, 512]]);
    // Images take 50 to 60 ms: at most four tags of 60 Hz, and one more step.
    const newest = (await db.readTaglistByrun(3, 1_520_001)).at(-1) ?? 0;
    expect(newest - tag).toBeGreaterThanOrEqual(2);
    expect(newest - tag).toBeLessThanOrEqual(6);
    clock.advance(20);
    const stored = new st.StorageReader(sensor, 3, [1_520_001]);
    const later = new st.StorageBuffer(stored);
    await stored.collect(later, tag);
    expect(later.readDetData(0).data).toEqual(image.data);
  });

  it("waits for a tag that has not happened yet", async () => {
    const { clock, facility } = beginning();
    const { live } = facility;
    const reader = new live.StorageReader(sensor);
    const buffer = new live.StorageBuffer(reader);
    const tag = (await reader.collect(buffer, NEWEST)) + 60;
    const before = clock.now();
    expect(await whileBeamRuns(clock, reader.collect(buffer, tag))).toBe(tag);
    expect(clock.now() - before).toBeGreaterThan(0.9);
    expect(clock.now() - before).toBeLessThan(1.2);
    await expect(reader.collect(buffer, tag + 60, { timeoutMs: 30 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("walks back from the newest as scripts do, until the images are forgotten", async () => {
    const { facility } = beginning(4.5);
    const { live } = facility;
    const reader = new live.StorageReader(camera, 3);
    const buffer = new live.StorageBuffer(reader);
    const newest = await reader.collect(buffer, NEWEST);
    let tag = newest;
    const walk = async (): Promise<void> => {
      for (; ; tag -= 2) await reader.collect(buffer, tag);
    };
    await expect(walk()).rejects.toMatchObject({
      name: "live.APIError",
      code: "DATA_GONE",
      details: { olCode: -200_010_000, olName: "OL_ERR_TAGDATAGONE" },
    });
    // Two seconds of memory less the way to it.
    expect(newest - tag).toBeGreaterThan(110);
    expect(newest - tag).toBeLessThanOrEqual(120);
  });

  it("refuses tags that no shot has: in between, before the run, far ahead", async () => {
    const { facility } = beginning();
    const { live } = facility;
    const reader = new live.StorageReader(sensor);
    const buffer = new live.StorageBuffer(reader);
    const newest = await reader.collect(buffer, NEWEST);
    for (const tag of [newest - 1, newest - 400, newest + 1000]) {
      await expect(reader.collect(buffer, tag), String(tag - newest)).rejects.toMatchObject({
        code: "TAG_INVALID",
        details: { olCode: -200_050_000, olName: "OL_ERR_TAGINVALID" },
      });
    }
    await expect(reader.collect(buffer, 1)).rejects.toMatchObject({ code: "DATA_GONE" });
    expect(buffer.readDetInfo()["tag_number"]).toBe(newest);
  });

  it("says when there is no image at all, after a bounded wait", async () => {
    // Between the first two runs of beamline 2, whose pause of four seconds is longer than the memory.
    const { clock, facility } = beginning(3 + 12 + 2.5);
    const { live } = facility;
    const reader = new live.StorageReader("MPCCD-8B0-2-008-1");
    const tag = await whileBeamRuns(clock, reader.collect(new live.StorageBuffer(reader), NEWEST));
    expect(tag).toBeGreaterThan((await facility.db.readEndTagnumber(2, 229_001))[1]);
    const still = new VirtualClock();
    const stopped = new Facility(inProcess(endpointOf(createSimulatedFacility({ clock: still, speed: 0 }))));
    const nothing = new stopped.live.StorageReader("MPCCD-8B0-2-008-1");
    await expect(
      nothing.collect(new stopped.live.StorageBuffer(nothing), NEWEST, { timeoutMs: 30 }),
    ).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("wants the beamline when two read a detector of that name, and its own buffer", async () => {
    const { facility } = beginning(8);
    const { live } = facility;
    const reader = new live.StorageReader(camera);
    const buffer = new live.StorageBuffer(reader);
    await expect(reader.collect(buffer, NEWEST)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("1, 3"),
    });
    const ofOne = new live.StorageReader(camera, 1);
    await expect(ofOne.collect(buffer, NEWEST)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    const own = new live.StorageBuffer(ofOne);
    expect(() => own.readDetData()).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(await ofOne.collect(own, NEWEST)).toBeGreaterThan(0);
    const none = new live.StorageReader("MPCCD-9");
    await expect(none.collect(new live.StorageBuffer(none), NEWEST)).rejects.toMatchObject({
      name: "live.APIError",
      code: "UNKNOWN_DETECTOR",
    });
  });
});
