// Records an analysis while it runs at the facility, runs it again offline to the same numbers, and once more over a
// connection that breaks all the time.
// Run: npx tsx node_modules/sacla/examples/rehearse-offline.ts
import { mkdir, rm } from "node:fs/promises";
import { connect, Facility, mean, reduce } from "sacla";
import { withFaults, withRecording, withRetry } from "sacla/transport";

const detector = "MPCCD-2B1-M03-001-1";

/** The mean of all pixels of the average of 20 shots, and the mean of the beam monitor at the same shots. */
async function analyse(facility: Facility): Promise<string> {
  const run = await facility.run(3, 651236);
  const tags = (await run.exposedTags()).slice(0, 20);
  const bm1 = await run.column("xfel_bl_3_tc_bm_1_pd/charge", tags);
  const { average, ledger } = await reduce(facility.shots({ run, detectors: [detector], tags }), { average: mean() });
  const pixels = average[detector]?.data ?? [];
  const meanOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return `${ledger.used} shots, ${meanOf(Float64Array.from(pixels))} ADU, ${meanOf(bm1.values)} C`;
}

const file = "out/analysis.recording";
await mkdir("out", { recursive: true });
await rm(file, { force: true }); // A recording is never written over.

await using recorded = new Facility(await withRecording((await connect("sim:")).endpoint, file));
const atTheFacility = await analyse(recorded);

await using replayed = await connect(`recording:${file}`);
const offline = await analyse(replayed);

const rough = withFaults((await connect("sim:")).endpoint, {
  seed: 1,
  delay: 0.1,
  delayMs: 20,
  duplicate: 0.1,
  disconnect: 0.1,
});
await using patient = new Facility(withRetry(rough, { attempts: 20, firstWaitMs: 10 }));
const overABadConnection = await analyse(patient);

console.log(`at the facility:        ${atTheFacility}`);
console.log(`offline:                ${offline}`);
console.log(`over a bad connection:  ${overABadConnection}`);
if (offline !== atTheFacility || overABadConnection !== atTheFacility) throw new Error("the numbers are not the same");
