import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { timingEdges } from "../../../src/db/index.ts";
import { connect } from "../../../src/index.ts";
import {
  Cube,
  correctedDelay,
  edgeLimits,
  filterShots,
  ratioOfSums,
  withPooledErrors,
} from "../../../src/reduce/index.ts";
import { fitDecay } from "../../../src/scan/index.ts";
import { cli } from "../../support/fake-io.ts";
import { itWithSharedData, sharedData } from "../../support/optional.ts";

const diode = "bl_3/eh_2/photodiode/photodiode_user_1_in_volt";
const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const fsPerPulse = 6.671281903963041;
/** Near time zero, as it is known at the beamline; the fit says where it is. */
const zeroPulse = 15_000;

interface Truth {
  readonly tags: readonly number[];
  readonly what: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly t0_pulse: number;
  readonly rise_rms_fs: number;
  readonly lifetime_fs: number;
  readonly amplitude: number;
}

/** What a user writes: from the run and its timing CSV to a curve of the change of the diode against delay, fitted. */
async function analyse(binFs: number, isCorrected: boolean) {
  await using facility = await connect(join(sharedData, "303001.h5"));
  const run = await facility.run(3, 303_001);
  const edges = timingEdges(readFileSync(join(sharedData, "303001.tma.csv"), "utf8"));
  const detectors = (await run.detectors()).map(({ id }) => id);
  const labels = await run.labels();
  const tags = await filterShots(run, [{ name: "i0", equipId: bm1, where: () => true }]);
  const jitter = { edges, fsPerPixel: 2.6, zeroPixel: 1000, limits: edgeLimits(edges) };
  const stage = { equipId: "xfel_bl_3_st_2_motor_1/position", fsPerPulse, zeroPulse };
  const delay = correctedDelay({ stage, ...(isCorrected ? { jitter } : {}) });
  const scan = new Cube({
    axes: [{ name: "delay", of: delay, from: -1800, to: 2400, step: binFs }],
    values: { signals: [diode], normaliseBy: bm1 },
  });
  await scan.update(facility.shots({ run, detectors, signals: scan.signals, tags }), { labels, selection: tags });
  const [on, off] = [withPooledErrors(scan.normalised(diode, "on")), scan.normalised(diode, "off")];
  // Unpumped shots do not depend on the delay, so all of them are one reference.
  const used = labels.off.filter((tag) => scan.ledger.dropped.every((dropped) => !dropped.tags.includes(tag)));
  const [signal, i0] = [await run.column(diode, used), await run.column(bm1, used)];
  const reference = ratioOfSums(signal.values, i0.values);
  expect(off.count.data.reduce((sum, n) => sum + n, 0)).toBe(reference.count);
  const fit = fitDecay(
    [...scan.numbers("delay", "on").mean.data],
    Array.from(on.mean.data, (ratio) => ratio / reference.mean - 1),
    { errors: Array.from(on.standardError.data, (error) => error / reference.mean), errorFreedom: on.errorFreedom },
  );
  return { fit, ledger: scan.ledger, labels };
}

