import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { compressions, openArchive } from "../../../../src/hdf5/index.ts";
import { bundled } from "../../../support/bundled.ts";
import { sacla } from "../../../support/cli.ts";
import { cli } from "../../../support/fake-io.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
/** A process of its own, and whole octals. */
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const plugins = process.env["SACLA_TEST_PLUGINS"];
const filtering = plugins === undefined ? undefined : pythonWith("h5py", "hdf5plugin");
const reading = pythonWith("h5py", "numpy");

itNeeding(filtering !== undefined, "no h5wasm-plugins, or no hdf5plugin", "filters of plugins are read", async () => {
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
});

itNeeding(
  filtering !== undefined,
  "no h5wasm-plugins, or no hdf5plugin",
  "filters of plugins are written, and read by h5py with hdf5plugin",
  async () => {
    const kinds = compressions.filter((kind) => !/^(none|gzip)/.test(kind));
    const without = await cli(["convert", "--url", fixture, "--compression", "zstd", "-o", join(folder, "no.h5")]);
    expect([without.code, without.err]).toEqual([
      1,
      expect.stringMatching(/UNSUPPORTED.*npm install h5wasm-plugins@0\.2\.1/),
    ]);
    // In a process where the filters are.
    const env = { ...process.env, NODE_PATH: plugins ?? "" };
    const writer = await bundled(script("../../../support/convert-with-filters.ts"));
    const said = execFileSync(process.execPath, [writer, fixture, folder, ...kinds], { env, encoding: "utf8" });
    expect(JSON.parse(said)).toEqual(kinds.flatMap((kind) => [`${kind}.dataconvert 0`, `${kind}.nxmx 0`]));
    const found = execFileSync(filtering ?? "", [script("filtered.py"), folder, ...kinds], { encoding: "utf8" });
    expect(JSON.parse(found)).toEqual(kinds.flatMap((kind) => [`${kind}.dataconvert 16`, `${kind}.nxmx 1`]));
  },
);

itNeeding(reading !== undefined, "no Python with h5py", "texts of our files are C strings", async () => {
  for (const format of ["dataconvert", "cheetah", "nxmx"]) {
    const file = join(folder, `${format}.h5`);
    const done = await cli([
      "convert",
      "--url",
      "sim:?seed=7",
      "--detector",
      "MPCCD-8N0-3-002-1",
      "--format",
      format,
      "-n",
      "2",
      "-o",
      file,
    ]);
    expect([format, done.code, done.err]).toEqual([format, 0, expect.anything()]);
    expect([format, execFileSync(reading ?? "", [script("texts.py"), file], { encoding: "utf8" }).trim()]).toEqual([
      format,
      "",
    ]);
  }
});
