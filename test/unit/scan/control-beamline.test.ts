import { describe, expect, it, vi } from "vitest";
import { connect } from "../../../src/connect.ts";
import { Db } from "../../../src/db/index.ts";
import { type Control, defineExperiment, Ec, withControl } from "../../../src/ec/index.ts";
import { createSimulatedFacility } from "../../../src/facility/index.ts";
import type { Facility } from "../../../src/index.ts";
import {
  type Beamline,
  controlBeamline,
  Engine,
  flyScan,
  goToPeak,
  onePulse,
  plan,
  type Row,
  type ShotsTaken,
  scan,
  shots,
  withRun,
} from "../../../src/scan/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";
import { until } from "../../support/until.ts";
import { replaced } from "./fixtures.ts";

const SEED = 11;
const experiment = defineExperiment({
  name: "test",
  bl: 3,
  axes: {
    theta: {
      device: "bl3_st4_pm036",
      unit: "deg",
      pulsesPerUnit: 1e4,
      limits: [-1, 1],
      signal: "xfel_bl_3_st_4_motor_36/position",
    },
    delay: {
      device: "bl3_st2_pm001",
      unit: "ps",
      pulsesPerUnit: 150,
      limits: [0, 300],
      signal: "xfel_bl_3_st_2_motor_1/position",
      speed: 15,
    },
  },
  signals: {
    i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" },
    bragg: { id: "xfel_bl_3_st_4_pd_user_3_fitting_peak/voltage" },
    diode: { id: "xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage" },
  },
  settings: { pulses: { device: "bl3_selector1" } },
  detectors: { octal: { id: "MPCCD-8N0-3-002" } },
  shutters: { xrays: { device: "bl3_shutter1" } },
} as const);

async function onSimulated(
  work: (beamline: Beamline, control: Control, facility: Facility) => Promise<void>,
): Promise<void> {
  await using facility = await connect(`sim:?clock=virtual&seed=${SEED}`);
  await using control = await facility.ec.control(3, { name: "test", reason: "test", experiment, pollMs: 2 });
  await work(controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 }), control, facility);
}

