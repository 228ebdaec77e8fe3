import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Db } from "../../../../src/db/index.ts";
import { type ConvertRequest, convert, openArchive, validateFile } from "../../../../src/hdf5/index.ts";
import { type DataSource, endpointOf } from "../../../../src/source/index.ts";
import { St } from "../../../../src/st/index.ts";
import { inProcess } from "../../../../src/transport/index.ts";
import { itInFull } from "../../../support/full.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
const python = pythonWith("h5py", "numpy");
const [bl, run] = [2, 300001];
const sensor = "MPCCD-8B0-2-010-3";

async function converted(from: string, name: string, request: Partial<ConvertRequest>): Promise<string> {
  const source = await openArchive(from);
  try {
    const endpoint = inProcess(endpointOf(source));
    await convert({ db: new Db(endpoint), st: new St(endpoint) }, { bl, run, ...request }, join(folder, name));
    return join(folder, name);
  } finally {
    await source.close();
  }
}

async function opened<T>(path: string, work: (source: DataSource) => Promise<T>): Promise<T> {
  const source = await openArchive(path);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** All images of a file, by tag and sensor. */
async function imagesOf(path: string, runNumber = run): Promise<Record<string, number[]>> {
  return await opened(path, async (source) => {
    const images: Record<string, number[]> = {};
    const ids = (await source.detectors(bl, runNumber)).filter((id) => /-\d{1,2}$/.test(id) && !/-010$/.test(id));
    for (const id of ids) {
      const { xsize, ysize } = await source.detectorInfo(bl, runNumber, id);
      for (const tag of await source.tags(bl, runNumber, id)) {
        const out = new Float32Array(xsize * ysize);
        expect(await source.readFrame(bl, runNumber, id, tag, out)).toBe(true);
        images[`${tag} ${id}`] = Array.from(out, (v) => v + 0);
      }
    }
    return images;
  });
}

describe("files with all sensors in one array", () => {
  itInFull("are sources again: NXmx and Cheetah give photons, places, signals and times", async () => {
    const nxmx = await converted(fixture, "n.h5", { format: "nxmx", shots: "exposed", dark: "none" });
    const cheetah = await converted(fixture, "c.h5", { format: "cheetah", shots: "exposed", dark: "none" });
    const truth = await opened(fixture, async (source) => ({
      info: await source.detectorInfo(bl, run, sensor),
      runInfo: await source.runInfo(bl, run),
      charge: await source.column("xfel_bl_2_tc_bm_1_pd/charge", 202501, Uint32Array.of(384559333)),
      time: await source.timestamp(202501, 384559333, "xfel_bl_2_tc_bm_1_pd/charge"),
    }));
    for (const [path, title] of [
      [nxmx, "NXmx"],
      [cheetah, "Cheetah"],
    ] as const)
      await opened(path, async (source) => {
        expect([source.name, source.beamlines(), await source.runs(bl, 9)]).toEqual([
          `the ${title} file ${path}`,
          [bl],
          [run],
        ]);
        const { absGain, pixelUnit, ...info } = await source.detectorInfo(bl, run, sensor);
        expect(info).toEqual({ id: sensor, xsize: 32, ysize: 64, geometry: truth.info.geometry, pixelType: "float32" });
        expect([pixelUnit, absGain]).toEqual([
          "photon",
          expect.closeTo((await source.photonEnergyKev(bl, run)) / 3.65e-3),
        ]);
        expect(await source.runInfo(bl, run)).toMatchObject({ ...truth.runInfo, hightagnumber: 202501 });
        expect(await source.column("xfel_bl_2_tc_bm_1_pd/charge", 202501, Uint32Array.of(384559333))).toEqual(
          truth.charge,
        );
        expect(await source.timestamp(202501, 384559333, "")).toBe(truth.time);
      });
    // Both hold photons to a tenth; Cheetah's nothing below 0.
    const [photons, clipped] = [await imagesOf(nxmx), await imagesOf(cheetah)];
    expect(Object.keys(photons)).toHaveLength(4 * 8);
    for (const [key, values] of Object.entries(photons))
      expect(clipped[key]).toEqual(values.map((v) => Math.max(0, v)));
  });

  it("convert into each other to the last bit", async () => {
    const direct = await converted(fixture, "direct.h5", { format: "cheetah", shots: "exposed", dark: "none" });
    const nxmx = await converted(fixture, "between.h5", { format: "nxmx", shots: "exposed", dark: "none" });
    // The dark of photons was taken off: the default of the format takes none off again.
    const again = await converted(nxmx, "again.h5", { format: "cheetah" });
    expect(await imagesOf(again)).toEqual(await imagesOf(direct));
    const back = await converted(again, "back.h5", { format: "nxmx", units: "tenths" });
    expect(await imagesOf(back)).toEqual(await imagesOf(direct));
    const dataconvert = await converted(nxmx, "dataconvert.h5", {});
    expect(await imagesOf(dataconvert)).toEqual(await imagesOf(nxmx));
    for (const path of [again, back, dataconvert])
      expect(await validateFile(path)).toMatchObject({ isValid: true, findings: [] });
  });

  const script = `
import h5py, numpy as np, sys
f = h5py.File(sys.argv[1] + "/ostrich.h5", "w")
e = f.create_group("entry"); e.attrs["NX_class"] = "NXentry"
e["definition"] = "NXmx"; e["title"] = "SFX dataset collected at SACLA BL2"; e["experiment_identifier"] = "Run 234606"
e["start_time"] = "2025-06-01T00:00:00Z"
e["instrument/name"] = "SACLA BL2"
e["instrument/beam/incident_energy"] = np.array([10000.0, 10020.0], "f4")
d = e.create_group("instrument/detector"); d["depends_on"] = "."; d["description"] = "MPCCD-8B0-2-010"
for i, (x, y, a) in enumerate([(817.0, -1808.0, -89.98), (-792.0, 28544.0, 89.9631)]):
    m = d.create_group("q%d" % (i + 1)); a = np.radians(a)
    for name, vector in (("fast", (-np.cos(a), np.sin(a), 0)), ("slow", (-np.sin(a), -np.cos(a), 0))):
        s = m.create_dataset(name + "_pixel_direction", data=0.05)
        s.attrs["units"] = "mm"; s.attrs["vector"] = vector; s.attrs["offset"] = (-x * 1e-3, y * 1e-3, -0.1)
    m["data_size"] = (2, 3); m["data_origin"] = (2 * i, 0)
e["data/data"] = np.arange(24, dtype="i4").reshape(2, 4, 3); e["data/data_scale_factor"] = 0.1
f.close()
f = h5py.File(sys.argv[1] + "/om.cxi", "w")
f["entry_1/data_1/data"] = np.arange(24, dtype="f4").reshape(2, 4, 3)
f["entry_1/instrument_1/source_1/energy"] = np.array([1.602176634e-15] * 2)
f.close()
`;

  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "of others are read: NXmx as ostrich writes it, and CXI",
    async () => {
      execFileSync(python ?? "", ["-c", script, folder]);
      await opened(join(folder, "ostrich.h5"), async (source) => {
        expect([source.beamlines(), await source.runs(2, 9)]).toEqual([[2], [234606]]);
        expect(await source.detectors(2, 234606)).toEqual([
          "MPCCD-8B0-2-010",
          "MPCCD-8B0-2-010-1",
          "MPCCD-8B0-2-010-2",
        ]);
        const { geometry, xsize, ysize } = await source.detectorInfo(2, 234606, "MPCCD-8B0-2-010-2");
        expect([xsize, ysize]).toEqual([3, 2]);
        expect(geometry?.posXUm).toBeCloseTo(-792, 9);
        expect(geometry?.posYUm).toBeCloseTo(28544, 9);
        expect(geometry?.posZUm).toBeCloseTo(100, 9);
        expect(geometry?.rotationDeg).toBeCloseTo(89.9631, 9);
        expect(geometry?.pixelSizeYUm).toBeCloseTo(50, 9);
        expect(await source.tags(2, 234606)).toEqual(Uint32Array.of(1, 2));
        const out = new Float32Array(6);
        await source.readFrame(2, 234606, "MPCCD-8B0-2-010-2", 2, out);
        // Tenths of photons: row 2 of image 1 begins with 18.
        expect([...out]).toEqual([18, 19, 20, 21, 22, 23].map((v) => Math.fround(v / 10)));
      });
      await opened(join(folder, "om.cxi"), async (source) => {
        expect([source.name, await source.detectors(3, 1), await source.photonEnergyKev(3, 1)]).toEqual([
          `the CXI file ${join(folder, "om.cxi")}`,
          ["cxi"],
          expect.closeTo(10, 9),
        ]);
        const out = new Float32Array(12);
        await source.readFrame(3, 1, "cxi", 2, out);
        expect([...out]).toEqual(Array.from({ length: 12 }, (_, i) => 12 + i));
      });
      // With a geometry a CXI file has sensors: two of 2 × 3 pixels in its 4 × 3.
      const geom = join(folder, "om.geom");
      const panel = (name: string, row: number): string =>
        `${name}/min_fs = 0\n${name}/max_fs = 2\n${name}/min_ss = ${row}\n${name}/max_ss = ${row + 1}\n` +
        `${name}/corner_x = ${row}\n${name}/corner_y = 0\n${name}/fs = -1.0x +0.0y\n${name}/ss = +0.0x -1.0y\n`;
      const text = `photon_energy = 10000\nclen = 0.05\nres = 20000\nadu_per_photon = 10\n${panel("q1", 0)}${panel("q2", 2)}`;
      writeFileSync(geom, text);
      const cxi = join(folder, "om.cxi");
      const withGeom = await openArchive(cxi, { geom });
      expect(await withGeom.detectors(3, 1)).toEqual(["q1", "q2"]);
      expect(await withGeom.detectorInfo(3, 1, "q2")).toMatchObject({ xsize: 3, ysize: 2, geometry: { posXUm: -100 } });
      const half = new Float32Array(6);
      await withGeom.readFrame(3, 1, "q2", 2, half);
      expect([...half]).toEqual([18, 19, 20, 21, 22, 23]);
      await withGeom.close();
      writeFileSync(geom, text.replace("q2/max_ss = 3", "q2/max_ss = 4"));
      await expect(openArchive(cxi, { geom })).rejects.toMatchObject({
        code: "BAD_GEOMETRY",
        message: expect.stringContaining("q2"),
      });
      await expect(openArchive(fixture, { geom })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    },
  );
});
