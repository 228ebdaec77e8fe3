import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { entryOf } from "../../../../src/core/syncdb.ts";
import { lookup3 } from "../../../../src/hdf5/direct/checksum.ts";
import { openArchive, openArchiveFolder } from "../../../../src/hdf5/index.ts";
import { H5File } from "../../../../src/hdf5/read/h5file.ts";
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
import { cli } from "../../../support/fake-io.ts";
import { cases, itInFull } from "../../../support/full.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
// Indexes of folders are kept there.
const cache = join(folder, "cache");
vi.stubEnv("XDG_CACHE_HOME", cache);
afterAll(() => vi.unstubAllEnvs());
let files = 0;
const events = "/run_7/event_info";
const detector = "/run_7/detector_2d_1";
const [bl, run, hightag] = [3, 7, 202502];

async function write(changes: Parts = {}): Promise<string> {
  return await writeHdf5(folder, `odd-${++files}.h5`, archiveParts(changes));
}

/** A second sensor, k, of a detector of the given name; without an image where no tags are given. */
function sensor(k: number, name: string, tags: readonly number[]): Parts {
  const root = `/run_7/detector_2d_${k}`;
  return {
    [`${root}/detector_info/detector_name`]: { data: name, dtype: `A${name.length}` },
    ...Object.fromEntries(
      tags.flatMap((tag): [string, { data: number | Float32Array; shape?: number[] }][] => [
        [`${root}/tag_${tag}/detector_data`, { data: Float32Array.from(pixelsOf(tag)), shape: [ROWS, COLUMNS] }],
        [`${root}/tag_${tag}/detector_status`, { data: 1 }],
      ]),
    ),
  };
}

async function notesOf(path: string): Promise<readonly string[]> {
  const archive = await openArchive(path);
  const { notes = [] } = await archive.runInfo(bl, run);
  await archive.close();
  return notes;
}