describe("controlled beamline", () => {
  it("takes shots where the axis stands, none from before it arrived", async () => {
    await onSimulated(async (beamline, control) => {
      const rows: Row[] = [];
      const plan = scan({
        axis: "delay",
        from: 79,
        to: 81,
        points: 4,
        shots: { count: 8, signals: ["xfel_bl_3_st_2_motor_1/position", "i0"] },
        shutter: "xrays",
      });
      const end = await new Engine(beamline, { callbacks: [{ point: (row) => rows.push(row) }] }).run(plan);
      expect(end).toMatchObject({ outcome: "done", points: 4, shots: { used: 32 } });
      for (const { data, taken } of rows) {
        const pulses = Math.round(150 * (data["delay"] ?? NaN));
        expect(
          taken?.values["xfel_bl_3_st_2_motor_1/position"]?.every((at) => Math.abs((at ?? NaN) - pulses) <= 1),
        ).toBe(true);
        expect(taken?.ledger.asked).toBe(
          (taken?.ledger.used ?? NaN) + (taken?.ledger.dropped ?? []).reduce((n, { tags }) => n + tags.length, 0),
        );
      }
      expect(await control.shutter("xrays").state()).toMatchObject({ value: "closed" });
    });
  });

  it("refuses a signal that is not there before anything moves", async () => {
    await onSimulated(async (beamline) => {
      let moves = 0;
      const counted = replaced(beamline, "move", async (to, options) => {
        moves++;
        return await beamline.move(to, options);
      });
      for (const bad of [
        { signals: ["xfel_bl_3_nothing/voltage"] },
        { conditions: [{ signalName: "xfel_bl_3_nothing/voltage", between: [0, 1] as const }] },
      ]) {
        const wrong = scan({
          axis: "delay",
          from: 79,
          to: 81,
          points: 3,
          shots: { count: 2, ...bad },
          shutter: "xrays",
        });
        await expect(new Engine(counted).run(wrong)).rejects.toMatchObject({ code: "UNKNOWN_SIGNAL" });
      }
      expect(moves).toBe(0);
    });
  });

  it("finds the Bragg peak of the simulated crystal within the stated error", async () => {
    const truth = createSimulatedFacility({ seed: SEED }).truth.crystal(3);
    const centre = truth.centrePulse / 1e4;
    await onSimulated(async (beamline, control) => {
      const { result } = await new Engine(beamline).run(
        goToPeak({
          axis: "theta",
          from: centre - 0.021,
          to: centre + 0.019,
          points: 21,
          signalName: "bragg",
          normaliseBy: "i0",
          shots: { count: 20, signals: ["bragg", "i0"] },
          shutter: "xrays",
        }),
      );
      expect(Math.abs((result?.centre ?? NaN) - centre)).toBeLessThan(4 * (result?.centreError ?? NaN));
      expect(result?.centreError).toBeLessThan(0.0005);
      expect(await control.axis("theta").position()).toBeCloseTo(result?.centre ?? NaN, 3);
    });
  });

  it("flies with a position for every shot", async () => {
    await onSimulated(async (beamline, control) => {
      const usual = control.axis("delay").speed;
      // 15 ps/s at 30 Hz: 0.5 ps per shot; half as fast, half as far.
      for (const [shots, apart] of [
        [41, 0.5],
        [81, 0.25],
      ] as const) {
        const { result } = await new Engine(beamline).run(
          flyScan({ axis: "delay", from: 70, to: 90, shots, signals: ["i0"], beam: "off" }),
        );
        const positions = result?.[0]?.positions ?? [];
        expect(positions.length).toBeGreaterThan(0.75 * shots);
        expect(positions.every((at, i) => at > 70 && at < 90 && (i === 0 || at > (positions[i - 1] ?? NaN)))).toBe(
          true,
        );
        const steps = positions.slice(6, -6).map((at, i) => at - (positions[i + 5] ?? NaN));
        for (const step of steps) expect(step).toBeCloseTo(apart, 1);
        expect(control.axis("delay").speed).toBe(usual);
      }
      await expect(
        new Engine(beamline).run(flyScan({ axis: "delay", from: 70, to: 90, shots: 2, beam: "off" })),
      ).rejects.toMatchObject({ code: "LIMIT" });
    });
  });

  it("sees the single pulse however long the selector takes: shots of before it cost none of the budget", async () => {
    await onSimulated(async (_, control, facility) => {
      // A move of 30 ps lasts 2 s: 60 shots come by, and the budget is 20.
      let there = 80;
      const slow = replaced(control, "setting", (name: "pulses") =>
        replaced(control.setting(name), "set", async (value: number | string) => {
          if (value === "single") {
            there = 190 - there;
            await control.axis("delay").moveTo(there);
          }
          await control.setting(name).set(value);
        }),
      );
      await control.axis("delay").moveTo(there);
      const beamline = controlBeamline(facility, slow, { experiment, monitor: "i0", pollMs: 2 });
      const looking = {
        signals: ["diode"],
        conditions: [{ signalName: "diode", between: [0.01, 1] }],
        budget: { shots: 20 },
      } as const;
      // Now and then the accelerator gives no pulse, but hardly three times.
      let taken: ShotsTaken | undefined;
      for (let i = 0; i < 3 && taken?.outcome !== "done"; i++) {
        const one = plan("one", {}, () => onePulse({ shutter: "xrays", selector: "pulses", ...looking }));
        taken = (await new Engine(beamline).run(one)).result;
      }
      expect(taken?.outcome).toBe("done");
      expect(taken?.ledger.asked).toBeGreaterThan(40);
    });
  });

  it("has shots of a run that the plan starts, with their tags in it", async () => {
    await onSimulated(async (beamline, control, { db }) => {
      const rows: Row[] = [];
      const points = scan({
        axis: "delay",
        from: 79,
        to: 80,
        points: 2,
        shots: { count: 5, signals: ["i0"] },
        shutter: "xrays",
      });
      const stored = plan("stored", {}, () => withRun({ comment: "two delays", detectors: ["octal"] }, points.steps()));
      await new Engine(beamline, { callbacks: [{ point: (row) => rows.push(row) }] }).run(stored);
      const { run, state, shots } = await control.runState();
      expect(state).toBe("ready");
      expect(rows.map(({ taken }) => taken?.run)).toEqual([run, run]);
      const tags = [...(await db.readTaglistByrun(3, run))];
      expect(tags).toHaveLength(shots);
      for (const { taken } of rows) expect(tags).toEqual(expect.arrayContaining([...(taken?.tags ?? [NaN])]));
      expect(await db.readComment(3, run)).toBe("two delays");
      expect(await db.readDetidlist(3, run)).toEqual(
        expect.arrayContaining([expect.stringContaining("MPCCD-8N0-3-002")]),
      );
    });
  });

  it("refuses a run while another is on, or with a detector nobody has, and stops the one of a plan that is aborted", async () => {
    await onSimulated(async (beamline, control) => {
      await control.shutter("xrays").open();
      const unknown = plan("unknown", {}, () => withRun({ comment: "", detectors: ["MPCCD-9"] }, shots(1)));
      await expect(new Engine(beamline).run(unknown)).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
      // The run that the facility had of its own ended with the lease.
      const { run: before, state } = await control.runState();
      expect(state).toBe("ready");
      // A plan that fails leaves it closed.
      await control.shutter("xrays").open();
      const endless = plan("endless", {}, () => withRun({ comment: "" }, shots(1_000_000)));
      const engine = new Engine(beamline);
      const running = engine.run(endless);
      while (!engine.line.includes("taking")) await new Promise((resolve) => setTimeout(resolve, 5));
      await expect(new Engine(beamline).run(endless)).rejects.toMatchObject({ code: "DEVICE_BUSY" });
      engine.abort();
      expect((await running).outcome).toBe("aborted");
      expect(await control.runState()).toMatchObject({ run: before + 1, state: "ready" });
    });
  });

  it("moves nothing when the plan leaves the limits of the experiment file", async () => {
    await onSimulated(async (beamline, control) => {
      const before = await control.axis("delay").position();
      await expect(
        new Engine(beamline).run(scan({ axis: "delay", from: 80, to: 301, points: 3, shots: 1 })),
      ).rejects.toMatchObject({ code: "LIMIT" });
      expect(await control.axis("delay").position()).toBe(before);
    });
  });
});

