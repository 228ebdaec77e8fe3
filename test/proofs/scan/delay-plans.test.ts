import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { erfcx } from "../../../src/core/special-functions.ts";
import {
  delaySweeps,
  dryRun,
  Engine,
  fitDelayScan,
  type Plan,
  sharedScan,
  type VirtualShot,
  virtualBeamline,
} from "../../../src/scan/index.ts";
import { itInFull, rounds } from "../../support/full.ts";

const truth = { t0Ps: 0.13, riseFs: 45, lifetimeFs: 600, amplitude: -0.08, jitterFs: 100, fsPerPixel: 2.6 };
const axes = { delay: { limits: { from: -10, to: 10 }, speed: 5 } };

function decay(tauFs: number): number {
  const { riseFs: w, lifetimeFs: life } = truth;
  const u = (w / life - tauFs / w) / Math.SQRT2;
  return u > -5 ? 0.5 * Math.exp(-0.5 * (tauFs / w) ** 2) * erfcx(u) : Math.exp(0.5 * (w / life) ** 2 - tauFs / life);
}

const isPumped = (tag: number): boolean => Math.floor(tag / 2) % 3 !== 0;

/** A beamline whose shots come 100 fs early or late, with a timing monitor that sees it to 10 fs. */
function beamline(seed: number, pumps = (tag: number): number => Number(isPumped(tag))) {
  let last = { tag: -1, i0: 1, jitterFs: 0 };
  const shotOf = ({ tag, random }: VirtualShot) => {
    if (tag !== last.tag) last = { tag, i0: random.gamma(70) / 70, jitterFs: truth.jitterFs * random.normal() };
    return last;
  };
  return virtualBeamline({
    axes,
    seed,
    signals: {
      i0: (shot) => shotOf(shot).i0,
      pumped: ({ tag }) => pumps(tag),
      edge: (shot) => 1000 - (shotOf(shot).jitterFs + 10 * shot.random.normal()) / truth.fsPerPixel,
      diode: (shot) => {
        const { i0, jitterFs } = shotOf(shot);
        const tauFs = 1000 * (shot.at("delay") - truth.t0Ps) + jitterFs;
        const change = isPumped(shot.tag) ? truth.amplitude * decay(tauFs) : 0;
        return 0.2 * i0 * (1 + change) * (1 + 0.01 * shot.random.normal());
      },
    },
  });
}

const sweeps = {
  axis: "delay",
  from: -0.8,
  to: 2,
  shots: 300,
  fsPerUnit: 1000,
  signalName: "diode",
  normaliseBy: "i0",
  pumpedBy: "pumped",
  mostSweeps: 12,
} as const;
const jitter = { signalName: "edge", fsPerPixel: truth.fsPerPixel, zeroPixel: 1000 };

describe("fast delay scans", () => {
  it("sweep until time zero is as precise as asked, and it is", async () => {
    const seeds = rounds(4);
    let [within, shots] = [0, 0];
    for (let seed = 1; seed <= seeds; seed++) {
      const { result } = await new Engine(beamline(seed)).run(delaySweeps({ ...sweeps, jitter, t0ErrorFs: 3 }));
      expect(result?.outcome).toBe("precise");
      const { fit, sweeps: count } = result ?? {};
      expect(fit?.t0ErrorFs).toBeLessThanOrEqual(3);
      if (Math.abs((fit?.t0Fs ?? NaN) - 1000 * truth.t0Ps) < 6) within++;
      expect(Math.abs((fit?.riseFs ?? NaN) - 46)).toBeLessThan(25);
      shots += count ?? 0;
    }
    expect(within).toBeGreaterThanOrEqual(0.75 * seeds);
    expect(shots).toBeLessThan(10 * seeds);
  });

  it("end after the first sweep or round when all shots are pumped, or none", async () => {
    const shared = {
      axis: "delay",
      from: -0.8,
      to: 2,
      points: 8,
      error: 1e-4,
      signalName: "diode",
      pumpedBy: "pumped",
    };
    for (const [kind, text] of [
      [1, /^pumped is 1 at all \d+ shots so far, and unpumped ones are needed.*pulse selector/],
      [0, /^pumped is 0 at all \d+ shots so far, and pumped ones are needed.*shutter/],
      [NaN, /^pumped is neither 0 nor 1 at all \d+ shots so far\. Or name/],
    ] as const)
      for (const plan of [delaySweeps({ ...sweeps, t0ErrorFs: 3 }), sharedScan(shared)] as Plan<unknown>[]) {
        let points = 0;
        const engine = new Engine(
          beamline(3, () => kind),
          { callbacks: [{ point: () => void points++ }] },
        );
        await expect(engine.run(plan)).rejects.toMatchObject({
          code: "TOO_FEW_SHOTS",
          message: expect.stringMatching(text),
        });
        expect(points).toBeLessThanOrEqual(8);
      }
  });

  it("tell beforehand what the most sweeps and the first round take", () => {
    const shared = {
      axis: "delay",
      from: -0.8,
      to: 2,
      points: 8,
      error: 1e-4,
      signalName: "diode",
      pumpedBy: "pumped",
    };
    const settings = { devices: { axes, signals: {} } };
    expect(dryRun(delaySweeps({ ...sweeps, t0ErrorFs: 3 }), settings)).toMatchObject({
      points: { from: 12, to: 12 },
      problem: null,
    });
    expect(dryRun(sharedScan(shared), settings)).toMatchObject({ points: { from: 16, to: 16 }, problem: null });
  });

  it("say why there is no time zero yet", async () => {
    const notes: string[] = [];
    const far = delaySweeps({ ...sweeps, from: 4, to: 6, mostSweeps: 3, t0ErrorFs: 3 });
    await new Engine(beamline(1), { callbacks: [{ note: (text) => void notes.push(text) }] }).run(far);
    expect(notes.filter((text) => /no time zero yet: There is no step: noise alone/.test(text))).toHaveLength(2);
  });

  itInFull("have the rise of the jitter without the timing monitor", async () => {
    const { result } = await new Engine(beamline(5)).run(delaySweeps({ ...sweeps, t0ErrorFs: 6 }));
    expect(result?.fit?.riseFs).toBeGreaterThan(85);
    expect(result?.fit?.riseFs).toBeLessThan(135);
  });

  it("end after the most sweeps when there is nothing to see", async () => {
    const dull = virtualBeamline({
      axes,
      signals: { pumped: ({ tag }) => Math.floor(tag / 2) % 2, i0: ({ random }) => random.gamma(70) },
    });
    const { result } = await new Engine(dull).run(delaySweeps({ ...sweeps, shots: 60, mostSweeps: 3, t0ErrorFs: 1 }));
    expect(result).toEqual({ fit: null, sweeps: 3, outcome: "most-sweeps" });
  });
});

