import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSaclaError } from "../../../src/core/errors.ts";
import type { Ledger } from "../../../src/core/ledger.ts";
import { Db, type Run } from "../../../src/db/index.ts";
import {
  accumulate,
  correct,
  cube,
  darkAverage,
  filterShots,
  mean,
  PartialResult,
  quickLook,
  reduce,
  resultsOf,
  roiSum,
} from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { type Shots, St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { type FaultySource, withFaults } from "../../support/faulty-source.ts";
import { rounds } from "../../support/full.ts";
import { TinySource, tinyPixel } from "../../support/tiny-source.ts";

const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const motor = "xfel_bl_3_st_2_motor_1/position";
const camera = "OPAL-234363";
const [start, images, darkImages] = [1000, 24, 6];
const allTags = Array.from({ length: images }, (_, i) => start + 2 * i);

/** A run of 24 shots, 6 of them dark at the head; every other one pumped; a stage that moves; I0 from 1 to 9 nC. */
function wholeSource(): TinySource {
  const isOpen = (tag: number): number => (tag < start + 2 * darkImages ? 0 : 1);
  return new TinySource({ 3: [{ run: 10, start, images }] })
    .setSignal(bm1, "C", chargeAt)
    .setSignal(motor, "pulse", (tag) => tag % 10)
    .setSignal("xfel_bl_3_shutter_1_open_valid/status", "", isOpen)
    .setSignal("xfel_bl_3_shutter_1_close_valid/status", "", (tag) => 1 - isOpen(tag))
    .setSignal("xfel_bl_3_lh1_shutter_1_open_valid/status", "", (tag) => (tag / 2) % 2)
    .setSignal("xfel_bl_3_lh1_shutter_1_close_valid/status", "", (tag) => 1 - ((tag / 2) % 2));
}
const chargeAt = (tag: number): number => (1 + (tag % 9)) * 1e-9;

const faults = fc.record({
  seed: fc.nat(),
  missingFrames: fc.constantFrom(0, 0.1, 0.5, 1),
  badValues: fc.constantFrom(0, 0.1, 0.5),
  failingReads: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 2 }),
  // Later than it is does no harm; earlier, and tags of the list are outside.
  endShift: fc.oneof(
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -10, max: 10 }) },
  ),
});

interface Bench extends FaultySource {
  readonly st: St;
  readonly run: Run;
}

async function open(plan: Parameters<typeof withFaults>[1]): Promise<Bench> {
  const faulty = withFaults(wholeSource(), plan);
  const endpoint = inProcess(endpointOf(faulty.source));
  return { ...faulty, st: new St(endpoint), run: await new Db(endpoint).run(3, 10) };
}

/** used + Σ dropped = asked; no tag twice, and none that was not asked for. Gives the tags that were used. */
function balance(ledger: Ledger, asked: readonly number[]): number[] {
  const dropped = ledger.dropped.flatMap(({ tags }) => tags);
  expect(new Set(dropped).size).toBe(dropped.length);
  expect(dropped.filter((tag) => !asked.includes(tag))).toEqual([]);
  expect([ledger.asked, ledger.used]).toEqual([asked.length, asked.length - dropped.length]);
  expect(new Set(ledger.dropped.map(({ reason }) => reason)).size).toBe(ledger.dropped.length);
  return asked.filter((tag) => !dropped.includes(tag));
}

/** What a call gives, or undefined when it fails as a call may: with a coded error that the faults explain. */
async function attempt<T>(
  plan: { failingReads: readonly number[]; endShift: number; missingFrames: number },
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isSaclaError(error)) throw error;
    const allowed = [
      ...(plan.failingReads.length > 0 ? ["INTERNAL"] : []),
      ...(plan.endShift < 0 ? ["TAG_OUTSIDE_RUN"] : []),
      // Nothing left, said with the ledger that says why.
      ...("ledger" in error.details ? ["NO_DARK", "NO_SHOTS"] : []),
    ];
    expect(allowed).toContain(error.code);
    const { ledger } = error.details as { ledger?: Ledger };
    if (ledger !== undefined) expect(ledger.used).toBe(0);
    return undefined;
  }
}

const meanOf = (tags: readonly number[]): number =>
  tags.map((tag) => tinyPixel(camera, tag, 0, 0)).reduce((a, b) => a + b, 0) / tags.length;
const noFailure = { endShift: 0, failingReads: [] };

