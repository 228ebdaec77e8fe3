/**
 * What the simulated facility hides, found again by scans through the public interface, within the errors they state.
 */
import { describe, expect, it } from "vitest";
import { defineExperiment } from "../../../src/ec/index.ts";
import {
  createSimulatedFacility,
  type FacilityTruth,
  RehearsalClock,
  simulatedEndpoint,
} from "../../../src/facility/index.ts";
import { Facility } from "../../../src/index.ts";
import {
  type Beamline,
  controlBeamline,
  count,
  Engine,
  fitStep,
  flyScan,
  goToPeak,
  gridPositions,
  move,
  plan,
  type Row,
  request,
  type ShotsTaken,
  scan,
  set,
  shots,
  TargetMap,
  withShutterOpen,
} from "../../../src/scan/index.ts";
import { inProcess } from "../../../src/transport/index.ts";
import { cases } from "../../support/full.ts";

const experiment = defineExperiment({
  name: "recovered",
  bl: 3,
  axes: {
    theta: {
      device: "bl3_st4_pm036",
      unit: "deg",
      pulsesPerUnit: 1e4,
      limits: [-1, 1],
      signal: "xfel_bl_3_st_4_motor_36/position",
    },
    delay: {
      device: "bl3_st2_pm001",
      unit: "ps",
      pulsesPerUnit: 150,
      offset: -80,
      limits: [-100, 100],
      signal: "xfel_bl_3_st_2_motor_1/position",
    },
    x: { device: "bl3_st2_pm040", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] },
    y: { device: "bl3_st2_pm041", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] },
  },
  signals: {
    i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" },
    bragg: { id: "xfel_bl_3_st_4_pd_user_3_fitting_peak/voltage" },
    diode: { id: "xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage" },
    pumped: { id: "xfel_bl_3_lh1_shutter_1_open_valid/status" },
  },
  shutters: { xrays: { device: "bl3_shutter1" }, laser: { device: "bl3_lh1_shutter1" } },
  settings: {
    attenuator: { device: "bl3_attenuator1" },
    diode_gain: { device: "bl3_st2_pd3_gain" },
    pulses: { device: "bl3_selector1" },
    probeDelayFs: { device: "bl3_chicane1" },
    pumpFel: { device: "bl3_pump_fel" },
  },
} as const);
const withBeam = { signalName: "i0", between: [3e-9, 8e-9] } as const;

interface Bench {
  readonly beamline: Beamline;
  readonly truth: FacilityTruth;
  readonly hightag: number;
}

async function atFacility(seed: number, work: (bench: Bench) => Promise<void>): Promise<void> {
  const simulated = createSimulatedFacility({ seed, clock: new RehearsalClock() });
  await using facility = new Facility(inProcess(simulatedEndpoint(simulated)));
  await using control = await facility.ec.control(3, { name: "test", reason: "recovered", experiment, pollMs: 2 });
  const [hightag] = await facility.db.readTagnumberNewest(experiment.signal("i0"));
  await work({
    beamline: controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 }),
    truth: simulated.truth,
    hightag,
  });
}

const rocking = (centre: number, reach: number, points: number, count: number) =>
  goToPeak({
    ...{
      axis: "theta",
      from: centre - reach,
      to: centre + reach,
      points,
      signalName: "bragg",
      normaliseBy: "i0",
      shutter: "xrays",
    },
    shots: { count, signals: ["bragg", "i0"], conditions: [withBeam] },
  });

