import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { isSaclaError } from "../../../../src/core/errors.ts";
import { newPixels, type Pixels } from "../../../../src/core/ndarray.ts";
import { Random } from "../../../../src/core/random.ts";
import { Hdf5Bytes } from "../../../../src/hdf5/direct/bytes.ts";
import { objectAt } from "../../../../src/hdf5/direct/group.ts";
import { ImageOffsets } from "../../../../src/hdf5/direct/image-offsets.ts";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { H5File } from "../../../../src/hdf5/read/h5file.ts";
import { endpointOf } from "../../../../src/source/source-endpoint.ts";
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
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const python = pythonWith("numpy", "h5py");
const script = fileURLToPath(new URL("image-offsets.py", import.meta.url));
const detId = "MPCCD-1N0-M06-002";
const detector = "/run_7/detector_2d_1";
const threeTags = Uint32Array.from(TAGS);
let count = 0;

/** Runs the script: the path of the file it writes, and what h5py says is in it. */
function byPython<T>(what: string, libver: string): { path: string; truth: T } {
  const path = join(folder, `${what}-${libver}.h5`);
  const out = execFileSync(python ?? "python3", [script, what, path, libver], { encoding: "utf8", maxBuffer: 2 ** 26 });
  return { path, truth: JSON.parse(out) as T };
}

async function written(changes: Parts = {}): Promise<string> {
  return await writeHdf5(folder, `offsets-${count++}.h5`, archiveParts(changes));
}

function hashOf(pixels: Pixels): string {
  return createHash("sha256")
    .update(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength))
    .digest("hex");
}

/** Images of the given pixels, one a tag. */
function imagesOf(data: (tag: number) => Uint16Array | Float32Array, shape: number[] = [1, 3], gzip = false): Parts {
  return Object.fromEntries(
    TAGS.map((tag) => [`${detector}/tag_${tag}/detector_data`, { data: data(tag), shape, gzip }]),
  );
}

/** An error of the library is no surprise. */
function ours(error: unknown): undefined {
  if (!isSaclaError(error)) throw error;
}

describe("images of every type and storage", () => {
  /** What is left to the library; all others are read from their place. */
  const leftOut = /-checksum$/;
  for (const libver of ["earliest", "latest"]) {
    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `are the same bit for bit as by the library and by numpy, libver ${libver}`,
      async () => {
        const { path, truth } = byPython<Record<string, string>>("storages", libver);
        const file = await H5File.open(path);
        const archive = await openArchive(path);
        const tags = Uint32Array.of(101, 103);
        const ids = (await archive.detectors(3, 7)).toSorted();
        expect(ids.length).toBe(108);
        for (const [k] of ids.entries()) {
          const group = `/run_7/detector_2d_${k + 1}`;
          const id = file.text(`${group}/detector_info/detector_name`) ?? "";
          const offsets = new ImageOffsets(file.fileBytes, group, tags);
          const { ysize, xsize, pixelType } = await archive.detectorInfo(3, 7, id);
          expect([id, pixelType]).toEqual([id, id.startsWith("u2") ? "uint16" : undefined]);
          for (const type of ["float32", ...(pixelType === undefined ? [] : [pixelType])] as const) {
            for (const tag of tags) {
              const [direct, library, asked] = [1, 2, 3].map(() => newPixels(ysize * xsize, type)) as [
                Pixels,
                Pixels,
                Pixels,
              ];
              const isRead = await offsets.read(tag, [ysize, xsize], direct);
              expect([id, type, isRead]).toEqual([id, type, !leftOut.test(id)]);
              file.readImage(`${group}/tag_${tag}/detector_data`, ysize, xsize, library);
              if (isRead) expect([id, hashOf(direct)]).toEqual([id, hashOf(library)]);
              expect(await archive.readFrame(3, 7, id, tag, asked)).toBe(true);
              expect([id, hashOf(asked)]).toEqual([id, hashOf(library)]);
              expect([id, hashOf(asked instanceof Uint16Array ? Float32Array.from(asked) : asked)]).toEqual([
                id,
                truth[`${id} ${tag}`],
              ]);
            }
          }
        }
        file.close();
        await archive.close();
      },
    );
  }
});

