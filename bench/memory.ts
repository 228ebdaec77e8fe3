/**
 * The memory of a long average: both sensors of a dual, from the simulated facility, in one pass.
 * `npm run bench:memory -- [shots]` compares two processes, one with a tenth of the shots and one with all of them,
 * when each has its answer; it prints resident memory on the way too, and fails when they differ by more than 5 %.
 */
import { cpus } from "node:os";
import { connect, darkAverage, histogram, mean, reduce } from "sacla";
import { compareMemory, isMeasured, megabytes } from "./memory-harness.ts";

const [asked = "10000"] = process.argv.slice(2);

async function average(shots: number): Promise<void> {
  const run = { bl: 3, number: 651251 };
  await using facility = await connect("sim:");
  const { db } = facility;
  const [detector] = await (await db.run(run.bl, run.number)).detectors();
  if (detector === undefined) throw new Error("the run has no detector");
  const tags = (await db.readTaglistByrun(run.bl, run.number)).slice(0, shots);
  const dark = await darkAverage(facility.shots({ run, detectors: [detector.id], tags: tags.slice(0, 20) }));
  const step = Math.ceil(shots / 10);
  const began = performance.now();
  const { ledger } = await reduce(
    facility.shots({ run, detectors: [detector.id], tags }),
    { average: mean(), adu: histogram() },
    {
      dark,
      onProgress: (done) => {
        if (done % step === 0) console.error(`  ${done} shots: ${megabytes().toFixed(1)} MB`);
      },
    },
  );
  const seconds = (performance.now() - began) / 1000;
  console.error(
    `  ${detector.id}: ${ledger.used} of ${ledger.asked} shots in ${seconds.toFixed(1)} s (${(ledger.used / seconds).toFixed(0)} shots/s)`,
  );
  console.log(megabytes());
}

if (isMeasured) await average(Number(asked));
else {
  compareMemory(Math.ceil(Number(asked) / 10), Number(asked));
  console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`);
}
