import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { Journal, TargetMap } from "../../../src/scan/index.ts";
import { cli } from "../../support/fake-io.ts";
import { nativeSource } from "../../support/native-sources.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const url = ["--url", "sim:?clock=virtual"];
const delay = "bl3_st2_pm001";
const scanModule = pathToFileURL(nativeSource("scan/index.ts")).href;

function planFile(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `import { count, move, plan, scan } from ${JSON.stringify(scanModule)};\n${body}\n`);
  return path;
}

describe("sacla scan", () => {
  it("runs, and writes table, page, documents and a journal that is done", async () => {
    const journal = join(folder, "a.journal");
    const files = ["--csv", "a.csv", "--html", "a.html", "--documents", "a.jsonl", "--journal", journal];
    const result = await cli([
      "scan",
      delay,
      "11990",
      "12010",
      "2",
      "--shots",
      "3",
      "--signal",
      "xfel_bl_3_tc_bm_1_pd/charge",
      "--shutter",
      "bl3_shutter1",
      "--yes",
      "--json",
      ...files,
      ...url,
    ]);
    expect(result.err).toContain("point 2 of 2");
    expect(result.code).toBe(0);
    expect(JSON.parse(result.out)).toMatchObject({
      done: true,
      outcome: "done",
      points: 2,
      shots: { asked: 6, used: 6 },
    });
    expect(String(result.files.get("a.csv")).trim().split("\n")).toHaveLength(3);
    expect(String(result.files.get("a.html"))).toContain("<svg");
    expect(String(result.files.get("a.jsonl")).trim().split("\n")).toHaveLength(5);
    const again = await cli(["resume", journal, "--yes"]);
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining("nothing to resume") });
  });

  it("never waits on the clock of this computer in a rehearsal", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    try {
      const args = ["scan", delay, "11990", "12010", "3", "--shots", "3", "--shutter", "bl3_shutter1", "--no-journal"];
      expect(await cli([...args, "--yes", ...url])).toMatchObject({ code: 0 });
      // Between two questions whether the axis is there, or new shots, a command waits 50 and 100 ms else.
      expect(timers.mock.calls.filter(([, ms]) => ms === 50 || ms === 100)).toEqual([]);
      expect(timers.mock.calls.filter(([, ms]) => ms === 1).length).toBeGreaterThan(3);
    } finally {
      timers.mockRestore();
    }
  });

  it("does nothing in a dry run, without a yes, and outside the limits", async () => {
    const dry = await cli(["scan", delay, "0", "100", "11", "--dry-run", ...url]);
    expect(dry).toMatchObject({
      code: 0,
      out: expect.stringMatching(/duration[\s\S]*shots\s+330[\s\S]*nothing was done/),
    });
    const unasked = await cli(["scan", delay, "0", "100", "11", ...url]);
    expect(unasked).toMatchObject({ code: 2, err: expect.stringContaining("--yes or --dry-run") });
    const outside = await cli(["scan", delay, "0", "100000", "11", "--yes", ...url]);
    expect(outside).toMatchObject({
      code: 1,
      out: expect.stringMatching(/cannot go to 100000[\s\S]*nothing was done/),
    });
  });
});

