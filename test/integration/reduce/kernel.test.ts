import fc from "fast-check";
import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { asImage, newPixels, type Pixels, type PixelType } from "../../../src/core/ndarray.ts";
import type { Shot } from "../../../src/core/shots.ts";
import { BATCH } from "../../../src/reduce/engine/kernel.ts";
import {
  accumulate,
  byClass,
  correct,
  createStack,
  defineReducer,
  histogram,
  type ImageStack,
  mean,
  memoryOf,
  minMax,
  PartialResult,
  type Reducer,
  reduce,
  resultsOf,
  roiSum,
  type StackedShots,
  shotsFrom,
  variance,
} from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { rounds } from "../../support/full.ts";
import { TinySource } from "../../support/tiny-source.ts";

// More than one tile, and no multiple of any vector length.
const rows = 93;
const columns = 97;
const pixels = rows * columns;

const reducers = () => ({
  average: mean(),
  spread: variance(),
  range: minMax(),
  adu: histogram(),
  wide: histogram({ from: -50, to: 3000 }),
  all: histogram({ from: 0, to: 65_535 }),
  coarse: histogram({ from: -7.3, to: 900, binWidth: 2.7 }),
  roi: roiSum({ rows: [3, 90], columns: [1, 97] }),
  count: brightPixels(),
  averages: byClass(mean(), classes, classOf),
  spreads: byClass(variance(), classes, classOf),
  adus: byClass(byClass(histogram(), ["even", "odd"], parity), classes, classOf),
  ranges: byClass(minMax(), manyClasses, (tag) => `${tag % 11}`),
  counts: byClass(brightPixels(), classes, classOf),
});

const classes = ["on", "off", "never"];
const classOf = (tag: number): string | null => ["on", null, "off", "off"][tag % 4] ?? null;
const parity = (tag: number): string => (tag % 2 === 0 ? "even" : "odd");
/** More than get a kernel. */
const manyClasses = Array.from({ length: 11 }, (_, tag) => `${tag}`);

/** A reducer the kernel does not know, and which gets pixels less the dark. */
function brightPixels(): Reducer<number> {
  return defineReducer({
    name: "brightPixels",
    layout: () => ({ count: { type: "float64", length: 1, merge: "sum" } }),
    add: ({ count }, image) => {
      for (const x of image) if (x > 20) count[0] = (count[0] ?? 0) + 1;
    },
    result: ({ count }) => count[0] ?? 0,
  });
}

/** The same without the kernel: what it must equal. */
function plain(): ReturnType<typeof reducers> {
  return Object.fromEntries(
    Object.entries(reducers()).map(([name, reducer]) => [name, { ...reducer, kernel: undefined, dispatch: undefined }]),
  ) as ReturnType<typeof reducers>;
}

/** Whole numbers from a generator of their own: fast-check is too slow to make each pixel. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}

const specials16 = [0, 1, 65_535, 65_534, 32_767, 32_768];
const specials32 = [0, -0, NaN, Infinity, -Infinity, 65_535, -70_000.3, 1e-8, 0.5, -0.5, 500.5, 100.4999999];

function imageOf(seed: number, type: PixelType, rare: boolean): Pixels {
  const next = numbers(seed);
  // Float32 images of whole numbers go another way than those with fractions.
  const isWhole = type === "uint16" || seed % 2 === 0;
  const specials = type === "uint16" ? specials16 : isWhole ? [...specials16, -0] : specials32;
  const value = (): number => {
    const pick = next() % 64;
    if (rare && pick === 0) return specials[next() % specials.length] ?? 0;
    if (pick < 4) return isWhole ? next() % 65_536 : (next() % 2_000_000) / 31 - 20_000;
    return isWhole ? 95 + (next() % 17) : 95 + (next() % 4001) / 251;
  };
  return type === "uint16" ? Uint16Array.from({ length: pixels }, value) : Float32Array.from({ length: pixels }, value);
}

type Fraction = "none" | "thirds" | "halves" | "odd";
function darkOf(seed: number, kind: Fraction): { mean: Record<string, ndarray.NdArray<Float64Array>> } | undefined {
  if (kind === "none") return undefined;
  const next = numbers(seed);
  const fraction = { thirds: 3, halves: 2, odd: 1 }[kind];
  const level = Float64Array.from({ length: pixels }, () => 90 + (next() % 40) / fraction);
  // What real darks have, and what they should not: saturated, dead, negative, not a number.
  if (kind === "odd") level.set([65_535, 0, -1e-20, -3.7, NaN, 1e9, 99.5, Infinity], seed % 1000);
  return { mean: { A: asImage(level, rows, columns) } };
}

async function* shotsOf(images: readonly Pixels[], tags = images.keys()): AsyncGenerator<Shot> {
  for (const tag of tags) {
    const image = images[tag];
    if (image !== undefined)
      yield {
        tag,
        images: { A: asImage(image, rows, columns) },
        value: () => ({ reason: "missing" }),
        number: () => NaN,
      };
  }
}

function stacked(images: readonly Pixels[], type: PixelType, inArena: boolean): StackedShots {
  const shape = [images.length, rows, columns] as const;
  const own = ndarray(newPixels(images.length * pixels, type), [...shape]);
  const stack: ImageStack = inArena ? (type === "uint16" ? createStack(shape) : createStack(shape, "float32")) : own;
  for (const [k, image] of images.entries()) stack.data.set(image, k * pixels);
  return shotsFrom({ A: stack });
}

/** Pages of each WebAssembly memory made meanwhile. */
async function memoriesOf(work: () => Promise<unknown>): Promise<number[]> {
  const wasm = Reflect.get(globalThis, "WebAssembly") as { Memory: new (size: { initial: number }) => object };
  const { Memory } = wasm;
  const pages: number[] = [];
  wasm.Memory = class extends Memory {
    constructor(size: { initial: number }) {
      super(size);
      pages.push(size.initial);
    }
  };
  try {
    await work();
  } finally {
    wasm.Memory = Memory;
  }
  return pages;
}

