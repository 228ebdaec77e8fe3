import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SplitDelay } from "../../../src/optics/index.ts";
import {
  adaptiveScan,
  alignCentroid,
  centroid,
  difference,
  Engine,
  edgeScan,
  findZeroDelay,
  fitPeak,
  goToPeak,
  gridPositions,
  type PeakOptions,
  type Plan,
  parseScanFile,
  type Row,
  raster,
  regionPositions,
  rock,
  rockingCurve,
  type ScanCallback,
  type ShotsRequest,
  scanLog,
  scanPoints,
  summary,
  VirtualDevices,
  virtualBeamline,
} from "../../../src/scan/index.ts";
import { bench } from "./fixtures.ts";

async function positionsOf(plan: Plan): Promise<readonly Row["data"][]> {
  const rows: Row[] = [];
  const callback: ScanCallback = { point: (row) => rows.push(row) };
  await new Engine(virtualBeamline(bench), { callbacks: [callback] }).run(plan);
  return rows.map(({ data }) => data);
}

describe("positions", () => {
  it("of regions meet once where they touch", () => {
    expect(
      regionPositions([
        { from: -1, to: 0, step: 0.5 },
        { from: 0, to: 0.2, step: 0.1 },
        { from: 1, to: 2, step: 1 },
      ]),
    ).toEqual([-1, -0.5, 0, 0.1, 0.2, 1, 2]);
    expect(() => regionPositions([{ from: 0, to: 1, step: 0.3 }])).toThrow("whole steps");
  });

  it("of a snake never jump: neighbours differ in one axis by one step", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        (a, b, c) => {
          const axes = [a, b, c].map((points, i) => ({ axis: `a${i}`, from: 0, to: points - 1, points }));
          const all = gridPositions(axes, true);
          expect(new Set(all.map((at) => JSON.stringify(at))).size).toBe(a * b * c);
          for (let i = 1; i < all.length; i++) {
            const step = axes.reduce(
              (sum, { axis }) => sum + Math.abs((all[i]?.[axis] ?? NaN) - (all[i - 1]?.[axis] ?? NaN)),
              0,
            );
            expect(step).toBe(1);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("of a logarithmic scan have one factor", async () => {
    const all = (await positionsOf(scanLog({ axis: "delay", from: 0.1, to: 100, points: 4, shots: 1 }))).map(
      ({ delay }) => delay ?? NaN,
    );
    for (const [i, expected] of [0.1, 1, 10, 100].entries()) expect(all[i]).toBeCloseTo(expected, 12);
    expect(() => scanLog({ axis: "delay", from: 0, to: 1, points: 3, shots: 1 })).toThrow("both above 0");
  });

  it("of a raster go row by row", async () => {
    const all = await positionsOf(
      raster({ x: "x", y: "y", columns: 2, rows: 2, pitch: 0.5, corner: { x: 1, y: 10 }, shots: 1 }),
    );
    expect(all).toEqual([
      { x: 1, y: 10 },
      { x: 1.5, y: 10 },
      { x: 1.5, y: 10.5 },
      { x: 1, y: 10.5 },
    ]);
  });
});

describe("custom scan file of RunControlGUI", () => {
  it("is read as seen in the wild", async () => {
    const text = "bl3_st1_pm003,\tbl3_st1_pm005,\r\n100,-200\r\n\r\n 101 , -201,\r\n";
    const points = parseScanFile(text, (axis, pulses) => [axis === "bl3_st1_pm003" ? "x" : "y", pulses / 1000]);
    expect(points).toEqual([
      { x: 0.1, y: -0.2 },
      { x: 0.101, y: -0.201 },
    ]);
    expect(await positionsOf(scanPoints({ points, shots: 1 }))).toEqual(points);
  });

  it.each([
    ["", "empty"],
    ["a,b\n1,2.5\n", "Line 2"],
    ["a,b\n1\n", "1 numbers for 2 axes"],
    ["a,a\n1,2\n", "twice"],
    ["1,2\n3,4\n", "no name of an axis"],
    ["a,b\n", "no points"],
  ])("says what is wrong with %j", (text, why) => {
    expect(() => parseScanFile(text)).toThrow(why);
  });
});

describe("fits", () => {
  const gaussian = (x: number): number => 3 + 50 * Math.exp((-4 * Math.LN2 * (x - 1.3) ** 2) / 0.4 ** 2);
  const xs = Array.from({ length: 41 }, (_, i) => i * 0.05);

  it("find a peak without noise exactly, in any units, upside down, too", () => {
    for (const [scale, offset, factor] of [
      [1, 0, 1],
      [1e-6, 0.1, 1e9],
      [1e3, -5e4, -1],
    ] as const) {
      const fit = fitPeak(
        xs.map((x) => offset + scale * x),
        xs.map((x) => factor * gaussian(x)),
      );
      expect((fit.centre - offset) / scale).toBeCloseTo(1.3, 5);
      expect(fit.fwhm / scale).toBeCloseTo(0.4, 5);
      expect(fit.height / factor).toBeCloseTo(50, 4);
    }
    const lorentz = fitPeak(
      xs,
      xs.map((x) => 1 + 7 / (1 + 4 * ((x - 0.8) / 0.3) ** 2)),
      { shape: "lorentzian" },
    );
    expect([lorentz.centre, lorentz.fwhm, lorentz.height, lorentz.background].map((v) => Number(v.toFixed(5)))).toEqual(
      [0.8, 0.3, 7, 1],
    );
  });

  it("refuse noise, flat lines and too few points", () => {
    expect(() => centroid([1, 2], [3, 3])).toThrow("5 are needed");
    expect(() => fitPeak([1, 2, 3], [1, 2, 1])).toThrow("5 are needed");
    expect(() =>
      fitPeak(
        xs,
        xs.map(() => 4),
      ),
    ).toThrow("the same");
    expect(() =>
      fitPeak(
        xs,
        xs.map((_, i) => (i % 2 === 0 ? 1 : -1)),
      ),
    ).toThrow("no peak");
  });
});

describe("peaks", () => {
  const curve: PeakOptions = {
    axis: "theta",
    from: 11.5,
    to: 13.5,
    points: 21,
    signalName: "bragg",
    shots: { count: 20, signals: ["bragg", "i0"] },
  };

  it("rockingCurve finds the crystal within three errors", async () => {
    const { result } = await new Engine(virtualBeamline(bench)).run(rockingCurve(curve));
    expect(Math.abs((result?.fit.centre ?? NaN) - 12.5)).toBeLessThan(3 * (result?.fit.centreError ?? NaN));
    expect(result?.fit.centreError).toBeLessThan(0.01);
    expect(result?.x).toHaveLength(21);
  });

  it("goToPeak stands on it, arrived from where the scan began", async () => {
    const beamline = virtualBeamline(bench);
    const { result } = await new Engine(beamline).run(goToPeak({ ...curve, normaliseBy: "i0" }));
    expect(beamline.devices.at("theta")).toBe(result?.centre);
    expect(result?.centre).toBeCloseTo(12.5, 1);
  });

  it("goToPeak goes to no peak outside the window, nor to none", async () => {
    for (const [from, to] of [
      [9, 12.2],
      [20, 22],
    ] as const) {
      const beamline = virtualBeamline(bench);
      await expect(new Engine(beamline).run(goToPeak({ ...curve, from, to }))).rejects.toMatchObject({
        code: "NO_PEAK",
      });
      expect(beamline.devices.at("theta")).toBe(from);
    }
  });

  it("are not looked for at one place only", () => {
    const one = { axis: "x", from: 1, to: 1, points: 5, signalName: "light", shots: { count: 1, signals: ["light"] } };
    for (const make of [rockingCurve, goToPeak, rock]) expect(() => make(one)).toThrow(/another place than from, 1/);
    expect(() => alignCentroid([one])).toThrow(/another place than from, 1/);
  });

  it("are not looked for at fewer places than a fit takes", () => {
    const few = { axis: "x", from: 1, to: 2, points: 4, signalName: "light", shots: { count: 1, signals: ["light"] } };
    for (const make of [rockingCurve, goToPeak, rock]) {
      expect(() => make(few)).toThrow(/points.* 4.*at least 5/);
      expect(() => make({ ...few, points: 6, shape: "pseudo-voigt", background: "line" })).toThrow(/at least 7/);
      expect(() => make({ ...few, points: 7, shape: "square" as "gaussian" })).toThrow(/shape.*square/);
    }
    expect(() => rock({ ...few, go: "centre" })).toThrow(/at least 5/);
    expect(() => alignCentroid([few])).toThrow(/at least 5/);
    expect(() => edgeScan({ ...few, edgeEv: 1.5 })).toThrow(/at least 5/);
    const axes = { bs: "bs", br1: "br1", br2: "br2", bm: "bm", cc1: "cc1", cc2: "cc2", br1Gap: "gap1", br2Gap: "gap2" };
    const optics = new SplitDelay({ channelGapMm: 5, axes });
    const zero = { optics, photonEnergyEv: 10_000, learntAt: "now", from: -1, to: 1, points: 2, signalName: "light" };
    expect(() => findZeroDelay({ ...zero, shots: few.shots })).toThrow(/at least 5/);
  });

  it("alignCentroid centres axes one after the other", async () => {
    const spot = {
      ...bench,
      signals: {
        light: ({ at }: { at(axis: string): number }) => Math.exp(-((at("x") - 0.3) ** 2) - (at("y") + 0.2) ** 2),
      },
    };
    const beamline = virtualBeamline(spot);
    const along = (axis: string) => ({
      axis,
      from: -4,
      to: 4,
      points: 33,
      signalName: "light",
      shots: { count: 1, signals: ["light"] },
    });
    await new Engine(beamline).run(alignCentroid([along("x"), along("y")], { rounds: 2 }));
    expect(beamline.devices.at("x")).toBeCloseTo(0.3, 3);
    expect(beamline.devices.at("y")).toBeCloseTo(-0.2, 3);
    // The second axis comes after a look at what was measured; its limits are known before.
    const beyond = alignCentroid([along("x"), { ...along("theta"), to: 31 }]);
    await expect(new Engine(beamline).run(beyond)).rejects.toMatchObject({ code: "LIMIT" });
    expect(beamline.devices.at("x")).toBeCloseTo(0.3, 3);
  });

  it("adaptiveScan takes small steps where the signal changes, and both ends", async () => {
    const step = { ...bench, signals: { edge: ({ at }: { at(axis: string): number }) => (at("x") < 5 ? 0 : 1) } };
    const rows: Row[] = [];
    const plan = adaptiveScan({
      axis: "x",
      from: 0,
      to: 10,
      signalName: "edge",
      change: 0.1,
      leastStep: 0.05,
      greatestStep: 2,
      shots: { count: 1, signals: ["edge"] },
    });
    await new Engine(virtualBeamline(step), { callbacks: [{ point: (row) => rows.push(row) }] }).run(plan);
    const xs = rows.map(({ data }) => data["x"] ?? NaN).sort((a, b) => a - b);
    expect([xs[0], xs.at(-1)]).toEqual([0, 10]);
    expect(rows.length).toBeLessThan(60);
    const below = Math.max(...xs.filter((x) => x < 5));
    const above = Math.min(...xs.filter((x) => x >= 5));
    expect(above - below).toBeLessThan(0.11);
  });

  it("adaptiveScan ends at a point without any number, whatever is to be done when a point is given up", async () => {
    for (const giveUp of ["stop", "go-on"] as const) {
      const dead = {
        ...bench,
        signals: { edge: ({ at }: { at(axis: string): number }) => (at("x") > 3 ? "failed" : 1) },
      };
      const rows: Row[] = [];
      const plan = adaptiveScan({
        axis: "x",
        from: 0,
        to: 10,
        signalName: "edge",
        change: 0.1,
        leastStep: 0.05,
        greatestStep: 2,
        shots: { count: 2, signals: ["edge"], repeat: { goodPart: 1, attempts: 2 } },
        giveUp,
      });
      const run = new Engine(virtualBeamline(dead), { callbacks: [{ point: (row) => rows.push(row) }] }).run(plan);
      await expect(run, giveUp).rejects.toMatchObject({ code: "TOO_FEW_SHOTS" });
      expect(rows.at(-1)?.data["x"], giveUp).toBe(4);
    }
  });
});

describe("shots of a point", () => {
  const taken = (
    request: ShotsRequest,
    signals: NonNullable<ConstructorParameters<typeof VirtualDevices>[0]["signals"]> = {},
  ) => new VirtualDevices({ axes: {}, signals, rateHz: 30 }).shots(request);

  it("counts good ones only, and accounts for every shot", () => {
    let n = 0;
    const result = taken(
      {
        count: 10,
        signals: ["i0"],
        conditions: [
          { name: "i0", signalName: "i0", between: [0.5, 2] },
          { signalName: "laser", equals: 1 },
        ],
      },
      { i0: () => (n++ % 3 === 0 ? "not-converged" : n % 5 === 0 ? 9 : 1), laser: () => 1 },
    );
    expect(result.outcome).toBe("done");
    expect(result.ledger.used).toBe(10);
    expect(result.ledger.asked).toBe(10 + result.ledger.dropped.reduce((sum, { tags }) => sum + tags.length, 0));
    expect(result.ledger.dropped.map(({ reason }) => reason).sort()).toEqual(["i0-not-converged", "i0-out-of-limits"]);
  });

  it("holds while there is no beam, and goes on by itself", () => {
    const beam = ({ seconds }: { seconds: number }): number => (seconds > 1 && seconds < 61 ? 0 : 1);
    const request = { count: 60, beam: { signalName: "beam", equals: 1 }, budget: { shots: 100 } };
    const result = taken(request, { beam });
    expect(result).toMatchObject({ outcome: "done", ledger: { used: 60 } });
    expect(result.heldSeconds).toBeCloseTo(60, 0);
    expect(taken({ ...request, budget: { seconds: 10 } }, { beam }).outcome).toBe("gave-up");
  });

  it("repeats a bad attempt, and gives up within its budget", () => {
    const bad = ({ seconds }: { seconds: number }): number => (seconds < 2 ? 0 : 1);
    const request = {
      count: 30,
      conditions: [{ signalName: "good", equals: 1 }],
      repeat: { goodPart: 0.8, attempts: 3 },
    };
    const result = taken(request, { good: bad });
    // 60 bad shots; an attempt is over after 30 / 0.8: two fail, the second with 16 good ones that are not used.
    expect(result).toMatchObject({ outcome: "done", attempts: 3, ledger: { used: 30, asked: 2 * 38 + 30 } });
    expect(result.ledger.dropped.find(({ reason }) => reason === "attempt-failed")?.tags.length).toBeGreaterThan(10);
    expect(taken(request, { good: () => 0 })).toMatchObject({
      outcome: "gave-up",
      attempts: 3,
      ledger: { used: 0, asked: 3 * 38 },
    });
    expect(taken({ ...request, budget: { shots: 50 } }, { good: () => 0 })).toMatchObject({
      outcome: "gave-up",
      ledger: { asked: 50 },
    });
  });

  it("stops when the difference signal is known well enough", () => {
    let n = 0;
    const signals = {
      laser: () => n++ % 2,
      ring: ({ random }: { random: { normal(): number } }) => 10 + random.normal(),
    };
    // Standard error √(2σ²/n) of each half: 0.2 wants about 50 of each.
    const result = taken({ count: 5000, precision: { signalName: "ring", pumpedBy: "laser", error: 0.2 } }, signals);
    expect(result.outcome).toBe("precise");
    expect(result.ledger.used).toBeGreaterThan(60);
    expect(result.ledger.used).toBeLessThan(160);
    const { standardError } = difference(result, "ring", "laser");
    expect(standardError).toBeLessThanOrEqual(0.2);
    expect(summary(result, "ring").count).toBe(result.ledger.used);
  });

  it("fails a plan that does not say to go on", async () => {
    const dark = virtualBeamline({ ...bench, signals: { i0: () => 0 } });
    const shots = { count: 5, conditions: [{ signalName: "i0", between: [1, 2] as const }], budget: { shots: 10 } };
    await expect(
      new Engine(dark).run(scanLog({ axis: "delay", from: 1, to: 2, points: 2, shots })),
    ).rejects.toMatchObject({ code: "TOO_FEW_SHOTS" });
    const end = await new Engine(dark).run(
      scanLog({ axis: "delay", from: 1, to: 2, points: 2, shots, giveUp: "go-on" }),
    );
    expect(end).toMatchObject({
      outcome: "done",
      points: 2,
      shots: { asked: 20, used: 0, dropped: { "i0-out-of-limits": 20 } },
    });
  });
});
