import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../../../../src/hdf5/index.ts";
import type { DataSource } from "../../../../src/source/data-source.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const fixtures = fileURLToPath(new URL("../../../../fixtures/", import.meta.url));
const script = fileURLToPath(new URL("../../../../scripts/make-fixture.py", import.meta.url));
const truthText = readFileSync(join(fixtures, "tiny-octal.truth.json"), "utf8");
const truth = JSON.parse(truthText) as {
  run: number;
  beamline: number;
  detector: string;
  tags: number[];
  dark_tags: number[];
  missing: Record<string, number[]>;
  start_time: number;
  stop_time: number;
  image_shape: [number, number];
  pixel_um: number;
  photon_energy_kev: number;
  signals: Record<string, (number | "nan" | "inf")[]>;
  sensors: {
    id: string;
    absgain: number;
    pos_um: [number, number, number];
    rotation_deg: number;
    tags: number[];
    sum_by_tag: Record<string, number>;
    dark_mean: { sum: number; at: [number, number, number][] };
  }[];
};
const { run, beamline: bl } = truth;
const [ysize, xsize] = truth.image_shape;

let archive: DataSource;
beforeAll(async () => {
  archive = await openArchive(join(fixtures, "tiny-octal.h5"));
});
afterAll(() => archive.close());

function read(source: DataSource, detId: string, tag: number): Float32Array | undefined {
  const out = new Float32Array(ysize * xsize);
  return source.readFrame(bl, run, detId, tag, out) === true ? out : undefined;
}

describe("the fixture, against numpy", () => {
  it("has the octal by its own name, then its sensors", async () => {
    expect(await archive.detectors(bl, run)).toEqual([truth.detector, ...truth.sensors.map(({ id }) => id)]);
  });

  it("runs from the first tag to the exclusive end, in tags and in seconds", async () => {
    expect(await archive.runInfo(bl, run)).toEqual({
      starttime: truth.start_time,
      stoptime: expect.closeTo(truth.stop_time, 6),
      total_tagnumber: 18,
      start_tagnumber: 384559321,
      end_tagnumber: 384559339,
      hightagnumber: 202501,
      comment: "tiny octal, ring and six spots",
      runtype: "",
      stationnumber: 0,
      runstatus: 0,
    });
    expect(await archive.photonEnergyKev(bl, run)).toBe(truth.photon_energy_kev);
  });

  it.each(truth.sensors)("$id: geometry, tags and the sum of every image", async (sensor) => {
    const [posXUm, posYUm, posZUm] = sensor.pos_um;
    expect(await archive.detectorInfo(bl, run, sensor.id)).toEqual({
      id: sensor.id,
      xsize,
      ysize,
      absGain: Math.fround(sensor.absgain),
      geometry: {
        posXUm,
        posYUm,
        posZUm,
        rotationDeg: Math.fround(sensor.rotation_deg),
        pixelSizeXUm: truth.pixel_um,
        pixelSizeYUm: truth.pixel_um,
        manipulatorShiftUm: 0,
      },
    });
    expect([...(await archive.tags(bl, run, sensor.id))]).toEqual(sensor.tags);
    const sums = truth.tags.flatMap((tag) => {
      const image = read(archive, sensor.id, tag);
      return image === undefined ? [] : [[String(tag), image.reduce((sum, v) => sum + v, 0)]];
    });
    expect(Object.fromEntries(sums)).toEqual(sensor.sum_by_tag);
    expect(truth.tags.filter((tag) => read(archive, sensor.id, tag) === undefined)).toEqual(
      truth.missing[sensor.id] ?? [],
    );
  });

  it("has rows and columns the right way round", () => {
    for (const { id, dark_mean } of truth.sensors) {
      const darks = truth.dark_tags.map((tag) => read(archive, id, tag));
      for (const [row, column, mean] of dark_mean.at) {
        const sum = darks.reduce((total, image) => total + (image?.[row * xsize + column] ?? NaN), 0);
        expect(sum / darks.length).toBe(mean);
      }
    }
  });

  it("gives the octal the tags for which all its sensors have an image", async () => {
    const missing = Object.values(truth.missing).flat();
    expect([...(await archive.tags(bl, run, truth.detector))]).toEqual(
      truth.tags.filter((tag) => !missing.includes(tag)),
    );
  });

  it.each(Object.entries(truth.signals))("%s has its values and reasons", async (leaf, expected) => {
    const column = await archive.column(leaf, 202501, Uint32Array.from(truth.tags));
    expect([...column.values]).toEqual(expected.map((v) => (typeof v === "number" ? v : NaN)));
    expect([...column.status]).toEqual(expected.map((v) => (v === "nan" ? 1 : v === "inf" ? 2 : 0)));
  });

  it("knows the flawed beam monitor of tc, not the one of oh_2, by its equipment id", async () => {
    const tags = Uint32Array.from(truth.tags);
    const byId = await archive.column("xfel_bl_2_tc_bm_1_pd/charge", 202501, tags);
    expect(byId.values).toEqual((await archive.column("bl_2/tc/bm_1_pd_charge", 202501, tags)).values);
    expect((await archive.column("xfel_bl_2_tc_bm_2_pd/charge", 202501, tags)).values[4]).toBe(
      truth.signals["bl_2/oh_2/bm_2_signal_in_coulomb"]?.[4],
    );
  });
});

describe("the script that makes the fixture", () => {
  const python = pythonWith("h5py", "numpy");
  const folder = temporaryFolder();
  itNeeding(
    python !== undefined,
    "no Python with h5py and numpy; name one in SACLA_TEST_PYTHON",
    "makes the committed files again",
    async () => {
      execFileSync(python ?? "", [script, folder]);
      expect(JSON.parse(readFileSync(join(folder, "tiny-octal.truth.json"), "utf8"))).toEqual(truth);
      const again = await openArchive(join(folder, "tiny-octal.h5"));
      const equipment = await archive.equipment();
      expect(await again.equipment()).toEqual(equipment);
      for (const id of equipment) {
        expect(await again.column(id, 202501, Uint32Array.from(truth.tags))).toEqual(
          await archive.column(id, 202501, Uint32Array.from(truth.tags)),
        );
      }
      for (const { id } of truth.sensors) {
        expect(await again.detectorInfo(bl, run, id)).toEqual(await archive.detectorInfo(bl, run, id));
        for (const tag of truth.tags) expect(read(again, id, tag)).toEqual(read(archive, id, tag));
      }
      again.close();
    },
  );
});
