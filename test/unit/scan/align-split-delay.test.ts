import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { SplitDelay } from "../../../src/optics/index.ts";
import {
  type AlignSplitDelayOptions,
  alignSplitDelay,
  dryRun,
  Engine,
  findZeroDelay,
  Journal,
  learnSplitDelay,
  resumeScan,
  type VirtualBeamline,
  type VirtualDevicesOptions,
  type VirtualShot,
  virtualBeamline,
} from "../../../src/scan/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { Dead, deadRun, textOf } from "./fixtures.ts";

const folder = temporaryFolder();

const crystals = ["bs", "br1", "br2", "bm", "cc1", "cc2"] as const;
const optics = new SplitDelay({
  channelGapMm: 5,
  axes: { bs: "bs", br1: "br1", br2: "br2", bm: "bm", cc1: "cc1", cc2: "cc2", br1Gap: "gap1", br2Gap: "gap2" },
});
const photonEnergyEv = 10_000;
const { angleDeg, psPerMm, lateralMmPerMm } = optics.geometry(photonEnergyEv);
const monitors = Object.fromEntries(
  ["br1", "br2", "bm", "cc2"].map((axis) => [axis, { signalName: `at_${axis}`, normaliseBy: "i0" }]),
);
const options: AlignSplitDelayOptions = {
  optics,
  photonEnergyEv,
  monitors,
  position: { signalName: "place", branch: "branch" },
  correlation: "correlation",
  visibility: "visibility",
  shots: 5,
  points: 31,
  learntAt: "now",
};

interface Hidden {
  readonly urad: Readonly<Record<string, number>>;
  readonly delayPs: number;
  readonly besideUm: number;
}

function hiddenOf(seed: number): Hidden {
  const random = new Random(seed);
  const urad = Object.fromEntries(crystals.map((name) => [name, 15 * random.normal()]));
  return { urad, delayPs: 0.02 * random.normal(), besideUm: 30 * random.normal() };
}

/** Where things really are: a model of its own, all peaks Gaussian. */
function truthOf({ urad, delayPs, besideUm }: Hidden, at: (axis: string) => number) {
  const off = (name: string): number => ((at(name) - angleDeg) * Math.PI * 1e6) / 180 - (urad[name] ?? NaN);
  return {
    off,
    delayPs: ((at("gap1") + at("gap2")) / 2 - 5) * psPerMm - delayPs,
    besideUm: 1000 * lateralMmPerMm * (at("gap1") - at("gap2")) - besideUm,
  };
}

function benchOf(hidden: Hidden, signals: VirtualDevicesOptions["signals"] = {}): VirtualDevicesOptions {
  const peak = (x: number, rms: number): number => Math.exp(-0.5 * (x / rms) ** 2);
  const of = (value: (truth: ReturnType<typeof truthOf>, shot: VirtualShot) => number, noise: number) => {
    return (shot: VirtualShot): number => value(truthOf(hidden, shot.at), shot) + noise * shot.random.normal();
  };
  const rocked = (name: string, to: string) => [`at_${name}`, of(({ off }) => peak(off(name) - off(to), 10), 0.02)];
  const axis = { limits: { from: 0, to: 60 }, speed: 10 };
  return {
    axes: Object.fromEntries(
      optics.axisNames.map((name) => [name, { ...axis, start: name.includes("gap") ? 5 : angleDeg }]),
    ),
    settings: { branch: "both" },
    signals: {
      ...Object.fromEntries([rocked("br1", "bs"), rocked("br2", "bs"), rocked("bm", "bs"), rocked("cc2", "cc1")]),
      place: of(({ besideUm }, { setting }) => (setting("branch") === "delay" ? besideUm : 0), 3),
      correlation: of(({ delayPs }) => peak(delayPs, 0.025), 0.05),
      visibility: of(({ delayPs, besideUm, off }) => {
        const energies = off("cc1") / 2 + off("cc2") / 2 - off("bs");
        return 0.05 + 0.6 * peak(delayPs, 0.0035) * peak(energies, 8) * peak(besideUm, 40);
      }, 0.05),
      ...signals,
    },
  };
}

/** Stages of the gaps that stop at whole pulses of 0.4 µm, 1.7 fs of delay: ten times the errors of what is found. */
function inPulses(beamline: VirtualBeamline): VirtualBeamline {
  const rounded = ([axis, place]: [string, number]): [string, number] =>
    axis.startsWith("gap") ? [axis, Math.round(place / 4e-4) * 4e-4] : [axis, place];
  return {
    ...beamline,
    move: async (to, how) => await beamline.move(Object.fromEntries(Object.entries(to).map(rounded)), how),
  };
}

