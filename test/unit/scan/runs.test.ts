import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SaclaError } from "../../../src/core/index.ts";
import {
  type Beamline,
  checkPlan,
  checkpoint,
  count,
  DocumentStream,
  dryRun,
  Engine,
  goToPeak,
  Journal,
  type Plan,
  type PlanSteps,
  plan,
  point,
  type Row,
  resumeScan,
  ScanTable,
  scan,
  shots,
  startRun,
  stopRun,
  TargetMap,
  virtualBeamline,
  wait,
  withRun,
} from "../../../src/scan/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { bench, Dead, deadRun, until, watched } from "./fixtures.ts";

const folder = temporaryFolder();
let files = 0;
const newFile = (): string => join(folder, `${files++}.journal`);

function* points(count: number): PlanSteps {
  for (let i = 0; i < count; i++) {
    yield* checkpoint();
    yield* point({ i }, yield* shots({ count: 30, signals: ["i0"] }));
  }
}

/** Three points, all in one run. */
const inOneRun = plan("in one run", {}, () => withRun({ comment: "delay" }, points(3)));
const of = (steps: () => PlanSteps<unknown>, adaptive = false): Plan => plan("p", {}, steps, { adaptive });
const rowsOf = () => {
  const rows: Row[] = [];
  return { rows, callbacks: [{ point: (row: Row) => rows.push(row) }] };
};

describe("a run of the facility", () => {
  it("is started and stopped by the plan, and its number is with the shots", async () => {
    const { beamline, done } = watched();
    const { rows, callbacks } = rowsOf();
    const numbers: number[] = [];
    const two = of(function* () {
      numbers.push(yield* startRun({ comment: "first" }));
      yield* point({ at: 1 }, yield* shots(30));
      yield* stopRun();
      const reference = yield* withRun({ comment: "second" }, shots(30));
      yield* point({ at: 2 }, reference);
      yield* point({ at: 3 }, yield* shots(30));
    });
    expect((await new Engine(beamline, { callbacks }).run(two)).outcome).toBe("done");
    // The check walks the plan too.
    expect(numbers).toEqual([0, 1]);
    expect(done).toEqual(["start first", "shots", "stopRun", "start second", "shots", "stopRun", "shots"]);
    expect(rows.map(({ taken }) => taken?.run)).toEqual([1, 2, undefined]);
  });

  it("ends with the plan at the latest, however that ends", async () => {
    const left = of(function* () {
      yield* startRun({ comment: "left on" });
      yield* checkpoint();
      yield* shots(30);
      yield* checkpoint();
    });
    for (const how of ["done", "stop", "abort", "fail"] as const) {
      const { beamline, done } = watched((_, call) => {
        if (call.kind !== "shots") return;
        if (how === "fail") throw new SaclaError("DEVICE_FAULT", "The database is gone.");
        if (how !== "done") engine[how]();
      });
      const engine = new Engine(beamline);
      const end = engine.run(left);
      if (how === "fail") await expect(end).rejects.toMatchObject({ code: "DEVICE_FAULT" });
      else expect((await end).outcome).toBe({ done: "done", stop: "stopped", abort: "aborted" }[how]);
      expect(done.at(-1)).toBe("stopRun");
      expect(beamline.devices.run()).toMatchObject({ run: 1, state: "ready" });
    }
  });

  it("is ended by an abort in its middle, after the devices are safe, and by a second abort", async () => {
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots" || (twice && call.kind === "safe")) engine.abort();
    });
    let twice = false;
    let engine = new Engine(beamline);
    expect((await engine.run(inOneRun)).outcome).toBe("aborted");
    expect(done).toEqual(["start delay", "shots", "safe", "stopRun", "safe"]);
    twice = true;
    engine = new Engine(beamline);
    done.length = 0;
    expect((await engine.run(inOneRun)).outcome).toBe("aborted");
    expect(done.filter((call) => call === "stopRun")).toHaveLength(1);
    expect(beamline.devices.run()).toMatchObject({ run: 2, state: "ready" });
  });

  it("that is refused ends the plan with the reason, and cleanup does not hide it", async () => {
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "startRun") throw new SaclaError("UNKNOWN_DETECTOR", "There is no MPCCD-9.");
    });
    const careful = of(function* () {
      try {
        yield* startRun({ comment: "x", detectors: ["MPCCD-9"] });
        yield* shots(1);
      } finally {
        yield* stopRun();
      }
    });
    await expect(new Engine(beamline).run(careful)).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
    expect(done).toEqual(["safe"]);
  });

  it("of which nobody knows whether it has begun is ended", async () => {
    const { beamline } = watched();
    const silent: Beamline = {
      ...beamline,
      runs: {
        ...runsOf(beamline),
        start: async (request) => {
          beamline.devices.startRun(request);
          throw new SaclaError("TIMEOUT", "No answer.");
        },
      },
    };
    await expect(new Engine(silent).run(inOneRun)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(beamline.devices.run()).toMatchObject({ run: 1, state: "ready" });
  });

  it("is paused with the plan, and goes on with it", async () => {
    let isFirst = true;
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots" && isFirst) {
        isFirst = false;
        engine.pause();
      }
    });
    const engine = new Engine(beamline);
    const running = engine.run(inOneRun);
    await until(() => engine.state === "paused");
    expect(beamline.devices.run().state).toBe("paused");
    engine.resume();
    expect((await running).outcome).toBe("done");
    expect(done).toEqual(["start delay", "shots", "pauseRun", "resumeRun", "shots", "shots", "stopRun"]);
  });

  it("is not started by cleanup", async () => {
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots") engine.abort();
    });
    const engine = new Engine(beamline, { check: false });
    const odd = of(function* () {
      try {
        yield* shots(1);
      } finally {
        yield* startRun({ comment: "odd" });
      }
    });
    expect((await engine.run(odd)).outcome).toBe("aborted");
    expect(done).toEqual(["shots", "safe", "safe"]);
  });
});

