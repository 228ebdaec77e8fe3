// The ADU histogram of individual pixels: its second peak is the ADU value of a single X-ray photon.
// Run: npx tsx node_modules/sacla/examples/single-photon-histogram.ts
import { mkdir, writeFile } from "node:fs/promises";
import { connect, darkAverage, histogram, reduce } from "sacla";
import { histogramPlot } from "sacla/plot";

await using facility = await connect();

const detector = "MPCCD-2N0-M02-001-1";
const run = await facility.run(3, 1360991);
const dark = await darkAverage(facility.shots({ run, detectors: [detector], tags: await run.darkTags() }));
const shots = facility.shots({ run, detectors: [detector], tags: (await run.exposedTags()).slice(0, 200) });
const { adu } = await reduce(shots, { adu: histogram({ from: -100, to: 500 }) }, { dark });

const counts = adu[detector]?.counts ?? new Float64Array(601);
await mkdir("out", { recursive: true });
await writeFile(
  "out/histogram.svg",
  histogramPlot(counts, { from: -100, title: `${detector}, run ${run.number}`, xLabel: "ADU", yLabel: "pixels" }),
);

const above = counts.subarray(160); // from 60 ADU, clear of the read noise around 0
const peak = 60 + above.indexOf(Math.max(...above));
const { absGain } = await facility.st.detectorInfo(3, run.number, detector);
const expected = (await run.photonEnergyEv()) / 3.65 / (absGain ?? NaN);
console.log(`single-photon peak at ${peak} ADU, ${expected.toFixed(0)} expected from the gain`);
