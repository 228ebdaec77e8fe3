import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { connect, type Facility } from "../../../src/connect.ts";
import { convert } from "../../../src/hdf5/index.ts";
import { type ReconstructionSource, reconstruction } from "../../../src/ip/index.ts";
import type { HttpServer } from "../../../src/server/http-server.ts";
import { httpServer } from "../../support/http.ts";
import { itNeeding } from "../../support/optional.ts";
import { itWithPython, packagePython, pythonFolder, runPython } from "../../support/python.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const servers: HttpServer[] = [];
afterAll(async () => {
  for (const server of servers) await server.close();
});

async function served(url: string): Promise<{ facility: Facility; address: string }> {
  const facility = await connect(url);
  const server = await httpServer(facility.endpoint);
  servers.push(server);
  return { facility, address: server.address };
}

const [run, darkRun, sensor, images] = [651_236, 651_264, "MPCCD-2B1-M03-001-1", 20];
const digest = (array: Float32Array | Float64Array): string =>
  createHash("sha256")
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest("hex");

/** The images of a run as numpy's float64, one after the other. */
async function read({ db, st }: Facility, number: number): Promise<Float64Array[]> {
  const tags = (await db.readTaglistByrun(3, number)).subarray(0, images);
  const reader = new st.StorageReader(sensor, 3, [number]);
  const buffer = new st.StorageBuffer(reader);
  const all: Float64Array[] = [];
  for (const tag of tags) {
    await reader.collect(buffer, tag);
    all.push(Float64Array.from(buffer.readDetData(0).data));
  }
  return all;
}

function mean(all: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(all[0]?.length ?? 0);
  for (const image of all) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (image[i] ?? 0);
  return sum.map((value) => value / all.length);
}

async function octal({ db, st }: Facility, number: number, id: string): Promise<Float32Array> {
  const [tag = 0] = await db.readTaglistByrun(2, number);
  const sources: ReconstructionSource[] = [];
  let gain0: number | undefined;
  for (let i = 1; i <= 8; i++) {
    const reader = new st.StorageReader(`${id}-${i}`, 2, [number]);
    const buffer = new st.StorageBuffer(reader);
    await reader.collect(buffer, tag);
    const info = buffer.readDetInfo(0) as Record<string, number>;
    const of = (key: string): number => info[key] ?? Number.NaN;
    gain0 ??= of("mp_absgain");
    sources.push({
      img: buffer.readDetData(0),
      xPosPixel: of("mp_pos_x") / of("mp_pixelsize_x"),
      yPosPixel: -of("mp_pos_y") / of("mp_pixelsize_y"),
      pixelSize: Math.round(of("mp_pixelsize_x")),
      dScale: 1,
      rotAngle: of("mp_rotationangle"),
      iScale: of("mp_absgain") / gain0,
      mask: new Uint8Array(of("ysize") * of("xsize")).fill(1),
      succeeded: true,
    });
  }
  return reconstruction(sources, 2399, 2399, 50, 0).data as Float32Array;
}

/** What python/tests/talk.py prints, made here. */
async function expected(facility: Facility): Promise<object> {
  const { db } = facility;
  const tags = await db.readTaglistByrun(3, run);
  const hightag = await db.readHightagnumber(3, run);
  const charges = await db.readSyncdatalistFloat("xfel_bl_3_tc_bm_1_pd/charge", hightag, tags);
  const dark = mean(await read(facility, darkRun));
  const all = (await read(facility, run)).map((image) => image.map((value, i) => value - (dark[i] ?? 0)));
  const histogram = new Array<number>(601).fill(0);
  // The last bin of numpy holds its upper edge too.
  for (const image of all)
    for (const value of image) {
      const bin = value === 500.5 ? 600 : Math.floor(value + 100.5);
      if (bin >= 0 && bin < 601) histogram[bin] = (histogram[bin] ?? 0) + 1;
    }
  return {
    info: await db.readRuninfo(3, run),
    charges: digest(charges.map((value) => (Number.isNaN(value) ? -1 : value))),
    average: digest(mean(all)),
    histogram,
  };
}

async function runTalk(address: string, ...more: string[]): Promise<Record<string, unknown>> {
  const args = [`${run}`, `${darkRun}`, sensor, `${images}`, ...more];
  const { isGood, out, err } = await runPython(
    ["-m", "sacla_python", "run", join(pythonFolder, "tests/talk.py"), ...args],
    {
      SACLA_URL: address,
    },
  );
  expect(isGood, err).toBe(true);
  return JSON.parse(out) as Record<string, unknown>;
}

