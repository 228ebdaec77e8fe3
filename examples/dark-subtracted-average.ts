// The average of a detector's images after dark subtraction: one pass, one image of memory.
// Run: npx tsx node_modules/sacla/examples/dark-subtracted-average.ts
import { mkdir, writeFile } from "node:fs/promises";
import { connect, darkAverage, mean, reduce } from "sacla";
import { renderImage } from "sacla/plot";

await using facility = await connect();

const detector = "MPCCD-2B1-M03-001-1";
const run = await facility.run(3, 651236);
const darkRun = await facility.run(3, 651264);

// 300 shots of each are enough for a first look; without the slice all 10 000 are read, in the same memory.
const dark = await darkAverage(
  facility.shots({ run: darkRun, detectors: [detector], tags: (await darkRun.tags()).slice(0, 300) }),
);
const shots = facility.shots({ run, detectors: [detector], tags: (await run.exposedTags()).slice(0, 300) });
const { average, ledger } = await reduce(shots, { average: mean() }, { dark });

const image = average[detector];
if (image === undefined) throw new Error("no shot was left");
await mkdir("out", { recursive: true });
await writeFile(
  "out/average.png",
  renderImage(image, { title: `${detector}, run ${run.number} - dark ${darkRun.number}`, unit: "ADU" }),
);
console.log(`${ledger.used} of ${ledger.asked} shots averaged, dropped:`, ledger.dropped);
