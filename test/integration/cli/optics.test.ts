import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli } from "../../support/fake-io.ts";

const experiment = new URL("../../../examples/optics.json", import.meta.url).pathname;
const at = ["--url", "sim:?clock=virtual", "--experiment", experiment];
const braggDiode = "xfel_bl_3_st_4_pd_user_3_fitting_peak/voltage";

interface MoveAnswer {
  readonly table: readonly { readonly name: string; readonly willBe: number; readonly problem: string }[];
  readonly done: boolean;
}

describe("sacla rock", () => {
  const scanned = ["bl3_st4_pm036", "500", "1300", "41", "--signal", braggDiode, "--shots", "3", "--shutter", "xrays"];

  it("goes to the peak, the centre, or back", async () => {
    const [peak, centre, back] = await Promise.all(
      ["peak", "centre", "back"].map(
        async (go) => await cli(["rock", ...scanned, "--go", go, "--yes", "--json", "--no-journal", ...at]),
      ),
    );
    for (const each of [peak, centre, back]) expect(each?.code, each?.err).toBe(0);
    const resultOf = (answer: typeof peak) =>
      (JSON.parse(answer?.out ?? "") as { result: { fit: { centre: number } | null; standsAt: number } }).result;
    const found = resultOf(peak);
    expect(Math.abs(found.standsAt - (found.fit?.centre ?? NaN))).toBeLessThan(1);
    expect(Math.abs(resultOf(centre).standsAt - found.standsAt)).toBeLessThan(5);
    expect(resultOf(back).standsAt).toBe(0);
  });

  it("goes back where there is no peak, and says so", async () => {
    const away = [
      "bl3_st4_pm036",
      "-9000",
      "-7000",
      "21",
      "--signal",
      braggDiode,
      "--shots",
      "3",
      "--shutter",
      "xrays",
    ];
    const answer = await cli(["rock", ...away, "--go", "peak", "--yes", "--no-journal", ...at]);
    expect(answer.code).toBe(1);
    expect(answer.err).toContain("error NO_PEAK");
  });

  it("does nothing in a dry run, and needs a signal that is there", async () => {
    const dry = await cli(["rock", ...scanned, "--dry-run", ...at]);
    expect(dry.code, dry.err).toBe(0);
    expect(dry.out).toContain("nothing was done");
    const none = await cli(["rock", "bl3_st4_pm036", "0", "10", "5", "--signal", "no/such", "--dry-run", ...at]);
    expect(none.err).toContain("UNKNOWN_SIGNAL");
    expect((await cli(["rock", "bl3_st4_pm036", "0", "10", "5", ...at])).code).toBe(2);
  });
});

describe("sacla energy", () => {
  it("shows each crystal, and moves both", async () => {
    const shown = await cli(["energy", ...at]);
    expect(shown.code, shown.err).toBe(0);
    expect(shown.out).toMatch(/mono_2 +11\.404176 +deg +9999\.998/);
    const dry = await cli(["energy", "9.978keV", "--dry-run", "--json", ...at]);
    const { table, done } = JSON.parse(dry.out) as MoveAnswer;
    expect(done).toBe(false);
    expect(table.map(({ name, willBe }) => [name, willBe.toFixed(5)])).toEqual([
      ["mono_1", "11.42966"],
      ["mono_2", "11.42966"],
    ]);
    expect((await cli(["energy", "2000", "--dry-run", ...at])).err).toMatch(/photonEnergyEv/);
    expect((await cli(["energy", "9978mm", "--dry-run", ...at])).err).toContain("is in eV");
  });

  it("needs an experiment that says what the optics are", async () => {
    const answer = await cli(["energy", "--url", "sim:?clock=virtual"]);
    expect(answer.code).toBe(2);
    expect(answer.err).toContain("docs/optics.md");
  });

  it("tells what an edge scan would take", async () => {
    const scanned = [
      "9978.2",
      "9968",
      "9988",
      "11",
      "--signal",
      "foil_diode",
      "--normalise",
      "foil_i0",
      "--shutter",
      "xrays",
    ];
    const answer = await cli(["energy", "edge", ...scanned, "--dry-run", ...at]);
    expect(answer.code, answer.err).toBe(0);
    expect(answer.out).toMatch(/points +11/);
    // A limit is found before anything moves.
    const beyond = [
      "9978.2",
      "3100",
      "9988",
      "11",
      "--signal",
      "foil_diode",
      "--normalise",
      "foil_i0",
      "--shutter",
      "xrays",
    ];
    expect((await cli(["energy", "edge", ...beyond, "--yes", ...at])).out).toContain("problem: ");
  });
});

