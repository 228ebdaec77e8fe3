import { describe, expect, it } from "vitest";
import type { MissingReason } from "../../../src/core/syncdb.ts";
import { type DarkTest, Db, darkRuleOf, darkRules, type Run } from "../../../src/db/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { TinySource } from "../../support/tiny-source.ts";

type Flag = 0 | 1 | MissingReason;

const first = 100;

interface Script {
  bl: number;
  run: number;
  open?: readonly (number | MissingReason)[];
  close?: readonly (number | MissingReason)[];
  monitor?: readonly (number | MissingReason)[];
}

/** A run of one shot per entry, tags 100, 101, … */
async function scripted({ bl, run, open, close, monitor }: Script): Promise<Run> {
  const images = (open ?? monitor ?? close ?? []).length;
  const source = new TinySource({ [bl]: [{ run, start: first, images, step: 1 }] });
  const set = (name: string, unit: string, values: readonly (number | MissingReason)[] | undefined): void => {
    if (values !== undefined) source.setSignal(name, unit, (tag) => values[tag - first] ?? "missing");
  };
  set(`xfel_bl_${bl}_shutter_1_open_valid/status`, "", open);
  set(`xfel_bl_${bl}_shutter_1_close_valid/status`, "", close);
  set("xfel_bl_2_st_3_bm_1_pd/charge", "C", monitor);
  return await new Db(inProcess(endpointOf(source))).run(bl, run);
}

const shots = (tags: Iterable<number>): number[] => [...tags].map((tag) => tag - first);

describe("the dated table", () => {
  it.each<[number, number, DarkTest]>([
    [2, 1, "open"],
    [2, 32_347, "open"],
    [2, 32_348, "beam-monitor"],
    [2, 81_549, "beam-monitor"],
    [2, 81_550, "open-and-close"],
    [2, 255_550, "open-and-close"],
    [3, 1, "open"],
    [3, 909_708, "open"],
    [3, 909_709, "open-and-close"],
    [3, 1_616_940, "open-and-close"],
    [1, 1, "open-and-close"],
  ])("BL%i run %i: %s", (bl, run, test) => {
    expect(darkRuleOf(bl, run).test).toBe(test);
  });

  it("covers every run of a beamline exactly once, with a source", () => {
    for (const bl of [2, 3]) {
      const rows = darkRules.filter((rule) => rule.bl === bl);
      expect(rows[0]?.firstRun).toBe(0);
      expect(rows.at(-1)?.lastRun).toBe(Infinity);
      rows.slice(1).forEach((row, i) => {
        expect(row.firstRun).toBe((rows[i]?.lastRun ?? NaN) + 1);
      });
      for (const row of rows) expect(row.source).toMatch(/ostrich/);
    }
    expect(darkRuleOf(1, 5).source).toMatch(/no rule is published for beamline 1/);
  });
});

