/**
 * A whole job from a file, process and all: dark, corrected mean, histogram and assembled picture of a run of an octal,
 * beside h5py + numpy + EXtra-geom, in one thread and by two workers or processes.
 *
 * npm run bench:whole-job -- [repetitions] [shots] [gzip]
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  alternate,
  besidePackage,
  type Contestant,
  columnsOf,
  type Finished,
  inTemporaryFolder,
  load,
  machine,
  pythonWith,
  table,
} from "./reduce-harness.ts";
import { row } from "./rows.ts";

const repetitions = Number(process.argv[2] ?? 3);
const shots = Number(process.argv[3] ?? 297);
const storage = process.argv[4] === "gzip" ? ["gzip"] : [];
const darks = Math.ceil(shots / 3);
const python = pythonWith("numpy, h5py, extra_geom");
const [archive, peer] = ["archive.py", "whole-job.py"].map((name) => fileURLToPath(new URL(name, import.meta.url)));

/** A program that is started anew each time. */
class Started implements Contestant {
  readonly name: string;
  readonly #command: readonly [string, ...string[]];
  /** Largest resident memory of each work. */
  readonly rss = new Map<string, number>();

  constructor(name: string, command: readonly [string, ...string[]]) {
    this.name = name;
    this.#command = command;
  }

  async run(work: string): Promise<Finished> {
    const [program, ...args] = this.#command;
    const start = performance.now();
    const said = execFileSync(program, [...args, ...work.split(" ")], { encoding: "utf8" });
    const ms = performance.now() - start;
    const { cpuMs, rss, check } = JSON.parse(said) as { cpuMs: number; rss: number; check: number[] };
    this.rss.set(work, Math.max(this.rss.get(work) ?? 0, rss));
    return { ms, cpuMs, check };
  }

  close(): void {}
}

await inTemporaryFolder(async (folder) => {
  const path = join(folder, "octal.h5");
  execFileSync(python, [archive ?? "", "make", path, String(shots), "uint16", ...storage], { stdio: "inherit" });
  execFileSync(python, [peer ?? "", "place", path], { stdio: "inherit" });
  const program = fileURLToPath(await besidePackage("whole-job-part"));
  const sacla = new Started("sacla", [process.execPath, program]);
  const theirs = new Started("h5py", [python, peer ?? "", "run"]);
  const work = (workers: number): string => `${path} ${darks} ${workers}`;
  const before = load();
  const timings = await alternate(
    [
      { label: "sacla", contestant: sacla, work: work(0) },
      { label: "h5py + numpy + EXtra-geom", contestant: theirs, work: work(1) },
      { label: "sacla, 2 workers", contestant: sacla, work: work(2) },
      { label: "sacla, as many as pay", contestant: sacla, work: work(-1) },
      { label: "h5py + numpy + EXtra-geom, 2 processes", contestant: theirs, work: work(2) },
    ],
    repetitions,
  );
  rmSync(program);
  console.log(
    `${shots} shots of 8 × 1024 × 512 uint16${storage.length > 0 ? ", gzip" : ""}, ${darks} of them dark, warm`,
  );
  console.log(
    `${machine()}; medians of ${repetitions} alternating processes; load before ${before}, after ${load()}\n`,
  );
  const rssOf = (contestant: Started, ...workers: number[]) => workers.map((n) => contestant.rss.get(work(n)));
  const memory = [...rssOf(sacla, 0), ...rssOf(theirs, 1), ...rssOf(sacla, 2, -1), ...rssOf(theirs, 2)];
  const lines = [...timings].map(([label, timing], k) => [
    label,
    ...columnsOf(timing),
    ((memory[k] ?? NaN) / 1e6).toFixed(0),
  ]);
  console.log(`${table(["job", "ms", "min–max", "CPU ms", "MB"], lines)}\n`);
  const [own, other, two, byDefault] = [...timings.values()];
  const peerName = "h5py + numpy + EXtra-geom";
  const ofTime = (value: number | undefined) => (value ?? NaN) / 1000;
  row({
    what: "whole job",
    unit: "s",
    sacla: ofTime(own?.median),
    reference: { name: peerName, value: ofTime(other?.median) },
    goal: 0.5,
    byProcessor: (own?.cpu ?? NaN) / (other?.cpu ?? NaN),
  });
  row({
    what: "memory of the whole job",
    unit: "MB",
    sacla: (memory[0] ?? NaN) / 1e6,
    reference: { name: peerName, value: (memory[1] ?? NaN) / 1e6 },
    goal: 1.2,
  });
  row({
    what: "whole job: one thread ÷ two workers",
    unit: "s",
    sacla: ofTime(own?.median),
    reference: { name: "two workers", value: ofTime(two?.median) },
    goal: 1.6,
    atLeast: true,
  });
  row({
    what: "whole job: as many threads as pay",
    unit: "s",
    sacla: ofTime(byDefault?.median),
    reference: { name: "one thread", value: ofTime(own?.median) },
    goal: 1,
  });
  // Pixels of the picture at the edges of sensors are rounded in another way.
  const isSame = [...timings.values()].every(({ check }) =>
    check.every((value, k) => Math.abs(value - (own?.check[k] ?? NaN)) <= 1e-3 * Math.abs(value)),
  );
  console.log(
    `answers ${isSame ? "agree" : `DIFFER: ${JSON.stringify([...timings.values()].map(({ check }) => check))}`}`,
  );
  if (!isSame) process.exitCode = 1;
});
