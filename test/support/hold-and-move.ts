/**
 * Takes the lease of beamline 3 of the server named, opens the shutter and sets out on a long move; it is made to be
 * killed.
 */
import { connect } from "../../src/connect.ts";

const facility = await connect(process.argv[2]);
const control = await facility.ec.control(3, { name: "to be killed", reason: "long move", ttlMs: 15_000 });
await control.shutter("bl3_lh1_shutter1").open();
const { done } = await control.axis("bl3_st2_pm004").start(50_000_000);
console.log("moving");
await done;