describe("run.darkTags", () => {
  // The same flags at both sides of each border: closed and open agree at shot 1, the monitor sees beam from shot 3 on.
  const open: Flag[] = [0, 0, 0, 1, 1];
  const close: Flag[] = [1, 0, 1, 0, 0];
  const monitor = [0, 5e-11, "not-converged", 9e-9, 9e-9] as const;

  it.each<[number, number, number[], RegExp]>([
    [2, 32_347, [0, 1, 2], /^dark = open 0, /],
    [2, 32_348, [0, 1, 2], /below 1e-10 C or not-converged/],
    [2, 81_549, [0, 1, 2], /below 1e-10 C or not-converged/],
    [2, 81_550, [0], /open 0 and close 1/],
    [3, 909_708, [0, 1, 2], /^dark = open 0, /],
    [3, 909_709, [0], /open 0 and close 1/],
    [1, 10, [0], /open 0 and close 1/],
  ])("BL%i run %i", async (bl, run, expected, rule) => {
    const dark = await (await scripted({ bl, run, open, close, monitor })).darkTags();
    expect(shots(dark)).toEqual(expected);
    expect(dark.basis?.rule).toMatch(rule);
    expect(dark.basis?.source).toBe(darkRuleOf(bl, run).source);
    expect(dark.ledger?.asked).toBe(5);
  });

  it("uses the close flag of an old run when it mirrors the open flag, and finds the contradiction", async () => {
    const mirror: Flag[] = [0, 0, ...Array<Flag>(12).fill(1)];
    const close = mirror.map((flag, i): Flag => (i === 8 ? 1 : flag === 0 ? 1 : 0));
    const run = await scripted({ bl: 3, run: 303_001, open: mirror, close });
    const exposed = await run.exposedTags();
    expect(exposed.ledger?.dropped).toContainEqual({ reason: "xray-flags-agree", tags: [108] });
    expect(exposed.basis?.source).toMatch(/only the open flag is usable; in this run the close flag mirrors it/);
    // Here the close flag stands still.
    const stuck = await scripted({ bl: 3, run: 303_001, open: mirror, close: mirror.map((): Flag => 1) });
    expect((await stuck.exposedTags()).length).toBe(12);
  });

  it("does not ask the shutter flags where they are unreliable, and draws the line at 1e-10 C", async () => {
    const run = await scripted({
      bl: 2,
      run: 50_000,
      open: [1, 1, 1, 1],
      close: [0, 0, 0, 0],
      monitor: [9.99e-11, -2e-12, 1e-10, 0],
    });
    const dark = await run.darkTags();
    expect(shots(dark)).toEqual([0, 1]);
    expect(dark.basis?.signals).toEqual(["xfel_bl_2_st_3_bm_1_pd/charge"]);
    expect(dark.ledger?.dropped).toEqual([
      { reason: "exposed", tags: [102] },
      { reason: "closed-after-head", tags: [103] },
    ]);
  });

  it("takes a saturated monitor for beam", async () => {
    const run = await scripted({ bl: 2, run: 50_000, monitor: [0, "saturated", 0] });
    expect(shots(await run.darkTags())).toEqual([0]);
    expect(shots(await run.exposedTags())).toEqual([1]);
  });

  it("does not count a shutter that closes later in the run", async () => {
    const run = await scripted({ bl: 3, run: 1_000_000, open: [0, 0, 1, 0, 0, 1], close: [1, 1, 0, 1, 1, 0] });
    const dark = await run.darkTags();
    expect(shots(dark)).toEqual([0, 1]);
    expect(dark.ledger?.dropped).toEqual([
      { reason: "exposed", tags: [102, 105] },
      { reason: "closed-after-head", tags: [103, 104] },
    ]);
    expect(shots(await run.exposedTags())).toEqual([2, 5]);
  });

  it("ends the head at the first contradiction", async () => {
    const run = await scripted({ bl: 3, run: 1_000_000, open: [0, 1, 0, 1], close: [1, 1, 1, 0] });
    expect(shots(await run.darkTags())).toEqual([0]);
    const exposed = await run.exposedTags();
    expect(shots(exposed)).toEqual([3]);
    expect(exposed.ledger?.dropped).toEqual([
      { reason: "dark", tags: [100] },
      { reason: "xray-flags-agree", tags: [101] },
      { reason: "closed-after-head", tags: [102] },
    ]);
  });

  it("passes over a shot without a flag: it is not dark, and does not end the head", async () => {
    const run = await scripted({
      bl: 3,
      run: 1_000_000,
      open: ["missing", 0, 0, 1],
      close: [1, 1, "not-converged", 0],
    });
    const dark = await run.darkTags();
    expect(shots(dark)).toEqual([1]);
    expect(dark.ledger?.dropped).toContainEqual({ reason: "xray-flag-missing", tags: [100, 102] });
  });

  it("takes a run with the shutter closed as dark altogether, and one without dark shots as none", async () => {
    const closed = await scripted({ bl: 3, run: 1_000_000, open: [0, 0, 0], close: [1, 1, 1] });
    expect(shots(await closed.darkTags())).toEqual([0, 1, 2]);
    expect(shots(await closed.exposedTags())).toEqual([]);
    const opened = await scripted({ bl: 3, run: 1_000_000, open: [1, 0], close: [0, 1] });
    expect(shots(await opened.darkTags())).toEqual([]);
  });

  it("finds the head of the whole run when asked about a part of it", async () => {
    const run = await scripted({ bl: 3, run: 1_000_000, open: [0, 0, 1, 0, 1], close: [1, 1, 0, 1, 0] });
    const part = await run.darkTags([101, 103]);
    expect(shots(part)).toEqual([1]);
    expect(part.ledger).toEqual({ asked: 2, used: 1, dropped: [{ reason: "closed-after-head", tags: [103] }] });
    expect(shots(await run.darkTags([103, 104]))).toEqual([]);
  });

  it("says so when only the open flag is recorded", async () => {
    for (const close of [undefined, ["missing", "missing", "missing"] as const]) {
      const run = await scripted({ bl: 1, run: 7, open: [0, 0, 1], ...(close === undefined ? {} : { close }) });
      const dark = await run.darkTags();
      expect(shots(dark)).toEqual([0, 1]);
      expect(dark.basis?.rule).not.toMatch(/close/);
      expect(dark.basis?.source).toMatch(/no rule is published.*close flag is not recorded/);
      expect(dark.basis?.signals).toEqual(["xfel_bl_1_shutter_1_open_valid/status"]);
    }
  });

  it("guesses nothing from other signals than the rule's", async () => {
    const withoutMonitor = await scripted({ bl: 2, run: 50_000, open, close });
    await expect(withoutMonitor.darkTags()).rejects.toMatchObject({
      code: "UNKNOWN_SIGNAL",
      name: "APIError",
      message: expect.stringContaining("xfel_bl_2_st_3_bm_1_pd/charge"),
    });
    const withoutOpen = await scripted({ bl: 3, run: 1_000_000, close });
    await expect(withoutOpen.exposedTags()).rejects.toMatchObject({
      code: "UNKNOWN_SIGNAL",
      message: expect.stringContaining("Name the dark tags"),
    });
  });

  it("reads the names an archive has", async () => {
    const source = new TinySource({ 3: [{ run: 1_000_000, start: first, images: 3, step: 1 }] })
      .setSignal("bl_3/shutter_1_open_valid_status", "", (tag) => (tag < 101 ? 0 : 1))
      .setSignal("bl_3/shutter_1_close_valid_status", "", (tag) => (tag < 101 ? 1 : 0));
    const dark = await (await new Db(inProcess(endpointOf(source))).run(3, 1_000_000)).darkTags();
    expect(shots(dark)).toEqual([0]);
    expect(dark.basis?.signals).toEqual(["bl_3/shutter_1_open_valid_status", "bl_3/shutter_1_close_valid_status"]);
  });

  it("is empty for a run that has no tags yet", async () => {
    const run = await scripted({ bl: 3, run: 1_000_000, open: [], close: [] });
    expect((await run.darkTags()).length).toBe(0);
  });
});
