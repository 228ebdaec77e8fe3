// The same average in two threads: the bits do not depend on how many there are.
// Run: npx tsx node_modules/sacla/examples/parallel-average.ts
import { connect } from "sacla";
import { reduceInParallel } from "sacla/reduce";

await using facility = await connect();
const run = await facility.run(3, 1360991);
const tags = (await run.exposedTags()).slice(0, 200);
const data = { run: { bl: run.bl, number: run.number }, detectors: ["MPCCD-2N0-M02-001"] };

const { average, ledger } = await reduceInParallel<typeof import("./parts/average-part.ts")>(
  new URL("./parts/average-part.ts", import.meta.url),
  {
    tags,
    data,
    workers: 2,
  },
);
for (const [sensor, image] of Object.entries(average)) console.log(sensor, "mean of row 0, column 0:", image.get(0, 0));
console.log(`${ledger.used} of ${ledger.asked} shots used`);
