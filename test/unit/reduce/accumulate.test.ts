import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asImage, newPixels, type PixelType } from "../../../src/core/ndarray.ts";
import type { Shot } from "../../../src/core/shots.ts";
import {
  accumulate,
  histogram,
  mean,
  memoryOf,
  minMax,
  normalised,
  PartialResult,
  type Reducer,
  resultsOf,
  roiSum,
  variance,
} from "../../../src/reduce/index.ts";
import { decodeMessage, encodeMessage } from "../../../src/transport/codec.ts";
import { rounds } from "../../support/full.ts";
import { floatPixel } from "../../support/pixel-values.ts";

const rows = 2;
const columns = 3;

async function* shotsOf(images: { tag: number; pixels: number[] }[], type: PixelType): AsyncGenerator<Shot> {
  const memory = newPixels(rows * columns, type);
  for (const { tag, pixels } of images) {
    memory.set(pixels);
    yield {
      tag,
      images: { A: asImage(memory, rows, columns) },
      value: () => ({ reason: "missing" }),
      number: () => NaN,
    };
  }
}

const reducers = () => ({
  average: mean(),
  spread: variance(),
  range: minMax(),
  adu: histogram(),
  roi: roiSum({ rows: [0, 2], columns: [1, 3] }),
});
const dark = { mean: { A: asImage(Float64Array.of(1 / 3, 2, 0.1, -7.7, 1e-7, 100.25), rows, columns) } };

const anyPixel = fc.oneof(floatPixel({ noNaN: true, min: -70000, max: 70000 }), fc.integer({ min: 0, max: 65535 }));
const anyStack = fc.array(fc.array(anyPixel, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 12 });