describe("one odd part of a file", () => {
  const oddParts: readonly [name: string, parts: Parts, notes: readonly RegExp[]][] = [
    ["a comment that is a number", { "/run_7/exp_info/comment": { data: 5 } }, [/comment.* is one i4/]],
    [
      "a detector without a name",
      { [`${detector}/detector_info/detector_name`]: undefined },
      [/detector_2d_1 has no detector_name, and is called detector_2d_1/],
    ],
    [
      "a detector whose name is empty",
      { [`${detector}/detector_info/detector_name`]: { data: "", dtype: "A4" } },
      [/detector_2d_1 has no detector_name, and is called detector_2d_1/],
    ],
    [
      "a detector whose name is a number",
      { [`${detector}/detector_info/detector_name`]: { data: 3 } },
      [/detector_name.* is one i4/],
    ],
    [
      "two detectors of one name",
      sensor(2, "MPCCD-1N0-M06-002", TAGS),
      [/detector_2d_2 is named "MPCCD-1N0-M06-002" as another detector, and is called detector_2d_2/],
    ],
    [
      "a detector named as the whole of others",
      { ...sensor(2, "MPCCD-2N0-M06-001", []), ...sensor(3, "MPCCD-2N0-M06-001-1", TAGS) },
      [/detector_2d_2 is named "MPCCD-2N0-M06-001" as another/, /detector_2d_2 has no image of any shot/],
    ],
    [
      "a detector named as nothing can be",
      sensor(2, "__proto__", TAGS),
      [/detector_2d_2 is named "__proto__".*and is called detector_2d_2/],
    ],
    [
      "times in milliseconds",
      { [`${events}/time_stamp`]: { data: Float64Array.from(TAGS, (tag) => 1000 * (1_760_000_000 + tag / 60)) } },
      [/time_stamp is read as milliseconds/],
    ],
    [
      "times from the start of the run",
      { [`${events}/time_stamp`]: { data: Float64Array.from(TAGS, (tag) => tag / 60) } },
      [/time_stamp has 1\.68\d*, which is no time of a run/],
    ],
    [
      "a run whose number is too large",
      { "/file_info/run_number_list": { data: BigInt64Array.of(7n, 3_000_000_000n) } },
      [/names run 3000000000, but the number of a run is at most 1000000000/],
    ],
    [
      "a detector that is listed only",
      { "/run_7/run_info/detector_config/detector_2d_list": { data: [1, 2] } },
      [/detector_2d_2 is not there, though/],
    ],
    ["a version that is a number", { "/file_info/version": { data: 3.2 } }, []],
    ["a status that is a text", { [`${detector}/tag_103/detector_status`]: { data: "ok", dtype: "A2" } }, []],
    ["a gain that is a text", { [`${detector}/detector_info/absolute_gain`]: { data: "high", dtype: "A4" } }, []],
    [
      "a run that is listed only",
      { "/file_info/run_number_list": { data: [8, 7] } },
      [/run 8 cannot be read: .*\/run_8 is not there, though/],
    ],
    ["a camera without images", sensor(2, "OPAL-1", []), [/^OPAL-1 has no image of any shot$/]],
    [
      "a camera whose images are elsewhere",
      {
        ...sensor(2, "OPAL-1", []),
        "/run_7/detector_2d_2/tag_101/detector_data": { data: [], link: ["gone.h5", "/a"] },
      },
      [/^OPAL-1 has no image of any shot: of the first, it is a link to \/a of gone\.h5, which is not there$/],
    ],
    [
      "a table below event_info",
      { [`${events}/bl_3/wave`]: { data: new Float32Array(6), shape: [3, 2] } },
      [/^bl_3\/wave is no signal and is left out: it is f4 of shape \[3, 2\], for 3 tags$/],
    ],
    ["a number below event_info", { [`${events}/bl_3/one`]: { data: 5 } }, [/^bl_3\/one .* it is one i4, for 3 tags$/]],
    [
      "a signal that is too short",
      { [`${events}/bl_3/short`]: { data: [1, 2] } },
      [/^bl_3\/short .* it is i4 of shape \[2\], for 3 tags$/],
    ],
    [
      "a signal whose file is away",
      { [`${events}/bl_3/away`]: { data: [], link: ["gone.h5", "/a"] } },
      [/^bl_3\/away has no values: it is a link to \/a of gone\.h5, which is not there$/],
    ],
    [
      "a signal behind a filter that is not built in",
      { [`${events}/bl_3/packed`]: { data: Int32Array.of(1, 2, 3), shape: [3], gzip: true, filter: 255 } },
      [/^bl_3\/packed has no values: it is compressed with the HDF5 filter .*\(id 255\)/],
    ],
    ["no photon energy", { "/run_7/run_info/sacla_config/photon_energy_in_eV": undefined }, []],
    ["a photon energy that is a text", { "/run_7/run_info/sacla_config/photon_energy_in_eV": { data: "x" } }, []],
  ];
  it.each(cases(oddParts, 0, 4, 7, 8, 11, 15))(
    "%s: all the rest is read, and the part is named",
    async (_, parts, notes) => {
      const path = await write(parts);
      expect(await notesOf(path)).toEqual(notes.map((note) => expect.stringMatching(note)));
      const out = await Promise.all(
        ["info", "detectors", "tags", "signals", "stats", "image", "average", "convert"].map(async (command) => {
          const options = { average: ["--no-dark"], convert: ["--dark", "none"] }[command] ?? [];
          const file = `${path}-${command}`;
          const target = { image: ["-o", file], average: ["-o", file], convert: ["-o", `${file}.h5`] }[command] ?? [];
          const source = command === "stats" ? [path] : ["--url", path];
          const done = await cli([command, ...source, ...options, ...target]);
          return [command, done.code, done.code === 0 ? "" : done.err];
        }),
      );
      expect(out.filter(([, code]) => code !== 0)).toEqual([]);
      const warned = (await cli(["tags", "--url", path])).err;
      for (const note of await notesOf(path)) expect(warned).toContain(`warning: run 7: ${note}\n`);
    },
  );

  it("a sensor without images is left out of its detector; asked for, it says why", async () => {
    const parts = { ...sensor(1, "MPCCD-4N0-M01-002-1", TAGS), ...sensor(2, "MPCCD-4N0-M01-002-2", []) };
    const archive = await openArchive(await write({ ...parts, ...sensor(3, "MPCCD-4N0-M01-002-3", TAGS) }));
    expect(await archive.detectors(bl, run)).toEqual([
      "MPCCD-4N0-M01-002",
      "MPCCD-4N0-M01-002-1",
      "MPCCD-4N0-M01-002-3",
    ]);
    expect([...(await archive.tags(bl, run, "MPCCD-4N0-M01-002"))]).toEqual(TAGS);
    expect(() => archive.detectorInfo(bl, run, "MPCCD-4N0-M01-002-2")).toThrow(
      expect.objectContaining({ code: "FRAME_MISSING" }),
    );
    await archive.close();
  });

  it("sacla image takes the newest shot with all images; of one that is named it says what happened to the image", async () => {
    const gone: Parts = { [`${detector}/tag_105/detector_data`]: { data: [], link: ["gone.h5", "/a"] } };
    const path = await write(gone);
    const newest = await cli(["image", "--url", path, "-o", "x.png"]);
    expect([newest.code, newest.out]).toEqual([0, expect.stringContaining("tag 103 of run 7")]);
    const named = await cli(["image", "--url", path, "--tag", "105", "-o", "x.png"]);
    expect([named.code, named.err]).toEqual([1, expect.stringContaining("link to /a of gone.h5, which is not there")]);
  });

  it("files beside the one that a link of the file system leads to are found", async () => {
    const [here, there] = [join(folder, "links"), join(folder, "stored")];
    mkdirSync(here);
    mkdirSync(there);
    const image = { data: Float32Array.from(pixelsOf(103)), shape: [ROWS, COLUMNS] };
    await writeHdf5(there, "images.h5", { "/a": image });
    const link: Parts = { [`${detector}/tag_103/detector_data`]: { data: [], link: ["images.h5", "/a"] } };
    symlinkSync(await writeHdf5(there, "run.h5", archiveParts(link)), join(here, "run.h5"));
    const archive = await openArchive(join(here, "run.h5"));
    const out = new Float32Array(ROWS * COLUMNS);
    expect(await archive.readFrame(bl, run, "MPCCD-1N0-M06-002", 103, out)).toBe(true);
    expect([...out]).toEqual(pixelsOf(103));
    await archive.close();
  });

  it("images of no shape do not stand in the way of those that have one", async () => {
    const parts: Parts = {
      ...runParts(7, 3, [101, 103, 105, 107, 109, 111]),
      [`${detector}/tag_101/detector_data`]: { data: Float32Array.from(pixelsOf(101)), shape: [COLUMNS, ROWS] },
      [`${detector}/tag_103/detector_data`]: { data: Float32Array.of(1, 2) },
      [`${detector}/tag_105/detector_data`]: { data: 5 },
    };
    const archive = await openArchive(await writeHdf5(folder, "shapes.h5", archiveParts({}, [parts])));
    expect(await archive.detectorInfo(bl, run, "MPCCD-1N0-M06-002")).toMatchObject({ ysize: ROWS, xsize: COLUMNS });
    await archive.close();
  });

  it("a sensor without a place or gain is left out of pictures, and its images are read", async () => {
    const id = (k: number): string => `MPCCD-4N0-M01-002-${k}`;
    const place = (k: number): Parts => {
      const info = `/run_7/detector_2d_${k}/detector_info`;
      return {
        [`${info}/detector_coordinate_in_micro_meter`]: { data: Float32Array.of(k * 500, 0, 0) },
        [`${info}/detector_rotation_angle_in_degree`]: { data: 0 },
        [`${info}/pixel_size_in_micro_meter`]: { data: Float32Array.of(50, 50) },
        [`${info}/manipulator_position_in_micro_meter`]: { data: 0 },
        [`${info}/absolute_gain`]: { data: 17.5 },
      };
    };
    const all: Parts = Object.assign({}, ...[1, 2, 3].map((k) => ({ ...sensor(k, id(k), TAGS), ...place(k) })));
    const path = await write({
      ...all,
      "/run_7/detector_2d_2/detector_info/detector_rotation_angle_in_degree": undefined,
      "/run_7/detector_2d_3/detector_info/absolute_gain": { data: 0 },
    });
    const notes = [
      /place of MPCCD-4N0-M01-002-2 is not known.* lacks rotationDeg/,
      /002-3 has no gain, and is in no picture/,
    ];
    expect(await notesOf(path)).toEqual(notes.map((note) => expect.stringMatching(note)));
    for (const command of ["image", "assemble"]) {
      const dark = command === "image" ? [] : ["--dark", "none"];
      const done = await cli([command, "--url", path, ...dark, "-o", "x.png", "--json"]);
      expect([done.code, done.err]).toEqual([0, expect.stringMatching(notes[0] as RegExp)]);
    }
    const file = `${path}-assembled.h5`;
    expect((await cli(["convert", "--url", path, "--dark", "none", "--assembled", "-o", file])).code).toBe(0);
    const archive = await openArchive(file);
    const out = new Float32Array(ROWS * COLUMNS);
    for (const k of [1, 2, 3]) {
      expect(await archive.readFrame(bl, run, id(k), 103, out)).toBe(true);
      expect([...out]).toEqual(pixelsOf(103));
    }
    await archive.close();
  });

  it("a time that is no number is counted from that of the tag beside it", async () => {
    const at = 1_760_000_000;
    for (const [times, expected] of [
      [
        [NaN, at, NaN],
        [at - 2 / 60, at, at + 2 / 60],
      ],
      [
        [NaN, NaN, at],
        [at - 4 / 60, at - 2 / 60, at],
      ],
    ] as const) {
      const path = await write({ [`${events}/time_stamp`]: { data: Float64Array.from(times) } });
      const archive = await openArchive(path);
      const signal = "bl_3/tc/bm_1_pd_charge";
      expect(TAGS.map((tag) => archive.timestamp(hightag, tag, signal))).toEqual(expected);
      expect(await archive.runInfo(bl, run)).toMatchObject({ starttime: expected[0], stoptime: expected[2] + 2 / 60 });
      await archive.close();
      expect((await cli(["convert", "--url", path, "--dark", "none", "-o", `${path}-c.h5`])).code).toBe(0);
    }
  });

  it("images that are parts of sensors are assembled and converted; that their edges are not known is said", async () => {
    const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
    const convert = ["convert", "300001", "--bl", "2", "--dark", "none", "--signal", "none", "--limit", "2"];
    // The second has the proportions of the sensor.
    for (const [i, roi] of ["10:50,3:20", "8:40,4:20"].entries()) {
      const cut = join(folder, `cut-${i}.h5`);
      expect((await cli([...convert, "--url", fixture, "--roi", roi, "-o", cut])).code).toBe(0);
      const image = ["image", "300001", "--bl", "2", "--dark", "none", "-o", "x.png"];
      const nxmx = [...convert, "--format", "nxmx", "-o", join(folder, `cut-${i}-nxmx.h5`)];
      const again = [...convert, "-o", join(folder, `cut-${i}-again.h5`)];
      for (const args of i === 0 ? [image, nxmx, again] : [image]) {
        const { code, err } = await cli([...args, "--url", cut]);
        expect([code, err]).toEqual([
          0,
          expect.stringMatching(/images of MPCCD-8B0-2-010 are cut, or .*: edges and dead/),
        ]);
      }
    }
  });

  it("infinite pixels are assembled; a detector_info that is no group stops nothing", async () => {
    const infinite = { data: new Float32Array(ROWS * COLUMNS).fill(Infinity), shape: [ROWS, COLUMNS] };
    const all = Object.fromEntries(TAGS.map((tag) => [`${detector}/tag_${tag}/detector_data`, infinite]));
    const closed = { data: Float32Array.of(0), shape: [] };
    const path = await write({ ...all, [`${detector}/detector_info/manipulator_position_in_micro_meter`]: closed });
    expect((await cli(["assemble", "--url", path, "--dark", "none", "-o", "x.png"])).code).toBe(0);
    const info = Object.keys(archiveParts()).filter((place) => place.startsWith(`${detector}/detector_info`));
    const other = await write({
      ...Object.fromEntries(info.map((place) => [place, undefined])),
      [`${detector}/detector_info`]: { data: 1 },
    });
    expect((await cli(["convert", "--url", other, "--dark", "none", "-o", `${other}-c.h5`])).code).toBe(0);
  });

  it("shots without an image take no group in a converted file, and are in it", async () => {
    const path = await write({
      [`${detector}/tag_101/detector_data`]: undefined,
      [`${detector}/tag_105/detector_status`]: { data: 0 },
    });
    const to = `${path}-c.h5`;
    expect((await cli(["convert", "--url", path, "--dark", "none", "-o", to])).code).toBe(0);
    const file = await H5File.open(to);
    expect(file.keys(detector).toSorted()).toEqual(["detector_info", "tag_103"]);
    file.close();
    const { code, out } = await cli(["tags", "--url", to]);
    expect([code, out.match(/^\d+$/gm)]).toEqual([0, TAGS.map(String)]);
    expect((await cli(["validate", to])).code).toBe(0);
  });

  it("an octal without any image, or of images without a shape, opens", async () => {
    const id = "MPCCD-8N0-3-002-1";
    for (const images of [[], [5, 5, 5].map((data) => ({ data }))]) {
      const parts = sensor(1, id, []);
      for (const [i, image] of images.entries()) parts[`${detector}/tag_${TAGS[i]}/detector_data`] = image;
      if (images.length === 0) for (const tag of TAGS) parts[`${detector}/tag_${tag}/detector_data`] = undefined;
      const path = await write(parts);
      expect((await cli(["tags", "--url", path])).code).toBe(0);
      expect(await notesOf(path)).not.toContainEqual(expect.stringContaining("are cut"));
    }
  });

  it("a signal of texts is read as SyncDB has them", async () => {
    const texts = ["7.2e-02V", "not-converged", "saturated"];
    for (const data of [{ data: texts, dtype: "A13" }, { data: texts }]) {
      const archive = await openArchive(await write({ [`${events}/bl_3/v`]: data }));
      const column = await archive.column("bl_3/v", hightag, Uint32Array.from(TAGS));
      expect(column).toEqual({
        equipId: "bl_3/v",
        unit: "V",
        values: Float64Array.of(0.072, NaN, NaN),
        status: Uint8Array.of(0, 1, 2),
      });
      await archive.close();
    }
  });

  it("lists that are matrices of one row or one column, as MATLAB writes them, are lists", async () => {
    for (const shape of [
      [1, TAGS.length],
      [TAGS.length, 1],
    ]) {
      const path = await write({
        "/file_info/run_number_list": { data: Float64Array.of(7), shape: [1, 1] },
        [`${events}/tag_number_list`]: { data: Float64Array.from(TAGS), shape },
        [`${events}/bl_3/v`]: { data: Float64Array.from(TAGS), shape },
        [`${events}/bl_3/text`]: { data: TAGS.map((tag) => `${tag}V`), dtype: "A8", shape },
      });
      const archive = await openArchive(path);
      for (const name of ["bl_3/v", "bl_3/text"])
        expect([...(await archive.column(name, hightag, Uint32Array.from(TAGS))).values]).toEqual(TAGS);
      expect(await notesOf(path)).toEqual([]);
      await archive.close();
    }
  });

  it("runs and tags that are texts of whole numbers are numbers", async () => {
    const path = await write({
      "/file_info/run_number_list": { data: ["7"], dtype: "A8" },
      "/run_7/run_info/start_tag_number": { data: "101", dtype: "A12" },
      [`${events}/tag_number_list`]: { data: TAGS.map(String), dtype: "A12" },
    });
    const archive = await openArchive(path);
    expect(archive.runs(bl, 9)).toEqual([run]);
    expect(await archive.runInfo(bl, run)).toMatchObject({ start_tagnumber: 101 });
    expect([...(await archive.tags(bl, run))]).toEqual(TAGS);
    await archive.close();
    const odd = await write({ "/file_info/run_number_list": { data: ["7a"], dtype: "A8" } });
    await expect(openArchive(odd)).rejects.toThrow(
      /run_number_list of .* is text of shape \[1\], but must be a list of/,
    );
  });

  it("texts of a signal with other units are in that of the first, or missing", async () => {
    const mixed: [string[], unknown[], string, string[]][] = [
      [["5.03nC", "5030pC", "5e-9C"], [5.03, 5.03, 5], "nC", []],
      [["saturated", "0", "2nC"], ["saturated", 0, 2], "nC", []],
      [["5", "6", "7"], [5, 6, 7], "", []],
      [
        ["5.03nC", "1mm", "7"],
        [5.03, "missing", "missing"],
        "nC",
        [expect.stringMatching(/bl_3\/v .* 2 texts .*"1mm"/)],
      ],
      [
        ["5,03nC", "2nC", "10:30"],
        ["missing", 2, "missing"],
        "nC",
        [expect.stringMatching(/bl_3\/v lacks values: 2 texts such as "5,03nC" are no numbers/)],
      ],
      [["missing", "2nC", "-"], ["missing", 2, "missing"], "nC", []],
    ];
    for (const [texts, values, unit, notes] of mixed) {
      const path = await write({ [`${events}/bl_3/v`]: { data: texts, dtype: "A13" } });
      const archive = await openArchive(path);
      const column = await archive.column("bl_3/v", hightag, Uint32Array.from(TAGS));
      const found = TAGS.map((_, i) => entryOf(column, i)).map((entry) =>
        "value" in entry ? entry.value : entry.reason,
      );
      const rounded = found.map((value) => (typeof value === "number" ? Number(value.toPrecision(12)) : value));
      expect([rounded, column.unit, await notesOf(path)]).toEqual([values, unit, notes]);
      await archive.close();
    }
  });

  it("an odd first image does not decide what the others must be", async () => {
    for (const data of [Float32Array.of(1, 2), ["a", "b"]]) {
      const archive = await openArchive(
        await write({ [`${detector}/tag_101/detector_data`]: { data, shape: [2, 1] } }),
      );
      expect(await archive.detectorInfo(bl, run, "MPCCD-1N0-M06-002")).toMatchObject({ ysize: ROWS, xsize: COLUMNS });
      const out = new Float32Array(ROWS * COLUMNS);
      expect(await archive.readFrame(bl, run, "MPCCD-1N0-M06-002", 103, out)).toBe(true);
      expect([...out]).toEqual(pixelsOf(103));
      expect(() => archive.readFrame(bl, run, "MPCCD-1N0-M06-002", 101, out)).toThrow(
        expect.objectContaining({ code: "FILE_DAMAGED" }),
      );
      await archive.close();
    }
  });
});

