import { describe, expect, it } from "vitest";
import { Outages } from "../../../src/facility/control/outages.ts";
import {
  createSimulatedFacility,
  type SimulatedFacilityOptions,
  simulatedEndpoint,
  VirtualClock,
} from "../../../src/facility/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { itInFull } from "../../support/full.ts";

const HIGHTAG = 202501;
const monitor = "xfel_bl_3_tc_bm_1_pd/charge";

async function lit(options: SimulatedFacilityOptions = {}) {
  const clock = new VirtualClock();
  const facility = createSimulatedFacility({ clock, missingRate: 0, ...options });
  const { control } = facility;
  await control.setShutter("bl3_shutter1", true);
  clock.advance(1);
  /** Tags of the next seconds. */
  const shots = (seconds: number): Uint32Array => {
    const from = facility.live.nowTag();
    clock.advance(seconds);
    const tags = facility.tagsBetween(3, HIGHTAG, from + 1, facility.live.nowTag());
    clock.advance(0.2);
    return tags;
  };
  const column = (id: string, tags: Uint32Array) => facility.column(id, HIGHTAG, tags);
  const means = (id: string, tags: Uint32Array): number => {
    const good = column(id, tags).values.filter((value) => !Number.isNaN(value));
    return good.reduce((sum, value) => sum + value, 0) / good.length;
  };
  const set = async (name: string, value: number | string): Promise<void> => {
    await control.set(name, value);
    clock.advance(2);
  };
  return { clock, facility, control, shots, column, means, set };
}

describe("shutters", () => {
  it("take their time: on the way neither open nor closed is valid, and there is no light", async () => {
    const { control, clock, shots, column, facility } = await lit();
    expect(await control.read("bl3_shutter1")).toMatchObject({ state: "ready", value: "open" });
    await control.setShutter("bl3_shutter1", false);
    expect(await control.read("bl3_shutter1")).toMatchObject({ state: "moving" });
    const tags = shots(1);
    const open = column("xfel_bl_3_shutter_1_open_valid/status", tags).values;
    const closed = column("xfel_bl_3_shutter_1_close_valid/status", tags).values;
    expect(open.reduce((a, b) => a + b)).toBe(0);
    // 0.2 s of travel are 6 shots at 30 Hz.
    expect([...closed.subarray(0, 5), closed[7], closed.at(-1)]).toEqual([0, 0, 0, 0, 0, 1, 1]);
    expect(facility.truth.shot(3, HIGHTAG, tags[0] ?? 0).hasXrays).toBe(false);
    expect(await control.read("bl3_shutter1")).toMatchObject({ state: "ready", value: "closed" });
    expect(await control.beam(3)).toEqual({ on: false, why: "bl3_shutter1 is not open" });
    await control.setShutter("bl3_shutter1", true);
    clock.advance(0.5);
    expect(await control.beam(3)).toEqual({ on: true, why: "" });
  });

  it("agree with the monitor from the first lease on, before anything is changed", async () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    await using endpoint = inProcess(simulatedEndpoint(facility));
    const next = async () => {
      const from = facility.live.nowTag();
      clock.advance(1);
      const tags = facility.tagsBetween(3, HIGHTAG, from + 1, facility.live.nowTag());
      clock.advance(0.2);
      const { values } = facility.column(monitor, HIGHTAG, tags);
      const hasXrays = [...tags].map((tag) => facility.truth.shot(3, HIGHTAG, tag).hasXrays);
      const { value } = await endpoint.call("ec.read", { bl: 3, device: "bl3_shutter1" });
      return { value, charge: values.reduce((sum, one) => sum + one, 0) / values.length, hasXrays: new Set(hasXrays) };
    };
    // The run that began with the facility has its dark images first.
    clock.advance(20);
    for (let i = 0; i < 2; i++) expect((await next()).hasXrays).toEqual(new Set([true]));
    const scheduled = await next();
    const asked = { bl: 3, name: "test", reason: "test", ttlMs: 10_000 };
    const { lease } = await endpoint.call("lease.take", asked);
    const dark = await next();
    expect([dark.value, dark.hasXrays]).toEqual(["closed", new Set([false])]);
    expect(dark.charge).toBeLessThan(0.01 * scheduled.charge);
    await endpoint.call("ec.setShutter", { bl: 3, lease, shutter: "bl3_shutter1", open: true });
    clock.advance(1);
    const lit = await next();
    expect([lit.value, lit.hasXrays]).toEqual(["open", new Set([true])]);
    expect(lit.charge).toBeGreaterThan(0.5 * scheduled.charge);
  });

  it("are closed when the beamline is taken over, and closing them takes nothing over", async () => {
    const clock = new VirtualClock();
    const facility = createSimulatedFacility({ clock });
    clock.advance(2);
    await facility.control.setShutter("bl3_shutter1", false);
    await facility.control.stop("bl3_st2_pm001");
    clock.advance(60);
    expect(facility.runs(3, 1)[0]).toBeGreaterThan(1_520_003);
    await facility.control.move("bl3_st2_pm001", 0);
    clock.advance(1);
    const tag = facility.live.nowTag();
    clock.advance(1);
    expect(facility.column("xfel_bl_3_shutter_1_close_valid/status", HIGHTAG, Uint32Array.of(tag)).values[0]).toBe(1);
  });
});