describe("accumulate", () => {
  it("gives the same bits however the shots are split, and in whatever order the parts are merged", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyStack,
        fc.array(fc.nat(12), { maxLength: 4 }),
        fc.integer(),
        fc.boolean(),
        async (stack, cuts, seed, corrected) => {
          const images = stack.map((pixels, tag) => ({ tag, pixels }));
          const options = corrected ? { dark } : {};
          const whole = resultsOf(await accumulate(shotsOf(images, "float32"), reducers(), options));
          const ends = [...new Set([0, ...cuts.filter((cut) => cut < images.length), images.length])].sort(
            (a, b) => a - b,
          );
          const parts = await Promise.all(
            ends
              .slice(1)
              .map((end, k) => accumulate(shotsOf(images.slice(ends[k], end), "float32"), reducers(), options)),
          );
          const shuffled = parts
            .map((part, k) => ({ part, key: Math.imul(seed ^ k, 0x9e3779b1) }))
            .sort((a, b) => a.key - b.key);
          const merged = shuffled.reduce((all, { part }) => all.merge(part), new PartialResult(reducers()));
          expect(resultsOf(merged)).toEqual(whole);
        },
      ),
      { numRuns: rounds(200) },
    );
  });

  it("goes on from a checkpoint, also one that travelled, to the same bits", async () => {
    await fc.assert(
      fc.asyncProperty(anyStack, fc.nat(12), async (stack, cut) => {
        const images = stack.map((pixels, tag) => ({ tag, pixels }));
        const whole = resultsOf(await accumulate(shotsOf(images, "float32"), reducers()));
        const half = (await accumulate(shotsOf(images.slice(0, cut), "float32"), reducers())).checkpoint();
        const arrived = decodeMessage(encodeMessage({ kind: "result", id: 0, value: half }), { copy: true });
        if (arrived.kind !== "result") throw new Error("no result");
        const resumed = PartialResult.load(reducers(), arrived.value as typeof half);
        expect(resultsOf(await accumulate(shotsOf(images.slice(cut), "float32"), reducers(), {}, resumed))).toEqual(
          whole,
        );
      }),
      { numRuns: rounds(50) },
    );
  });

  it("keeps integers exact: unsigned 16-bit images give whole sums of squares", async () => {
    const images = Array.from({ length: 3000 }, (_, tag) => ({
      tag,
      pixels: [65535, 65534, tag, 0, 1, 60000 + (tag % 3)],
    }));
    const { spread } = resultsOf(await accumulate(shotsOf(images, "uint16"), reducers()));
    expect([...(spread["A"]?.variance.data ?? [])]).toEqual([
      0,
      0,
      (3000 ** 2 - 1) / 12,
      0,
      0,
      expect.closeTo(2 / 3, 12),
    ]);
    // Made when asked for, once.
    expect(Object.getOwnPropertyDescriptor(spread["A"], "standardError")?.get).toBeTypeOf("function");
    expect(spread["A"]?.standardError.get(0, 2)).toBeCloseTo(Math.sqrt((3000 ** 2 - 1) / 12 / 2999), 12);
    // The scatter of one shot is not known.
    const one = resultsOf(await accumulate(shotsOf(images.slice(0, 1), "uint16"), reducers()));
    expect(one.spread["A"]?.standardError.get(0, 2)).toBeNaN();
    expect(spread["A"]?.standardError).toBe(spread["A"]?.standardError);
  });

  it("says its memory before it starts", () => {
    const frame = { detId: "A", rows: 1024, columns: 512, type: "uint16" } as const;
    const pixels = 1024 * 512;
    expect(memoryOf([frame], { average: mean() })).toBe(pixels * 8 + 8);
    expect(memoryOf([frame, frame], { spread: variance(), adu: histogram() })).toBe(
      2 * (pixels * 24 + 8 + 601 * 8 + 3 * 8),
    );
  });

  it("has the sums of normalised images once, in its state", () => {
    const frame = { detId: "A", rows: 1024, columns: 512, type: "uint16" } as const;
    const reducers = { image: normalised({ equipId: "i0", reference: 1 }) };
    const state = memoryOf([frame], reducers);
    expect(state).toBeGreaterThanOrEqual(40 * 1024 * 512);
    expect(memoryOf([frame], reducers, { depth: 1 })).toBeLessThan(1.6 * state);
  });

  it("does not change what it was loaded from, unless that is given away", async () => {
    const images = [1, 2, 3].map((tag) => ({ tag, pixels: [tag, 2, 3, 4, 5, 6] }));
    const whole = resultsOf(await accumulate(shotsOf(images, "float32"), reducers()));
    const saved = (await accumulate(shotsOf(images.slice(0, 1), "float32"), reducers())).checkpoint();
    const before = structuredClone(saved);
    const goOn = async (from: PartialResult<ReturnType<typeof reducers>>) =>
      resultsOf(await accumulate(shotsOf(images.slice(1), "float32"), reducers(), {}, from));
    expect(await goOn(PartialResult.load(reducers(), saved))).toEqual(whole);
    expect(saved).toEqual(before);
    const adopted = PartialResult.adopt(reducers(), saved);
    expect(adopted.sensors[0]?.states.get("average")?.["sum"]).toBe(saved.lanes[0]?.states["average"]?.["sum"]);
    expect(await goOn(adopted)).toEqual(whole);
  });

  it("refuses to merge or load what does not fit", async () => {
    const images = [{ tag: 1, pixels: [1, 2, 3, 4, 5, 6] }];
    const a = await accumulate(shotsOf(images, "float32"), { average: mean() });
    const b = await accumulate(shotsOf(images, "float32"), { average: variance() });
    expect(() => a.merge(b as unknown as typeof a)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => a.merge(a)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("itself") }),
    );
    expect(() => PartialResult.load({ average: variance() }, a.checkpoint())).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    const most = { average: mean(), range: minMax() };
    const [here, there] = [
      { ...most, adu: histogram(), spread: variance() },
      { ...most, adu: histogram({ to: 501 }), roi: roiSum({ rows: [0, 1], columns: [0, 1] }) },
    ];
    const refusal = (what: string): unknown =>
      expect.objectContaining({
        code: "BAD_ARGUMENT",
        message: `The ${what} has other reducers: adu is ${there.adu.name}, here ${here.adu.name}; spread is missing, here variance(ddof 0); roi is ${there.roi.name}, here missing. Take the same ones, with the same settings.`,
      });
    const other: PartialResult<Record<string, Reducer<unknown>>> = new PartialResult(there);
    expect(() => new PartialResult<Record<string, Reducer<unknown>>>(here).merge(other)).toThrow(refusal("other part"));
    expect(() => PartialResult.load(here, other.checkpoint())).toThrow(refusal("checkpoint"));
    const wrong = a.checkpoint();
    const [lane] = wrong.lanes;
    if (lane === undefined) throw new Error("no lane");
    const larger = { ...wrong, lanes: [{ ...lane, frame: { ...lane.frame, rows: 9 } }] };
    expect(() => PartialResult.load({ average: mean() }, larger)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("27") }),
    );
  });

  it("does not begin anew with what should have been saved and is not", async () => {
    const images = [1, 2].map((tag) => ({ tag, pixels: [1, 2, 3, 4, 5, 6] }));
    const saved = (await accumulate(shotsOf(images, "float32"), reducers())).checkpoint();
    const [lane] = saved.lanes;
    const { average = {}, roi = {}, ...rest } = lane?.states ?? {};
    const { sum, ...others } = average;
    const { sums } = roi;
    if (lane === undefined || sum === undefined || sums === undefined || ArrayBuffer.isView(sums))
      throw new Error("another layout");
    for (const states of [
      { ...rest, roi },
      { ...rest, roi, average: others },
      { ...rest, roi: {}, average },
      { ...rest, roi: { sums: { tags: sums.tags, columns: [] } }, average },
      { ...rest, roi: { sums: { tags: sums.tags, columns: [new Float64Array(1)] } }, average },
    ]) {
      const load = () => PartialResult.load(reducers(), { ...saved, lanes: [{ ...lane, states }] });
      expect(load).toThrow(
        expect.objectContaining({
          code: "BAD_ARGUMENT",
          message: expect.stringMatching(/^The saved sums? does not fit/),
        }),
      );
    }
  });

  it("stays as it was when a part does not fit", async () => {
    const part = async (shape: Record<string, number>) => {
      const images = Object.fromEntries(
        Object.entries(shape).map(([id, length]) => [id, asImage(new Float32Array(length).fill(1), 1, length)]),
      );
      const shots = async function* (): AsyncGenerator<Shot> {
        yield { tag: 1, images, value: () => ({ reason: "missing" }), number: () => NaN };
      };
      return await accumulate(shots(), { average: mean(), roi: roiSum({ rows: [0, 1], columns: [0, 1] }) });
    };
    const own = await part({ A: 2, B: 3 });
    const before = structuredClone(own.checkpoint());
    const other = await part({ A: 2, C: 5, B: 4 });
    expect(() => own.merge(other)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("shape of B") }),
    );
    expect(own.checkpoint()).toEqual(before);
  });
});
