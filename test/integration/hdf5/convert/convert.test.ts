import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../../src/core/errors.ts";
import type { MissingReason } from "../../../../src/core/syncdb.ts";
import { Db } from "../../../../src/db/index.ts";
import {
  addSignals,
  type Converted,
  type ConvertOptions,
  type ConvertRequest,
  convert,
  openArchive,
  previewConversion,
  provenanceOf,
  replay,
  validateFile,
} from "../../../../src/hdf5/index.ts";
import { parseCrystfelGeom } from "../../../../src/ip/index.ts";
import { type DataSource, endpointOf } from "../../../../src/source/index.ts";
import { St } from "../../../../src/st/index.ts";
import { inProcess } from "../../../../src/transport/index.ts";
import { counting } from "../../../support/counting.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";
import { TinySource, tinyColumns, tinyPixel, tinyRows, tinySource } from "../../../support/tiny-source.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
const BM1 = "xfel_bl_3_tc_bm_1_pd/charge";
const python = pythonWith("h5py", "numpy");
let files = 0;

interface Parts {
  readonly db: Db;
  readonly st: St;
}

function over(source: DataSource): Parts {
  const endpoint = inProcess(endpointOf(source));
  return { db: new Db(endpoint), st: new St(endpoint) };
}

async function write(
  source: DataSource,
  request: Partial<ConvertRequest> = {},
  options: ConvertOptions = {},
): Promise<Converted & { readonly archive: () => Promise<DataSource> }> {
  const written = await convert(over(source), { bl: 3, run: 10, ...request }, join(folder, `c${++files}.h5`), options);
  return { ...written, archive: () => openArchive(written.path) };
}

async function failure(work: Promise<unknown>): Promise<{ code: ErrorCode; message: string }> {
  try {
    await work;
  } catch (error) {
    return error as { code: ErrorCode; message: string };
  }
  throw new Error("it did not fail");
}

/** What stands in a file, asked of h5py. */
function ask(path: string, expression: string): unknown {
  const script = `import json, sys, h5py, numpy as np\nf = h5py.File(sys.argv[1], "r")\nprint(json.dumps(${expression}))`;
  return JSON.parse(execFileSync(python ?? "", ["-c", script, path], { encoding: "utf8" }));
}