describe("pulse selectors", () => {
  it("let every n-th pulse pass, none, or one", async () => {
    const { shots, facility, set, control, clock } = await lit();
    const passed = (tags: Uint32Array): number[] =>
      [...tags].map((tag) => (facility.truth.shot(3, HIGHTAG, tag).transmission > 0 ? 1 : 0));
    expect(new Set(passed(shots(1)))).toEqual(new Set([1]));
    await set("bl3_selector1", 5);
    const fifth = passed(shots(2));
    expect(fifth.reduce((a: number, b) => a + b, 0)).toBe(fifth.length / 5);
    await set("bl3_selector1", "off");
    expect(new Set(passed(shots(1)))).toEqual(new Set([0]));
    for (let i = 0; i < 3; i++) {
      await control.set("bl3_selector1", "single");
      expect(passed(shots(2)).reduce((a: number, b) => a + b, 0)).toBe(1);
    }
    await control.set("bl3_selector1", "single");
    clock.advance(2);
    expect(await control.read("bl3_selector1")).toMatchObject({ state: "ready", value: "single" });
  });

  it("pick the pumped shots, and the laser shutter stops them", async () => {
    const { shots, column, control, clock, set } = await lit();
    const pumped = (tags: Uint32Array): number =>
      column("xfel_bl_3_lh1_shutter_1_open_valid/status", tags).values.reduce((a, b) => a + b) / tags.length;
    expect(pumped(shots(1))).toBe(0);
    await control.setShutter("bl3_lh1_shutter1", true);
    clock.advance(1);
    expect(pumped(shots(2))).toBe(0.5);
    await set("bl3_lh1_selector1", 1);
    expect(pumped(shots(1))).toBe(1);
    await set("bl3_lh1_selector1", 3);
    expect(pumped(shots(2))).toBeCloseTo(1 / 3, 6);
  });
});

