// The status of the newest run: useful to start an analysis soon after it has completed.
// Run: npx tsx node_modules/sacla/examples/run-status.ts
import { connect } from "sacla";

await using facility = await connect();
const { db } = facility;

const newest = await db.readRunnumberNewest(3);
// −1: not yet existing, 0: stopped (ready to read), 1: paused, 2: running
const status = await db.readRunstatus(3, newest);
console.log(newest, status);
