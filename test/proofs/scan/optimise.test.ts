import { describe, expect, it } from "vitest";
import { checkOptimiser } from "../../../scripts/check-optimiser.ts";
import { SaclaError } from "../../../src/core/errors.ts";
import { Random } from "../../../src/core/random.ts";
import { dryRun, Engine, type OptimiseOptions, optimise, virtualBeamline } from "../../../src/scan/index.ts";
import { GaussianProcess } from "../../../src/scan/optimisers/gaussian-process.ts";
import { rounds } from "../../support/full.ts";

const axis = { limits: { from: -10, to: 10 }, speed: 10 };
const noise = new Random(5);
/** Most at x = 1.2, y = −0.8; `level` 0: nothing to be found. */
const bench = (level = 1, what: { readonly at?: (turned: string) => void } = {}) =>
  virtualBeamline(
    {
      axes: { x: axis, y: axis },
      settings: { gain: 0, phase: 0 },
      signals: {
        light: (shot) => {
          const [x, y] = [shot.at("x") + Number(shot.setting("phase")), shot.at("y") + Number(shot.setting("gain"))];
          const light = 1 + level * Math.exp(-0.5 * ((x - 1.2) ** 2 + (y + 0.8) ** 2));
          return light * (1 + 0.1 * noise.normal());
        },
        i0: () => 1,
      },
    },
    { fault: ({ kind }) => what.at?.(kind) },
  );
const range = { from: -2, to: 2, step: 0.5 };
const options: OptimiseOptions = {
  knobs: { x: range, y: range },
  signalName: "light",
  shots: { count: 5, signals: ["light"] },
  budget: 250,
};

describe("optimise", () => {
  it("ends at a place that it has measured again and found better than the start", async () => {
    const beamline = bench();
    const { result } = await new Engine(beamline).run(optimise(options));
    expect(result?.isBetter).toBe(true);
    expect(result?.at).toEqual(beamline.devices.where(["x", "y"]));
    expect(Math.hypot((result?.at["x"] ?? 0) - 1.2, (result?.at["y"] ?? 0) + 0.8)).toBeLessThan(0.5);
    expect(result?.shots).toBeLessThanOrEqual(250);
    expect((result?.best.mean ?? 0) - (result?.start.mean ?? 0)).toBeGreaterThan(0.3);
  });

  it("goes back to the start where nothing is to be found", async () => {
    for (let n = 0; n < rounds(20, 2); n++) {
      const beamline = bench(0);
      const { result } = await new Engine(beamline).run(optimise({ ...options, seed: n + 1 }));
      if (result?.isBetter === false) expect(beamline.devices.where(["x", "y"])).toEqual({ x: 0, y: 0 });
      // Two standard errors, one side: 2 % by chance.
      else expect((result?.best.mean ?? 0) - (result?.start.mean ?? 0)).toBeLessThan(0.3);
    }
  });

  it("finds a minimum, turns settings and asks operators", async () => {
    const kinds = new Set<string>();
    const beamline = bench(-0.5, { at: (kind) => kinds.add(kind) });
    const knobs = {
      phase: { ...range, by: "request", start: 0 },
      gain: { ...range, by: "setting", start: 0 },
    } as const;
    const { result } = await new Engine(beamline).run(optimise({ ...options, knobs, goal: "minimum" }));
    expect(result?.isBetter).toBe(true);
    expect(result?.at["phase"]).toBeGreaterThan(0.5);
    expect([kinds.has("request"), kinds.has("set"), kinds.has("move")]).toEqual([true, true, false]);
  });

  it("goes back to the start in steps when it is stopped or a value is missing, not after a fault of a device", async () => {
    let count = 0;
    const fails = (code: "TOO_FEW_SHOTS" | "DEVICE_FAULT") =>
      virtualBeamline(
        {
          axes: { x: axis, y: axis },
          signals: { light: () => (code === "TOO_FEW_SHOTS" && count > 8 ? "saturated" : 1 + noise.normal()) },
        },
        {
          fault: ({ kind }) => {
            if (kind === "move") count++;
            if (code === "DEVICE_FAULT" && count === 9) throw new SaclaError(code, "stuck");
          },
        },
      );
    const missing = fails("TOO_FEW_SHOTS");
    await expect(new Engine(missing).run(optimise(options))).rejects.toMatchObject({ code: "TOO_FEW_SHOTS" });
    expect(missing.devices.where(["x", "y"])).toEqual({ x: 0, y: 0 });
    count = 0;
    const broken = fails("DEVICE_FAULT");
    await expect(new Engine(broken).run(optimise(options))).rejects.toMatchObject({ code: "DEVICE_FAULT" });
    expect(broken.devices.where(["x", "y"])).not.toEqual({ x: 0, y: 0 });
    expect(count).toBe(9);
    const stopped = bench();
    const engine = new Engine(stopped, { callbacks: [{ point: ({ index }) => void (index === 12 && engine.stop()) }] });
    expect((await engine.run(optimise(options))).outcome).toBe("stopped");
    expect(stopped.devices.where(["x", "y"])).toEqual({ x: 0, y: 0 });
  });

  it("refuses what cannot be: a budget below its verification, an unknown start, a misspelt option", () => {
    const wrong = (changes: object) => () => optimise({ ...options, ...changes });
    expect(wrong({ budget: 40 })).toThrow(/at least 50/);
    expect(wrong({ knobs: { gain: { ...range, by: "setting" } } })).toThrow(/start of gain/);
    expect(wrong({ knobs: { x: { ...range, start: 3 } } })).toThrow(/within its range/);
    expect(wrong({ knobs: { x: { from: 1, to: -1, step: 1 } } })).toThrow(/from below to/);
    expect(wrong({ methods: "simplex" })).toThrow(/method/);
    expect(wrong({ knobs: {} })).toThrow(/1 to 20 knobs/);
  });

  it("can be dry run: shots and seconds as a range, within the limits", () => {
    const run = dryRun(optimise(options), { devices: { axes: { x: axis, y: axis } } });
    expect(run.violations).toEqual([]);
    expect(run.shots.to).toBeLessThanOrEqual(250);
    // Nothing is measured in it, so it is taken to use its budget.
    expect(run.shots.from).toBeGreaterThan(200);
  });

  it("is refused before anything moves when a range reaches beyond a limit", async () => {
    const kinds: string[] = [];
    const beamline = bench(1, { at: (kind) => kinds.push(kind) });
    const wide = optimise({ ...options, knobs: { x: range, y: { ...range, to: 10.5 } } });
    await expect(new Engine(beamline).run(wide)).rejects.toMatchObject({ code: "LIMIT" });
    expect(kinds).toEqual([]);
  });
});

