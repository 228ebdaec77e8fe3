import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { compressions, openArchive, validateFile } from "../../../../src/hdf5/index.ts";
import { archiveParts, TAGS, writeHdf5 } from "../../../support/archive-parts.ts";
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

itNeeding(
  reading !== undefined,
  "no Python with h5py",
  "what no filter could make smaller is read without it",
  async () => {
    const path = join(folder, "kept.h5");
    const source = await writeHdf5(folder, "kept-source.h5", archiveParts());
    // h5py leaves its filter LZF out where it makes a chunk no smaller.
    const lines = [
      "import h5py, sys, shutil, numpy as np",
      "shutil.copy(sys.argv[1], sys.argv[2])",
      "file = h5py.File(sys.argv[2], 'r+')",
      "run, random = file['run_7'], np.random.default_rng(1)",
      "run.create_dataset('event_info/bl_3/noise', data=random.random(3), chunks=(3,), compression='lzf')",
      "data = run['detector_2d_1/tag_103']",
      "pixels = data['detector_data'][()]",
      "del data['detector_data']",
      "data.create_dataset('detector_data', data=pixels + random.random(pixels.shape), chunks=pixels.shape, compression='lzf', dtype='f4')",
      "print(run['event_info/bl_3/noise'].id.get_chunk_info(0).filter_mask, data['detector_data'].id.get_chunk_info(0).filter_mask)",
    ];
    const masks = execFileSync(reading ?? "", ["-c", lines.join("\n"), source, path], { encoding: "utf8" });
    expect(masks.trim()).toBe("1 1");
    const archive = await openArchive(path);
    expect((await archive.runInfo(3, 7)).notes).toBeUndefined();
    const column = await archive.column("bl_3/noise", 202502, Uint32Array.from(TAGS));
    expect(column.values.every((value) => value > 0 && value < 1)).toBe(true);
    await archive.close();
    expect((await validateFile(path)).findings.filter(({ rule }) => rule === "filter")).toEqual([]);
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
