import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { connect } from "../../../../src/connect.ts";
import { openArchive, validateFile } from "../../../../src/hdf5/index.ts";
import { cli } from "../../../support/fake-io.ts";
import { itNeeding } from "../../../support/optional.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

/** Small files as people have them, each with its right value; the like of each is made in the tests beside this. */
const cases = fileURLToPath(new URL("../../../../../shared/cases/files/", import.meta.url));
const at = (name: string): string => join(cases, name);
const folder = temporaryFolder();
const [bl, run] = [3, 206178];
const sensor = "MPCCD-2B1-M03-001-1";
const tags = [0, 2, 4, 6, 8, 10].map((step) => 340_000_000 + step);

function itWithCases(name: string, test: () => Promise<void>): void {
  itNeeding(existsSync(cases), "no shared data", name, test);
}

/** Of each tag pixel [0,0], or the reason why there is none. */
async function firstPixels(path: string): Promise<unknown[]> {
  await using facility = await connect(path);
  const { db, st } = facility;
  const found: unknown[] = [];
  const shots = st.shots({ run: await db.run(bl, run), detectors: [sensor], missing: "partial" });
  for await (const shot of shots)
    found.push(shot.missing?.[sensor] ?? Number(shot.images[sensor]?.get(0, 0).toFixed(2)));
  return found;
}

const pixels = [90.36, 127.97, 103.21, 69.35];

