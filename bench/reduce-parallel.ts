/**
 * One thread against one worker, two, and as many as pay, through the public API: an octal archive to mean, variance and
 * histogram, as it is stored (limited by the memory) and with a correction that computes (limited by the core).
 *
 * Over the built package, and the part as JavaScript: a thread that compiles TypeScript needs a second more to start.
 * npm run bench:reduce-parallel -- [repetitions] [shots]
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { connect } from "sacla";
import { type Reduced, reduceInParallel, resultsOf } from "sacla/reduce";
import {
  agree,
  alternate,
  besidePackage,
  type Contestant,
  columnsOf,
  type Finished,
  inTemporaryFolder,
  load,
  machine,
  pythonWith,
  rowOf,
  table,
  timed,
} from "./reduce-harness.ts";
import type { PartData, reducers } from "./reduce-part.ts";

const repetitions = Number(process.argv[2] ?? 5);
const shotCount = Number(process.argv[3] ?? 200);
const detectors = Array.from({ length: 8 }, (_, k) => `MPCCD-8B0-2-010-${k + 1}`);
const module = await besidePackage("reduce-part");

const { accumulatePart, run }: typeof import("./reduce-part.ts") = await import(module.href);

class Sacla implements Contestant {
  readonly name = "sacla";
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async run(work: string): Promise<Finished> {
    const [workers = 0, chain, few] = work.split(" ");
    const data: PartData = { url: this.#url, detectors, corrected: chain === "corrected" };
    return await timed(async () => {
      await using facility = await connect(this.#url);
      const all = await (await facility.run(run.bl, run.number)).tags();
      const tags = few === undefined ? all : all.slice(0, Number(few));
      const found =
        Number(workers) === 0
          ? resultsOf(await accumulatePart({ tags, data, progress: () => {} }))
          : await reduceInParallel<typeof import("./reduce-part.ts")>(module, {
              tags,
              data,
              ...(workers === "default" ? {} : { workers: Number(workers) }),
            });
      return () => checkOf(found);
    });
  }

  close(): void {}
}

function checkOf({ average, noise, adu, ledger }: Reduced<ReturnType<typeof reducers>>): number[] {
  const sum = (values: Float64Array | undefined): number => values?.reduce((a, b) => a + b, 0) ?? NaN;
  return [
    ledger.used,
    ...detectors.flatMap((id) => [
      sum(average[id]?.data),
      sum(noise[id]?.variance.data),
      sum(adu[id]?.counts.map((count, i) => count * i)),
    ]),
  ];
}

await inTemporaryFolder(async (folder) => {
  const path = join(folder, "octal.h5");
  execFileSync(
    pythonWith("numpy, h5py"),
    [new URL("archive.py", import.meta.url).pathname, "make", path, String(shotCount), "uint16"],
    { stdio: "inherit" },
  );
  const contestant = new Sacla(`file:${path}`);
  const before = load();
  const ways = [
    ["in this thread", "0"],
    ["1 worker", "1"],
    ["2 workers", "2"],
    ["default", "default"],
  ] as const;
  const timings = await alternate(
    [
      ...ways.map(([way, workers]) => ({ label: `one shot, ${way}`, contestant, work: `${workers} stored 1` })),
      ...["stored", "corrected"].flatMap((chain) =>
        ways.map(([way, workers]) => ({ label: `${chain}, ${way}`, contestant, work: `${workers} ${chain}` })),
      ),
    ],
    repetitions,
  );
  console.log(
    `${shotCount} shots of 8 sensors, 1024 × 512 uint16, uncompressed, warm cache, to mean + variance + histogram; corrected: common mode of 8 ports`,
  );
  console.log(
    `${machine()}; medians of ${repetitions} alternating runs, threads and merging included; load before ${before}, after ${load()}\n`,
  );
  const lines = [...timings].map(([label, timing]) => [
    label,
    ...columnsOf(timing),
    (timing.median / shotCount).toFixed(2),
  ]);
  console.log(table(["work", "ms", "min–max", "CPU ms", "ms/shot"], lines));
  for (const chain of ["stored", "corrected"]) {
    const [one, two] = [timings.get(`${chain}, 1 worker`), timings.get(`${chain}, 2 workers`)];
    const [alone, byDefault] = [timings.get(`${chain}, in this thread`), timings.get(`${chain}, default`)];
    if (one === undefined || two === undefined || alone === undefined) throw new Error("not measured");
    rowOf(`${chain}, 2 workers`, two, "1 worker", one, 0.625);
    rowOf(`${chain}, 2 workers`, two, "this thread", alone, 1);
    rowOf(`${chain}, as many as pay`, byDefault, "this thread", alone, 1);
    const same = [one, two, byDefault].every((other) => agree(alone.check, other?.check ?? []));
    console.log(`answers ${same ? "agree" : "DIFFER"}`);
    if (!same) process.exitCode = 1;
  }
});
rmSync(module);
