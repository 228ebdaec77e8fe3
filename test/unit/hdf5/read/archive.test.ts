import { beforeAll, describe, expect, it, vi } from "vitest";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { loadH5 } from "../../../../src/hdf5/read/library.ts";
import type { DataSource } from "../../../../src/source/data-source.ts";
import {
  archiveParts,
  COLUMNS,
  type Parts,
  pixelsOf,
  ROWS,
  runParts,
  TAGS,
  writeHdf5,
} from "../../../support/archive-parts.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const detId = "MPCCD-1N0-M06-002";
const detector = "/run_7/detector_2d_1";
const events = "/run_7/event_info";
let count = 0;

async function open(changes: Parts = {}, options: { bl?: number; hightag?: number } = {}): Promise<DataSource> {
  return await openArchive(await writeHdf5(folder, `archive-${count++}.h5`, archiveParts(changes)), options);
}

it("asks the HDF5 library once about each path, and not about columns of numbers", async () => {
  const names = Array.from({ length: 60 }, (_, k) => `${events}/bl_3/eh_1/flag_${k}`);
  const columns = names.map((name): [string, Parts[string]] => [name, { data: Int32Array.of(0, 1, 1) }]);
  const path = await writeHdf5(folder, "questions.h5", archiveParts(Object.fromEntries(columns)));
  const h5 = await loadH5();
  const asked = (["get_type", "get_dataset_metadata", "get_symbolic_link", "get_dataset_filters"] as const).map(
    (name) => vi.spyOn(h5, name),
  );
  const archive = await openArchive(path);
  try {
    expect((await archive.runInfo(3, 7)).notes).toBeUndefined();
    await archive.runInfo(3, 7);
    const paths = asked.flatMap(({ mock }) => mock.calls.map((call) => String(call[1])));
    expect(paths.filter((one) => names.includes(one))).toEqual([]);
    const kinds = asked[0]?.mock.calls.map((call) => String(call[1])) ?? [];
    expect(kinds).toEqual([...new Set(kinds)]);
  } finally {
    for (const one of asked) one.mockRestore();
    await archive.close();
  }
});