describe("sacla sdo", () => {
  it("shows the knobs, their reach, and what is learnt", async () => {
    const answer = await cli(["sdo", ...at]);
    expect(answer.code, answer.err).toBe(0);
    expect(answer.out).toContain("delay 0.0000 ps, photon energy 10000.00 eV, 4.3078 ps/mm");
    expect(answer.out).toMatch(/reach of the delay at this energy: -3\.45 \(sdo_br1_gap\) … 105\.54 ps/);
    expect(answer.out).toContain("correction: none yet");
  });

  it("moves all axes together, or none", async () => {
    const answer = await cli(["sdo", "delay=1000fs", "energy=9keV", "--yes", "--json", ...at]);
    const { done, at: places } = JSON.parse(answer.out) as { done: boolean; at: Record<string, number> };
    expect(done).toBe(true);
    expect(places["sdo_br1_gap"]).toBeCloseTo(5.209, 3);
    expect(places["sdo_cc2"]).toBeCloseTo(21.0227, 3);
    const beyond = await cli(["sdo", "energy=4000", "--yes", "--json", ...at]);
    const { table, done: moved } = JSON.parse(beyond.out) as MoveAnswer;
    expect(moved).toBe(false);
    expect(table.filter(({ problem }) => problem !== "").length).toBe(6);
    expect((await cli(["sdo", "delay=1", "delay=2", ...at])).err).toContain("once");
    expect((await cli(["sdo", "gap=1", ...at])).err).toContain("delay=PS");
    expect((await cli(["sdo", "delay=9keV", ...at])).err).toContain("is in ps");
  });

  it("tells how long all rocking curves take before it learns", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sacla-optics-"));
    try {
      const learn = ["sdo", "learn", "--points", "5", "--correction", join(folder, "c.json"), "--dry-run", "--json"];
      const [one, three] = await Promise.all(
        ["0", "0,1,2"].map(async (delays) => {
          const { out } = await cli([...learn, "--delays", delays, ...at]);
          return (JSON.parse(out) as { estimate: { seconds: { from: number }; points: { to: number } } }).estimate;
        }),
      );
      // Four crystals have monitors.
      expect([one?.points.to, three?.points.to]).toEqual([4 * 5, 3 * 4 * 5]);
      expect((three?.seconds.from ?? 0) / (one?.seconds.from ?? NaN)).toBeCloseTo(3, 0);
      const text = await cli([...learn.slice(0, -1), "--delays", "0,1", ...at]);
      // The whole way is known, so this is no "at least".
      expect(text.out).toMatch(/duration +\d/);
      expect(text.out).toMatch(/name +now +will be +scanned from +to/);
      const far = await cli([...learn.slice(0, -1), "--delays", "0,200", ...at]);
      expect(far.out).toMatch(/problem: .*sdo_br1_gap/);
      expect(far.out).toContain("nothing was done");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each([
    ["sdo", "zero", "-0.05", "0.05", "7", "--shots", "2"],
    ["sdo", "learn", "--delays", "0", "--points", "5", "--shots", "2"],
    ["energy", "edge", "9978.2", "9958", "9998", "7", "--shots", "2", "--signal", "i0_mono", "--normalise", "i0"],
  ])("%s %s has a journal, and goes on with it", async (...command) => {
    const folder = mkdtempSync(join(tmpdir(), "sacla-optics-"));
    try {
      const journal = join(folder, "scan.journal");
      const learnt = command[0] === "sdo" ? ["--correction", join(folder, "split-delay.json")] : [];
      // Out of the beam the optics show no peak and no edge: the scan ends before it is done.
      const begun = await cli([...command, ...learnt, "--shutter", "xrays", "--yes", "--journal", journal, ...at]);
      expect(begun.err).toMatch(/NO_PEAK|NO_STEP|TOO_FEW/);
      if (command.includes("zero"))
        expect(begun.out).toContain("visibility has no number in any shot: 14 not-converged. Look at shutters");
      const again = await cli(["resume", journal, "--yes"]);
      expect(again.err).toMatch(/NO_PEAK|NO_STEP|TOO_FEW/);
      expect(again.err).not.toContain("PLAN_CHANGED");
      expect(again.out + again.err).toMatch(/points? (is|are) done|goes on/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("tells all ways of an alignment, and which step failed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sacla-optics-"));
    try {
      const correction = join(folder, "split-delay.json");
      const align = ["sdo", "align", "--correction", correction, "--shutter", "xrays", "--points", "5", "--shots", "2"];
      const dry = await cli([...align, "--dry-run", "--json", ...at]);
      expect(dry.code, dry.err).toBe(0);
      const { axes, estimate } = JSON.parse(dry.out) as {
        axes: { name: string; now: number; willBe: number; from: number; to: number }[];
        estimate: { points: { from: number } };
      };
      // Seven scans with a point before and one after, and each branch alone twice.
      expect(estimate.points.from).toBe(7 * (5 + 2) + 4);
      expect(axes.map(({ name }) => name)).toContain("sdo_br2_gap");
      const cc1 = axes.find(({ name }) => name === "sdo_cc1");
      expect(((cc1?.to ?? NaN) - (cc1?.from ?? NaN)) * (Math.PI / 180) * 1e6).toBeCloseTo(200, 6);
      expect((await cli([...align, "--half", "200000", "--dry-run", ...at])).out).toContain("problem: ");
      // Out of the beam no crystal shows a peak.
      const run = await cli([...align, "--yes", "--no-journal", ...at]);
      expect(run.code).toBe(1);
      expect(run.out).toMatch(/sdo_br1 .*failed .*no peak/);
      expect(run.out).toMatch(/delay 0 by visibility .*not tried .*after sdo_br1/);
      expect(existsSync(correction)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("refuses a correction that is none, and a place that it could not be written to", async () => {
    const bad = await cli(["sdo", "--correction", experiment, ...at]);
    expect(bad.err).toContain("learnSplitDelayCorrection");
    const nowhere = join("no-such-folder", "split-delay.json");
    const learn = await cli(["sdo", "learn", "--delays", "0", "--correction", nowhere, "--yes", ...at]);
    expect(learn.err).toContain("WRITE_FAILED");
  });
});