it("the cleanup of a scan that lost its lease leaves alone what the next holder has opened", async () => {
  const toy = new ToyDriver();
  const endpoint = inProcess(withControl(endpointOf(tinySource()), toy));
  const call = endpoint.call.bind(endpoint);
  vi.spyOn(endpoint, "call").mockImplementation(async (method, params, options) => {
    if (method === "lease.renew") throw new Error("the cable is cut");
    return await call(method, params, options);
  });
  const facility = { endpoint, db: new Db(endpoint) };
  const take = async (): Promise<Control> =>
    await new Ec(endpoint).control(3, { name: "test", reason: "cleanup", pollMs: 5, ttlMs: 100 });
  const shutter = "bl3_lh1_shutter1";
  const first = await take();
  const beamline = controlBeamline(facility, first, { monitor: "i0" });
  await beamline.shutter(shutter, true);
  // As in a program that stood still: it is the first that it does.
  await until(() => !toy.isOpen(shutter));
  vi.restoreAllMocks();
  await using second = await take();
  await second.shutter(shutter).open();
  await beamline.shutter(shutter, false);
  await beamline.safe();
  expect(toy.isOpen(shutter)).toBe(true);
  await second.release();
  // Nobody's: then it is closed, to be sure.
  await beamline.safe();
  expect(toy.isOpen(shutter)).toBe(false);
  await endpoint.close();
});
