import { join } from "node:path";
import ndarray from "ndarray";
import { expect, it } from "vitest";
import { connect } from "../../../../src/connect.ts";
import { type ConvertRequest, convert } from "../../../../src/hdf5/index.ts";
import { writeHdf5 } from "../../../support/archive-parts.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const folder = temporaryFolder();
let files = 0;

async function converted(from: string, request: ConvertRequest): Promise<string> {
  const path = join(folder, `${++files}.h5`);
  await using source = await connect(from);
  await convert(source, { signals: [], ...request }, path);
  return path;
}

/** How many pixels of each sensor are bad, and a number that depends on where they are. */
async function badPixels(url: string, bl: number, run: number, ids: readonly string[]): Promise<number[][]> {
  await using source = await connect(url);
  const found = await source.run(bl, run);
  const infos = [];
  for (const id of ids) infos.push(await source.st.detectorInfo(bl, run, id));
  return (await found.badPixels(infos)).map(({ data }) => {
    const bad = [...data].flatMap((reason, pixel) => (reason === 0 ? [] : [pixel]));
    return [bad.length, bad.reduce((sum, pixel, i) => sum + pixel * (i + 1), 0)];
  });
}

it("bad pixels of CITIUS sensors stand in converted files, and are what ctdapy_xfel says of them", async () => {
  const [bl, run, ids] = [3, 1_519_971, ["CITIUS1"]];
  const path = await converted("sim:", { bl, run, limit: 2 });
  const recorded = await badPixels("sim:", bl, run, ids);
  expect(recorded[0]?.[0]).toBeGreaterThan(0);
  expect(await badPixels(path, bl, run, ids)).toEqual(recorded);

  const answers = [];
  for (const url of ["sim:", path]) {
    await using source = await connect(url);
    const { ctdapyXfel } = source.st;
    const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
    const [tag = 0] = await buffer.readTaglist();
    const image = ndarray(new Float32Array(728 * 384), [728, 384]);
    const mask = ndarray(new Uint8Array(728 * 384), [728, 384]);
    await buffer.readImage(image, 0, tag);
    await buffer.readBadpixelMask(mask, 0);
    await expect(buffer.readImage(image.data as never, 0, tag)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    answers.push({
      status: await ctdapyXfel.getRunstatus(bl, run),
      ids: await buffer.readDetidlist(),
      place: await buffer.readReconstinfo(0, tag),
      bad: mask.data.reduce((sum, one) => sum + one, 0),
      light: image.data.reduce((sum, one) => sum + one, 0),
    });
  }
  expect(answers[1]).toEqual(answers[0]);
});

it("a run without CITIUS in a file says so", async () => {
  const path = await converted("sim:", { bl: 1, run: 28_021, limit: 1, detectors: ["OPAL-234363"] });
  await using source = await connect(path);
  const { ctdapyXfel } = source.st;
  expect(await ctdapyXfel.getRunstatus(1, 28_021)).toBe(ctdapyXfel.CTDA_RUN_STATUS_NOT_CITIUS);
});

it("masks of foreign files, and those of a part of a sensor, are kept", async () => {
  const cxi = await writeHdf5(folder, "foreign.cxi", {
    "/entry_1/data_1/data": { data: Float32Array.of(0, 1, 2, 3, 4, 5), shape: [1, 2, 3] },
    "/entry_1/data_1/mask": { data: Uint16Array.of(0, 1, 0, 0, 0, 8), shape: [2, 3] },
  });
  await using source = await connect(cxi);
  const [bl = 0] = await source.endpoint.call("db.listBeamlines", {});
  const run = await source.db.readRunnumberNewest(bl);
  const [id = ""] = await source.db.readDetidlist(bl, run);
  const foreign = await converted(cxi, { bl, run });
  expect(await badPixels(foreign, bl, run, [id])).toEqual([[2, 1 + 2 * 5]]);

  const sensor = "MPCCD-8N0-3-002-1";
  const roi = { rows: [500, 524], columns: [0, 40] } as const;
  const part = await converted("sim:", { bl: 3, run: 1_520_000, limit: 1, detectors: [sensor], roi });
  const [[wholeBad = 0] = []] = await badPixels("sim:", 3, 1_520_000, [sensor]);
  const [[bad = 0] = []] = await badPixels(part, 3, 1_520_000, [sensor]);
  expect(wholeBad).toBeGreaterThan(0);
  expect(bad).toBeLessThanOrEqual(wholeBad);
});
