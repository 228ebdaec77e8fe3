// A fast delay scan: the stage sweeps to and fro, and all shots are fitted after each sweep until time zero is precise.
// Run: npx tsx node_modules/sacla/examples/fast-delay-scan.ts
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "sacla";
import { defineExperiment } from "sacla/ec";
import { linePlot } from "sacla/plot";
import { controlBeamline, delaySweeps, Engine, plan, set, withShutterOpen } from "sacla/scan";

const experiment = defineExperiment({
  name: "fast delay scan",
  bl: 3,
  axes: { delay: { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, offset: -80, limits: [-10, 100] } },
  signals: {
    delay: { id: "xfel_bl_3_st_2_motor_1/position" }, // where the stage was at each shot
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

const sweeps = delaySweeps({
  axis: "delay",
  from: -2,
  to: 6,
  shots: 600, // of one sweep: 20 s
  fsPerUnit: 1000,
  signalName: "diode",
  normaliseBy: "i0",
  pumpedBy: "pumped",
  conditions: [{ signalName: "i0", between: [3e-9, 8e-9] }],
  shutter: "xrays",
  t0ErrorFs: 14,
  mostSweeps: 12,
});

const fast = plan("fast delay scan", sweeps.settings, function* () {
  yield* set("attenuator", 1000); // All shots are on one spot: it must not be damaged.
  yield* set("diode_gain", 1000);
  yield* set("laser_pulses", 2); // Every other shot is pumped.
  return yield* withShutterOpen("laser", sweeps.steps());
});

// Time moves only while somebody waits for it: minutes of beam time are over in seconds.
await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "fast delay scan example",
  reason: "find time zero",
  experiment,
  pollMs: 2,
});
const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });
const { result } = await new Engine(beamline, { callbacks: [{ note: (text) => console.log(text) }] }).run(fast);
const fit = result?.fit;
if (fit === undefined || fit === null) throw new Error("no time zero within the sweeps");

await mkdir("out", { recursive: true });
const x = fit.curve.map(({ delayFs }) => delayFs);
const measured = fit.curve.map(({ change }) => 100 * change);
const fitted = fit.curve.map((point) => 100 * point.fitted);
const curves = [
  { label: "on/off − 1", x, y: measured, style: "points" },
  { label: "fit", x, y: fitted },
] as const;
await writeFile("out/fast-delay-scan.svg", linePlot(curves, { xLabel: "delay (fs)", yLabel: "on/off − 1 (%)" }));
console.log(
  `${result?.outcome} after ${result?.sweeps} sweeps: time zero ${fit.t0Fs.toFixed(1)} ± ${fit.t0ErrorFs.toFixed(1)} fs, ` +
    `rise ${fit.riseFs.toFixed(0)} ± ${fit.riseErrorFs.toFixed(0)} fs, ` +
    `lifetime ${(fit.lifetimeFs / 1000).toFixed(1)} ± ${(fit.lifetimeErrorFs / 1000).toFixed(1)} ps`,
);
