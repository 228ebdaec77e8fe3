import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import imported from "../../../examples/experiment.json" with { type: "json" };
import { SaclaError } from "../../../src/core/errors.ts";
import {
  type Control,
  defineExperiment,
  Ec,
  Experiment,
  moveSeconds,
  Presets,
  toPosition,
  toPulses,
  withControl,
} from "../../../src/ec/index.ts";
import { showLimits } from "../../../src/ec/units.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";
import { until } from "../../support/until.ts";

const definition = {
  name: "client",
  bl: 3,
  axes: {
    delay: {
      device: "bl3_st2_pm001",
      signal: "xfel_bl_3_st_2_motor_1/position",
      unit: "ps",
      pulsesPerUnit: 150,
      sign: -1,
      offset: 2,
      limits: [-20, 20],
      approach: { from: "below", by: 0.2 },
    },
    sample_x: { device: "bl3_st2_pm002", unit: "mm", pulsesPerUnit: 1000, limits: "unlimited" },
  },
  signals: { i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" } },
  detectors: { octal: { id: "MPCCD-8B0-2-008" } },
  shutters: { pump: { device: "bl3_lh1_shutter1" } },
  settings: { gain: { device: "bl3_st2_pd1_gain" }, k: { device: "bl3_id1_k" } },
} as const;
const experiment = defineExperiment(definition);

const folder = temporaryFolder();
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(
  options: { ttlMs?: number } = {},
): Promise<{ toy: ToyDriver; endpoint: Endpoint; control: Control<typeof definition> }> {
  const toy = new ToyDriver();
  const endpoint = inProcess(withControl(endpointOf(tinySource()), toy));
  opened.push(endpoint);
  return {
    toy,
    endpoint,
    control: await new Ec(endpoint).control(3, { name: "test", reason: "client", experiment, pollMs: 5, ...options }),
  };
}

describe("an axis", () => {
  it("counts pulses as scale, sign and offset say, there and back to half a pulse", () => {
    const { delay } = experiment.axes;
    if (delay === undefined) throw new Error("no delay");
    // By hand: 2 − 300 / 150 = 0.
    expect([toPulses(delay, 0), toPosition(delay, 300), toPosition(delay, -150), toPulses(delay, 2)]).toEqual([
      300, 0, 3, 0,
    ]);
    // Three digits are what a pulse of 1/150 ps is worth.
    expect(showLimits(delay, { from: -10, to: 50_000 / 150 })).toBe("-10 … 333.333");
    expect(showLimits(delay, "unlimited")).toBe("unlimited");
    fc.assert(
      fc.property(
        fc.double({ min: -1e4, max: 1e4, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        fc.constantFrom(1 as const, -1 as const),
        (at, pulsesPerUnit, sign) => {
          const one = { ...delay, pulsesPerUnit, sign };
          expect(Math.abs(toPosition(one, toPulses(one, at)) - at) * pulsesPerUnit).toBeLessThanOrEqual(0.5 + 1e-6);
          expect(Number.isInteger(toPulses(one, at))).toBe(true);
        },
      ),
    );
  });

  it("takes as long as its ramps say", () => {
    const ramp = { speed: 1000, accelerationPulsesPerS2: 500 };
    // Trapezoid: 10000 / 1000 + 1000 / 500. Triangle: 2 √(500 / 500).
    expect([moveSeconds(10_000, ramp), moveSeconds(-500, ramp), moveSeconds(0, ramp)]).toEqual([12, 2, 0]);
  });

  it("moves in its own units and always arrives from the side it says", async () => {
    const { toy, control } = await open();
    const delay = control.axis("delay");
    expect(delay.limits).toEqual({ from: -20, to: 20 });
    expect(await delay.position()).toBe(2);
    expect(await delay.moveTo(4)).toBe(4);
    expect(await delay.moveTo(3)).toBe(3);
    // Below is a lower position, which with the sign −1 is a higher pulse.
    expect(toy.calls).toEqual(["move bl3_st2_pm001 -300", "move bl3_st2_pm001 -120", "move bl3_st2_pm001 -150"]);
    await delay.preset(0);
    expect(await delay.position()).toBe(0);
  });

  it("stops when the caller's signal fires", async () => {
    const { toy, control } = await open();
    const stop = new AbortController();
    const { done } = await control.axis("sample_x").start(90, { signal: stop.signal });
    stop.abort();
    await expect(done).rejects.toMatchObject({ code: "ABORTED" });
    expect(toy.isMoving("bl3_st2_pm002")).toBe(false);
  });

  it("that begins late has still arrived", async () => {
    const { toy, control } = await open();
    toy.faults.set("bl3_st2_pm002", "late-start");
    expect(await control.axis("sample_x").moveTo(20)).toBe(20);
  });
});

describe("a composite move", () => {
  it("shows now and will be, and then does it", async () => {
    const { control } = await open();
    const move = await control.plan({ delay: 4, sample_x: 50, gain: 3 });
    expect(move.table()).toMatchObject([
      { name: "delay", now: 2, willBe: 4, distance: 2, unit: "ps", limits: "-20 … 20", problem: "" },
      { name: "sample_x", now: 0, willBe: 50, distance: 50, limits: "-100 … 100" },
      { name: "gain", now: 0, willBe: 3, distance: null, seconds: null, limits: "0, 1, 2, 3" },
    ]);
    // 50 000 pulses at 50 000 / s and a ramp of 0.01 s.
    expect(move.seconds).toBeCloseTo(1.01, 6);
    expect(await move.go()).toEqual({ delay: 4, sample_x: 50 });
    expect(await control.setting("gain").value()).toBe(3);
  });

  it("refuses one device under two names: which place would win is chance", async () => {
    const { control } = await open();
    for (const other of ["bl3_st2_pm001", "xfel_bl_3_st_2_motor_1/position"]) {
      const refused = control.plan({ delay: 1, [other]: 5 });
      await expect(refused, other).rejects.toMatchObject({
        code: "BAD_ARGUMENT",
        message: expect.stringContaining(`delay and ${other} are both bl3_st2_pm001`),
      });
    }
    await expect(control.plan({ gain: 1, bl3_st2_pd1_gain: 2 })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("moves nothing when a part cannot, and says all that stands against it", async () => {
    const { toy, control } = await open();
    toy.faults.set("bl3_st2_pm002", "locked");
    const move = await control.plan({ delay: 21, sample_x: 1, gain: 7 });
    expect(move.problems).toEqual([
      "delay: its limits are -20 to 20 ps",
      "sample_x: it is locked: hutch door open",
      "gain: it takes 0, 1, 2, 3",
    ]);
    await expect(move.go()).rejects.toMatchObject({
      code: expect.stringMatching(/LIMIT|INTERLOCK/),
      details: { problems: move.problems },
    });
    expect(toy.calls).toEqual([]);
  });
});

describe("a snapshot", () => {
  it("is kept under a name with its history, compared and put back", async () => {
    const { toy, control } = await open();
    const presets = new Presets(join(folder, "presets.jsonl"));
    await presets.save("aligned", await control.snapshot(), "first");
    await (await control.plan({ delay: 5, gain: 1 })).go();
    await presets.save("aligned", await control.snapshot(["delay", "gain"]), "second");
    await (await control.plan({ delay: 1, k: 2 })).go();
    const aligned = await presets.get("aligned");
    expect((await control.diff(aligned)).map(({ name, before, now }) => [name, before.value, now.value])).toEqual([
      ["delay", 5, 1],
    ]);
    // What is as it was is not put again: a pulse selector on `single` would let another pulse through.
    const before = toy.calls.length;
    await (await control.putBack(aligned)).go();
    expect(toy.calls.slice(before)).toEqual(["move bl3_st2_pm001 -450"]);
    expect(await control.diff(aligned)).toEqual([]);
    expect((await control.putBack(aligned)).table()).toEqual([]);
    expect((await presets.history("aligned")).map(({ comment }) => comment)).toEqual(["first", "second"]);
    expect(Object.keys((await presets.history("aligned"))[0]?.values ?? {})).toEqual([
      "delay",
      "sample_x",
      "gain",
      "k",
    ]);
    await presets.remove("aligned");
    expect(await presets.list()).toEqual([]);
    expect(await presets.history("aligned")).toHaveLength(2);
    await expect(presets.get("aligned")).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    expect(toy.calls.length).toBeGreaterThan(0);
  });

  it("of an axis that tells no position is refused, so that no file is damaged by it", async () => {
    const { toy, control } = await open();
    const read = toy.read.bind(toy);
    toy.read = async (device) =>
      device === "bl3_st2_pm002" ? { device, state: "locked", value: "unknown", why: "" } : await read(device);
    await expect(control.snapshot()).rejects.toMatchObject({
      code: "DEVICE_FAULT",
      message: expect.stringContaining("where sample_x is"),
    });
    expect(Object.keys((await control.snapshot(["delay", "gain"])).values)).toEqual(["delay", "gain"]);
  });

  it("of another device under the same name is not put back", async () => {
    const { control } = await open();
    const snapshot = await control.snapshot(["delay"]);
    const other = { ...snapshot, values: { delay: { device: "bl3_st2_pm009", unit: "ps", value: 1 } } };
    await expect(control.putBack(other)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("bl3_st2_pm009"),
    });
  });

  it("survives a line cut off by a crash, and a damaged line is named", async () => {
    const path = join(folder, "cut.jsonl");
    const presets = new Presets(path);
    const snapshot = { time: "2026-01-01T00:00:00Z", values: { a: { device: "bl3_a", unit: "mm", value: 1 } } };
    await presets.save("one", snapshot);
    await appendFile(path, '{"name":"cut","comm');
    await presets.save("two", snapshot);
    expect((await presets.list()).map(({ name }) => name)).toEqual(["one", "two"]);
    await writeFile(path, `${await readFile(path, "utf8")}{"name":"two"}\n`);
    await expect(presets.list()).rejects.toMatchObject({ code: "BAD_TEXT", details: { line: 4 } });
  });
});

describe("a held lease", () => {
  it("is kept by heartbeat, and its loss is told at once", async () => {
    vi.useFakeTimers();
    const { toy, endpoint, control } = await open({ ttlMs: 1000 });
    // Longer than its ttl: without the heartbeat it would have ended.
    await vi.advanceTimersByTimeAsync(1500);
    expect(await endpoint.call("lease.holder", { bl: 3 })).toMatchObject({ name: "test" });
    const moving = control
      .axis("sample_x")
      .moveTo(100)
      .catch((error: unknown) => error);
    await until(() => toy.isMoving("bl3_st2_pm002"));
    const call = endpoint.call.bind(endpoint);
    vi.spyOn(endpoint, "call").mockImplementation(async (method, params, options) => {
      if (method === "lease.renew") throw new Error("the cable is cut");
      return await call(method, params, options);
    });
    await vi.advanceTimersByTimeAsync(3000);
    expect(await moving).toMatchObject({ code: "LEASE_LOST" });
    expect(control.signal.aborted).toBe(true);
    await expect(control.shutter("pump").open()).rejects.toMatchObject({ code: "LEASE_LOST" });
    await until(() => !toy.isMoving("bl3_st2_pm002"));
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it("that is lost while a shutter opens is told at once, and a shutter that may be another's is left alone", async () => {
    const { toy, endpoint, control } = await open({ ttlMs: 300 });
    toy.faults.set("bl3_lh1_shutter1", "stuck");
    const call = endpoint.call.bind(endpoint);
    vi.spyOn(endpoint, "call").mockImplementation(async (method, params, options) => {
      if (method === "lease.renew") throw new Error("the cable is cut");
      return await call(method, params, options);
    });
    await expect(control.shutter("pump").open()).rejects.toMatchObject({ code: "LEASE_LOST" });
    await until(async () => (await endpoint.call("lease.holder", { bl: 3 })) === null);
    // Whoever keeps leases saw it closed.
    expect(toy.calls).toEqual(["open bl3_lh1_shutter1"]);
    vi.restoreAllMocks();
  });

  it("closes a shutter when nobody knows whether it has opened", async () => {
    const { toy, endpoint, control } = await open();
    const call = endpoint.call.bind(endpoint);
    vi.spyOn(endpoint, "call").mockImplementation(async (method, params, options) => {
      const answer = await call(method, params, options);
      if (method === "ec.setShutter" && (params as { open: boolean }).open)
        throw new SaclaError("TIMEOUT", "The answer was lost.");
      return answer;
    });
    await expect(control.shutter("pump").open()).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(toy.isOpen("bl3_lh1_shutter1")).toBe(false);
    vi.restoreAllMocks();
  });

  it("makes safe: stops what moves and closes what the experiment names", async () => {
    const { toy, control } = await open();
    await control.shutter("pump").open();
    const { done } = await control.axis("sample_x").start(100);
    await control.safe();
    await expect(done).rejects.toMatchObject({ code: "DEVICE_FAULT" });
    expect([toy.isMoving("bl3_st2_pm002"), toy.isOpen("bl3_lh1_shutter1")]).toEqual([false, false]);
  });

  it("makes safe also where an interlock holds the shutter closed already", async () => {
    const { toy, control } = await open();
    toy.faults.set("bl3_lh1_shutter1", "locked");
    await control.shutter("pump").close();
    await control.safe();
    await expect(control.shutter("pump").open()).rejects.toMatchObject({ code: "INTERLOCK" });
    await control.release();
  });

  it("is not needed to look, and looking cannot change", async () => {
    const { toy, endpoint, control } = await open();
    await control.release();
    const look = await new Ec(endpoint).view(3, { experiment });
    expect((await look.plan({ delay: 3 })).problems).toEqual([]);
    // The type has no methods that change something; JavaScript finds them, and they refuse.
    // @ts-expect-error
    expect(look.axis("delay").moveTo).toBeTypeOf("function");
    await expect((look as Control<typeof definition>).axis("delay").moveTo(3)).rejects.toMatchObject({
      code: "LEASE_LOST",
    });
    expect(toy.calls.filter((call) => call.startsWith("move"))).toEqual([]);
  });
});

describe("an experiment", () => {
  it("names signals and detectors for db and st, and TypeScript knows the names", async () => {
    expect(experiment.signal("i0")).toBe("xfel_bl_3_tc_bm_1_pd/charge");
    expect(experiment.signal("delay")).toBe("xfel_bl_3_st_2_motor_1/position");
    expect(experiment.detector("octal")).toBe("MPCCD-8B0-2-008");
    // @ts-expect-error a misspelt name does not compile
    expect(() => experiment.detector("octel")).toThrow(/it has octal/);
    const { control } = await open();
    // @ts-expect-error a misspelt name does not compile
    expect(() => control.axis("dealy")).toThrow(/names no dealy/);
    // @ts-expect-error nor one of another kind
    await expect(control.plan({ octal: 1 })).rejects.toMatchObject({ code: "UNKNOWN_DEVICE" });
    expect(control.axis("bl3_st2_pm004").limits).toBe("unlimited");
  });

  it("is refused with the part that is wrong", async () => {
    const axis = { device: "bl3_a", unit: "mm", pulsesPerUnit: 1, limits: [0, 1] };
    const wrong: [string, object][] = [
      ["axes.x.limits", { axes: { x: { ...axis, limits: [0, 0] } } }],
      ["axes.x.limits", { axes: { x: { ...axis, limits: [1, 0] } } }],
      ["axes.x.pulsesPerUnit", { axes: { x: { ...axis, pulsesPerUnit: 0 } } }],
      ["axes.x.backlash", { axes: { x: { ...axis, backlash: 3 } } }],
      ["axes.x.sign", { axes: { x: { ...axis, sign: 2 } } }],
      ["two names for bl3_a", { axes: { x: axis, y: axis } }],
      ["twice", { axes: { x: axis }, shutters: { x: { device: "bl3_s" } } }],
      ["bl of", { bl: -1 }],
    ];
    for (const [where, part] of wrong)
      expect(() => defineExperiment({ name: "wrong", bl: 3, ...part }), where).toThrow(where);
    await expect(Experiment.load(join(folder, "none.json"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await writeFile(join(folder, "bad.json"), "{ name: 1 }");
    await expect(Experiment.load(join(folder, "bad.json"))).rejects.toMatchObject({ code: "BAD_TEXT" });
  });

  it("of the examples can be read, and one that names what is not there is refused before the night", async () => {
    const example = await Experiment.load(new URL("../../../examples/experiment.json", import.meta.url).pathname);
    expect(example.signal("delay")).toBe("xfel_bl_3_st_2_motor_1/position");
    const typed = defineExperiment(imported);
    expect(typed.signal("i0")).toBe("xfel_bl_3_tc_bm_1_pd/charge");
    // @ts-expect-error an imported JSON file has names too
    expect(() => typed.signal("i1")).toThrow(/names no signal/);
    expect(() => typed.signal("didoe" as "diode")).toThrow(/it has i0, .*\. Did you mean diode\?$/);
    const { endpoint, control } = await open();
    expect(() => control.axis("dealy" as "delay")).toThrow(/it has delay, sample_x\. Did you mean delay\?$/);
    await control.release();
    const missing = defineExperiment({
      name: "m",
      bl: 3,
      axes: { x: { device: "bl3_st2_pm077", unit: "mm", pulsesPerUnit: 1, limits: "unlimited" } },
    });
    await expect(new Ec(endpoint).control(3, { name: "a", reason: "b", experiment: missing })).rejects.toMatchObject({
      code: "UNKNOWN_DEVICE",
    });
    expect(await endpoint.call("lease.holder", { bl: 3 })).toBeNull();
  });
});

it("limits are those of whole pulses: an axis goes to its limit, also where that lies between two", async () => {
  const { endpoint } = await open();
  // 44.7 pulses: the nearest, 45, is 0.302 mm.
  const odd = { ...definition.axes.sample_x, pulsesPerUnit: 149, limits: [-0.3, 0.3] as const };
  const turned = { ...odd, device: "bl3_st2_pm001", sign: -1 } as const;
  const other = defineExperiment({ ...definition, axes: { odd, turned } });
  const view = await new Ec(endpoint).view(3, { experiment: other });
  for (const axis of [view.axis("odd"), view.axis("turned")]) {
    for (const end of [0.3, 0.1 * 3, -0.3]) expect([end, axis.problem(end)]).toEqual([end, ""]);
    expect(axis.problem(0.31)).toBe("its limits are -0.3 to 0.3 mm");
  }
});
