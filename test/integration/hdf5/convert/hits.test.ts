import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatFor, nextCommands } from "../../../../src/cli/convert-for.ts";
import type { DetectorInfo } from "../../../../src/core/detector.ts";
import { photonsPerAdu } from "../../../../src/core/detector.ts";
import { Db } from "../../../../src/db/index.ts";
import {
  type Converted,
  type ConvertRequest,
  convert,
  openArchive,
  replay,
  validateFile,
} from "../../../../src/hdf5/index.ts";
import { H5File } from "../../../../src/hdf5/read/h5file.ts";
import { badPixels, parseCrystfelGeom } from "../../../../src/ip/index.ts";
import { endpointOf } from "../../../../src/source/index.ts";
import { St } from "../../../../src/st/index.ts";
import { inProcess } from "../../../../src/transport/index.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";
import { TinySource } from "../../../support/tiny-source.ts";

const folder = temporaryFolder();
const python = pythonWith("h5py", "numpy");
const [rows, columns] = [64, 32];
const [first, second] = ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"];
const damaged = "MPCCD-8B0-2-003-2";
const adu = 1 / photonsPerAdu(17, 10_500);

/** A peak: photons of its middle and of the pixel to the right of it. */
type Spot = readonly [sensor: string, row: number, column: number, middle: number, right: number];

const spots: Readonly<Record<number, readonly Spot[]>> = {
  // Three peaks; one too weak, and one on the edge, which holds none.
  1002: [
    [first, 10, 8, 20, 10],
    [first, 63, 9, 500, 0],
    [second, 3, 25, 30, 0],
    [second, 40, 12, 8, 4],
    [second, 50, 20, 4.9, 0],
  ],
  // Too few.
  1004: [[first, 20, 20, 100, 0]],
  1006: [
    [first, 30, 8, 6, 2],
    [second, 30, 8, 5, 0],
  ],
  // The second lies on a dead port.
  2000: [
    [damaged, 30, 20, 50, 0],
    [damaged, 30, 28, 50, 0],
  ],
};

/** Two sensors of 64 × 32 pixels, an image less 1 photon of background, and spots. */
class CrystalSource extends TinySource {
  override detectorInfo(bl: number, run: number, detId: string): DetectorInfo {
    const { geometry, ...info } = super.detectorInfo(bl, run, detId);
    // Binned 16-fold.
    const pixelUm = detId === damaged ? 800 : 50;
    const binned = geometry && { ...geometry, pixelSizeXUm: pixelUm, pixelSizeYUm: pixelUm };
    return { ...info, geometry: binned, xsize: columns, ysize: rows };
  }

  override readFrame(bl: number, run: number, detId: string, tag: number, out: Float32Array): boolean {
    if (!this.tags(bl, run, detId).includes(tag)) return false;
    out.fill(adu);
    for (const [sensor, row, column, middle, right] of spots[tag] ?? []) {
      if (sensor !== detId) continue;
      out[row * columns + column] = (middle + 1) * adu;
      if (right > 0) out[row * columns + column + 1] = (right + 1) * adu;
    }
    return true;
  }
}

const detectors = ["MPCCD-2N0-1-006", first, second];
const source = () =>
  new CrystalSource({
    2: [{ run: 80_000, start: 2000, images: 2, detectors: [damaged] }],
    3: [{ run: 10, start: 1000, images: 5, detectors }],
  });

async function write(name: string, request: Partial<ConvertRequest> = {}): Promise<Converted> {
  const endpoint = inProcess(endpointOf(source()));
  const parts = { db: new Db(endpoint), st: new St(endpoint) };
  const hits = { minPeaks: 2, thresholdPhotons: 6 };
  return await convert(
    parts,
    { bl: 3, run: 10, format: "cxi", dark: "none", signals: [], hits, ...request },
    join(folder, name),
  );
}

function ask(path: string, expression: string): unknown {
  const script = `import json, sys, h5py, numpy as np\nf = h5py.File(sys.argv[1], "r")\nprint(json.dumps(${expression}))`;
  return JSON.parse(execFileSync(python ?? "", ["-c", script, path], { encoding: "utf8" }));
}

