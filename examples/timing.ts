// Arrival timing: edges on the pictures of the timing monitor, and fs per pixel from a run in which its stage was scanned.
// Run: npx tsx node_modules/sacla/examples/timing.ts
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "sacla";
import { linePlot } from "sacla/plot";
import { calibrateTiming, findEdges, learnEdges, relativeFs, xraysBySignal } from "sacla/timing";

await using facility = await connect("sim:");
const camera = "OPAL-234363";
const i0 = "xfel_bl_3_tc_bm_1_pd/charge";
const xrays = xraysBySignal(i0, 1e-10);
const finderOptions = { roi: { rows: [112, 144], columns: [0, 2048] } } as const; // Where the X-rays cross the laser.

const run = await facility.run(3, 1_519_981);
const tags = [...(await run.tags())].filter((_, i) => i < 60 || i % 2 === 0);
const shotsOf = (some: readonly number[]) => facility.shots({ run, tags: some, detectors: [camera], signals: [i0] });
const finder = await learnEdges(shotsOf(tags.slice(0, 120)), { camera, xrays, finderOptions });
const { widthPx, fringePeriodsPx } = finder.summary;
console.log(
  `edges ${widthPx.toFixed(1)} px wide; fringes of ${fringePeriodsPx.map(Math.round).join(" and ")} px drift`,
);

const stage = await run.column("xfel_bl_3_st_1_motor_73/position");
const points: { pulse: number; edgePx: number }[] = [];
const flagged: Record<string, number> = {};
for await (const { tag, edge } of findEdges(shotsOf(tags), { camera, xrays, finder })) {
  for (const flag of edge?.flags ?? []) flagged[flag] = (flagged[flag] ?? 0) + 1;
  const pulse = stage.values[stage.tags.indexOf(tag)];
  if (edge?.usable === true && pulse !== undefined) points.push({ pulse, edgePx: edge.fittingPx });
}
const scale = calibrateTiming(points, { fsPerPulse: 6.671 });
console.log(`${points.length} edges; left out: ${JSON.stringify(flagged)}`);
console.log(
  `${scale.fsPerPixel.toFixed(3)} ± ${scale.fsPerPixelError.toFixed(3)} fs per pixel, ` +
    `the X-rays came ${scale.jitterFs.toFixed(0)} fs early or late (rms)`,
);

await mkdir("out", { recursive: true });
const x = points.map(({ pulse }) => pulse);
const y = points.map(({ edgePx }) => relativeFs(edgePx, scale) / 1000);
const series = [{ label: "shots", x, y, style: "points" }] as const;
await writeFile("out/timing.svg", linePlot(series, { xLabel: "stage (pulses)", yLabel: "arrival (ps)" }));
