import { describe, expect, it } from "vitest";
import type { MissingReason } from "../../../src/core/syncdb.ts";
import { Db, type Run, type ShotLabels } from "../../../src/db/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { TinySource } from "../../support/tiny-source.ts";

const first = 100;
const xray = "xfel_bl_3_shutter_1";
const laser = "xfel_bl_3_lh1_shutter_1";

/** BL3 run 1000000 with one shot per entry of `xray`: D closed, X open; `signals` by equipment id. */
async function scripted(pattern: string, signals: Record<string, readonly (number | MissingReason)[]>): Promise<Run> {
  const source = new TinySource({ 3: [{ run: 1_000_000, start: first, images: pattern.length, step: 1 }] });
  source.setSignal(`${xray}_open_valid/status`, "", (tag) => (pattern[tag - first] === "D" ? 0 : 1));
  source.setSignal(`${xray}_close_valid/status`, "", (tag) => (pattern[tag - first] === "D" ? 1 : 0));
  for (const [name, values] of Object.entries(signals))
    source.setSignal(name, "", (tag) => values[tag - first] ?? "missing");
  return await new Db(inProcess(endpointOf(source))).run(3, 1_000_000);
}

const word = ({ tags, label }: { tags: Iterable<number>; label: (tag: number) => string }): string =>
  Array.from(tags, (tag) => ({ dark: "D", on: "+", off: "-", dropped: "?" })[label(tag)]).join("");

const wordOf = (labels: ShotLabels): string => word({ tags: labels.tags, label: (tag) => labels.label(tag) });

