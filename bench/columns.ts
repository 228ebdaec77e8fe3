/**
 * 0-D signals of a long run, warm, through the public API against h5py, numpy and polars: a column, a table, conditions,
 * labels, a Parquet file; the peak of the memory of a fresh process, and how the time grows with the tags.
 *
 * Over the built package, because what compiles TypeScript takes memory:
 * npm run bench:columns -- [repetitions] [tags]
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "sacla";
import type { Run } from "sacla/db";
import { filterShots } from "sacla/reduce";
import {
  agree,
  alternate,
  type Contestant,
  columnsOf,
  type Finished,
  inTemporaryFolder,
  load,
  machine,
  Program,
  pythonWith,
  rowOf,
  table,
  timed,
  version,
} from "./reduce-harness.ts";
import { row } from "./rows.ts";

const [bm, motor] = ["bl_3/tc/bm_1_pd_charge", "bl_3/eh_2/laser/delay_line_motor_1"];
const diodes = Array.from({ length: 6 }, (_, k) => `bl_3/eh_2/photodiode/photodiode_user_${k + 1}_in_volt`);
const signals = [bm, motor, ...diodes];
/** An entry, to see that it was read. */
const witness = 12_345;

const works: Record<string, (run: Run, path: string) => Promise<() => readonly number[]>> = {
  column: async (run) => {
    const column = await run.column(bm);
    return () => [column.length, column.values[witness] ?? NaN, column.counts["not-converged"]];
  },
  table: async (run) => {
    const { length, columns } = await run.table(signals);
    const missing = columns.reduce((sum, { counts }) => sum + counts["not-converged"], 0);
    return () => [length, ...columns.map(({ values }) => values[witness] ?? NaN), missing];
  },
  where: async (run) => {
    const kept = await (await run.tags()).where(bm, (coulomb) => coulomb > 5e-9);
    const dropped = (reason: string) => kept.ledger?.dropped.find((each) => each.reason === reason)?.tags.length ?? 0;
    return () => [kept.length, sum(kept.values), dropped("not-converged"), dropped("condition")];
  },
  screen: async (run) => {
    const kept = await filterShots(run, [
      { equipId: bm, between: [3e-9, 8e-9] },
      { equipId: motor, between: [-8000, 8000] },
      { equipId: diodes[0] ?? "", where: (volt) => volt > 0.08 },
    ]);
    return () => [kept.length, sum(kept.values)];
  },
  labels: async (run) => {
    const { dark, on, off } = await run.labels();
    return () => [dark.length, on.length, off.length, sum(on.values)];
  },
  parquet: async (run, path) => {
    const content = await run.table(signals);
    writeFileSync(`${path}.sacla.parquet`, await content.toParquet());
    return () => [content.length, content.column(bm).counts["not-converged"]];
  },
};

async function work(name: string, path: string): Promise<() => readonly number[]> {
  // The file is opened each time, as h5py opens it.
  await using facility = await connect(`file:${path}`);
  return (await works[name]?.(await facility.db.run(3, 700001), path)) ?? (() => []);
}

const sacla: Contestant = {
  name: "sacla",
  run: async (line: string): Promise<Finished> => {
    const [name = "", path = ""] = line.split(" ");
    return await timed(async () => await work(name, path));
  },
  close(): void {},
};

function sum(values: Uint32Array): number {
  return values.reduce((total, value) => total + value, 0);
}

async function compare(repetitions: number, tagCount: number): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const python = pythonWith("numpy, h5py, polars");
    const script = new URL("columns.py", import.meta.url).pathname;
    const [path, tenth] = [join(folder, "run.h5"), join(folder, "tenth.h5")];
    execFileSync(python, [script, "make", path, String(tagCount)]);
    execFileSync(python, [script, "make", tenth, String(tagCount / 10)]);
    const peer = await Program.start("h5py", python, [script, "serve"]);
    const before = load();
    const listed = Object.keys(works).flatMap((name) => [
      { label: `${name}: sacla`, contestant: sacla, work: `${name} ${path}` },
      { label: `${name}: peer`, contestant: peer, work: `${name} ${path}` },
      { label: `${name}, a tenth of the tags: sacla`, contestant: sacla, work: `${name} ${tenth}` },
    ]);
    const timings = await alternate(listed, repetitions);
    peer.close();
    console.log(`0-D signals of ${tagCount} tags, warm cache; peer: h5py and numpy, for parquet polars`);
    console.log(
      `${machine()}; ${version(python, ["-c", "import numpy, h5py, polars; print('numpy', numpy.__version__, 'h5py', h5py.__version__, 'polars', polars.__version__)"])}`,
    );
    console.log(
      `medians of ${repetitions} alternating runs in warm processes; load before ${before}, after ${load()}\n`,
    );
    const lines = listed.map(({ label }) => {
      const timing = timings.get(label);
      return timing === undefined ? [label] : [label, ...columnsOf(timing)];
    });
    console.log(`${table(["work", "ms", "min–max", "CPU ms"], lines)}\n`);
    const bars = { column: 2, table: 2, where: 3, screen: 3, labels: 3, parquet: 3 };
    for (const [name, bar] of Object.entries(bars)) {
      const [ours, theirs] = [timings.get(`${name}: sacla`), timings.get(`${name}: peer`)];
      const slope = Math.log10(
        (ours?.median ?? NaN) / (timings.get(`${name}, a tenth of the tags: sacla`)?.median ?? NaN),
      );
      rowOf(name, ours, name === "parquet" ? "polars" : "h5py and numpy", theirs, bar);
      row({ what: `${name} grows as tags to the`, unit: "", sacla: slope, goal: 1.05 });
    }
    for (const name of ["table", "parquet"]) {
      const peak = (command: string, args: readonly string[]) =>
        Number(execFileSync(command, args, { encoding: "utf8" }));
      const ours = peak(process.execPath, [...process.execArgv, import.meta.filename, "once", name, path]);
      const theirs = peak(python, [script, "once", name, path]);
      const reference = { name: "peer", value: theirs / 1e6 };
      row({ what: `${name}, peak of memory`, unit: "MB", sacla: ours / 1e6, reference, goal: 1.2 });
    }
    const differ = Object.keys(bars).filter(
      (name) => !agree(timings.get(`${name}: sacla`)?.check ?? [], timings.get(`${name}: peer`)?.check ?? []),
    );
    for (const name of differ)
      console.log(
        `answers DIFFER, ${name}: ${JSON.stringify([timings.get(`${name}: sacla`)?.check, timings.get(`${name}: peer`)?.check])}`,
      );
    if (differ.length === 0) console.log("answers agree");
    else process.exitCode = 1;
  });
}

if (process.argv[2] === "once") {
  await work(process.argv[3] ?? "", process.argv[4] ?? "");
  console.log(1024 * process.resourceUsage().maxRSS);
} else await compare(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 1_000_000));