describe("a DataConvert file", () => {
  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "marks a comment in Japanese UTF-8, and no other text",
    async () => {
      const comment = "試料 1, 50 µm";
      const source = new TinySource({ 3: [{ run: 10, start: 1000, images: 2, comment }] });
      const { path, archive } = await write(source, {});
      const copy = await archive();
      expect((await copy.runInfo(3, 10)).comment).toBe(comment);
      await copy.close();
      expect((await provenanceOf(path)).run.comment).toBe(comment);
      const marked = "[n for n in names if h5py.check_string_dtype(f[n].dtype).encoding == 'utf-8']";
      const names = "[(n, o) for n, o in (lambda l: (f.visititems(lambda n, o: l.append((n, o))), l)[1])([])]";
      const texts = `(lambda names: ${marked})([n for n, o in ${names} if isinstance(o, h5py.Dataset) and h5py.check_string_dtype(o.dtype)])`;
      expect(ask(path, texts)).toEqual(["run_10/exp_info/comment"]);
    },
  );

  it("comes back as it was: run, detectors, images, values with their reasons", async () => {
    const source = tinySource();
    const { archive } = await write(source, { signals: ["*"] });
    const copy = await archive();
    expect(copy.runInfo(3, 10)).toEqual(source.runInfo(3, 10));
    expect(copy.photonEnergyKev(3, 10)).toBe(10.5);
    expect(copy.detectors(3, 10)).toEqual(source.detectors(3, 10));
    const tags = source.tags(3, 10);
    expect(copy.tags(3, 10)).toEqual(tags);
    for (const id of ["MPCCD-1N0-M06-002", "MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2", "OPAL-234363"]) {
      expect(copy.detectorInfo(3, 10, id)).toEqual(source.detectorInfo(3, 10, id));
      expect(copy.tags(3, 10, id)).toEqual(source.tags(3, 10, id));
      for (const tag of source.tags(3, 10, id)) {
        const out = new Float32Array(tinyRows * tinyColumns);
        expect(await copy.readFrame(3, 10, id, tag, out)).toBe(true);
        expect([...out]).toEqual(
          Array.from(out, (_, i) => tinyPixel(id, tag, Math.floor(i / tinyColumns), i % tinyColumns)),
        );
      }
    }
    for (const id of source.equipment())
      expect(copy.column(id, 202502, tags), id).toEqual(source.column(id, 202502, tags));
    expect(tags.map((tag) => Number(copy.timestamp(202502, tag, BM1) === source.timestamp(202502, tag)))).toEqual(
      tags.fill(1),
    );
    await copy.close();
  });

  it("of the fixture has every number of the fixture, and converts again to the same bytes", async () => {
    const original = await openArchive(fixture);
    const first = await convert(over(original), { bl: 2, run: 300001 }, join(folder, "octal.h5"));
    const copy = await openArchive(first.path);
    const tags = await original.tags(2, 300001);
    const hightag = (await original.runInfo(2, 300001)).hightagnumber;
    expect(await copy.runInfo(2, 300001)).toEqual(await original.runInfo(2, 300001));
    expect(copy.equipment()).toEqual(original.equipment());
    for (const id of await original.equipment())
      expect(await copy.column(id, hightag, tags), id).toEqual(await original.column(id, hightag, tags));
    const [a, b] = [new Float32Array(64 * 32), new Float32Array(64 * 32)];
    for (const id of (await original.detectors(2, 300001)).slice(1)) {
      expect(await copy.detectorInfo(2, 300001, id)).toEqual(await original.detectorInfo(2, 300001, id));
      for (const tag of tags) {
        expect(await copy.readFrame(2, 300001, id, tag, a)).toBe(await original.readFrame(2, 300001, id, tag, b));
        expect(a).toEqual(b);
      }
    }
    expect(first.images).toBe(71);
    expect(first.ledger).toEqual({ asked: 9, used: 9, dropped: [] });
    await copy.close();
    const second = await convert(over(original), { bl: 2, run: 300001 }, join(folder, "octal-2.h5"));
    expect(readFileSync(second.path).equals(readFileSync(first.path))).toBe(true);
    await original.close();
  });

  it("keeps tags above 2^31 and signals of other beamlines apart", async () => {
    const source = new TinySource({ 3: [{ run: 10, start: 4_000_000_001, images: 3 }] })
      .setSignal("xfel_bl_2_tc_bm_1_pd/charge", "C", (tag) => tag / 7)
      .setSignal(BM1, "keV", () => 1);
    const { archive } = await write(source, { signals: ["*"], detectors: ["OPAL-234363"] });
    const copy = await archive();
    expect([...(await copy.tags(3, 10))]).toEqual([4_000_000_001, 4_000_000_003, 4_000_000_005]);
    expect(copy.beamlines()).toEqual([3]);
    const column = await copy.column("xfel_bl_2_tc_bm_1_pd/charge", 202502, await copy.tags(3, 10));
    expect([column.unit, column.values[0]]).toEqual(["C", 4_000_000_001 / 7]);
    // Not the unit that the name of the leaf suggests.
    expect((await copy.column(BM1, 202502, await copy.tags(3, 10))).unit).toBe("keV");
    await copy.close();
  });

  it("asks for the times of all its shots at once", async () => {
    const endpoint = counting(inProcess(endpointOf(tinySource())));
    const source = { db: new Db(endpoint), st: new St(endpoint) };
    const { images } = await convert(source, { bl: 3, run: 10 }, join(folder, `c${++files}.h5`));
    expect(images).toBeGreaterThan(3);
    const asked = endpoint.asked.filter((question) => /readTimestamp/.test(question));
    expect(asked).toEqual([expect.stringMatching(/^db\.readTimestamps /)]);
  });

  it("has only what was asked for, with the reason for every other shot", async () => {
    const { archive, ledger } = await write(tinySource(), {
      shots: "exposed",
      where: ["xfel_bl_3_st_2_motor_1/position != 10080"],
      limit: 2,
      detectors: ["MPCCD-2N0-1-006-2"],
      signals: ["*motor_1/position"],
      missing: "drop",
    });
    expect(ledger).toEqual({
      asked: 6,
      used: 1,
      dropped: [
        { reason: "dark", tags: [1000, 1002] },
        { reason: "condition", tags: [1008] },
        { reason: "over-limit", tags: [1010] },
        { reason: "frame-missing", tags: [1006] },
      ],
    });
    const copy = await archive();
    expect([...(await copy.tags(3, 10))]).toEqual([1004]);
    expect(await copy.detectors(3, 10)).toEqual(["MPCCD-2N0-1-006", "MPCCD-2N0-1-006-2"]);
    expect(copy.equipment()).toEqual(["bl_3/eh_2/laser/delay_line_motor_1", "xfel_bl_3_st_2_motor_1/position"]);
    await copy.close();
  });

  it("cut to a ROI has its pixels, and the place of its corner", async () => {
    const source = tinySource();
    const { archive } = await write(source, {
      detectors: ["MPCCD-2N0-1-006-1"],
      roi: { rows: [1, 4], columns: [2, 3] },
    });
    const copy = await archive();
    const info = await copy.detectorInfo(3, 10, "MPCCD-2N0-1-006-1");
    expect([info.ysize, info.xsize, info.geometry?.posXUm, info.geometry?.posYUm]).toEqual([3, 1, 100, -50]);
    const out = new Float32Array(3);
    await copy.readFrame(3, 10, info.id, 1002, out);
    expect([...out]).toEqual([1, 2, 3].map((row) => tinyPixel(info.id, 1002, row, 2)));
    await copy.close();
  });

  it("less the dark of the head has float32 differences", async () => {
    const { archive, provenance } = await write(tinySource(), { detectors: ["MPCCD-1N0-M06-002"], dark: "head" });
    const copy = await archive();
    const out = new Float32Array(12);
    await copy.readFrame(3, 10, "MPCCD-1N0-M06-002", 1006, out);
    // The mean of tags 1000 and 1002 is that of tag 1001: 1000 a tag.
    expect([...out]).toEqual(new Array(12).fill(5000));
    expect(provenance.constants.dark).toMatchObject({ run: 10, tags: [1000, 1002], ledger: { used: 2 } });
    await copy.close();
  });

  it("stores whole ADU as uint16 when asked, and refuses to lose anything", async () => {
    const { path } = await write(tinySource(), {
      detectors: ["MPCCD-1N0-M06-002"],
      pixels: "uint16",
      compression: "gzip-4",
    });
    const copy = await openArchive(path);
    const out = new Float32Array(12);
    await copy.readFrame(3, 10, "MPCCD-1N0-M06-002", 1010, out);
    expect(out[11]).toBe(tinyPixel("", 1010, 3, 2));
    await copy.close();
    if (python !== undefined)
      expect(
        ask(
          path,
          "[str(f['run_10/detector_2d_1/tag_1002/detector_data'].dtype), f['run_10/detector_2d_1/tag_1002/detector_data'].compression_opts]",
        ),
      ).toEqual(["uint16", 4]);

    const target = join(folder, "lossy.h5");
    const big = new TinySource({ 3: [{ run: 10, start: 900, images: 2 }] });
    const { code, message } = await failure(convert(over(big), { bl: 3, run: 10, pixels: "uint16" }, target));
    expect(code).toBe("BAD_ARGUMENT");
    expect(message).toContain("900000");
    expect(readdirSync(folder).filter((name) => name.startsWith("lossy"))).toEqual([]);
  });

  it("with assembled pictures has the assembler's, gaps -1", async () => {
    const { archive, path } = await write(tinySource(), {
      detectors: ["MPCCD-2N0-1-006"],
      assembled: true,
      sensors: false,
    });
    const copy = await archive();
    expect(copy.detectors(3, 10)).toEqual(["detector_2d_assembled_1"]);
    const { xsize, ysize } = await copy.detectorInfo(3, 10, "detector_2d_assembled_1");
    // Sensors lie from the beam to the right and down: the smallest square around the beam is 16 wide.
    expect([xsize, ysize]).toEqual([16, 16]);
    const out = new Float32Array(256);
    await copy.readFrame(3, 10, "detector_2d_assembled_1", 1002, out);
    // Detector view: column 8 of the source view, where the first sensor begins, is column 7.
    expect([out[8 * 16 + 7], out[8 * 16 + 6], out[12 * 16 + 7], out[0]]).toEqual([
      tinyPixel("x-1", 1002, 0, 0),
      tinyPixel("x-1", 1002, 0, 1),
      tinyPixel("x-2", 1002, 0, 0),
      -1,
    ]);
    // 1006 has no image of the second sensor; dxtbx would stop there.
    expect([...(await copy.tags(3, 10))]).not.toContain(1006);
    expect((await validateFile(path)).findings).toEqual([]);
    await copy.close();
  });

  itNeeding(python !== undefined, "no Python with h5py", "has the structure of DataConvert for h5py", async () => {
    const { path } = await write(tinySource(), { signals: ["*"], compression: "gzip-1" });
    expect(
      ask(
        path,
        "[f['file_info/format_type'][()].decode(), str(f['file_info/run_number_list'].dtype), f['file_info/run_number_list'][()].tolist()]",
      ),
    ).toEqual(["run_data_format", "int64", [10]]);
    expect(ask(path, "sorted(f['run_10'])")).toEqual([
      ...[1, 2, 3, 4].map((k) => `detector_2d_${k}`),
      "event_info",
      "exp_info",
      "run_info",
    ]);
    expect(
      ask(
        path,
        "[f['run_10/detector_2d_1/tag_1000/detector_data'][()].tolist()[1], f['run_10/detector_2d_1/tag_1000/detector_data'].chunks]",
      ),
    ).toEqual([
      [10, 11, 12],
      [4, 3],
    ]);
    expect(
      ask(
        path,
        "[int(f['run_10/detector_2d_3/tag_1006/detector_status'][()]), 'detector_data' in f['run_10/detector_2d_3/tag_1006']]",
      ),
    ).toEqual([0, false]);
    const charge = "f['run_10/event_info/bl_3/tc/bm_1_pd_charge']";
    expect(
      ask(
        path,
        `[[str(v) for v in ${charge}[()]], ${charge}.attrs['unit'].decode(), ${charge}.attrs['equipment_id'].decode()]`,
      ),
    ).toEqual([["0.0", "0.0", "nan", "7e-09", "inf", "nan"], "C", BM1]);
    expect(
      ask(
        path,
        "[str(f['run_10/event_info/bl_3/shutter_1_open_valid_status'].dtype), str(f['run_10/event_info/tag_number_list'].dtype)]",
      ),
    ).toEqual(["int32", "int32"]);
    expect(ask(path, "f['sacla/signal_status/bl_3/tc/bm_1_pd_charge'][()].tolist()")).toEqual([0, 0, 1, 0, 2, 3]);
  });
});