describe("a run of a program that was killed", () => {
  it("is taken up again, wherever it died: one run, ended once, every point in it", async () => {
    for (const dies of ["before", "after"] as const) {
      for (let dieAt = 0; dieAt < 5; dieAt++) {
        const path = newFile();
        const { beamline, done } = watched((n) => {
          if (dies === "before" && n === dieAt && isFirst) throw new Dead();
        });
        let isFirst = true;
        const after = afterwards(beamline, () => {
          if (dies === "after" && done.length > dieAt) throw new Dead();
        });
        await deadRun(after, Journal.create(path, inOneRun), inOneRun);
        isFirst = false;
        // What the lease does when its holder is gone.
        beamline.devices.pauseRun();
        const { rows, callbacks } = rowsOf();
        expect(await resumeScan(path, inOneRun, beamline, { callbacks })).toMatchObject({
          outcome: "done",
          points: 3,
        });
        expect(beamline.devices.run(), `${dies} ${dieAt}`).toMatchObject({ run: 1, state: "ready" });
        expect(rows.map(({ taken }) => taken?.run)).toEqual([1, 1, 1]);
        expect(done.filter((call) => call === "start delay")).toHaveLength(1);
      }
    }
  });

  it("that was ended meanwhile is followed by another one, which is known after a second death", async () => {
    const path = newFile();
    let dieAtShots = 2;
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots" && --dieAtShots === 0) throw new Dead();
    });
    await deadRun(beamline, Journal.create(path, inOneRun), inOneRun);
    beamline.devices.stopRun();
    dieAtShots = 2;
    const notes: string[] = [];
    await deadRun(beamline, Journal.open(path), inOneRun, {}, [{ note: (text) => notes.push(text) }]);
    expect(notes).toEqual(["run 1 was ended meanwhile; what follows is in run 2"]);
    beamline.devices.pauseRun();
    const { rows, callbacks } = rowsOf();
    await resumeScan(path, inOneRun, beamline, { callbacks });
    expect(rows.map(({ taken }) => taken?.run)).toEqual([1, 2, 2]);
    expect(done.filter((call) => call.startsWith("start"))).toHaveLength(2);
    expect(beamline.devices.run()).toMatchObject({ run: 2, state: "ready" });
  });

  it("goes on in another one after a stop, whose cleanup ended it; with the images that were left", async () => {
    const path = newFile();
    const limited = plan("limited", {}, () => withRun({ comment: "1000", shots: 1000 }, points(3)));
    const asked: unknown[] = [];
    const { beamline } = watched((_, call) => {
      if (call.kind === "startRun") asked.push(call.request.shots);
      if (call.kind === "shots" && asked.length === 1) engine.stop();
    });
    const journal = Journal.create(path, limited);
    const engine = new Engine(beamline, { journal });
    expect((await engine.run(limited)).outcome).toBe("stopped");
    journal.close();
    const { rows, callbacks } = rowsOf();
    await resumeScan(path, limited, beamline, { callbacks });
    expect(rows.map(({ taken }) => taken?.run)).toEqual([1, 2, 2]);
    // 30 shots were in the first.
    expect(asked).toEqual([1000, 970]);
  });

  it("cannot go on while somebody else's is on: nothing is lost by trying", async () => {
    const path = newFile();
    let dieAtShots = 3;
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots" && --dieAtShots === 0) throw new Dead();
    });
    await deadRun(beamline, Journal.create(path, inOneRun), inOneRun);
    beamline.devices.stopRun();
    beamline.devices.startRun({ comment: "somebody else's" });
    for (let i = 0; i < 3; i++)
      await expect(resumeScan(path, inOneRun, beamline)).rejects.toMatchObject({ code: "DEVICE_BUSY" });
    // Cleanup ends the plan's run, never another.
    expect(beamline.devices.run()).toMatchObject({ run: 2, state: "running" });
    beamline.devices.stopRun();
    const { rows, callbacks } = rowsOf();
    await resumeScan(path, inOneRun, beamline, { callbacks });
    expect(rows.map(({ taken }) => taken?.run)).toEqual([1, 1, 3]);
    expect(done.filter((call) => call === "shots")).toHaveLength(3);
  });

  it("that was refused is not taken for one that somebody else starts later", async () => {
    const path = newFile();
    const { beamline } = watched();
    beamline.devices.startRun({ comment: "somebody else's" });
    const journal = Journal.create(path, inOneRun);
    await expect(new Engine(beamline, { journal, check: false }).run(inOneRun)).rejects.toMatchObject({
      code: "DEVICE_BUSY",
    });
    journal.close();
    beamline.devices.stopRun();
    beamline.devices.startRun({ comment: "somebody else's again" });
    await expect(resumeScan(path, inOneRun, beamline)).rejects.toMatchObject({ code: "DEVICE_BUSY" });
    expect(beamline.devices.run()).toMatchObject({ run: 2, state: "running" });
  });
});

