import { describe, expect, it } from "vitest";
import { connect } from "../../../../src/connect.ts";
import { openArchive } from "../../../../src/hdf5/index.ts";
import { archiveParts, COLUMNS, type Parts, pixelsOf, ROWS, TAGS, writeHdf5 } from "../../../support/archive-parts.ts";
import { cli } from "../../../support/fake-io.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const group = "/run_7/detector_2d_1";
const [bl, run, id] = [3, 7, "MPCCD-1N0-M06-002"];
let files = 0;

/** The run with the images of `tags` in one array. */
async function stacked(tags: readonly number[], more: Parts = {}, Pixel = Float32Array): Promise<string> {
  const images = Object.fromEntries(
    TAGS.flatMap((tag) =>
      ["detector_data", "detector_status"].map((leaf) => [`${group}/tag_${tag}/${leaf}`, undefined]),
    ),
  );
  const data = Pixel.from(tags.flatMap(pixelsOf));
  const stack = { [`${group}/detector_data`]: { data, shape: [tags.length, ROWS, COLUMNS] } };
  return await writeHdf5(folder, `stack-${++files}.h5`, archiveParts({ ...images, ...stack, ...more }));
}

async function imagesOf(path: string): Promise<{ images: Record<number, number[]>; notes: readonly string[] }> {
  await using facility = await connect(path);
  const images: Record<number, number[]> = {};
  const stored = await facility.db.run(bl, run);
  for await (const { tag, images: found } of facility.st.shots({ run: stored, detectors: [id], missing: "partial" }))
    images[tag] = [...(found[id]?.data ?? [])];
  return { images, notes: stored.info.notes ?? [] };
}

const all = Object.fromEntries(TAGS.map((tag) => [tag, pixelsOf(tag)]));

describe("images of a detector in one array", () => {
  it("are read by the list of tags beside it", async () => {
    const path = await stacked([105, 101], { [`${group}/tags`]: { data: Float64Array.of(105, 101) } });
    const { images, notes } = await imagesOf(path);
    expect(images).toEqual({ 101: pixelsOf(101), 103: [], 105: pixelsOf(105) });
    expect(notes).toEqual([]);
    const validated = await cli(["validate", path]);
    expect(validated.out).not.toMatch(/no-image/);
  });

  it("are read in the order of the run's tags, which is said, where there are as many", async () => {
    const order = [103, 105, 101];
    const path = await stacked(order, { "/run_7/event_info/tag_number_list": { data: Int32Array.from(order) } });
    expect(await imagesOf(path)).toEqual({
      images: all,
      notes: [`images of ${group}/detector_data are read in the order of event_info/tag_number_list`],
    });
  });

  it("are none where detector_status is not 1", async () => {
    const path = await stacked(TAGS, { [`${group}/detector_status`]: { data: Int32Array.of(1, 0, 1) } });
    expect((await imagesOf(path)).images).toEqual({ ...all, 103: [] });
  });

  it("may have an axis of one channel; more are named", async () => {
    const channels = (of: number): Parts => ({
      [`${group}/detector_data`]: {
        data: Float32Array.from(TAGS.flatMap(pixelsOf).flatMap((pixel) => new Array<number>(of).fill(pixel))),
        shape: [TAGS.length, ROWS, COLUMNS, of],
      },
    });
    expect((await imagesOf(await stacked(TAGS, channels(1)))).images).toEqual(all);
    const { out } = await cli(["validate", await stacked(TAGS, channels(2))]);
    expect(out).toContain(
      "detector_data is f4 of shape [3, 4, 3, 2]: 2 channels a pixel; write one of them, or their sum",
    );
  });

  it("keep uint16", async () => {
    const archive = await openArchive(await stacked(TAGS, {}, Uint16Array as never));
    expect(await archive.detectorInfo(bl, run, id)).toMatchObject({ pixelType: "uint16", ysize: ROWS, xsize: COLUMNS });
    const out = new Uint16Array(ROWS * COLUMNS);
    expect(await archive.readFrame(bl, run, id, 103, out)).toBe(true);
    expect([...out]).toEqual(pixelsOf(103));
    await archive.close();
  });

  it.each([
    [
      "no list, and fewer images than tags",
      [101, 103],
      {},
      /images of 2 shots in one array, and nothing beside it says.*named tag_number_list/,
    ],
    [
      "a list of other tags",
      TAGS,
      { [`${group}/tags`]: { data: Int32Array.of(1, 2, 3) } },
      /tags beside it is no list of 3 tags of the run/,
    ],
    [
      "a tag twice",
      TAGS,
      { [`${group}/tag_id`]: { data: Int32Array.of(101, 101, 103) } },
      /tag_id beside it is no list/,
    ],
    [
      "two lists that differ",
      TAGS,
      {
        [`${group}/tag_a`]: { data: Int32Array.of(101, 103, 105) },
        [`${group}/tag_b`]: { data: Int32Array.of(105, 103, 101) },
      },
      /tag_a and tag_b beside it differ/,
    ],
    [
      "two arrays",
      TAGS,
      {
        [`${group}/detector_data`]: undefined,
        [`${group}/raw`]: { data: new Float32Array(6), shape: [3, 1, 2] },
        [`${group}/fit`]: { data: new Float32Array(6), shape: [3, 1, 2] },
      },
      /raw beside it too: name the one of images detector_data/,
    ],
  ])("are refused with what is needed: %s", async (_, tags, more, message) => {
    const path = await stacked(tags, more as Parts);
    const { notes } = await imagesOf(path).catch(({ message }) => ({ notes: [message] }));
    expect(notes.join("\n")).toMatch(message);
    expect((await cli(["image", "7", "--bl", "3", "--url", path])).err).toMatch(message);
    expect((await cli(["validate", path])).out).toMatch(message);
  });
});

describe("images with axes of 1 in front", () => {
  it.each([
    ["plain", [1, ROWS, COLUMNS], false],
    ["two axes", [1, 1, ROWS, COLUMNS], false],
    ["compressed", [1, ROWS, COLUMNS], true],
  ])("are read: %s", async (_, shape, gzip) => {
    const images: Parts = Object.fromEntries(
      TAGS.map((tag) => [`${group}/tag_${tag}/detector_data`, { data: Float32Array.from(pixelsOf(tag)), shape, gzip }]),
    );
    const path = await writeHdf5(folder, `front-${++files}.h5`, archiveParts(images));
    expect((await imagesOf(path)).images).toEqual(all);
    expect((await cli(["validate", path])).out).not.toMatch(/image-shape/);
  });
});
