/**
 * Octal archives, warm, through the public API against h5py: shots, single images, mean + variance + histogram (beside
 * reading the bytes alone, and each part of the arithmetic alone), gzip, and a list of 10 000 tags.
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
  rowOf,
  table,
  timed,
  version,
} from "./reduce-harness.ts";

type Facility = Awaited<ReturnType<typeof connect>>;

const repetitions = Number(process.argv[2] ?? 5);
const shotCount = Number(process.argv[3] ?? 100);
const type = process.argv[4] ?? "uint16";
const gzipShots = Math.max(1, Math.round(shotCount / 5));
const tagCount = 10_000;
const [rows, columns] = [1024, 512];
const run = { bl: 3, number: 700001 };
const sensors = Array.from({ length: 8 }, (_, k) => `MPCCD-8B0-2-010-${k + 1}`);
/** A pixel, to see that it was read. */
const witness = 5 * columns + 5;
const level = ndarray(
  Float64Array.from({ length: rows * columns }, (_, i) => 100 + (i % 40) / 40),
  [rows, columns],
);
const dark = { mean: Object.fromEntries(sensors.map((id) => [id, level])) };

const works: Record<string, (facility: Facility) => Promise<() => readonly number[]>> = {
  stream: async (facility) => {
    let sum = 0;
    for await (const shot of shotsOf(facility)) for (const id of sensors) sum += shot.images[id]?.data[witness] ?? NaN;
    return () => [sum];
  },
  collect: async (facility) => {
    let sum = 0;
    for (const tag of await facility.db.readTaglistByrun(run.bl, run.number)) {
      for (const detId of sensors) {
        const { frame } = await facility.endpoint.call("st.collect", { detId, bl: run.bl, runs: [run.number], tag });
        sum += frame.data[witness] ?? NaN;
      }
    }
    return () => [sum];
  },
  tags: async (facility) => {
    const tags = await facility.db.readTaglistBydetid(run.bl, run.number, sensors[0] ?? "");
    return () => [tags.length, tags.reduce((sum, tag) => sum + tag, 0)];
  },
  statistics: async (facility) => {
    const { noise } = await reduce(shotsOf(facility), { average: mean(), noise: variance() }, { dark });
    return () => [Object.keys(noise).length];
  },
  histogram: async (facility) => {
    const { adu } = await reduce(shotsOf(facility), { adu: histogram() }, { dark });
    return () => [Object.keys(adu).length];
  },
  everything: async (facility) => {
    const { average, noise, adu } = await reduce(
      shotsOf(facility),
      { average: mean(), noise: variance(), adu: histogram() },
      { dark },
    );
    const sum = (pick: (id: string) => Float64Array | undefined): number =>
      sensors.reduce((all, id) => all + total(pick(id)), 0);
    return () => [
      sum((id) => average[id]?.data),
      sum((id) => noise[id]?.variance.data),
      sum((id) => adu[id]?.counts.map((count, i) => count * i)),
    ];
  },
};

function shotsOf(facility: Facility): ReturnType<Facility["shots"]> {
  return facility.shots({ run, detectors: sensors });
}

