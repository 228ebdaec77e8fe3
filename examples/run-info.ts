// What is recorded about a run, by the same keys as in Python.
// Run: npx tsx node_modules/sacla/examples/run-info.ts
import { connect } from "sacla";

await using facility = await connect();
const { db } = facility;

const run = 651251;
const runInfo = await db.readRuninfo(3, run);
console.log(runInfo);
