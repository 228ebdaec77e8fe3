import { execFileSync } from "node:child_process";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect } from "../../../../src/connect.ts";
import { openArchive, validateFile } from "../../../../src/hdf5/index.ts";
import type { DataSource } from "../../../../src/source/index.ts";
import { type Parts, writeHdf5 } from "../../../support/archive-parts.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const python = pythonWith("h5py", "numpy");
let files = 0;

/** A panel of 2 rows and 3 columns, with further lines of its own. */
function panel(name: string, lines: Readonly<Record<string, string | number>> = {}): string {
  const values = {
    ...{ min_fs: 0, max_fs: 2, min_ss: 0, max_ss: 1, corner_x: 0, corner_y: 0, fs: "-1.0x", ss: "-1.0y" },
    ...lines,
  };
  return Object.entries(values)
    .map(([key, value]) => `${name}/${key} = ${value}\n`)
    .join("");
}

async function images(path: string, geom?: string): Promise<Record<string, number[]>> {
  let source: DataSource;
  if (geom === undefined) source = await openArchive(path);
  else {
    writeFileSync(`${path}.geom`, `photon_energy = 10000\nclen = 0.05\nres = 20000\nadu_per_photon = 10\n${geom}`);
    source = await openArchive(path, { geom: `${path}.geom` });
  }
  try {
    const found: Record<string, number[]> = {};
    const [bl = 3] = source.beamlines();
    const [run = 1] = await source.runs(bl, 9);
    const ids = await source.detectors(bl, run);
    for (const id of ids.filter((one) => !ids.some((other) => other.startsWith(`${one}-`)))) {
      const { xsize, ysize } = await source.detectorInfo(bl, run, id);
      for (const tag of await source.tags(bl, run)) {
        const out = new Float32Array(xsize * ysize);
        try {
          await source.readFrame(bl, run, id, tag, out);
          found[`${id} ${tag}`] = [...out];
        } catch (error) {
          found[`${id} ${tag}`] = [String((error as { code?: string }).code) as never];
        }
      }
    }
    return found;
  } finally {
    await source.close();
  }
}

/** Two shots of the numbers from 0 on. */
async function cxi(shape: readonly number[], path = "/entry_1/data_1/data", more: Parts = {}): Promise<string> {
  const length = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length }, (_, i) => i);
  return await writeHdf5(folder, `f${++files}.cxi`, { [path]: { data, shape: [...shape] }, ...more });
}

