/** What sacla reads of archives with one bit flipped: `KIND BIT` a line from stdin, the answer as JSON. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isSaclaError } from "sacla/core";
import { openArchive } from "sacla/hdf5";

const [bl, run, tags] = [3, 7, [101, 103]];
const folder = process.argv[2] ?? ".";
const path = join(folder, `flipped-${process.pid}.h5`);
const contents = new Map<string, Buffer>();

/** An answer; `code …` for an error with a code. Any other error ends this process, which counts as a crash. */
async function tried<T>(work: () => T | Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (isSaclaError(error) && error.code !== "INTERNAL") return `code ${error.code}`;
    throw error;
  }
}

async function answer(): Promise<object> {
  const archive = await tried(() => openArchive(path));
  if (typeof archive === "string") return { open: archive };
  try {
    const ids = await tried(() => archive.detectors(bl, run));
    const [detId = ""] = typeof ids === "string" ? [] : ids;
    const imageOf = async (tag: number): Promise<unknown> => {
      const { ysize, xsize } = await archive.detectorInfo(bl, run, detId);
      const out = new Float32Array(ysize * xsize);
      return (await archive.readFrame(bl, run, detId, tag, out)) ? [[ysize, xsize], [...out]] : "absent";
    };
    const columnOf = async (): Promise<unknown> => {
      const { hightagnumber } = await archive.runInfo(bl, run);
      const { values, status } = await archive.column("bl_3/pd", hightagnumber, Uint32Array.from(tags));
      return [[...values], [...status]];
    };
    return {
      open: true,
      tags: await tried(async () => [...(await archive.tags(bl, run))]),
      pd: await tried(columnOf),
      isNamed: ((await tried(() => archive.runInfo(bl, run))) as { notes?: string[] }).notes?.some((note) =>
        /\bpd /.test(note),
      ),
      images: [await tried(() => imageOf(101)), await tried(() => imageOf(103))],
      bytes: process.memoryUsage.rss(),
    };
  } finally {
    await archive.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [kind = "", bit = "-1"] = line.split(" ");
  const content = Buffer.from(contents.get(kind) ?? readFileSync(join(folder, `${kind}.h5`)));
  if (!contents.has(kind)) contents.set(kind, Buffer.from(content));
  const at = Number(bit);
  if (at >= 0) content[at >> 3] = (content[at >> 3] ?? 0) ^ (1 << (at & 7));
  writeFileSync(path, content);
  process.stdout.write(`${JSON.stringify(await answer())}\n`);
}
rmSync(path, { force: true });