describe("attenuator and amplifiers", () => {
  it("take light from the sample but not from the monitors, by exp(−t/126.6 µm) at 10 keV", async () => {
    const { shots, means, set } = await lit();
    const other = "xfel_bl_3_st_2_pd_user_4_fitting_peak/voltage";
    const before = shots(20);
    await set("bl3_attenuator1", 100);
    const after = shots(20);
    const ratio = means(other, after) / means(monitor, after) / (means(other, before) / means(monitor, before));
    expect(ratio).toBeCloseTo(Math.exp(-100 / 126.6), 2);
    expect(means(monitor, after) / means(monitor, before)).toBeCloseTo(1, 1);
  });

  it("end in `saturated` and `not-converged`; the right gain brings the value back", async () => {
    const { shots, column, set } = await lit();
    // 0.62 V at gain 1; the digitiser clips at 1 V and the fit needs 3 mV.
    const other = "xfel_bl_3_st_2_pd_user_4_fitting_peak/voltage";
    const status = (tags: Uint32Array): Set<number> => new Set(column(other, tags.subarray(5)).status);
    await set("bl3_st2_pd4_gain", 10);
    expect(status(shots(2))).toEqual(new Set([2]));
    await set("bl3_attenuator1", 1000);
    await set("bl3_st2_pd4_gain", 1);
    expect(status(shots(2))).toEqual(new Set([1]));
    await set("bl3_st2_pd4_gain", 1000);
    const good = column(other, shots(4));
    expect(good.status.filter((each) => each === 0).length).toBeGreaterThan(0.9 * good.status.length);
  });

  it("refuse what they have not, naming what they have", async () => {
    const { control } = await lit();
    await expect(control.set("bl3_attenuator1", 33)).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining("1500 µm"),
    });
    await expect(control.set("bl3_id1_k", 2.2)).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining("2.09 to 2.11"),
    });
    await expect(control.set("bl3_id2_k", 2.1)).rejects.toMatchObject({
      code: "UNKNOWN_DEVICE",
      message: expect.stringContaining("bl3_id1_k"),
    });
    await expect(control.set("bl7_x", 1)).rejects.toMatchObject({ code: "UNKNOWN_DEVICE" });
  });
});

describe("K of ID1", () => {
  it("moves what one undulator of 18 can: its share of the photon energy, and of the pulse energy", async () => {
    const { shots, means, set, control, facility } = await lit();
    const before = shots(20);
    await set("bl3_id1_k", 2.101);
    const { run } = await control.startRun(3, { comment: "", detectors: [], shots: 1 });
    // 1 / (1 + K²/2) of ID1 is 6.5e-4 lower, so it still lases by exp(−0.65²); an 18th of that is seen.
    const off = (1 + 2.1 ** 2 / 2) / (1 + 2.101 ** 2 / 2) - 1;
    const shift = (off * Math.exp(-((off / 1e-3) ** 2))) / 18;
    expect(shift).toBeLessThan(-2e-5);
    expect(facility.photonEnergyKev(3, run)).toBeCloseTo(10 * (1 + shift), 9);
    expect(facility.photonEnergyKev(3, 1_520_000)).toBe(10);
    await set("bl3_id1_k", 2.11);
    const after = shots(60);
    const ratio = means("xfel_bl_3_tc_spec_1/energy", after) / means("xfel_bl_3_tc_spec_1/energy", before);
    expect(Math.abs(ratio - 1)).toBeLessThan(2e-4);
    // One of 18: 5.6 %.
    const loss = 1 - means(monitor, after) / means(monitor, before);
    expect(Math.abs(loss - 1 / 18)).toBeLessThan(0.03);
  });
});

