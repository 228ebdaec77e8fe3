import { describe, expect, it } from "vitest";
import { createSimulatedFacility, simulatedEndpoint, VirtualClock } from "../../../src/facility/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";

const request = { comment: "delay scan", detectors: ["OPAL-234363"], shots: 90 };

function facilityAt(seconds: number) {
  const clock = new VirtualClock();
  const facility = createSimulatedFacility({ clock, missingRate: 0 });
  clock.advance(seconds);
  return { clock, facility, control: facility.control };
}

describe("run control", () => {
  it("goes ready, running, stopping, ready; the run continues the numbers and has as many images as asked for", async () => {
    const { clock, facility, control } = facilityAt(20);
    const newest = facility.runs(3, 1)[0] ?? 0;
    expect(await control.runState(3)).toEqual({ run: newest, state: "ready", shots: 0 });
    const { run } = await control.startRun(3, request);
    expect(run).toBe(newest + 1);
    expect(facility.runs(3, 2)).toEqual([newest, run]);
    expect(facility.runStatus(3, run)).toBe(2);
    const seen: string[] = [];
    for (let i = 0; i < 50; i++) {
      const { state } = await control.runState(3);
      if (seen.at(-1) !== state) seen.push(state);
      clock.advance(0.1);
    }
    expect(seen).toEqual(["running", "stopping", "ready"]);
    expect(await control.runState(3)).toEqual({ run, state: "ready", shots: 90 });
    expect(facility.runStatus(3, run)).toBe(0);
    const info = facility.runInfo(3, run);
    expect(info).toMatchObject({
      comment: "delay scan",
      detectors: "OPAL-234363",
      total_tagnumber: 180,
      hightagnumber: 202501,
      runstatus: 0,
    });
    expect(info.stoptime - info.starttime).toBeCloseTo(3, 6);
    const tags = facility.tags(3, run);
    expect(tags).toHaveLength(90);
    expect([tags[0], (tags[1] ?? 0) - (tags[0] ?? 0)]).toEqual([info.start_tagnumber, 2]);
    expect(facility.detectors(3, run)).toEqual(["OPAL-234363"]);
  });

  it("pauses and takes up again: no images meanwhile, and still as many in all", async () => {
    const { clock, facility, control } = facilityAt(20);
    const { run } = await control.startRun(3, request);
    clock.advance(1);
    await control.pauseRun(3);
    expect((await control.runState(3)).state).toBe("paused");
    expect(facility.runStatus(3, run)).toBe(1);
    const { shots } = await control.runState(3);
    clock.advance(100);
    expect((await control.runState(3)).shots).toBe(shots);
    await control.pauseRun(3);
    await control.resumeRun(3);
    clock.advance(10);
    expect(await control.runState(3)).toEqual({ run, state: "ready", shots: 90 });
    const tags = facility.tags(3, run);
    expect(tags).toHaveLength(90);
    const gaps = tags.map((tag, i) => (i === 0 ? 2 : tag - (tags[i - 1] ?? 0))).filter((gap) => gap !== 2);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]).toBeGreaterThanOrEqual(6000);
    expect(facility.column("xfel_bl_3_tc_bm_1_pd/charge", 202501, tags).values).toHaveLength(90);
  });

  it("runs until it is stopped when no number is asked for; stopping, also from a pause, is no error when nothing runs", async () => {
    const { clock, facility, control } = facilityAt(5);
    await control.stopRun(2);
    await control.pauseRun(2);
    const { run } = await control.startRun(2, { comment: "", detectors: [], shots: 0 });
    clock.advance(1000);
    expect(await control.runState(2)).toMatchObject({ run, state: "running" });
    await expect(control.startRun(2, { ...request, detectors: [] })).rejects.toMatchObject({
      code: "DEVICE_BUSY",
      message: expect.stringContaining("running"),
    });
    await control.pauseRun(2);
    clock.advance(1);
    await control.stopRun(2);
    expect(await control.runState(2)).toMatchObject({ state: "stopping" });
    clock.advance(1);
    const { shots } = await control.runState(2);
    expect(shots).toBe(30_000);
    expect(facility.tags(2, run)).toHaveLength(shots);
    await control.stopRun(2);
    await expect(control.resumeRun(2)).rejects.toMatchObject({ code: "DEVICE_BUSY" });
    expect((await control.startRun(2, { comment: "", detectors: [], shots: 5 })).run).toBe(run + 1);
  });

  it("ends the run that began by itself and lets no other begin; the other beamlines go on", async () => {
    const { clock, facility, control } = facilityAt(3);
    const auto = facility.runs(3, 1)[0] ?? 0;
    expect(facility.runStatus(3, auto)).toBe(2);
    const before = facility.tags(3, auto);
    const others = facility.runs(2, 1)[0] ?? 0;
    await control.move("bl3_st2_pm040", 100);
    expect(facility.runStatus(3, auto)).toBe(2);
    clock.advance(300);
    expect(facility.runStatus(3, auto)).toBe(0);
    expect(facility.tags(3, auto)).toEqual(before);
    expect(facility.runs(3, 1)).toEqual([auto]);
    expect(facility.runs(2, 1)[0]).toBeGreaterThan(others + 5);
    expect((await control.startRun(3, request)).run).toBe(auto + 1);
  });

  it("refuses a detector that the beamline has not, naming those it has", async () => {
    const { control, facility, clock } = facilityAt(1);
    await expect(control.startRun(3, { ...request, detectors: ["MPCCD-9"] })).rejects.toMatchObject({
      code: "UNKNOWN_DETECTOR",
      message: expect.stringContaining("MPCCD-2N0-M02-001"),
    });
    await expect(control.move("bl3_st2_pm001", 1e9)).rejects.toMatchObject({ code: "LIMIT" });
    // What is refused takes nothing over: runs go on by themselves.
    clock.advance(60);
    expect(facility.runs(3, 1)[0]).toBeGreaterThan(1_520_003);
  });
});