describe("delay 0 of stages that stop at whole pulses", () => {
  /** How far the delay really is from what the optics say where they stand, in errors. */
  async function pullsOf(run: (beamline: VirtualBeamline) => Promise<{ said: number; error: number }>) {
    const pulls: number[] = [];
    for (let seed = 1; seed <= 12; seed++) {
      const urad = Object.fromEntries(crystals.map((name) => [name, 0]));
      const hidden = { urad, delayPs: hiddenOf(seed).delayPs / 2, besideUm: 0 };
      const beamline = inPulses(virtualBeamline({ ...benchOf(hidden), seed }));
      const { said, error } = await run(beamline);
      pulls.push((truthOf(hidden, (axis) => beamline.devices.at(axis)).delayPs - said) / error);
    }
    return pulls;
  }
  const here = (beamline: VirtualBeamline) =>
    Object.fromEntries(optics.axisNames.map((axis) => [axis, beamline.devices.at(axis)]));

  it("is where alignSplitDelay found it, not where they stopped", async () => {
    const pulls = await pullsOf(async (beamline) => {
      const { result } = await new Engine(beamline).run(alignSplitDelay(options));
      const last = result?.steps.at(-1);
      const said = optics.with(result?.correction).knobs(here(beamline)).delayPs;
      return { said: last?.outcome === "stayed" ? -last.found : said, error: last?.error ?? NaN };
    });
    expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(3);
  });

  it("is known by findZeroDelay, which says where they stopped", async () => {
    const stops: number[] = [];
    const pulls = await pullsOf(async (beamline) => {
      const shots = { count: 5, signals: ["visibility"] };
      const scan = { from: -0.05, to: 0.05, points: 41, signalName: "visibility", shots, learntAt: "now" };
      const { result } = await new Engine(beamline).run(findZeroDelay({ optics, photonEnergyEv, ...scan }));
      const { standsAtPs = NaN, fit, correction } = result ?? {};
      expect(standsAtPs).toBeCloseTo(optics.with(correction).knobs(here(beamline)).delayPs, 9);
      stops.push(Math.abs(standsAtPs));
      return { said: standsAtPs, error: fit?.centreError ?? NaN };
    });
    expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(3);
    // Up to half a pulse away: many errors.
    expect(Math.max(...stops)).toBeGreaterThan(5e-4);
    expect(Math.max(...stops)).toBeLessThan(9e-4);
  });
});

