/**
 * The benches one after the other, then all their rows in one table: sacla, who does the same, ratio, goal, met or
 * MISSED. `npm run bench [-- NAME …]`: without names those that take a few minutes each at most; `page`, `stop`,
 * `dry-run`, `memory`, `reduce-memory`, `whole-job`, `array` and `compression` are run when they are named.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { inTemporaryFolder, load, machine, table } from "./reduce-harness.ts";
import { cells, readRows } from "./rows.ts";

const usual = [
  ...["reduce", "reduce-octal", "reduce-pixels", "reduce-cube", "reduce-parallel", "archive", "columns", "assembly"],
  ...["zmq", "facility", "timing", "scan"],
];
const named = process.argv.slice(2);

await inTemporaryFolder(async (folder) => {
  const path = join(folder, "rows.jsonl");
  const before = load();
  const failed: string[] = [];
  for (const name of named.length > 0 ? named : usual) {
    console.log(`\n=== ${name}`);
    const env = { ...process.env, SACLA_BENCH_ROWS: path };
    const { status } = spawnSync("npm", ["run", "--silent", `bench:${name}`], { stdio: "inherit", env });
    if (status !== 0) failed.push(name);
  }
  const rows = existsSync(path) ? readRows(path) : [];
  const lines = rows.map((noted) =>
    "noPeer" in noted ? [noted.bench, noted.noPeer, "", "no peer"] : [noted.bench, ...cells(noted)],
  );
  console.log(`\n${machine()}; load before ${before}, after ${load()}\n`);
  const head = ["bench", "row", "sacla", "reference", "sacla ÷ reference", "by processor", "goal", ""];
  console.log(table(head, lines));
  // One that had no peer has said so.
  const broken = failed.filter((name) => !rows.some((noted) => noted.bench === name && "noPeer" in noted));
  for (const name of broken) console.log(`FAILED: ${name}, or its answers differ: see above`);
  if (broken.length > 0) process.exitCode = 1;
});