describe("numbers of unusual types", () => {
  itNeeding(python !== undefined, "no Python with numpy and h5py", "are read as float16, or named", async () => {
    const { path } = byPython("odd-types", "latest");
    const archive = await openArchive(path);
    const half = await archive.column("bl_3/eh_1/half", (await archive.runInfo(3, 7)).hightagnumber, threeTags);
    expect([...half.values, ...half.status]).toEqual([0.5, -65504, NaN, 0, 0, 1]);
    expect([...(await archive.tags(3, 7, detId))]).toEqual([103]);
    const out = new Float32Array(6);
    expect([await archive.readFrame(3, 7, detId, 103, out), ...out]).toEqual([true, 0, 1, 2, 3, 4, 5]);
    for (const [tag, what] of [
      [101, "floating-point numbers of 80 bits in 16 bytes each"],
      [105, "whole numbers of 12 bits in 2 bytes each"],
    ] as const) {
      const reading = async () => await archive.readFrame(3, 7, detId, tag, out);
      await expect(reading()).rejects.toMatchObject({
        code: "FILE_DAMAGED",
        message: expect.stringMatching(`tag_${tag}/detector_data .* is of ${what}, which sacla does not read`),
      });
    }
    const { notes = [] } = await archive.runInfo(3, 7);
    expect(notes).toEqual([expect.stringMatching(/eh_1\/wide.* f16/)]);
    await archive.close();
  });
});

describe("a list of filters that one bit turned into something else", () => {
  itNeeding(python !== undefined, "no Python with numpy and h5py", "is damage; other images are read", async () => {
    const { path } = byPython("lost-filter", "earliest");
    const archive = await openArchive(path);
    const out = new Uint16Array(6);
    const reading = async () => await archive.readFrame(3, 7, detId, 101, out);
    await expect(reading()).rejects.toMatchObject({ code: "FILE_DAMAGED" });
    expect([await archive.readFrame(3, 7, detId, 103, out), ...out]).toEqual([true, 0, 1, 2, 3, 4, 5]);
    await archive.close();
  });
});

describe("a group of many members", () => {
  it("is listed once for all paths that lead through it", async () => {
    const links = Array.from({ length: 1100 }, (_, k): [string, { data: number[]; softLink: string }] => {
      return [`/link_${k}`, { data: [], softLink: "/run_7" }];
    });
    const file = await H5File.open(await written(Object.fromEntries(links)));
    const view = vi.spyOn(file.fileBytes, "view");
    objectAt(file.fileBytes, detector);
    const first = view.mock.calls.length;
    objectAt(file.fileBytes, "/run_7/event_info");
    expect(view.mock.calls.length - first).toBeLessThan(first / 10);
    file.close();
  });
});

describe("few images of many", () => {
  it("are found by name without a list of all groups, as all of them are", async () => {
    const tags = Array.from({ length: 3000 }, (_, k) => 97 + 2 * k);
    const links = tags.slice(1).map((tag): [string, Parts[string]] => {
      const isSoft = tag % 10 === 5;
      const target = `${detector}/tag_97`;
      return [`${detector}/tag_${tag}`, { data: [], ...(isSoft ? { softLink: target } : { hardLink: target }) }];
    });
    const run = runParts(7, 3, [97]);
    const path = await writeHdf5(folder, `few-${count++}.h5`, archiveParts(Object.fromEntries(links), [run]));
    const asked = Uint32Array.from([...tags, 6100]);
    const [some, all] = [0, 1].map(() => new ImageOffsets(Hdf5Bytes.open(path), detector, asked));
    for (const tag of asked) all?.state(tag);
    const few = [97, 99, 105, 997, 1001, 3455, 6095].map((tag) => [tag, some?.state(tag)]);
    expect(few).toEqual(few.map(([tag]) => [tag, all?.state(Number(tag))]));
    expect(some?.state(6100)).toBe("none");
    expect(few.slice(0, 3)).toEqual([
      [97, "all"],
      [99, "all"],
      [105, undefined],
    ]);
    const file = await H5File.open(path);
    const bytes = vi.spyOn(file.fileBytes, "bytes");
    const offsets = new ImageOffsets(file.fileBytes, detector, asked);
    expect(offsets.hasGroups).toBe(true);
    for (const tag of [97, 99, 3457]) expect(offsets.state(tag)).toBe("all");
    // The names, the root of the tree and what leads down from it: some 400 tables hold the groups.
    expect(bytes.mock.calls.length).toBeLessThan(40);
    file.close();
  });
});

