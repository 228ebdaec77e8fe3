/**
 * One scan on fresh spots, for scripts/chaos-scan.ts to kill: `chaos-scan-worker.ts ADDRESS JOURNAL MAP POINTS`.
 * The beamline is in the parent process, and goes on without this one.
 */
import { existsSync } from "node:fs";
import { connect } from "../src/connect.ts";
import { isSaclaError } from "../src/core/errors.ts";
import { controlBeamline, Engine, Journal, type Row, resumeScan, scanList, TargetMap } from "../src/scan/index.ts";
import { delaysPs, experiment, LEASE_MS, MONITOR, SHOTS } from "./chaos-scan-setup.ts";

const [address = "", journalPath = "", mapPath = "", points = ""] = process.argv.slice(2);
const plan = scanList({
  axis: "delay",
  positions: delaysPs(Number(points)),
  shots: SHOTS,
  freshSpots: { map: "chip", shutter: "xrays" },
});

function tell(message: object): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()));
}

await using facility = await connect(address);
const go = new Promise((resolve) => process.once("message", resolve));
await tell({ say: "ready" });
await go;
try {
  await using control = await facility.ec.control(3, {
    name: "chaos",
    reason: "a scan to be killed",
    experiment,
    ttlMs: LEASE_MS,
    pollMs: 2,
  });
  await tell({ say: "begun", previous: control.previous?.how ?? null });
  const beamline = controlBeamline(facility, control, { experiment, monitor: MONITOR, pollMs: 2 });
  const rows: Row[] = [];
  const options = { maps: { chip: TargetMap.open(mapPath) }, callbacks: [{ point: (row: Row) => rows.push(row) }] };
  if (existsSync(journalPath)) await resumeScan(journalPath, plan, beamline, options);
  else await new Engine(beamline, { ...options, journal: Journal.create(journalPath, plan) }).run(plan);
  await tell({
    say: "done",
    rows: rows.map(({ data, taken }) => ({ delay: data["delay"], spot: data["spot"], tags: taken?.tags ?? [] })),
  });
} catch (error) {
  // When the computer stands still for longer than the lease holds: one more way to die.
  if (!isSaclaError(error, "LEASE_LOST", "FILE_IN_USE")) throw error;
  await tell({ say: "lost" });
}
process.disconnect();