/** on/off − 1 of shots divided by their i0, with its error. */
function onOff({ taken }: Row): readonly [ratio: number, error: number] {
  const { diode = [], i0 = [], pumped = [] } = taken?.values ?? {};
  const [on = [NaN, NaN], off = [NaN, NaN]] = [1, 0].map((flag) => {
    const shots = diode.flatMap((volts, i) => (pumped[i] === flag ? [(volts ?? NaN) / (i0[i] ?? NaN)] : []));
    const mean = shots.reduce((sum, value) => sum + value, 0) / shots.length;
    return [
      mean,
      Math.sqrt(shots.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (shots.length - 1) / shots.length) / mean,
    ];
  });
  const ratio = (on[0] ?? NaN) / (off[0] ?? NaN);
  return [ratio - 1, ratio * Math.hypot(on[1] ?? NaN, off[1] ?? NaN)];
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(cases([3, 4, 5], 0))("what is hidden with seed %i", (seed) => {
  it("is found: centre and width of the rocking curve", async () => {
    await atFacility(seed, async ({ beamline, truth }) => {
      const engine = new Engine(beamline);
      const coarse = await engine.run(rocking(0, 0.25, 126, 4));
      const { result } = await engine.run(rocking(coarse.result?.centre ?? NaN, 0.015, 25, 12));
      const { centrePulse, sigmaPulse } = truth.crystal(3);
      const { centre = NaN, centreError = NaN, fwhm = NaN, fwhmError = NaN } = result ?? {};
      // From below the load goes with the counter, and both are rounded to a pulse.
      expect(Math.abs(centre - centrePulse / 1e4)).toBeLessThan(4 * centreError + 0.5e-4);
      expect(centreError).toBeLessThan(1e-4);
      expect(Math.abs(fwhm - (2 * Math.sqrt(2 * Math.LN2) * sigmaPulse) / 1e4)).toBeLessThan(4 * fwhmError);
      expect(fwhmError).toBeLessThan(3e-4);
    });
  });

  it("is found: time zero of pump and probe", async () => {
    await atFacility(seed, async ({ beamline, truth, hightag }) => {
      const delays = scan({
        ...{ axis: "delay", from: -3.2, to: 3.2, points: 33, shutter: "xrays" },
        shots: { count: 80, signals: ["diode", "i0", "pumped"], conditions: [withBeam] },
      });
      const rows: Row[] = [];
      const unharmed = plan("delays", {}, function* () {
        yield* set("attenuator", 1000);
        yield* set("diode_gain", 1000);
        yield* withShutterOpen("laser", delays.steps());
      });
      await new Engine(beamline, { callbacks: [{ point: (row) => rows.push(row) }] }).run(unharmed);
      const changes = rows.map(onOff);
      const fit = fitStep(
        rows.map(({ data }) => data["delay"] ?? NaN),
        changes.map(([ratio]) => ratio),
        { errors: changes.map(([, error]) => error), after: "parabola" },
      );
      // X-rays that come late as a whole, by a drift, move time zero for the time of the scan.
      const late = meanOf(
        rows.flatMap(({ taken }) => (taken?.tags ?? []).map((tag) => truth.shot(3, hightag, tag).arrivalFs)),
      );
      const t0Pulse = (truth.controlledPump(3)?.t0Pulse ?? NaN) - late / truth.timing.fsPerPulse;
      expect(Math.abs(fit.centre - (t0Pulse / 150 - 80))).toBeLessThan(4 * fit.centreError);
      expect(fit.centreError).toBeLessThan(0.04);
      expect(fit.height).toBeLessThan(-0.04);
    });
  });

  it("is found: where the stage was at each shot of a fly scan", async () => {
    await atFacility(seed, async ({ beamline, truth }) => {
      const flight = flyScan({
        axis: "delay",
        from: -10,
        to: 10,
        shots: 60,
        sweeps: 2,
        signals: ["i0"],
        shutter: "xrays",
        conditions: [withBeam],
      });
      const { result = [] } = await new Engine(beamline).run(flight);
      expect(result).toHaveLength(2);
      for (const { tags, positions } of result) {
        expect(tags.length).toBeGreaterThan(45);
        for (const [i, tag] of tags.entries()) {
          const truePulse = truth.load(3, "bl3_st2_pm001", tag);
          // The counter shows whole pulses.
          expect(Math.abs((positions[i] ?? NaN) - (truePulse / 150 - 80))).toBeLessThan(0.51 / 150);
        }
        expect(Math.abs((positions.at(-1) ?? NaN) - (positions[0] ?? NaN))).toBeGreaterThan(15);
      }
    });
  });
});

describe("single pulses on fresh spots", () => {
  it("hit each spot once, and the shot that hit is the one that is kept", async () => {
    await atFacility(3, async ({ beamline, truth, hightag }) => {
      const places = gridPositions(
        ["y", "x"].map((axis) => ({ axis, from: 0, to: 0.18, points: 4 })),
        true,
      );
      const chip = TargetMap.inMemory(places);
      const rows: Row[] = [];
      const raster = count({
        times: places.length,
        shots: {
          count: 1,
          signals: ["diode"],
          conditions: [{ signalName: "diode", between: [0.01, 1] }],
          budget: { shots: 20 },
        },
        freshSpots: { map: "chip", shutter: "xrays", selector: "pulses" },
      });
      await new Engine(beamline, { maps: { chip }, callbacks: [{ point: (row) => rows.push(row) }] }).run(raster);
      expect(chip.counts).toEqual({ fresh: 0, spent: 0, shot: places.length, missed: 0 });
      for (const { x = NaN, y = NaN } of places) expect(truth.shotsOnSpot(3, 1000 * x, 1000 * y)).toBe(1);
      for (const { taken } of rows)
        expect(truth.shot(3, hightag, taken?.tags[0] ?? NaN)).toMatchObject({
          hasXrays: true,
          transmission: 1,
          sampleFactor: 1,
        });
    });
  });
});

describe("the pump FEL", () => {
  it("weakens the reflection as a step of 30 fs with a recovery of 400 fs does", async () => {
    await atFacility(4, async ({ beamline, truth }) => {
      const both = plan("pump FEL", {}, function* () {
        const taken: ShotsTaken[] = [];
        yield* move({ theta: truth.crystal(3).centrePulse / 1e4 });
        yield* request({ probeDelayFs: 60 });
        for (const state of ["off", "on"]) {
          yield* request({ pumpFel: state });
          taken.push(
            yield* withShutterOpen("xrays", shots({ count: 200, signals: ["bragg", "i0"], conditions: [withBeam] })),
          );
        }
        return taken;
      });
      const { result = [] } = await new Engine(beamline).run(both);
      const [off = NaN, on = NaN] = result.map(({ values }) =>
        meanOf((values["bragg"] ?? []).map((volts, i) => (volts ?? NaN) / (values["i0"]?.[i] ?? NaN))),
      );
      // By hand: −0.3 · Φ(60/30 − 30/400) · exp(30²/(2 · 400²) − 60/400) = −0.3 · 0.9729 · 0.8631.
      expect(on / off - 1).toBeCloseTo(-0.2519, 2);
    });
  });
});