describe("cheetah and NXmx files", () => {
  const request = { bl: 2, run: 300001, shots: "exposed" } as const;

  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "hold tenths of photons of all sensors under each other",
    async () => {
      const source = over(await openArchive(fixture));
      const cheetah = await convert(
        source,
        { ...request, format: "cheetah", dark: "none" },
        join(folder, "cheetah.h5"),
      );
      const nxmx = await convert(
        source,
        { ...request, format: "nxmx", units: "tenths", dark: "none", compression: "gzip-1" },
        join(folder, "nxmx.h5"),
      );
      expect(cheetah.ledger).toMatchObject({ asked: 9, used: 4 });
      const tag = 384559329;
      // Sensor 2, row 1: ADU × 18.1126 (stored as float32) × 3.65 / E × 10, E of the spectrometer.
      const adu = ask(fixture, `f['run_300001/detector_2d_2/tag_${tag}/detector_data'][1].tolist()`) as number[];
      const energyEv = 1000 * Number(ask(fixture, "float(f['run_300001/event_info/bl_2/tc/spec_1_energy'][4])"));
      const expected = adu.map((v) => Math.round((v * Math.fround(18.1126) * 36.5) / energyEv));
      expect(ask(cheetah.path, `f['tag-${tag}/data'][65].tolist()`)).toEqual(expected);
      expect(ask(nxmx.path, "f['entry/data/data'][0, 65].tolist()")).toEqual(expected);
      expect(
        ask(
          cheetah.path,
          `[str(f['tag-${tag}/data'].dtype), f['tag-${tag}/data'].shape, float(f['tag-${tag}/photon_energy_ev'][()])]`,
        ),
      ).toEqual(["uint16", [512, 32], energyEv]);
      expect(
        ask(
          nxmx.path,
          "[f['entry/data/data'].shape, f['entry/data/data'].chunks, f['entry/data/tag_id'][()].tolist()[0]]",
        ),
      ).toEqual([[4, 512, 32], [1, 64, 32], tag]);
      expect(cheetah.provenance.constants.photons).toMatchObject({
        energyFrom: { spectrometer: 4, configuration: 0, assumed: 0 },
        clipped: [0, 0, 0],
      });
      for (const { path } of [cheetah, nxmx])
        expect(await validateFile(path)).toMatchObject({ isValid: true, findings: [] });
    },
  );

  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "NXmx holds photons by default, with the range of values to be believed",
    async () => {
      const source = over(await openArchive(fixture));
      const written = await convert(source, { ...request, format: "nxmx", dark: "none" }, join(folder, "photons.h5"));
      const adu = ask(fixture, "f['run_300001/detector_2d_2/tag_384559329/detector_data'][1].tolist()") as number[];
      const energies = "f['entry/instrument/beam/incident_energy']";
      const [first = NaN] = ask(written.path, `${energies}[()].tolist()`) as number[];
      const expected = adu.map((v) => Math.fround(Math.round((v * Math.fround(18.1126) * 36.5) / first) / 10));
      expect(ask(written.path, "f['entry/data/data'][0, 65].tolist()")).toEqual(expected);
      expect(written.provenance.constants.photons?.unitsPerPhoton).toBe(1);
      expect(readFileSync(written.geomPath ?? "", "utf8")).toContain("\nadu_per_photon = 1\n");
      const [type, factor, low, high, weakest, hardest] = ask(
        written.path,
        "[str(f['entry/data/data'].dtype), float(f['entry/data/data_scale_factor'][()])] + " +
          "[int(f['entry/instrument/detector/%s_value' % n][()]) for n in ('underload', 'saturation')] + " +
          `[float(${energies}[()].min()), float(${energies}[()].max())]`,
      ) as [string, number, number, number, number, number];
      expect([type, factor]).toEqual(["float32", 1]);
      expect(low).toBe(Math.floor((-3000 * 3.65) / weakest));
      // Of the sensor with the lowest gain, 16.7263.
      expect(high).toBe(Math.floor((0.99 * 65_535 * Math.fround(16.7263) * 3.65) / hardest));
      expect(await validateFile(written.path)).toMatchObject({ isValid: true, findings: [] });
    },
  );

  it("have units of their own only where the format has them", async () => {
    const to = join(folder, "units.h5");
    const source = over(tinySource());
    for (const [format, units] of [
      ["cheetah", "photons"],
      ["dataconvert", "photons"],
      ["nxmx", "adu"],
    ] as const)
      expect((await failure(convert(source, { bl: 3, run: 10, format, units } as ConvertRequest, to))).message).toMatch(
        /units/,
      );
  });

  it("have a CrystFEL geometry beside them that gives the sensors back", async () => {
    const archive = await openArchive(fixture);
    const { geomPath } = await convert(
      over(archive),
      { ...request, format: "cheetah", limit: 2, cameraLengthMm: 70 },
      join(folder, "geom.h5"),
    );
    const text = readFileSync(geomPath ?? "", "utf8");
    const { sensors } = parseCrystfelGeom(text);
    expect(geomPath).toBe(join(folder, "geom.geom"));
    expect(text).toContain("data = /%/data");
    expect(sensors).toHaveLength(8);
    const info = await archive.detectorInfo(2, 300001, "MPCCD-8B0-2-010-3");
    const found = sensors.find(({ id }) => id === info.id);
    expect(found?.geometry?.posXUm).toBeCloseTo(info.geometry?.posXUm ?? NaN, 5);
    expect(found?.geometry?.rotationDeg).toBeCloseTo(info.geometry?.rotationDeg ?? NaN, 8);
    // One unit is a tenth of a photon whatever the energy of a shot, so a photon has ten.
    expect(text).toContain("\nadu_per_photon = 10\n");
    expect(text).not.toContain("adu_per_eV");
    expect(text).toMatch(/^photon_energy = \/%\/photon_energy_ev ;/m);
    expect(text).toMatch(/^mask = \/metadata\/pixelmask$/m);
    await archive.close();
  });

  it("count pixels that they cannot hold", async () => {
    class OddSource extends TinySource {
      override readFrame(bl: number, run: number, detId: string, tag: number, out: Float32Array): boolean {
        const there = super.readFrame(bl, run, detId, tag, out);
        out.set([NaN, -50, 1e12, Infinity, -Infinity]);
        return there;
      }
    }
    const source = new OddSource({ 3: [{ run: 10, start: 1, images: 2, detectors: ["MPCCD-1N0-M06-002"] }] });
    const cheetah = await write(source, { format: "cheetah", dark: "none", signals: [] });
    expect(cheetah.provenance.constants.photons?.clipped).toEqual([4, 4, 2]);
    const nxmx = await write(source, { format: "nxmx", units: "tenths", dark: "none", signals: [] });
    expect(nxmx.provenance.constants.photons?.clipped).toEqual([2, 4, 2]);
    if (python === undefined) return;
    expect(ask(cheetah.path, "f['tag-1/data'][()].ravel()[:5].tolist()")).toEqual([0, 0, 65535, 65535, 0]);
    const stored = ask(nxmx.path, "f['entry/data/data'][0].ravel()[:5].tolist()") as number[];
    // -50 ADU × 17 e⁻ × 3.65 eV / 10.5 keV is −0.295 photons.
    expect(stored).toEqual([0, -3, 2 ** 31 - 1, 2 ** 31 - 1, -(2 ** 31)]);
  });

  it("are refused for what cannot be stacked", async () => {
    const camera = new TinySource({ 3: [{ run: 10, start: 1, images: 2, detectors: ["OPAL-234363"] }] });
    expect(
      (await failure(convert(over(camera), { bl: 3, run: 10, format: "nxmx", dark: "none" }, join(folder, "no.h5"))))
        .code,
    ).toBe("BAD_GEOMETRY");
    expect(
      (
        await failure(
          convert(over(tinySource()), { bl: 3, run: 10, format: "cheetah", assembled: true }, join(folder, "no.h5")),
        )
      ).code,
    ).toBe("BAD_ARGUMENT");
  });
});

