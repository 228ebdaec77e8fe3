import fs, { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { archiveParts, COLUMNS, type Parts, ROWS, TAGS, writeHdf5 } from "../../../support/archive-parts.ts";
import { times } from "../../../support/full.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
const detId = "MPCCD-1N0-M06-002";
const detector = "/run_7/detector_2d_1";
const events = "/run_7/event_info";
const hightag = 202502;
let count = 0;

/** 0 where the system does not tell. */
function openFiles(): number {
  return existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;
}

function written(content: string | Uint8Array): string {
  const path = join(folder, `bad-${count++}.h5`);
  writeFileSync(path, content);
  return path;
}

async function archiveWith(changes: Parts): Promise<string> {
  return await writeHdf5(folder, `layout-${count++}.h5`, archiveParts(changes));
}

describe("what is not an HDF5 file", () => {
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13);
  it.each([
    ["nothing", () => join(folder, "none.h5"), "FILE_NOT_FOUND", /none\.h5" does not exist/],
    ["a folder", () => folder, "FILE_NOT_FOUND", /is a folder/],
    ["a device", () => "/dev/null", "FILE_NOT_FOUND", /is not a file/],
    ["an empty file", () => written(""), "NOT_HDF5", /is empty/],
    ["a text", () => written("tag,value\n".repeat(500)), "NOT_HDF5", /is not HDF5/],
    ["a picture", () => written(png), "NOT_HDF5", /is not HDF5/],
    ["the start of the signature", () => written("\x89HDF"), "NOT_HDF5", /is not HDF5/],
  ])("%s is refused", async (_, path, code, message) => {
    await expect(openArchive(path())).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("a path or option of the wrong kind is refused", async () => {
    await expect(openArchive("")).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(openArchive(fixture, { bl: 1.5 })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/bl is 1\.5/),
    });
    await expect(openArchive(fixture, { highTag: 1 } as object)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/highTag/),
    });
  });
});

describe("one of several files that a driver of HDF5 reads as one", () => {
  it.each([
    ["NCSAfami", /is the first of a family of files, .*driver="family", memb_size=/],
    ["NCSAmult", /is a part of a file that HDF5 has split, .*driver="split"/],
  ])("%s: is refused with what to do", async (driver, message) => {
    const bytes = readFileSync(fixture).subarray(0, 9000);
    bytes.write(driver, 104, "latin1");
    await expect(openArchive(written(bytes))).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      message: expect.stringMatching(message),
    });
  });
});

describe("a truncated file", () => {
  it.each([8, 100, 2048, 400_000])("of %i bytes is damaged, and says so shortly", async (bytes) => {
    const error: unknown = await openArchive(written(readFileSync(fixture).subarray(0, bytes))).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: "FILE_DAMAGED",
      message: expect.stringMatching(/is HDF5 but does not open \(.+\); copy or convert it again/),
    });
    if (!(error instanceof Error)) throw new Error("not an error");
    expect(error.message.length).toBeLessThan(400);
    expect(error.cause).toMatchObject({ message: expect.stringContaining("HDF5-DIAG") });
  });

  it("is found with a user block in front, and HDF5 behind one is read", async () => {
    const bytes = readFileSync(fixture);
    const whole = await openArchive(written(Buffer.concat([Buffer.alloc(1024, "x"), bytes])));
    expect(whole.runs(2, 1)).toEqual([300001]);
    whole.close();
    await expect(
      openArchive(written(Buffer.concat([Buffer.alloc(512, "x"), bytes.subarray(0, 9000)]))),
    ).rejects.toMatchObject({ code: "FILE_DAMAGED" });
  });

  it("can be tried thousands of times: nothing is printed, no file stays open, and good files still open", async () => {
    const bad = written(readFileSync(fixture).subarray(0, 3000));
    const printed = vi.spyOn(fs, "writeSync");
    await openArchive(bad).catch(() => undefined);
    const before = openFiles();
    for (let i = 0; i < times(3000, 300); i++)
      await expect(openArchive(bad)).rejects.toMatchObject({ code: "FILE_DAMAGED" });
    expect(openFiles()).toBeLessThanOrEqual(before + 2);
    expect(printed.mock.calls.filter(([fd]) => fd === 2)).toEqual([]);
    printed.mockRestore();
    const good = await openArchive(fixture);
    expect(good.readFrame(2, 300001, "MPCCD-8B0-2-010-1", 384559321, new Float32Array(64 * 32))).toBe(true);
    good.close();
  });
});