describe("a controlled run", () => {
  it("is read through db and st when it has stopped, and live while it runs", async () => {
    const { clock, facility, control } = facilityAt(1);
    const endpoint = inProcess(simulatedEndpoint(facility));
    await control.setShutter("bl3_shutter1", true);
    clock.advance(1);
    const { run } = await control.startRun(3, { ...request, shots: 20 });
    clock.advance(0.3);
    const { tags, upTo } = facility.live.shots(3, null);
    // Images are 60 ms on their way.
    const tag = tags.at(-4) ?? 0;
    expect(facility.live.runOf(3, tag)).toBe(run);
    expect(upTo).toBe(facility.live.nowTag());
    await expect(endpoint.call("live.readDetidlist", { bl: 3 })).resolves.toEqual(["OPAL-234363"]);
    const live = await endpoint.call("live.collect", { detId: "OPAL-234363", tag, bl: 3 });
    expect(live.run).toBe(run);
    const ask = () => endpoint.call("st.collect", { detId: "OPAL-234363", bl: 3, runs: [run], tag });
    await expect(ask()).rejects.toMatchObject({ code: "RUN_NOT_READY" });
    clock.advance(5);
    expect((await ask()).frame.data).toEqual(live.frame.data);
    expect(await endpoint.call("db.readTaglistByrun", { bl: 3, run })).toHaveLength(20);
    await endpoint.close();
  });

  it("answers the counters of the stages at each tag, moving or not", async () => {
    const { clock, facility, control } = facilityAt(1);
    await control.move("bl3_st2_pm001", 11_000);
    clock.advance(5);
    const { run } = await control.startRun(3, { ...request, shots: 60 });
    await control.setSpeed("bl3_st2_pm001", 600);
    await control.move("bl3_st2_pm001", 11_600);
    clock.advance(9);
    const tags = facility.tags(3, run);
    const column = facility.column("xfel_bl_3_st_2_motor_1/position", 202501, tags);
    // 600 pulses/s with ramps of 0.015 s: 20 pulses from shot to shot of 1/30 s.
    const steps = column.values.map((value, i) => value - (column.values[i - 1] ?? value)).subarray(2, 28);
    expect(new Set(steps)).toEqual(new Set([20]));
    // The first shot is 1/30 s after the start of both: 600 · (1/30 − 0.015 / 2).
    expect([column.values[0], column.values.at(-1), column.unit]).toEqual([11_016, 11_600, "pulse"]);
    expect((await control.read("bl3_st2_pm001")).value).toBe(11_600);
    const again = facility.column("xfel_bl_3_st_2_motor_1/position", 202501, tags);
    expect(again.values).toEqual(column.values);
  });
});