describe("an archive with one run", () => {
  let archive: DataSource;
  beforeAll(async () => {
    archive = await open({
      [`${events}/bl_3/eh_1/flag`]: { data: Int32Array.of(0, 1, 1) },
      [`${events}/bl_3/tc/bm_2_pd_charge`]: { data: Float32Array.of(NaN, Infinity, -Infinity) },
    });
    return () => archive.close();
  });

  it("knows its beamline, run and version", () => {
    expect(archive.apiVersion()).toBe("DataConvert 3.20");
    expect(archive.beamlines()).toEqual([3]);
    expect(archive.runs(3, 10)).toEqual([7]);
    expect(archive.runs(2, 10)).toEqual([]);
    expect([archive.runStatus(3, 7), archive.runStatus(3, 8), archive.runStatus(2, 7)]).toEqual([0, -1, -1]);
  });

  it("counts tags and time to the exclusive end tag", async () => {
    const info = await archive.runInfo(3, 7);
    expect(info).toMatchObject({
      start_tagnumber: 101,
      end_tagnumber: 107,
      total_tagnumber: 6,
      comment: "a comment",
      runstatus: 0,
      runtype: "",
    });
    expect(info.stoptime - info.starttime).toBeCloseTo(6 / 60, 6);
  });

  it("reads an image as it was stored", async () => {
    const out = new Float32Array(ROWS * COLUMNS);
    expect(await archive.readFrame(3, 7, detId, 103, out)).toBe(true);
    expect([...out]).toEqual(pixelsOf(103));
  });

  it("describes the sensor in the frame of the detector API", async () => {
    expect(await archive.detectorInfo(3, 7, detId)).toEqual({
      id: detId,
      xsize: COLUMNS,
      ysize: ROWS,
      absGain: 17.5,
      geometry: {
        posXUm: -1755,
        posYUm: 51711,
        posZUm: 5,
        rotationDeg: -90,
        pixelSizeXUm: 50,
        pixelSizeYUm: 51,
        manipulatorShiftUm: 12,
      },
    });
  });

  it("gives a signal by its equipment id and by its path, the missing tag with its reason", async () => {
    const hightag = (await archive.runInfo(3, 7)).hightagnumber;
    for (const id of ["xfel_bl_3_tc_bm_1_pd/charge", "bl_3/tc/bm_1_pd_charge"]) {
      const column = await archive.column(id, hightag, Uint32Array.of(105, 104, 101));
      expect(column).toEqual({
        equipId: id,
        unit: "C",
        values: Float64Array.of(2.5, NaN, 0.5),
        status: Uint8Array.of(0, 3, 0),
      });
    }
  });

  it("turns NaN into not-converged and an infinity into saturated", async () => {
    const column = await archive.column(
      "xfel_bl_3_tc_bm_2_pd/charge",
      (await archive.runInfo(3, 7)).hightagnumber,
      Uint32Array.from(TAGS),
    );
    expect([...column.status]).toEqual([1, 2, 2]);
    expect([...column.values]).toEqual([NaN, NaN, NaN]);
  });

  it("lists every signal once, lists of the run itself not", async () => {
    expect(await archive.equipment()).toEqual([
      "bl_3/eh_1/flag",
      "bl_3/shutter_1_open_valid_status",
      "bl_3/tc/bm_1_pd_charge",
      "bl_3/tc/bm_2_pd_charge",
      "xfel_bl_3_shutter_1_open_valid/status",
      "xfel_bl_3_tc_bm_1_pd/charge",
      "xfel_bl_3_tc_bm_2_pd/charge",
    ]);
  });

  it("says when a shot was and which is the newest", async () => {
    const { hightagnumber } = await archive.runInfo(3, 7);
    expect(await archive.timestamp(hightagnumber, 103, "bl_3/eh_1/flag")).toBeCloseTo(1_760_000_000 + 103 / 60, 6);
    expect(await archive.newestTag("bl_3/eh_1/flag")).toEqual([hightagnumber, 105]);
    expect([...(await archive.tagsBetween(3, hightagnumber, 102, 105))]).toEqual([103, 105]);
    expect(await archive.photonEnergyKev(3, 7)).toBe(7.5);
  });

  it("refuses what it does not have", async () => {
    const { hightagnumber } = await archive.runInfo(3, 7);
    const tags = Uint32Array.of(101);
    const refused: [() => unknown, string, RegExp][] = [
      [
        () => archive.column("xfel_bl_3_tc_bm1_pd/charge", hightagnumber, tags),
        "UNKNOWN_SIGNAL",
        /nearest names are xfel_bl_3_tc_bm_1_pd\/charge/,
      ],
      [() => archive.newestTag("nothing"), "UNKNOWN_SIGNAL", /no signal nothing/],
      [
        () => archive.column("bl_3/eh_1/flag", 199901, tags),
        "UNKNOWN_HIGHTAG",
        /199901; its runs have 202502, derived from their time.*\?hightag=/,
      ],
      [() => archive.tagsBetween(3, 199901, 0, 9), "UNKNOWN_HIGHTAG", /199901/],
      [() => archive.timestamp(hightagnumber, 104, "bl_3/eh_1/flag"), "TAG_OUTSIDE_RUN", /tag 104/],
      [() => archive.runInfo(3, 8), "UNKNOWN_RUN", /run 8/],
      [
        () => archive.detectorInfo(3, 7, "OPAL-1"),
        "UNKNOWN_DETECTOR",
        /has no detector OPAL-1; it has MPCCD-1N0-M06-002/,
      ],
      [() => archive.readFrame(3, 7, detId, 101, new Float32Array(5)), "BAD_ARGUMENT", /5 pixels.*4 × 3 = 12/],
    ];
    for (const [ask, code, message] of refused)
      expect(ask).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });
});

describe("HighTag", () => {
  it("is guessed from the time of the run", async () => {
    const archive = await open();
    expect(archive.hightagAt(Date.parse("2018-03-16T13:02:25Z") / 1000)).toBe(201801);
    archive.close();
  });

  it("can be given", async () => {
    const archive = await open({}, { hightag: 201402 });
    expect((await archive.runInfo(3, 7)).hightagnumber).toBe(201402);
    expect(archive.hightagAt(0)).toBe(201402);
    expect(() => archive.column("bl_3/tc/bm_1_pd_charge", 202502, Uint32Array.of(101))).toThrow(
      /as it was opened with/,
    );
    archive.close();
  });
});

