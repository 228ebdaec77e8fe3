/**
 * Fits peaks, steps and decays to flat scans, and counts what passes as one: `npm run check:flat-scans -- SEED COUNT`.
 * Ends with 1 when more than 1 in 1000 passes.
 */
import { hash, Random } from "../src/core/random.ts";
import { flatScans } from "./coverage/flat-scans.ts";

const [seed = 1, count = 10_000] = process.argv.slice(2).map(Number);
let isWrong = false;
for (const shots of [1, 3, 10, 100]) {
  const passed = flatScans(new Random(hash(seed, "flat", shots)), shots, count);
  const words = Object.entries(passed).map(([what, number]) => `${what} ${number}`);
  console.log(`${count} flat scans of ${shots} shots a point: passed as ${words.join(", ")}`);
  isWrong ||= Object.values(passed).some((number) => number > count / 1000);
}
process.exitCode = isWrong ? 1 : 0;
