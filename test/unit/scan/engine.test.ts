import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SaclaError } from "../../../src/core/index.ts";
import {
  andReturn,
  checkpoint,
  count,
  Engine,
  finalize,
  flyScan,
  Journal,
  type MessageResult,
  move,
  note,
  once,
  plan,
  point,
  type Row,
  resumeScan,
  scan,
  scanRelative,
  shots,
  TargetMap,
  virtualBeamline,
  wait,
  withShutterOpen,
} from "../../../src/scan/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { bench, Dead, deadRun, replaced, until, watched } from "./fixtures.ts";

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);

describe("engine", () => {
  it("does a scan: moves, shots, rows, and back where it was", async () => {
    const { beamline, done } = watched();
    const rows: Row[] = [];
    const end = await new Engine(beamline, { callbacks: [{ point: (row) => rows.push(row) }] }).run(
      scan({ axis: "delay", from: -1, to: 1, points: 3, shots: { count: 5, signals: ["i0"] }, shutter: "main" }),
    );
    expect(done).toEqual([
      ...[-1, 0, 1].flatMap((at) => [`move delay,${at}`, "open main", "shots", "close main"]),
      "move delay,0",
    ]);
    expect(end).toMatchObject({ outcome: "done", points: 3, shots: { asked: 15, used: 15, dropped: {} } });
    expect(rows.map(({ data }) => data["delay"])).toEqual([-1, 0, 1]);
    expect(rows[0]?.taken?.values["i0"]).toHaveLength(5);
  });

  it("moves nothing when a position of the whole plan is outside the limits", async () => {
    const { beamline, done } = watched();
    await expect(
      new Engine(beamline).run(scan({ axis: "delay", from: 0, to: 501, points: 3, shots: 1 })),
    ).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining("delay cannot go to 501"),
    });
    beamline.devices.move({ delay: 499 });
    await expect(
      new Engine(beamline).run(scanRelative({ axis: "delay", from: 0, to: 2, points: 2, shots: 1 })),
    ).rejects.toMatchObject({ code: "LIMIT" });
    expect(done).toEqual([]);
  });

  it("stops in order at the next checkpoint, with cleanup and the safe state", async () => {
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots") engine.stop();
    });
    const engine = new Engine(beamline);
    const end = await engine.run(scan({ axis: "delay", from: 5, to: 9, points: 5, shots: 5, shutter: "main" }));
    expect(end).toMatchObject({ outcome: "stopped", points: 1, result: undefined });
    expect(done).toEqual(["move delay,5", "open main", "shots", "close main", "move delay,0", "safe"]);
  });

  it("aborts at once: safe state first, then cleanup", async () => {
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots") engine.abort();
    });
    const engine = new Engine(beamline);
    const end = await engine.run(scan({ axis: "delay", from: 5, to: 9, points: 5, shots: 5, shutter: "main" }));
    expect(end).toMatchObject({ outcome: "aborted", points: 0 });
    expect(done).toEqual(["move delay,5", "open main", "shots", "safe", "close main", "move delay,0", "safe"]);
  });

  it("ends a plan that catches everything", async () => {
    const { beamline } = watched((_, call) => {
      if (call.kind === "shots") engine.stop();
    });
    const engine = new Engine(beamline, { check: false });
    const stubborn = plan("stubborn", {}, function* () {
      for (let i = 0; i < 3; i++) {
        try {
          yield* checkpoint();
          yield* shots(1);
        } catch {
          yield* note("never mind");
        }
      }
    });
    expect(await engine.run(stubborn)).toMatchObject({ outcome: "stopped", shots: { asked: 1 } });
  });

  it("leaves cleanup out at the second abort, but not the safe state", async () => {
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots" || call.kind === "move") engine.abort();
    });
    const engine = new Engine(beamline, { check: false });
    const end = await engine.run(
      plan("p", {}, () =>
        finalize(shots(3), function* () {
          yield* move({ x: 1 });
          yield* move({ x: 2 });
        }),
      ),
    );
    expect(end.outcome).toBe("aborted");
    expect(done).toEqual(["shots", "safe", "move x,1", "safe"]);
  });

  it("aborts a plan of messages that never wait", async () => {
    const { beamline } = watched();
    const engine = new Engine(beamline, { check: false });
    const running = engine.run(
      plan("endless", {}, function* () {
        for (;;) yield* note("on and on");
      }),
    );
    setTimeout(() => engine.abort(), 5);
    expect(await running).toMatchObject({ outcome: "aborted" });
  });

  it("pauses at a checkpoint with the shutter closed, and puts everything back", async () => {
    let isFirst = true;
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots" && isFirst) {
        isFirst = false;
        engine.pause();
      }
    });
    const engine = new Engine(beamline);
    const running = engine.run(
      plan("p", {}, () =>
        withShutterOpen(
          "main",
          (function* () {
            for (const x of [1, 2]) {
              yield* checkpoint();
              yield* move({ x });
              yield* shots(3);
            }
          })(),
        ),
      ),
    );
    await until(() => engine.state === "paused");
    expect(beamline.devices.isOpen("main")).toBe(false);
    expect(engine.line).toBe("p: paused, 0 points");
    engine.resume();
    expect((await running).outcome).toBe("done");
    expect(done).toEqual([
      "open main",
      "move x,1",
      "shots",
      "close main",
      "open main",
      "move x,2",
      "shots",
      "close main",
    ]);
  });

  it("interrupts what goes on when it shall pause now, and does it again after", async () => {
    let isFirst = true;
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots" && isFirst) {
        isFirst = false;
        engine.pause({ now: true });
      }
    });
    const engine = new Engine(beamline);
    const running = engine.run(scan({ axis: "x", from: 3, to: 3, points: 1, shots: 5, shutter: "main" }));
    await until(() => engine.state === "paused");
    engine.resume();
    expect(await running).toMatchObject({ outcome: "done", shots: { asked: 5, used: 5 } });
    expect(done).toEqual([
      "move x,3",
      "open main",
      "shots",
      "close main",
      "move x,3",
      "open main",
      "shots",
      "close main",
      "move x,0",
    ]);
  });

  it("does not interrupt what must not be repeated for a pause", async () => {
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots") engine.pause({ now: true });
    });
    const engine = new Engine(beamline);
    const running = engine.run(
      plan("p", {}, function* () {
        yield* once(shots(3));
        yield* checkpoint();
        yield* note("after");
      }),
    );
    await until(() => engine.state === "paused");
    expect(done).toEqual(["shots"]);
    engine.resume();
    await running;
  });

  it("gives the failure of a device to the plan, and ends in the safe state when that does not catch it", async () => {
    const stuck = new SaclaError("DEVICE_FAULT", "x is stuck.");
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "move" && call.to["x"] === 7) throw stuck;
    });
    const caught = plan("caught", {}, function* () {
      try {
        yield* move({ x: 7 });
      } catch {
        yield* move({ x: 8 });
      }
    });
    expect((await new Engine(beamline).run(caught)).outcome).toBe("done");
    await expect(
      new Engine(beamline).run(scan({ axis: "x", from: 6, to: 8, points: 3, shots: 1, shutter: "main" })),
    ).rejects.toBe(stuck);
    expect(done.slice(-2)).toEqual(["close main", "safe"]);
  });

  it("takes one plan at a time", async () => {
    const { beamline } = watched();
    const engine = new Engine(beamline);
    const first = engine.run(count({ shots: 1 }));
    await expect(engine.run(count({ shots: 1 }))).rejects.toMatchObject({ code: "DEVICE_BUSY" });
    await first;
  });

  it("flies to and fro with a position for every shot", async () => {
    const { beamline } = watched();
    const { result } = await new Engine(beamline).run(
      flyScan({ axis: "delay", from: 0, to: 9, shots: 10, sweeps: 2, signals: ["i0"] }),
    );
    expect(result?.map(({ positions }) => positions)).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ]);
  });
});

