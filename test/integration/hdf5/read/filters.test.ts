import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { sacla } from "../../../support/cli.ts";
import { cli } from "../../../support/fake-io.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
/** A process of its own, and whole octals. */
const LONG_MS = 180_000;
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const plugins = process.env["SACLA_TEST_PLUGINS"];
const filtering = plugins === undefined ? undefined : pythonWith("h5py", "hdf5plugin");
const reading = pythonWith("h5py", "numpy");

itNeeding(
  filtering !== undefined,
  "no h5wasm-plugins, or no hdf5plugin",
  "filters of plugins are read",
  async () => {
    execFileSync(filtering ?? "", [script("filters.py"), folder]);
    const path = join(folder, "filters.h5");
    const without = await cli(["image", "--url", path]);
    expect([without.code, without.err]).toEqual([1, expect.stringMatching(/npm install h5wasm-plugins@0\.2\.1/)]);
    const out = join(folder, "plain.h5");
    const done = await sacla(folder, ["convert", "--url", path, "-o", out], { NODE_PATH: plugins ?? "" });
    expect([done.code, done.out]).toEqual([0, expect.stringContaining("10 images")]);
    const archive = await openArchive(out);
    const image = new Float32Array(64 * 48);
    for (const tag of await archive.tags(3, 7)) {
      expect(await archive.readFrame(3, 7, "OPAL-1", tag, image)).toBe(true);
      expect(image).toEqual(Float32Array.from(image, (_, i) => ((i * 7) % 997) + tag));
    }
    await archive.close();
  },
  LONG_MS,
);

itNeeding(
  reading !== undefined,
  "no Python with h5py",
  "texts of our files are C strings",
  async () => {
    for (const format of ["dataconvert", "cheetah", "nxmx"]) {
      const file = join(folder, `${format}.h5`);
      const done = await cli(["convert", "--url", "sim:?seed=7", "--format", format, "-n", "2", "-o", file]);
      expect([format, done.code, done.err]).toEqual([format, 0, expect.anything()]);
      expect([format, execFileSync(reading ?? "", [script("texts.py"), file], { encoding: "utf8" }).trim()]).toEqual([
        format,
        "",
      ]);
    }
  },
  LONG_MS,
);
