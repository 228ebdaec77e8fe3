/**
 * A rocking curve, then to its peak; written down while it goes on, so that it could be resumed (`resumeScan`).
 * Run: npx tsx node_modules/sacla/examples/rocking-curve.ts
 */
import { mkdir, rm } from "node:fs/promises";
import { connect } from "sacla";
import { defineExperiment } from "sacla/ec";
import { controlBeamline, Engine, goToPeak, Journal, ScanTable } from "sacla/scan";

const experiment = defineExperiment({
  name: "rocking",
  bl: 3,
  axes: {
    theta: {
      device: "bl3_st4_pm036",
      unit: "deg",
      pulsesPerUnit: 1e4,
      limits: [-1, 1],
      signal: "xfel_bl_3_st_4_motor_36/position",
    },
  },
  signals: {
    i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" },
    bragg: { id: "xfel_bl_3_st_4_pd_user_3_fitting_peak/voltage" },
  },
  shutters: { xrays: { device: "bl3_shutter1" } },
} as const);

// Time moves only while somebody waits for it: an hour of beam time is over in seconds.
await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "rocking curve example",
  reason: "find the Bragg peak",
  experiment,
  pollMs: 5,
});
const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 5 });

const plan = goToPeak({
  axis: "theta",
  from: -0.25,
  to: 0.25,
  points: 101,
  signalName: "bragg",
  normaliseBy: "i0",
  shots: { count: 5, signals: ["bragg", "i0"], budget: { seconds: 60 } },
  shutter: "xrays",
});

await mkdir("out", { recursive: true });
await rm("out/rocking.journal", { force: true }); // A journal is never overwritten; the simulated facility is new each time.
const table = new ScanTable();
const journal = Journal.create("out/rocking.journal", plan);
const { result, shots } = await new Engine(beamline, { journal, callbacks: [table] }).run(plan);
journal.close();

console.log(table.curve("bragg"));
console.log(
  `peak at ${result?.centre.toFixed(5)} ± ${result?.centreError.toFixed(5)} deg, ` +
    `FWHM ${result?.fwhm.toFixed(5)} deg; ${shots.used} of ${shots.asked} shots`,
);
console.log(`theta stands at ${(await control.axis("theta").position()).toFixed(4)} deg`);
