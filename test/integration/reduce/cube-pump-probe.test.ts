import { describe, expect, it } from "vitest";
import { asImage, type NdArray } from "../../../src/core/ndarray.ts";
import { Db, type Run, TimingEdges } from "../../../src/db/index.ts";
import { createSimulatedFacility, demoRun, type Pump, VirtualClock } from "../../../src/facility/index.ts";
import { pixelPositions } from "../../../src/ip/index.ts";
import {
  type Contrast,
  Cube,
  type CubeAxis,
  contrast,
  correct,
  correctedDelay,
  darkAverage,
  filterShots,
  scanTargets,
} from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";

const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const stageSignal = "xfel_bl_3_st_2_motor_1/position";
const sensor = "MPCCD-8N0-3-002-3";
const fsPerPulse = 6.671;

/** What an experimenter believes before the measurement: 67 fs off. */
const believedT0Pulse = 11_990;

const simulated = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0.01 });
const endpoint = inProcess(endpointOf(simulated));
const [db, st] = [new Db(endpoint), new St(endpoint)];

/**
 * Sums the ring (110), less the background as it is on both sides of them; without the Bragg spots, which do not respond.
 */
async function ringWeights(run: Run): Promise<NdArray<Float64Array>> {
  const radii = simulated.truth.ringRadiiUm(run.bl, run.number);
  const spots = simulated.truth.spots(run.bl, run.number);
  const { x, y } = pixelPositions(await st.detectorInfo(run.bl, run.number, sensor));
  const kinds = Array.from(x.data, (px, i) => {
    const py = y.data[i] ?? NaN;
    if (spots.some(({ xUm, yUm }) => Math.hypot(px - xUm, py - yUm) < 500)) return "spot";
    const distance = Math.hypot(px, py);
    const away = Math.min(...radii.map((r) => Math.abs(distance - r)));
    const isReference = Math.abs(distance - (radii[1] ?? NaN)) < 1500;
    return away < 350 && isReference ? "ring" : away > 800 && isReference ? "beside" : "other";
  });
  const beside = -kinds.filter((kind) => kind === "ring").length / kinds.filter((kind) => kind === "beside").length;
  return asImage(
    Float64Array.from(kinds, (kind) => (kind === "ring" ? 1 : kind === "beside" ? beside : 0)),
    1024,
    512,
  );
}

function delayOf(runs: readonly Run[]) {
  const tags = Uint32Array.from(runs.flatMap(({ bl, number: run }) => [...simulated.tags(bl, run)]));
  const { derivativePx, fittingPx } = simulated.timingEdges(runs[0]?.hightag ?? 0, tags);
  const edges = new TimingEdges({ comment: "[TMA]", tags, derivativePx, fittingPx });
  return correctedDelay({
    stage: { equipId: stageSignal, fsPerPulse, zeroPulse: believedT0Pulse },
    jitter: { edges, fsPerPixel: 2.6, zeroPixel: 1000 },
  });
}

/** The least χ² over t0 and amplitude, with their errors (where χ² is 1 more). The shape of the response is known. */
function fitResponse(delays: ArrayLike<number>, { ratio, ratioError }: Contrast, pump: Pump) {
  const chi2At = (t0: number): { chi2: number; amplitude: number; error: number } => {
    let [ss, sy, yy] = [0, 0, 0];
    for (let i = 0; i < delays.length; i++) {
      const weight = 1 / ratioError.get(i) ** 2;
      if (!Number.isFinite(weight)) continue;
      const shape = simulated.truth.pumpResponse(pump, (delays[i] ?? NaN) - t0);
      const change = ratio.get(i) - 1;
      ss += weight * shape * shape;
      sy += weight * shape * change;
      yy += weight * change * change;
    }
    return { chi2: yy - (sy * sy) / ss, amplitude: sy / ss, error: 1 / Math.sqrt(ss) };
  };
  const scan = Array.from({ length: 801 }, (_, i) => ({ t0: i - 400, ...chi2At(i - 400) }));
  const best = scan.reduce((a, b) => (b.chi2 < a.chi2 ? b : a));
  const within = scan.filter(({ chi2 }) => chi2 < best.chi2 + 1);
  return { ...best, t0Error: ((within.at(-1)?.t0 ?? NaN) - (within[0]?.t0 ?? NaN) + 1) / 2 };
}

