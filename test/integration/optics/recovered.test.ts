/** What the simulated optics hide, found again by plans through the public interface, within the errors they state. */
import { describe, expect, it } from "vitest";
import { Experiment } from "../../../src/ec/index.ts";
import {
  createSimulatedFacility,
  type FacilityTruth,
  RehearsalClock,
  simulatedEndpoint,
} from "../../../src/facility/index.ts";
import { Facility } from "../../../src/index.ts";
import { ChannelCut, SplitDelay } from "../../../src/optics/index.ts";
import {
  type Beamline,
  controlBeamline,
  Engine,
  edgeScan,
  energyAxis,
  findZeroDelay,
  learnSplitDelay,
  move,
  plan,
  rock,
  set,
} from "../../../src/scan/index.ts";
import { inProcess } from "../../../src/transport/index.ts";

const experiment = await Experiment.load(new URL("../../../examples/optics.json", import.meta.url).pathname);
const { splitDelay } = experiment.optics;
if (splitDelay === undefined) throw new Error("the example experiment has no split-delay optics");
const { monitors, visibility: _, correction: __, ...definition } = splitDelay;
const optics = new SplitDelay(definition);
const learntAt = "2026-11-29T12:00:00+09:00";

interface Bench {
  readonly beamline: Beamline;
  readonly truth: FacilityTruth;
}

async function atFacility(seed: number, work: (bench: Bench) => Promise<void>): Promise<void> {
  const simulated = createSimulatedFacility({ seed, clock: new RehearsalClock() });
  await using facility = new Facility(inProcess(simulatedEndpoint(simulated)));
  await using control = await facility.ec.control(3, { name: "test", reason: "optics", experiment, pollMs: 2 });
  const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });
  await work({ beamline, truth: simulated.truth });
}

/** What the delay really is, from where everything stands. */
async function trueDelayPs({ beamline, truth }: Bench): Promise<number> {
  const hidden = truth.device(3, "split-delay");
  const at = await beamline.where(optics.axisNames);
  const zero = ((hidden["bsZero"] ?? NaN) * 4e-6 * Math.PI) / 180;
  const theta = ((at["sdo_bs"] ?? NaN) * Math.PI) / 180 - zero;
  const gaps = (at["sdo_br1_gap"] ?? NaN) + (at["sdo_br2_gap"] ?? NaN);
  return (2 * Math.sin(theta) * (gaps - 10 - 2 * (hidden["gapZeroMm"] ?? NaN))) / 0.299792458;
}

const signals = [
  ...new Set(Object.values(monitors).flatMap(({ signalName, normaliseBy }) => [signalName, normaliseBy])),
];

describe.each([3])("split-delay optics with seed %i", (seed) => {
  it("are aligned, and their zero found: 5 to 15 keV at 1 ps within 1 fs", async () => {
    await atFacility(seed, async (bench) => {
      const { beamline, truth } = bench;
      const engine = new Engine(beamline);
      await engine.run(plan("in", {}, () => move({ sdo_height: 5 })));
      const learn = learnSplitDelay({
        optics,
        photonEnergyEv: 10_000,
        delaysPs: [-1, 5],
        monitors,
        points: 19,
        halfUrad: 80,
        shots: { count: 8, signals },
        shutter: "xrays",
        learntAt,
      });
      const { result: correction } = await engine.run(learn);
      const hidden = truth.device(3, "split-delay");
      const zeroDeg = (name: string): number => (hidden[name] ?? NaN) * 4e-6;
      const deg = (urad: number): number => (urad * 1e-6 * 180) / Math.PI;
      const learnt = optics.with(correction);
      for (const delayPs of [-0.5, 4]) {
        const gap = optics.gapMm({ delayPs, photonEnergyEv: 10_000 });
        const plain = optics.positions({ delayPs, photonEnergyEv: 10_000 });
        const positions = learnt.positions({ delayPs, photonEnergyEv: 10_000 });
        for (const name of ["br1", "br2"]) {
          // Parallel to the splitter, as it stands with its own zero.
          const tilt = deg((hidden[`${name}TiltUradPerMm`] ?? NaN) * (gap - 5));
          const wanted = zeroDeg(`${name}Zero`) - zeroDeg("bsZero") - tilt;
          const off = (positions[`sdo_${name}`] ?? NaN) - (plain[`sdo_${name}`] ?? NaN) - wanted;
          expect(Math.abs(off), `${name} at ${delayPs} ps`).toBeLessThan(deg(2));
        }
      }
      const zero = findZeroDelay({
        optics: learnt,
        photonEnergyEv: 10_000,
        from: -0.05,
        to: 0.05,
        points: 41,
        signalName: "visibility",
        shots: { count: 5, signals: ["visibility"] },
        shutter: "xrays",
        learntAt,
      });
      const { result } = await engine.run(zero);
      // The delay is called 0 where it is 0 within a femtosecond, or the error.
      expect(Math.abs(await trueDelayPs(bench))).toBeLessThan(Math.max(1e-3, 4 * (result?.fit.centreError ?? NaN)));
      expect(result?.fit.centreError).toBeLessThan(5e-4);
      const all = optics.with(result?.correction);
      for (const photonEnergyEv of [5000, 15_000]) {
        await engine.run(plan("go", {}, () => move(all.positions({ delayPs: 1, photonEnergyEv }))));
        expect(Math.abs((await trueDelayPs(bench)) - 1)).toBeLessThan(1.2e-3);
      }
      const beyond = engine.run(plan("go", {}, () => move(optics.positions({ delayPs: 0, photonEnergyEv: 4400 }))));
      await expect(beyond).rejects.toThrow(expect.objectContaining({ code: "LIMIT" }));
    });
  });
});

