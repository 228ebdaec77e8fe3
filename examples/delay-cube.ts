// A pump-probe delay scan as a cube: the scattering of pumped over unpumped shots against the delay of the stage.
// Run: npx tsx node_modules/sacla/examples/delay-cube.ts
import { connect } from "sacla";
import { Cube, contrast, correct, darkAverage, filterShots } from "sacla/reduce";

await using facility = await connect();

const detector = "MPCCD-8N0-3-002-3";
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const stage = "xfel_bl_3_st_2_motor_1/position"; // 6.671 fs per pulse
const run = await facility.run(3, 1520000);

const dark = await darkAverage(facility.shots({ run, detectors: [detector], tags: await run.darkTags() }));
const scan = new Cube({
  axes: [{ name: "stage", of: stage, targets: [11_850, 12_000, 12_150, 12_300, 12_450, 12_600], tolerance: 20 }],
  values: { sums: { scattering: { detector, roi: { rows: [0, 1024], columns: [0, 512] } } } },
  corrections: [correct.dark(dark), correct.normalise({ equipId: bm1, limits: [3e-9, 8e-9], reference: 5e-9 })],
});

const labels = await run.labels();
const tags = await filterShots(labels.on.union(labels.off), [{ name: "i0", equipId: bm1, between: [3e-9, 8e-9] }]);
await scan.update(facility.shots({ run, detectors: [detector], signals: scan.signals, tags }), {
  labels,
  selection: tags,
});

const { ratio, ratioError } = contrast(scan.numbers("scattering", "on"), scan.numbers("scattering", "off"));
for (const [i, pulses] of (scan.axes[0]?.centres ?? []).entries()) {
  console.log(`${pulses} pulses: on/off = ${ratio.get(i).toFixed(4)} ± ${ratioError.get(i).toFixed(4)}`);
}
console.log(scan.ledger.used, "of", scan.ledger.asked, "shots used");
