import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { SaclaError } from "../../../src/core/errors.ts";
import { defineExperiment } from "../../../src/ec/index.ts";
import type { ControlledFacility } from "../../../src/scan/beamline/shot-feed.ts";
import {
  controlBeamline,
  count,
  Engine,
  goToPeak,
  Journal,
  type Plan,
  type Row,
  rock,
  scan,
  virtualBeamline,
} from "../../../src/scan/index.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { bench, replaced } from "../../unit/scan/fixtures.ts";

const folder = temporaryFolder();
const monitor = "xfel_bl_3_tc_bm_1_pd/charge";
const url = ["--url", "sim:?clock=virtual"];
const scanned = ["scan", "bl3_st2_pm001", "11990", "12010", "2", "--shots", "3", "--signal", monitor, "--yes", ...url];

const experiment = defineExperiment({
  name: "test",
  bl: 3,
  axes: {},
  signals: { i0: { id: monitor } },
  shutters: { xrays: { device: "bl3_shutter1" } },
} as const);

describe("a scan with a closed shutter", () => {
  it("warns before anything moves, counts no dark shot, and ends with NO_BEAM", async () => {
    const dry = await cli([...scanned, "--dry-run"]);
    expect(dry.out).toMatch(/warning: .*bl3_shutter1 is closed.*sacla shutter bl3_shutter1 open/);
    expect(dry.out).toContain("beam: a shot has beam when");
    const { code, err } = await cli([...scanned, "--beam-wait", "5"]);
    expect(code).toBe(1);
    expect(err).toMatch(/warning: [\s\S]*Waits for it before anything moves[\s\S]*error NO_BEAM.*Nothing was moved/);
    expect(err).not.toContain("point");
  });

  it("counts every shot when that is asked for", async () => {
    const { code, err } = await cli([...scanned, "--beam", "off"]);
    expect([code, err]).toEqual([0, expect.stringContaining("beam: every shot counts")]);
  });
});

it("a plan that opens no shutter and moves nothing ends in rehearsal time, too", async () => {
  await using facility = await connect("sim:?clock=virtual");
  await using control = await facility.ec.control(3, { name: "test", reason: "test", experiment, pollMs: 2 });
  const how = { experiment, monitor: "i0", pollMs: 2 } as const;
  const closed = new Engine(controlBeamline(facility, control, how)).run(count({ shots: 5 }));
  await expect(closed).rejects.toMatchObject({ code: "NO_BEAM" });
  const beamline = controlBeamline(facility, control, { ...how, beam: "off" });
  await expect(new Engine(beamline).run(count({ shots: 5 }))).resolves.toMatchObject({ shots: { used: 5 } });
});

it("goToPeak without beam ends with NO_BEAM before anything moves", async () => {
  await using facility = await connect("sim:?clock=virtual");
  const withStage = defineExperiment({
    name: "test",
    bl: 3,
    axes: { x: { device: "bl3_st2_pm040", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] } },
    signals: { i0: { id: monitor } },
  } as const);
  const named = { name: "test", reason: "test", experiment: withStage, pollMs: 2 };
  await using control = await facility.ec.control(3, named);
  const how = { experiment: withStage, monitor: "i0", pollMs: 2, beamWaitSeconds: 1 } as const;
  const before = await control.axis("x").position();
  const shots = { count: 2, signals: ["i0"] };
  const plan = goToPeak({ axis: "x", from: before + 1, to: before + 2, points: 5, signalName: "i0", shots });
  await expect(new Engine(controlBeamline(facility, control, how)).run(plan)).rejects.toMatchObject({
    code: "NO_BEAM",
  });
  expect(await control.axis("x").position()).toBe(before);
});

it("says that a shutter is closed before anything moves, though the monitor still shows beam of just before", async () => {
  await using facility = await connect("sim:?clock=virtual");
  const withStage = defineExperiment({
    name: "test",
    bl: 3,
    axes: { x: { device: "bl3_st2_pm040", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] } },
    signals: { i0: { id: monitor } },
    shutters: { xrays: { device: "bl3_shutter1" } },
  } as const);
  const named = { name: "test", reason: "test", experiment: withStage, pollMs: 2 };
  await using control = await facility.ec.control(3, named);
  const how = { experiment: withStage, monitor: "i0", pollMs: 2, beamWaitSeconds: 10 } as const;
  const shots = { count: 20, signals: ["i0"] };
  await control.shutter("xrays").open();
  // Its values are those of four seconds before.
  const { db, endpoint } = facility;
  const call: Endpoint["call"] = async (method, params, options) =>
    "tags" in params && method === "db.readColumns"
      ? await endpoint.call(method, { ...params, tags: params.tags.map((tag) => tag - 240) }, options)
      : await endpoint.call(method, params, options);
  const late: ControlledFacility = { db, endpoint: { ...endpoint, call } };
  const engine = new Engine(controlBeamline(late, control, how));
  await expect(engine.run(count({ shots: 100 }))).resolves.toMatchObject({ shots: { used: 100 } });
  const before = await control.axis("x").position();
  for (const make of [goToPeak, rock]) {
    await control.shutter("xrays").open();
    await engine.run(count({ shots: 100 }));
    await control.shutter("xrays").close();
    const plan = make({ axis: "x", from: before + 1, to: before + 2, points: 5, signalName: "i0", shots });
    const error = await new Engine(controlBeamline(late, control, how)).run(plan as Plan).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "NO_BEAM", message: expect.stringContaining("Nothing was moved") });
    expect(await control.axis("x").position()).toBe(before);
  }
});

it("a stop ends a wait for the beam at once", async () => {
  await using facility = await connect("sim:?clock=virtual");
  await using control = await facility.ec.control(3, { name: "test", reason: "test", experiment, pollMs: 2 });
  await control.shutter("xrays").open();
  await control.shutter("xrays").close();
  const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });
  const note = (text: string): void => {
    if (text.includes("aits for")) engine.stop();
  };
  const engine: Engine = new Engine(beamline, { callbacks: [{ note }] });
  await expect(engine.run(count({ shots: 5 }))).resolves.toMatchObject({ outcome: "stopped", points: 0 });
});

it("a full disk closes the shutter, keeps the rows, and is told as such", async () => {
  const plan = scan({ axis: "x", from: 0, to: 3, points: 4, shots: { count: 3 }, shutter: "main" });
  const journal = Journal.create(join(folder, "full.journal"), plan);
  const beamline = virtualBeamline(bench);
  let results = 0;
  const full = replaced(journal, "result", (n, answer, now) => {
    if (answer.kind === "shots" && ++results === 2) isFull = true;
    if (isFull) throw new SaclaError("WRITE_FAILED", "the disk is full");
    journal.result(n, answer, now);
  });
  let isFull = false;
  const rows: Row[] = [];
  await expect(
    new Engine(beamline, { journal: full, callbacks: [{ point: (row) => rows.push(row) }] }).run(plan),
  ).rejects.toMatchObject({ code: "WRITE_FAILED" });
  expect(rows).toHaveLength(2);
  expect(beamline.devices.isOpen("main")).toBe(false);
  journal.close();
});