describe("HDF5 of another layout", () => {
  it.each([
    ["none of it", { "/entry/data/data": { data: [1, 2, 3] } }, "/file_info/run_number_list is not there"],
    [
      "an empty run list",
      archiveParts({ "/file_info/run_number_list": { data: new Int32Array(0) } }),
      "/file_info/run_number_list is empty",
    ],
    [
      "no tag list",
      archiveParts({ [`${events}/tag_number_list`]: undefined }),
      `${events}/tag_number_list is not there`,
    ],
    ["no time", archiveParts({ [`${events}/time_stamp`]: undefined }), `${events}/time_stamp is not there`],
    [
      "no start tag",
      archiveParts({ "/run_7/run_info/start_tag_number": undefined }),
      "/run_7/run_info/start_tag_number is not there",
    ],
    [
      "tags as text",
      archiveParts({ [`${events}/tag_number_list`]: { data: ["a", "b", "c"] } }),
      `${events}/tag_number_list of .* is text of shape \\[3\\], but must be a list of numbers`,
    ],
    [
      "a tag that is not whole",
      archiveParts({ [`${events}/tag_number_list`]: { data: Float64Array.of(101, 103.5, 105) } }),
      "tag_number_list has 103.5, which is not a tag",
    ],
    [
      "start tags",
      archiveParts({ "/run_7/run_info/start_tag_number": { data: [1, 2] } }),
      "start_tag_number of .* is 2 numbers, but must be one",
    ],
  ] satisfies [string, Parts, string][])("%s: the path is named", async (_, parts, message) => {
    const path = await writeHdf5(folder, `foreign-${count++}.h5`, parts);
    await expect(openArchive(path)).rejects.toMatchObject({
      code: "NOT_DATACONVERT",
      message: expect.stringMatching(message),
    });
  });

  it("no event_info: the beamline or the tag list is named", async () => {
    const without = Object.fromEntries(
      Object.keys(archiveParts()).flatMap((path) => (path.startsWith(events) ? [[path, undefined]] : [])),
    );
    const path = await archiveWith(without);
    await expect(openArchive(path)).rejects.toMatchObject({
      code: "NOT_DATACONVERT",
      message: expect.stringContaining(`${events}/bl_<n> is not there`),
    });
    await expect(openArchive(path, { bl: 3 })).rejects.toMatchObject({
      message: expect.stringContaining(`${events}/tag_number_list is not there`),
    });
  });
});

describe("a half-written file", () => {
  it.each([
    ["no tag at all", { [`${events}/tag_number_list`]: { data: new Int32Array(0) } }, "tag_number_list is empty"],
    ["a tag twice", { [`${events}/tag_number_list`]: { data: [101, 103, 103] } }, "names a tag twice"],
    [
      "tags outside the run",
      { "/run_7/run_info/end_tag_number": { data: 105 } },
      "has tags 101 to 105, outside the run's 101 to 104",
    ],
    [
      "fewer times than tags",
      { [`${events}/time_stamp`]: { data: Float64Array.of(1.76e9) } },
      "time_stamp has 1 values, but .*tag_number_list has 3 tags",
    ],
    [
      "no time that is a number",
      { [`${events}/time_stamp`]: { data: Float64Array.of(NaN, NaN, NaN) } },
      "has no time for any of its 3 tags",
    ],
  ] satisfies [string, Parts, string][])("%s is found on opening", async (_, changes, message) => {
    await expect(openArchive(await archiveWith(changes))).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      message: expect.stringMatching(message),
    });
  });

  it("a signal longer or shorter than the tag list is an error of that signal only", async () => {
    for (const values of [Float32Array.of(1, 2, 3, 4), Float32Array.of(1, 2)]) {
      const archive = await openArchive(await archiveWith({ [`${events}/bl_3/tc/bm_1_pd_charge`]: { data: values } }));
      expect(() => archive.column("xfel_bl_3_tc_bm_1_pd/charge", hightag, Uint32Array.of(101))).toThrow(
        expect.objectContaining({
          code: "FILE_DAMAGED",
          message: expect.stringMatching(/bm_1_pd_charge has \d values, but .*tag_number_list has 3 tags/),
        }),
      );
      expect([
        ...(await archive.column("bl_3/shutter_1_open_valid_status", hightag, Uint32Array.of(101))).values,
      ]).toEqual([1]);
      archive.close();
    }
  });

  it("a signal that is no list of numbers is named", async () => {
    const archive = await openArchive(
      await archiveWith({
        [`${events}/bl_3/wave`]: { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] },
      }),
    );
    expect(() => archive.column("bl_3/wave", hightag, Uint32Array.of(101))).toThrow(
      expect.objectContaining({
        code: "NOT_DATACONVERT",
        message: expect.stringMatching(/must be a list of numbers/),
      }),
    );
    archive.close();
  });

  it("an image of another shape is an error of that image only", async () => {
    const archive = await openArchive(
      await archiveWith({ [`${detector}/tag_103/detector_data`]: { data: Float32Array.of(1, 2), shape: [2, 1] } }),
    );
    const out = new Float32Array(ROWS * COLUMNS);
    expect(() => archive.readFrame(3, 7, detId, 103, out)).toThrow(
      expect.objectContaining({
        code: "FILE_DAMAGED",
        message: expect.stringMatching(/tag_103\/detector_data.*shape \[2, 1\].*have shape \[4, 3\]/),
      }),
    );
    expect(archive.readFrame(3, 7, detId, 105, out)).toBe(true);
    archive.close();
  });

  it("an image that is not 2-D is named", async () => {
    const changes = Object.fromEntries(
      TAGS.map((tag) => [`${detector}/tag_${tag}/detector_data`, { data: Float32Array.of(1, 2) }]),
    );
    const archive = await openArchive(await archiveWith(changes));
    expect(() => archive.detectorInfo(3, 7, detId)).toThrow(
      expect.objectContaining({ code: "NOT_DATACONVERT", message: expect.stringMatching(/shape \[2\]/) }),
    );
    archive.close();
  });
});

