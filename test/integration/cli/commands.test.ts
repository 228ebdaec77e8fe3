import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { timingEdges } from "../../../src/db/index.ts";
import { H5Browser } from "../../../src/hdf5/index.ts";
import { parseCrystfelGeom, toCrystfelGeom } from "../../../src/ip/index.ts";
import { archiveParts, type Parts, runParts, writeHdf5 } from "../../support/archive-parts.ts";
import { cli } from "../../support/fake-io.ts";
import { itInFull } from "../../support/full.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

const fixture = fileURLToPath(new URL("../../../fixtures/tiny-octal.h5", import.meta.url));
const truth = JSON.parse(readFileSync(fixture.replace(".h5", ".truth.json"), "utf8")) as {
  run: number;
  tags: number[];
  dark_tags: number[];
  light_tags: number[];
};
const bm1 = "xfel_bl_2_tc_bm_1_pd/charge";
const detector = "MPCCD-8B0-2-010";

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await cli([...args, "--json", "--url", fixture]);
  expect([code, err]).toEqual([0, ""]);
  expect(out.trim().split("\n").length).toBe(1);
  return JSON.parse(out) as Record<string, unknown>;
}

async function text(...args: string[]): Promise<string> {
  const { code, out } = await cli([...args, "--url", fixture]);
  expect(code).toBe(0);
  return out;
}

async function sensorsOf(path: string): Promise<DetectorInfo[]> {
  await using facility = await connect(path);
  const infos: DetectorInfo[] = [];
  for (let k = 1; k <= 8; k++) infos.push(await facility.st.detectorInfo(2, truth.run, `${detector}-${k}`));
  return infos;
}