describe.each([5])("the monochromator with seed %i", (seed) => {
  it("is aligned and calibrated at an edge within its error", async () => {
    await atFacility(seed, async ({ beamline, truth }) => {
      const engine = new Engine(beamline);
      const crystal = (sign: 1 | -1) => new ChannelCut({ drive: { kind: "direct", degPerPulse: sign * 4e-6 } });
      const mono = (name: string, sign: 1 | -1) => ({
        axis: name,
        crystal: crystal(sign),
        toPosition: (pulses: number) => sign * pulses * 4e-6,
        toPulses: (position: number) => (sign * position) / 4e-6,
      });
      const start = crystal(1).pulses(9985) * 4e-6;
      await engine.run(
        plan("in", {}, function* () {
          yield* set("foil_diode_gain", 10);
          yield* set("foil_i0_gain", 10);
          yield* move({ mono_height: 5, mono_1: start, mono_2: start });
        }),
      );
      const aligned = await engine.run(
        rock({
          axis: "mono_2",
          go: "peak",
          from: start - 0.01,
          to: start + 0.01,
          points: 51,
          signalName: "i0_mono",
          normaliseBy: "i0",
          shots: { count: 12, signals: ["i0_mono", "i0"] },
          shutter: "xrays",
        }),
      );
      const { firstZero = NaN, secondZero = NaN } = truth.device(3, "channel-cut");
      const { fit, standsAt = NaN } = aligned.result ?? {};
      const wanted = start + (secondZero - firstZero) * 4e-6;
      expect(Math.abs(standsAt - wanted)).toBeLessThan(4 * (fit?.centreError ?? NaN) + 4e-6);
      // The second crystal goes with the first, by what was found between them.
      const offset = standsAt - start;
      const second = { ...mono("mono_2", -1), toPosition: (pulses: number) => -pulses * 4e-6 + offset };
      await engine.run(plan("foil", {}, () => set("foil", "Yb")));
      const edge = await engine.run(
        edgeScan({
          axis: energyAxis([mono("mono_1", 1), second]),
          edgeEv: 9978.2,
          from: 9958,
          to: 9998,
          points: 41,
          signalName: "foil_diode",
          normaliseBy: "foil_i0",
          shots: { count: 30, signals: ["foil_diode", "foil_i0"] },
          shutter: "xrays",
        }),
      );
      const { offEv = NaN, errorEv = NaN } = edge.result ?? {};
      const calibrated = crystal(1).calibrated({
        pulse: crystal(1).pulses(9978.2 + offEv),
        pulseError: errorEv / Math.abs(crystal(1).evPerPulse(9978.2)),
        energyEv: 9978.2,
      });
      expect(Math.abs(calibrated.zeroPulse - firstZero)).toBeLessThan(4 * calibrated.zeroPulseError);
      expect(calibrated.errorEv).toBeLessThan(0.3);
    });
  });
});
