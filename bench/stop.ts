/**
 * Stops axes of a server while readers do their worst to it, its audit's disk is full and its main loop is busy; prints
 * how long the stops took. `npm run bench:stop -- [SEED [COUNT [SECONDS [CLIENTS]]]]`: ends after COUNT stops and
 * SECONDS, whichever is later. Fails when a stop of a thousand takes longer than 100 ms, an axis goes on, a lease is
 * lost or a stop is not in the audit.
 */
import { histogram, quantile, stopUnderLoad } from "../test/support/stop-under-load.ts";
import { row } from "./rows.ts";

const [seed = "1", stops = "10000", seconds = "600", clients = "200"] = process.argv.slice(2);
const report = await stopUnderLoad({
  seed: Number(seed),
  stops: Number(stops),
  seconds: Number(seconds),
  clients: Number(clients),
  say: (line) => console.log(line),
});
const { ms, ...rest } = report;
for (const line of histogram(ms)) console.log(line);
const [p50, p99, p999] = [0.5, 0.99, 0.999].map((part) => quantile(ms, part));
const times = `median ${p50?.toFixed(1)} ms, 99 % ${p99?.toFixed(1)} ms, 99.9 % ${p999?.toFixed(1)} ms`;
console.log(`${ms.length} stops: ${times}, longest ${ms.at(-1)?.toFixed(1)} ms`);
console.log(JSON.stringify(rest));
row({ what: "99.9 % of stops under load", unit: "ms", sacla: p999 ?? NaN, goal: 100 });
const { notStopped, failed, leaseLost, notBooked } = report;
if (!((p999 ?? NaN) <= 100) || notStopped + failed + leaseLost + notBooked > 0) process.exitCode = 1;