const sacla: Contestant = {
  name: "sacla",
  async run(line: string): Promise<Finished> {
    const [name = "", path = ""] = line.split(" ");
    const work = works[name];
    return await timed(async () => {
      if (work === undefined) {
        const bytes = readBytes(path);
        return () => [bytes];
      }
      // The file is opened each time, as h5py opens it.
      await using facility = await connect(`file:${path}`);
      return await work(facility);
    });
  },
  close(): void {},
};

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
  const [path, gzip, many] = ["octal", "gzip", "tags"].map((name) => join(folder, `${name}.h5`)) as [
    string,
    string,
    string,
  ];
  const make = (...args: string[]): Buffer =>
    execFileSync(python, [script, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  make("make", path, String(shotCount), type);
  make("make", gzip, String(gzipShots), type, "gzip");
  make("tags", many, String(tagCount));
  const h5py = await Program.start("h5py", python, [script, "serve"]);
  const before = load();
  const images = shotCount * sensors.length;
  const row = (label: string, contestant: Contestant, work: string, per: number) => ({ label, contestant, work, per });
  const listed = [
    row("bytes of the file, read alone (node)", sacla, `bytes ${path}`, shotCount),
    row("shots: sacla", sacla, `stream ${path}`, shotCount),
    row("shots: h5py, into one array", h5py, `stream ${path}`, shotCount),
    row("mean + variance: sacla", sacla, `statistics ${path}`, shotCount),
    row("histogram: sacla", sacla, `histogram ${path}`, shotCount),
    row("mean + variance + histogram: sacla", sacla, `everything ${path}`, shotCount),
    row("mean + variance + histogram: h5py + good numpy", h5py, `everything ${path}`, shotCount),
    row("gzip shots: sacla", sacla, `stream ${gzip}`, gzipShots),
    row("gzip shots: h5py, into one array", h5py, `stream ${gzip}`, gzipShots),
    row("single images, float32: sacla st.collect", sacla, `collect ${path}`, images),
    row("single images, float32: h5py", h5py, `collect ${path}`, images),
    row("single images, as stored: h5py", h5py, `collect-raw ${path}`, images),
    row(`list of ${tagCount} tags: sacla`, sacla, `tags ${many}`, tagCount),
    row(`list of ${tagCount} tags: h5py`, h5py, `tags ${many}`, tagCount),
  ];
  const timings = await alternate(listed, repetitions);
  h5py.close();

  const bytes = statSync(path).size;
  console.log(
    `${shotCount} shots of 8 sensors, ${rows} × ${columns} ${type}, uncompressed, ${(bytes / 1e9).toFixed(2)} GB, warm cache; dark subtracted`,
  );
  console.log(`gzip: ${gzipShots} shots, ${(statSync(gzip).size / 1e6).toFixed(0)} MB, level 4, one chunk an image`);
  console.log(
    `${machine()}; ${version(python, ["-c", "import numpy, h5py; print('numpy', numpy.__version__, 'h5py', h5py.__version__)"])}`,
  );
  console.log(`medians of ${repetitions} alternating runs in warm processes; load before ${before}, after ${load()}\n`);
  const lines = listed.map(({ label, per }) => {
    const timing = timings.get(label);
    return timing === undefined ? [label] : [label, ...columnsOf(timing), (timing.median / per).toFixed(3)];
  });
  console.log(table(["work", "ms", "min–max", "CPU ms", "ms each"], lines));

  const [everything, theirs] = ["mean + variance + histogram: sacla", "mean + variance + histogram: h5py + good numpy"];
  const bars: [what: string, ours: string, name: string, other: string, goal: number][] = [
    ["mean + variance + histogram", everything, "reading the bytes", "bytes of the file, read alone (node)", 1.3],
    ["mean + variance + histogram", everything, "reading the shots", "shots: sacla", 1.3],
    ["mean + variance + histogram", everything, "h5py + good numpy", theirs, 1],
    ["shots", "shots: sacla", "h5py", "shots: h5py, into one array", 1],
    ["gzip shots", "gzip shots: sacla", "h5py", "gzip shots: h5py, into one array", 1],
    ["single images", "single images, float32: sacla st.collect", "h5py", "single images, float32: h5py", 0.8],
    [`list of ${tagCount} tags`, `list of ${tagCount} tags: sacla`, "h5py", `list of ${tagCount} tags: h5py`, 1],
  ];
  console.log("");
  for (const [what, ours, name, other, goal] of bars) rowOf(what, timings.get(ours), name, timings.get(other), goal);
  const differ = bars
    .slice(2)
    .filter(([, ours, , other]) => !agree(timings.get(ours)?.check ?? [], timings.get(other)?.check ?? []));
  for (const [what, ours, , other] of differ)
    console.log(`answers DIFFER, ${what}: ${JSON.stringify([timings.get(ours)?.check, timings.get(other)?.check])}`);
  if (differ.length === 0) console.log("answers agree");
  else process.exitCode = 1;
});
