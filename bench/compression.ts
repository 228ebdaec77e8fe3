/**
 * Compressions of `sacla convert` beside gzip-1: size, processor time to write and to read 10 octal shots of the simulated
 * facility. `npm run bench:compression -- [shots] [float32 | uint16]`; those of plugins need h5wasm-plugins beside sacla,
 * or in NODE_PATH. The pixels come from a file without compression, so that drawing them is not measured; the time of
 * converting without compression is taken off.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { connect } from "sacla";
import { type ConvertRequest, compressions, convert } from "sacla/hdf5";
import { inTemporaryFolder } from "./reduce-harness.ts";
import { row } from "./rows.ts";

const limit = Number(process.argv[2] ?? 10);
const pixels = process.argv[3] === "uint16" ? "uint16" : "float32";
const request = { bl: 3, run: 1520000, detectors: ["MPCCD-8N0-3-002"], limit, signals: [], pixels } as const;
const kinds = ["gzip-1", ...compressions.filter((kind) => !/^(none|gzip)/.test(kind))];

await inTemporaryFolder(async (folder) => {
  const source = join(folder, "none.h5");
  {
    await using facility = await connect("sim:?seed=7");
    await convert(facility, { ...request, compression: "none" }, source);
  }
  const plain = await measured(folder, source, "none");
  const gzip = await measured(folder, source, "gzip-1");
  console.log(`${limit} octal shots, ${pixels}: ${megabytes(plain.bytes)} MB without compression`);
  console.log("| compression | MB | of gzip-1 | s to write | of gzip-1 | s to read | of gzip-1 |");
  console.log("|---|---|---|---|---|---|---|");
  for (const kind of kinds) {
    const found = kind === "gzip-1" ? gzip : await measured(folder, source, kind);
    const [write, most] = [found.write - plain.write, gzip.write - plain.write];
    const part = (value: number, of: number): string => (value / of).toFixed(2);
    const of = (name: string, ours: number, theirs: number, unit: string): void =>
      row({ what: `${kind}: ${name}`, unit, sacla: ours, reference: { name: "gzip-1", value: theirs } });
    of("file", found.bytes / 1e6, gzip.bytes / 1e6, "MB");
    of("to write", write, most, "s");
    of("to read", found.read, gzip.read, "s");
    console.log(
      `| ${kind} | ${megabytes(found.bytes)} | ${part(found.bytes, gzip.bytes)} | ${write.toFixed(2)} | ` +
        `${part(write, most)} | ${found.read.toFixed(2)} | ${part(found.read, gzip.read)} |`,
    );
  }
});

/** Bytes of the file, processor seconds to write it and to read all its images. */
async function measured(folder: string, source: string, compression: string) {
  const path = join(folder, `out-${compression}.h5`);
  const asked: ConvertRequest = { ...request, compression };
  const write = await seconds(async () => {
    await using facility = await connect(source);
    await convert(facility, asked, path);
  });
  const read = await seconds(async () => {
    await using facility = await connect(path);
    let sum = 0;
    for await (const shot of facility.shots({ run: { bl: 3, number: 1520000 }, detectors: ["MPCCD-8N0-3-002"] }))
      for (const image of Object.values(shot.images)) sum += image.data[5] ?? 0;
    if (Number.isNaN(sum)) throw new Error("no pixels");
  });
  return { bytes: statSync(path).size, write, read };
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const from = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1e6;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
