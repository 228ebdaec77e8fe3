import fc from "fast-check";
import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import type { MissingReason } from "../../../src/core/syncdb.ts";
import { Db, RunTags, ShotLabels, TimingEdges } from "../../../src/db/index.ts";
import { addExactly, addSquareExactly, PLACES, standardErrorOf, total } from "../../../src/reduce/cube/sums.ts";
import {
  BinAxis,
  Cube,
  type CubeAxis,
  type CubeCheckpoint,
  contrast,
  correct,
  correctedDelay,
  cube,
  mean,
  scanTargets,
  variance,
} from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { decodeMessage, encodeMessage } from "../../../src/transport/codec.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { withFaults } from "../../support/faulty-source.ts";
import { rounds } from "../../support/full.ts";
import { floatPixel } from "../../support/pixel-values.ts";
import { type ScriptedShot, scriptedShots } from "../../support/scripted-shots.ts";
import { tinyPixel, tinySource } from "../../support/tiny-source.ts";

const [rows, columns] = [2, 3];
const shotsOf = (script: readonly ScriptedShot[]) => scriptedShots(script, rows, columns);
const basis = {
  xray: { rule: "", signals: [], source: "" },
  laser: { rule: "", signals: [], source: "" },
  beam: null,
};

/** Pumped are even tags, unpumped odd ones, dark those below 3; every seventh has contradictory flags. */
async function labelsFor(tags: readonly number[]): Promise<ShotLabels> {
  const run = await new Db(inProcess(endpointOf(tinySource()))).run(3, 10);
  return new ShotLabels(new RunTags(run, tags), verdictOf, basis);
}
const verdictOf = (tag: number) =>
  tag < 3 ? "dark" : tag % 7 === 0 ? "laser-flags-agree" : tag % 2 === 0 ? "on" : "off";

const reason = fc.constantFrom<MissingReason>("not-converged", "saturated", "missing");
const position = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 12 }) },
  { weight: 1, arbitrary: fc.constant(NaN) },
  { weight: 1, arbitrary: reason },
);
const charge = fc.oneof(
  { weight: 5, arbitrary: fc.double({ min: -1e-8, max: 1e-8, noNaN: true }) },
  { weight: 1, arbitrary: reason },
);
const pixels = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 65535 }), floatPixel({ min: -100, max: 100, noNaN: true })),
  {
    minLength: 6,
    maxLength: 6,
  },
);
const someShots = fc
  .array(fc.record({ x: position, y: position, i0: charge, pixels }), { minLength: 1, maxLength: 40 })
  .map((list) => list.map(({ x, y, i0, pixels }, tag): ScriptedShot => ({ tag, pixels, signals: { x, y, i0 } })));

const options = () => ({
  axes: [
    { name: "delay", of: "x", edges: [0, 2, 5, 9] },
    { name: "angle", of: "y", targets: [0, 4, 10], tolerance: 1 },
  ] satisfies CubeAxis[],
  values: {
    images: { spread: variance({ ddof: 1 }) },
    sums: { corner: { detector: "A", roi: { rows: [0, 1], columns: [1, 3] } } } as const,
    signals: ["i0"],
  },
});

/** What belongs into a bin, worked out the slow way. */
function bruteForce(
  script: readonly ScriptedShot[],
  label: "on" | "off",
  bin: readonly [number, number],
): ScriptedShot[] {
  const isIn = ({ tag, signals }: ScriptedShot): boolean => {
    const [x, y] = [signals?.["x"], signals?.["y"]];
    if (verdictOf(tag) !== label || typeof x !== "number" || typeof y !== "number") return false;
    const [low = NaN, high = NaN] = [0, 2, 5, 9].slice(bin[0]);
    return x >= low && (x < high || (x === 9 && high === 9)) && Math.abs(y - ([0, 4, 10][bin[1]] ?? NaN)) <= 1;
  };
  return script.filter(isIn);
}

const sampleError = (values: readonly number[]): number => {
  const m = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((a, b) => a + (b - m) ** 2, 0) / (values.length - 1) / values.length);
};

