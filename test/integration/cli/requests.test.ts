import { describe, expect, it } from "vitest";
import { MachineTuning } from "../../../src/facility/optics/machine.ts";
import { cli } from "../../support/fake-io.ts";

const url = (operators: string): string[] => ["--url", `sim:?clock=virtual&operators=${operators}`];

describe("sacla requests", () => {
  it("lists what may be asked for, how it is verified, and what was asked", async () => {
    const { code, out } = await cli(["requests", ...url("prompt")]);
    expect(code).toBe(0);
    expect(out).toMatch(/normal mode for beamline 3/);
    expect(out).toMatch(/bl3_chicane1 +0 … 300 +fs +300 +xfel_mon_bpm_bl3_chicane_1_delay\/summary/);
    expect(out).toMatch(/nothing was asked/);
  });

  it("says that requests on sim: end with the command that asks, and how two terminals see them", async () => {
    const next = expect.stringMatching(/On sim: a request lives in the command that asks.*sacla serve/s);
    for (const action of ["list", "log"])
      expect(await cli(["requests", action, ...url("absent")])).toMatchObject({ code: 0, out: next });
    const accept = await cli(["requests", "accept", "7", ...url("absent")]);
    expect(accept).toMatchObject({ code: 2, err: next });
    expect(accept.err).toContain("no request 7 to accept");
  });

  it("names what may be asked for when a name is none of it", async () => {
    const { code, err } = await cli(["requests", "ask", "bl3_chicne1=60", ...url("prompt")]);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/cannot be asked for; what can be is .*bl3_chicane1, bl3_pump_fel\. Did/),
    ]);
    expect(err).toContain("Did you mean bl3_chicane1?");
    expect(err).not.toMatch(/attenuator|selector|gain/);
    const axis = await cli(["requests", "ask", "bl3_st2_pm001=60", "--dry-run", ...url("prompt")]);
    expect([axis.code, axis.err]).toEqual([1, expect.stringContaining("cannot be asked for")]);
  });

  it("asks, and prints what showed that it worked", async () => {
    const { code, out, err } = await cli(["requests", "ask", "bl3_chicane1=60", "--yes", ...url("prompt")]);
    expect(code).toBe(0);
    expect(err).toMatch(/request 1 \(bl3_chicane1\): waiting[\s\S]*verifying[\s\S]*kept/);
    expect(out).toMatch(/bl3_chicane1 is 60: xfel_mon\S+ is \d+\.\d+ ± 0?\.?\d+ over \d+ shots \(request 1\)/);
  });

  it("asks nobody in a dry run, and says what would be refused", async () => {
    const good = await cli(["requests", "ask", "bl3_pump_fel=on", "--dry-run", ...url("refusing")]);
    expect([good.code, good.out]).toEqual([0, expect.stringMatching(/off +on .*nobody was asked \(dry run\)/s)]);
    const typed = await cli(["requests", "ask", "bl3_photon_energy=9.95keV", "--dry-run", ...url("prompt")]);
    expect([typed.code, typed.out]).toEqual([0, expect.stringMatching(/9\.95 +keV/)]);
    const far = await cli(["requests", "ask", "bl3_steer_x=0.8", "--yes", ...url("prompt")]);
    expect([far.code, far.out]).toEqual([1, expect.stringMatching(/nobody was asked: .*Ask for 0\.5 first/s)]);
    const direct = await cli(["requests", "ask", "bl3_id1_k=2.1", "--dry-run", ...url("prompt")]);
    expect([direct.code, direct.out]).toEqual([1, expect.stringMatching(/without a request: sacla set bl3_id1_k/)]);
  });

  it("ends with what the operators said, or that they said nothing", async () => {
    const no = await cli(["requests", "ask", "bl3_chicane1=60", "--yes", ...url("refusing")]);
    expect([no.code, no.err]).toEqual([1, expect.stringMatching(/REQUEST_DECLINED: .*declined by simulated operator/)]);
    const none = ["requests", "ask", "bl3_chicane1=60", "--yes", "--answer-seconds", "0.1", ...url("absent")];
    const absent = await cli(none);
    expect([absent.code, absent.err]).toEqual([1, expect.stringMatching(/REQUEST_EXPIRED: .*no answer within 0\.1 s/)]);
    const half = await cli(["requests", "ask", "bl3_chicane1=60", "--yes", ...url("partial")]);
    expect([half.code, half.err]).toEqual([1, expect.stringMatching(/REQUEST_DECLINED: .*offers 30/)]);
    expect(half.err).toContain("offered 30 fs, not taken without --take-offers");
    const taken = await cli(["requests", "ask", "bl3_chicane1=60", "--yes", "--take-offers", ...url("partial")]);
    expect([taken.code, taken.out]).toEqual([0, expect.stringMatching(/bl3_chicane1 is 30/)]);
  });

  it("says how each part is given when it is not", async () => {
    const twice = await cli(["requests", "ask", "bl3_chicane1=60", "bl3_chicane1=5", "--yes", ...url("prompt")]);
    expect([twice.code, twice.err]).toEqual([2, expect.stringContaining("one value only")]);
    for (const args of [["ask"], ["ask", "60"], ["accept"], ["change", "1"], ["accept", "1", "2"], ["cancel", "x"]]) {
      const { code, err } = await cli(["requests", ...args, ...url("prompt")]);
      expect([args, code, err]).toEqual([args, 2, expect.stringMatching(/NAME=VALUE|needs ID/)]);
    }
    const { code, err } = await cli(["set", "bl3_chicane1", "60", "--yes", ...url("prompt")]);
    expect([code, err]).toEqual([1, expect.stringMatching(/^$/)]);
  });
});