describe("before anything moves", () => {
  it("refuses what a shutter, a setting or a signal cannot be", async () => {
    const body = `function* () { yield { kind: "set", setting: "bl3_attenuator1", value: 150 }; yield { kind: "shutter", name: "bl3_shuter1", open: true }; }`;
    for (const adaptive of [false, true]) {
      const bad = planFile(
        `settings-${adaptive}.mjs`,
        `export default plan("settings", {}, ${body}, { adaptive: ${adaptive} });`,
      );
      const { code, out } = await cli(["plan", "check", bad, ...url]);
      expect([code, out]).toEqual([
        1,
        expect.stringMatching(/bl3_attenuator1 cannot be set to 150: it takes 0, 25,[\s\S]*no shutter "bl3_shuter1"/),
      ]);
    }
    const journal = join(folder, "signal.journal");
    const scanned = ["scan", delay, "0", "10", "2", "--yes", "--journal", journal, ...url];
    expect(await cli([...scanned, "--signal", "no/such"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("UNKNOWN_SIGNAL"),
    });
    expect(await cli([...scanned, "--csv", join(folder, "absent", "a.csv")])).toMatchObject({
      code: 1,
      err: expect.stringContaining("Nothing was moved"),
    });
    expect(await cli([...scanned, "--settle", "-1"])).toMatchObject({ code: 2 });
    expect(existsSync(journal)).toBe(false);
  });

  it("takes units in --where and --beam, bands, and several shutters; refuses a unit that does not fit", async () => {
    const i0 = "xfel_bl_3_tc_bm_1_pd/charge";
    const journal = join(folder, "units.journal");
    const scanned = ["scan", delay, "11990", "12010", "2", "--signal", i0, "--yes", ...url];
    const good = ["--where", `1nC < ${i0} <= 9nC`, "--beam", "0.5nC", "--shutter", "bl3_lh1_shutter1"];
    const done = await cli([...scanned, "--shots", "3", "--shutter", "bl3_shutter1", ...good, "--journal", journal]);
    expect([done.code, done.err.replace(/^(?!error)[^\n]*\n/gm, "")]).toEqual([0, ""]);
    const { settings } = Journal.context(journal) as { settings: { shots: { conditions: unknown }; shutter: unknown } };
    expect(settings.shutter).toEqual(["bl3_shutter1", "bl3_lh1_shutter1"]);
    expect(settings.shots.conditions).toEqual([
      { signalName: i0, between: [expect.closeTo(1e-9, 20), expect.closeTo(9e-9, 20)] },
    ]);
    const wrong = await cli([...scanned, "--where", `${i0} > 5ps`, "--dry-run"]);
    expect([wrong.code, wrong.err]).toEqual([
      2,
      expect.stringContaining("is in C, so it cannot be compared with 5 ps"),
    ]);
  });

  it("leaves the picture of another scan alone whose journal is there", async () => {
    const journal = join(folder, "twice.journal");
    const scanned = [
      "scan",
      delay,
      "11990",
      "12010",
      "2",
      "--shots",
      "3",
      "--shutter",
      "bl3_shutter1",
      "--yes",
      "--journal",
      journal,
      "--plot",
      "twice.png",
      ...url,
    ];
    expect((await cli(scanned)).files.has("twice.png")).toBe(true);
    const again = await cli(scanned);
    expect([again.code, again.files.size, again.err]).toEqual([1, 0, expect.stringContaining("FILE_EXISTS")]);
  });
});

it("says why a signal has no number when a shutter is closed", async () => {
  const { code, out, err, files } = await cli([
    "scan",
    delay,
    "11990",
    "12010",
    "2",
    "--shots",
    "5",
    "--signal",
    "xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage",
    "--yes",
    "--beam",
    "off",
    "--csv",
    "dark.csv",
    ...url,
  ]);
  expect(code).toBe(0);
  expect(err).toContain("voltage has no number in any shot: 5 not-converged");
  expect(out).toContain("voltage has no number in any shot: 10 not-converged. Look at shutters");
  expect(String(files.get("dark.csv"))).toMatch(/voltage missing\n.*5 not-converged\n.*5 not-converged\n$/);
});

describe("sacla plan", () => {
  it("checks and dry-runs a user's file", async () => {
    const good = planFile(
      "good.mjs",
      `export default () => scan({ axis: "${delay}", from: 0, to: 100, points: 3, shots: 30 });`,
    );
    expect(await cli(["plan", "check", good, ...url])).toMatchObject({
      code: 0,
      out: "scan: OK: no problems found\n",
    });
    const dry = await cli(["plan", "dry-run", good, "--json", "--picture", "path.svg", ...url]);
    expect(JSON.parse(dry.out)).toMatchObject({ points: { from: 3, to: 3 }, shots: { from: 90, to: 90 } });
    expect(String(dry.files.get("path.svg"))).toMatch(/^<svg/);
    const bad = planFile(
      "bad.mjs",
      `export default plan("bad", {}, function* () { yield* move({ ${delay}: 1e6 }); });`,
    );
    expect(await cli(["plan", "check", bad, ...url])).toMatchObject({
      code: 1,
      out: expect.stringContaining("cannot go to 1000000"),
    });
  });

  it("is a table of positions, too, such as RunControlGUI's", async () => {
    const table = join(folder, "table.csv");
    writeFileSync(table, `${delay},shots\r\n0,2\r\n100,3\r\n`);
    const dry = await cli(["plan", "dry-run", table, "--json", ...url]);
    expect(JSON.parse(dry.out)).toMatchObject({ points: { from: 2, to: 2 }, shots: { from: 5, to: 5 } });
    const ran = await cli(["plan", "run", table, "--yes", "--beam", "off", ...url]);
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining("done: 2 points") });
    // Control names have whole pulses, names of an experiment file numbers in units.
    writeFileSync(table, `${delay}\n0.5\n`);
    expect((await cli(["plan", "check", table, ...url])).err).toContain("Line 2 of the scan file");
    writeFileSync(table, "theta\n0.5\n");
    const { code, out, err } = await cli(["plan", "check", table, ...url]);
    expect([code, out + err]).toEqual([1, expect.stringContaining("theta")]);
  });

  it("runs on fresh spots of a target map", async () => {
    const path = join(folder, "chip.map");
    TargetMap.create(path, [{ bl3_st2_pm040: 0 }, { bl3_st2_pm040: 50 }, { bl3_st2_pm040: 100 }]).close();
    const body = (times: number): string =>
      `export default count({ times: ${times}, shots: 1, freshSpots: { map: "chip", shutter: "bl3_shutter1" } });`;
    const map = ["--map", `chip=${path}`];
    const run = await cli(["plan", "run", planFile("spots.mjs", body(2)), "--yes", ...map, ...url]);
    expect(run).toMatchObject({ code: 0, out: expect.stringContaining("done: 2 points") });
    const tooMany = await cli(["plan", "check", planFile("many.mjs", body(3)), ...map, ...url]);
    expect(tooMany).toMatchObject({ code: 1, err: expect.stringContaining("NO_FRESH_SPOT") });
    const opened = TargetMap.open(path);
    expect(opened.counts).toEqual({ fresh: 1, spent: 0, shot: 2, missed: 0 });
    opened.close();
  });

  it("says what is wrong with a file", async () => {
    const none = planFile("none.mjs", "export const x = 1;");
    expect(await cli(["plan", "check", none, ...url])).toMatchObject({
      code: 2,
      err: expect.stringContaining("as its default"),
    });
    expect(await cli(["plan", "check", join(folder, "absent.mjs"), ...url])).toMatchObject({
      code: 1,
      err: expect.stringContaining("FILE_NOT_FOUND"),
    });
    const misspelt = planFile("misspelt.mjs", `export default count({ shots: 1, shuter: "xrays", times: 2 });`);
    expect(await cli(["plan", "check", misspelt, ...url])).toMatchObject({
      code: 2,
      err: expect.stringContaining('has no option "shuter". Did you mean shutter?'),
    });
    const throws = planFile("throws.mjs", 'export default () => { throw new TypeError("oops"); };');
    expect(await cli(["plan", "check", throws, ...url])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/throws\.mjs" cannot be loaded: oops \(throws\.mjs:2/),
    });
    const fails = planFile(
      "fails.mjs",
      `export default plan("fails", {}, function* () { yield* move({ ${delay}: 1 }); null.x; });`,
    );
    expect(await cli(["plan", "run", fails, "--yes", ...url])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/steps of the plan fails fail: .*fails\.mjs:2:\d+\)/),
    });
    expect(await cli(["resume", join(folder, "absent.journal")])).toMatchObject({
      code: 1,
      err: expect.stringContaining("FILE_NOT_FOUND"),
    });
  });
});
