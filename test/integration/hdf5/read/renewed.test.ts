import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileScheme } from "../../../../src/hdf5/open/file-scheme.ts";
import { renewed } from "../../../../src/hdf5/open/renewed.ts";
import type { Endpoint } from "../../../../src/transport/endpoint.ts";
import { addressOf } from "../../../../src/transport/open.ts";
import { archiveParts, pixelsOf, runParts, TAGS, writeHdf5 } from "../../../support/archive-parts.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const BL = 3;
const SENSOR = "MPCCD-1N0-M06-002";

const served = async (path: string): Promise<Endpoint> =>
  await renewed(path, async () => await fileScheme(addressOf(path, path)));
const runsOf = async (endpoint: Endpoint): Promise<number[]> => await endpoint.call("db.listRuns", { bl: BL, last: 9 });
const firstPixel = async (endpoint: Endpoint, run: number, tag: number): Promise<number | undefined> =>
  (await endpoint.call("st.collect", { detId: SENSOR, bl: BL, runs: [run], tag })).frame.data[0];

/** Writes a run over what is at a path, which may be open. */
async function write(path: string, run: number, tags: readonly number[] = TAGS): Promise<void> {
  copyFileSync(await writeHdf5(folder, "written.h5", archiveParts({}, [runParts(run, BL, tags)], [run])), path);
}

describe("files that are served", () => {
  it("are opened anew when they are written over or replaced: lists, images and errors are those of now", async () => {
    const path = join(folder, "served.h5");
    await write(path, 7);
    const endpoint = await served(path);
    expect(await runsOf(endpoint)).toEqual([7]);
    expect(await firstPixel(endpoint, 7, TAGS[1] ?? 0)).toBe(pixelsOf(103)[0]);

    await write(path, 8, [201, 203]);
    await expect.poll(async () => await runsOf(endpoint)).toEqual([8]);
    expect(await firstPixel(endpoint, 8, 203)).toBe(pixelsOf(203)[0]);
    const { renewed: first } = await endpoint.call("facility.describe", {});
    expect(first).toBeGreaterThan(0);

    const other = join(folder, "other.h5");
    await write(other, 9);
    renameSync(other, path);
    await expect.poll(async () => await runsOf(endpoint)).toEqual([9]);

    rmSync(path);
    await expect.poll(async () => await runsOf(endpoint).catch(({ code }) => code)).toBe("FILE_NOT_FOUND");
    await write(path, 7);
    expect(await runsOf(endpoint)).toEqual([7]);
    await endpoint.close();
    await expect(runsOf(endpoint)).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("are asked again at once where a reader meets the change; a stream under way ends with FILE_CHANGED", async () => {
    const path = join(folder, "met.h5");
    await write(path, 7);
    const endpoint = await served(path);
    const params = { bl: BL, run: 7, detIds: [SENSOR], tags: Uint32Array.from(TAGS), roi: null };
    const stream = endpoint.stream("st.frames", params)[Symbol.asyncIterator]();
    await stream.next();
    await write(path, 7, [201, 203]);
    // Within the second after which the files are looked at again.
    const rest = async (): Promise<void> => {
      while (!(await stream.next()).done);
    };
    await expect(rest()).rejects.toMatchObject({ code: "FILE_CHANGED" });
    expect(await firstPixel(endpoint, 7, 203)).toBe(pixelsOf(203)[0]);
    await endpoint.close();
  });

  it("of a folder come and go; only what was there and is another has others ask again for what they show", async () => {
    const place = join(folder, "many");
    mkdirSync(place);
    await write(join(place, "a.h5"), 7);
    const endpoint = await served(place);
    expect(await runsOf(endpoint)).toEqual([7]);
    await write(join(place, "b.h5"), 8);
    await expect.poll(async () => await runsOf(endpoint)).toEqual([7, 8]);
    expect(await endpoint.call("facility.describe", {})).not.toHaveProperty("renewed");
    await write(join(place, "a.h5"), 6, [201, 203]);
    await expect.poll(async () => await runsOf(endpoint)).toEqual([6, 8]);
    expect(await endpoint.call("facility.describe", {})).toHaveProperty("renewed");
    await endpoint.close();
  });
});