describe("previewConversion", () => {
  it("says what convert then writes, and touches neither images nor the disk", async () => {
    const source = tinySource();
    const request = {
      bl: 3,
      run: 10,
      shots: "exposed",
      where: [`${BM1} > 1e-9`],
      signals: [BM1],
      pixels: "uint16",
    } as const;
    const before = readdirSync(folder);
    const { ledger, images, signals, imageBytes, diskBytes } = await previewConversion(over(source), request);
    expect(source.asked.get("readFrame")).toBeUndefined();
    expect(readdirSync(folder)).toEqual(before);
    const written = await write(source, request);
    expect(ledger).toEqual(written.ledger);
    expect(signals).toEqual([BM1]);
    expect(images.map(({ kind, id }) => [kind, id])).toEqual(
      written.provenance.constants.sensors.map((sensor) => ["sensor", (sensor as { id: string }).id]),
    );
    expect(images[0]).toEqual({
      kind: "sensor",
      id: "MPCCD-1N0-M06-002",
      rows: tinyRows,
      columns: tinyColumns,
      type: "uint16",
    });
    expect(imageBytes).toBe(ledger.used * 4 * tinyRows * tinyColumns * 2);
    expect(diskBytes).toBe(2 * imageBytes);
    expect((await failure(previewConversion(over(source), { ...request, where: ["nothing > 0"] }))).code).toBe(
      "UNKNOWN_SIGNAL",
    );
  });
});

