/**
 * Says that it is ready, reads the instant of the first claim, claims one file after the other, each at its instant, and
 * keeps what it gets until its input ends.
 */
import { once } from "node:events";
import { isSaclaError } from "../../src/core/errors.ts";
import { FileOwner } from "../../src/files/index.ts";

const [folder = "", count = "0", everyMs = "0"] = process.argv.slice(2);
process.stdout.write("ready\n");
const [first] = (await once(process.stdin, "data")) as [Buffer];
const results: string[] = [];
for (let i = 0; i < Number(count); i++) {
  const at = Number(String(first)) + i * Number(everyMs);
  while (Date.now() < at) {
    // Every process shall try at the same instant, so that nothing slower is waited with.
  }
  try {
    await FileOwner.claim(`${folder}/${i}.owner`);
    results.push("mine");
  } catch (error) {
    results.push(isSaclaError(error) ? error.code : String(error));
  }
}
process.stdout.write(`${JSON.stringify(results)}\n`);
await new Promise((resolve) => process.stdin.resume().on("end", resolve));
process.exit(0);