/** Where two answers differ in a bit, or undefined; toEqual takes seconds for so many numbers. */
function difference(a: unknown, b: unknown, path = "answer"): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return `${path}: ${a} and ${b}`;
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [x, y] = [a as Float64Array, b as Float64Array];
    const at = x.findIndex((value, i) => !Object.is(value, y[i]));
    return at < 0 && x.length === y.length
      ? undefined
      : `${path}[${at}] of ${x.length}, ${y.length}: ${x[at]} and ${y[at]}`;
  }
  const [one, other] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  if (one.size !== other.size) return `${path}: ${[...one.keys()]} and ${[...other.keys()]}`;
  for (const [key, value] of one) {
    const found = difference(value, other.get(key), `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const anyStack = fc.record({
  seed: fc.nat(1_000_000),
  length: fc.integer({ min: 1, max: 19 }),
  type: fc.constantFrom<PixelType>("uint16", "float32"),
  rare: fc.boolean(),
  fraction: fc.constantFrom<Fraction>("none", "thirds", "halves", "odd"),
});

describe("the kernel", () => {
  it("gives the bits of the plain way: images one by one, in a stack, in memory of its own", async () => {
    await fc.assert(
      fc.asyncProperty(anyStack, async ({ seed, length, type, rare, fraction }) => {
        const images = Array.from({ length }, (_, k) => imageOf(seed + k, type, rare));
        const dark = darkOf(seed, fraction);
        const options = dark === undefined ? {} : { dark };
        const expected = await reduce(shotsOf(images), plain(), options);
        expect(difference(await reduce(shotsOf(images), reducers(), options), expected)).toBeUndefined();
        expect(difference(await reduce(stacked(images, type, false), reducers(), options), expected)).toBeUndefined();
        expect(difference(await reduce(stacked(images, type, true), reducers(), options), expected)).toBeUndefined();
      }),
      { numRuns: rounds(25, 2) },
    );
  });

  it("leaves a state that parts made the plain way merge with and go on from", async () => {
    await fc.assert(
      fc.asyncProperty(anyStack, fc.nat(19), async ({ seed, length, type, rare, fraction }, cut) => {
        const images = Array.from({ length }, (_, k) => imageOf(seed + k, type, rare));
        const dark = darkOf(seed, fraction);
        const options = dark === undefined ? {} : { dark };
        const whole = await reduce(shotsOf(images), plain(), options);
        const [first, rest] = [[...images.keys()].slice(0, cut), [...images.keys()].slice(cut)];
        const part = async (reducersOf: typeof plain, tags: number[]) =>
          await accumulate(shotsOf(images, tags.values()), reducersOf(), options);
        for (const [one, other] of [
          [plain, reducers],
          [reducers, plain],
          [reducers, reducers],
        ] as const) {
          expect(difference(resultsOf((await part(other, rest)).merge(await part(one, first))), whole)).toBeUndefined();
          const resumed = PartialResult.load(other(), (await part(one, first)).checkpoint());
          expect(
            difference(resultsOf(await accumulate(shotsOf(images, rest.values()), other(), options, resumed)), whole),
          ).toBeUndefined();
        }
      }),
      { numRuns: rounds(8, 1) },
    );
  });

  it("takes images that a source puts into its memory, and those that are corrected first", async () => {
    const source = new TinySource({ 3: [{ run: 7, start: 100, images: 11, detectors: ["A"] }] });
    const images = Array.from({ length: 11 }, (_, k) => imageOf(k, "uint16", true));
    source.detectorInfo = () => ({
      id: "A",
      xsize: columns,
      ysize: rows,
      absGain: null,
      geometry: null,
      pixelType: "uint16",
    });
    const memories = new Set<ArrayBufferLike>();
    source.readFrame = (_bl, _run, _id, tag, out: Pixels) => {
      memories.add(out.buffer);
      out.set(images[(tag - 100) / 2] ?? []);
      return true;
    };
    const st = new St(inProcess(endpointOf(source)));
    const shots = () => st.shots({ run: { bl: 3, number: 7 }, detectors: ["A"] });
    const dark = darkOf(5, "thirds");
    if (dark === undefined) throw new Error("no dark");
    const tagged = async function* () {
      for await (const shot of shotsOf(images)) yield { ...shot, tag: 100 + 2 * shot.tag };
    };
    expect(
      difference(await reduce(shots(), reducers(), { dark }), await reduce(tagged(), plain(), { dark })),
    ).toBeUndefined();
    // One memory for all slots: no image was copied.
    expect(memories.size).toBe(1);
    const corrections = [correct.dark(dark)];
    expect(
      difference(await reduce(shots(), reducers(), { corrections }), await reduce(shots(), plain(), { corrections })),
    ).toBeUndefined();
  });

  it("takes images whose type changes on the way", async () => {
    const images = Array.from({ length: 19 }, (_, k) => imageOf(k, k % 3 === 0 ? "uint16" : "float32", true));
    const options = { dark: darkOf(3, "thirds") ?? { mean: {} } };
    for (const some of [images, images.slice(1)]) {
      expect(
        difference(await reduce(shotsOf(some), reducers(), options), await reduce(shotsOf(some), plain(), options)),
      ).toBeUndefined();
    }
  });

  it("stays exact when every value is at its limit, beyond what 32 bits hold", async () => {
    const image = new Uint16Array(pixels).fill(65_535);
    const others = [new Uint16Array(pixels), new Uint16Array(pixels).fill(32_768)];
    const times = 66_000;
    const many = async function* (): AsyncGenerator<Shot> {
      for (let tag = 0; tag < times; tag++)
        yield* shotsOf([tag < times / 2 ? image : (others[0] ?? image)], [0].values());
      yield* shotsOf(others, [1].values());
    };
    const small = { average: mean(), spread: variance(), adu: histogram({ from: 0, to: 600 }) };
    const { average, spread, adu } = await reduce(many(), small);
    const n = times + 1;
    const [sum, squares] = [(times / 2) * 65_535 + 32_768, (times / 2) * 65_535 ** 2 + 32_768 ** 2];
    expect(average["A"]?.get(92, 96)).toBe(sum / n);
    expect(spread["A"]?.variance.get(0, 0)).toBeCloseTo(squares / n - (sum / n) ** 2, 1);
    expect([adu["A"]?.counts[0], adu["A"]?.over]).toEqual([(pixels * times) / 2, pixels * (times / 2 + 1)]);
  });

  it("says its memory before it starts", () => {
    const frame = { detId: "A", rows: 1024, columns: 512, type: "uint16" } as const;
    const n = 1024 * 512;
    const asked = { average: mean(), spread: variance(), adu: histogram() };
    const states = n * (8 + 24) + 16 + 8 * 604;
    expect(memoryOf([frame], asked)).toBe(states);
    const up = (bytes: number): number => Math.ceil(bytes / 64) * 64;
    // Three images, a group of tiles, half a group of images, sums and squares, and of the histogram: darks, bins, pairs of
    // bins.
    const working = 3 * 2 * n + 2 * 8 * 8192 + 4 * 2 * n + (4 + 8) * n + 2 * n + up(4 * 603) + up(4 * 603 ** 2);
    expect(memoryOf([frame, frame], asked, { depth: 3, dark: true })).toBe(2 * (states + working));
  });

  it("counts for each class of shots that appears, the first eight, in the memory it said", async () => {
    const asked = { average: mean(), spread: variance(), adu: histogram() };
    const byClasses = (names: readonly string[], of: (tag: number) => string | null) =>
      Object.fromEntries(Object.entries(asked).map(([name, reducer]) => [name, byClass<unknown>(reducer, names, of)]));
    const frame = { detId: "A", rows, columns, type: "uint16" } as const;
    const kernelBytes = (of: Record<string, Reducer<unknown>>) =>
      memoryOf([frame], of, { depth: 0 }) - memoryOf([frame], of);
    const one = kernelBytes(asked);
    const images = Array.from({ length: 22 }, (_, k) => imageOf(k, "uint16", false));
    for (const [names, of, said, used] of [
      [classes, classOf, 3, 2],
      [manyClasses, (tag: number) => `${tag % 11}`, 8, 8],
      [manyClasses, () => null, 8, 0],
    ] as const) {
      const questions = byClasses(names, of);
      expect(kernelBytes(questions)).toBe(said * one);
      const pages = await memoriesOf(async () => await reduce(shotsOf(images), questions));
      expect(pages).toEqual(Array(used).fill(Math.ceil(one / 65_536) + 1));
    }
  });
});

describe("parts with a dark", () => {
  it("merge only when it is the same, since it is subtracted at the end", async () => {
    const images = [imageOf(1, "uint16", false)];
    const part = async (level: number | undefined, tag = 0) =>
      await accumulate(
        shotsFrom({ A: ndarray(Uint16Array.from(images[0] ?? []), [1, rows, columns]) }, { tags: [tag] }),
        { average: mean() },
        level === undefined
          ? {}
          : { dark: { mean: { A: asImage(new Float64Array(pixels).fill(level), rows, columns) } } },
      );
    for (const [a, b] of [
      [1, 2],
      [undefined, 1],
      [1, undefined],
    ] as const) {
      const [one, other] = [await part(a), await part(b)];
      expect(() => one.merge(other)).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("correct.dark") }),
      );
    }
    const both = resultsOf((await part(1)).merge(await part(1, 1)));
    expect(both.average["A"]?.get(0, 0)).toBe((images[0]?.[0] ?? NaN) - 1);
  });
});

describe("shots from memory", () => {
  const images = Array.from({ length: 5 }, (_, k) => imageOf(k, "uint16", true));

  it("are taken from any view, also one with gaps, and one by one", async () => {
    const wide = ndarray(new Uint16Array(5 * rows * columns * 2), [5, rows, columns * 2]);
    const gaps = wide.step(1, 1, 2);
    for (const [k, image] of images.entries())
      for (let i = 0; i < pixels; i++) gaps.set(k, Math.floor(i / columns), i % columns, image[i] ?? 0);
    const expected = await reduce(shotsOf(images), plain());
    expect(difference(await reduce(shotsFrom({ A: gaps }), reducers()), expected)).toBeUndefined();
    const each: number[] = [];
    for await (const shot of shotsFrom({ A: gaps.lo(2, 0, 0) }, { tags: [7, 9, 11] }))
      each.push(shot.tag, shot.images["A"]?.get(1, 1) ?? NaN);
    expect(each).toEqual([7, images[2]?.[columns + 1], 9, images[3]?.[columns + 1], 11, images[4]?.[columns + 1]]);
  });

  it("can be reduced by two at a time, and again", async () => {
    const shots = stacked(images, "uint16", true);
    const expected = await reduce(shotsOf(images), plain());
    const both = await Promise.all([reduce(shots, reducers()), reduce(shots, reducers())]);
    expect(difference(both, [expected, expected])).toBeUndefined();
    expect(difference(await reduce(shots, reducers()), expected)).toBeUndefined();
  });

  it("leave the account right when the work is stopped on the way", async () => {
    const stop = new AbortController();
    const into = new PartialResult(reducers());
    const many = Array.from({ length: 8 }, () => images).flat();
    const shots = stacked(many, "uint16", true);
    const onProgress = (done: number): void => {
      if (done === 6) stop.abort();
    };
    await expect(accumulate(shots, reducers(), { signal: stop.signal, onProgress }, into)).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(into.ledger).toEqual({ asked: BATCH, used: BATCH, dropped: [] });
    expect(difference(resultsOf(into), await reduce(shotsOf(many.slice(0, BATCH)), plain()))).toBeUndefined();
  });

  it("refuses what does not fit", async () => {
    const bad = expect.objectContaining({ code: "BAD_ARGUMENT" });
    const flat = ndarray(new Uint16Array(pixels), [rows, columns]);
    const [one, two] = [createStack([1, 2, 3]), createStack([2, 2, 3], "float32")];
    expect(() => shotsFrom({ A: flat })).toThrow(bad);
    expect(() => shotsFrom({ A: one, B: two })).toThrow(bad);
    expect(() => shotsFrom({ A: one }, { tags: [1, 2] })).toThrow(bad);
    expect(() => createStack([5000, 1024, 512])).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("4 GiB") }),
    );
    expect(() => createStack([0, 4, 4])).toThrow(bad);
    expect(() => shotsFrom({ A: one }).shot(0).value("bm1")).toThrow(bad);
    const empty = await reduce(shotsFrom({}), { average: mean() });
    expect(empty).toEqual({ average: {}, ledger: { asked: 0, used: 0, dropped: [] } });
  });
});