describe("beam trips, drifts and interlocks", () => {
  it("trips: no beam in the signals for as long as beam() says why, then it comes back", async () => {
    const { control, clock, shots, column } = await lit({ scenario: { tripsPerHour: 60, tripSeconds: [5, 10] } });
    let agreed = 0;
    const states: boolean[] = [];
    for (let i = 0; i < 600; i++) {
      const { on, why } = await control.beam(3);
      states.push(on);
      expect(on ? why === "" : why.includes("tripped")).toBe(true);
      const tags = shots(0.3);
      const first = column("xfel_mon_bpm_bl3_0_3_beamstatus/summary", tags.subarray(0, 1)).values[0];
      if (first === (on ? 1 : 0)) agreed++;
      clock.advance(0.5);
    }
    // Shots without beam, and trips that begin or end between the question and the shot.
    expect(agreed).toBeGreaterThan(580);
    const share = states.filter((on) => !on).length / states.length;
    // 60 trips of 7.5 s in an hour: an eighth of the time.
    expect(share).toBeGreaterThan(0.04);
    expect(share).toBeLessThan(0.25);
    expect(states.at(-1) || states.at(-40)).toBe(true);
  });

  it("outages are those of the rate, whatever is asked first", () => {
    const make = (): Outages => new Outages(77, 30, [1, 20]);
    const inOrder = make().beginning(0, 36_000);
    expect(inOrder.length).toBeGreaterThan(300 - 4 * Math.sqrt(300));
    expect(inOrder.length).toBeLessThan(300 + 4 * Math.sqrt(300));
    const backwards = make();
    for (const outage of inOrder.toReversed()) {
      expect(backwards.at((outage.from + outage.to) / 2)?.to).toBeGreaterThanOrEqual(outage.to);
      expect(outage.to - outage.from).toBeGreaterThanOrEqual(1);
      expect(outage.to - outage.from).toBeLessThanOrEqual(20);
    }
    expect(new Outages(77, 0, [1, 20]).beginning(0, 1e6)).toEqual([]);
  });

  it("an open hutch closes the shutter and keeps it from being opened, with the reason", async () => {
    const { control, clock, facility } = await lit({ scenario: { interlocksPerHour: 60, interlockSeconds: [20, 20] } });
    let locked = 0;
    for (let i = 0; i < 300; i++) {
      clock.advance(1);
      const { state, why, value } = await control.read("bl3_shutter1");
      if (state !== "locked") {
        if (value === "closed") await control.setShutter("bl3_shutter1", true);
        continue;
      }
      locked++;
      expect([value, why]).toEqual(["closed", expect.stringContaining("hutch")]);
      expect(facility.truth.shot(3, HIGHTAG, facility.live.nowTag()).hasXrays).toBe(false);
      await expect(control.setShutter("bl3_shutter1", true)).rejects.toMatchObject({
        code: "INTERLOCK",
        message: expect.stringContaining("hutch"),
      });
      expect((await control.beam(3)).on).toBe(false);
    }
    expect(locked).toBeGreaterThan(20);
  });

  itInFull("the pulse energy drifts slowly and the pointing with the quadrants", async () => {
    const { facility, clock, means } = await lit({ scenario: { pulseEnergyDrift: 0.3, pointingDrift: 0.4 } });
    const level: number[] = [];
    const vertical: number[] = [];
    for (let i = 0; i < 20; i++) {
      clock.advance(300);
      const now = facility.live.newestValueTag();
      const tags = facility.tagsBetween(3, HIGHTAG, now - 1200, now);
      level.push(means(monitor, tags));
      vertical.push(
        means("xfel_bl_3_st_4_bm_1_pd_upper_fitting_peak/voltage", tags) /
          means("xfel_bl_3_st_4_bm_1_pd_lower_fitting_peak/voltage", tags),
      );
    }
    const spread = (values: number[]): number => {
      const mean = values.reduce((a, b) => a + b) / values.length;
      return Math.sqrt(values.reduce((sum, value) => sum + (value / mean - 1) ** 2, 0) / values.length);
    };
    expect(spread(level)).toBeGreaterThan(0.1);
    expect(spread(level)).toBeLessThan(0.6);
    expect(spread(vertical)).toBeGreaterThan(0.15);
  });

  it("fits fail by themselves as often as the scenario says", async () => {
    const { shots, column } = await lit({ scenario: { unconverged: 0.2 } });
    const { status } = column("xfel_bl_3_st_2_pd_user_4_fitting_peak/voltage", shots(60));
    const share = status.filter((each) => each === 1).length / status.length;
    expect(share).toBeGreaterThan(0.16);
    expect(share).toBeLessThan(0.24);
  });
});