describe("files as people have them", () => {
  itWithCases("whole ones have the true pixels", async () => {
    for (const name of ["comment_number", "sig_2d", "sig_string_fixed", "sig_vds_gone", "t_f8", "external"])
      expect([name, (await firstPixels(at(`${name}.h5`))).slice(0, 4)]).toEqual([name, pixels]);
  });

  itWithCases("one missing image is missing, with its reason", async () => {
    const [first, second, , fourth] = pixels;
    for (const [name, reason] of [
      ["unwritten_one", "frame-not-written"],
      ["halfwritten_chunk_one", "frame-partly-written"],
      ["softlink_dangling_one", "frame-source-gone"],
    ] as const) {
      const found = await firstPixels(at(`${name}.h5`));
      expect([name, found.slice(0, 4)]).toEqual([name, [first, second, reason, fourth]]);
      expect(found.filter((value) => typeof value === "number")).toHaveLength(5);
      expect((await validateFile(at(`${name}.h5`))).isValid).toBe(false);
    }
    expect(await firstPixels(at("virtual_gone.h5"))).toEqual(Array(6).fill("frame-source-gone"));
  });

  itWithCases("of images in a file that is not there that file is named", async () => {
    const { code, err } = await cli(["image", "--url", at("extlink_gone.h5")]);
    expect([code, err]).toEqual([1, expect.stringContaining("gone_px.bin5, which is not there")]);
    copyFileSync(at("external.h5"), join(folder, "external.h5"));
    for (const name of readdirSync(cases))
      if (/^ext_.*bin$/.test(name) && name !== "ext_1_2.bin") copyFileSync(at(name), join(folder, name));
    const [first, second, , fourth] = pixels;
    const found = await firstPixels(join(folder, "external.h5"));
    expect(found.slice(0, 4)).toEqual([first, second, "frame-source-gone", fourth]);
    const { findings } = await validateFile(join(folder, "external.h5"));
    expect(findings).toMatchObject([
      { rule: "written", message: expect.stringContaining("ext_1_2.bin, which is not there") },
    ]);
  });

  itWithCases("one odd signal is named, and the others are there", async () => {
    const stats = async (name: string) => await cli(["stats", at(name)]);
    const table = await stats("sig_2d.h5");
    expect([table.code, table.err]).toEqual([0, expect.stringContaining("bl_3/eh_2/wave is no signal")]);
    expect(table.out).toContain("bl_3/oh_2/bm_1_signal_in_coulomb");
    const gone = await stats("sig_vds_gone.h5");
    expect([gone.code, gone.err]).toEqual([
      0,
      expect.stringContaining("bl_3/eh_2/v has no values: it is virtual, and"),
    ]);
    const archive = await openArchive(at("sig_string_fixed.h5"));
    const { hightagnumber } = await archive.runInfo(bl, run);
    const column = await archive.column("bl_3/eh_2/s", hightagnumber, Uint32Array.from(tags));
    expect([column.unit, column.values[0], new Set(column.status)]).toEqual(["V", 0.072, new Set([0, 1, 2, 3])]);
    await archive.close();
    for (const name of ["sig_2d.h5", "sig_string_fixed.h5"])
      expect((await cli(["convert", "--url", at(name), "-o", join(folder, `out-${name}`)])).code).toBe(0);
  });

  itWithCases("one dead sensor of an octal is named, and the others are used", async () => {
    const url = ["--url", at("octal_one_dead.h5")];
    const dead = "MPCCD-8N0-3-002-4 has no image of any shot";
    for (const args of [
      ["image"],
      ["assemble", "--no-dark"],
      ["average", "--no-dark"],
      ["detectors"],
      ["convert", "-o", join(folder, "seven.h5")],
    ]) {
      const { code, err } = await cli([...args, ...url]);
      expect([args[0], code, err]).toEqual([args[0], 0, expect.stringContaining(dead)]);
    }
    const archive = await openArchive(join(folder, "seven.h5"));
    expect(await archive.detectors(bl, run)).toHaveLength(1 + 7);
    await archive.close();
  });

  itWithCases("odd run information: the rest is read, and it is named", async () => {
    for (const [name, note, detId] of [
      ["comment_number.h5", /comment .* is one i4/, sensor],
      ["no_detector_info.h5", /detector_2d_2 has no detector_name/, "detector_2d_1"],
      ["several_runs_unsorted_one_gone.h5", /run 206180 cannot be read: .* is not there/, sensor],
    ] as const) {
      const archive = await openArchive(at(name));
      const { notes } = await archive.runInfo(bl, run);
      expect([name, notes]).toEqual([name, expect.arrayContaining([expect.stringMatching(note)])]);
      expect([...(await archive.tags(bl, run, detId))]).toEqual(tags);
      await archive.close();
    }
    expect((await validateFile(at("comment_number.h5"))).findings).toMatchObject([{ rule: "comment" }]);
  });

  itWithCases("a file that its writer has not closed: h5clear is named", async () => {
    await expect(openArchive(at("writer_killed_latest.h5"))).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      message: expect.stringMatching(/was not closed by its writer.*h5clear/),
    });
  });

  itWithCases("two files with parts of a run are one run", async () => {
    const both = join(folder, "both");
    mkdirSync(both);
    for (const name of ["same_run_part1.h5", "same_run_part2.h5"]) copyFileSync(at(name), join(both, name));
    const found = await firstPixels(both);
    expect(found).toHaveLength(12);
    expect(found.slice(0, 4)).toEqual(pixels);
  });

  itWithCases("one flipped bit spoils one image", async () => {
    const read = async (name: string) => {
      const archive = await openArchive(at(name));
      const [number = 0] = await archive.runs(bl, 1);
      const out = new Float32Array(32 * 64);
      const images: unknown[] = [];
      for (const tag of await archive.tags(bl, number)) {
        try {
          await archive.readFrame(bl, number, "MPCCD-8N0-3-002-1", tag, out);
          images.push([...out]);
        } catch (error) {
          images.push((error as { code: string }).code);
        }
      }
      await archive.close();
      return images;
    };
    const [whole, flipped] = [await read("intact.h5"), await read("one-bit.h5")];
    expect(flipped.filter((image) => image === "FILE_DAMAGED")).toHaveLength(1);
    expect(flipped.filter((image, i) => JSON.stringify(image) === JSON.stringify(whole[i]))).toHaveLength(7);
  });
});