describe("the demo experiment in a cube", () => {
  it("over the jitter-corrected delay, shows the hidden t0 and the −6 % of the rings within the error bars", async () => {
    const newest = await db.run(demoRun.bl, demoRun.run);
    const before = await Promise.all([1, 2, 3].map((back) => db.run(demoRun.bl, demoRun.run - back)));
    const dark = await darkAverage(
      st.shots({ run: newest, detectors: [sensor], tags: (await newest.darkTags()).slice(0, 20) }),
    );
    const weights = await ringWeights(newest);
    const scan = new Cube({
      axes: [
        {
          name: "delay",
          of: delayOf([newest, ...before]),
          edges: [-1500, -500, -150, -50, 0, 50, 100, 150, 200, 300, 500, 1600, 2600, 3600, 4600],
        },
      ],
      values: { sums: { ring: { detector: sensor, weights } } },
      corrections: [correct.dark(dark), correct.normalise({ equipId: bm1, limits: [3e-9, 8e-9], reference: 5e-9 })],
    });
    let asked = 0;
    for (const run of [newest, ...before]) {
      const labels = await run.labels();
      const lit = labels.on.union(labels.off);
      // Of the earlier runs only what is near t0.
      const near = { name: "stage", equipId: stageSignal, between: [11_950, 12_050] } as const;
      const tags = await filterShots(lit, [
        { name: "i0", equipId: bm1, between: [3.5e-9, 7e-9] },
        ...(run === newest ? [] : [near]),
      ]);
      await scan.update(st.shots({ run, detectors: [sensor], signals: scan.signals, tags }), {
        labels,
        selection: tags,
      });
      asked += lit.length;
    }
    const { ledger } = scan;
    expect(ledger.asked).toBe(asked);
    expect(ledger.used + ledger.dropped.reduce((n, d) => n + d.tags.length, 0)).toBe(asked);
    expect(ledger.dropped.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(["frame-missing", "i0-out-of-limits", "stage-out-of-limits"]),
    );

    const [on, off] = [scan.numbers("ring", "on"), scan.numbers("ring", "off")];
    const pump = simulated.truth.pump(newest.bl, newest.number);
    if (pump === undefined) throw new Error("no pump");
    const fit = fitResponse(scan.numbers("delay", "on").mean.data, contrast(on, off), pump);
    // 14 bins less those with too few shots; seeds 1 to 5 give 4 to 19.
    expect(fit.chi2).toBeLessThan(30);
    expect(fit.t0Error).toBeLessThan(25);
    expect(Math.abs(fit.t0 - fsPerPulse * (pump.t0Pulse - believedT0Pulse))).toBeLessThan(3 * fit.t0Error);
    expect(fit.error).toBeLessThan(0.006);
    const q = (2 * Math.PI * Math.SQRT2) / 4.1569;
    expect(Math.abs(fit.amplitude - Math.expm1((-q * q * pump.displacementA2) / 3))).toBeLessThan(3 * fit.error);
  });

  it("over the steps of the stage, found from its readings, has every shot at its step", async () => {
    const run = await db.run(demoRun.bl, demoRun.run);
    const labels = await run.labels();
    const tags = labels.on.union(labels.off);
    const targets = scanTargets((await run.column(stageSignal, tags)).values, 20);
    // −1 ps to +4 ps in six steps of 150 pulses, 40 images each, every other one pumped.
    expect(targets).toEqual([11_850, 12_000, 12_150, 12_300, 12_450, 12_600]);
    const axes: CubeAxis[] = [{ name: "stage", of: stageSignal, targets: targets.slice(0, 5), tolerance: 10 }];
    const scan = new Cube({ axes, values: { signals: [bm1] } });
    await scan.update(st.shots({ run, signals: scan.signals, tags }), { labels });
    // 40 exposed images a step, 60 dark ones before, two tags from image to image; the last step is no target here.
    const stepOf = (tag: number): number => Math.floor(((tag - run.info.start_tagnumber) / 2 - 60) / 40);
    for (const label of ["on", "off"] as const) {
      expect([...scan.counts(label).data]).toEqual(
        [0, 1, 2, 3, 4].map((k) => [...labels[label]].filter((tag) => stepOf(tag) === k).length),
      );
    }
    expect(scan.ledger.dropped).toEqual([
      { reason: "stage-above", tags: [...tags].filter((tag) => stepOf(tag) === 5) },
    ]);
  });
});
