import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
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
import { type DataSource, endpointOf } from "../../../../src/source/index.ts";
import { St } from "../../../../src/st/index.ts";
import { inProcess } from "../../../../src/transport/index.ts";
import { itNeeding, pythonWith } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";
import { tinyColumns, tinyPixel, tinyRows, tinySource } from "../../../support/tiny-source.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../../../fixtures/tiny-octal.h5", import.meta.url));
const oracle = fileURLToPath(new URL("digests.py", import.meta.url));
const python = pythonWith("h5py", "numpy");
const camera = "OPAL-234363";
let files = 0;

function over(source: DataSource) {
  const endpoint = inProcess(endpointOf(source));
  return { db: new Db(endpoint), st: new St(endpoint) };
}

async function write(request: Partial<ConvertRequest> = {}): Promise<Converted> {
  const path = join(folder, `d${++files}.h5`);
  return await convert(over(tinySource()), { bl: 3, run: 10, signals: [], detectors: [camera], ...request }, path);
}

async function octal(request: Partial<ConvertRequest>): Promise<Converted> {
  const archive = await openArchive(fixture);
  try {
    return await convert(over(archive), { bl: 2, run: 300001, ...request }, join(folder, `o${++files}.h5`));
  } finally {
    await archive.close();
  }
}

/** Images with the right digest, those with another, and those that are absent. */
function recomputed(path: string): unknown {
  return JSON.parse(execFileSync(python ?? "", [oracle, path], { encoding: "utf8" }));
}

/** Changes one bit of a file, `after` the first place of these bytes. */
function flip(path: string, bytes: Uint8Array, after = 0): void {
  const content = readFileSync(path);
  const at = content.indexOf(bytes) + after;
  expect(at).toBeGreaterThanOrEqual(after);
  content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(path, content);
}

/** An image of the camera as it is stored. */
function stored(tag: number): Buffer {
  const pixels = Float32Array.from({ length: tinyRows * tinyColumns }, (_, i) =>
    tinyPixel(camera, tag, Math.floor(i / tinyColumns), i % tinyColumns),
  );
  return Buffer.from(pixels.buffer);
}

const broken = async (path: string) => {
  const { findings } = await validateFile(path);
  return findings.map(({ rule, path: place, message }) => `${rule}: ${place} ${message}`);
};

describe("digests of images", () => {
  itNeeding(
    python !== undefined,
    "no Python with h5py",
    "are those that hashlib gives for what h5py reads",
    async () => {
      for (const request of [{}, { compression: "gzip-2" }, { fletcher32: true }, { pixels: "uint16" }] as const)
        expect(recomputed((await octal(request)).path), JSON.stringify(request)).toEqual([71, [], 1]);
      const assembled = await octal({ shots: "exposed", assembled: true, missing: "drop" });
      expect(recomputed(assembled.path)).toEqual([assembled.images, [], 0]);
      for (const format of ["cheetah", "nxmx"] as const) {
        for (const fletcher32 of [false, true]) {
          const { path, images } = await octal({ format, fletcher32, shots: "exposed", dark: "none" });
          expect(recomputed(path), format).toEqual([images, [], 0]);
          expect(await broken(path)).toEqual([]);
        }
      }
    },
  );

  it("name the image whose pixels changed, in validate and in replay", async () => {
    const { path } = await write();
    expect(await broken(path)).toEqual([]);
    flip(path, stored(1006), 5);
    const place = "/run_10/detector_2d_1/tag_1006/detector_data";
    expect(await broken(path)).toEqual([`image-digest: ${place} has other pixels than were converted`]);
    const { isSame, difference } = await replay(over(tinySource()), path);
    expect(isSame).toBe(false);
    expect(difference).toBe(`${place} has other pixels than were converted; ${place} has other content from byte 5 on`);
  });

  it("name the image of a stack by its place and tag", async () => {
    const { path, images } = await octal({ format: "nxmx", shots: "exposed", dark: "none" });
    const file = await H5File.open(path);
    const third = file.bytes("/entry/data/data", 2).bytes;
    expect(file.bytes("/entry/data/data", images).bytes).toHaveLength(0);
    file.close();
    flip(path, third.subarray(0, 256));
    expect(await broken(path)).toEqual([
      expect.stringMatching(
        /^image-digest: \/entry\/data\/data\[2\] \(tag \d+\) has other pixels than were converted$/,
      ),
    ]);
  });

  it("tell a digest that was lost, as zeros are", async () => {
    const { path } = await write();
    const digest = createHash("sha256").update(stored(1006)).digest();
    const content = readFileSync(path);
    content.fill(0, content.indexOf(digest), content.indexOf(digest) + digest.length);
    writeFileSync(path, content);
    expect(await broken(path)).toEqual([
      "image-digest: /run_10/detector_2d_1/tag_1006/detector_data has no digest, though every image was given one",
    ]);
  });

  itNeeding(python !== undefined, "no Python with h5py", "tell an image that was lost, and lost digests", async () => {
    const { path } = await write();
    const change = (lines: string) =>
      execFileSync(python ?? "", ["-c", `import sys, h5py\nwith h5py.File(sys.argv[1], "a") as f:\n ${lines}`, path]);
    change('del f["run_10/detector_2d_1/tag_1004"]');
    expect(await broken(path)).toEqual([
      "image-digest: /run_10/detector_2d_1/tag_1004/detector_data is not there, though it has a digest",
    ]);
    change('g = f["sacla/image_digests/image_1"]; d = g["sha256"][2:]; del g["sha256"]; g["sha256"] = d');
    expect(await broken(path)).toEqual([
      expect.stringMatching(
        /^image-digest: \/sacla\/image_digests\/image_1 has sha256 u1 of shape \[\d, 32\] .* shots$/,
      ),
    ]);
    change('del f["sacla/image_digests/image_1/path"]');
    expect(await broken(path)).toEqual(["image-digest: /sacla/image_digests/image_1 has no path"]);
  });

  it("are read with regard to an abort, and their progress is told", async () => {
    const { path, images } = await write();
    const seen: number[] = [];
    const end = new AbortController();
    await expect(
      validateFile(path, {
        signal: end.signal,
        onProgress: (done, total) => {
          expect(total).toBe(images);
          seen.push(done);
          if (done === 2) end.abort();
        },
      }),
    ).rejects.toMatchObject({ code: "ABORTED" });
    expect(seen).toEqual([1, 2]);
  });

  it("are not asked of a file that has none", async () => {
    expect(await broken(fixture)).toEqual([]);
  });
});

describe("fletcher32", () => {
  it("makes a changed pixel an error of whoever reads it", async () => {
    const { path } = await write({ fletcher32: true });
    flip(path, stored(1006), 9);
    expect(await broken(path)).toEqual([
      expect.stringMatching(/^image-digest: \/run_10\/detector_2d_1\/tag_1006\/detector_data .*cannot be read/),
    ]);
    const archive = await openArchive(path);
    const out = new Float32Array(tinyRows * tinyColumns);
    expect(await archive.readFrame(3, 10, camera, 1004, out)).toBe(true);
    await expect((async () => await archive.readFrame(3, 10, camera, 1006, out))()).rejects.toMatchObject({
      code: "FILE_DAMAGED",
    });
    await archive.close();
  });

  it("is refused with compression, which has a checksum", async () => {
    await expect(write({ fletcher32: true, compression: "gzip-1" })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("gzip has a checksum of its own"),
    });
  });

  it("is made again by replay", async () => {
    const { path } = await write({ fletcher32: true });
    expect(await replay(over(tinySource()), path)).toEqual({ isSame: true, difference: null });
  });
});