describe("an image whose header lost its shape", () => {
  it("is damaged, not absent", async () => {
    const path = await write();
    const bytes = readFileSync(path);
    const [head, DATASPACE, NIL] = [24, 1, 0];
    const shape = Buffer.from(BigUint64Array.of(BigInt(ROWS), BigInt(COLUMNS)).buffer);
    const at = bytes.lastIndexOf("OHDR", bytes.indexOf(shape));
    expect(bytes[at + head]).toBe(DATASPACE);
    bytes[at + head] = NIL;
    const end = at + head + bytes.readUInt16LE(at + head - 2);
    bytes.writeUInt32LE(lookup3(new DataView(bytes.buffer, bytes.byteOffset + at, end - at), end - at), end);
    writeFileSync(path, bytes);
    const archive = await openArchive(path);
    const out = new Float32Array(ROWS * COLUMNS);
    expect(() => archive.readFrame(bl, run, "MPCCD-1N0-M06-002", 101, out)).toThrow(
      expect.objectContaining({ code: "FILE_DAMAGED" }),
    );
    expect(await archive.readFrame(bl, run, "MPCCD-1N0-M06-002", 103, out)).toBe(true);
    await archive.close();
  });
});

describe("links in circles", () => {
  it.each([
    ["hard", { hardLink: events }],
    ["hard, to a group above", { hardLink: "/" }],
    ["soft", { softLink: events }],
    ["soft, to itself", { softLink: `${events}/bl_3/again` }],
  ])("%s: are not followed", async (_, link) => {
    const path = await write({
      [`${events}/bl_3/again`]: { data: [], ...link },
      [`${events}/bl_3/tc/again`]: { data: [], ...link },
    });
    const archive = await openArchive(path);
    const names = (await archive.equipment()).filter((name) => name.endsWith("bm_1_pd_charge"));
    expect(names).toContain("bl_3/tc/bm_1_pd_charge");
    expect((await cli(["validate", path])).out).toContain("dataconvert layout");
    await archive.close();
  });
});