describe("under injected faults every shot is accounted for", () => {
  it("by reduce with corrections, with the very reasons", async () => {
    const chain = [correct.normalise({ equipId: bm1, limits: [3e-9, 8e-9], reference: 5e-9 })];
    await fc.assert(
      fc.asyncProperty(faults, fc.nat(4), async (plan, prefetch) => {
        const bench = await open({ ...plan, ...noFailure });
        const shots = bench.st.shots({ run: bench.run, detectors: [camera], signals: [bm1], tags: allTags, prefetch });
        const { roi, ledger } = await reduce(
          shots,
          { roi: roiSum({ rows: [0, 1], columns: [0, 1] }) },
          { corrections: chain },
        );
        const used = balance(ledger, allTags);
        const expected = (tag: number): string | undefined => {
          if (bench.isMissing(camera, tag)) return "frame-missing";
          const bad = bench.badValue(bm1, tag);
          if (bad !== null) return `i0-${bad}`;
          return chargeAt(tag) >= 3e-9 && chargeAt(tag) <= 8e-9 ? undefined : "i0-out-of-limits";
        };
        expect(used).toEqual(allTags.filter((tag) => expected(tag) === undefined));
        for (const { reason, tags } of ledger.dropped)
          expect(tags).toEqual(allTags.filter((tag) => expected(tag) === reason));
        expect([...(roi[camera]?.tags ?? [])]).toEqual(used);
      }),
      { numRuns: rounds(80) },
    );
  });

  it("by accumulate when reading fails: it holds what its ledger says, and the rest can follow, to the same bits", async () => {
    const reducers = { average: mean(), roi: roiSum({ rows: [0, 1], columns: [0, 1] }) };
    await fc.assert(
      fc.asyncProperty(faults, fc.nat(4), fc.option(fc.nat(20)), async (plan, prefetch, stopAfter) => {
        const bench = await open({ ...plan, endShift: 0 });
        const into = new PartialResult(reducers);
        let asked: readonly number[] = allTags;
        for (let attempts = 0; asked.length > 0; attempts++) {
          expect(attempts).toBeLessThanOrEqual(plan.failingReads.length + 1);
          const shots: Shots = bench.st.shots({ run: bench.run, detectors: [camera], tags: asked, prefetch });
          const stop = new AbortController();
          const onProgress = (done: number): void => {
            if (attempts === 0 && done === stopAfter) stop.abort();
          };
          const failed = await accumulate(shots, reducers, { onProgress, signal: stop.signal }, into).then(
            () => undefined,
            (error: unknown) => error,
          );
          const notRead = shots.ledger.dropped.find(({ reason }) => reason === "not-read")?.tags ?? [];
          if (failed === undefined) expect(notRead).toEqual([]);
          asked = notRead;
          const used = balance(into.ledger, allTags.slice(0, images - asked.length));
          const { roi } = resultsOf(into);
          expect([...(roi[camera]?.tags ?? [])]).toEqual(used);
        }
        const whole = await open({ ...plan, ...noFailure });
        const once = await reduce(whole.st.shots({ run: whole.run, detectors: [camera], tags: allTags }), reducers);
        expect(resultsOf(into)).toEqual(once);
      }),
      { numRuns: rounds(80) },
    );
  });

  it("by darkAverage", async () => {
    await fc.assert(
      fc.asyncProperty(faults, async (plan) => {
        const bench = await open(plan);
        const asked = allTags.slice(0, darkImages);
        const shots = bench.st.shots({ run: bench.run, detectors: [camera], tags: asked });
        const dark = await attempt(plan, () => darkAverage(shots));
        balance(shots.ledger, asked);
        if (dark === undefined) return;
        const used = balance(dark.ledger, asked);
        expect(dark.mean[camera]?.get(0, 0)).toBe(meanOf(used));
      }),
      { numRuns: rounds(60) },
    );
  });

  it("by quickLook", async () => {
    await fc.assert(
      fc.asyncProperty(faults, async (plan) => {
        const bench = await open(plan);
        const look = await attempt(plan, () => quickLook(bench.st, bench.run, { id: camera, sensors: [camera] }));
        if (look === undefined) return;
        const used = balance(look.ledger, allTags);
        expect([...look.tags.dark, ...look.tags.exposed]).toEqual(used);
        expect(look.sensors[0]?.correctedMean.get(0, 0)).toBeCloseTo(
          meanOf([...look.tags.exposed]) - meanOf([...look.tags.dark]),
          6,
        );
      }),
      { numRuns: rounds(60) },
    );
  });

  it("by screen and what follows it: labels, cube, corrections", async () => {
    await fc.assert(
      fc.asyncProperty(faults, async (plan) => {
        const bench = await open(plan);
        const { run, st } = bench;
        const done = await attempt(plan, async () => {
          const labels = await run.labels();
          const tags = await filterShots(run, [{ name: "i0", equipId: bm1, between: [2e-9, 9e-9] }]);
          const screenedOut = tags.ledger?.dropped.flatMap((d) => d.tags) ?? [];
          balance(tags.ledger ?? { asked: 0, used: 0, dropped: [] }, allTags);
          const before = bench.reads();
          const scan = await cube(st.shots({ run, detectors: [camera], signals: [bm1, motor], tags }), {
            axes: [{ name: "stage", of: motor, targets: [0, 4, 6], tolerance: 1 }],
            values: { images: { average: mean() }, signals: [bm1] },
            corrections: [correct.normalise({ equipId: bm1, limits: [3e-9, 8e-9], reference: 5e-9 })],
            labels,
            selection: tags,
          });
          // Only shots that were let pass cost a read.
          expect(bench.reads() - before).toBe(allTags.length - screenedOut.length);
          return { scan, labels };
        });
        if (done === undefined) return;
        const { scan, labels } = done;
        const used = balance(scan.ledger, allTags);
        const inBins = (label: "on" | "off"): number => scan.counts(label).data.reduce((a, b) => a + b, 0);
        expect(inBins("on")).toBe(used.filter((tag) => labels.label(tag) === "on").length);
        expect(inBins("off")).toBe(used.filter((tag) => labels.label(tag) === "off").length);
        expect(inBins("on") + inBins("off")).toBe(used.length);
        for (const tag of used) {
          expect(bench.isMissing(camera, tag)).toBe(false);
          expect([0, 4, 6]).toContain(tag % 10);
          expect([bench.badValue(bm1, tag), bench.badValue(motor, tag)]).toEqual([null, null]);
        }
      }),
      { numRuns: rounds(80) },
    );
  });
});