describe("images", () => {
  const types = {
    u8: Uint8Array.of(0, 255, 7),
    i8: Int8Array.of(-128, 127, -1),
    u16: Uint16Array.of(0, 65_535, 7),
    i16: Int16Array.of(-32_768, 32_767, -1),
    u32: Uint32Array.of(0, 2 ** 24, 7),
    i32: Int32Array.of(-(2 ** 24), 2 ** 24, -1),
    f64: Float64Array.of(0.5, -1e30, 90.36),
    i64: BigInt64Array.of(-5n, 2n ** 24n, 0n),
    u64: BigUint64Array.of(5n, 2n ** 24n, 0n),
  };
  it.each(Object.entries(types))("of %s pixels become float32, contiguous or compressed", async (_, data) => {
    for (const gzip of [false, true]) {
      const changes = Object.fromEntries(
        TAGS.map((tag) => [`${detector}/tag_${tag}/detector_data`, { data, shape: [1, 3], gzip }]),
      );
      const archive = await open(changes);
      const out = new Float32Array(3);
      expect(await archive.readFrame(3, 7, detId, 101, out)).toBe(true);
      expect(out).toEqual(Float32Array.from(data, Number));
      archive.close();
    }
  });

  it("of text are refused, alone where the others can be read", async () => {
    const texts = { data: ["a", "b", "c"], shape: [1, 3] };
    const one = await open({ [`${detector}/tag_101/detector_data`]: texts });
    const out = new Float32Array(ROWS * COLUMNS);
    expect(() => one.readFrame(3, 7, detId, 101, out)).toThrow(
      expect.objectContaining({
        code: "FILE_DAMAGED",
        message: expect.stringMatching(/tag_101\/detector_data.* is text of shape \[1, 3\], but/),
      }),
    );
    expect(await one.readFrame(3, 7, detId, 103, out)).toBe(true);
    await one.close();
    const all = await open(Object.fromEntries(TAGS.map((tag) => [`${detector}/tag_${tag}/detector_data`, texts])));
    expect(() => all.detectorInfo(3, 7, detId)).toThrow(
      expect.objectContaining({
        code: "NOT_DATACONVERT",
        message: expect.stringMatching(/tag_101\/detector_data.* is text of shape \[1, 3\]/),
      }),
    );
    await all.close();
  });

  it("are missing where there is no group, no data, or a status other than 1", async () => {
    const archive = await open({
      [`${detector}/tag_103/detector_data`]: undefined,
      [`${detector}/tag_105/detector_status`]: { data: 0 },
    });
    const out = new Float32Array(ROWS * COLUMNS).fill(-1);
    expect([101, 103, 105, 104].map((tag) => archive.readFrame(3, 7, detId, tag, out))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect([...(await archive.tags(3, 7, detId))]).toEqual([101]);
    expect([...(await archive.tags(3, 7))]).toEqual(TAGS);
    archive.close();
  });

  it("without a single one leave the size unknown", async () => {
    const archive = await open(
      Object.fromEntries(TAGS.map((tag) => [`${detector}/tag_${tag}/detector_data`, undefined])),
    );
    expect(() => archive.detectorInfo(3, 7, detId)).toThrow(expect.objectContaining({ code: "FRAME_MISSING" }));
    expect(await archive.tags(3, 7, detId)).toHaveLength(0);
    archive.close();
  });

  it("need no status when assembled, and have no geometry", async () => {
    const data = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] };
    const archive = await open({ "/run_7/detector_2d_assembled_1/tag_101/detector_data": data });
    expect(archive.detectors(3, 7)).toEqual([detId, "detector_2d_assembled_1"]);
    expect(await archive.detectorInfo(3, 7, "detector_2d_assembled_1")).toEqual({
      id: "detector_2d_assembled_1",
      xsize: 2,
      ysize: 2,
      absGain: null,
      geometry: null,
    });
    const out = new Float32Array(4);
    expect(await archive.readFrame(3, 7, "detector_2d_assembled_1", 101, out)).toBe(true);
    expect([...out]).toEqual([1, 2, 3, 4]);
    archive.close();
  });
});

describe("tags", () => {
  it("above 2^31, stored negative, are unsigned", async () => {
    const tags = [3_000_000_001, 3_000_000_003];
    const parts = {
      ...runParts(7, 3, tags),
      "/run_7/event_info/tag_number_list": { data: Int32Array.from(tags) },
      "/run_7/run_info/start_tag_number": { data: Int32Array.from([3_000_000_001]) },
      "/run_7/run_info/end_tag_number": { data: Int32Array.from([3_000_000_005]) },
    };
    const archive = await openArchive(await writeHdf5(folder, "high.h5", archiveParts({}, [parts])));
    expect([...(await archive.tags(3, 7, detId))]).toEqual(tags);
    archive.close();
  });

  it("out of order are put in order, with their own values", async () => {
    const archive = await open({ [`${events}/tag_number_list`]: { data: Int32Array.of(105, 101, 103) } });
    expect([...(await archive.tags(3, 7))]).toEqual(TAGS);
    const { hightagnumber } = await archive.runInfo(3, 7);
    const column = await archive.column("bl_3/tc/bm_1_pd_charge", hightagnumber, Uint32Array.from(TAGS));
    expect([...column.values]).toEqual([1.5, 2.5, 0.5]);
    archive.close();
  });
});