describe("resuming", () => {
  const five = scan({ axis: "x", from: 1, to: 5, points: 5, shots: { count: 4, signals: ["i0"] }, shutter: "main" });

  it("goes on at the right point, measures nothing twice and gives the same rows", async () => {
    for (let dieAt = 0; dieAt < 19; dieAt++) {
      const path = file(`die-${dieAt}.journal`);
      const died = watched((n) => {
        if (n === dieAt) throw new Dead();
      });
      const journal = Journal.create(path, five);
      // Nothing more is done by a process that is dead: no cleanup, no safe state.
      await deadRun(died.beamline, journal, five);
      const { beamline, done } = watched();
      const rows: Row[] = [];
      const end = await resumeScan(path, five, beamline, { callbacks: [{ point: (row) => rows.push(row) }] });
      expect(end).toMatchObject({ outcome: "done", points: 5, shots: { asked: 20, used: 20 } });
      expect(rows.map(({ data }) => data["x"])).toEqual([1, 2, 3, 4, 5]);
      expect(done[0]).toBe("safe");
      const shotsBefore = died.done.filter((call) => call === "shots").length;
      expect(shotsBefore + done.filter((call) => call === "shots").length).toBe(5);
    }
  });

  it("goes on after a stop, and refuses what is done", async () => {
    const path = file("stopped.journal");
    const { beamline } = watched((_, call) => {
      if (call.kind === "shots" && ++taken === 2) engine.stop();
    });
    let taken = 0;
    const journal = Journal.create(path, five);
    const engine = new Engine(beamline, { journal });
    expect(await engine.run(five)).toMatchObject({ outcome: "stopped", points: 2 });
    journal.close();
    const second = watched();
    expect(await resumeScan(path, five, second.beamline)).toMatchObject({ outcome: "done", points: 5 });
    expect(second.done.filter((call) => call === "shots")).toHaveLength(3);
    await expect(resumeScan(path, five, second.beamline)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("ends with the reason when the folder of its journal vanishes, rather than write where nobody reads", async () => {
    const gone = join(folder, "gone");
    mkdirSync(gone);
    const { beamline } = watched((_, call) => {
      if (call.kind === "shots") rmSync(gone, { recursive: true, force: true });
    });
    const journal = Journal.create(join(gone, "scan.journal"), five);
    await expect(new Engine(beamline, { journal }).run(five)).rejects.toMatchObject({
      code: "WRITE_FAILED",
      message: expect.stringContaining('scan.journal" cannot be written: its folder was deleted or moved'),
    });
    journal.close();
  });

  it("tries a failed move anew", async () => {
    const path = file("failed.journal");
    const { beamline } = watched((_, call) => {
      if (call.kind === "move" && call.to["x"] === 3) throw new SaclaError("DEVICE_FAULT", "x is stuck.");
    });
    const journal = Journal.create(path, five);
    await expect(new Engine(beamline, { journal }).run(five)).rejects.toMatchObject({ code: "DEVICE_FAULT" });
    journal.close();
    const second = watched();
    expect(await resumeScan(path, five, second.beamline)).toMatchObject({ outcome: "done", points: 5 });
    expect(second.done.slice(0, 2)).toEqual(["safe", "move x,3"]);
  });

  it("keeps what was measured when it is given up before it goes on: no beam, Ctrl+C, another plan", async () => {
    const path = file("given-up.journal");
    const journal = Journal.create(path, five);
    const engine = new Engine(virtualBeamline(bench), { journal, callbacks: [{ point: () => engine.stop() }] });
    await engine.run(five);
    journal.close();
    const dark = replaced(virtualBeamline(bench), "prepare", async () => {
      throw new SaclaError("NO_BEAM", "There was no beam.");
    });
    await expect(resumeScan(path, five, dark)).rejects.toMatchObject({ code: "NO_BEAM" });
    const drifting = plan(five.name, five.settings, function* () {
      yield* move({ x: 99 });
    });
    await expect(resumeScan(path, drifting, virtualBeamline(bench))).rejects.toMatchObject({ code: "PLAN_CHANGED" });
    const again = Journal.open(path);
    const stopped: Engine = new Engine(
      replaced(virtualBeamline(bench), "prepare", async () => stopped.abort()),
      { journal: again },
    );
    expect(await stopped.run(five)).toMatchObject({ outcome: "aborted" });
    again.close();
    const { beamline, done } = watched();
    expect(await resumeScan(path, five, beamline)).toMatchObject({ outcome: "done", points: 5 });
    expect(done.filter((call) => call === "shots")).toHaveLength(4);
  });

  it("tries anew what failed in a process that died before it wrote down its end", async () => {
    const path = file("failed-and-died.journal");
    const walk = plan("walk", {}, function* () {
      yield* move({ x: 1 });
    });
    const journal = Journal.create(path, walk);
    journal.intent(0, JSON.stringify({ kind: "move", to: { x: 1 } }), 0);
    journal.failure(0, new SaclaError("DEVICE_FAULT", "x slipped."), 1);
    journal.close();
    await expect(resumeScan(path, walk, virtualBeamline(bench))).rejects.toMatchObject({ code: "DEVICE_FAULT" });
    expect(await resumeScan(path, walk, virtualBeamline(bench))).toMatchObject({ outcome: "done" });
  });

  it("does not lose its own lease because the process before lost one, and died in its cleanup", async () => {
    const path = file("lost-lease.journal");
    const walk = plan("walk", {}, function* () {
      for (const x of [1, 2, 3]) yield* move({ x });
    });
    const text = (x: number): string => JSON.stringify({ kind: "move", to: { x } });
    const done = (x: number): MessageResult => ({ kind: "positions", at: { x } });
    const journal = Journal.create(path, walk);
    journal.intent(0, text(1), 0);
    journal.failure(0, new SaclaError("LEASE_LOST", "The lease has expired."), 1);
    journal.intent(1, text(9), 2);
    journal.result(1, done(9), 3);
    const read = Journal.open(path);
    expect(read.past.get(0)).not.toHaveProperty("failed");
    read.close();
    // The next one has done the first step anew when it is killed: what came after was the cleanup of the one before.
    journal.intent(0, text(1), 4);
    journal.result(0, done(1), 5);
    journal.close();
    const next = watched();
    expect(await resumeScan(path, walk, next.beamline)).toMatchObject({ outcome: "done" });
    expect(next.done).toEqual(["safe", "move x,2", "move x,3"]);
  });

  it("does anew what failed with the connection of a process that died in its cleanup, unless the plan had gone on", async () => {
    const path = file("lost-connection.journal");
    const walk = plan("walk", {}, function* () {
      for (const x of [1, 2, 3])
        try {
          yield* move({ x });
        } finally {
          yield* move({ x: 0 });
        }
    });
    const text = (x: number): string => JSON.stringify({ kind: "move", to: { x } });
    const [at0, unreachable] = [{ kind: "positions", at: { x: 0 } }, new SaclaError("UNREACHABLE", "Gone.")] as const;
    const journal = Journal.create(path, walk);
    [1, 0].forEach((x, n) => {
      journal.intent(n, text(x), n);
      journal.result(n, { kind: "positions", at: { x } }, n);
    });
    // Its cleanup did not reach the server either at first.
    journal.intent(2, text(2), 2);
    journal.failure(2, unreachable, 3);
    journal.intent(3, text(0), 3);
    journal.failure(3, unreachable, 4);
    journal.close();
    const next = watched();
    expect(await resumeScan(path, walk, next.beamline)).toMatchObject({ outcome: "done" });
    expect(next.done).toEqual(["safe", "move x,2", "move x,0", "move x,3", "move x,0"]);
    const caught = file("caught.journal");
    const gone = Journal.create(caught, walk);
    gone.intent(0, text(1), 0);
    gone.failure(0, unreachable, 1);
    gone.intent(1, JSON.stringify({ kind: "shots", request: { count: 1 } }), 2);
    gone.result(1, at0, 3);
    gone.close();
    const read = Journal.open(caught);
    expect(read.past.get(0)).toHaveProperty("failed");
    read.close();
  });

  it("refuses another plan, and the same plan that goes another way", async () => {
    const path = file("changed.journal");
    const journal = Journal.create(path, five);
    const engine = new Engine(virtualBeamline(bench), { journal, callbacks: [{ point: () => engine.stop() }] });
    await engine.run(five);
    journal.close();
    const other = scan({ axis: "x", from: 1, to: 6, points: 5, shots: 4 });
    await expect(new Engine(virtualBeamline(bench), { journal: Journal.open(path) }).run(other)).rejects.toMatchObject({
      code: "PLAN_CHANGED",
    });
    const drifting = plan(five.name, five.settings, function* () {
      yield* move({ x: 99 });
    });
    await expect(
      new Engine(virtualBeamline(bench), { journal: Journal.open(path) }).run(drifting),
    ).rejects.toMatchObject({ code: "PLAN_CHANGED" });
  });

  it("does not repeat what must not be repeated without a yes", async () => {
    const delicate = plan("delicate", {}, function* () {
      const taken = yield* once(
        withShutterOpen(
          "main",
          (function* () {
            yield* wait(1);
            return yield* shots(5);
          })(),
        ),
      );
      yield* point({ n: 0 }, taken);
    });
    for (const may of [false, true]) {
      const path = file(`once-${may}.journal`);
      const died = watched((_, call) => {
        if (call.kind === "shots") throw new Dead();
      });
      await deadRun(died.beamline, Journal.create(path, delicate), delicate);
      const questions: string[] = [];
      const { beamline, done } = watched();
      const rows: Row[] = [];
      await resumeScan(path, delicate, beamline, {
        callbacks: [{ point: (row) => rows.push(row) }],
        mayRepeat: ({ message }) => {
          questions.push(message.kind);
          return may;
        },
      });
      expect(questions).toEqual(["shots"]);
      expect(done).toEqual(may ? ["safe", "open main", "shots", "close main"] : ["safe", "close main"]);
      expect(rows[0]?.taken?.outcome).toBe(may ? "done" : "interrupted");
    }
  });

  it("shoots no spot twice wherever it dies", async () => {
    const spots = Array.from({ length: 20 }, (_, i) => ({ x: i, y: 0 }));
    const fresh = count({ times: 4, shots: 1, freshSpots: { map: "chip", shutter: "main" } });
    for (let dieAt = 0; dieAt < 16; dieAt++) {
      const [path, mapPath] = [file(`spot-${dieAt}.journal`), file(`spot-${dieAt}.map`)];
      const shot: number[] = [];
      const watch = (die: boolean) =>
        watched((n, call) => {
          if (die && n === dieAt) throw new Dead();
          if (call.kind === "shutter" && call.open) shot.push(current);
          if (call.kind === "move") current = call.to["x"] ?? NaN;
        });
      let current = NaN;
      const died = watch(true);
      await deadRun(died.beamline, Journal.create(path, fresh), fresh, { chip: TargetMap.create(mapPath, spots) });
      const rows: Row[] = [];
      const map = TargetMap.open(mapPath);
      const end = await resumeScan(path, fresh, watch(false).beamline, {
        maps: { chip: map },
        callbacks: [{ point: (row) => rows.push(row) }],
      });
      expect(end).toMatchObject({ outcome: "done", points: 4 });
      expect(new Set(shot).size).toBe(shot.length);
      expect(new Set(rows.map(({ data }) => data["spot"])).size).toBe(4);
      expect(map.counts.shot).toBe(4);
    }
  });

  it("drops a last line cut short and refuses damage before it", async () => {
    const { writeFileSync, readFileSync } = await import("node:fs");
    const path = file("torn.journal");
    const journal = Journal.create(path, five);
    await new Engine(virtualBeamline(bench), { journal }).run(five);
    journal.close();
    const lines = readFileSync(path, "utf8").split("\n");
    const half = lines.slice(0, 30).join("\n");
    writeFileSync(path, half.slice(0, -7));
    expect(await resumeScan(path, five, virtualBeamline(bench))).toMatchObject({ outcome: "done", points: 5 });
    writeFileSync(path, [...lines.slice(0, 4), "{broken", ...lines.slice(5)].join("\n"));
    await expect(resumeScan(path, five, virtualBeamline(bench))).rejects.toMatchObject({ code: "FILE_DAMAGED" });
  });
});

it("a cleanup that fails as well hides neither the first failure nor where the scan goes on", async () => {
  const path = file("twice-failed.journal");
  const two = scanRelative({ axis: "delay", from: 1, to: 2, points: 2, shots: 2 });
  let isBroken = true;
  const notes: string[] = [];
  const { beamline, done } = watched((_, call) => {
    if (isBroken && call.kind === "move") throw new SaclaError("DEVICE_BUSY", `no way to ${call.to["delay"]}`);
  });
  const journal = Journal.create(path, two);
  const failed = new Engine(beamline, { journal, callbacks: [{ note: (text) => notes.push(text) }] }).run(two);
  await expect(failed).rejects.toMatchObject({ code: "DEVICE_BUSY", message: "no way to 1" });
  journal.close();
  expect(notes).toEqual(["the cleanup failed, too: no way to 0"]);
  expect(done).toEqual(["safe"]);
  isBroken = false;
  expect(await resumeScan(path, two, beamline)).toMatchObject({ outcome: "done", points: 2 });
});

it("axes are put back after a failure, but not after a fault of a device", async () => {
  for (const code of ["BAD_ARGUMENT", "DEVICE_FAULT"] as const) {
    const notes: string[] = [];
    const { beamline, done } = watched((_, call) => {
      if (call.kind === "shots") throw new SaclaError(code, "as the test wants it");
    });
    const going = plan("there", {}, () =>
      andReturn(
        ["x"],
        (function* () {
          yield* move({ x: 3 });
          yield* shots(1);
        })(),
      ),
    );
    await expect(
      new Engine(beamline, { callbacks: [{ note: (text) => notes.push(text) }] }).run(going),
    ).rejects.toMatchObject({ code });
    const moves = done.filter((text) => text.startsWith("move"));
    expect([code, moves.length]).toEqual([code, code === "DEVICE_FAULT" ? 1 : 2]);
    expect(notes).toEqual(code === "DEVICE_FAULT" ? ["x: not put back after the fault"] : []);
  }
});