describe("a delay scan of a sample that fades", () => {
  it("has the same time zero as one of a sample that does not, and says how much it faded", () => {
    const random = new Random(4);
    const shots = Array.from({ length: 3000 }, (_, i) => {
      const delayFs = -800 + 2800 * ((i % 300) / 300);
      const [pumped, monitor] = [i % 2 === 1, random.gamma(70) / 70];
      const change = pumped ? -0.08 * decay(delayFs - 130) : 0;
      return { delayFs, pumped, monitor, signal: monitor * (1 + change) * (1 + 0.01 * random.normal()) };
    });
    const faded = shots.map((shot, i) => ({ ...shot, signal: shot.signal * Math.exp(-i / 7000) }));
    const [still, fading] = [fitDelayScan(shots), fitDelayScan(faded)];
    expect(still.drift).toBe(0);
    expect(fading.drift).toBeGreaterThan(0.3);
    expect(fading.drift).toBeLessThan(0.5);
    expect(Math.abs(fading.t0Fs - still.t0Fs)).toBeLessThan(still.t0ErrorFs);
    expect(fading.t0ErrorFs).toBeLessThan(1.2 * still.t0ErrorFs);
    expect(Math.abs(fading.t0Fs - 130)).toBeLessThan(3 * fading.t0ErrorFs);
    expect(Math.abs(fading.amplitude + 0.08)).toBeLessThan(3 * fading.amplitudeError);
  });
});

describe("a delay scan in one way over a sample that changes", () => {
  it("has errors that hold what the unpumped shots do not tell of the change", () => {
    const random = new Random(4);
    const shots = Array.from({ length: 600 }, (_, i) => {
      const [delayFs, pumped, monitor] = [-1150 + 3150 * (i / 600), i % 3 !== 0, random.gamma(70) / 70];
      const change = pumped ? -0.08 * decay(delayFs - 130) : 0;
      return { delayFs, pumped, monitor, signal: monitor * (1 + change) * (1 + 0.008 * random.normal()) };
    });
    const changing = shots.map((shot, i) => ({ ...shot, signal: shot.signal * (1 + 0.1 * Math.sin(i / 120)) }));
    const [still, found] = [fitDelayScan(shots), fitDelayScan(changing)];
    expect(still.drift).toBe(0);
    // Delay and time go together, so a drift looks like a decay.
    expect(found.lifetimeErrorFs).toBeGreaterThan(1.25 * still.lifetimeErrorFs);
    expect(found.amplitudeError).toBeGreaterThan(1.25 * still.amplitudeError);
    expect(found.t0ErrorFs).toBeLessThan(1.3 * still.t0ErrorFs);
    expect(Math.abs(found.lifetimeFs - truth.lifetimeFs)).toBeLessThan(2 * found.lifetimeErrorFs);
    expect(Math.abs(found.amplitude - truth.amplitude)).toBeLessThan(2 * found.amplitudeError);
  });
});