describe("alignSplitDelay", () => {
  it("finds what is off with errors that hold, and the correction stands where the axes do", async () => {
    let [within, all] = [0, 0];
    for (let seed = 1; seed <= 6; seed++) {
      const hidden = hiddenOf(seed);
      const beamline = virtualBeamline(benchOf(hidden));
      const { result } = await new Engine(beamline).run(alignSplitDelay(options));
      expect(result?.isDone, JSON.stringify(result?.steps)).toBe(true);
      const { off, delayPs, besideUm } = truthOf(hidden, (axis) => beamline.devices.at(axis));
      const errorOf = (name: string): number => result?.steps.find(({ step }) => step.startsWith(name))?.error ?? NaN;
      const found = [
        [off("br1") - off("bs"), errorOf("br1")],
        [off("cc2") - off("cc1"), errorOf("cc2")],
        [off("cc1") / 2 + off("cc2") / 2 - off("bs"), errorOf("cc1 and")],
        [delayPs, errorOf("delay 0 by visibility")],
        [besideUm, errorOf("place")],
      ] as const;
      for (const [value, error] of found) if (Math.abs(value) <= 3 * error) within++;
      all += found.length;
      expect(Math.abs(delayPs)).toBeLessThan(0.001);
      const again = optics.with(result?.correction).positions({ delayPs: 0, photonEnergyEv });
      for (const [axis, place] of Object.entries(again)) expect(place).toBeCloseTo(beamline.devices.at(axis), 9);
    }
    expect(within / all).toBeGreaterThan(0.93);
  });

  it("moves nothing that stands right within three errors", async () => {
    const hidden = { urad: Object.fromEntries(crystals.map((name) => [name, 0])), delayPs: 0, besideUm: 0 };
    const beamline = virtualBeamline({ ...benchOf(hidden), seed: 5 });
    const { result } = await new Engine(beamline).run(alignSplitDelay(options));
    expect(result?.steps.map(({ outcome }) => outcome)).toEqual(Array(8).fill("stayed"));
    expect(beamline.devices.at("br1")).toBe(angleDeg);
    expect(beamline.devices.at("gap1")).toBe(5);
  });

  it("ends at the last step that was verified when one shows no peak, or gets worse", async () => {
    const hidden = hiddenOf(3);
    const noise = ({ random }: VirtualShot): number => 0.05 * random.normal();
    const none = virtualBeamline(benchOf(hidden, { correlation: noise }));
    const { result } = await new Engine(none).run(alignSplitDelay(options));
    expect(result?.isDone).toBe(false);
    expect(result?.steps.map(({ outcome }) => outcome).slice(4)).toEqual(["moved", "failed", "not-tried", "not-tried"]);
    expect(result?.steps[5]?.why).toContain("no peak");
    const { besideUm, off } = truthOf(hidden, (axis) => none.devices.at(axis));
    expect(Math.abs(besideUm)).toBeLessThan(6);
    expect(Math.abs(off("bm") - off("bs"))).toBeLessThan(5);
    expect((none.devices.at("gap1") + none.devices.at("gap2")) / 2).toBeCloseTo(5, 9);

    // A monitor that looks from the other side: the first move makes it worse.
    const turned = ({ at, setting }: VirtualShot): number =>
      setting("branch") === "delay" ? -truthOf(hidden, at).besideUm : 0;
    const set: unknown[] = [];
    const other = virtualBeamline(benchOf(hidden, { place: (shot) => turned(shot) + shot.random.normal() }), {
      fault: (call) => void (call.kind === "set" && set.push(call.value)),
    });
    const end = await new Engine(other).run(alignSplitDelay(options));
    expect(end.result?.steps[4]).toMatchObject({ outcome: "failed", why: expect.stringContaining("beside") });
    expect([other.devices.at("gap1"), other.devices.at("gap2")]).toEqual([5, 5]);
    expect(set.at(-1)).toBe("both");
  });

  it("stays on a peak where there is less signal at what was found, and goes on", async () => {
    const hidden = { ...hiddenOf(3), urad: Object.fromEntries(crystals.map((name) => [name, 0])) };
    // The curve is 4 µrad off, and a spike of it stands where the crystal stands.
    const spiky = ({ at, random }: VirtualShot): number => {
      const turned = ((at("bm") - angleDeg) * Math.PI * 1e6) / 180;
      const spike = Math.abs(turned) < 0.5 ? 0.5 : 0;
      return Math.exp(-0.5 * ((turned - 4) / 10) ** 2) + spike + 0.02 * random.normal();
    };
    const beamline = virtualBeamline(benchOf(hidden, { at_bm: spiky }));
    const { result } = await new Engine(beamline).run(alignSplitDelay(options));
    expect(result?.isDone).toBe(true);
    expect(result?.steps[2]).toMatchObject({ step: "bm", outcome: "stayed", why: "less signal there than before" });
    expect(beamline.devices.at("bm")).toBe(angleDeg);
  });

  it("puts the axes of the step back when it is stopped", async () => {
    const beamline = virtualBeamline(benchOf(hiddenOf(4)));
    let rows = 0;
    const engine: Engine = new Engine(beamline, {
      callbacks: [{ point: () => void (++rows === 50 && engine.abort()) }],
    });
    await engine.run(alignSplitDelay(options)).catch(() => {});
    expect(rows).toBeGreaterThanOrEqual(50);
    expect(beamline.devices.at("br2")).toBeCloseTo(angleDeg, 9);
    expect(beamline.devices.at("br1")).not.toBe(angleDeg);
  });

  it("goes on after a kill in any step: nothing is measured twice, both branches are open, the correction holds", async () => {
    const hidden = hiddenOf(5);
    const calls: string[] = [];
    const bench = virtualBeamline(benchOf(hidden), { fault: (call) => void calls.push(textOf(call)) });
    await new Engine(bench).run(alignSplitDelay(options));
    const shots = calls.filter((call) => call === "shots").length;
    // With one branch alone in the beam, in its first look, and after the last peak was found.
    const alone = calls.indexOf("set branch delay");
    const deaths = [5, 90, alone, alone + 1, Math.round(0.8 * calls.length), calls.length - 1];
    for (const dieAt of deaths) {
      let [n, again, branch] = [0, 0, "both" as unknown];
      const beamline = virtualBeamline(benchOf(hidden), {
        fault: (call) => {
          if (n++ === dieAt) throw new Dead();
          if (call.kind === "set") branch = call.value;
          if (n > dieAt && textOf(call) === "shots") again++;
        },
      });
      const path = join(folder, `align-${dieAt}.journal`);
      await deadRun(beamline, Journal.create(path, alignSplitDelay(options)), alignSplitDelay(options));
      const { result, points } = await resumeScan(path, alignSplitDelay(options), beamline);
      expect(result?.isDone, JSON.stringify(result?.steps)).toBe(true);
      expect(points).toBe(shots);
      const before = calls.slice(0, dieAt).filter((call) => call === "shots").length;
      expect(before + again, `died at ${dieAt}, ${calls[dieAt] ?? ""}`).toBe(shots);
      expect(branch).toBe("both");
      const places = optics.with(result?.correction).positions({ delayPs: 0, photonEnergyEv });
      for (const [axis, place] of Object.entries(places)) expect(place).toBeCloseTo(beamline.devices.at(axis), 9);
      expect(Math.abs(truthOf(hidden, (axis) => beamline.devices.at(axis)).delayPs)).toBeLessThan(0.001);
    }
  });

  it("leaves CC1 at the photon energy of the other branch when the crystals are learnt again", async () => {
    const hidden = hiddenOf(2);
    const beamline = virtualBeamline(benchOf(hidden));
    const { result } = await new Engine(beamline).run(alignSplitDelay(options));
    const { halfUrad, points, shots, learntAt } = { ...options, halfUrad: 100 };
    const signals = ["i0", ...Object.values(monitors).map(({ signalName }) => signalName)];
    const again = {
      optics: optics.with(result?.correction),
      photonEnergyEv,
      monitors,
      delaysPs: [0, 1],
      halfUrad,
      points,
    };
    const learn = learnSplitDelay({ ...again, shots: { count: Number(shots), signals }, learntAt });
    const learnt = await new Engine(beamline).run(learn);
    expect(learnt.result?.axes["cc1"]).toEqual(result?.correction.axes["cc1"]);
    const { off } = truthOf(hidden, (axis) => beamline.devices.at(axis));
    expect(Math.abs(off("cc1") - off("bs"))).toBeLessThan(4);
  });

  it("learns nothing where an axis would leave its limits at a later delay: refused before anything moves", async () => {
    const learn = (delaysPs: readonly number[]) =>
      learnSplitDelay({ optics, photonEnergyEv, monitors, delaysPs, points: 31, shots: 5, learntAt: "now" });
    const bench = benchOf(hiddenOf(1));
    const moves: unknown[] = [];
    const beamline = virtualBeamline(
      { ...bench, axes: { ...bench.axes, gap2: { limits: { from: 4.9, to: 5.5 }, speed: 10, start: 5 } } },
      { fault: ({ kind }) => void moves.push(kind) },
    );
    const [inside, outside] = [1, 4];
    // 4 ps are 0.9 mm of both gaps.
    await expect(new Engine(beamline).run(learn([0, inside, outside]))).rejects.toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining("gap2") as string,
    });
    expect(moves).toEqual([]);
    // A delay that the geometry cannot give.
    await expect(new Engine(beamline).run(learn([0, -40]))).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    expect(moves).toEqual([]);
    const { points, problem } = dryRun(learn([0, inside]), { devices: bench });
    expect([points, problem]).toEqual([{ from: 2 * 4 * 31, to: 2 * 4 * 31 }, null]);
  });

  it("refuses single shots, which have no scatter and so no error", () => {
    expect(() => alignSplitDelay({ ...options, shots: 1 })).toThrow(/2 or more/);
  });

  it("tells beforehand where it would go", () => {
    const { points, violations, problem } = dryRun(alignSplitDelay(options), { devices: benchOf(hiddenOf(1)) });
    // Seven scans, each with a point before and one after, and both branches twice.
    expect(points).toEqual({ from: 7 * 33 + 4, to: 7 * 33 + 4 });
    expect([violations, problem]).toEqual([[], null]);
    const axes = benchOf(hiddenOf(1)).axes;
    const near = { ...axes, bm: { limits: { from: 0, to: angleDeg }, speed: 1, start: angleDeg } };
    const tight = dryRun(alignSplitDelay(options), { devices: { ...benchOf(hiddenOf(1)), axes: near } });
    expect(tight.violations.join()).toContain("bm");
  });
});