describe("sacla", () => {
  it("geometry write: moves the panels of a file to where the run has them, and leaves the rest", async () => {
    const infos = await sensorsOf(fixture);
    const moved = infos.map((info, i) => ({
      ...info,
      geometry: info.geometry && { ...info.geometry, posXUm: info.geometry.posXUm + 50 * (i + 1) },
    }));
    const options = { photonEnergyEv: 10_000, cameraLengthMm: 50, dataPath: "/%/data", maskPath: "/mask" };
    const file = join(folder, "moved.geom");
    const head = "; refined by hand\n";
    writeFileSync(file, head + toCrystfelGeom(moved, options));
    const done = await cli(["geometry", "write", file, String(truth.run), "--url", fixture, "-o", "back.geom"]);
    expect([done.code, done.err]).toEqual([0, ""]);
    expect(done.out).toMatch(/back\.geom: .* with 8 panels where run 300001 has the sensors/);
    expect(done.out).toMatch(/MPCCD-8B0-2-010-2 +MPCCD-8B0-2-010-2 +-100\.0 +0\.0 +0\.0 +0\.0000/);
    const back = String(done.files.get("back.geom"));
    for (const [i, { geometry }] of parseCrystfelGeom(back).sensors.entries()) {
      expect(geometry?.posXUm).toBe(infos[i]?.geometry?.posXUm);
      expect(geometry?.rotationDeg).toBeCloseTo(infos[i]?.geometry?.rotationDeg ?? NaN, 7);
    }
    const others = (text: string): string[] => text.split("\n").filter((line) => !/\/corner_[xy] = /.test(line));
    expect(others(back)).toEqual(others(readFileSync(file, "utf8")));
  });

  it("runs: lists runs, for machines and people", async () => {
    expect(await json("runs")).toMatchObject({
      bl: 2,
      source: expect.stringContaining("tiny-octal.h5"),
      runs: [{ run: truth.run, status: 0, startTag: truth.tags[0] }],
    });
    expect(await text("runs")).toMatch(new RegExp(`${truth.run} +stopped`));
  });

  it("info: says what is recorded, with the dark shots and the rule that tells them", async () => {
    expect(await json("info", String(truth.run))).toMatchObject({
      run: truth.run,
      shots: 9,
      step: 2,
      dark: 4,
      darkEvidence: { rule: expect.stringContaining("close") },
    });
    expect(await text("info")).toContain("4 at the head");
    // Beamline 3 has no signal here that tells dark shots: the rest is told all the same.
    const url = `${fixture}?bl=3`;
    expect((await cli(["info", "--url", url])).out).toMatch(
      /dark shots +Dark and exposed shots .* cannot be classified.*\nphoton energy/,
    );
    expect(JSON.parse((await cli(["info", "--json", "--url", url])).out)).toMatchObject({
      shots: 9,
      dark: null,
      darkUnknown: expect.any(String),
    });
  });

  it("detectors: lists each sensor with its place", async () => {
    const { detectors } = (await json("detectors")) as {
      detectors: { id: string; images: number; geometry: object }[];
    };
    expect(detectors.length).toBe(8);
    expect(detectors[2]).toMatchObject({ id: `${detector}-3`, detector, images: 8, geometry: { pixelSizeXUm: 800 } });
    expect(await text("detectors")).toContain("64 × 32");
  });

  it("signals: finds names by part and by glob", async () => {
    expect(await json("signals", "BM_1_PD")).toMatchObject({ signals: expect.arrayContaining([bm1]) });
    expect(await text("signals", "*nothing*")).toContain("no signal");
  });

  it("tags: prints lists that MakeTagList's users can read", async () => {
    expect((await json("tags", "--class", "dark"))["tags"]).toEqual(truth.dark_tags);
    expect((await json("tags", "--class", "exposed"))["tags"]).toEqual(truth.light_tags);
    const selected = await json("tags", "--detector", `${detector}-3`, "--where", `${bm1} > 1e-9`);
    expect(selected["tags"]).not.toContain(384559331);
    const { files, out } = await cli([
      "tags",
      "--class",
      "on",
      "--detector",
      `${detector}-1`,
      "-o",
      "on.txt",
      "--url",
      fixture,
    ]);
    expect(files.get("on.txt")).toMatch(/^det,MPCCD-8B0-2-010-1\n3845593\d\d\n/);
    expect(out).toContain("written to on.txt");
    expect((await cli(["tags", "--where", "bm1 about 5", "--url", fixture])).code).toBe(2);
  });

  it("values: gives a number or a reason for every shot, a CSV and a plot", async () => {
    const { code, out, files } = await cli([
      "values",
      "newest",
      bm1,
      "--json",
      "-o",
      "a.csv",
      "--plot",
      "a.svg",
      "--url",
      fixture,
    ]);
    expect(code).toBe(0);
    const [column] = (JSON.parse(out) as { columns: { values: unknown[]; unit: string; counts: object }[] }).columns;
    expect(column).toMatchObject({ unit: "C", counts: { ok: 7, "not-converged": 1, saturated: 1, missing: 0 } });
    expect(column?.values.slice(6, 8)).toEqual(["not-converged", "saturated"]);
    expect(files.get("a.csv")).toContain("not-converged");
    expect(files.get("a.svg")).toMatch(/^<svg/);
    expect(await text("values", "newest", bm1)).toMatch(/e-09C/);
    const shutter = "xfel_bl_2_shutter_1_open_valid/status";
    const several = await cli(["values", "newest", bm1, shutter, "--plot", "b.svg", "--url", fixture]);
    expect([several.code, String(several.files.get("b.svg"))]).toEqual([
      0,
      expect.stringMatching(/charge \(nC\)[\s\S]*open_valid\/status</),
    ]);
    expect(String(files.get("a.svg"))).not.toContain("relative");
  });

  it("values -o: writes the form the name ends with, and counts instead of printing all", async () => {
    const { out, files } = await cli(["values", "newest", bm1, "-o", "a.parquet", "--url", fixture]);
    expect(out).toMatch(/9 shots written to a\.parquet\n$/);
    expect(out).toMatch(/C +7 +1 +1 +0/);
    expect(
      Buffer.from(files.get("a.parquet") ?? "")
        .subarray(0, 4)
        .toString(),
    ).toBe("PAR1");
    const arrow = await cli(["values", "newest", bm1, "-o", "a.arrow", "--url", fixture]);
    expect(
      Buffer.from(arrow.files.get("a.arrow") ?? "")
        .subarray(0, 6)
        .toString(),
    ).toBe("ARROW1");
    const wrong = await cli(["values", "newest", bm1, "-o", "a.xlsx", "--url", fixture]);
    expect([wrong.code, wrong.files.size]).toEqual([2, 0]);
    expect(wrong.err).toContain(".parquet");
  });

  it("says why a run has none of the shots asked for", async () => {
    const dark = await cli(["tags", "1519991", "--class", "exposed", "--url", "sim:?clock=virtual"]);
    expect(dark.err).toMatch(
      /no exposed shots: of its (\d+) shots \1 dark \(the X-ray shutter was closed all the time\)\./,
    );
  });

  it("convert --dry-run: says what would be written", async () => {
    const answer = await json("convert", "newest", "-o", "never.h5", "--class", "exposed", "--dry-run");
    expect(answer).toMatchObject({
      file: "never.h5",
      ledger: { asked: 9, used: 5, dropped: [{ reason: "dark" }] },
      imageBytes: 5 * 8 * 64 * 32 * 4,
    });
    expect(await text("convert", "newest", "--dry-run")).toMatch(/9 of 9 shots to read\n.*\nnothing was written\n$/);
    const tags = (await text("tags", "newest", "--class", "exposed")).trim().split("\n").slice(1, 3).join("-");
    for (const dark of [["--dark", "auto"], ["--dark"], ["--no-dark"]])
      expect(await text("convert", "newest", "--dry-run", "--tags", tags, ...dark)).toContain("2 of 9 shots to read");
    expect(existsSync("never.h5")).toBe(false);
    const taken = fileURLToPath(import.meta.url);
    expect(await text("convert", "newest", "-o", taken, "--dry-run")).toMatch(/is there already: give --overwrite/);
    expect(await text("convert", "newest", "-o", taken, "--dry-run", "--overwrite")).toMatch(
      /is there already: it will be replaced/,
    );
    for (const url of [fixture, `file:${fixture}?bl=3`]) {
      const onto = await cli(["convert", "newest", "--overwrite", "-o", fixture, "--url", url]);
      expect([onto.code, onto.err]).toEqual([2, expect.stringContaining("another file than the one that is read")]);
    }
    const none = await cli(["convert", "newest", "--where", `${bm1} > 1`, "--dry-run", "--url", fixture]);
    expect(none.err).toMatch(/No shot of run \d+ is left to convert, of 9: .*\d+ /);
    const table = await cli(["convert", "newest", "--table", "a.doc", "--url", fixture]);
    expect([table.code, existsSync(`${truth.run}.h5`)]).toEqual([2, false]);
  });

  it("convert --dark auto: of the nearest run with dark shots of all the detectors", async () => {
    const ids = ["MPCCD-1N0-M06-002", "MPCCD-1N0-M06-003"];
    const runOf = (run: number, open: number, detectors: readonly string[]): Parts => {
      const tags = [10 * run + 1, 10 * run + 3];
      const parts = runParts(run, 3, tags);
      const first = `/run_${run}/detector_2d_1/`;
      const others = detectors.flatMap((name, k) =>
        Object.entries(parts)
          .filter(([path]) => path.startsWith(first))
          .map(([path, part]): [string, Parts[string]] => [
            path.replace(first, `/run_${run}/detector_2d_${k + 1}/`),
            path.endsWith("detector_name") ? { data: name, dtype: "A17" } : part,
          ]),
      );
      const shutter = { data: Int32Array.from(tags, () => open) };
      const flag = `/run_${run}/event_info/bl_3/shutter_1_open_valid_status`;
      return { ...parts, ...Object.fromEntries(others), [flag]: shutter };
    };
    const runs = [runOf(5, 0, ids), runOf(6, 0, ids.slice(0, 1)), runOf(7, 1, ids)];
    const url = await writeHdf5(folder, "darks.h5", archiveParts({}, runs, [5, 6, 7]));
    const darkFor = async (...args: string[]): Promise<string> =>
      (await cli(["convert", "7", "--dark", "auto", "--dry-run", "--url", url, ...args])).err;
    expect(await darkFor()).toMatch(/^dark: of run 5,/m);
    expect(await darkFor("--detector", ids[1] ?? "", "--detector", ids[0] ?? "")).toMatch(/^dark: of run 5,/m);
    expect(await darkFor("--detector", ids[0] ?? "")).toMatch(/^dark: of run 6,/m);
  });

  it("run start: warns when the X-ray shutter is closed", async () => {
    const err = async (...args: string[]): Promise<string> =>
      (await cli([...args, "--url", "sim:"], { env: { XDG_STATE_HOME: folder } })).err;
    const start = ["run", "start", "--shots", "3", "--dry-run"];
    expect(await err(...start)).toBe(
      "warning: the X-ray shutter bl3_shutter1 is closed, so the shots will be dark; " +
        "to open it: sacla shutter bl3_shutter1 open\n",
    );
    expect(await err("shutter", "bl3_shutter1", "open", "--yes")).toBe("");
    expect(await err(...start)).toBe("");
  });

  it("image: writes one shot as colours or as 16 bits whose scale is told", async () => {
    const { files, out } = await cli([
      "image",
      "newest",
      `${detector}-1`,
      "--gray16",
      "--json",
      "-o",
      "i.png",
      "--url",
      fixture,
    ]);
    const answer = JSON.parse(out) as {
      picture: { low: number; high: number };
      sensors: { max: number; argmax: [number, number] }[];
    };
    const png = PNG.sync.read(Buffer.from(files.get("i.png") ?? ""), { skipRescale: true });
    expect([png.width, png.height]).toEqual([32, 64]);
    const [sensor] = answer.sensors;
    const level = (png.data as unknown as Uint16Array)[4 * ((sensor?.argmax[0] ?? 0) * 32 + (sensor?.argmax[1] ?? 0))];
    expect(answer.picture.low + ((level ?? 0) / 65535) * (answer.picture.high - answer.picture.low)).toBeCloseTo(
      sensor?.max ?? 0,
      6,
    );
    const assembled = await cli(["image", "newest", "--dark", "--url", fixture]);
    expect([...assembled.files.keys()]).toEqual([`${truth.run}-${detector}-${truth.tags.at(-1)}.png`]);
    expect(
      (await cli(["image", "newest", `${detector}-3`, "--tag", "384559331", "--json", "--url", fixture])).out,
    ).toContain("FRAME_MISSING");
  });

  it("image: writes a picture with its numbers and places as HDF5", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sacla-test-"));
    try {
      const path = join(folder, "picture.h5");
      const answer = await json("image", "newest", "--dark", "-o", path);
      expect(answer["picture"]).toEqual({ file: path });
      const browser = await H5Browser.open(path);
      const { shape } = await browser.look("picture.h5", "/picture");
      expect((await browser.look("picture.h5", "/x_um")).shape).toEqual([shape?.[1]]);
      const one = { offset: [], count: [], step: [] };
      expect([...(await browser.numbers("picture.h5", "/dark_run", one))]).toEqual([truth.run]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  itInFull("assemble leaves out the bad pixels of CITIUS, which shine", async () => {
    const { code, out } = await cli([
      "assemble",
      "228985",
      "--bl",
      "2",
      "--no-dark",
      "--limit",
      "1",
      "--json",
      "--url",
      "sim:",
    ]);
    const { brightest } = JSON.parse(out) as { brightest: { value: number }[] };
    expect([code, brightest.length]).toEqual([0, 8]);
    // Bad ones give 5000 ADU in every shot.
    for (const { value } of brightest) expect(value).toBeLessThan(2500);
  });

  it("tma: timing edges of a run in the facility's CSV form, which timingEdges reads back; an archive has none", async () => {
    const { code, out, files } = await cli([
      "tma",
      "1520000",
      "-o",
      "tma.csv",
      "--json",
      "--url",
      "sim:?clock=virtual",
    ]);
    expect(code).toBe(0);
    const csv = String(files.get("tma.csv"));
    expect(csv.split("\n").slice(0, 2)).toEqual([
      "[TMA 1 BL3 202501]",
      "tag_number,timing_edge_derivative(pixel),timing_edge_fitting(pixel)",
    ]);
    const edges = timingEdges(csv);
    expect(edges.tags.length).toBe(300);
    const found = edges.fittingPx.filter(Number.isFinite).length;
    // 60 dark shots, and some without an edge.
    expect(found).toBeGreaterThan(220);
    expect(found).toBeLessThanOrEqual(240);
    expect(JSON.parse(out)).toMatchObject({ bl: 3, run: 1_520_000, shots: 300, edges: found, file: "tma.csv" });
    const archive = await cli(["tma", String(truth.run), "--json", "--url", fixture]);
    expect(archive.code).toBeGreaterThan(0);
    expect(JSON.parse(archive.out)).toMatchObject({ error: { code: "UNSUPPORTED" } });
  });

  it("average, histogram, assemble: account for the missing image", async () => {
    const ledger = { asked: 9, used: 8, dropped: [{ reason: "frame-missing", tags: [384559331] }] };
    const average = await json("average", "newest", "--out", "a.png");
    expect(average).toMatchObject({ ledger, shots: { dark: 4, exposed: 4 } });
    expect((average["sensors"] as { picture: { file: string } }[]).map(({ picture }) => picture.file)).toEqual(
      Array.from({ length: 8 }, (_, i) => `a-${i + 1}.png`),
    );
    expect(await json("histogram")).toMatchObject({ ledger, file: `${truth.run}-${detector}-histogram.svg` });
    const source = await json("assemble");
    const mirrored = await json("assemble", "--view", "detector");
    const spots = (answer: Record<string, unknown>) => (answer["brightest"] as { column: number; row: number }[])[0];
    const width = Number(source["width"]);
    expect(spots(mirrored)?.row).toBe(spots(source)?.row);
    expect(Math.abs(width - 1 - (spots(mirrored)?.column ?? 0) - (spots(source)?.column ?? 0))).toBeLessThanOrEqual(1);
    expect(await text("assemble", "--method", "area", "--no-dark", "--limit", "2")).toContain(
      "1 of 6 shots used, dropped: 1 frame-missing, 4 dark",
    );
  });

  it("average: says what the common mode took, and what light may have moved it by", async () => {
    const at = ["--limit", "5", "--common-mode", "--bl", "3", "--url", "sim:?clock=virtual"];
    const { out } = await cli(["average", "1519999", "MPCCD-8N0-3-002-1", ...at]);
    expect(out).toMatch(
      /; common mode: -?\d\.\d\d to -?\d\.\d\d ADU taken from 8 ports, which light may have moved by up to 0\.\d+ ADU/,
    );
  });

  it("draws progress on a terminal only, and cleans the line", async () => {
    const terminal = await cli(
      ["average", "1519999", "MPCCD-8N0-3-002-1", "--limit", "60", "--bl", "3", "--url", "sim:?clock=virtual"],
      { isTerminal: true },
    );
    expect(terminal.err).toMatch(/shots, \d+\/s/);
    expect(terminal.err.endsWith("\r\x1b[K")).toBe(true);
    expect((await cli(["average", "newest", "--url", fixture])).err).toBe("");
  });

  it("exits with 2 when asked wrongly, 1 when it fails, 130 when stopped, and says what to do", async () => {
    const cases: [string[], number, string][] = [
      [["info", "7", "--url", fixture], 1, "UNKNOWN_RUN"],
      [["info", "seven", "--url", fixture], 2, "run number, or newest"],
      [["info", "seven", "--url", fixture], 2, "see: sacla info --help"],
      [["convert", "newest", "--tags", "no.txt", "--url", fixture], 1, "FILE_NOT_FOUND"],
      [
        ["convert", "newest", "--format", "nxmx", "--pixels", "uint16", "--url", fixture],
        2,
        '"uint16", but must be absent',
      ],
      [["average", "newest", "-o", "no/such/folder/a.png", "--url", fixture], 1, "folder is not there"],
      [["demo", fixture, "-o", "no/such/folder/a.html"], 1, "folder is not there"],
      [["live", "--every", "-1", "--url", fixture], 2, "0 or more"],
      [["average", "newest", "MPCCD-9", "--url", fixture], 1, "UNKNOWN_DETECTOR"],
      [["values", "newest", "nope", "--url", fixture], 1, "UNKNOWN_SIGNAL"],
      [["runs", "--bl", "9", "--url", fixture], 1, "UNKNOWN_BEAMLINE"],
      [["image", "newest", "--tag", "5", "--url", fixture], 1, "TAG_OUTSIDE_RUN"],
      [["runs", "--url", "gopher:x"], 2, "BAD_URL"],
      [["assemble", "--view", "left", "--url", fixture], 2, "Allowed choices"],
      [["calibrate", "newest", "--distance", "80", "--url", fixture], 2, "--calibrant"],
      [["calibrate", "newest", "--calibrant", "LaB6", "--distance", "80", "--url", fixture], 1, "NO_RINGS"],
      [["nonsense"], 2, "unknown command"],
      [["image", "--range", "5,1", "--url", fixture], 2, "low,high"],
    ];
    for (const [args, code, said] of cases) {
      const result = await cli(args);
      expect([result.code, result.out], args.join(" ")).toEqual([code, ""]);
      expect(result.err).toContain(said);
    }
    const stopped = await cli(["average", "--url", fixture], { signal: AbortSignal.abort() });
    expect([stopped.code, stopped.err]).toEqual([130, "stopped\n"]);
    const failed = await cli(["info", "7", "--json", "--url", fixture]);
    expect(JSON.parse(failed.out)).toMatchObject({ error: { code: "UNKNOWN_RUN", details: { run: 7 } } });
    const wrong = await cli(["info", "seven", "--json", "--url", fixture]);
    expect([wrong.code, JSON.parse(wrong.out)]).toMatchObject([
      2,
      { error: { code: "BAD_ARGUMENT", message: expect.stringContaining("'seven'") } },
    ]);
  });

  it("--help and --version exit with 0", async () => {
    const help = await cli(["--help"]);
    expect([help.code, help.out.includes("assemble")]).toEqual([0, true]);
    expect(Math.max(...help.out.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect((await cli(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