describe("a file that changes while it is open", () => {
  it("is noticed at the next image or value", async () => {
    const path = await write();
    const archive = await openArchive(path);
    const out = new Float32Array(ROWS * COLUMNS);
    expect(await archive.readFrame(bl, run, "MPCCD-1N0-M06-002", 101, out)).toBe(true);
    utimesSync(path, new Date(), new Date(Date.now() + 1000));
    const changed = expect.objectContaining({
      code: "FILE_CHANGED",
      message: expect.stringContaining("open it again"),
    });
    expect(() => archive.readFrame(bl, run, "MPCCD-1N0-M06-002", 103, out)).toThrow(changed);
    expect(() => archive.photonEnergyKev(bl, run)).toThrow(changed);
    await archive.close();
    appendFileSync(path, "\0".repeat(100));
    await (await openArchive(path)).close();
  });
});

describe("several runs in one file", () => {
  it("of which one is half-written: the other is read", async () => {
    const second = { ...runParts(8), "/run_8/event_info/time_stamp": undefined };
    const path = await writeHdf5(folder, "two.h5", archiveParts({}, [runParts(7), second], [8, 7]));
    const archive = await openArchive(path);
    expect([archive.runs(bl, 9), archive.name]).toEqual([[7], expect.stringContaining("(without run 8)")]);
    await archive.close();
    expect(await notesOf(path)).toEqual([expect.stringMatching(/run 8 cannot be read: .*time_stamp is not there/)]);
  });
});