describe("a file with several runs", () => {
  it("keeps them apart", async () => {
    const runs = [runParts(12, 2, [205, 207]), runParts(7)];
    const archive = await openArchive(await writeHdf5(folder, "two.h5", archiveParts({}, runs, [12, 7])));
    expect(archive.beamlines()).toEqual([2, 3]);
    expect([archive.runs(2, 5), archive.runs(3, 5)]).toEqual([[12], [7]]);
    expect([...(await archive.tags(2, 12))]).toEqual([205, 207]);
    const { hightagnumber } = await archive.runInfo(3, 7);
    const both = Uint32Array.of(101, 205);
    expect([...(await archive.column("xfel_bl_3_tc_bm_1_pd/charge", hightagnumber, both)).status]).toEqual([0, 3]);
    expect([...(await archive.column("xfel_bl_2_tc_bm_1_pd/charge", hightagnumber, both)).status]).toEqual([3, 0]);
    expect(await archive.newestTag("xfel_bl_2_tc_bm_1_pd/charge")).toEqual([hightagnumber, 207]);
    archive.close();
  });

  it("gives the newest last, and signals over all of them, when they are of one beamline", async () => {
    const runs = [runParts(9, 3, [205, 207]), runParts(7)];
    const archive = await openArchive(await writeHdf5(folder, "same.h5", archiveParts({}, runs, [9, 7])));
    expect(archive.runs(3, 5)).toEqual([7, 9]);
    expect(archive.runs(3, 1)).toEqual([9]);
    const { hightagnumber } = await archive.runInfo(3, 7);
    const column = await archive.column("xfel_bl_3_tc_bm_1_pd/charge", hightagnumber, Uint32Array.of(103, 207, 150));
    expect([...column.values]).toEqual([1.5, 1.5, NaN]);
    expect([...(await archive.tagsBetween(3, hightagnumber, 103, 205))]).toEqual([103, 105, 205]);
    archive.close();
  });
});

describe("what a file need not have", () => {
  it("a camera without gain and geometry has neither", async () => {
    const info = `${detector}/detector_info`;
    const archive = await open({
      [`${info}/absolute_gain`]: undefined,
      [`${info}/detector_coordinate_in_micro_meter`]: undefined,
      [`${info}/detector_rotation_angle_in_degree`]: undefined,
      [`${info}/pixel_size_in_micro_meter`]: undefined,
    });
    expect(await archive.detectorInfo(3, 7, detId)).toMatchObject({ absGain: null, geometry: null });
    archive.close();
  });

  it.each([
    ["half of it", { detector_rotation_angle_in_degree: undefined }, /detector_info lacks rotationDeg/],
    [
      "a text",
      { detector_coordinate_in_micro_meter: { data: "1, 2, 3" } },
      /coordinate_in_micro_meter of .* is one text/,
    ],
    ["no number", { detector_coordinate_in_micro_meter: { data: Float32Array.of(NaN, 0, 0) } }, /posXUm .* is NaN/],
    ["pixels of no size", { pixel_size_in_micro_meter: { data: Float32Array.of(0, 50) } }, /pixelSizeXUm .* is 0/],
    [
      "an opening that is a text",
      { manipulator_position_in_micro_meter: { data: "0 um" } },
      /manipulator.* is one text/,
    ],
  ] satisfies [string, Parts, RegExp][])(
    "a geometry with %s is none, which is said; images are read",
    async (_, odd, why) => {
      const parts = Object.entries(odd).map(([name, part]) => [`${detector}/detector_info/${name}`, part]);
      const archive = await open(Object.fromEntries(parts));
      expect(await archive.detectorInfo(3, 7, detId)).toMatchObject({ ysize: ROWS, geometry: null });
      expect((await archive.runInfo(3, 7)).notes).toEqual([expect.stringMatching(why)]);
      expect(await archive.readFrame(3, 7, detId, 103, new Float32Array(ROWS * COLUMNS))).toBe(true);
      archive.close();
    },
  );

  it("a photon energy that is not there is named", async () => {
    const path = "/run_7/run_info/sacla_config/photon_energy_in_eV";
    const archive = await open({ [path]: undefined });
    expect(() => archive.photonEnergyKev(3, 7)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringContaining(path) }),
    );
    archive.close();
  });

  it("comments of any length and script, or none", async () => {
    const path = "/run_7/exp_info/comment";
    const comments: [Parts[string], string][] = [
      [undefined, ""],
      [{ data: "暗電流 dark", dtype: "S40" }, "暗電流 dark"],
      [{ data: "of variable length" }, "of variable length"],
      [{ data: "padded   ", dtype: "A9" }, "padded"],
    ];
    for (const [part, comment] of comments) {
      const archive = await open({ [path]: part });
      expect((await archive.runInfo(3, 7)).comment).toBe(comment);
      archive.close();
    }
  });

  it("the beamline can be given where none or several are named", async () => {
    const second = { [`${events}/bl_2/flag`]: { data: Int32Array.of(1, 1, 1) } };
    await expect(open(second)).rejects.toMatchObject({
      code: "NOT_DATACONVERT",
      message: expect.stringMatching(/bl_<n> is there for several beamlines \(2, 3\).*\?bl=3/),
    });
    const archive = await open(second, { bl: 2 });
    expect(archive.beamlines()).toEqual([2]);
    archive.close();
  });
});
