import { describe, expect, it } from "vitest";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";

describe("new runs", () => {
  it("appear, run, pause, run on and stop, in virtual time", () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    const next = (facility.runs(3, 1)[0] ?? 0) + 1;
    const seen: number[] = [];
    for (let t = 0; t < 20; t += 0.25) {
      const status = facility.runStatus(3, next);
      if (seen.at(-1) !== status) seen.push(status);
      clock.advance(0.25);
    }
    expect(seen).toEqual([-1, 2, 1, 2, 0]);
  });

  it("follow one another on every beamline with a pause between", () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    for (const bl of [1, 2, 3]) expect(facility.runStatus(bl, (facility.runs(bl, 1)[0] ?? 0) + 1)).toBe(-1);
    const before = [1, 2, 3].map((bl) => facility.runs(bl, 1)[0] ?? 0);
    clock.advance(60);
    for (const [i, bl] of [1, 2, 3].entries()) {
      const runs = facility.runs(bl, 5);
      expect(runs.length).toBe(5);
      expect(runs.at(-1)).toBeGreaterThanOrEqual((before[i] ?? 0) + 3);
      const first = facility.runInfo(bl, (before[i] ?? 0) + 1);
      const second = facility.runInfo(bl, (before[i] ?? 0) + 2);
      expect(first.runstatus).toBe(0);
      expect(second.starttime - first.stoptime).toBeGreaterThan(1);
      expect(first.stoptime - first.starttime).toBeGreaterThanOrEqual(10);
      expect(first.stoptime - first.starttime).toBeLessThanOrEqual(20);
    }
  });

  it("grow while they run and keep their tags when they have stopped", () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    const run = (facility.runs(2, 1)[0] ?? 0) + 1;
    clock.advance(5);
    const early = facility.runInfo(2, run);
    const earlyTags = facility.tags(2, run);
    clock.advance(3);
    const later = facility.runInfo(2, run);
    expect(early.runstatus).toBe(2);
    expect(later.total_tagnumber - early.total_tagnumber).toBe(180);
    expect(later.stoptime - early.stoptime).toBeCloseTo(3, 6);
    expect(earlyTags.at(-1)).toBeLessThan(early.end_tagnumber);
    expect(facility.tags(2, run).subarray(0, earlyTags.length)).toEqual(earlyTags);
    clock.advance(100);
    expect(facility.tags(2, run)).toHaveLength(360);
  });

  it("store no image while paused", () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock, missingRate: 0 });
    const run = (facility.runs(3, 1)[0] ?? 0) + 1;
    clock.advance(60);
    const tags = facility.tags(3, run);
    const gaps = tags.slice(1).map((tag, i) => tag - (tags[i] ?? 0));
    expect([...gaps.filter((gap) => gap !== 2)]).toEqual([122]);
    const [inside] = tags.slice(gaps.indexOf(122));
    expect(facility.readFrame(3, run, "MPCCD-2N0-M02-001-1", (inside ?? 0) + 60, new Float32Array(1024 * 512))).toBe(
      false,
    );
  });

  it("come faster with speed and not at all at speed 0", () => {
    const clock = new VirtualClock();
    const fast = createSimulatedFacility({ clock, speed: 100 });
    const still = createSimulatedFacility({ clock, speed: 0 });
    const before = still.runs(3, 1)[0] ?? 0;
    clock.advance(3);
    expect(still.runs(3, 1)[0]).toBe(before);
    expect((fast.runs(3, 1)[0] ?? 0) - before).toBe(20);
  });

  it("have no values in the future", () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    const id = "xfel_bl_3_st_2_motor_1/position";
    const [hightag, newest] = facility.newestTag(id);
    const tags = Uint32Array.of(newest, newest + 2);
    expect([...facility.column(id, hightag, tags).status]).toEqual([0, 3]);
    clock.advance(1);
    expect([...facility.column(id, hightag, tags).status]).toEqual([0, 0]);
  });

  it("refuses a clock that goes back", () => {
    expect(() => new VirtualClock().advance(-1)).toThrow(/seconds is -1/);
  });
});
