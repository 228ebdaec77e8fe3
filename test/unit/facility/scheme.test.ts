import { describe, expect, it } from "vitest";
import { createSimulatedFacility, demoRun, simulatedScheme, VirtualClock } from "../../../src/facility/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { openEndpoint } from "../../../src/transport/open.ts";

const open = (url: string) => openEndpoint(url, { sim: simulatedScheme });

describe("sim: addresses", () => {
  it("open a facility with the options they name", async () => {
    const detId = "MPCCD-8N0-3-002-1";
    const count = async (url: string): Promise<number> => {
      const endpoint = await open(url);
      const tags = await endpoint.call("db.readTaglistBydetid", { bl: demoRun.bl, run: demoRun.run, detId });
      await endpoint.close();
      return tags.length;
    };
    expect(await count("sim:?missing=0&clock=virtual")).toBe(300);
    expect(await count("sim:?missing=1")).toBe(0);
    expect(await count("sim:")).toBeGreaterThan(290);
  });

  it("give other shots for another seed and the same for the same", async () => {
    const read = async (url: string): Promise<Float64Array> => {
      const endpoint = await open(url);
      const values = await endpoint.call("db.readSyncdatalistFloat", {
        equipId: "xfel_bl_3_tc_bm_1_pd/charge",
        hightag: 201801,
        tags: Uint32Array.of(340_378_000),
      });
      await endpoint.close();
      return values;
    };
    expect(await read("sim:?seed=7&speed=10&clock=virtual")).toEqual(await read("sim:?seed=7"));
    expect(await read("sim:?seed=8")).not.toEqual(await read("sim:?seed=7"));
  });

  it.each([
    ["sim:?sed=7", /seed \(.*missing \(.*speed \(.*clock \(/],
    ["sim:?seed=1.5", /seed is "1.5", but must be a whole number/],
    ["sim:?seed=", /seed is ""/],
    ["sim:?missing=2", /missing is "2", but must be a number from 0 to 1/],
    ["sim:?speed=-1", /speed is "-1"/],
    ["sim:?speed=Infinity", /speed/],
    ["sim:?clock=atomic", /real, or virtual/],
    ["sim:?seed=1&seed=2", /twice/],
    ["sim:7", /nothing may stand between/],
    ["sim:?toString=1", /there is no option/],
  ])("%s is refused with what is allowed", async (url, message) => {
    await expect(open(url)).rejects.toMatchObject({ code: "BAD_URL", message: expect.stringMatching(message) });
  });

  it("answer through the endpoint as the method table says, images included", async () => {
    const endpoint = await open("sim:?clock=virtual&missing=0");
    const [tag] = await endpoint.call("db.readTaglistByrun", { bl: 2, run: 220_934 });
    const shot = await endpoint.call("st.collect", {
      detId: "MPCCD-8B0-2-008-3",
      bl: 2,
      runs: [220_934],
      tag: tag ?? 0,
    });
    expect(shot.frame.shape).toEqual([1024, 512]);
    expect(shot.info.geometry?.rotationDeg).toBeCloseTo(-90, 0);
    await expect(
      endpoint.call("st.readDetectorInfo", { detId: "MPCCD-8B0-2-008", bl: 2, run: 220_934 }),
    ).rejects.toMatchObject({
      code: "UNKNOWN_DETECTOR",
    });
    await endpoint.close();
    await endpoint.close();
  });

  it("refuse images of a run that is still going on", async () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    const endpoint = inProcess(endpointOf(facility));
    clock.advance(3);
    const run = await endpoint.call("db.readRunnumberNewest", { bl: 3 });
    const { start_tagnumber: tag, runstatus } = await endpoint.call("db.readRuninfo", { bl: 3, run });
    expect(runstatus).toBe(2);
    const ask = () => endpoint.call("st.collect", { detId: "MPCCD-2N0-M02-001-1", bl: 3, runs: [run], tag });
    await expect(ask()).rejects.toMatchObject({ code: "RUN_NOT_READY" });
    clock.advance(20);
    expect((await ask()).run).toBe(run);
    await endpoint.close();
  });
});
