import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openArchive, validateFile } from "../../../../src/hdf5/index.ts";
import { writeHdf5 } from "../../../support/archive-parts.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const python = pythonWith("h5py", "numpy");

/** Pixels of each shot by sensor and tag, or why there are none. */
async function shotsOf(path: string, geom?: string): Promise<Record<string, readonly number[] | string>> {
  const source = await openArchive(path, geom === undefined ? {} : { geom });
  try {
    const found: Record<string, readonly number[] | string> = {};
    const ids = await source.detectors(3, 1);
    for (const id of ids.filter((one) => !ids.some((other) => other.startsWith(`${one}-`)))) {
      const { xsize, ysize } = await source.detectorInfo(3, 1, id);
      for (const tag of await source.tags(3, 1)) {
        const out = new Float32Array(xsize * ysize);
        try {
          await source.readFrame(3, 1, id, tag, out);
          found[`${id} ${tag}`] = [...out];
        } catch (error) {
          found[`${id} ${tag}`] = error instanceof Error ? error.message : "";
        }
      }
    }
    return found;
  } finally {
    await source.close();
  }
}

/** Image `i` of those in the files, the numbers from 6 i on. */
const image = (i: number): number[] => Array.from({ length: 6 }, (_, k) => 6 * i + k);
const stack = (id: string, ...shown: readonly (number | RegExp)[]): Record<string, unknown> =>
  Object.fromEntries(
    shown.map((one, k) => [`${id} ${k + 1}`, typeof one === "number" ? image(one) : expect.stringMatching(one)]),
  );

const rawFiles: Record<string, Record<string, unknown>> = {
  "one-file.h5": stack("nxmx", 0, 1, 2, 3, 4),
  "two-files.h5": stack("nxmx", 0, 1, 2, 3, 4),
  "soft.cxi": stack("cxi", 0, 1, 2, 3, 4),
  "link.h5": stack("nxmx", 4, 3, 2, 1, 0),
  "virtual.h5": stack("nxmx", 0, 1, 2, 3, 4),
  "virtual-below.h5": stack("nxmx", ...Array<RegExp>(5).fill(/piece\.h5 has its numbers in files beside it, in/)),
  "lists.h5": Object.fromEntries([9, 8, 7, 6, 5].map((tag, i) => [`nxmx ${tag}`, image(i)])),
};
const oneImage: Record<string, Record<string, unknown>> = {
  "one.h5": { "nxmx-1 7": [6, 7, 8], "nxmx-2 7": [9, 10, 11] },
  "one-each.h5": stack("nxmx", 1, 2, 3, 4),
  "one.cxi": stack("cxi", 1),
  "one-raw.h5": stack("nxmx", 1),
  "one-unwritten.h5": stack("nxmx", /created and never written/),
};

itNeeding(
  python !== undefined,
  "no Python with numpy and h5py",
  "numbers in raw files are read from beside the file, and one image is one shot",
  async () => {
    execFileSync(python ?? "", [fileURLToPath(new URL("raw-files.py", import.meta.url)), folder]);
    // What the working folder has by the same name is something else.
    const [before, other] = [process.cwd(), join(folder, "elsewhere")];
    mkdirSync(other);
    writeFileSync(join(other, "all.raw"), Buffer.alloc(60, 1));
    process.chdir(other);
    try {
      for (const [name, wanted] of Object.entries({ ...rawFiles, ...oneImage })) {
        expect([name, await shotsOf(join(folder, name))]).toEqual([name, wanted]);
      }
      const why = /first\.raw is too short; its numbers are in gone\.raw, which is not there; .*last\.raw is too short/;
      const short = Object.values(await shotsOf(join(folder, "short.h5")));
      expect(short).toEqual([0, 1, 1, 0, 1].map((is) => (is === 1 ? expect.stringMatching(why) : expect.anything())));
      expect(short.map((shot) => typeof shot)).toEqual(["object", "string", "string", "object", "string"]);
      for (const name of ["one-file.h5", "one.h5", "one.cxi"]) {
        const { findings } = await validateFile(join(folder, name));
        expect(findings.map(({ rule }) => rule)).not.toContain("stack-image");
        expect(findings.map(({ rule }) => rule)).not.toContain("written");
      }
    } finally {
      process.chdir(before);
    }
  },
);

describe("a CXI file of one shot with a CrystFEL geometry", () => {
  const lines = (name: string, own: Readonly<Record<string, string | number>>): string =>
    Object.entries({ min_fs: 0, max_fs: 2, min_ss: 0, corner_x: 0, corner_y: 0, fs: "x", ss: "y", ...own })
      .map(([key, value]) => `${name}/${key} = ${value}\n`)
      .join("");
  const data = Float32Array.from({ length: 12 }, (_, i) => i);

  it.each([
    ["rows and columns", [4, 3], lines("a", { max_ss: 1 }) + lines("b", { min_ss: 2, max_ss: 3 })],
    [
      "modules, rows and columns",
      [2, 2, 3],
      ["a", "b"].map((name, i) => lines(name, { max_ss: 1, dim0: i, dim1: "ss", dim2: "fs" })).join(""),
    ],
  ])("has its panels among %s", async (_, shape, panels) => {
    const path = await writeHdf5(folder, `shot-${shape.length}.cxi`, { "/entry_1/data_1/data": { data, shape } });
    writeFileSync(`${path}.geom`, `photon_energy = 7000\nclen = 0.05\nres = 20000\n${panels}`);
    expect(await shotsOf(path, `${path}.geom`)).toEqual({ "a 1": image(0), "b 1": image(1) });
  });
});
