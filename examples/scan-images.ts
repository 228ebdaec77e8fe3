/**
 * A scan with its images: a facility run is on meanwhile, and when it has ended its images are averaged for each
 * position.
 * Run: npx tsx node_modules/sacla/examples/scan-images.ts
 */
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "sacla";
import { defineExperiment } from "sacla/ec";
import { renderImage } from "sacla/plot";
import { Cube, mean } from "sacla/reduce";
import { controlBeamline, Engine, plan, ScanTable, scan, scanPosition, withRun } from "sacla/scan";

const experiment = defineExperiment({
  name: "images of a scan",
  bl: 3,
  axes: { delay: { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, offset: -80, limits: [-10, 100] } },
  signals: { i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" } },
  detectors: { scattering: { id: "MPCCD-2N0-M02-001" } },
  shutters: { xrays: { device: "bl3_shutter1" } },
} as const);

const points = scan({
  axis: "delay",
  from: -1,
  to: 2,
  points: 4,
  shots: { count: 20, signals: ["i0"] },
  shutter: "xrays",
});
const withImages = plan("delay scan with images", points.settings, function* () {
  yield* withRun({ comment: "delay scan", detectors: ["scattering"] }, points.steps());
});

// Time moves only while somebody waits for it: minutes of beam time are over in seconds.
await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "scan images example",
  reason: "delay scan",
  experiment,
  pollMs: 2,
});
const table = new ScanTable();
await new Engine(controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 }), {
  callbacks: [table],
}).run(withImages);

const [first] = table.rows;
if (first?.taken?.run === undefined) throw new Error("the plan has started no run");
const run = await facility.run(3, first.taken.run);
const cube = new Cube({
  axes: [{ name: "delay", of: scanPosition(table.rows, "delay"), targets: [-1, 0, 1, 2], tolerance: 0.05 }],
  values: { images: { average: mean() } },
});
const used = new Set(table.rows.flatMap(({ taken }) => taken?.tags ?? []));
await cube.update(
  facility.shots({ run, detectors: ["MPCCD-2N0-M02-001"], tags: (await run.tags()).filter((tag) => used.has(tag)) }),
);

const sensor = "MPCCD-2N0-M02-001-1";
await mkdir("out", { recursive: true });
for (const [k, delay] of (cube.axes[0]?.centres ?? []).entries()) {
  const average = cube.images("all", k)?.average[sensor];
  if (average === undefined) continue;
  const title = `${sensor}, mean of ${cube.counts().get(k)} shots at ${delay} ps`;
  await writeFile(`out/scan-images-${k}.png`, renderImage(average, { title, unit: "ADU" }));
  console.log(title);
}
console.log(`run ${run.number}: ${cube.ledger.used} of ${cube.ledger.asked} shots used`);