describe("run.labels", () => {
  it("splits dark, pumped and unpumped shots, and accounts for each doubtful one", async () => {
    const run = await scripted("DDXXXXXDX", {
      //                              D  D  X  X  X  X  X          D  X
      [`${laser}_open_valid/status`]: [1, 0, 1, 0, 1, 0, "missing", 1, 1],
      [`${laser}_close_valid/status`]: [0, 1, 0, 1, 1, 0, 1, 0, 0],
    });
    const labels = await run.labels();
    expect(wordOf(labels)).toBe("DD+-????+");
    expect(labels.dropped).toEqual([
      { reason: "laser-flags-agree", tags: [104, 105] },
      { reason: "laser-flag-missing", tags: [106] },
      { reason: "closed-after-head", tags: [107] },
    ]);
    expect(labels.counts).toEqual({ dark: 2, on: 2, off: 1, dropped: 4 });
    expect([...labels.on]).toEqual([102, 108]);
    expect(labels.on.run).toBe(run);
    expect(labels.basis.laser.signals).toEqual([`${laser}_open_valid/status`, `${laser}_close_valid/status`]);
    expect(labels.basis.xray.signals).toEqual([`${xray}_open_valid/status`, `${xray}_close_valid/status`]);
    expect(labels.basis.beam).toBeNull();
    expect(() => labels.label(99)).toThrow(/99.*9 labelled tags \(100 to 108\)/);
  });

  it("drops shots without beam, but needs no beam for dark ones", async () => {
    const run = await scripted("DXXXX", {
      [`${laser}_open_valid/status`]: [0, 1, 1, 0, 0],
      [`${laser}_close_valid/status`]: [1, 0, 0, 1, 1],
      "xfel_mon_msbpm_bl3_dump_1_beamstatus/summary": [0, 1, 0, 1, "missing"],
    });
    const labels = await run.labels();
    expect(wordOf(labels)).toBe("D+?-?");
    expect(labels.dropped).toEqual([
      { reason: "no-beam", tags: [102] },
      { reason: "beam-flag-missing", tags: [104] },
    ]);
    expect(labels.basis.beam?.signals).toEqual(["xfel_mon_msbpm_bl3_dump_1_beamstatus/summary"]);
  });

  it("drops contradictions of the X-ray shutter, whatever the laser did", async () => {
    const run = await scripted("DXX", {
      [`${xray}_close_valid/status`]: [1, 1, 0],
      [`${laser}_open_valid/status`]: [1, 1, 1],
      [`${laser}_close_valid/status`]: [0, 0, 0],
    });
    const labels = await run.labels();
    expect(wordOf(labels)).toBe("D?+");
    expect(labels.dropped).toEqual([{ reason: "xray-flags-agree", tags: [101] }]);
  });

  it.each<[string, Record<string, number[]>, string[]]>([
    [
      "the older spelling",
      { "xfel_bl_lh1_shutter_1_open_valid/status": [0, 1, 0], "xfel_bl_lh1_shutter_1_close_valid/status": [1, 0, 1] },
      ["xfel_bl_lh1_shutter_1_open_valid/status", "xfel_bl_lh1_shutter_1_close_valid/status"],
    ],
    [
      "the archive's selector",
      { "bl_3/lh_1/laser_pulse_selector_status": [0, 1, 0] },
      ["bl_3/lh_1/laser_pulse_selector_status"],
    ],
    ["a lone open flag", { [`${laser}_open_valid/status`]: [0, 1, 0] }, [`${laser}_open_valid/status`]],
    [
      "the archive's selector when the shutter was recorded at no shot",
      { [`${laser}_open_valid/status`]: [], "bl_3/lh_1/laser_pulse_selector_status": [0, 1, 0] },
      ["bl_3/lh_1/laser_pulse_selector_status"],
    ],
  ])("reads the pump laser from %s and says so", async (_, signals, used) => {
    const labels = await (await scripted("DXX", signals)).labels();
    expect(wordOf(labels)).toBe("D+-");
    expect(labels.basis.laser.signals).toEqual(used);
  });

  it("labels a part of the run with the head of the whole", async () => {
    const run = await scripted("DXDX", { "bl_3/lh_1/laser_pulse_selector_status": [0, 1, 0, 0] });
    const labels = await run.labels([102, 103]);
    expect(wordOf(labels)).toBe("?-");
    expect(labels.dropped).toEqual([{ reason: "closed-after-head", tags: [102] }]);
  });

  it("drops a shot at which the pump laser's shutter and selector differ, when they agree at nine of ten", async () => {
    const pattern = "X".repeat(20);
    const selected = Array.from(pattern, (_, i) => Number(i % 2 === 0));
    const shutter = selected.map((flag, i) => (i === 4 || i === 7 ? 1 - flag : flag));
    const labels = await (
      await scripted(pattern, {
        [`${laser}_open_valid/status`]: shutter,
        "bl_3/lh_1/laser_pulse_selector_status": selected,
      })
    ).labels();
    expect(labels.dropped).toEqual([{ reason: "laser-flags-differ", tags: [104, 107] }]);
    expect(labels.counts).toEqual({ dark: 0, on: 9, off: 9, dropped: 2 });
    expect(labels.basis.laser).toMatchObject({
      rule: "pumped = 1, unpumped = 0, and the pulse selector the same",
      signals: [`${laser}_open_valid/status`, "bl_3/lh_1/laser_pulse_selector_status"],
    });
    // A selector that stands still says nothing.
    const idle = await scripted("XXXX", {
      [`${laser}_open_valid/status`]: [1, 0, 1, 0],
      "bl_3/lh_1/laser_pulse_selector_status": [0, 0, 0, 0],
    });
    expect(wordOf(await idle.labels())).toBe("+-+-");
  });

  it("pairs each pumped shot with the next unpumped one, else with the nearest", async () => {
    const run = await scripted("XXXXXXXXXX", {
      "bl_3/lh_1/laser_pulse_selector_status": [1, 1, 0, 1, 1, 1, "missing", 1, "missing", 0],
    });
    const labels = await run.labels();
    const paired = labels.paired({ after: 2, within: 3 });
    // 100 → 102 (+2); 101 and 103 → 102 (nearest); 104, 105 → 102; 107 → 109 (+2).
    expect(Array.from(paired.on, (tag) => [tag, paired.offOf(tag)])).toEqual([
      [100, 102],
      [101, 102],
      [103, 102],
      [104, 102],
      [105, 102],
      [107, 109],
    ]);
    expect([...paired.pairs]).toEqual([0, 0, 0, 0, 0, 1]);
    const near = labels.paired({ after: 2, within: 0 });
    expect([...near.on]).toEqual([100, 107]);
    expect(near.dropped.map(({ reason, tags }) => [reason, tags])).toEqual([
      ["no-unpumped-near", [101, 103, 104, 105]],
      ["laser-flag-missing", [106, 108]],
    ]);
    expect(labels.paired({ after: 4, within: 0 }).dropped).toContainEqual({ reason: "no-pumped-near", tags: [102] });
    expect(paired.basis.laser.rule).toMatch(/unpumped shot at tag \+ 2, else the nearest within 3 tags/);
    expect(() => paired.offOf(102)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("does not guess without a pump-laser signal", async () => {
    const run = await scripted("DX", {});
    await expect(run.labels()).rejects.toMatchObject({
      code: "UNKNOWN_SIGNAL",
      name: "APIError",
      message: expect.stringMatching(/lh1_shutter_1_open_valid.*exposedTags/),
    });
  });
});