describe("a cube", () => {
  it("equals brute force: two axes, labels, images, sums and signals with their errors", async () => {
    await fc.assert(
      fc.asyncProperty(someShots, async (script) => {
        const labels = await labelsFor(script.map(({ tag }) => tag));
        const scan = await cube(shotsOf(script), { ...options(), labels });
        expect(scan.shape).toEqual([3, 3]);
        let used = 0;
        for (const label of ["on", "off"] as const) {
          const [corner, i0, delay] = [
            scan.numbers("corner", label),
            scan.numbers("i0", label),
            scan.numbers("delay", label),
          ];
          for (const i of [0, 1, 2]) {
            for (const j of [0, 1, 2]) {
              const mine = bruteForce(script, label, [i, j]);
              used += mine.length;
              expect(scan.counts(label).get(i, j)).toBe(mine.length);
              const sums = mine.map(
                ({ pixels }) => Math.fround(Number(pixels?.[1])) + Math.fround(Number(pixels?.[2])),
              );
              const charges = mine.map(({ signals }) => signals?.["i0"]).filter((value) => typeof value === "number");
              expect(corner.sum.get(i, j)).toBeCloseTo(
                sums.reduce((a, b) => a + b, 0),
                6,
              );
              expect(i0.count.get(i, j)).toBe(charges.length);
              expect(i0.invalid.get(i, j)).toBe(mine.length - charges.length);
              if (mine.length === 0) {
                expect([corner.mean.get(i, j), corner.standardError.get(i, j), delay.mean.get(i, j)]).toEqual([
                  NaN,
                  NaN,
                  NaN,
                ]);
                expect(scan.images(label, i, j)).toBeUndefined();
                continue;
              }
              if (charges.length > 1) {
                expect(i0.mean.get(i, j) * 1e9).toBeCloseTo(
                  (charges.reduce((a, b) => a + b, 0) / charges.length) * 1e9,
                  10,
                );
                expect(i0.standardError.get(i, j) * 1e9).toBeCloseTo(sampleError(charges) * 1e9, 8);
              } else expect(i0.standardError.get(i, j)).toBeNaN();
              const { spread, ledger } = scan.images(label, i, j) ?? {};
              expect(ledger?.used).toBe(mine.length);
              const first = mine.map(({ pixels }) => Math.fround(Number(pixels?.[0])));
              expect(spread?.["A"]?.mean.get(0, 0)).toBeCloseTo(first.reduce((a, b) => a + b, 0) / first.length, 5);
            }
          }
        }
        expect(scan.ledger.used).toBe(used);
      }),
      { numRuns: rounds(60) },
    );
  });

  it("accounts for every shot, with the reason", async () => {
    const script = [
      { tag: 2, x: 1, y: 0 },
      { tag: 3, x: 1, y: 0 },
      { tag: 4, x: -0.01, y: 0 },
      { tag: 5, x: 9.01, y: 0 },
      { tag: 6, x: 9, y: 11 },
      { tag: 7, x: 1, y: 0 },
      { tag: 8, x: 1, y: 2 },
      { tag: 9, x: NaN, y: 0 },
      { tag: 10, x: "not-converged" as const, y: 0 },
      { tag: 11, x: 1, y: "saturated" as const },
      { tag: 12, x: 1, y: -1.5 },
      { tag: 13, x: 1, y: 12 },
      { tag: 15, x: 1, y: 0 },
    ].map(({ tag, x, y }): ScriptedShot => ({ tag, pixels: [1, 1, 1, 1, 1, 1], signals: { x, y, i0: 1 } }));
    const labels = await labelsFor(script.slice(0, -1).map(({ tag }) => tag));
    const { ledger } = await cube(shotsOf(script), { ...options(), labels });
    expect(ledger).toEqual({
      asked: 13,
      used: 2,
      dropped: [
        { reason: "angle-above", tags: [13] },
        { reason: "angle-below", tags: [12] },
        { reason: "angle-off-target", tags: [8] },
        { reason: "angle-saturated", tags: [11] },
        { reason: "dark", tags: [2] },
        { reason: "delay-above", tags: [5] },
        { reason: "delay-below", tags: [4] },
        { reason: "delay-missing", tags: [9] },
        { reason: "delay-not-converged", tags: [10] },
        { reason: "laser-flags-agree", tags: [7] },
        { reason: "not-labelled", tags: [15] },
      ],
    });
  });

  it("gives the same bits however the shots are split, ordered, merged, saved and resumed", async () => {
    const answersOf = (scan: Cube<ReturnType<typeof options>["values"]["images"]>) => ({
      ledger: scan.ledger,
      numbers: ["delay", "angle", "corner", "i0"].map((name) => [scan.numbers(name, "on"), scan.numbers(name, "off")]),
      images: [0, 4, 8].map((bin) => [
        scan.images("on", Math.floor(bin / 3), bin % 3),
        scan.images("off", Math.floor(bin / 3), bin % 3),
      ]),
    });
    await fc.assert(
      fc.asyncProperty(someShots, fc.nat(40), fc.nat(40), fc.boolean(), async (script, a, b, backwards) => {
        const labels = await labelsFor(script.map(({ tag }) => tag));
        const whole = answersOf(await cube(shotsOf(script), { ...options(), labels }));
        const [first, second] = [Math.min(a, b), Math.max(a, b)];
        const order = backwards ? script.toReversed() : script;
        const begun = await cube(shotsOf(order.slice(0, first)), { ...options(), labels });
        const arrived = decodeMessage(encodeMessage({ kind: "result", id: 0, value: begun.checkpoint() }), {
          copy: true,
        });
        if (arrived.kind !== "result") throw new Error("no result");
        const resumed = Cube.load(options(), arrived.value as CubeCheckpoint);
        // A shot that comes again does not count again.
        await resumed.update(shotsOf(order.slice(Math.max(0, first - 2), second)), { labels });
        const rest = await cube(shotsOf(order.slice(second)), { ...options(), labels });
        expect(answersOf(rest.merge(resumed))).toEqual(whole);
      }),
      { numRuns: rounds(60) },
    );
  });

  it("corrects images before it sorts them in, and drops what a correction refuses", async () => {
    const script = [2, 4, 40].map(
      (i0, tag): ScriptedShot => ({ tag, pixels: [8, 8, 8, 8, 8, 8], signals: { x: 1, i0 } }),
    );
    const scan = await cube(shotsOf(script), {
      axes: [{ name: "x", of: "x", from: 0, to: 2, step: 0.5 }],
      values: { images: { average: mean() }, sums: { all: { detector: "A" } } },
      corrections: [
        correct.mask({ A: asImage(Uint8Array.of(0, 0, 0, 0, 0, 1), rows, columns) }),
        correct.normalise({ equipId: "i0", limits: [1, 8], reference: 4 }),
      ],
    });
    expect(scan.signals).toEqual(["x", "i0"]);
    expect(scan.images("all", 2)?.average["A"]?.data).toEqual(Float64Array.of(12, 12, 12, 12, 12, NaN));
    expect([scan.numbers("all").sum.get(2), scan.numbers("all").mean.get(2)]).toEqual([120, 60]);
    expect(scan.ledger.dropped).toEqual([{ reason: "i0-out-of-limits", tags: [2] }]);
  });

  it("sums over regions of any shape, and counts shots without an image as invalid", async () => {
    const script = [
      { tag: 0, pixels: [1, 2, 4, 8, 16, 32], signals: { x: 0 } },
      { tag: 1, signals: { x: 0 } },
    ];
    const ring = ndarray(Uint8Array.of(1, 0, 0, 0, 1, 1), [rows, columns]);
    const difference = ndarray(Float64Array.of(-0.5, 0, 0, 2, 0, 0), [rows, columns]);
    const scan = await cube(shotsOf(script), {
      axes: [{ name: "x", of: "x", targets: [0], tolerance: 0 }],
      values: {
        sums: {
          ring: { detector: "A", weights: ring },
          whole: { detector: "A" },
          difference: { detector: "A", weights: difference },
        },
      },
    });
    expect(["ring", "whole", "difference"].map((name) => scan.numbers(name).sum.get(0))).toEqual([49, 63, 15.5]);
    expect([scan.numbers("ring").count.get(0), scan.numbers("ring").invalid.get(0)]).toEqual([1, 1]);
  });

  it("says its memory before it starts, and takes it only for bins that are hit", async () => {
    const frame = { detId: "A", rows: 1024, columns: 512, type: "uint16" } as const;
    const scan = new Cube({
      axes: [{ name: "x", of: "x", from: 0, to: 1000, step: 1 }],
      values: { images: { average: mean() } },
    });
    const perBin = 1024 * 512 * 8 + 8 + 8 * (2 + 2 * PLACES);
    // 32 images that wait; a group of tiles; sums nobody wants; sums of a tile, and nothing for squares and range.
    const onTheWay = 8 * 8192 + 32 * 2 * 1024 * 512 + 8 * 8192 * 2 + 8192 * 4;
    expect(scan.memory([frame])).toEqual({
      bytesPerBin: perBin,
      bytesPerLabel: 1000 * perBin,
      bytesOnTheWay: onTheWay,
    });
    await scan.update(shotsOf([{ tag: 1, pixels: [1, 2, 3, 4, 5, 6], signals: { x: 7 } }]));
    expect(scan.checkpoint().bins.length).toBe(1);
  });

  it("can go on after a failure, with the tags that remain, to the same bits", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
        fc.integer(),
        async (failingReads, seed) => {
          const axes: CubeAxis[] = [
            { name: "stage", of: "xfel_bl_3_st_2_motor_1/position", from: 10_000, to: 10_100, step: 50 },
          ];
          const make = () => new Cube({ axes, values: { images: { average: mean() } } });
          const faulty = withFaults(tinySource(), { seed, failingReads, missingFrames: 0.2 });
          const [st, db] = [new St(inProcess(endpointOf(faulty.source))), new Db(inProcess(endpointOf(faulty.source)))];
          const run = await db.run(3, 10);
          const detectors = ["OPAL-234363"];
          const all = await run.tags();
          const scan = make();
          let failures = 0;
          for (let left = all; left.length > 0; left = scan.remaining(all)) {
            expect(failures).toBeLessThanOrEqual(failingReads.length);
            try {
              await scan.update(st.shots({ run, detectors, signals: scan.signals, tags: left }));
            } catch {
              failures++;
              continue;
            }
            expect(scan.remaining(all).length).toBe(0);
          }
          const used = [...all].filter((tag) => !faulty.isMissing("OPAL-234363", tag));
          expect(failures).toBe(failingReads.filter((read) => read <= faulty.reads()).length);
          expect(scan.ledger).toEqual({
            asked: 6,
            used: used.length,
            dropped:
              used.length === 6
                ? []
                : [{ reason: "frame-missing", tags: [...all].filter((tag) => !used.includes(tag)) }],
          });
          const first = used.filter((tag) => tag < 1005);
          const expected =
            first.map((tag) => tinyPixel("OPAL-234363", tag, 0, 0)).reduce((a, b) => a + b, 0) / first.length;
          expect(scan.images("all", 0)?.average["OPAL-234363"]?.get(0, 0)).toEqual(
            first.length === 0 ? undefined : expected,
          );
        },
      ),
      { numRuns: rounds(40) },
    );
  });

  it("uses a shot that was dropped once it can be used, and counts it once", async () => {
    const axes: CubeAxis[] = [{ name: "x", of: "x", edges: [0, 1] }];
    const dropped = [{ tag: 1, signals: { x: "missing" } as const }];
    const good = [{ tag: 1, signals: { x: 0.5 } }];
    const once = { asked: 1, used: 1, dropped: [] };
    const late = await cube(shotsOf(dropped), { axes });
    expect(late.ledger).toEqual({ asked: 1, used: 0, dropped: [{ reason: "x-missing", tags: [1] }] });
    expect((await late.update(shotsOf(good))).ledger).toEqual(once);
    expect((await late.update(shotsOf(dropped))).ledger).toEqual(once);
    expect((await cube(shotsOf(good), { axes })).merge(await cube(shotsOf(dropped), { axes })).ledger).toEqual(once);
    expect((await cube(shotsOf(dropped), { axes })).merge(await cube(shotsOf(good), { axes })).ledger).toEqual(once);
    const screened = { ledger: { asked: 2, used: 1, dropped: [{ reason: "i0-missing", tags: [1] }] } };
    expect((await late.update(shotsOf([{ tag: 2, signals: { x: 1 } }]), { selection: screened })).ledger).toEqual({
      asked: 2,
      used: 2,
      dropped: [],
    });
  });

  it("refuses what cannot be meant", async () => {
    const bad = (axes: unknown[], values: object = {}) =>
      expect(() => new Cube({ axes: axes as CubeAxis[], values })).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT" }),
      );
    bad([]);
    bad([{ name: "x", of: "x", edges: [1] }]);
    bad([{ name: "x", of: "x", edges: [1, 1] }]);
    bad([{ name: "x", of: "x", edges: [1, NaN] }]);
    bad([{ name: "x", of: "x", from: 0, to: 1, step: 0.3 }]);
    bad([{ name: "x", of: "x", targets: [], tolerance: 1 }]);
    bad([{ name: "x", of: "x", targets: [1, 1], tolerance: 1 }]);
    bad([{ name: "x", of: "x", targets: [1] }]);
    bad([{ name: "x", of: "", edges: [0, 1] }]);
    bad([{ name: "x", of: "x", edges: [0, 1], tolerance: 1 }]);
    bad([{ name: "x", of: "x", edges: [0, 1] }], { signals: ["x"] });
    bad([{ name: "x", of: "x", edges: [0, 1] }], { sums: { s: { detector: "A", roi: {}, weights: {} } } });
    const axes: CubeAxis[] = [{ name: "x", of: "x", edges: [0, 1] }];
    const scan = new Cube({ axes });
    await expect(scan.update(shotsOf([{ tag: 1, signals: { y: 1 } }]))).rejects.toMatchObject({
      message: expect.stringContaining('signals: ["x"]'),
    });
    expect(() => scan.numbers("y")).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => scan.images("all", 1)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => Cube.load({ axes: [{ name: "x", of: "x", edges: [0, 2] }] }, scan.checkpoint())).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    const part = async () => await cube(shotsOf([{ tag: 1, signals: { x: 0.5 } }]), { axes });
    const one = await part();
    const two = await part();
    expect(() => one.merge(two)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("1, which") }),
    );
    await expect(cube(shotsOf([]), { axes, signal: AbortSignal.abort(), labls: 1 } as never)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });
});

