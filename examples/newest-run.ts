// The newest run number of beamline 3, and its status.
// 0: stopped (ready to read), 1: paused, 2: running, −1: not yet existing.
// Run: npx tsx node_modules/sacla/examples/newest-run.ts
import { connect } from "sacla";

await using facility = await connect();
const { db } = facility;

const newest = await db.readRunnumberNewest(3);
console.log(newest);
