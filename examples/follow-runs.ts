// Analyses each run as it ends, as long as the beamtime lasts. Here it stops after two runs.
// Run: npx tsx node_modules/sacla/examples/follow-runs.ts
import { connect, darkAverage, mean, reduce } from "sacla";

// Ten times faster than real time, so that the simulated runs end soon.
await using facility = await connect(process.env["SACLA_URL"] ?? "sim:?speed=10");

let analysed = 0;
for await (const run of facility.runs({ bl: 3, follow: true, pollMs: 200 })) {
  const [detector] = await run.detectors();
  const exposed = await run.exposedTags();
  const darkTags = await run.darkTags();
  if (detector === undefined || darkTags.length === 0 || exposed.length === 0) {
    console.log(`run ${run.number} (${run.comment}): nothing to analyse`);
  } else {
    const dark = await darkAverage(facility.shots({ run, detectors: [detector.id], tags: darkTags.slice(0, 20) }));
    const { average, ledger } = await reduce(
      facility.shots({ run, detectors: [detector.id], tags: exposed.slice(0, 50) }),
      { average: mean() },
      { dark },
    );
    for (const [sensor, image] of Object.entries(average)) {
      const sum = image.data.reduce((a, b) => a + b, 0);
      console.log(
        `run ${run.number} (${run.comment}): ${sensor} mean ${(sum / image.size).toFixed(3)} ADU ` +
          `over ${ledger.used} shots`,
      );
    }
  }
  if (++analysed === 2) break;
}