describe("a CXI file", () => {
  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "has hits alone, with their peaks as Cheetah lists them",
    async () => {
      const { path, ledger, images } = await write("hits.cxi");
      expect([images, ledger.used]).toEqual([2, 2]);
      expect(ledger.dropped).toEqual([{ reason: "not-hit", tags: [1000, 1004, 1008] }]);
      const list = (name: string) => `f['entry_1/result_1/${name}']`;
      expect(
        ask(path, `[${list("nPeaks")}[()].tolist(), ${list("peakXPosRaw")}.shape, ${list("peakYPosRaw")}.shape]`),
      ).toEqual([
        [3, 2],
        [2, 3],
        [2, 3],
      ]);
      expect(ask(path, "f['entry/data/tag_id'][()].tolist()")).toEqual([1002, 1006]);
      // x is fast, y slow and counts on over the sensors; the middle of a pixel is a whole number; padded with 0.
      const near = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 5));
      expect(ask(path, `${list("peakXPosRaw")}[()].tolist()`)).toEqual([
        near([8 + 1 / 3, 25, 12 + 1 / 3]),
        near([8.25, 8, 0]),
      ]);
      expect(ask(path, `${list("peakYPosRaw")}[()].tolist()`)).toEqual([near([10, 67, 104]), near([30, 94, 0])]);
      expect(ask(path, `${list("peakTotalIntensity")}[()].tolist()`)).toEqual([near([30, 30, 12]), near([8, 5, 0])]);
      // The pixels that the lists point at, as numpy has them.
      expect(
        ask(
          path,
          `[[float(f['entry_1/data_1/data'][s, int(round(y)), int(round(x))]) for x, y in list(zip(${list("peakXPosRaw")}[s], ` +
            `${list("peakYPosRaw")}[s]))[:n]] for s, n in enumerate(${list("nPeaks")})]`,
        ),
      ).toEqual([
        [21, 31, 9],
        [7, 6],
      ]);
      // CXI's own: joule.
      expect(ask(path, "(f['entry_1/instrument_1/source_1/energy'][()] / 1.602176634e-19).tolist()")).toEqual(
        near([10_500, 10_500]),
      );
      expect(await validateFile(path)).toMatchObject({ isValid: true, format: "cxi", findings: [] });
    },
  );

  it("is a source again, with its sensors, tags and photons", async () => {
    const { path } = await write("again.cxi");
    const archive = await openArchive(path);
    expect(archive.name).toBe(`the CXI file ${path}`);
    expect([...(await archive.tags(3, 10))]).toEqual([1002, 1006]);
    const info = await archive.detectorInfo(3, 10, second);
    expect(info).toMatchObject({ xsize: columns, ysize: rows, pixelUnit: "photon", geometry: { posYUm: -200 } });
    const out = new Float32Array(rows * columns);
    expect(await archive.readFrame(3, 10, second, 1002, out)).toBe(true);
    expect([out[3 * columns + 25], out[0]]).toEqual([31, 1]);
    await archive.close();
    // Panels of a geometry beside it, refined perhaps, go before its own.
    const moved = await openArchive(path, { geom: path.replace(/cxi$/, "geom") });
    expect((await moved.tags(3, 10))[1]).toBe(1006);
    expect((await moved.detectorInfo(3, 10, second)).geometry?.posYUm).toBeCloseTo(-200, 6);
    await moved.close();
  });

  it("is made again to the last byte", async () => {
    const { path } = await write("replay.cxi");
    const endpoint = inProcess(endpointOf(source()));
    expect(await replay({ db: new Db(endpoint), st: new St(endpoint) }, path)).toEqual({
      isSame: true,
      difference: null,
    });
  });

  it("has a CrystFEL geometry beside it that names its images and its lists of peaks", async () => {
    const { geomPath } = await write("named.cxi");
    expect(geomPath).toBe(join(folder, "named.geom"));
    const text = readFileSync(geomPath ?? "", "utf8");
    for (const line of [
      "data = /entry_1/data_1/data",
      "dim0 = %",
      "mask = /entry_1/instrument_1/detector_1/mask",
      "peak_list = /entry_1/result_1",
      "peak_list_type = cxi",
    ])
      expect(text.split("\n")).toContain(line);
    expect(parseCrystfelGeom(text).sensors.map(({ id }) => id)).toEqual([first, second]);
  });

  const withCfel = pythonWith("cfelpyutils.geometry");
  itNeeding(withCfel !== undefined, "no Python with cfelpyutils", "cfelpyutils reads its geometry", async () => {
    const { geomPath } = await write("cfel.cxi");
    const script = `
import json, sys
from cfelpyutils.geometry import load_crystfel_geometry
g = load_crystfel_geometry(sys.argv[1])
print(json.dumps([[p["data"], p["dim_structure"], p["orig_min_ss"], p["orig_max_ss"], p["mask"]] for p in g.detector["panels"].values()]))`;
    expect(JSON.parse(execFileSync(withCfel ?? "", ["-c", script, geomPath ?? ""], { encoding: "utf8" }))).toEqual(
      [0, 64].map((row) => [
        "/entry_1/data_1/data",
        ["%", "ss", "fs"],
        row,
        row + 63,
        "/entry_1/instrument_1/detector_1/mask",
      ]),
    );
  });

  const withDxtbx = pythonWith("dxtbx", "h5py");
  itNeeding(
    withDxtbx !== undefined,
    "no Python with dxtbx and h5py",
    "dxtbx, and so cctbx.xfel, reads it as NXmx",
    async () => {
      const { path } = await write("dxtbx.cxi");
      const script = `
import json, sys, dxtbx
i = dxtbx.load(sys.argv[1])
d, b = i.get_detector(0), i.get_beam(0)
print(json.dumps([type(i).__name__, i.get_num_images(), len(d), round(12398.4198 / b.get_wavelength()), i.get_raw_data(0)[1][3, 25]]))`;
      expect(JSON.parse(execFileSync(withDxtbx ?? "", ["-c", script, path], { encoding: "utf8" }))).toEqual([
        "FormatNXmx",
        2,
        2,
        10_500,
        31,
      ]);
    },
  );

  it("is what --hits asks for, and what to type next is told", async () => {
    expect(formatFor(undefined, undefined, true)).toBe("cxi");
    expect(formatFor("crystfel", undefined, true)).toBe("cxi");
    expect(formatFor("dials", undefined, true)).toBe("nxmx");
    expect(formatFor("dxtbx", "cxi", true)).toBe("cxi");
    expect(formatFor(undefined, undefined, false)).toBeUndefined();
    const written = await write("next.cxi");
    expect(nextCommands("crystfel", { ...written, path: "next.cxi" })).toEqual([
      `echo ${join(process.cwd(), "next.cxi")} > next.lst`,
      "indexamajig -g next.geom -i next.lst -o next.stream -j 4 --peaks=cxi --hdf5-peaks=/entry_1/result_1",
    ]);
  });

  it("is refused where there is no hit, and in formats that have no photons", async () => {
    await expect(write("none.cxi", { hits: {} })).rejects.toMatchObject({
      code: "NO_SHOTS",
      message: expect.stringMatching(/is a hit \(5 were looked at/),
    });
    await expect(write("none.h5", { format: "dataconvert" })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/hits .* cxi or nxmx/),
    });
    await expect(write("odd.cxi", { hits: { minPeak: 2 } as ConvertRequest["hits"] })).rejects.toThrow(/minPeaks/);
  });

  it("holds no peak on bad pixels", async () => {
    expect(badPixels(damaged, 2, 80_000, [rows, columns]).get(30, 28)).not.toBe(0);
    const { path } = await write("damaged.cxi", { bl: 2, run: 80_000, hits: { minPeaks: 1 } });
    const file = await H5File.open(path);
    expect([...(file.numbers("/entry_1/result_1/nPeaks") ?? [])]).toEqual([1]);
    file.close();
  });

  it("is not the only one: NXmx can have hits alone, too", async () => {
    const { ledger } = await write("hits.h5", { format: "nxmx", hits: { minPeaks: 3, thresholdPhotons: 6 } });
    expect(ledger).toMatchObject({ used: 1, dropped: [{ reason: "not-hit", tags: [1000, 1004, 1006, 1008] }] });
  });
});