itWithPython(
  "the talk's calls give the numbers of TypeScript to the bit, over the simulated facility and over a file",
  async () => {
    const sim = await served("sim:");
    const found = await runTalk(sim.address, "220934", "MPCCD-8B0-2-008");
    const wanted = await expected(sim.facility);
    expect(found).toMatchObject(wanted);
    expect(found["octal"]).toBe(digest(await octal(sim.facility, 220_934, "MPCCD-8B0-2-008")));
    expect((found["histogram"] as number[]).reduce((a, b) => a + b)).toBeGreaterThan(9e6);

    const folder = temporaryFolder();
    for (const number of [run, darkRun])
      await convert(
        sim.facility,
        { bl: 3, run: number, limit: images, detectors: [sensor], signals: ["xfel_bl_3_tc_bm_1_pd/charge"] },
        join(folder, `${number}.h5`),
      );
    const file = await served(`file:${folder}`);
    expect(await runTalk(file.address)).toMatchObject(await expected(file.facility));
  },
);

/** What the machine that read the slides took for something else, and what is too long for a test. */
const slips: readonly (readonly [RegExp, string | ((found: string) => string)])[] = [
  [/xfel_b1_3_tc_bm1_pd/g, "xfel_bl_3_tc_bm_1_pd"],
  [/MPCCD-880-2-008/g, "MPCCD-8B0-2-008"],
  // The end of this listing stands after its loop, not in it.
  [/\n {4}srcs_list = \[\][\s\S]*$/, (tail: string) => tail.replace(/\n {4}/g, "\n")],
  [/dbpy\.read_taglist_byrun\((\w+), (\w+)\)/g, "dbpy.read_taglist_byrun($1, $2)[:12]"],
];

const talk = fileURLToPath(new URL("../../../../shared/", import.meta.url));

/** The listings of the talk's text: what stands between lines of three backquotes and calls one of its modules. */
function listings(): string[] {
  const name = readdirSync(talk).find((file) => /^000_.*\.txt$/.test(file)) ?? "";
  const text = readFileSync(join(talk, name), "utf8");
  return [...text.matchAll(/^```[a-z]*\n(.*?)^```/gms)].map((match) => match[1] ?? "");
}

/** Without the numbers of lines, and with what was read wrongly put right. */
function mended(text: string): string {
  const isNumbered = text
    .split("\n")
    .filter((line) => line !== "")
    .every((line) => /^\d+ */.test(line));
  // Numbers of one or two digits stand in a column of two letters.
  const plain = isNumbered ? text.replace(/^(\d\d (?=\S)|\d\d|\d )/gm, "") : text;
  return slips.reduce((now, [from, to]) => now.replace(from, to as string), plain);
}

const hasTalk = packagePython !== undefined && readdirIfThere(talk).some((file) => /^000_.*\.txt$/.test(file));

function readdirIfThere(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

itNeeding(hasTalk, "no shared data", "the listings of the talk's own text run", async () => {
  const { address } = await served("sim:");
  // What the slides leave out: imports, the function that reads without subtracting, and a screen.
  const head = `
import sys, types
import numpy as np
import dbpy, stpy, ippy
shown = []
class plt:
    plot = imshow = staticmethod(lambda *a, **k: shown.append(np.asarray(a[0])))
    colorbar = grid = yscale = ylim = staticmethod(lambda *a, **k: None)
def read_det(bl, run, detID):
    return read_det_sbt(bl, run, detID, 0)
`;
  const code = listings()
    .filter((text) => /dbpy|stpy|ippy|read_det|np\./.test(text) && !/^\s*\{/.test(text))
    .map((text) => mended(text.replace(/^In \[\d+\]: ?/, "")));
  expect(code.length).toBeGreaterThanOrEqual(6);
  const script = join(temporaryFolder(), "talk.py");
  writeFileSync(script, `${head}\n${code.join("\n")}\nprint("\\nSHAPES", [one.shape for one in shown])\n`);
  const { isGood, out, err } = await runPython(["-m", "sacla_python", "run", script], { SACLA_URL: address });
  expect(isGood, `${err}\n${code.join("\n=====\n")}`).toBe(true);
  expect(out).toContain("(1024, 512)");
  expect(out).toContain("(2399, 2399)");
});