describe("many and far images", () => {
  for (const libver of ["earliest", "latest"]) {
    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `of ${libver === "earliest" ? 10_000 : 3000} tags are found as by h5py, libver ${libver}`,
      async () => {
        const { path, truth } = byPython<{ tags: number[]; has: number[]; pixels: [number, number][] }>("many", libver);
        const offsets = new ImageOffsets(Hdf5Bytes.open(path), detector, Uint32Array.from(truth.tags));
        expect(truth.tags.filter((tag) => offsets.state(tag) === "all")).toEqual(truth.has);
        const archive = await openArchive(path);
        expect([...(await archive.tags(3, 7, detId))]).toEqual(truth.has);
        const out = new Uint16Array(2);
        for (const [k, tag] of truth.has.entries()) {
          if (
            !(await archive.readFrame(3, 7, detId, tag, out)) ||
            out[0] !== truth.pixels[k]?.[0] ||
            out[1] !== truth.pixels[k]?.[1]
          ) {
            expect([tag, ...out]).toEqual([tag, ...(truth.pixels[k] ?? [])]);
          }
        }
        await archive.close();
      },
    );

    itNeeding(
      python !== undefined,
      "no Python with numpy and h5py",
      `beyond 4 GiB and 6 GiB are right, libver ${libver}`,
      async () => {
        const { path, truth } = byPython<Record<string, { sum: number; address: number }>>("large", libver);
        expect(statSync(path).size).toBeGreaterThan(2 ** 33);
        expect(truth["105"]?.address).toBeGreaterThan(6 * 2 ** 30);
        const tags = Object.keys(truth).map(Number);
        const offsets = new ImageOffsets(Hdf5Bytes.open(path), detector, Uint32Array.from(tags));
        const archive = await openArchive(path);
        const { ysize, xsize } = await archive.detectorInfo(3, 7, detId);
        for (const tag of tags) {
          const [direct, asked] = [new Uint16Array(ysize * xsize), new Uint16Array(ysize * xsize)];
          expect(await offsets.read(tag, [ysize, xsize], direct)).toBe(true);
          expect(await archive.readFrame(3, 7, detId, tag, asked)).toBe(true);
          expect([direct, asked].map((image) => image.reduce((sum, pixel) => sum + pixel, 0))).toEqual([
            truth[tag]?.sum,
            truth[tag]?.sum,
          ]);
        }
        await archive.close();
        rmSync(path);
      },
    );
  }
});