describe("a pump–probe scan of another program", () => {
  itWithSharedData(
    "gives its hidden truth from the run and the timing CSV, and every shot is accounted for",
    async () => {
      const truth: Truth = JSON.parse(readFileSync(join(sharedData, "303001.truth.json"), "utf8"));
      const { fit, ledger, labels } = await analyse(10, true);
      const dropped = new Map(ledger.dropped.map(({ reason, tags }) => [reason, tags]));
      const reasons: Readonly<Record<string, string>> = {
        "x-rays off": "closed-after-head",
        "shutter flags contradict": "xray-flags-agree",
        "flag says laser on and off": "laser-flags-differ",
        "I0 not converged": "i0-not-converged",
        "I0 saturated": "i0-saturated",
        "no edge": "delay-no-timing-edge",
        "edge is an outlier": "delay-timing-edge-out-of-limits",
      };
      const tagsOf = (what: string): number[] => truth.tags.filter((_, i) => truth.what[i] === what);
      for (const [what, reason] of Object.entries(reasons)) {
        expect([reason, [...(dropped.get(reason) ?? [])].sort((a, b) => a - b)]).toEqual([reason, tagsOf(what)]);
        expect(dropped.get(reason)?.length).toBe(truth.counts[what]);
        dropped.delete(reason);
      }
      // What is left are images that are missing, at whatever word the file has for it.
      expect([...dropped.values()].flat().sort((a, b) => a - b)).toEqual(tagsOf("image missing"));
      // Two of three shots are pumped; where the flag of such a shot says off, the laser was dropped. (Of one that is
      // unpumped in the pattern, nothing tells it.)
      const first = truth.tags[0] ?? NaN;
      const outOfPattern = [...labels.off].filter((tag) => ((tag - first) / 2) % 3 !== 2 && !isDropped(ledger, tag));
      expect(outOfPattern.length).toBeGreaterThan(3);
      expect(tagsOf("laser dropped, flag says off")).toEqual(expect.arrayContaining(outOfPattern));
      expect(ledger.used).toBe((truth.counts["ok"] ?? NaN) + (truth.counts["laser dropped, flag says off"] ?? NaN));
      expect(Math.abs(zeroPulse + fit.centre / fsPerPulse - truth.t0_pulse)).toBeLessThan(1.5);
      expect(Math.abs(fit.width - truth.rise_rms_fs)).toBeLessThan(12);
      expect(Math.abs(fit.lifetime / truth.lifetime_fs - 1)).toBeLessThan(0.08);
      expect(Math.abs(fit.amplitude / truth.amplitude - 1)).toBeLessThan(0.05);
    },
  );

  itWithSharedData("on − off and the table of the cube leave out shots without I0, and say so", async () => {
    const { what, laser, tags } = JSON.parse(readFileSync(join(sharedData, "303001.truth.json"), "utf8")) as Truth & {
      readonly laser: readonly number[];
    };
    const good = ["ok", "no edge", "edge is an outlier", "laser dropped, flag says off"];
    const of = (pumped: number, also: readonly string[] = []): number[] =>
      tags.filter((_, i) => [...good, ...also].includes(what[i] ?? "") && laser[i] === pumped);
    const url = join(sharedData, "303001.h5");
    await using facility = await connect(url);
    const run = await facility.run(3, 303_001);
    const { on, off, ledger } = await facility.difference({ run, normaliseBy: bm1, dark: "none" });
    expect([[...on.tags], [...off.tags]]).toEqual([of(1), of(0)]);
    expect(ledger).toMatchObject({ asked: 630, used: on.tags.length + off.tags.length });

    const stage = "xfel_bl_3_st_2_motor_1/position";
    const { out } = await cli(["cube", "303001", stage, diode, "--url", url, "--json"]);
    const table = JSON.parse(out) as {
      bins: { on: { shots: number }; off: { shots: number } }[];
      ledger: { used: number; dropped: { reason: string; tags: number[] }[] };
    };
    const [pumped, unpumped] = [of(1, ["image missing"]).length, of(0, ["image missing"]).length];
    expect(table.bins.reduce((sum, bin) => sum + bin.on.shots, 0)).toBe(pumped);
    expect(table.bins.reduce((sum, bin) => sum + bin.off.shots, 0)).toBe(unpumped);
    expect(table.ledger.used).toBe(pumped + unpumped);
    const lost = table.ledger.dropped.filter(({ reason }) => reason.startsWith("i0-"));
    expect(lost.map(({ tags: { length } }) => length)).toEqual([6, 6]);
  });

  itWithSharedData("without the edges its rise is that of the jitter", async () => {
    const { fit } = await analyse(40, false);
    expect(fit.width).toBeGreaterThan(100);
    expect(fit.width).toBeLessThan(150);
  });
});

function isDropped(
  ledger: { readonly dropped: readonly { readonly tags: readonly number[] }[] },
  tag: number,
): boolean {
  return ledger.dropped.some(({ tags }) => tags.includes(tag));
}