describe("damage inside a file that opens", () => {
  const sensor = "MPCCD-8B0-2-010-1";
  const out = new Float32Array(64 * 32);

  it("a spoilt compressed image is an error of that image only, as often as it is asked for", async () => {
    const bytes = readFileSync(fixture);
    // The first zlib stream in the file: header 78 5e (level 4 as h5py writes it).
    const stream = bytes.indexOf(Buffer.from([0x78, 0x5e]));
    expect(stream).toBeGreaterThan(0);
    bytes.fill(0xaa, stream + 20, stream + 200);
    const archive = await openArchive(written(bytes));
    let failed = 0;
    for (const tag of await archive.tags(2, 300001)) {
      try {
        archive.readFrame(2, 300001, sensor, tag, out);
      } catch (error) {
        expect(error).toMatchObject({
          code: "FILE_DAMAGED",
          message: expect.stringMatching(/tag_\d+\/detector_data of .* cannot be read \(.*filter/),
        });
        failed++;
        for (let i = 0; i < times(2500, 250); i++)
          expect(() => archive.readFrame(2, 300001, sensor, tag, out)).toThrow();
      }
    }
    expect(failed).toBe(1);
    archive.close();
  });

  it("a filter that is not built in is named with a way out", async () => {
    const bytes = readFileSync(fixture);
    // In this old file format the filter's id stands 8 bytes before its name, without a checksum.
    for (let at = bytes.indexOf("deflate\0"); at >= 0; at = bytes.indexOf("deflate\0", at + 1)) {
      bytes.writeUInt16LE(32008, at - 8);
      bytes.write("bitshuf\0", at, "latin1");
    }
    const archive = await openArchive(written(bytes));
    expect(() => archive.readFrame(2, 300001, sensor, 384559321, out)).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED",
        message: expect.stringMatching(/filter bitshuf \(id 32008\), which is not built in.*h5repack -f GZIP/),
      }),
    );
    expect(archive.readFrame(2, 300001, "MPCCD-8B0-2-010-2", 384559321, out)).toBe(true);
    archive.close();
  });
});

describe("close", () => {
  it("may be called twice; what is asked afterwards is CLOSED", async () => {
    const archive = await openArchive(fixture);
    archive.close();
    archive.close();
    const asked = [
      () => archive.readFrame(2, 300001, "MPCCD-8B0-2-010-1", 384559321, new Float32Array(64 * 32)),
      () => archive.detectorInfo(2, 300001, "MPCCD-8B0-2-010-1"),
      () => archive.equipment(),
      () => archive.photonEnergyKev(2, 300001),
    ];
    for (const ask of asked)
      expect(ask).toThrow(expect.objectContaining({ code: "CLOSED", message: expect.stringMatching(/was closed/) }));
  });

  it("leaves another opening of the same file alone", async () => {
    const [first, second] = [await openArchive(fixture), await openArchive(fixture)];
    first.close();
    expect(second.readFrame(2, 300001, "MPCCD-8B0-2-010-1", 384559321, new Float32Array(64 * 32))).toBe(true);
    second.close();
  });

  it("is done by itself when opening fails half-way", async () => {
    const bad = await archiveWith({ [`${events}/time_stamp`]: undefined });
    await openArchive(bad).catch(() => undefined);
    const before = openFiles();
    for (let i = 0; i < 20; i++) await openArchive(bad).catch(() => undefined);
    expect(openFiles()).toBeLessThanOrEqual(before + 2);
  });
});

describe("paths", () => {
  it("with blanks and other scripts open", async () => {
    const place = join(folder, "実験 データ");
    mkdirSync(place);
    const path = await writeHdf5(place, "run 7.h5", archiveParts());
    const archive = await openArchive(path);
    expect(archive.name).toBe(`the archive ${path}`);
    archive.close();
    truncateSync(path, 100);
    await expect(openArchive(path)).rejects.toMatchObject({ code: "FILE_DAMAGED" });
  });
});
