/** Resident memory of few and of many shots, each in a process of its own: what the benches of memory share. */
import { spawnSync } from "node:child_process";
import { row } from "./rows.ts";

/**
 * Whether this process is one of those that are measured: it does the work and prints {@link megabytes} as its one
 * line.
 */
export const isMeasured = process.argv[3] === "only";

export function megabytes(): number {
  return process.memoryUsage().rss / 1e6;
}

/**
 * Prints what processes have with their answers of `few` and of `many` shots; the bench fails when they differ by more
 * than 5 %.
 */
export function compareMemory(few: number, many: number): void {
  const [before, after] = [measured(few), measured(many)];
  const growth = (after / before - 1) * 100;
  console.log(
    `resident with the answer of ${few} shots ${before.toFixed(1)} MB, of ${many} shots ${after.toFixed(1)} MB`,
  );
  row({ what: `memory from ${few} to ${many} shots`, unit: "% more", sacla: growth, goal: 5 });
  if (growth > 5) process.exitCode = 1;
}

function measured(shots: number): number {
  const { status, stdout } = spawnSync(
    process.execPath,
    [...process.execArgv, ...process.argv.slice(1, 2), String(shots), "only"],
    {
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`the process of ${shots} shots failed`);
  return Number(stdout);
}
