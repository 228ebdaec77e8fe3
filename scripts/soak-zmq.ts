/**
 * Serves an octal at full rate to a client that takes every shot, while others stall, die and flood; prints the memory
 * of the server and the counts as it goes, one JSON line in ten seconds. `npm run soak -- [SECONDS] [SEED]`. Fails when
 * a shot is lost or comes twice, when a small question is answered late, or when memory grows.
 */
import { soak } from "../test/support/soak.ts";

const [seconds = "600", seed = "1"] = process.argv.slice(2);
const report = await soak({
  seconds: Number(seconds),
  seed: Number(seed),
  every: 10,
  say: (line) => console.log(JSON.stringify(line)),
});
console.log(JSON.stringify(report));
const complaints = [
  report.lost > 0 && `${report.lost} shots were lost or broken`,
  report.slowestMs > 10_000 && `a small question took ${report.slowestMs} ms`,
  report.rssMb.late > report.rssMb.early + 100 &&
    `the server's memory grew from ${report.rssMb.early} to ${report.rssMb.late} MB`,
].filter((complaint) => complaint !== false);
if (complaints.length > 0) throw new Error(complaints.join("; "));
