import { describe, expect, it } from "vitest";
import { connect, Facility } from "../../../src/connect.ts";
import { SaclaError } from "../../../src/core/errors.ts";
import { defineExperiment } from "../../../src/ec/index.ts";
import {
  controlBeamline,
  Engine,
  type Plan,
  plan,
  point,
  scan,
  shots,
  virtualBeamline,
} from "../../../src/scan/index.ts";
import type { Endpoint } from "../../../src/transport/index.ts";
import { bench, replaced } from "../../unit/scan/fixtures.ts";

const beam = { signalName: "i0", between: [0.5, 2] } as const;

/** Notes of a plan on virtual devices whose beam is off between two moments, seconds. */
async function notesOf(what: Plan, off: readonly [from: number, to: number]) {
  const i0 = ({ seconds }: { readonly seconds: number }): number => (seconds > off[0] && seconds <= off[1] ? 0.01 : 1);
  const notes: string[] = [];
  const beamline = virtualBeamline({ ...bench, switchSeconds: 0, signals: { i0 } });
  const { result } = await new Engine(beamline, { callbacks: [{ note: (text) => notes.push(text) }] }).run(what);
  return { notes, result, seconds: beamline.now() / 1000 };
}

const two = (request: Parameters<typeof shots>[0]): Plan =>
  plan("two", {}, function* () {
    yield* point({}, yield* shots({ count: 30 }));
    return yield* shots(request);
  });

describe("a hold", () => {
  it("is shown when it begins, about once a minute while it lasts, and when it ends", async () => {
    // One second of the first point, ten of the second, then 150 s without beam.
    const { notes, result } = await notesOf(two({ count: 600, beam }), [11, 161]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^point 2 waits for the beam since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST: i0 is 0\.01, not within 0\.5 to 2\. .*no budget\.seconds.*Ctrl\+C twice/,
      ),
      "point 2 still waits for the beam, for 1 min 1 s now: i0 is 0.01, not within 0.5 to 2.",
      "point 2 still waits for the beam, for 2 min 1 s now: i0 is 0.01, not within 0.5 to 2.",
      "point 2 goes on: the beam was missing for 2 min 30 s.",
    ]);
    expect(result).toMatchObject({ outcome: "done", ledger: { used: 600 } });
    expect((result as { heldSeconds: number }).heldSeconds).toBeCloseTo(150, 3);
  });

  it("says what bounds it, and that it was given up", async () => {
    const { notes, result, seconds } = await notesOf(two({ count: 600, beam, budget: { seconds: 30 } }), [
      11,
      Infinity,
    ]);
    expect(notes).toEqual([
      expect.stringMatching(/given up 30 s after its begin \(budget\.seconds\)/),
      expect.stringMatching(/^point 2 given up: the beam has been missing for 20 s/),
    ]);
    expect(result).toMatchObject({ outcome: "gave-up" });
    expect(seconds).toBeCloseTo(31, 0);
  });

  it("of a pulse or two that the accelerator left out is not worth a line", async () => {
    const { notes } = await notesOf(
      scan({ axis: "x", from: 0, to: 0, points: 1, shots: { count: 90, beam } }),
      [1, 1.9],
    );
    expect(notes).toEqual([]);
  });
});

describe("a hold of the controlled beamline", () => {
  const experiment = defineExperiment({
    name: "test",
    bl: 3,
    axes: {},
    signals: { i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" } },
    shutters: { xrays: { device: "bl3_shutter1" } },
  } as const);
  const none = /^point 1 waits for the beam since .*? JST: (.*?)\. It goes on/;

  it("by a condition says so, and ends when the beam is back", async () => {
    await using facility = await connect("sim:?clock=virtual&seed=11");
    await using control = await facility.ec.control(3, { name: "test", reason: "test", experiment, pollMs: 2 });
    // Rehearsal time passes from the first change on.
    await control.shutter("xrays").open();
    await control.shutter("xrays").close();
    const notes: string[] = [];
    const note = (text: string): void => {
      notes.push(text);
      if (none.test(text))
        control
          .shutter("xrays")
          .open()
          .catch((error: unknown) => notes.push(String(error)));
    };
    const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });
    const waiting = plan("waiting", {}, () => shots({ count: 3, beam: { signalName: "i0", between: [1e-10, 1] } }));
    const { result } = await new Engine(beamline, { callbacks: [{ note }] }).run(waiting);
    expect(notes).toEqual([
      expect.stringMatching(none),
      expect.stringMatching(/^point 1 goes on: the beam was missing for /),
    ]);
    expect(none.exec(notes[0] ?? "")?.[1]).toContain("i0 is ");
    expect(result?.outcome).toBe("done");
    expect(result?.heldSeconds).toBeGreaterThan(0.9);
  });

  it("without any shots says why there is no beam", async () => {
    await using facility = await connect("sim:?clock=virtual&seed=11");
    await using control = await facility.ec.control(3, { name: "test", reason: "test", experiment, pollMs: 2 });
    // Rehearsal time passes from the first change on.
    await control.shutter("xrays").open();
    await control.shutter("xrays").close();
    let isOff = true;
    const frozen = await facility.db.readTagnumberNewest(experiment.signal("i0"));
    const db = replaced(facility.db, "readTagnumberNewest", async (id, options) =>
      isOff ? frozen : await facility.db.readTagnumberNewest(id, options),
    );
    const tripped = replaced(control, "beam", async () => ({ on: !isOff, why: isOff ? "a klystron has tripped" : "" }));
    const notes: string[] = [];
    const note = (text: string): void => {
      notes.push(text);
      isOff = false;
    };
    const beamline = controlBeamline({ db, endpoint: facility.endpoint }, tripped, {
      experiment,
      monitor: "i0",
      pollMs: 2,
      silentMs: 10_000,
      beam: "off",
    });
    await new Engine(beamline, { callbacks: [{ note }] }).run(plan("waiting", {}, () => shots(3)));
    expect(notes).toEqual([expect.stringMatching(none), expect.stringMatching(/goes on/)]);
    expect(none.exec(notes[0] ?? "")?.[1]).toBe("no shots come, a klystron has tripped");
  });

  it("ends with LEASE_LOST when the lease is lost meanwhile: nothing would come any more", async () => {
    await using facility = await connect("sim:?clock=virtual&seed=11");
    let isLost = false;
    const call: Endpoint["call"] = async (method, params, options) => {
      if (isLost && method === "lease.renew")
        throw new SaclaError("LEASE_LOST", "The server was started anew and knows of no lease.");
      return await facility.endpoint.call(method, params, options);
    };
    const { ec } = new Facility(replaced(facility.endpoint, "call", call));
    await using control = await ec.control(3, { name: "test", reason: "test", experiment, pollMs: 2, ttlMs: 500 });
    await control.shutter("xrays").open();
    await control.shutter("xrays").close();
    const note = (): void => {
      isLost = true;
    };
    const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });
    const waiting = plan("waiting", {}, () => shots({ count: 3, beam: { signalName: "i0", between: [1e-10, 1] } }));
    await expect(new Engine(beamline, { callbacks: [{ note }] }).run(waiting)).rejects.toMatchObject({
      code: "LEASE_LOST",
    });
    expect(isLost).toBe(true);
  });
});
