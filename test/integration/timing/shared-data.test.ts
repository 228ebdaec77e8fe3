import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { connect } from "../../../src/index.ts";
import { calibrateTiming, findEdges, learnEdges, type ShotEdge, xraysBySignal } from "../../../src/timing/index.ts";
import { itWithSharedDataInFull, sharedData } from "../../support/optional.ts";

const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const stage = "xfel_bl_3_st_1_motor_73/position";
const FS_PER_PIXEL = 2.6;

interface Truth {
  readonly detector: string;
  readonly tags: readonly number[];
  readonly what: readonly string[];
  readonly edge_px: readonly (number | null)[];
  readonly calibration: Readonly<
    Record<"c1_fs_per_px" | "c2_fs_per_px2" | "px0" | "fs_per_um" | "backlash_um", number>
  >;
}

/** What a user writes: learn from the run, find its edges, calibrate with its scan. */
async function analyse() {
  const truth = JSON.parse(readFileSync(join(sharedData, "301001.truth.json"), "utf8")) as Truth;
  await using facility = await connect(join(sharedData, "301001.h5"));
  const run = await facility.run(3, 301_001);
  const options = { camera: truth.detector, xrays: xraysBySignal(bm1, 1e-10) };
  const shots = facility.shots({ run, detectors: [truth.detector], signals: [bm1] });
  const finder = await learnEdges(shots, options);
  const found: ShotEdge[] = [];
  for await (const shot of findEdges(shots, { ...options, finder })) found.push(shot);
  const pulses = await run.column(
    stage,
    found.map(({ tag }) => tag),
  );
  return { truth, found, pulses: pulses.values };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

describe("timing edges of the shared run 301001", () => {
  itWithSharedDataInFull("are right within 5 fs, flagged where they cannot be used, and give the scale", async () => {
    const { truth, found, pulses } = await analyse();
    expect(found.map(({ tag }) => tag)).toEqual(truth.tags);
    const usable = found.flatMap(({ edge }, i) =>
      edge?.usable === true
        ? [{ edge, px: truth.edge_px[i] ?? NaN, what: truth.what[i] ?? "", pulse: pulses[i] ?? NaN }]
        : [],
    );
    expect(usable.length).toBeGreaterThanOrEqual(130);
    // The weak edge, of 3 %, is not counted: it may be flagged or be right within its own error.
    const sound = usable.filter(({ what }) => what !== "weak");
    for (const pick of ["fittingPx", "derivativePx"] as const) {
      const wrong = sound.map(({ edge, px }) => FS_PER_PIXEL * (edge[pick] - px));
      const median = middle(wrong);
      expect(Math.abs(median)).toBeLessThan(4);
      expect(1.4826 * middle(wrong.map((fs) => Math.abs(fs - median)))).toBeLessThan(5);
      expect(usable.filter(({ edge, px }) => Math.abs(FS_PER_PIXEL * (edge[pick] - px)) > 100)).toEqual([]);
    }
    const pulls = usable.map(({ edge, px }) => Math.abs(edge.fittingPx - px) / edge.errorPx);
    const inside = pulls.filter((pull) => pull < 1).length / pulls.length;
    expect(inside).toBeGreaterThan(0.58);
    expect(inside).toBeLessThan(0.8);

    const flagsOf = (what: string) => found.filter((_, i) => truth.what[i] === what).map(({ edge }) => edge?.flags);
    for (const flags of flagsOf("second edge")) expect(flags).toContain("second-edge");
    for (const flags of flagsOf("saturated rows")) expect(flags).toContain("saturated");
    expect(flagsOf("x-ray off").every((flags) => flags === undefined)).toBe(true);
    expect(found.filter(({ edge }, i) => truth.what[i] === "no x-rays" && edge?.usable === true)).toEqual([]);

    const { c1_fs_per_px, c2_fs_per_px2, px0, fs_per_um, backlash_um } = truth.calibration;
    const points = usable.map(({ edge, pulse }) => ({ pulse, edgePx: edge.fittingPx }));
    const scale = calibrateTiming(points, { fsPerPulse: fs_per_um, homePulse: 12_000, zeroPx: px0 });
    expect(Math.abs(scale.fsPerPixel - c1_fs_per_px)).toBeLessThan(0.02);
    expect(Math.abs(scale.quadratic - c2_fs_per_px2)).toBeLessThan(1e-4);
    // 100 fs of jitter and 105 shots leave ± 2.9 µm: twice the jitter over the root of the shots.
    expect(scale.backlashPulseError).toBeLessThan(3);
    expect(Math.abs(scale.backlashPulse - backlash_um)).toBeLessThan(scale.backlashPulseError);
  });
});
