import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { fileScheme } from "../../../../src/hdf5/index.ts";
import type { Endpoint } from "../../../../src/transport/endpoint.ts";
import { openEndpoint } from "../../../../src/transport/open.ts";
import { archiveParts, COLUMNS, pixelsOf, ROWS, runParts, TAGS, writeHdf5 } from "../../../support/archive-parts.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
const path = await writeHdf5(
  folder,
  "run.h5",
  archiveParts({ "/run_7/detector_2d_1/tag_103/detector_status": { data: 0 } }),
);
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
    [`${path}?hightags=1`, /option "hightags"; allowed are bl, hightag and geom/],
    [`${path}?bl=three`, /bl=three, which is not a whole number/],
    [`${path}?bl=-1`, /bl=-1, which is not/],
    [`${path}?hightag=2014021`, /hightag=2014021, which is not/],
    ["file:", /names no file/],
    ["file:///a%2.h5", /% that is not followed/],
  ])("%s is refused", async (url, message) => {
    await expect(connect(url)).rejects.toMatchObject({ code: "BAD_URL", message: expect.stringMatching(message) });
  });

  it("a question mark in the name of a file that is there begins no options", async () => {
    const name = join(folder, "which run?bl=9.h5");
    copyFileSync(path, name);
    const endpoint = await connect(name);
    expect(await endpoint.call("db.listBeamlines", {})).toEqual([3]);
    await endpoint.close();
  });

  it("a file of any name opens, and options go on behind it", async () => {
    for (const name of ["run.hdf", "run.nxs", "run.cxi", "206178", "run 7.copy"]) {
      copyFileSync(path, join(folder, name));
      const endpoint = await connect(`${join(folder, name)}?hightag=201402`);
      expect(await endpoint.call("db.readHightagnumber", { bl: 3, run: 7 })).toBe(201402);
      await endpoint.close();
    }
  });

  it.each(["none.h5", "none.cxi", "none.nxs?bl=3"])("of no file, %s, is FILE_NOT_FOUND", async (name) => {
    await expect(connect(join(folder, name))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});

describe("a folder of archives", () => {
  it("is one source of all their runs; what is no archive is named", async () => {
    const many = mkdtempSync(join(folder, "many-"));
    await writeHdf5(many, "a.h5", archiveParts());
    await writeHdf5(many, "b.h5", archiveParts({}, [runParts(9, 3, [201, 203])], [9]));
    await writeHdf5(many, "c.h5", archiveParts({}, [runParts(8, 2, [301])], [8]));
    writeFileSync(join(many, "notes.h5"), "not HDF5");
    const endpoint = await connect(`file:${many}`);
    expect((await endpoint.call("facility.describe", {})).name).toMatch(/^the 3 archives in .*without notes\.h5$/);
    expect(await endpoint.call("db.listBeamlines", {})).toEqual([2, 3]);
    expect(await endpoint.call("db.listRuns", { bl: 3, last: 10 })).toEqual([7, 9]);
    expect(await endpoint.call("db.listRuns", { bl: 3, last: 1 })).toEqual([9]);
    expect(await endpoint.call("db.readRunstatus", { bl: 3, run: 8 })).toBe(-1);
    const hightag = await endpoint.call("db.readHightagnumber", { bl: 3, run: 9 });
    // One column over two files, and a tag that none of them has.
    const equipId = "xfel_bl_3_tc_bm_1_pd/charge";
    const tags = Uint32Array.of(203, 101, 999, 201);
    const [column] = await endpoint.call("db.readColumns", { equipIds: [equipId], hightag, tags });
    expect([...(column?.values ?? [])]).toEqual([1.5, 0.5, NaN, 0.5]);
    expect(await endpoint.call("db.readTagnumberNewest", { equipId })).toEqual([hightag, 203]);
    expect([...(await endpoint.call("db.readTaglist", { bl: 3, hightag, starttag: 103, endtag: 201 }))]).toEqual([
      103, 105, 201,
    ]);
    const { frame } = await endpoint.call("st.collect", { detId: "MPCCD-1N0-M06-002", bl: 3, runs: [7, 9], tag: 203 });
    expect([...frame.data]).toEqual(pixelsOf(203));
    await expect(
      endpoint.call("db.readColumns", { equipIds: ["xfel_bl_3_tc_bm_2_pd/charge"], hightag, tags }),
    ).rejects.toMatchObject({
      code: "UNKNOWN_SIGNAL",
      message: expect.stringContaining(equipId),
    });
    await expect(endpoint.call("db.readColumns", { equipIds: [equipId], hightag: 190001, tags })).rejects.toMatchObject(
      { code: "UNKNOWN_HIGHTAG" },
    );
    await endpoint.close();
  });

  it("without an archive is FILE_NOT_FOUND", async () => {
    await expect(connect(`file:${mkdtempSync(join(folder, "empty-"))}`)).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
  });
});

describe("an archive as an Endpoint", () => {
  it("streams images, and says which are missing", async () => {
    const endpoint = await connect(path);
    const detId = "MPCCD-1N0-M06-002";
    const seen: [number, number[] | string | undefined][] = [];
    for await (const shot of endpoint.stream("st.frames", {
      bl: 3,
      run: 7,
      detIds: [detId],
      tags: Uint32Array.from(TAGS),
      roi: null,
    })) {
      const [frame] = shot.frames;
      if (frame !== undefined) expect(frame.shape).toEqual([ROWS, COLUMNS]);
      seen.push([shot.tag, frame === undefined ? shot.missing[0]?.reason : [...frame.data]]);
    }
    expect(seen).toEqual([
      [101, pixelsOf(101)],
      [103, "frame-missing"],
      [105, pixelsOf(105)],
    ]);
    await expect(endpoint.call("st.collect", { detId, bl: 3, runs: [7], tag: 103 })).rejects.toMatchObject({
      code: "FRAME_MISSING",
    });
    await expect(endpoint.call("st.collect", { detId, bl: 3, runs: [7], tag: 107 })).rejects.toMatchObject({
      code: "TAG_OUTSIDE_RUN",
    });
    await endpoint.close();
    await endpoint.close();
    await expect(endpoint.call("db.listBeamlines", {})).rejects.toMatchObject({ code: "CLOSED" });
  });
});