describe("axes", () => {
  it("bin as numpy.histogram between edges, and by the nearest target within the tolerance", () => {
    const edges = new BinAxis({ name: "x", of: "x", edges: [-1, 0, 0.5, 3] });
    expect([-1.001, -1, -0.5, -0, 0.4999, 0.5, 3, 3.001, Infinity, -Infinity].map((x) => edges.binOf(x))).toEqual([
      ...["below", 0, 0, 1, 1, 2, 2, "above", "above", "below"],
    ]);
    expect([...edges.centres]).toEqual([-0.5, 0.25, 1.75]);
    const targets = new BinAxis({ name: "x", of: "x", targets: [10, -5, 20], tolerance: 5 });
    expect([...targets.centres]).toEqual([-5, 10, 20]);
    expect([-10.1, -10, -5, 0, 0.1, 4.9, 5, 15, 15.1, 25, 25.1, -Infinity].map((x) => targets.binOf(x))).toEqual([
      ...["below", 0, 0, 0, "off-target", "off-target", 1, 1, 2, 2, "above", "below"],
    ]);
  });

  it("find the positions of a step scan from its readings", () => {
    expect(scanTargets([101, 300, 99, NaN, 100, 302, 100, 500], 2)).toEqual([100, 300, 500]);
    expect(scanTargets([], 2)).toEqual([]);
  });
});