describe("sacla optimise", () => {
  const knobs = ["bl3_steer_x=-1:1:0.4", "bl3_quad_1=-1:1:0.4"];
  const signal = ["--signal", "xfel_bl_3_tc_bm_1_pd/charge", "--shutter", "bl3_shutter1"];

  it("tunes the machine by requests, and says what it has verified", async () => {
    const args = ["optimise", ...knobs, ...signal, "--budget", "120", "--yes", "--no-journal", "--json"];
    const { code, out, err } = await cli([...args, ...url("prompt")]);
    expect(code).toBe(0);
    expect(err).toMatch(
      /(better|nothing better than the start was found): .* at the best place, .* at the start; now at/,
    );
    expect(JSON.parse(out)).toMatchObject({ done: true });
  });

  it("has spectral brightness as objective: light over the width of the spectrum", async () => {
    const brightness = ["--signal", "xfel_bl_3_tc_bm_1_pd/charge", "--normalise", "xfel_bl_3_tc_spec_1/width"];
    const args = ["optimise", "bl3_taper_1=-1:1:0.4", ...brightness, "--shutter", "bl3_shutter1", "--budget", "160"];
    const { code, out, err } = await cli([...args, "--yes", "--no-journal", "--json", ...url("prompt")]);
    expect([code, err]).toEqual([0, expect.stringContaining("at the best place")]);
    const { result } = JSON.parse(out) as { result: { at: Record<string, number>; best: { mean: number } } };
    const machine = new MachineTuning(1);
    const relative = (taper: number): number => machine.light([0, 0, 0, 0, 0, taper]) / machine.width(taper);
    const most = Math.max(...Array.from({ length: 201 }, (_, k) => relative(k / 100 - 1)));
    expect(relative(result.at["bl3_taper_1"] ?? NaN)).toBeGreaterThan(0.9 * most);
  });

  it("turns nothing in a dry run, and tells shots and time", async () => {
    const { code, out } = await cli([
      "optimise",
      ...knobs,
      ...signal,
      "--budget",
      "120",
      "--dry-run",
      ...url("prompt"),
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/shots +1[012]\d\b[\s\S]*nothing was done/);
  });

  it("says what is wrong with a knob before anything moves", async () => {
    const wrong: [string, RegExp][] = [
      ["bl3_quad_1=-1:1", /NAME=FROM:TO:STEP/],
      ["bl3_quad_1=-2:1:0.1", /LIMIT.*-1 to 1/],
      ["bl3_st4_pm036=-1e9:1:10", /within its limits/],
      ["bl3_pump_fel=0:1:1", /a setting that is a number/],
      ["bl3_quad_9=0:1:1", /UNKNOWN_DEVICE/],
    ];
    for (const [knob, says] of wrong) {
      const { code, err } = await cli(["optimise", knob, ...signal, "--yes", ...url("prompt")]);
      expect([knob, code > 0, err]).toEqual([knob, true, expect.stringMatching(says)]);
    }
    const twice = await cli(["optimise", "bl3_quad_1=-1:1:0.4", "bl3_quad_1=0:1:0.1", ...signal, ...url("prompt")]);
    expect([twice.code, twice.err]).toEqual([2, expect.stringContaining("bl3_quad_1 once only")]);
  });
});
