/**
 * An uncompressed octal archive, warm, to mean, variance and histogram through the public API, against reading it alone
 * and against h5py with good numpy.
 *
 * npm run bench:archive -- [repetitions] [shots] [uint16 | float32]
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import ndarray from "ndarray";
import { connect } from "sacla";
import { histogram, mean, reduce, variance } from "sacla/reduce";
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
  table,
  timed,
  verdict,
  version,
} from "./reduce-harness.ts";

const repetitions = Number(process.argv[2] ?? 5);
const shotCount = Number(process.argv[3] ?? 100);
const type = process.argv[4] ?? "uint16";
const [rows, columns] = [1024, 512];
const sensors = Array.from({ length: 8 }, (_, k) => `MPCCD-8B0-2-010-${k + 1}`);
const level = ndarray(
  Float64Array.from({ length: rows * columns }, (_, i) => 100 + (i % 40) / 40),
  [rows, columns],
);
const dark = { mean: Object.fromEntries(sensors.map((id) => [id, level])) };

class Sacla implements Contestant {
  readonly name = "sacla";
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async run(work: string): Promise<Finished> {
    if (work === "bytes") {
      return await timed(async () => {
        const bytes = readBytes(this.#path);
        return () => [bytes];
      });
    }
    // The file is opened each time, as h5py opens it.
    return await timed(async () => {
      await using facility = await connect(`file:${this.#path}`);
      const shots = facility.shots({ run: { bl: 3, run: 700001 }, detectors: sensors });
      if (work === "read") {
        let images = 0;
        for await (const shot of shots) images += Object.keys(shot.images).length;
        return () => [images];
      }
      const { average, noise, adu } = await reduce(shots, { average: mean(), noise: variance(), adu: histogram() }, { dark });
      const sum = (pick: (id: string) => Float64Array | undefined): number => sensors.reduce((all, id) => all + total(pick(id)), 0);
      return () => [sum((id) => average[id]?.data), sum((id) => noise[id]?.variance.data), sum((id) => adu[id]?.counts.map((count, i) => count * i))];
    });
  }

  close(): void {}
}

function total(values: Float64Array | undefined): number {
  return values?.reduce((sum, value) => sum + value, 0) ?? NaN;
}

/** The whole file from its first byte to its last, into memory that is reused: the least there is to do. */
function readBytes(path: string): number {
  const buffer = new Uint8Array(2 ** 20);
  const file = openSync(path, "r");
  let bytes = 0;
  for (let read = -1; read !== 0; bytes += read) read = readSync(file, buffer, 0, buffer.length, null);
  closeSync(file);
  return bytes;
}

await inTemporaryFolder(async (folder) => {
  const python = pythonWith("numpy, h5py");
  const script = new URL("archive.py", import.meta.url).pathname;
  const path = join(folder, "octal.h5");
  execFileSync(python, [script, "make", path, String(shotCount), type], { stdio: "inherit" });
  const h5py = await Program.start("h5py", python, [script, path]);
  const sacla = new Sacla(path);
  const before = load();
  const timings = await alternate(
    [
      { label: "bytes of the file, read alone (node)", contestant: sacla, work: "bytes" },
      { label: "shots, read alone: sacla", contestant: sacla, work: "read" },
      { label: "mean + variance + histogram: sacla", contestant: sacla, work: "everything" },
      { label: "images, read alone: h5py", contestant: h5py, work: "read" },
      { label: "mean + variance + histogram: h5py + good numpy", contestant: h5py, work: "everything" },
    ],
    repetitions,
  );
  h5py.close();

  const bytes = statSync(path).size;
  console.log(`${shotCount} shots of 8 sensors, ${rows} × ${columns} ${type}, uncompressed, ${(bytes / 1e9).toFixed(2)} GB, warm cache; dark subtracted`);
  console.log(`${machine()}; ${version(python, ["-c", "import numpy, h5py; print('numpy', numpy.__version__, 'h5py', h5py.__version__)"])}`);
  console.log(`medians of ${repetitions} alternating runs in warm processes; load before ${before}, after ${load()}\n`);
  const lines = [...timings].map(([label, timing]) => [
    label,
    ...columnsOf(timing),
    (timing.median / shotCount).toFixed(2),
    (bytes / timing.median / 1e6).toFixed(1),
  ]);
  console.log(table(["work", "ms", "min–max", "CPU ms", "ms/shot", "GB/s"], lines));
  const ours = timings.get("mean + variance + histogram: sacla");
  const theirs = timings.get("mean + variance + histogram: h5py + good numpy");
  console.log(`\nall ÷ reading the shots alone: ${verdict(ours, timings.get("shots, read alone: sacla"), 1.3)}`);
  console.log(`all ÷ reading the bytes alone: ${verdict(ours, timings.get("bytes of the file, read alone (node)"), 1.3)}`);
  console.log(`all ÷ h5py + good numpy: ${verdict(ours, theirs, 1)}`);
  const same = agree(ours?.check ?? [], theirs?.check ?? []);
  console.log(`answers ${same ? "agree" : `DIFFER: ${JSON.stringify([ours?.check, theirs?.check])}`}`);
  if (!same) process.exitCode = 1;
});
