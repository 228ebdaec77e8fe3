import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { timingEdges } from "../../../src/db/index.ts";
import { connect } from "../../../src/index.ts";
import { fitDelayScan } from "../../../src/scan/index.ts";
import { analyseDelayScan } from "../../../src/timing/index.ts";
import { cli } from "../../support/fake-io.ts";
import { rounds } from "../../support/full.ts";
import { itNeeding, itWithSharedData, pythonWith, sharedData } from "../../support/optional.ts";

const python = pythonWith("numpy", "scipy.special", "h5py");
const script = fileURLToPath(new URL("../../support/delay-scan-run.py", import.meta.url));
const diode = "bl_3/eh_2/photodiode/photodiode_user_1_in_volt";
const stageId = "xfel_bl_3_st_2_motor_1/position";

interface Truth {
  readonly run?: number;
  readonly t0_pulse: number;
  readonly fs_per_pulse: number;
  readonly fs_per_px: number;
  readonly px0: number;
  readonly edge_noise_fs: number;
  /** Least error of time zero that the shots allow; not of the shared run. */
  readonly t0_bound_fs?: number;
  readonly rise_rms_fs: number;
  readonly lifetime_fs: number;
  readonly amplitude: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** The reasons of the ledger for what the programs that made the runs did. */
const reasons: Readonly<Record<string, string>> = {
  "x-rays off": "closed-after-head",
  "shutter flags contradict": "xray-flags-agree",
  "flag says laser on and off": "laser-flags-differ",
  "I0 not converged": "i0-not-converged",
  "I0 saturated": "i0-saturated",
  "no edge": "delay-no-timing-edge",
  "edge is an outlier": "delay-timing-edge-out-of-limits",
  "image missing": "frame-missing",
};

/** Run, edges and truth of files with a common beginning, analysed as a user does. */
async function analyse(base: string) {
  const truth: Truth = JSON.parse(readFileSync(`${base}.truth.json`, "utf8"));
  await using facility = await connect(`${base}.h5`);
  const run = await facility.run(3, truth.run ?? 303_001);
  const edges = timingEdges(readFileSync(`${base}.tma.csv`, "utf8"));
  const found = await analyseDelayScan(facility.st, {
    run,
    of: diode,
    stage: { equipId: stageId, fsPerPulse: truth.fs_per_pulse, zeroPulse: 15_000 },
    jitter: { edges, fsPerPixel: truth.fs_per_px, zeroPixel: truth.px0 },
    detectors: (await run.detectors()).map(({ id }) => id),
  });
  const used = (truth.counts["ok"] ?? NaN) + (truth.counts["laser dropped, flag says off"] ?? NaN);
  expect(found.ledger.used).toBe(used);
  return { ...found, truth };
}

describe("a stored pump–probe scan", () => {
  itWithSharedData("gives the hidden truth within the bars, and a whole account", async () => {
    const { fit, t0Pulse, truth, ledger } = await analyse(join(sharedData, "303001"));
    const counts = Object.fromEntries(ledger.dropped.map(({ reason, tags }) => [reason, tags.length]));
    // A shot with two reasons stands under the first: no shot of this run has two.
    for (const [what, reason] of Object.entries(reasons))
      expect([what, counts[reason]]).toEqual([what, truth.counts[what]]);
    expect(Math.abs(t0Pulse - truth.t0_pulse) * truth.fs_per_pulse).toBeLessThan(10);
    expect(Math.abs(fit.riseFs - truth.rise_rms_fs)).toBeLessThan(12);
    expect(Math.abs(fit.lifetimeFs / truth.lifetime_fs - 1)).toBeLessThan(0.08);
    expect(Math.abs(fit.amplitude / truth.amplitude - 1)).toBeLessThan(0.05);
    expect(fit.errorScale).toBe(1);
  });

  itWithSharedData("gives the same on the command line", async () => {
    const at = ["--url", join(sharedData, "303001.h5"), "--of", diode];
    const timing = ["--edges", join(sharedData, "303001.tma.csv"), "--fs-per-pixel", "2.6", "--zero-pixel", "1000"];
    const { code, out, err } = await cli(["delay-scan", "303001", ...at, ...timing, "--json"]);
    expect([code, err]).toEqual([0, ""]);
    const { t0Pulse, ledger } = JSON.parse(out) as { t0Pulse: number; ledger: { asked: number } };
    expect(Math.abs(t0Pulse - 15_038.4)).toBeLessThan(1.5);
    expect(ledger.asked).toBe(630);
    // The jitter twice, in place of none.
    const turned = timing.map((each) => (each === "2.6" ? "-2.6" : each));
    const wrong = await cli(["delay-scan", "303001", ...at, ...turned]);
    expect([wrong.code, wrong.err]).toEqual([
      0,
      expect.stringMatching(/warning: shots scatter less with --fs-per-pixel 2.6: χ².*is the sign right/),
    ]);
    const uncorrected = await cli(["delay-scan", "303001", ...at]);
    expect(uncorrected.out).toMatch(/not corrected for jitter: give --fs-per-pixel/);
    const unscaled = await cli(["delay-scan", "303001", ...at, ...timing.slice(0, 2)]);
    expect([unscaled.code, unscaled.err]).toEqual([2, expect.stringContaining("--fs-per-pixel")]);
    const without = await cli(["delay-scan", "303001", ...at, "--fs-per-pixel", "2.6"]);
    expect([without.code, without.err]).toEqual([2, expect.stringContaining("--edges")]);
  });

  itNeeding(python !== undefined, "no Python with h5py", "whose I0 is cut off says so in every account", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sacla-clipped-"));
    try {
      execFileSync(python ?? "", [script, "5", folder, "1.1"]);
      const at = ["--url", join(folder, "1.h5"), "--json"];
      const timing = ["--edges", join(folder, "1.tma.csv"), "--fs-per-pixel", "2.6"];
      for (const args of [
        ["delay-scan", "1", "--of", diode, ...timing],
        ["cube", "1", stageId, diode],
        ["diff", "1", "-o", "d.png"],
      ]) {
        const { code, out } = await cli([...args, ...at]);
        const { ledger } = JSON.parse(out) as { ledger: { used: number; notes?: Record<string, number> } };
        const { "i0-clipped": clipped = 0, ...others } = ledger.notes ?? {};
        expect([args[0], code, others]).toEqual([args[0], 0, {}]);
        expect(clipped / ledger.used).toBeGreaterThan(0.1);
        expect(clipped / ledger.used).toBeLessThan(0.3);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("is taken live on the command line, and says when it shows no time zero", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sacla-delay-"));
    try {
      const file = join(folder, "experiment.json");
      const delay = { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, offset: -80, limits: [-10, 100] };
      const signals = {
        delay: { id: stageId },
        i0: { id: "xfel_bl_3_tc_bm_1_pd/charge" },
        diode: { id: "xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage" },
        pumped: { id: "xfel_bl_3_lh1_shutter_1_open_valid/status" },
      };
      const shutters = { xrays: { device: "bl3_shutter1" }, pump: { device: "bl3_lh1_shutter1" } };
      writeFileSync(file, JSON.stringify({ name: "live", bl: 3, axes: { delay }, signals, shutters }));
      const names = ["--of", "diode", "--pumped", "pumped", "--i0", "i0", "--shutter", "xrays"];
      const how = ["--shots", "60", "--most", "2", "--experiment", file, "--url", "sim:?clock=virtual", "--no-journal"];
      const scanOf = (from: string, to: string) => ["delay-scan", "live", "delay", from, to, ...names, ...how];
      const args = scanOf("-2", "6");
      const rehearsed = await cli([...args, "--dry-run"]);
      expect([rehearsed.code, rehearsed.out]).toEqual([0, expect.stringMatching(/shots +120.*nothing was done/s)]);
      const closed = await cli([...args, "--yes"]);
      expect([closed.code, closed.err]).toEqual([1, expect.stringContaining("is the pump laser on")]);
      const { code, out } = await cli([...args, "--shutter", "pump", "--yes"]);
      expect([code, out]).toEqual([0, expect.stringMatching(/sweep +shots +t0_fs.*time zero -?\d+\.\d ± \d+/s)]);
      // Behind time zero the change is there all the way.
      const flat = await cli([...scanOf("20", "28"), "--shutter", "pump", "--yes"]);
      expect([flat.code, flat.out]).toEqual([0, expect.stringMatching(/no time zero after 2 sweeps/)]);
      const half = await cli([...args, "--fs-per-pixel", "2.6", "--dry-run"]);
      expect([half.code, half.err]).toEqual([2, expect.stringContaining("--edge-signal")]);
      // An axis in pulses has no time of its own.
      const bare = await cli(["delay-scan", "live", "bl3_st2_pm001", ...args.slice(3), "--dry-run"]);
      expect([bare.code, bare.err]).toEqual([2, expect.stringContaining("--fs-per-unit")]);

      // By steps, until each point is precise; a journal goes on with it.
      const journal = join(folder, "shared.journal");
      const where = ["--shutter", "xrays", "--experiment", file, "--url", "sim:?clock=virtual", "--journal", journal];
      const steps = ["delay-scan", "shared", "delay", "-2", "2", "3", "--of", "diode", "--error", "0.005"];
      const shared = await cli([...steps, "--pilot", "8", "--yes", ...where]);
      expect([shared.code, shared.out]).toEqual([0, expect.stringMatching(/every point is as precise as asked/)]);
      const again = await cli(["resume", journal, "--yes"]);
      expect([again.code, again.err]).toEqual([2, expect.stringContaining("nothing to resume")]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  itNeeding(
    python !== undefined,
    "no Python with numpy, scipy and h5py",
    "of other seeds gives t0, rise, lifetime and amplitude, as often as the errors say",
    async () => {
      const count = rounds(20);
      const held = { t0: 0, rise: 0, lifetime: 0, amplitude: 0 };
      const offs: number[] = [];
      for (let seed = 1; seed <= count; seed++) {
        const folder = mkdtempSync(join(tmpdir(), "sacla-delay-"));
        try {
          execFileSync(python ?? "", [script, String(seed), folder]);
          const { fit, t0Pulse, truth } = await analyse(join(folder, "1"));
          const t0Off = Math.abs(t0Pulse - truth.t0_pulse) * truth.fs_per_pulse;
          const rise = Math.hypot(truth.rise_rms_fs, truth.edge_noise_fs);
          expect([seed, t0Off < Math.max(5, 3.5 * fit.t0ErrorFs)]).toEqual([seed, true]);
          offs.push(t0Off / (truth.t0_bound_fs ?? NaN));
          if (t0Off < fit.t0ErrorFs) held.t0++;
          if (Math.abs(fit.riseFs - rise) < fit.riseErrorFs) held.rise++;
          if (Math.abs(fit.lifetimeFs - truth.lifetime_fs) < fit.lifetimeErrorFs) held.lifetime++;
          if (Math.abs(fit.amplitude - truth.amplitude) < fit.amplitudeError) held.amplitude++;
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      }
      // As near as the information in the shots allows: 1 but for chance.
      expect(Math.hypot(...offs) / Math.sqrt(count)).toBeLessThan(1.1 + 3 / Math.sqrt(2 * count));
      // 68 % less three times what chance does to it.
      const least = 0.683 - 3 * Math.sqrt(0.22 / count);
      for (const [what, times] of Object.entries(held)) expect([what, times / count >= least]).toEqual([what, true]);
    },
  );

  it("names the shot on which time zero rests alone", () => {
    const random = new Random(1);
    const shotAt = (delayFs: number, change: number, pumped: boolean) => {
      return { delayFs, monitor: 1, pumped, signal: (1 + change) * (1 + 0.01 * random.normal()) };
    };
    const unpumped = Array.from({ length: 30 }, () => shotAt(0, 0, false));
    const before = Array.from({ length: 10 }, (_, k) => shotAt(-1100 + 100 * k, 0, true));
    const after = Array.from({ length: 30 }, (_, k) =>
      shotAt(200 + 50 * k, -0.2 * Math.exp(-(200 + 50 * k) / 600), true),
    );
    expect(() => fitDelayScan([...unpumped, ...before, shotAt(20, -0.12, true), ...after])).toThrow(
      /rest on the single pumped shot at (20|-200) fs: take more/,
    );
  });

  it("takes shots that have no number for left out, and refuses too few unpumped ones", () => {
    const shot = { delayFs: 0, signal: 1, monitor: 1, pumped: true };
    expect(() => fitDelayScan([shot, { ...shot, pumped: false, signal: NaN }])).toThrow(/0 unpumped shots/);
  });
});
