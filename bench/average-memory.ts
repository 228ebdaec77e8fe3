/**
 * The memory of a long average: both sensors of a dual, from the simulated facility, in one pass.
 * `npm run bench:memory -- [shots]` prints resident memory on the way and fails when it grows by more than 5 % after the
 * first tenth.
 */
import { cpus } from "node:os";
import { connect, darkAverage, histogram, mean, reduce } from "sacla";

const asked = Number(process.argv[2] ?? 10_000);
const run = { bl: 3, run: 651251 };

await using facility = await connect("sim:");
const { db } = facility;
const [detector] = await (await db.run(run.bl, run.run)).detectors();
if (detector === undefined) throw new Error("the run has no detector");
const tags = (await db.readTaglistByrun(run.bl, run.run)).slice(0, asked);
const dark = await darkAverage(facility.shots({ run, detectors: [detector.id], tags: tags.slice(0, 20) }));

const megabytes = (): number => process.memoryUsage().rss / 1e6;
let atTenth = NaN;
const started = performance.now();
const { ledger } = await reduce(
  facility.shots({ run, detectors: [detector.id], tags }),
  { average: mean(), adu: histogram() },
  {
    dark,
    onProgress: (done) => {
      if (done === Math.floor(tags.length / 10)) atTenth = megabytes();
      if (done % Math.floor(tags.length / 10) === 0) console.log(`${done} shots: ${megabytes().toFixed(1)} MB`);
    },
  },
);
const seconds = (performance.now() - started) / 1000;
const growth = (megabytes() / atTenth - 1) * 100;
console.log(
  `${detector.id}: ${ledger.used} of ${ledger.asked} shots in ${seconds.toFixed(1)} s (${(ledger.used / seconds).toFixed(0)} shots/s), node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`,
);
console.log(`resident memory after the first tenth ${atTenth.toFixed(1)} MB, at the end ${megabytes().toFixed(1)} MB: ${growth.toFixed(1)} %`);
if (growth > 5) process.exitCode = 1;
