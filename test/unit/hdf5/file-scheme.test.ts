import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { fileScheme } from "../../../src/hdf5/index.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { openEndpoint } from "../../../src/transport/open.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { archiveParts, COLUMNS, pixelsOf, ROWS, TAGS, writeHdf5 } from "./build.ts";

const folder = temporaryFolder();
const path = await writeHdf5(folder, "run.h5", archiveParts({ "/run_7/detector_2d_1/tag_103/detector_status": { data: 0 } }));
mkdirSync(join(folder, "a b"));
const spaced = await writeHdf5(join(folder, "a b"), "run 50%.h5", archiveParts());

const connect = async (url: string): Promise<Endpoint> => await openEndpoint(url, { file: fileScheme });

describe("addresses", () => {
  it.each([
    path,
    `file:${path}`,
    `file://${path}`,
    relative(process.cwd(), path),
    `${path}?bl=3&hightag=202502`,
    spaced,
    `file:${spaced}`,
    `file://${encodeURI(spaced)}`,
  ])("%s opens", async (url) => {
    const endpoint = await connect(url);
    expect(await endpoint.call("db.readRunnumberNewest", { bl: 3 })).toBe(7);
    expect(await endpoint.call("db.readHightagnumber", { bl: 3, run: 7 })).toBe(202502);
    await endpoint.close();
  });

  it("options are taken over", async () => {
    const endpoint = await connect(`${path}?bl=1&hightag=201402`);
    expect(await endpoint.call("db.listBeamlines", {})).toEqual([1]);
    expect(await endpoint.call("db.readHightagnumber", { bl: 1, run: 7 })).toBe(201402);
    await endpoint.close();
  });

  it.each([
    [`${path}?hightags=1`, /option "hightags"; allowed are bl and hightag/],
    [`${path}?bl=three`, /bl=three, which is not a whole number/],
    [`${path}?bl=-1`, /bl=-1, which is not/],
    [`${path}?hightag=2014021`, /hightag=2014021, which is not/],
    ["file:", /names no file/],
    ["file:///a%2.h5", /% that is not followed/],
  ])("%s is refused", async (url, message) => {
    await expect(connect(url)).rejects.toMatchObject({ code: "BAD_URL", message: expect.stringMatching(message) });
  });

  it("of no file is FILE_NOT_FOUND", async () => {
    await expect(connect(join(folder, "none.h5"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});

describe("an archive as an Endpoint", () => {
  it("streams images, and says which are missing", async () => {
    const endpoint = await connect(path);
    const detId = "MPCCD-1N0-M06-002";
    const seen: [number, number[] | string | undefined][] = [];
    for await (const shot of endpoint.stream("st.frames", { bl: 3, run: 7, detIds: [detId], tags: Uint32Array.from(TAGS), roi: null })) {
      const [frame] = shot.frames;
      if (frame !== undefined) expect(frame.shape).toEqual([ROWS, COLUMNS]);
      seen.push([shot.tag, frame === undefined ? shot.missing[0]?.reason : [...frame.data]]);
    }
    expect(seen).toEqual([
      [101, pixelsOf(101)],
      [103, "frame-missing"],
      [105, pixelsOf(105)],
    ]);
    await expect(endpoint.call("st.collect", { detId, bl: 3, runs: [7], tag: 103 })).rejects.toMatchObject({ code: "FRAME_MISSING" });
    await expect(endpoint.call("st.collect", { detId, bl: 3, runs: [7], tag: 107 })).rejects.toMatchObject({ code: "TAG_OUTSIDE_RUN" });
    await endpoint.close();
    await endpoint.close();
    await expect(endpoint.call("db.listBeamlines", {})).rejects.toMatchObject({ code: "CLOSED" });
  });
});