describe("a delay scan with a gain that walks from shot to shot", () => {
  it("divides pumped shots by the unpumped ones next to them, with errors that hold", () => {
    const seeds = 10;
    const found = Array.from({ length: seeds }, (_, seed) => {
      const random = new Random(100 + seed);
      let gain = 1;
      const shots = Array.from({ length: 630 }, (__, i) => {
        gain *= Math.exp(0.005 * random.normal());
        const delayFs = -1150 + 150 * Math.floor(i / 30) + 100 * random.normal();
        const [pumped, monitor] = [i % 3 !== 2, random.gamma(70) / 70];
        const change = pumped ? -0.08 * decay(delayFs - 130) : 0;
        return { delayFs, pumped, monitor, signal: gain * monitor * (1 + change) * (1 + 0.008 * random.normal()) };
      });
      return fitDelayScan(shots);
    });
    const off = found.map(({ t0Fs }) => Math.abs(t0Fs - 130)).toSorted((a, b) => a - b);
    expect(off[seeds >> 1]).toBeLessThan(7);
    for (const { t0Fs, t0ErrorFs, lifetimeFs, lifetimeErrorFs, amplitude, amplitudeError, drift } of found) {
      expect(Math.abs(t0Fs - 130)).toBeLessThan(3 * t0ErrorFs);
      expect(Math.abs(lifetimeFs - truth.lifetimeFs)).toBeLessThan(3.5 * lifetimeErrorFs);
      expect(Math.abs(amplitude - truth.amplitude)).toBeLessThan(3.5 * amplitudeError);
      expect(t0ErrorFs).toBeLessThan(12);
      expect(drift).toBeGreaterThan(0.03);
    }
  });
});

describe("a delay scan with one strong shot on the rise", () => {
  it("has errors that hold what this shot decides alone, though nothing is left of its residual", () => {
    const random = new Random(7);
    const shots = Array.from({ length: 300 }, (_, i) => {
      const [delayFs, pumped, monitor] = [-800 + 2800 * (i / 300), i % 3 !== 0, random.gamma(70)];
      const change = pumped ? 0.08 * decay(delayFs - 130) : 0;
      return { delayFs, pumped, monitor, signal: monitor * (1 + change) + 0.015 * random.normal() };
    });
    // Ten times as strong, and its edge is 60 fs off.
    const strong = { delayFs: 130, pumped: true, monitor: 10, signal: 10 * (1 + 0.08 * decay(-60)) };
    const [all, without] = [fitDelayScan([...shots, strong]), fitDelayScan(shots)];
    const moved = Math.abs(all.t0Fs - without.t0Fs);
    expect(moved).toBeGreaterThan(15);
    expect(all.t0ErrorFs).toBeGreaterThan(moved);
    expect(Math.abs(all.t0Fs - 130)).toBeLessThan(3 * all.t0ErrorFs);
  });
});

describe("a scan that shares its shots", () => {
  /** Pumped shots scatter more: the sample is not excited alike each time. */
  const scattering = (seed: number) =>
    virtualBeamline({
      axes,
      seed,
      signals: {
        i0: () => 1,
        pumped: ({ tag }) => Math.floor(tag / 2) % 2,
        diode: (shot) => {
          const delay = shot.at("delay");
          const isPumped = Math.floor(shot.tag / 2) % 2 === 1;
          const part = delay < 0 || !isPumped ? 0 : Math.exp(-delay / 0.6);
          return 1 + 0.1 * part + (0.01 + 0.03 * part) * shot.random.normal();
        },
      },
    });
  const options = { axis: "delay", from: -1, to: 3, points: 21, signalName: "diode", normaliseBy: "i0", error: 0.002 };

  it("takes at most 0.7 times the shots of equally many at each for the same largest error", async () => {
    for (let seed = 1; seed <= rounds(5); seed++) {
      const beamline = scattering(seed);
      const { result } = await new Engine(beamline).run(sharedScan({ ...options, pumpedBy: "pumped" }));
      expect(result?.outcome).toBe("precise");
      const points = result?.points ?? [];
      expect(Math.max(...points.map(({ error }) => error))).toBeLessThanOrEqual(0.002);
      // Of equally many, the point that scatters most decides.
      const equal = points.length * Math.max(...points.map(({ shots, error }) => shots * (error / 0.002) ** 2));
      expect((result?.shots ?? NaN) / equal).toBeLessThan(0.7);
      const pulls = points.map(({ at, value, error }) => (value - (at < 0 ? 0 : 0.1 * Math.exp(-at / 0.6))) / error);
      expect(Math.sqrt(pulls.reduce((sum, pull) => sum + pull * pull, 0) / pulls.length)).toBeLessThan(1.6);
    }
  });

  it("ends with what it has when the shots are used up", async () => {
    const { result } = await new Engine(scattering(1)).run(sharedScan({ ...options, error: 1e-5, mostShots: 1000 }));
    expect([result?.outcome, result?.shots]).toEqual(["most-shots", 1000]);
  });
});
