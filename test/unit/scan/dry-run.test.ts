import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  adaptiveScan,
  count,
  dryRun,
  Engine,
  flyScan,
  grid,
  Journal,
  learnMoveTimes,
  move,
  type Plan,
  pathPicture,
  plan,
  scan,
  scanList,
  shots,
  shutter,
  TargetMap,
  virtualBeamline,
  wait,
  withLearntTimes,
} from "../../../src/scan/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { bench } from "./fixtures.ts";

const folder = temporaryFolder();

describe("dry run", () => {
  it("says what is worked out by hand", () => {
    const devices = {
      axes: { x: { limits: "unlimited" as const, speed: 2, overheadSeconds: 0.5 } },
      rateHz: 10,
      switchSeconds: 0,
    };
    // Moves 0→1, 1→2, 2→3 and 3→0 take 0.5 + way/2; 20 shots take 2 s.
    const found = dryRun(
      scan({ axis: "x", from: 1, to: 3, points: 3, shots: 20, shutter: "main", settleSeconds: 0.25 }),
      { devices, bytesPerShot: 1000 },
    );
    expect(found.seconds.from).toBeCloseTo(3 * 1 + 2 + 3 * (2 + 0.25), 9);
    expect(found).toMatchObject({
      points: { from: 3, to: 3 },
      shots: { from: 60, to: 60 },
      bytes: { from: 60_000, to: 60_000 },
      shutterCycles: { from: 3, to: 3 },
      dosePerSpot: { from: 20, to: 20 },
      violations: [],
      problem: null,
    });
    expect(found.path.map(({ x }) => x)).toEqual([1, 2, 3, 0]);
  });

  it("follows ramps and backlash", () => {
    const devices = { axes: { x: { limits: "unlimited" as const, speed: 2, acceleration: 4, backlash: 0.25 } } };
    const seconds = (from: number, to: number): number =>
      dryRun(
        plan("p", {}, () => move({ x: to }) as ReturnType<Plan["steps"]>),
        { devices: { axes: { x: { ...devices.axes.x, start: from } } } },
      ).seconds.to;
    // 4 up: 0.5 s to speed, 4/2 + 2/4. 4 down: 4.25 and 0.25 back, which never reaches full speed: 2 √(0.25/4).
    expect(seconds(0, 4)).toBeCloseTo(2.5, 12);
    expect(seconds(4, 0)).toBeCloseTo(4.25 / 2 + 0.5 + 0.5, 12);
  });

  it("lists every violation, and touches no target map", () => {
    const map = TargetMap.inMemory([{ x: 0 }, { x: 1 }]);
    const over = dryRun(scanList({ axis: "delay", positions: [0, -11, 501, -11], shots: 1 }), { devices: bench });
    expect(over.violations).toEqual([expect.stringContaining("-11"), expect.stringContaining("501")]);
    const fresh = count({ times: 3, shots: 1, freshSpots: { map: "chip", shutter: "main" } });
    expect(dryRun(fresh, { devices: bench, maps: { chip: map } }).problem).toContain("All 2 spots");
    expect(map.counts.fresh).toBe(2);
  });

  it("counts what falls on a place while the shutter is open, also between shots", () => {
    const exposing = plan("p", {}, function* () {
      yield* move({ x: 1 });
      yield* shutter("main", true);
      yield* wait(2);
      yield* shots(30);
      yield* shutter("main", false);
      yield* shots(99);
    });
    expect(dryRun(exposing, { devices: bench }).dosePerSpot).toEqual({ from: 90, to: 90 });
  });

  it("gives a range for an adaptive plan", () => {
    const noisy = {
      ...bench,
      signals: {
        edge: ({ at, random }: { at(axis: string): number; random: { normal(): number } }) =>
          Math.tanh(at("x") - 5) + 0.1 * random.normal(),
      },
    };
    const found = dryRun(
      adaptiveScan({
        axis: "x",
        from: 0,
        to: 10,
        signalName: "edge",
        change: 0.1,
        leastStep: 0.1,
        greatestStep: 1,
        shots: { count: 3, signals: ["edge"] },
      }),
      { devices: noisy },
    );
    expect(found.points.to).toBeGreaterThan(found.points.from);
    expect(found.problem).toBeNull();
  });

  it("is as long as the run itself on the same devices, for all kinds of plans", async () => {
    const plans: Plan[] = [
      scan({ axis: "delay", from: -1, to: 100, points: 11, shots: 7, shutter: "main" }),
      grid({
        axes: [
          { axis: "y", from: 0, to: 2, points: 3 },
          { axis: "x", from: 0, to: 4, points: 5 },
        ],
        shots: 2,
      }),
      flyScan({ axis: "x", from: 0, to: 10, shots: 100, sweeps: 3 }),
      scan({
        axis: "theta",
        from: 3,
        to: 1,
        points: 5,
        shots: { count: 5, conditions: [{ signalName: "i0", between: [1, 9] }] },
      }),
    ];
    for (const each of plans) {
      const beamline = virtualBeamline(bench);
      await new Engine(beamline).run(each);
      expect(dryRun(each, { devices: bench }).seconds.to).toBeCloseTo(beamline.now() / 1000, 6);
    }
  });

  it("learns move times from journals", async () => {
    const path = join(folder, "learn.journal");
    const what = scanList({ axis: "x", positions: [0, 1, 3, 6, 10, 11], shots: 1 });
    const journal = Journal.create(path, what);
    await new Engine(virtualBeamline({ axes: { x: { limits: "unlimited", speed: 0.5, overheadSeconds: 1.5 } } }), {
      journal,
    }).run(what);
    journal.close();
    const learnt = learnMoveTimes([path]);
    expect(learnt.get("x")?.speed).toBeCloseTo(0.5, 6);
    expect(learnt.get("x")?.overheadSeconds).toBeCloseTo(1.5, 6);
    expect(withLearntTimes({ x: { limits: "unlimited", speed: 99 } }, learnt)["x"]?.speed).toBeCloseTo(0.5, 6);
  });

  it("draws the path", () => {
    const devices = {
      axes: { x: { limits: "unlimited" as const, speed: 1 }, y: { limits: "unlimited" as const, speed: 1 } },
    };
    const found = dryRun(
      grid({
        axes: [
          { axis: "y", from: 0, to: 2, points: 3 },
          { axis: "x", from: 0, to: 4, points: 5 },
        ],
        shots: 1,
        andReturn: false,
      }),
      { devices },
    );
    expect(found.path).toHaveLength(15);
    expect(pathPicture(found)).toMatch(/^<svg[\s\S]*grid/);
  });
});