describe("CXI files with a CrystFEL geometry", () => {
  it("have modules on an axis of their own", async () => {
    const path = await cxi([2, 2, 2, 3]);
    const dims = { dim0: "%", dim2: "ss", dim3: "fs" };
    const found = await images(path, panel("p0", { ...dims, dim1: 0 }) + panel("p1", { ...dims, dim1: 1 }));
    expect(found).toEqual({
      "p0 1": [0, 1, 2, 3, 4, 5],
      "p1 1": [6, 7, 8, 9, 10, 11],
      "p0 2": [12, 13, 14, 15, 16, 17],
      "p1 2": [18, 19, 20, 21, 22, 23],
    });
  });

  it("of five axes are refused without one", async () => {
    await expect(openArchive(await cxi([2, 2, 1, 2, 3]))).rejects.toMatchObject({
      code: "NOT_DATACONVERT",
      message: expect.stringMatching(/data_1\/data has shape \[2, 2, 1, 2, 3\], not .*\?geom=FILE\.geom/),
    });
  });

  it("have columns before rows, where the geometry says so", async () => {
    const path = await cxi([2, 3, 2]);
    const found = await images(path, panel("p", { dim0: "%", dim1: "fs", dim2: "ss" }));
    expect(found).toEqual({ "p 1": [0, 2, 4, 1, 3, 5], "p 2": [6, 8, 10, 7, 9, 11] });
  });

  it("have mirrored panels: sensors with the rows in reverse order", async () => {
    const found = await images(await cxi([1, 2, 3]), panel("p", { ss: "1.0y" }));
    expect(found).toEqual({ "p 1": [3, 4, 5, 0, 1, 2] });
  });

  it("have their images where the geometry says", async () => {
    const other = "/entry_1/instrument_1/detector_2/data";
    const more: Parts = { "/entry_1/data_1/data": { data: new Float32Array(6), shape: [1, 2, 3] } };
    expect(await images(await cxi([1, 2, 3], other, more), panel("p", { data: other }))).toEqual({
      "p 1": [0, 1, 2, 3, 4, 5],
    });
  });

  it.each([
    [{ max_ss: 2 }, "ends at row 3"],
    [{ dim0: "%", dim1: 1, dim2: "ss", dim3: "fs" }, "axes %, 1, ss, fs"],
  ])("of panels outside the array, %j, are refused", async (lines, message) => {
    const path = await cxi([1, 2, 3]);
    await expect(images(path, panel("p", lines))).rejects.toMatchObject({
      code: "BAD_GEOMETRY",
      message: expect.stringContaining(message),
    });
  });

  it.each([
    { dim0: "ss", dim1: "ss" },
    { dim0: "ss", dim2: "fs" },
    { dim0: "ss", dim1: "x" },
  ])("are refused where the axes are %j", async (lines) => {
    await expect(images(await cxi([1, 2, 3]), panel("p", lines))).rejects.toMatchObject({ code: "BAD_TEXT" });
  });

  it("have no photon energy where it is no joule", async () => {
    const energy = (values: number[]): Parts => ({
      "/entry_1/instrument_1/source_1/energy": { data: Float64Array.from(values) },
    });
    const kev = async (parts: Parts): Promise<unknown> => {
      const source = await openArchive(await cxi([1, 2, 3], undefined, parts));
      try {
        return await source.photonEnergyKev(3, 1);
      } finally {
        await source.close();
      }
    };
    expect(await kev(energy([1.602176634e-15]))).toBeCloseTo(10, 9);
    for (const values of [[10_000], [1e-15, 1e-15]])
      await expect(kev(energy(values))).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("stacks with an axis of modules", () => {
  const stack = (id: string, modules: number): Record<string, number[]> =>
    Object.fromEntries(
      Array.from({ length: 2 * modules }, (_, i) => {
        const name = modules === 1 ? id : `${id}-${(i % modules) + 1}`;
        return [`${name} ${Math.floor(i / modules) + 1}`, [0, 1, 2, 3, 4, 5].map((pixel) => 6 * i + pixel)];
      }),
    );

  it("are read of CXI files, a sensor each", async () => {
    for (const modules of [1, 2, 3]) expect(await images(await cxi([2, modules, 2, 3]))).toEqual(stack("cxi", modules));
  });

  it("are images with one channel where the last axis has one place; several are named", async () => {
    const image = (shot: number): number[] => Array.from({ length: 30 }, (_, i) => 30 * shot + i);
    expect(await images(await cxi([2, 6, 5, 1]))).toEqual({ "cxi 1": image(0), "cxi 2": image(1) });
    const nxmx: Parts = { "/entry/definition": { data: "NXmx", dtype: "A5" } };
    const path = await cxi([2, 6, 5, 1], "/entry/data/data", nxmx);
    expect(await images(path)).toEqual({ "nxmx 1": image(0), "nxmx 2": image(1) });
    const channels = /has shape \[2, 6, 5, 3\], .*: 3 channels a pixel; write one of them, or their sum/;
    await expect(images(await cxi([2, 6, 5, 3]))).rejects.toThrow(channels);
    await expect(images(await cxi([2, 6, 5, 3], "/entry/data/data", nxmx))).rejects.toThrow(channels);
  });

  it("are read of NXmx files, by their modules where these say which they are", async () => {
    const detector = "/entry/instrument/detector";
    const path = "/entry/data/data";
    const nxmx: Parts = { "/entry/definition": { data: "NXmx", dtype: "A5" } };
    for (const modules of [1, 2])
      expect(await images(await cxi([2, modules, 2, 3], path, nxmx))).toEqual(stack("nxmx", modules));
    const size = { data: Int32Array.of(1, 1, 3) };
    const said: Parts = {
      ...nxmx,
      [`${detector}/b/data_origin`]: { data: Int32Array.of(1, 1, 0) },
      [`${detector}/b/data_size`]: size,
      [`${detector}/a/data_origin`]: { data: Int32Array.of(1, 0, 0) },
      [`${detector}/a/data_size`]: size,
    };
    expect(await images(await cxi([1, 2, 2, 3], path, said))).toEqual({
      "nxmx-1 1": [6, 7, 8],
      "nxmx-2 1": [9, 10, 11],
    });
  });

  it("take a mask for each module, and one of rows and columns where there is one module", async () => {
    const path = "/entry_1/data_1/mask";
    for (const shape of [
      [1, 2, 3],
      [2, 3],
    ]) {
      const mask: Parts = { [path]: { data: Uint16Array.of(0, 1, 0, 0, 0, 0), shape } };
      const source = await openArchive(await cxi([2, 1, 2, 3], undefined, mask));
      expect([...((await source.badPixels?.(3, 1, "cxi"))?.data ?? [])].map((reason) => reason > 0)).toEqual([
        false,
        true,
        ...[false, false, false, false],
      ]);
      await source.close();
    }
    const both: Parts = { [path]: { data: Uint16Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), shape: [2, 2, 3] } };
    const source = await openArchive(await cxi([2, 2, 2, 3], undefined, both));
    expect((await source.badPixels?.(3, 1, "cxi-2"))?.data[5]).toBeGreaterThan(0);
    expect((await source.badPixels?.(3, 1, "cxi-2"))?.data[1]).toBe(0);
    await source.close();
  });
});

describe("NeXus files of others", () => {
  async function notesOf(path: string): Promise<readonly string[]> {
    await using facility = await connect(path);
    return (await facility.db.run(3, 1)).info.notes ?? [];
  }
  const [first, second] = [
    [0, 1, 2, 3, 4, 5],
    [6, 7, 8, 9, 10, 11],
  ];

  it("have the pieces of a DECTRIS master file, of which one that is not there is named", async () => {
    const [a, b] = [await cxi([1, 2, 3], "/entry/data/data"), await cxi([2, 2, 3], "/entry/data/data")];
    const piece = (path: string): Parts[string] => ({ data: 0, link: [path, "/entry/data/data"] });
    const master = await writeHdf5(folder, "x_master.h5", {
      "/entry/data/data_000001": piece(a),
      "/entry/data/data_000002": piece(b),
      "/entry/data/data_000003": piece("gone.h5"),
    });
    expect(await images(master)).toEqual({ "nxmx 1": first, "nxmx 2": first, "nxmx 3": second });
    expect(await notesOf(master)).toEqual([expect.stringMatching(/data_000003 are left out: they are in gone\.h5/)]);
  });

  it("have their images where the detector is", async () => {
    const path = await cxi([2, 2, 3], "/entry/instrument/detector/data");
    expect(await images(path)).toEqual({ "nxmx 1": first, "nxmx 2": second });
  });

  it("name tags and energies that are not one for each image", async () => {
    const few = { data: Float64Array.of(9000, 9001) };
    const parts: Parts = { "/entry/data/tag_id": few, "/entry/instrument/beam/incident_energy": few };
    const path = await cxi([3, 2, 3], "/entry/data/data", parts);
    expect(await notesOf(path)).toEqual([
      expect.stringMatching(/tag_id has 2 values for 3 images: shots are counted from 1/),
      expect.stringMatching(/incident_energy has 2 values for 3 images: they are not used/),
    ]);
  });

  const tagged = async (data: Float64Array | Int32Array | string[], more: Parts = {}): Promise<string> =>
    await cxi([2, 2, 3], "/entry/data/data", {
      "/entry/data/tag_id":
        typeof data[0] === "string" ? ({ data, dtype: "A9" } as Parts[string]) : ({ data } as Parts[string]),
      ...more,
    });

  it("have tags above 2^31 that are stored as negative ones, and tags that are texts", async () => {
    expect(await images(await tagged(Int32Array.of(-2, -1)))).toEqual({
      "nxmx 4294967294": first,
      "nxmx 4294967295": second,
    });
    expect(await images(await tagged(["102", "100"]))).toEqual({ "nxmx 100": second, "nxmx 102": first });
  });

  it.each([
    [[5, 5], "names a tag twice"],
    [[NaN, 5], "has NaN, which is not a tag"],
    [[5.5, 6], "has 5.5, which is not a tag"],
    [[2 ** 32, 6], "has 4294967296, which is not a tag"],
  ])("whose tags are %j are read, with shots counted from 1, which is said", async (list, what) => {
    const path = await tagged(Float64Array.from(list));
    expect(await images(path)).toEqual({ "nxmx 1": first, "nxmx 2": second });
    expect(await notesOf(path)).toEqual([`/entry/data/tag_id ${what}: shots are counted from 1`]);
    const { findings } = await validateFile(path);
    expect(findings.filter(({ rule }) => rule === "stack-tags").map(({ message }) => message)).toEqual([what]);
  });

  it.each([
    [[NaN, 0], [2, 3], "data_origin [NaN, 0] and data_size [2, 3]"],
    [[0.5, 0], [1, 3], "data_origin [0.5, 0] and data_size [1, 3]"],
    [[-1, 0], [2, 3], "data_origin [-1, 0] and data_size [2, 3]"],
    [[1, 0], [2, 3], "data_origin [1, 0] and data_size [2, 3]"],
    [[0, 0], [0, 3], "data_origin [0, 0] and data_size [0, 3]"],
    [[0, 0], [2 ** 31 - 1, 3], "data_origin [0, 0] and data_size [2147483647, 3]"],
  ])("lose a module of origin %j and size %j, by name, and no other", async (origin, size, what) => {
    const detector = "/entry/instrument/detector";
    const path = await cxi([1, 2, 3], "/entry/data/data", {
      [`${detector}/a/data_origin`]: { data: Float64Array.from(origin) },
      [`${detector}/a/data_size`]: { data: Float64Array.from(size) },
      [`${detector}/b/data_origin`]: { data: Int32Array.of(1, 0) },
      [`${detector}/b/data_size`]: { data: Int32Array.of(1, 3) },
    });
    expect(Object.values(await images(path))).toEqual([[3, 4, 5]]);
    expect(await notesOf(path)).toEqual([`${detector}/a is left out: ${what} are no part of images of [2, 3]`]);
  });

  it("have signals as files of DataConvert do: texts are read, what is none is left out by name; cycles end", async () => {
    const events = "/sacla/event_info";
    const path = await tagged(Int32Array.of(100, 102), {
      [`${events}/time_stamp`]: { data: ["a", "b"], dtype: "A2" },
      [`${events}/bl_3/v`]: { data: ["7.2e-02V", "saturated"], dtype: "A12" },
      [`${events}/bl_3/two`]: { data: new Float64Array(4), shape: [2, 2] },
      [`${events}/bl_3/again`]: { data: 0, softLink: events },
      [`${events}/${"g/".repeat(40)}v`]: { data: Float64Array.of(1, 2) },
    });
    await using facility = await connect(path);
    const run = await facility.db.run(3, 1);
    const [column] = (await run.table(["bl_3/v"])).columns;
    expect([column?.unit, column?.values[0], [...(column?.status ?? [])]]).toEqual(["V", 0.072, [0, 2]]);
    expect([...(run.info.notes ?? [])].sort()).toEqual([
      expect.stringMatching(/time_stamp is not one time for each shot: times are counted from the start of the run/),
      expect.stringMatching(/^bl_3\/two is no signal and is left out: it is f8 of shape \[2, 2\], for 2 tags/),
      expect.stringMatching(/^(g\/)+g is no signal and is left out: it is a group below 32 others/),
    ]);
  });

  it("are read where a time is no number, and where event_info is none", async () => {
    const events = "/sacla/event_info";
    const times = { data: Float64Array.of(NaN, 1000.5) };
    const source = await openArchive(await tagged(Int32Array.of(100, 130), { [`${events}/time_stamp`]: times }));
    expect((await source.runInfo(3, 1)).starttime).toBe(1000);
    await source.close();
    const path = await tagged(Int32Array.of(100, 130), { [events]: { data: 5 }, "/sacla/provenance": { data: 5 } });
    expect(await images(path)).toEqual({ "nxmx 100": first, "nxmx 130": second });
  });

  it.each([
    ["gone.h5", "/x", "is not there: it is a link to /x of gone.h5, which is not there"],
    ["", "/no/where", "is not there: it is a link to /no/where, which is not there"],
    ["", "/entry/data/data", "is not there: it is a link to /entry/data/data, which is not there"],
  ])("whose images are a link that leads nowhere (%j %j) are refused with its name", async (file, target, what) => {
    const link: Parts[string] = { data: 0, ...(file === "" ? { softLink: target } : { link: [file, target] }) };
    const path = await writeHdf5(folder, `f${++files}.nxs`, { "/entry/data/data": link });
    await expect(openArchive(path)).rejects.toMatchObject({
      code: "NOT_DATACONVERT",
      message: expect.stringContaining(`NXmx layout (/entry), but sacla cannot read it: /entry/data/data ${what}`),
    });
    const mask = { "/entry/instrument/detector/pixel_mask": link };
    expect(await images(await tagged(Int32Array.of(1, 2), mask))).toEqual({ "nxmx 1": first, "nxmx 2": second });
  });

  it("whose images are no numbers, or have no pixel, are refused with what they are", async () => {
    const texts: Parts[string] = { data: ["a", "b"], shape: [1, 1, 2], dtype: "A2" };
    for (const [path, name] of [
      ["/entry/data/data", "NXmx"],
      ["/entry_1/data_1/data", "CXI"],
    ] as const) {
      const file = await writeHdf5(folder, `f${++files}.h5`, { [path]: texts });
      await expect(openArchive(file)).rejects.toThrow(`${name} layout`);
      await expect(openArchive(file)).rejects.toThrow("is text of shape [1, 1, 2], and pixels are numbers");
      const empty = await writeHdf5(folder, `f${++files}.h5`, {
        [path]: { data: new Float32Array(0), shape: [2, 0, 3] },
      });
      await expect(openArchive(empty)).rejects.toThrow("has shape [2, 0, 3], not [images, rows, columns]");
    }
  });

  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "are read through a link to all of another file, with its texts of variable length",
    async () => {
      const path = join(folder, "linked.nxs");
      const script = `
import h5py, numpy as np
with h5py.File("${folder}/entry.nxs", "w") as f:
    f["entry/data/pixels"] = np.arange(12, dtype="f4").reshape(2, 2, 3)
    f["entry/data"].attrs["signal"] = "pixels"
with h5py.File("${path}", "w") as f: f["entry"] = h5py.ExternalLink("entry.nxs", "/entry")
`;
      execFileSync(python ?? "", ["-c", script]);
      expect(await images(path)).toEqual({ "nxmx 1": first, "nxmx 2": second });
    },
  );

  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "lose one module whose file is gone or not whole, and no other",
    async () => {
      const path = join(folder, "modules.cxi");
      const script = `
import h5py, numpy as np
pixels = np.arange(12, dtype="f4").reshape(2, 1, 2, 3)
with h5py.File("${folder}/module0.h5", "w") as f: f["d"] = pixels[:, 0]
with h5py.File("${path}", "w", libver="latest") as f:
    layout = h5py.VirtualLayout((2, 2, 2, 3), "f4")
    for k in range(2): layout[:, k] = h5py.VirtualSource(f"module{k}.h5", "d", shape=(2, 2, 3))
    f.create_virtual_dataset("entry_1/data_1/data", layout)
with h5py.File("${path}.part", "w") as f:
    data = f.create_dataset("entry_1/data_1/data", shape=(2, 2, 2, 3), dtype="f4", chunks=(1, 1, 2, 3))
    data[:, 0] = pixels[:, 0]
`;
      execFileSync(python ?? "", ["-c", script]);
      for (const one of [path, `${path}.part`])
        expect(await images(one)).toEqual({
          "cxi-1 1": first,
          "cxi-1 2": second,
          "cxi-2 1": ["FRAME_MISSING"],
          "cxi-2 2": ["FRAME_MISSING"],
        });
    },
  );
});

it("a file of others that was changed since it was opened is noticed at the next image", async () => {
  const path = await cxi([2, 2, 3]);
  const source = await openArchive(path);
  const out = new Float32Array(6);
  expect(await source.readFrame(3, 1, "cxi", 1, out)).toBe(true);
  utimesSync(path, new Date(), new Date(Date.now() + 1000));
  expect(() => source.readFrame(3, 1, "cxi", 2, out)).toThrow(expect.objectContaining({ code: "FILE_CHANGED" }));
  await source.close();
});

describe("folders of files without tags", () => {
  const pixels = (from: number): Parts[string] => ({
    data: Float32Array.from({ length: 12 }, (_, i) => from + i),
    shape: [2, 2, 3],
  });
  async function written(contents: Readonly<Record<string, Parts>>): Promise<string> {
    const path = join(folder, `d${++files}`);
    mkdirSync(path);
    for (const [name, parts] of Object.entries(contents)) await writeHdf5(path, name, parts);
    return path;
  }

  it("count their shots on from file to file, and lose none", async () => {
    const energies = { "/LCLS/photon_energy_eV": { data: Float64Array.of(9000, 9100) } };
    const path = await written({
      "a.cxi": { "/entry_1/data_1/data": pixels(0), ...energies },
      "b.h5": { "/entry_1/data_1/data": pixels(100), "/LCLS/photon_energy_eV": { data: Float64Array.of(9200, 9300) } },
      "c.nxs": { "/entry_1/data_1/data": pixels(200), ...energies },
    });
    await using facility = await connect(path);
    const run = await facility.db.run(3, 1);
    expect([...(await run.tags())]).toEqual([1, 2, 3, 4, 5, 6]);
    const seen: number[] = [];
    for await (const { images } of facility.st.shots({ run, detectors: ["cxi"] }))
      seen.push(images["cxi"]?.data[0] ?? NaN);
    expect(seen).toEqual([0, 6, 100, 106, 200, 206]);
    const [energy] = (await run.table(["xfel_bl_3_tc_spec_1/energy"])).columns;
    expect([...(energy?.values ?? [])]).toEqual([9, 9.1, 9.2, 9.3, 9, 9.1]);
    expect(run.info.notes).toEqual(["b.h5: its shots are counted from 3 on", "c.nxs: its shots are counted from 5 on"]);
  });

  it("take the pieces of a DECTRIS master file once", async () => {
    const link = (k: number): Parts[string] => ({ data: 0, link: [`x_data_00000${k}.h5`, "/entry/data/data"] });
    const path = await written({
      "x_data_000001.h5": { "/entry/data/data": pixels(0) },
      "x_data_000002.h5": { "/entry/data/data": pixels(100) },
      "x_master.h5": { "/entry/data/data_000001": link(1), "/entry/data/data_000002": link(2) },
    });
    await using facility = await connect(path);
    const run = await facility.db.run(3, 1);
    expect([...(await run.tags())]).toEqual([1, 2, 3, 4]);
    const seen: number[] = [];
    for await (const { images } of facility.st.shots({ run, detectors: ["nxmx"] }))
      seen.push(images["nxmx"]?.data[0] ?? NaN);
    expect(seen).toEqual([0, 6, 100, 106]);
  });
});

describe("Cheetah files", () => {
  const shot = (tag: number, shape: number[]): Parts => {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = Uint16Array.from({ length }, (_, i) => 10 * (tag + i));
    return {
      [`/tag-${tag}/data`]: { data, shape },
      [`/tag-${tag}/photon_energy_ev`]: { data: Float64Array.of(10_000), shape: [] },
    };
  };
  const whole: Parts = {
    ...Object.assign({}, ...[101, 103, 105, 107].map((tag) => shot(tag, [2, 2]))),
    "/metadata/sensor_id": { data: ["a-1"], dtype: "A3" },
  };
  const pixels = (tag: number): number[] => [tag, tag + 1, tag + 2, tag + 3];
  const write = async (changes: Parts): Promise<string> =>
    await writeHdf5(folder, `c${++files}.h5`, { ...whole, ...changes });

  it("lose one shot of another shape, and none of its pixels are taken", async () => {
    for (const shape of [[3, 3], [2], [2, 1, 2], [1, 2, 2, 2]])
      expect(await images(await write(shot(101, shape)))).toEqual({
        "a-1 101": ["FILE_DAMAGED"],
        "a-1 103": pixels(103),
        "a-1 105": pixels(105),
        "a-1 107": pixels(107),
      });
    expect(await images(await write({ "/tag-101/data": undefined }))).toMatchObject({ "a-1 103": pixels(103) });
  });

  it("are read where images have axes of 1 before or behind; several channels are named", async () => {
    const all = Object.fromEntries([101, 103, 105, 107].map((tag) => [`a-1 ${tag}`, pixels(tag)]));
    const of = (shape: number[]): Parts => Object.assign({}, ...[101, 103, 105, 107].map((tag) => shot(tag, shape)));
    for (const shape of [
      [2, 2, 1],
      [1, 2, 2],
    ]) {
      expect(await images(await write(of(shape)))).toEqual(all);
      expect(await images(await write(shot(103, shape)))).toEqual(all);
    }
    const refused = /tag-101\/data is u2 of shape \[2, 2, 3\], .*: 3 channels a pixel/;
    await expect(openArchive(await write(of([2, 2, 3])))).rejects.toThrow(refused);
  });

  it("lose a shot whose image is no number, and what is no tag or the tag of another, by name", async () => {
    const path = await write({
      "/tag-101/data": { data: ["a", "b"], dtype: "A2" },
      "/tag-109": { data: 5 },
      "/tag-0103/data": { data: Uint16Array.of(1, 1, 1, 1), shape: [2, 2] },
      "/tag-4294967296/data": { data: Uint16Array.of(1, 1, 1, 1), shape: [2, 2] },
    });
    const source = await openArchive(path);
    const { notes = [] } = await source.runInfo(3, 1);
    await source.close();
    expect(notes).toEqual([
      expect.stringMatching(/^\/tag-(0103|103) is left out: \/tag-(0103|103) has the same tag$/),
      "/tag-4294967296 is left out: a tag has 32 bits",
    ]);
    expect(await images(path)).toMatchObject({ "a-1 101": ["FILE_DAMAGED"], "a-1 105": pixels(105) });
  });

  it("have sensors with a name of their own, also where two or none are named", async () => {
    const two: Parts = { "/metadata/sensor_id": { data: ["a-1", "a-1"], dtype: "A3" } };
    const found = await images(await write(two));
    expect([found["a-1 101"], found["cheetah-2 101"]]).toEqual([
      [101, 102],
      [103, 104],
    ]);
    const none: Parts = { "/metadata/sensor_id": { data: [""], dtype: "A3" } };
    expect((await images(await write(none)))["cheetah-1 101"]).toEqual(pixels(101));
  });

  it("are read where energies, comment or places are odd; units that are no number leave pixels as stored", async () => {
    const odd: Parts = {
      "/tag-103/photon_energy_ev": { data: "10 keV" },
      "/metadata/run_comment": { data: 5 },
      "/metadata/posx_in_um": { data: "x" },
    };
    expect(await images(await write(odd))).toMatchObject({ "a-1 103": pixels(103) });
    const units: Parts = { "/metadata/adu_per_photon": { data: Float64Array.of(0), shape: [] } };
    expect(await images(await write(units))).toMatchObject({ "a-1 103": pixels(103).map((v) => 10 * v) });
  });
});

describe("masks of foreign files", () => {
  /** The reasons against the pixels of each sensor, and what is said of them. */
  async function masks(path: string, geom?: string) {
    if (geom !== undefined)
      writeFileSync(`${path}.geom`, `photon_energy = 10000\nclen = 0.05\nres = 20000\nadu_per_photon = 10\n${geom}`);
    await using facility = await connect(geom === undefined ? path : `${path}?geom=${path}.geom`);
    const run = await facility.db.run(3, 1);
    const ids = (await run.detectors()).flatMap(({ sensors }) => sensors);
    const infos = await Promise.all(ids.map(async (id) => await run.detectorInfo(id)));
    return { bad: (await run.badPixels(infos)).map(({ data }) => [...data]), notes: run.info.notes };
  }
  const shape = [2, 3];
  const mask = (data: number[], as = shape): { data: Uint16Array; shape: number[] } => ({
    data: Uint16Array.from(data),
    shape: as,
  });
  const ofImages = "/entry_1/data_1/mask";
  const ofDetector = "/entry_1/instrument_1/detector_1/mask";

  it("of CXI: pixels that are invalid, hot, dead or such are bad; peaks and resolution are no fault", async () => {
    // Hot, in a peak, outside the resolution, corrected, noisy.
    const bits = [4, 0x20, 0x100, 0x800, 0x400, 0];
    for (const path of [ofImages, ofDetector])
      expect(await masks(await cxi([1, 2, 3], undefined, { [path]: mask(bits) }))).toEqual({
        bad: [[2, 0, 0, 0, 2, 0]],
        notes: [`2 of 6 pixels are bad by ${path}, and are left out`],
      });
  });

  it("of NXmx: every bit is bad; of modules their own part", async () => {
    const detector = "/entry/instrument/detector";
    const path = await writeHdf5(folder, `f${++files}.nxs`, {
      "/entry/data/data": { data: new Float32Array(12), shape: [1, 4, 3] },
      [`${detector}/pixel_mask`]: { data: Uint32Array.of(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2 ** 31, 8), shape: [4, 3] },
      ...Object.fromEntries(
        [0, 2].flatMap((row) => [
          [`${detector}/q${row}/data_origin`, { data: Int32Array.of(row, 0) }],
          [`${detector}/q${row}/data_size`, { data: Int32Array.of(2, 3) }],
        ]),
      ),
    });
    expect(await masks(path)).toEqual({
      bad: [
        [0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 2, 8],
      ],
      notes: [`3 of 12 pixels are bad by ${detector}/pixel_mask, and are left out`],
    });
  });

  it("by a geometry: where it says, with the bits that it says, mirrored as the panel", async () => {
    const path = await cxi([1, 2, 3], undefined, {
      "/own": mask([0x21, 0x20, 1, 1, 1, 1]),
      [ofImages]: mask([1, 1, 0, 0, 0, 0]),
    });
    const at = { dim0: "%", dim1: "ss", dim2: "fs", ss: "1.0y" };
    const own = { ...at, mask: "/own", mask_good: "0x1", mask_bad: "0x20" };
    expect((await masks(path, panel("p", own))).bad).toEqual([[0, 0, 0, 2, 2, 0]]);
    expect((await masks(path, panel("p", at))).bad).toEqual([[0, 0, 0, 2, 2, 0]]);
  });

  it("by the bad regions of a geometry, beside the mask", async () => {
    const path = await cxi([1, 4, 3], undefined, { [ofImages]: mask([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8], [4, 3]) });
    const turned = { dim0: "%", dim1: "ss", dim2: "fs", fs: "1.0x", ss: "1.0y" };
    const geom =
      // A rectangle of the laboratory: of two panels, pixels whose first corner is inside, not on its edge.
      "bad_beam/min_x = 0\nbad_beam/max_x = 2\nbad_beam/min_y = -0.5\nbad_beam/max_y = 1\n" +
      "bad_edge/min_fs = 0\nbad_edge/max_fs = 0\nbad_edge/min_ss = 2\nbad_edge/max_ss = 2\nbad_edge/panel = b\n" +
      "bad_none/min_x = 1\nbad_none/max_x = 0\nbad_none/min_y = 0\nbad_none/max_y = 1\n" +
      panel("a", turned) +
      panel("b", { ...turned, min_ss: 2, max_ss: 3, corner_x: 1, corner_y: 1, ss: "-1.0y" });
    const { bad, notes } = await masks(path, geom);
    expect(bad).toEqual([
      [0, 2, 0, 0, 0, 0],
      // Its rows are in reverse order: the rectangle is in row 1 of the panel, the edge in row 0.
      [2, 0, 2, 2, 0, 0],
    ]);
    expect(notes).toEqual([
      `1 of 12 pixels are bad by ${ofImages}, and are left out`,
      expect.stringMatching(/bad region bad_none has no pixels/),
      expect.stringMatching(/^3 of 12 pixels are bad by the 2 bad regions of ".*\.geom", and are left out$/),
    ]);
  });

  it.each([
    [mask([1, 1, 1, 1, 1, 0]), /5 of 6 pixels are bad, which may be the good ones/],
    [mask([1, 0, 0], [1, 3]), /cannot be read/],
    [mask(new Array(12).fill(0), [2, 2, 3]), /shape \[2, 2, 3\], and is not one for all shots/],
  ])("that cannot be meant are not used, and why is said (%#)", async (given, why) => {
    const { bad, notes } = await masks(await cxi([2, 2, 3], undefined, { [ofImages]: given }));
    expect([bad, notes]).toEqual([[[0, 0, 0, 0, 0, 0]], [expect.stringMatching(why)]]);
  });
});

const script = `
import h5py, numpy as np, sys
def write(name, energy=None, wavelength=None, factor=0.1, value=0.0, turn=None, slow=(0, -1, 0)):
    f = h5py.File(sys.argv[1] + "/" + name + ".h5", "w")
    f["entry/definition"] = "NXmx"
    for path, given in (("incident_energy", energy), ("incident_wavelength", wavelength)):
        if given is not None:
            d = f.create_dataset("entry/instrument/beam/" + path, data=given[0])
            if given[1]: d.attrs["units"] = given[1]
    d = f.create_group("entry/instrument/detector/q1"); base = d.parent.name + "/transformations"
    def step(path, value, kind, vector, offset, after, units="mm"):
        s = f.create_dataset(path, data=value)
        s.attrs.update(units=units, transformation_type=kind, vector=vector, offset=offset, offset_units="mm", depends_on=after)
    step(base + "/distance", 100.0, "translation", (0, 0, 1), (0, 0, 0), ".")
    step(base + "/shift", 3.0, "translation", (0, 2, 0), (0, 0, 0), base + "/distance")
    step(base + "/turn", turn or 0.0, "rotation", (0, 0, 1), (0, 0, 0), base + "/shift", "deg")
    step(d.name + "/module_offset", value, "translation", (1, 0, 0), (-5, 2, 0), base + ("/turn" if turn is not None else "/shift"))
    step(d.name + "/fast_pixel_direction", 0.05, "translation", (-1, 0, 0), (0, 0, 0), "module_offset")
    step(d.name + "/slow_pixel_direction", 0.05, "translation", slow, (0, 0, 0), "module_offset")
    d["data_size"] = (2, 3); d["data_origin"] = (0, 0)
    f["entry/data/data"] = np.arange(6, dtype="i4").reshape(1, 2, 3); f["entry/data/data_scale_factor"] = factor
    f.close()
write("ev", ([10000.0], None)); write("kev", (10.0, "keV")); write("joule", ([1.602176634e-15], "J"))
write("angstrom", None, (1.239841984, "angstrom")); write("nm", None, ([0.1239841984], "nm")); write("metre", None, ([1.239841984e-10], "m"))
write("odd", ([10.0], "furlong")); write("zero", ([10000.0], None), factor=0.0)
write("moved", ([10000.0], None), value=7.0); write("still", ([10000.0], None), turn=0.0)
write("turned", ([10000.0], None), turn=30.0); write("mirrored", ([10000.0], None), slow=(0, 1, 0))
`;

describe("NXmx files of others", () => {
  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "say energies, units and places as NeXus has them",
    async () => {
      execFileSync(python ?? "", ["-c", script, folder]);
      const of = async <T>(name: string, ask: (source: DataSource) => T | Promise<T>): Promise<T> => {
        const source = await openArchive(join(folder, `${name}.h5`));
        try {
          return await ask(source);
        } finally {
          await source.close();
        }
      };
      for (const name of ["ev", "kev", "joule", "angstrom", "nm", "metre"])
        expect([name, await of(name, (source) => source.photonEnergyKev(3, 1))]).toEqual([name, expect.closeTo(10, 6)]);
      await expect(of("odd", (source) => source.photonEnergyKev(3, 1))).rejects.toMatchObject({ code: "UNSUPPORTED" });
      expect(await images(join(folder, "zero.h5"))).toEqual({ "nxmx 1": [0, 1, 2, 3, 4, 5] });
      const placeOf = async (name: string) => (await of(name, (source) => source.detectorInfo(3, 1, "nxmx"))).geometry;
      // Offset (−5, 2) mm and 3 mm along y: to the right is −x.
      for (const name of ["ev", "still"])
        expect(await placeOf(name)).toMatchObject({
          posXUm: expect.closeTo(5000, 6),
          posYUm: expect.closeTo(5000, 6),
          posZUm: 0,
          rotationDeg: 0,
        });
      expect(await placeOf("moved")).toMatchObject({
        posXUm: expect.closeTo(-2000, 6),
        posYUm: expect.closeTo(5000, 6),
      });
      expect([await placeOf("turned"), await placeOf("mirrored")]).toEqual([null, null]);
    },
  );
});