describe("replay", () => {
  it("makes the file again to the last byte", async () => {
    const { path } = await write(
      tinySource(),
      { shots: "on", signals: ["*"], dark: "head", compression: "gzip-2" },
      { url: "sim:?seed=5" },
    );
    expect((await provenanceOf(path)).source).toEqual({ url: "sim:?seed=5", apiVersion: "tiny 1.0", seed: 5 });
    expect(await replay(over(tinySource()), path)).toEqual({ isSame: true, difference: null });
    expect(readdirSync(folder).filter((name) => name.startsWith(".sacla-replay"))).toEqual([]);
  });

  it("names the first place that differs when the source has changed", async () => {
    const { path } = await write(tinySource(), { signals: [BM1] });
    const changed = tinySource().setSignal(BM1, "C", (tag): number | MissingReason =>
      tag === 1006 ? 8e-9 : tag < 1004 ? 0 : 7e-9,
    );
    expect(await replay(over(changed), path)).toMatchObject({
      isSame: false,
      difference: expect.stringContaining("/run_10/event_info/bl_3/tc/bm_1_pd_charge"),
    });
  });

  it("names signals that were added since, and calls the rest the same; over old numbers they are a difference", async () => {
    const { path } = await write(tinySource(), { signals: [BM1] });
    const tags = [1000, 1002, 1004, 1006, 1008, 1010];
    const delay = { equipId: "my/delay", unit: "fs", tags, values: tags };
    await addSignals(path, 10, [delay]);
    const added = ["/run_10/event_info/syncdb/my/delay"];
    expect(await replay(over(tinySource()), path)).toEqual({ isSame: true, difference: null, added });
    await addSignals(path, 10, [{ ...delay, equipId: BM1 }], { replace: true });
    expect(await replay(over(tinySource()), path)).toMatchObject({
      isSame: false,
      difference: expect.stringContaining("bm_1_pd_charge has other content"),
    });
    // The file had said of which shots there was no number.
    const archive = await openArchive(path);
    expect([
      ...(await archive.column(BM1, (await archive.runInfo(3, 10)).hightagnumber, Uint32Array.from(tags))).values,
    ]).toEqual(tags);
    await archive.close();
  });

  it("names the versions when they are why the bytes differ", async () => {
    const { path } = await write(tinySource(), { signals: [] });
    const bytes = readFileSync(path);
    const at = bytes.indexOf('"versions":{"sacla":"');
    bytes.write("9", at + '"versions":{"sacla":"'.length);
    writeFileSync(path, bytes);
    const { isSame, difference } = await replay(over(tinySource()), path);
    expect(isSame).toBe(false);
    expect(difference).toMatch(
      /^it was made by sacla 9\.\S+ with h5wasm \S+, and again by sacla \d\S+ with h5wasm \S+; \/sacla\/provenance /,
    );
  });

  it("is refused for files that do not say how they were made", async () => {
    expect((await failure(provenanceOf(fixture))).code).toBe("UNSUPPORTED");
  });
});

it("a conversion leaves nothing beside its file", () => {
  expect(readdirSync(folder).filter((name) => name.includes(".part"))).toEqual([]);
  expect(existsSync(join(folder, "octal.h5"))).toBe(true);
});
