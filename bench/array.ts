/**
 * A reduction of some minutes as an array of four jobs and their merge, on a Slurm of two CPUs of this computer, beside
 * one process; both give the same bytes. `npm run bench:array [-- SHOTS]`: octal shots of the simulated facility, 0.5 s
 * each; 240 by default. Needs Debian's slurm-wlm and munge, and a machine that does nothing else.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sacla } from "../test/support/cli.ts";
import { hasSlurm, PrivateSlurm } from "../test/support/slurm.ts";
import { inTemporaryFolder, load, machine } from "./reduce-harness.ts";
import { noPeer, row } from "./rows.ts";

const [shots = 240] = process.argv.slice(2).map(Number);
const droplets = Array.from({ length: 8 }, (_, k) => [
  `droplets${k}`,
  { kind: "droplets", aduPerPhoton: 100 + 10 * k },
]);
const request = {
  detectors: ["MPCCD-8N0-3-002"],
  limit: shots,
  corrections: [{ kind: "commonMode" }],
  reducers: { average: { kind: "mean" }, ...Object.fromEntries(droplets) },
};

async function measure(folder: string): Promise<void> {
  await using slurm = await PrivateSlurm.start(2);
  writeFileSync(join(folder, "request.json"), JSON.stringify(request));
  const seconds = async (out: string, ...options: string[]): Promise<number> => {
    const began = performance.now();
    const args = ["reduce", "1520000", "request.json", "--url", "sim:?clock=virtual", "-o", out, ...options];
    const { code, err } = await sacla(folder, args, slurm.env);
    if (code !== 0) throw new Error(err);
    return (performance.now() - began) / 1000;
  };
  const one = await seconds("one.h5");
  const array = await seconds("array.h5", "--slurm", "--shards", "4");
  const [a, b] = ["one.h5", "array.h5"].map((name) => readFileSync(join(folder, name)));
  if (a === undefined || b === undefined || !a.equals(b)) throw new Error("the results differ");
  console.log(`${shots} octal shots; ${machine()}; load ${load()}`);
  row({
    what: "array of 4 and merge",
    unit: "s",
    sacla: array,
    reference: { name: "one process", value: one },
    goal: 0.6,
  });
}

if (hasSlurm) await inTemporaryFolder(measure);
else noPeer("no slurm-wlm and munge");
