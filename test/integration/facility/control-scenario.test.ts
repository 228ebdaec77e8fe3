import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Facility } from "../../../src/connect.ts";
import { isSaclaError } from "../../../src/core/errors.ts";
import {
  createSimulatedFacility,
  loadScenario,
  RehearsalClock,
  scenarioNames,
  simulatedScheme,
} from "../../../src/facility/index.ts";
import { openEndpoint } from "../../../src/transport/open.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const open = async (url: string): Promise<Facility> => new Facility(await openEndpoint(url, { sim: simulatedScheme }));

describe("scenarios", () => {
  it("come with sacla under their names, and hostile is worse than typical in everything", async () => {
    expect(scenarioNames).toEqual(["calm", "typical", "hostile"]);
    const [calm, typical, hostile] = await Promise.all(scenarioNames.map(loadScenario));
    for (const name of [
      "slip",
      "stuck",
      "late",
      "refused",
      "shutterStuck",
      "tripsPerHour",
      "interlocksPerHour",
      "pulseEnergyDrift",
      "unconverged",
    ] as const) {
      expect(calm?.[name]).toBe(0);
      expect(typical?.[name]).toBeGreaterThan(0);
      expect(hostile?.[name]).toBeGreaterThan(typical?.[name] ?? Infinity);
    }
  });

  it("of one's own say what differs from calm", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "mine.json");
    await writeFile(path, JSON.stringify({ slip: 0.5, missingFrames: 1 }));
    expect(await loadScenario(path)).toMatchObject({ slip: 0.5, stuck: 0, missingFrames: 1 });
    await using facility = await open(`sim:?clock=virtual&scenario=${path}`);
    expect(await facility.db.readTaglistBydetid(3, 1_520_000, "OPAL-234363")).toHaveLength(0);
  });

  it.each([
    ["slip", 1.5, /slip of .* is 1.5/],
    ["tripSeconds", [9, 1], /tripSeconds/],
    ["tripSeconds", [1, 601], /tripSeconds/],
    ["slipp", 0.1, /slipp/],
  ])("are refused when %s is %j", async (name, value, message) => {
    const folder = temporaryFolder();
    const path = join(folder, "mine.json");
    await writeFile(path, JSON.stringify({ [name]: value }));
    await expect(loadScenario(path)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(message),
    });
    await expect(open(`sim:?scenario=${path}`)).rejects.toMatchObject({
      code: "BAD_URL",
      message: expect.stringMatching(message),
    });
    expect(() => createSimulatedFacility({ scenario: { [name]: value } })).toThrow(message);
  });

  it("that are not there or no JSON say so", async () => {
    const folder = temporaryFolder();
    await writeFile(join(folder, "broken.json"), "{");
    await expect(loadScenario(join(folder, "none.json"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(loadScenario(join(folder, "broken.json"))).rejects.toMatchObject({ code: "BAD_TEXT" });
    await expect(open("sim:?scenario=mild")).rejects.toMatchObject({
      code: "BAD_URL",
      message: expect.stringContaining("calm, typical, hostile"),
    });
  });
});

describe("the name of the facility", () => {
  it("says what makes its shots others than those of the default", () => {
    expect(createSimulatedFacility().name).toBe("the simulated facility");
    expect(createSimulatedFacility({ seed: 1, scenario: "calm", speed: 5 }).name).toBe("the simulated facility");
    expect(createSimulatedFacility({ seed: 7, scenario: "hostile" }).name).toBe(
      "the simulated facility (seed 7, scenario hostile)",
    );
    expect(createSimulatedFacility({ missingRate: 0.5 }).name).toContain("missing 0.5");
    const own = (slip: number): string => createSimulatedFacility({ scenario: { slip } }).name;
    expect(own(0.5)).toMatch(/\(scenario of one's own, [0-9a-f]+\)$/);
    expect(own(0.5)).not.toBe(own(0.4));
  });
});

describe("rehearsal time", () => {
  it("stands still until something is controlled; then it moves to what is waited for, and no further", async () => {
    const clock = new RehearsalClock();
    let reached = false;
    const wait = clock.until(5).then(() => {
      reached = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([reached, clock.now()]).toEqual([false, 0]);
    clock.go();
    await Promise.all([wait, clock.until(3)]);
    expect(clock.now()).toBe(5);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(clock.now()).toBe(5);
    const stop = AbortSignal.abort();
    await expect(clock.until(9, stop)).rejects.toMatchObject({ code: "ABORTED" });
  });

  /** A scan as a script writes it: move, take shots, read. */
  async function scan(url: string, points: number): Promise<{ mean: number[]; virtualSeconds: number }> {
    await using facility = await open(url);
    const { db } = facility;
    const signal = "xfel_bl_3_st_2_motor_1/position";
    await using control = await facility.ec.control(3, { name: "test", reason: "scan", pollMs: 2 });
    await control.shutter("bl3_shutter1").open();
    const [, began] = await db.readTagnumberNewest(signal);
    const mean: number[] = [];
    let last = 0;
    for (let i = 0; i < points; i++) {
      await control.axis("bl3_st2_pm001").moveTo(11_000 + 10 * i);
      const [hightag, from] = await db.readTagnumberNewest(signal);
      do [, last] = await db.readTagnumberNewest(signal);
      while (last < from + 60);
      const tags = await db.readTaglist(3, hightag, from + 12, last);
      const places = await db.readSyncdatalistFloat(signal, hightag, tags);
      expect(new Set(places)).toEqual(new Set([11_000 + 10 * i]));
      const charge = await db.readSyncdatalistFloat("xfel_bl_3_tc_bm_1_pd/charge", hightag, tags);
      mean.push(charge.reduce((a, b) => a + b, 0) / charge.length);
    }
    return { mean, virtualSeconds: (last - began) / 60 };
  }

  it("lets a scan of 200 points pass in seconds, the same each time", async () => {
    const { mean, virtualSeconds } = await scan("sim:?clock=virtual", 200);
    expect(mean).toHaveLength(200);
    // Many times what a test may take, so it was not waited for.
    expect(virtualSeconds).toBeGreaterThan(200);
    expect((await scan("sim:?clock=virtual", 10)).mean).toEqual(mean.slice(0, 10));
  });

  it("passes over a trip for whoever asks whether the beam is back", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "trips.json");
    await writeFile(path, JSON.stringify({ tripsPerHour: 12, tripSeconds: [500, 500] }));
    await using facility = await open(`sim:?clock=virtual&scenario=${path}`);
    await using control = await facility.ec.control(3, { name: "test", reason: "trips" });
    await control.shutter("bl3_shutter1").open();
    const flag = "xfel_mon_bpm_bl3_0_3_beamstatus/summary";
    let asked = 0;
    while ((await control.beam()).on && asked < 2000) {
      await facility.db.readTagnumberNewest(flag);
      asked++;
    }
    expect((await control.beam()).why).toContain("tripped");
    const [hightag, off] = await facility.db.readTagnumberNewest(flag);
    let looks = 0;
    while (!(await control.beam()).on && looks < 100) looks++;
    // One more for each trip that began during another.
    expect(looks).toBeLessThan(20);
    const [, on] = await facility.db.readTagnumberNewest(flag);
    expect(on - off).toBeGreaterThan(60 * 30);
    const middle = await facility.db.readTaglist(3, hightag, off + 60, off + 600);
    expect(new Set(await facility.db.readSyncdatalistFloat(flag, hightag, middle))).toEqual(new Set([0]));
  });

  it("lets live shots and runs come as soon as somebody waits for them", async () => {
    await using facility = await open("sim:?clock=virtual&missing=0");
    await using control = await facility.ec.control(3, { name: "test", reason: "live" });
    await control.shutter("bl3_shutter1").open();
    const { run } = await control.startRun({ comment: "live", detectors: ["OPAL-234363"], shots: 40 });
    let shots = 0;
    for await (const shot of facility.live.shots({ bl: 3, detectors: ["OPAL-234363"] })) {
      if (shot.run !== run) continue;
      if (++shots === 20) break;
    }
    while ((await control.runState()).state !== "ready");
    expect(await facility.db.readRunstatus(3, run)).toBe(0);
    expect((await facility.run(3, run)).comment).toBe("live");
  });
});

describe("the simulated facility through its address", () => {
  it("answers ec and lease: one holder, limits with reasons, what it left moving is stopped", async () => {
    await using facility = await open("sim:");
    const described = await facility.endpoint.call("facility.describe", {});
    expect(described.methods).toEqual(expect.arrayContaining(["ec.move", "lease.take", "db.readRuninfo"]));
    const control = await facility.ec.control(3, { name: "night shift", reason: "delay scan" });
    await expect(facility.ec.control(3, { name: "other", reason: "no" })).rejects.toMatchObject({
      code: "LEASE_HELD",
      message: expect.stringContaining("night shift"),
    });
    await expect(control.axis("bl3_st2_pm001").moveTo(1e6)).rejects.toMatchObject({ code: "LIMIT" });
    await control.axis("bl3_st2_pm001").start(50_000);
    await control.release();
    const { state, value } = await facility.endpoint.call("ec.read", { bl: 3, device: "bl3_st2_pm001" });
    expect(["moving", "ready"]).toContain(state);
    expect(value).toBeLessThan(50_000);
  });

  it("meets faults with reasons: each move arrives or says in time why not, and the axis is at rest after it", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "bad.json");
    await writeFile(path, JSON.stringify({ slip: 0.1, stuck: 0.05, refused: 0.1, late: 0.1 }));
    await using facility = await open(`sim:?clock=virtual&seed=3&scenario=${path}`);
    await using control = await facility.ec.control(3, { name: "test", reason: "faults", pollMs: 2, marginMs: 200 });
    const axis = control.axis("bl3_st2_pm001");
    const outcomes = new Map<string, number>();
    for (let i = 0; i < 60; i++) {
      const to = 10_000 + 100 * (i % 7);
      const end = await axis.moveTo(to).then(
        (at) => (at === to ? "arrived" : "elsewhere"),
        (error: unknown) => (isSaclaError(error) ? error.code : "no code"),
      );
      outcomes.set(end, (outcomes.get(end) ?? 0) + 1);
      expect((await axis.read()).state).toBe("ready");
    }
    expect([...outcomes.keys()].sort()).toEqual(["DEVICE_BUSY", "DEVICE_FAULT", "arrived"]);
    expect(outcomes.get("arrived")).toBeGreaterThan(30);
  });
});