describe("a folder", () => {
  const detId = "MPCCD-1N0-M06-002";
  const later = [107, 109, 111];
  const part = (tags: readonly number[]): Parts => archiveParts({}, [runParts(7, 3, tags)]);

  /** Files of one run each, in a new folder. */
  async function folderOf(contents: Readonly<Record<string, Parts>>): Promise<string> {
    const path = join(folder, `folder-${++files}`);
    mkdirSync(path);
    for (const [name, parts] of Object.entries(contents)) await writeHdf5(path, name, parts);
    return path;
  }

  it("of two files with parts of one run has that run whole", async () => {
    const path = await folderOf({ "a.h5": part(later), "b.h5": part(TAGS) });
    const source = await openArchiveFolder(path);
    expect(await source.runs(bl, 9)).toEqual([7]);
    expect([...(await source.tags(bl, run))]).toEqual([...TAGS, ...later]);
    expect([...(await source.tags(bl, run, detId))]).toEqual([...TAGS, ...later]);
    const info = await source.runInfo(bl, run);
    expect([info.start_tagnumber, info.end_tagnumber, info.total_tagnumber]).toEqual([101, 113, 12]);
    expect(info.stoptime).toBeGreaterThan(info.starttime);
    expect(info.notes).toBeUndefined();
    const out = new Float32Array(ROWS * COLUMNS);
    for (const tag of [...TAGS, ...later]) {
      expect(await source.readFrame(bl, run, detId, tag, out)).toBe(true);
      expect([...out]).toEqual(pixelsOf(tag));
    }
    const column = await source.column("bl_3/tc/bm_1_pd_charge", info.hightagnumber, Uint32Array.of(103, 109));
    expect([...column.values]).toEqual([1.5, 1.5]);
    await source.close();
    const { out: text } = await cli(["tags", "--url", path]);
    expect(text.trim().split("\n").slice(1)).toEqual([...TAGS, ...later].map(String));
  });

  it("of two files with the same shots takes the first, and says so", async () => {
    const other = part(TAGS.slice(1));
    other["/run_7/detector_2d_1/tag_103/detector_data"] = { data: new Float32Array(12).fill(9), shape: [4, 3] };
    const source = await openArchiveFolder(await folderOf({ "a.h5": part(TAGS), "b.h5": other }));
    const out = new Float32Array(ROWS * COLUMNS);
    await source.readFrame(bl, run, detId, 103, out);
    expect([...out]).toEqual(pixelsOf(103));
    expect((await source.runInfo(bl, run)).notes).toEqual([
      expect.stringMatching(/^b\.h5 has shots that a\.h5 has too/),
    ]);
    await source.close();
  });

  it("of files with a sensor each has both, and what is bad in any file", async () => {
    const name = (one: string): Parts => ({ [`${detector}/detector_info/detector_name`]: { data: one, dtype: "A19" } });
    const bad = (...at: number[]): Parts => ({
      [`${detector}/detector_info/bad_pixels`]: {
        data: Uint8Array.from({ length: ROWS * COLUMNS }, (_, i) => (at.includes(i) ? 2 : 0)),
        shape: [ROWS, COLUMNS],
      },
    });
    const [first, second] = ["MPCCD-2B1-M03-001-1", "MPCCD-2B1-M03-001-2"] as const;
    const path = await folderOf({
      "a.h5": { ...part(TAGS), ...name(first) },
      "b.h5": { ...part(TAGS), ...name(second), ...bad(1) },
      "c.h5": { ...part(later), ...name(second), ...bad(2) },
    });
    const source = await openArchiveFolder(path);
    expect(await source.badPixels?.(bl, run, first)).toBeNull();
    const found = await source.badPixels?.(bl, run, second);
    expect([...(found?.data ?? [])].slice(0, 4)).toEqual([0, 2, 2, 0]);
    expect(await source.imageOffsets?.(bl, run, second, Uint32Array.of(101))).toMatchObject({ shape: [ROWS, COLUMNS] });
    await source.close();
    const converted = await cli(["convert", "7", "--url", path, "--dark", "none", "-o", join(path, "new.h5")]);
    expect([converted.code, converted.err]).toEqual([0, expect.not.stringContaining("UNKNOWN_DETECTOR")]);
  });

  it("of files whose images differ: those of the other size are damaged, of another type float32", async () => {
    const wide = part(later);
    const whole = part([113]);
    for (const tag of later)
      wide[`${detector}/tag_${tag}/detector_data`] = { data: new Float32Array(6), shape: [2, 3] };
    whole[`${detector}/tag_113/detector_data`] = { data: Uint16Array.from(pixelsOf(113)), shape: [ROWS, COLUMNS] };
    const source = await openArchiveFolder(await folderOf({ "a.h5": whole, "b.h5": part(TAGS), "c.h5": wide }));
    const info = await source.detectorInfo(bl, run, detId);
    expect([info.ysize, info.xsize, info.pixelType]).toEqual([ROWS, COLUMNS, undefined]);
    const out = new Float32Array(ROWS * COLUMNS);
    for (const tag of [113, 101]) {
      expect(await source.readFrame(bl, run, detId, tag, out)).toBe(true);
      expect([...out]).toEqual(pixelsOf(tag));
    }
    await expect(source.readFrame(bl, run, detId, 107, out)).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      message: expect.stringContaining("c.h5"),
    });
    await source.close();
  });

  it("keeps what its files hold for the next time, and looks again at those that changed", async () => {
    const path = await folderOf({});
    const count = 40;
    const before = new Date(Date.now() - 60_000);
    const make = async (i: number, time: Date): Promise<void> => {
      const tags = TAGS.map((tag) => tag + 100 * i);
      await writeHdf5(path, `r${i}.h5`, archiveParts({}, [runParts(1000 + i, 3, tags)], [1000 + i]));
      utimesSync(join(path, `r${i}.h5`), time, time);
    };
    for (let i = 0; i < count; i++) await make(i, before);
    writeFileSync(join(path, "text.h5"), "no HDF5");
    utimesSync(join(path, "text.h5"), before, before);
    const runsOf = async (): Promise<[readonly number[], string]> => {
      const source = await openArchiveFolder(path);
      const runs = await source.runs(bl, 1000);
      await source.close();
      return [runs, source.name];
    };
    const all = Array.from({ length: count }, (_, i) => 1000 + i);
    expect(await runsOf()).toEqual([all, `the 40 archives in ${path}, without text.h5`]);
    // Other bytes, but size and time as they were: the file is not opened.
    const file = join(path, "r7.h5");
    const whole = readFileSync(file);
    writeFileSync(file, Buffer.alloc(whole.length));
    utimesSync(file, before, before);
    expect((await runsOf())[0]).toEqual(all);
    utimesSync(file, before, new Date(before.getTime() + 1000));
    expect(await runsOf()).toEqual([
      all.filter((number) => number !== 1007),
      `the 39 archives in ${path}, without r7.h5, text.h5`,
    ]);
    // A file comes back, one is new, one is gone, and the index is damaged.
    writeFileSync(file, whole);
    await make(count, new Date());
    rmSync(join(path, "r0.h5"));
    const expected = [...all.slice(1), 1000 + count];
    expect((await runsOf())[0]).toEqual(expected);
    const indexes = join(cache, "sacla", "folders");
    for (const name of readdirSync(indexes)) writeFileSync(join(indexes, name), '{"sacla":');
    expect((await runsOf())[0]).toEqual(expected);
    const source = await openArchiveFolder(path);
    const hightag = (await source.runInfo(bl, 1001)).hightagnumber;
    expect(await source.newestTag("bl_3/tc/bm_1_pd_charge")).toEqual([hightag, 105 + 100 * count]);
    await expect(source.newestTag("none")).rejects.toMatchObject({ code: "UNKNOWN_SIGNAL" });
    await source.close();
    // A signal that one run lacks is looked for in its files alone.
    const again = await openArchiveFolder(path);
    const opened = vi.spyOn(H5File, "open");
    const tags = Uint32Array.from(TAGS, (tag) => tag + 100);
    await expect(again.column("bl_3/tc/bm_1_pd_charg", hightag, tags)).rejects.toMatchObject({
      code: "UNKNOWN_SIGNAL",
      details: { near: expect.arrayContaining(["bl_3/tc/bm_1_pd_charge"]) },
    });
    expect(opened).toHaveBeenCalledTimes(1);
    opened.mockRestore();
    await again.close();
  });

  itInFull("with more files than are held open reads all of them, and notices one that changes", async () => {
    const path = await folderOf({});
    const count = 80;
    for (let i = 0; i < count; i++) {
      const tags = TAGS.map((tag) => tag + 100 * i);
      await writeHdf5(path, `r${100 + i}.h5`, archiveParts({}, [runParts(1000 + i, 3, tags)], [1000 + i]));
    }
    writeFileSync(join(path, "bad.h5"), "no HDF5");
    const source = await openArchiveFolder(path);
    expect(source.name).toContain("without bad.h5");
    expect(await source.runs(bl, 1000)).toHaveLength(count);
    const out = new Float32Array(ROWS * COLUMNS);
    for (let i = 0; i < count; i++) {
      expect(await source.readFrame(bl, 1000 + i, detId, 101 + 100 * i, out)).toBe(true);
      expect([...out]).toEqual(pixelsOf(101 + 100 * i));
    }
    const open = readdirSync("/proc/self/fd").length;
    expect(open).toBeLessThan(2 * 64 + 60);
    utimesSync(join(path, "r100.h5"), new Date(), new Date(Date.now() + 1000));
    await expect(source.runInfo(bl, 1000)).rejects.toMatchObject({ code: "FILE_CHANGED" });
    await source.close();
    await expect(source.runInfo(bl, 1001)).rejects.toMatchObject({ code: "CLOSED" });
  });
});
