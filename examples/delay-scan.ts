/**
 * A delay scan with pumped and unpumped shots in turn: the difference against the delay, and time zero with its error.
 * Run: npx tsx node_modules/sacla/examples/delay-scan.ts
 */
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "sacla";
import { defineExperiment } from "sacla/ec";
import { linePlot } from "sacla/plot";
import {
  controlBeamline,
  Engine,
  fitStep,
  plan,
  ScanTable,
  type ShotsTaken,
  scan,
  set,
  withShutterOpen,
} from "sacla/scan";

const experiment = defineExperiment({
  name: "delay scan",
  bl: 3,
  // 0 ps is where time zero was in the last beam time.
  axes: { delay: { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, offset: -80, limits: [-10, 100] } },
  signals: {
    i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" },
    diode: { id: "xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage" },
    pumped: { id: "xfel_bl_3_lh1_shutter_1_open_valid/status" },
  },
  shutters: { xrays: { device: "bl3_shutter1" }, laser: { device: "bl3_lh1_shutter1" } },
  settings: {
    attenuator: { device: "bl3_attenuator1" },
    diode_gain: { device: "bl3_st2_pd3_gain" },
    laser_pulses: { device: "bl3_lh1_selector1" },
  },
} as const);

const points = scan({
  axis: "delay",
  from: -3,
  to: 3,
  points: 41,
  shots: {
    count: 100,
    signals: ["diode", "i0", "pumped"],
    conditions: [{ signalName: "i0", between: [3e-9, 8e-9] }],
    budget: { shots: 300 },
  },
  shutter: "xrays",
});

const delayScan = plan("delay scan with on/off difference", points.settings, function* () {
  yield* set("attenuator", 1000); // All points are on one spot: it must not be damaged.
  yield* set("diode_gain", 1000);
  yield* set("laser_pulses", 2); // Every other shot is pumped.
  yield* withShutterOpen("laser", points.steps());
});

/** on/off − 1 of the diode, each shot divided by its i0, with the standard error. */
function onOff({ values }: Pick<ShotsTaken, "values">): { readonly ratio: number; readonly error: number } {
  const mean = (flag: number): { readonly mean: number; readonly relativeError: number } => {
    const shots = (values["diode"] ?? []).flatMap((volts, i) =>
      values["pumped"]?.[i] === flag && volts !== null ? [volts / (values["i0"]?.[i] ?? NaN)] : [],
    );
    const average = shots.reduce((sum, value) => sum + value, 0) / shots.length;
    const variance = shots.reduce((sum, value) => sum + (value - average) ** 2, 0) / (shots.length - 1);
    return { mean: average, relativeError: Math.sqrt(variance / shots.length) / average };
  };
  const [on, off] = [mean(1), mean(0)];
  return {
    ratio: on.mean / off.mean - 1,
    error: (on.mean / off.mean) * Math.hypot(on.relativeError, off.relativeError),
  };
}

// Time moves only while somebody waits for it: minutes of beam time are over in seconds.
await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "delay scan example",
  reason: "find time zero",
  experiment,
  pollMs: 2,
});
const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });

const table = new ScanTable();
const { shots } = await new Engine(beamline, { callbacks: [table] }).run(delayScan);

const delays = table.rows.map(({ data }) => data["delay"] ?? NaN);
const differences = table.rows.flatMap(({ taken }) => (taken === null ? [] : [onOff(taken)]));
const ratios = differences.map(({ ratio }) => 100 * ratio);
const errors = differences.map(({ error }) => 100 * error);
const fit = fitStep(delays, ratios, { errors, after: "parabola" }); // The signal recovers within the window.

await mkdir("out", { recursive: true });
await writeFile(
  "out/delay-scan.svg",
  linePlot([{ x: delays, y: ratios, error: errors }], { xLabel: "delay (ps)", yLabel: "difference (%)" }),
);
console.log(`${shots.used} of ${shots.asked} shots used; left out:`, shots.dropped);
console.log(
  `t0 = ${fit.centre.toFixed(3)} ± ${fit.centreError.toFixed(3)} ps, ` +
    `rise ${(1000 * fit.width).toFixed(0)} ± ${(1000 * fit.widthError).toFixed(0)} fs rms, step ${fit.height.toFixed(2)} %`,
);
console.log(`χ² per degree of freedom ${fit.reducedChiSquare.toFixed(2)}; out/delay-scan.svg`);