describe("correctedDelay", () => {
  const stage = { equipId: "stage", fsPerPulse: 6.671, zeroPulse: 12_000 };
  const edges = new TimingEdges({
    comment: "[t]",
    tags: [1, 2],
    derivativePx: Float64Array.of(1010, 5),
    fittingPx: Float64Array.of(1000, NaN),
  });
  const read = async (options: Parameters<typeof correctedDelay>[0], shot: ScriptedShot) => {
    for await (const one of shotsOf([shot])) return correctedDelay(options).read(one);
    throw new Error("no shot");
  };

  it("follows the published formulas", async () => {
    // XAS group: τ = 6.671 (motor − t0) + 2.6 (1000 − px) = 667.1 + 2.6 (1000 − 1000); by derivative − 26.
    const jitter = { edges, fsPerPixel: 2.6, zeroPixel: 1000 };
    const shot = { tag: 1, signals: { stage: 12_100, timing: 30_010 } };
    expect(await read({ stage, jitter }, shot)).toBeCloseTo(667.1, 9);
    expect(await read({ stage, jitter: { ...jitter, estimator: "derivative" } }, shot)).toBeCloseTo(641.1, 9);
    // PULSE 2023: 6.671 motor_1 − 6.671 motor_73 − 2.4431 px, up to constants.
    const timing = { equipId: "timing", fsPerPulse: 6.671, zeroPulse: 30_000 };
    const pulse = { stage, jitter: { edges, fsPerPixel: 2.4431, zeroPixel: 0, stage: timing } };
    expect(await read(pulse, shot)).toBeCloseTo(6.671 * (100 - 10) - 2443.1, 9);
    expect(await read({ ...pulse, sign: -1 }, shot)).toBeCloseTo(2443.1 - 6.671 * 90, 9);
    expect(await read({ stage }, shot)).toBeCloseTo(667.1, 9);
    expect(correctedDelay(pulse).signals).toEqual(["stage", "timing"]);
  });

  it("says why there is no delay", async () => {
    const timing = { equipId: "timing", fsPerPulse: 6.671, zeroPulse: 30_000 };
    const options = { stage, jitter: { edges, fsPerPixel: 2.6, zeroPixel: 1000, stage: timing } };
    expect(await read(options, { tag: 2, signals: { stage: 1, timing: 1 } })).toBe("no-timing-edge");
    expect(await read(options, { tag: 3, signals: { stage: 1, timing: 1 } })).toBe("no-timing-edge");
    expect(await read(options, { tag: 1, signals: { stage: "not-converged", timing: 1 } })).toBe("stage-not-converged");
    expect(await read(options, { tag: 1, signals: { stage: 1, timing: "missing" } })).toBe("timing-stage-missing");
    expect(() => correctedDelay({ stage: { ...stage, fsPerPulse: NaN } })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    expect(() => correctedDelay({ stage, sign: 0 as 1 })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("exact sums", () => {
  const sumOf = (values: readonly number[]): number => {
    const sum = new Float64Array(PLACES);
    for (const x of values) addExactly(sum, x);
    return total(sum);
  };

  it("keep what doubles lose, and do not depend on the order", () => {
    expect(sumOf([1e30, 1, -1e30, 5e-9])).toBe(1 + 5e-9);
    expect(sumOf(Array(10).fill(0.1))).toBe(1);
    const anyNumber = fc.double({ min: -1e20, max: 1e20, noNaN: true });
    fc.assert(
      fc.property(fc.array(anyNumber, { maxLength: 30 }), (values) => {
        expect(sumOf(values)).toBe(sumOf(values.toSorted()));
        expect(sumOf([...values, ...values.map((x) => -x)])).toBe(0);
      }),
    );
  });

  it("give the error of numbers that hardly differ", () => {
    const values = Array.from({ length: 100 }, (_, i) => 1e9 + (i % 2) * 2 ** -20);
    const [sum, squares] = [new Float64Array(PLACES), new Float64Array(PLACES)];
    for (const x of values) {
      addExactly(sum, x);
      addSquareExactly(squares, x);
    }
    expect(standardErrorOf(100, sum, squares)).toBeCloseTo((2 ** -21 * Math.sqrt(100 / 99)) / 10, 18);
  });
});

describe("contrast", () => {
  it("gives difference and ratio with errors, NaN for an empty bin", () => {
    const one = (mean: number[], standardError: number[]) => ({
      mean: ndarray(Float64Array.from(mean)),
      standardError: ndarray(Float64Array.from(standardError)),
    });
    const { difference, differenceError, ratio, ratioError } = contrast(
      one([94, NaN], [3, NaN]),
      one([100, 1], [4, 1]),
    );
    expect([...difference.data]).toEqual([-6, NaN]);
    expect([...differenceError.data]).toEqual([5, NaN]);
    expect([...ratio.data]).toEqual([0.94, NaN]);
    expect(ratioError.get(0)).toBeCloseTo(Math.sqrt(0.03 ** 2 + (0.94 * 0.04) ** 2), 12);
    expect(() => contrast(one([1], [1]), one([1, 2], [1, 2]))).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});