describe("the Gaussian process", () => {
  it("holds the truth within its deviation as often as it says", () => {
    const random = new Random(3);
    let [inside, all] = [0, 0];
    for (let n = 0; n < rounds(100); n++) {
      const [a, b, c] = [random.normal(), random.normal(), random.normal()];
      const truth = ([x = 0, y = 0]: readonly number[]): number => a * x + b * y * y + c * Math.sin(3 * x * y);
      const points = Array.from({ length: 25 }, () => [random.uniform(), random.uniform()]);
      const process = new GaussianProcess(
        points,
        points.map((point) => truth(point) + 0.1 * random.normal()),
        points.map(() => 0.1),
      );
      for (let k = 0; k < 20; k++) {
        const place = [random.uniform(), random.uniform()];
        const { mean, deviation } = process.at(place);
        all++;
        if (Math.abs(mean - truth(place)) < 2 * deviation) inside++;
      }
    }
    expect(inside / all).toBeGreaterThan(0.85);
  });

  it("is symmetric where the points are, and knows less between them", () => {
    // One point at 0 and one at 1 with values 0 and 1: by symmetry the mean in the middle is ½, and less is known there.
    const process = new GaussianProcess([[0], [1]], [0, 1], [0.01, 0.01]);
    expect(process.at([0.5]).mean).toBeCloseTo(0.5, 6);
    expect(process.at([0]).mean).toBeCloseTo(0, 2);
    expect(process.at([0.5]).deviation).toBeGreaterThan(process.at([0]).deviation);
  });
});

describe("on the simulated machine, six knobs and 12 % noise", () => {
  it("reaches 90 % of the optimum with 200 shots where the simplex does not with 400, within its steps", async () => {
    const seeds = rounds(20, 2);
    const bayesian = await checkOptimiser("bayesian", 5, 200, seeds);
    const simplex = await checkOptimiser("simplex", 20, 400, seeds);
    expect([...bayesian.faults, ...simplex.faults]).toEqual([]);
    expect(bayesian.median).toBeGreaterThan(0.93);
    expect(bayesian.reached).toBeGreaterThanOrEqual(0.9);
    expect(bayesian.reached).toBeGreaterThan(simplex.reached);
  });
});
