// While the beam runs: the mean of the next 60 shots of a detector, every shot as long as this program keeps up, and
// what was lost on the way. Before the shift it can be rehearsed on a stored run: sacla replay-live RUN --source FILE
// Run: npx tsx node_modules/sacla/examples/live-average.ts
import { connect, mean, reduce } from "sacla";

await using facility = await connect();
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const detector = "MPCCD-2N0-M02-001";

// Some single shots, always the newest: how old they are, and their beam monitor.
for await (const shot of facility.live.shots({ bl: 3, detectors: [detector], signals: [bm1], limit: 3 })) {
  const value = shot.value(bm1);
  console.log(
    `run ${shot.run}, tag ${shot.tag}: ${shot.latencyMs.toFixed(0)} ms ` +
      `old, ${"value" in value ? `${value.value} ${value.unit}` : value.reason}`,
  );
}

const shots = facility.live.shots({ bl: 3, detectors: [detector], policy: "every", limit: 60, timeoutMs: 30_000 });
const { average, ledger } = await reduce(shots, { average: mean() });
for (const [sensor, image] of Object.entries(average)) {
  console.log(`${sensor}: mean ${(image.data.reduce((a, b) => a + b, 0) / image.size).toFixed(2)} ADU`);
}
console.log(`${ledger.used} shots of ${ledger.asked}`, ledger.dropped);
