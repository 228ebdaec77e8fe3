// Split-delay speckle: contrast from few photons, and how long the sample stays the same (g2) from the delay of two pulses.
// Run: npx tsx node_modules/sacla/examples/speckle.ts
import { mkdir, writeFile } from "node:fs/promises";
import { linePlot } from "sacla/plot";
import { darkAverage, reduce, speckleContrast, speckleDelays } from "sacla/reduce";
import {
  bothShots,
  darkShots,
  delaySignal,
  delaysPs,
  oneBranchShots,
  perPhotonAdu,
  sensor,
} from "./parts/speckle-shots.ts";

// Of a run these are facility.shots({ run, detectors: [sensor], signals: [delay], tags }), and
// aduPerPhoton(photonEnergyEv, info.absGain).
const dark = await darkAverage(darkShots());
const options = { aduPerPhoton: perPhotonAdu, noiseAdu: dark };

const alone = await reduce(oneBranchShots(), { speckle: speckleContrast(options) }, { dark });
const oneBranch = alone.speckle[sensor];
if (oneBranch === undefined) throw new Error(`no image of ${sensor}`);
const { contrast, contrastError, photonsPerPixel } = oneBranch;
console.log(
  `one branch: contrast ${contrast.toFixed(3)} ± ${contrastError.toFixed(3)}, ${photonsPerPixel.toFixed(4)} photons a pixel`,
);

const edges = [...delaysPs.map((delay) => delay - 0.5), 100];
const reducers = { delays: speckleDelays({ ...options, equipId: delaySignal, edges, oneBranch }) };
const { delays } = await reduce(bothShots(), reducers, { dark });
const bins = delays[sensor]?.bins ?? [];
for (const { delay, shots, contrast: both, contrastError: error, g2, g2Error } of bins)
  console.log(
    `${delay} ps: contrast ${both.toFixed(3)} ± ${error.toFixed(3)}, g2 ${g2.toFixed(2)} ± ${g2Error.toFixed(2)} (${shots} shots)`,
  );

await mkdir("out", { recursive: true });
const series = [
  {
    label: "g2",
    x: bins.map(({ delay }) => delay),
    y: bins.map(({ g2 }) => g2),
    error: bins.map(({ g2Error }) => g2Error),
    style: "points",
  },
] as const;
await writeFile("out/speckle.svg", linePlot(series, { xLabel: "delay (ps)", yLabel: "g2" }));
