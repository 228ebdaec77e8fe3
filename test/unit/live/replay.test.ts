import { describe, expect, it } from "vitest";
import { Facility } from "../../../src/connect.ts";
import { VirtualClock } from "../../../src/facility/index.ts";
import { type ReplayLiveOptions, replayLive } from "../../../src/live/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { whileBeamRuns } from "../../support/beam.ts";
import { TinySource, tinySource } from "../../support/tiny-source.ts";

const charge = "xfel_bl_3_tc_bm_1_pd/charge";
const [bl, run] = [3, 11];

async function playing(
  options: Partial<ReplayLiveOptions> = {},
): Promise<{ clock: VirtualClock; source: TinySource; facility: Facility }> {
  const clock = new VirtualClock();
  const source = new TinySource({
    2: [{ run: 5, start: 1, images: 4 }],
    3: [10, 11, 12].map((n) => ({ run: n, start: n * 1000, images: 60 })),
  }).setSignal(charge, "C", (tag) => tag);
  return {
    clock,
    source,
    facility: new Facility(await replayLive(inProcess(endpointOf(source)), { bl, run, clock, ...options })),
  };
}

describe("replayLive", () => {
  it("begins when live shots are asked for, goes on with the clock, and then the run has stopped", async () => {
    const { clock, facility } = await playing();
    const { db, st, live } = facility;
    clock.advance(100);
    expect([await db.readRunnumberNewest(bl), await db.readRunstatus(bl, run), await db.readRunstatus(bl, 12)]).toEqual(
      [11, 2, -1],
    );
    expect([...(await db.readTaglistByrun(bl, run))]).toEqual([]);
    const shots = live.shots({ bl, detectors: ["OPAL-234363"], policy: "every", limit: 30 });
    const tags: number[] = [];
    const work = async (): Promise<void> => {
      for await (const { tag } of shots) tags.push(tag);
    };
    await whileBeamRuns(clock, work());
    expect(tags).toEqual(Array.from({ length: 30 }, (_, i) => 11_000 + 2 * i));
    const soFar = await db.readTaglistByrun(bl, run);
    expect(soFar.length).toBeGreaterThanOrEqual(30);
    expect(soFar.length).toBeLessThan(40);
    const info = await db.readRuninfo(bl, run);
    expect([info.runstatus, info.start_tagnumber]).toEqual([2, 11_000]);
    expect(info.end_tagnumber).toBeLessThan(11_085);
    await expect(
      st
        .shots({ run: { bl, number: run }, detectors: ["OPAL-234363"], tags: [11_000] })
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({
      code: "RUN_NOT_READY",
    });
    clock.advance(2);
    expect([await db.readRunstatus(bl, run), (await db.readTaglistByrun(bl, run)).length]).toEqual([0, 60]);
    expect((await db.readRuninfo(bl, run)).end_tagnumber).toBe(11_120);
  });

  it("hides values until they arrive, and answers for other runs as ever", async () => {
    const { clock, facility } = await playing({ valueDelayMs: 500 });
    const { db } = facility;
    await db.readTagnumberNewest(charge);
    clock.advance(1 + 1 / 60);
    const tags = [11_000, 11_028, 11_032, 11_060];
    expect(await db.readSyncdatalistFloat(charge, 202502, tags)).toEqual(Float64Array.of(11_000, 11_028, NaN, NaN));
    expect(await db.readTagnumberNewest(charge)).toEqual([202502, 11_030]);
    expect(await db.readSyncdatalistFloat(charge, 202502, [10_000])).toEqual(Float64Array.of(10_000));
    expect((await db.readTaglistByrun(bl, 10)).length).toBe(60);
    expect(await db.readComment(2, 5)).toBe("run 5");
    expect([...(await db.readTaglist(bl, 202502, 11_050, 11_090))]).toEqual([
      11_050, 11_052, 11_054, 11_056, 11_058, 11_060,
    ]);
  });

  it("at speed 10 takes a tenth of the time", async () => {
    const { clock, facility } = await playing({ speed: 10 });
    const work = async (): Promise<number> => {
      let n = 0;
      for await (const _ of facility.live.shots({ bl, policy: "every", untilRunEnd: true })) n++;
      return n;
    };
    expect(await whileBeamRuns(clock, work())).toBe(60);
    // A run of 2 s, and a step of 40 ms of the run at each end.
    expect(clock.now()).toBeGreaterThan(0.18);
    expect(clock.now()).toBeLessThan(0.3);
  });

  it("at max needs no clock and loses nothing, however slow the reader", async () => {
    const facility = new Facility(await replayLive(inProcess(endpointOf(tinySource())), { bl, run: 10, speed: "max" }));
    const shots = facility.live.shots({
      bl,
      detectors: ["MPCCD-2N0-1-006"],
      signals: [charge],
      policy: "every",
      untilRunEnd: true,
      missing: "partial",
    });
    const read: unknown[] = [];
    for await (const shot of shots) {
      read.push([shot.tag, Object.keys(shot.images).length, shot.value(charge)]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const beam = { value: 7e-9, unit: "C" };
    expect(read).toEqual([
      [1000, 2, { value: 0, unit: "C" }],
      [1002, 2, { value: 0, unit: "C" }],
      [1004, 2, { reason: "not-converged" }],
      [1006, 1, beam],
      [1008, 2, { reason: "saturated" }],
      [1010, 2, { reason: "missing" }],
    ]);
    expect(shots.ledger.dropped).toEqual([]);
  });

  it("refuses a run that is not there or not over, and speeds that are none", async () => {
    const endpoint = inProcess(endpointOf(tinySource()));
    await expect(replayLive(endpoint, { bl, run: 99 })).rejects.toMatchObject({ code: "UNKNOWN_RUN" });
    await expect(replayLive(endpoint, { bl, run: 12 })).rejects.toMatchObject({ code: "RUN_NOT_READY" });
    for (const speed of [0, -1, NaN, Infinity])
      await expect(replayLive(endpoint, { bl, run: 10, speed })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(replayLive(endpoint, { bl, run: 10, speed: "max", clock: new VirtualClock() })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });

  it("closes what it plays from", async () => {
    const { facility, source } = await playing();
    await facility.close();
    await facility.close();
    expect(source.closed).toBe(1);
  });
});