describe("before a run is started", () => {
  const twice = of(function* () {
    yield* startRun({ comment: "a" });
    yield* startRun({ comment: "b" });
  });
  const none = of(stopRun);

  it.each([
    [twice, /"b" while its run "a" is on/],
    [none, /has none on/],
  ])("the order is checked", async (wrong, why) => {
    const { beamline, done } = watched();
    await expect(new Engine(beamline).run(wrong)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(why),
    });
    expect(dryRun(wrong, { devices: bench }).problem).toMatch(why);
    expect(done).toEqual([]);
  });

  it("a second start is refused where no check could see it", async () => {
    const { beamline, done } = watched();
    await expect(new Engine(beamline, { check: false }).run(twice)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    expect(done).toEqual(["start a", "safe", "stopRun"]);
  });

  it("nothing is done while somebody else's is on, or without run control", async () => {
    const { beamline, done } = watched();
    beamline.devices.startRun({ comment: "somebody else's" });
    await expect(new Engine(beamline).run(inOneRun)).rejects.toMatchObject({
      code: "DEVICE_BUSY",
      message: expect.stringContaining("run 1 is running"),
    });
    const { runs: _, ...without } = beamline;
    await expect(new Engine(without).run(inOneRun)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(checkPlan(inOneRun, without, {})).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(done).toEqual([]);
    expect(beamline.devices.run().state).toBe("running");
  });

  it.each([{ comment: "x", shots: 0 }, { comment: "x", detectors: [""] }, { comment: 7 as unknown as string }])(
    "%j is no run",
    (request) => {
      expect(() => startRun(request).next()).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    },
  );
});

describe("runs in a dry run and in the results", () => {
  it("take their time, as on the devices themselves", async () => {
    const devices = { axes: {}, rateHz: 30, runSeconds: { start: 2, stop: 5 } };
    const two = of(function* () {
      yield* withRun({ comment: "a" }, shots(60));
      yield* startRun({ comment: "b" });
      yield* wait(1);
    });
    const found = dryRun(two, { devices });
    expect(found).toMatchObject({ runs: { from: 2, to: 2 }, problem: null });
    expect(found.seconds.from).toBeCloseTo(2 + 2 + 5 + 2 + 1 + 5, 9);
    const beamline = virtualBeamline(devices);
    await new Engine(beamline).run(two);
    expect(beamline.now() / 1000).toBeCloseTo(found.seconds.from, 9);
  });

  it("are a column of the table and data of the events", async () => {
    const table = new ScanTable();
    const events: unknown[] = [];
    const documents = new DocumentStream(([name, { data }]) => {
      if (name === "event") events.push(data);
    });
    await new Engine(virtualBeamline(bench), { callbacks: [table, documents] }).run(inOneRun);
    expect(table.csv().split("\n")[0]).toBe(
      "time,i,facility run,shots used,shots asked,outcome,first tag,last tag,i0 mean,i0 error",
    );
    expect(table.columns().find(({ name }) => name === "facility run")?.values).toEqual([1, 1, 1]);
    expect(events).toEqual([0, 1, 2].map((i) => expect.objectContaining({ i, facility_run: 1 })));
    const plain = new ScanTable();
    await new Engine(virtualBeamline(bench), { callbacks: [plain] }).run(of(() => points(1)));
    expect(plain.columns().map(({ name }) => name)).not.toContain("facility run");
  });

  it("of an adaptive plan are checked as far as it is known", async () => {
    const peak = goToPeak({
      axis: "theta",
      from: 11,
      to: 14,
      points: 9,
      signalName: "bragg",
      shots: { count: 20, signals: ["bragg"] },
    });
    function* steps(): PlanSteps {
      yield* withRun({ comment: "rocking" }, peak.steps());
      yield* withRun({ comment: "on the peak" }, shots(30));
    }
    const { beamline, done } = watched();
    expect((await new Engine(beamline).run(of(steps, true))).outcome).toBe("done");
    expect(done.filter((call) => call.startsWith("start") || call === "stopRun")).toEqual([
      "start rocking",
      "stopRun",
      "start on the peak",
      "stopRun",
    ]);
    // Without a word that it is adaptive, the check says how to say so.
    const undeclared = { code: "NO_PEAK", message: expect.stringContaining("{ adaptive: true }") };
    await expect(new Engine(beamline).run(of(steps))).rejects.toMatchObject(undeclared);
    expect(dryRun(of(steps), { devices: { ...bench, signals: {} } }).problem).toContain("{ adaptive: true }");
    expect(dryRun(of(steps, true), { devices: { ...bench, signals: {} } }).problem).toContain("devices.signals");
    expect(dryRun(of(steps, true), { devices: bench }).problem).toBeNull();
  });
});

describe("one pulse per spot", () => {
  const chip = () => TargetMap.inMemory([{ x: 0 }, { x: 1 }, { x: 2 }]);
  const fresh = { map: "chip", shutter: "main", selector: "pulses", before: { att: 5 } };
  const raster = scan({
    axis: "y",
    from: 0,
    to: 1,
    points: 2,
    shots: { count: 1, signals: ["i0"] },
    freshSpots: fresh,
    andReturn: false,
  });

  it("comes after the shutter has opened: the selector is off until then", async () => {
    const { beamline, done } = watched();
    const selected: unknown[] = [];
    const seen: Beamline = {
      ...beamline,
      shots: async (request, options) => {
        selected.push(request.selector, beamline.devices.isOpen("main"));
        return await beamline.shots(request, options);
      },
    };
    const map = chip();
    await new Engine(seen, { maps: { chip: map } }).run(raster);
    const one = (at: number) => [
      `move y,${at}`,
      `move x,${at}`,
      "set att 5",
      "set pulses off",
      "open main",
      "shots",
      "close main",
    ];
    expect(done).toEqual([...one(0), ...one(1)]);
    expect(selected).toEqual(["pulses", true, "pulses", true]);
    expect(map.counts).toMatchObject({ shot: 2, fresh: 1 });
  });

  it("is one shot per place in the dry run, which without the selector counts all that come while it is open", () => {
    const dose = (freshSpots: typeof fresh | Omit<typeof fresh, "selector">): number =>
      dryRun(scan({ axis: "y", from: 0, to: 1, points: 2, shots: { count: 1, budget: { shots: 9 } }, freshSpots }), {
        devices: { ...bench, settings: { att: 0, pulses: 1 } },
        maps: { chip: chip() },
      }).dosePerSpot.to;
    expect(dose(fresh)).toBe(1);
    const { selector: _, ...bare } = fresh;
    expect(dose(bare)).toBe(1);
    const late = { ...bench, settings: { att: 0, pulses: 1 }, shotsOverheadSeconds: 0.5 };
    const waits = (freshSpots: typeof fresh | typeof bare): number =>
      dryRun(scan({ axis: "y", from: 0, to: 0, points: 1, shots: 1, freshSpots }), {
        devices: late,
        maps: { chip: chip() },
      }).dosePerSpot.to;
    expect(waits(fresh)).toBe(1);
    expect(waits(bare)).toBe(16);
  });

  it("lasts as long as the selector and its values take: no wait for a shot on top", () => {
    const devices = {
      axes: { x: { limits: "unlimited" as const, speed: 5 } },
      switchSeconds: 0.2,
      settingSeconds: () => 0.05,
      shotsOverheadSeconds: 0.22,
    };
    const spots = count({ times: 2, shots: 1, freshSpots: { map: "chip", shutter: "main", selector: "pulses" } });
    const { seconds } = dryRun(spots, { devices, maps: { chip: chip() } });
    // 0 mm, then 1 mm at 5 mm/s; each: off 0.05, open 0.2, single 0.05, values 0.22, closed 0.2.
    expect(seconds.to).toBeCloseTo(0.2 + 2 * 0.72, 9);
  });

  it("that did not come is told, and the spot stays missed", async () => {
    const dark = virtualBeamline({
      ...bench,
      signals: { ...bench.signals, diode: () => "not-converged", beam: ({ tag }) => (tag % 4 === 0 ? 0 : 1) },
    });
    const map = chip();
    const rows: Row[] = [];
    const looking = {
      count: 1,
      conditions: [{ signalName: "diode", between: [0.01, 1] }],
      beam: { signalName: "beam", equals: 1 },
      budget: { shots: 4 },
    } as const;
    const running = new Engine(dark, { maps: { chip: map }, callbacks: [{ point: (row) => rows.push(row) }] }).run(
      count({ times: 2, shots: looking, freshSpots: { ...fresh, before: {} } }),
    );
    await expect(running).rejects.toMatchObject({
      code: "TOO_FEW_SHOTS",
      message: expect.stringMatching(/4 no-beam, 4 diode-not-converged.*"go-on"/),
      details: { row: { x: 0, spot: 0 } },
    });
    expect(map.counts).toEqual({ fresh: 2, spent: 0, shot: 0, missed: 1 });
    expect(rows.map(({ data }) => data)).toEqual([{ index: 0, x: 0, spot: 0 }]);
  });

  it("is one pulse: no more can be asked for", async () => {
    const three = scan({ axis: "y", from: 0, to: 1, points: 2, shots: 3, freshSpots: fresh });
    await expect(new Engine(virtualBeamline(bench), { maps: { chip: chip() } }).run(three)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("lets one pulse through"),
    });
  });
});

/** Calls `then` after each thing that was done. */
function afterwards(beamline: Beamline, then: () => void): Beamline {
  const told =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const answer = await work(...args);
      then();
      return answer;
    };
  const runs = runsOf(beamline);
  return {
    ...beamline,
    shots: told(beamline.shots),
    runs: { ...runs, start: told(runs.start), stop: told(runs.stop) },
  };
}

function runsOf({ runs }: Beamline): NonNullable<Beamline["runs"]> {
  if (runs === undefined) throw new Error("no run control");
  return runs;
}