describe("without Python", () => {
  it("files of h5wasm, with few and with many members, are read from their offsets", async () => {
    for (const gzip of [false, true]) {
      const members = Object.fromEntries(
        Array.from({ length: 300 }, (_, i) => [
          `${detector}/tag_${200 + i}/detector_data`,
          { data: Uint16Array.of(i), shape: [1, 1], gzip },
        ]),
      );
      const path = await written({ ...imagesOf((tag) => Uint16Array.of(tag, 65_535, 0), [1, 3], gzip), ...members });
      const raw = Hdf5Bytes.open(path);
      const offsets = new ImageOffsets(raw, detector, Uint32Array.from([...TAGS, 200, 499, 500]));
      const out = new Uint16Array(3);
      expect(offsets.read(103, [1, 3], out)).toBe(true);
      expect([...out]).toEqual([103, 65_535, 0]);
      expect(offsets.read(499, [1, 1], out.subarray(0, 1))).toBe(true);
      expect(out[0]).toBe(299);
      expect([101, 102, 200, 500].map((tag) => offsets.state(tag))).toEqual(["all", "none", "all", "none"]);
      raw.close();
    }
  });

  it("a user block in front moves every address", async () => {
    const path = await written(imagesOf((tag) => Uint16Array.of(tag, 1, 2)));
    writeFileSync(path, Buffer.concat([Buffer.alloc(2048, "x"), readFileSync(path)]));
    const out = new Uint16Array(3);
    expect(new ImageOffsets(Hdf5Bytes.open(path), detector, Uint32Array.from(TAGS)).read(105, [1, 3], out)).toBe(true);
    expect([...out]).toEqual([105, 1, 2]);
  });

  it("u2 pixels are streamed as they are stored, and collected as float32", async () => {
    const endpoint = endpointOf(await openArchive(await written(imagesOf(() => Uint16Array.of(65_535, 0, 7)))));
    const where = { bl: 3, run: 7, detIds: [detId], tags: Uint32Array.from(TAGS), roi: null };
    for await (const { frames } of endpoint.stream("st.frames", where))
      expect(frames.map(({ data }) => data)).toEqual([Uint16Array.of(65_535, 0, 7)]);
    const { frame } = await endpoint.call("st.collect", { detId, bl: 3, runs: [7], tag: 103 });
    expect(frame.data).toEqual(Float32Array.of(65_535, 0, 7));
    await endpoint.close();
  });

  it("an image of another type than the first is refused as uint16, naming it, and right as float32", async () => {
    const odd = { [`${detector}/tag_105/detector_data`]: { data: Float32Array.of(0.5, -1, 1e9), shape: [1, 3] } };
    const archive = await openArchive(await written({ ...imagesOf((tag) => Uint16Array.of(tag, 1, 2)), ...odd }));
    const out = new Uint16Array(3);
    expect(archive.readFrame(3, 7, detId, 103, out)).toBe(true);
    expect(() => archive.readFrame(3, 7, detId, 105, out)).toThrow(
      expect.objectContaining({
        code: "FILE_DAMAGED",
        message: expect.stringMatching(
          /tag_105\/detector_data .* is f4 of shape \[1, 3\], but the detector's images are u2/,
        ),
      }),
    );
    const wide = new Float32Array(3);
    expect(archive.readFrame(3, 7, detId, 105, wide)).toBe(true);
    expect([...wide]).toEqual([0.5, -1, 1e9]);
    archive.close();
  });

  it("a u2 image after float32 ones is given as float32", async () => {
    const odd = {
      [`${detector}/tag_105/detector_data`]: { data: Uint16Array.from(pixelsOf(105)), shape: [ROWS, COLUMNS] },
    };
    const archive = await openArchive(await written(odd));
    const out = new Float32Array(ROWS * COLUMNS);
    for (const tag of TAGS) {
      expect(archive.readFrame(3, 7, detId, tag, out)).toBe(true);
      expect([...out]).toEqual(pixelsOf(tag));
    }
    archive.close();
  });

  it("an image of another shape is refused, also when its place is known", async () => {
    const odd = { [`${detector}/tag_105/detector_data`]: { data: Uint16Array.of(1, 2, 3), shape: [3, 1] } };
    const archive = await openArchive(await written({ ...imagesOf((tag) => Uint16Array.of(tag, 1, 2)), ...odd }));
    expect(() => archive.readFrame(3, 7, detId, 105, new Uint16Array(3))).toThrow(
      expect.objectContaining({ code: "FILE_DAMAGED", message: expect.stringMatching(/\[3, 1\].*\[1, 3\]/) }),
    );
    archive.close();
  });

  it("a place that is not where the library finds the image is not used again", async () => {
    const archive = await openArchive(await written(imagesOf((tag) => Uint16Array.of(tag, 1, 2))));
    const wrong = vi.spyOn(ImageOffsets.prototype, "read").mockImplementation((_tag, _shape, out) => {
      out.fill(9);
      return true;
    });
    const out = new Uint16Array(3);
    for (const tag of TAGS) {
      expect(archive.readFrame(3, 7, detId, tag, out)).toBe(true);
      expect([...out]).toEqual([tag, 1, 2]);
    }
    expect(wrong).toHaveBeenCalledTimes(1);
    wrong.mockRestore();
    archive.close();
  });

  it("a closed file is not read, whatever was known", async () => {
    const archive = await openArchive(await written(imagesOf((tag) => Uint16Array.of(tag, 1, 2))));
    const out = new Uint16Array(3);
    for (const tag of TAGS) expect(archive.readFrame(3, 7, detId, tag, out)).toBe(true);
    archive.close();
    expect(() => archive.readFrame(3, 7, detId, 101, out)).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });

  it("a spoilt file gives an error of ours or an answer, never anything else", async () => {
    const good = readFileSync(await written(imagesOf((tag) => Uint16Array.of(tag, 1, 2), [1, 3], true)));
    const path = join(folder, "spoilt.h5");
    const draw = new Random(11);
    for (let round = 0; round < 150; round++) {
      const bad = Buffer.from(good);
      for (let k = 0; k < 4; k++)
        bad[9 + Math.floor(draw.uniform() * (bad.length - 9))] = Math.floor(draw.uniform() * 256);
      writeFileSync(path, bad);
      const raw = Hdf5Bytes.open(path);
      const offsets = new ImageOffsets(raw, detector, Uint32Array.from(TAGS));
      for (const tag of TAGS) expect([true, false]).toContain(await offsets.read(tag, [1, 3], new Uint16Array(3)));
      raw.close();
      const archive = await openArchive(path).catch(ours);
      for (const tag of TAGS)
        await (async () => await archive?.readFrame(3, 7, detId, tag, new Float32Array(3)))().catch(ours);
      await archive?.close();
    }
  });
});
