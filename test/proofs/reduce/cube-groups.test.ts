import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asImage, newPixels, type PixelType } from "../../../src/core/ndarray.ts";
import type { Shot } from "../../../src/core/shots.ts";
import {
  Cube,
  type CubeOptions,
  correct,
  histogram,
  hits,
  mean,
  minMax,
  reduce,
  variance,
} from "../../../src/reduce/index.ts";
import { rounds } from "../../support/full.ts";
import { shotOf } from "../../unit/reduce/stack.ts";

// More than one tile, and no multiple of any vector length.
const rows = 93;
const columns = 97;
const pixels = rows * columns;

const reducers = () => ({
  average: mean(),
  spread: variance({ ddof: 1 }),
  range: minMax(),
  adu: histogram(),
  all: histogram({ from: 0, to: 65_535 }),
  coarse: histogram({ from: -7.3, to: 900, binWidth: 2.7 }),
});
type All = ReturnType<typeof reducers>;

/** The same without the kernel: what it must equal. */
function plain(): All {
  return Object.fromEntries(
    Object.entries(reducers()).map(([name, reducer]) => [name, { ...reducer, kernel: undefined }]),
  ) as All;
}

interface Plan {
  readonly seed: number;
  readonly type: PixelType;
  readonly isWhole: boolean;
  /** Bin of each shot. */
  readonly bins: readonly number[];
}

/** Shots over one memory that is reused, as a reader does. */
async function* shotsOf({ seed, type, isWhole, bins }: Plan): AsyncGenerator<Shot> {
  const memory = newPixels(pixels, type);
  for (const [k, bin] of bins.entries()) {
    let state = (seed + 7919 * k) >>> 0;
    for (let i = 0; i < pixels; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const x = state % 97 === 0 ? 65_535 : 90 + (state >>> 28);
      memory[i] = type === "uint16" || isWhole ? x : x / 3.1 - 20;
    }
    if (type === "float32" && k % 5 === 4) memory.set([NaN, Infinity, -Infinity, -0, 1e9], k);
    yield shotOf(k, { A: asImage(memory, rows, columns) }, bin);
  }
}

const axes = [{ name: "delay", of: "delay", from: 0, to: 12, step: 1 }];
const level = asImage(
  Float64Array.from({ length: pixels }, (_, i) => 90 + i / 7),
  rows,
  columns,
);

function answersOf(scan: Cube<All>): unknown[] {
  return Array.from({ length: 12 }, (_, bin) => scan.images("all", bin)).map(
    (found) => found && { ...found, ledger: found.ledger },
  );
}

async function made(
  make: () => All,
  plan: Plan,
  options: Omit<CubeOptions<All>, "axes" | "values">,
): Promise<unknown[]> {
  return answersOf(await new Cube({ axes, values: { images: make() }, ...options }).update(shotsOf(plan)));
}

const anyPlan = fc.record({
  seed: fc.nat(1_000_000),
  type: fc.constantFrom<PixelType>("uint16", "float32"),
  isWhole: fc.boolean(),
  // More than wait at a time, in one bin after another or in any.
  bins: fc.array(fc.nat(11), { minLength: 1, maxLength: 60 }).chain((bins) =>
    fc.constantFrom(
      bins,
      [...bins].sort((a, b) => a - b),
    ),
  ),
});

describe("the bins of a cube, filled group by group", () => {
  it("have the bits of the plain way, whatever bins the shots are in", async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, fc.constantFrom("none", "correction", "option"), async (plan, how) => {
        const dark = { mean: { A: level } };
        const options = how === "none" ? {} : how === "option" ? { dark } : { corrections: [correct.dark(dark)] };
        const [found, expected] = [await made(reducers, plan, options), await made(plain, plan, options)];
        // Far faster than toEqual over all the numbers, which is for the message.
        if (!Buffer.from(JSON.stringify(found, exact)).equals(Buffer.from(JSON.stringify(expected, exact))))
          expect(found).toEqual(expected);
      }),
      { numRuns: rounds(12) },
    );
  });

  it("can be read while shots come, without one that is missing", async () => {
    const scan = new Cube({ axes, values: { images: reducers() } });
    const expected = new Cube({ axes, values: { images: plain() } });
    const plan: Plan = { seed: 5, type: "uint16", isWhole: true, bins: [3, 3, 4, 3, 7] };
    const seen: unknown[] = [];
    const watch = async (cube: Cube<All>): Promise<void> => {
      await cube.update(shotsOf(plan), {
        onProgress: (done) => {
          if (done === 4)
            seen.push(
              answersOf(cube),
              Cube.load({ axes, values: { images: reducers() } }, restored(cube)).images("all", 3),
            );
        },
      });
    };
    await watch(scan);
    await watch(expected);
    expect(JSON.stringify(seen.slice(0, 2), exact)).toBe(JSON.stringify(seen.slice(2), exact));
    expect(scan.images("all", 3)?.spread["A"]?.count).toBe(3);
  });

  it("keep what came before a failure", async () => {
    const scan = new Cube({ axes, values: { images: reducers() } });
    const failing = async function* (): AsyncGenerator<Shot> {
      yield* shotsOf({ seed: 1, type: "uint16", isWhole: true, bins: [2, 2, 2] });
      throw new Error("the source is gone");
    };
    await expect(scan.update(failing())).rejects.toThrow("gone");
    expect([scan.images("all", 2)?.spread["A"]?.count, scan.ledger.used]).toEqual([3, 3]);
  });

  it("take images of another type as they come", async () => {
    const both = async function* (): AsyncGenerator<Shot> {
      yield* shotsOf({ seed: 1, type: "uint16", isWhole: true, bins: [2, 2] });
      for await (const shot of shotsOf({ seed: 9, type: "float32", isWhole: false, bins: [2, 2, 2] }))
        yield { ...shot, tag: shot.tag + 10 };
    };
    const [found, expected] = [reducers, plain].map((make) => new Cube({ axes, values: { images: make() } }));
    expect(JSON.stringify(answersOf((await found?.update(both())) ?? fail()), exact)).toBe(
      JSON.stringify(answersOf((await expected?.update(both())) ?? fail()), exact),
    );
  });
});

describe("the dark of a cube", () => {
  const dark = { mean: { A: level } };
  const sums = { all: { detector: "A" } } as const;
  const images = () => ({
    ...reducers(),
    lit: hits({ threshold: 5, minPixels: 1 }),
    peaks: hits({ threshold: 5, minPeaks: 1 }),
  });
  const plan: Plan = { seed: 3, type: "uint16", isWhole: true, bins: [2, 4, 2, 2, 4] };
  const filled = async (options: Pick<CubeOptions<All>, "dark" | "corrections">, from = 0) => {
    const shots = async function* (): AsyncGenerator<Shot> {
      for await (const shot of shotsOf(plan)) yield { ...shot, tag: shot.tag + from };
    };
    return await new Cube({ axes, values: { images: images(), sums }, ...options }).update(shots());
  };

  it("gives the bits of reduce with the same dark, and sums over regions those of correct.dark", async () => {
    const scan = await filled({ dark });
    const ofBin = async function* (): AsyncGenerator<Shot> {
      for await (const shot of shotsOf(plan)) if (plan.bins[shot.tag] === 2) yield shot;
    };
    const { ledger: _, ...expected } = await reduce({ [Symbol.asyncIterator]: ofBin }, images(), { dark });
    const { ledger: __, ...found } = scan.images("all", 2) ?? fail();
    expect(JSON.stringify(found, exact)).toBe(JSON.stringify(expected, exact));
    const corrected = await filled({ corrections: [correct.dark(dark)] });
    expect(scan.numbers("all").sum.data).toEqual(corrected.numbers("all").sum.data);
    const both = await filled({ dark, corrections: [correct.between(-5, 50, 0)] });
    const listed = await filled({ corrections: [correct.dark(dark), correct.between(-5, 50, 0)] });
    expect(JSON.stringify(both.images("all", 4), exact)).toBe(JSON.stringify(listed.images("all", 4), exact));
  });

  it("must be the same in parts that are merged, and in a checkpoint that is loaded", async () => {
    const other = { mean: { A: asImage(new Float64Array(pixels), rows, columns) } };
    const scan = await filled({ dark });
    const before = JSON.stringify(answersOf(scan), exact);
    for (const unlike of [await filled({ dark: other }, 100), await filled({}, 100)])
      expect(() => scan.merge(unlike)).toThrow("dark of A");
    expect(JSON.stringify(answersOf(scan), exact)).toBe(before);
    const made = { axes, values: { images: images(), sums } };
    for (const options of [{ dark: other }, {}])
      expect(() => Cube.load({ ...made, ...options }, scan.checkpoint())).toThrow("dark of A");
    const loaded = Cube.load({ ...made, dark }, structuredClone(scan.checkpoint()));
    expect(JSON.stringify(answersOf(loaded), exact)).toBe(before);
    expect(loaded.merge(await filled({ dark }, 100)).ledger.used).toBe(10);
  });
});

function fail(): never {
  throw new Error("no cube");
}

/** A checkpoint as it would be read from a file: in memory of its own. */
function restored(cube: Cube<All>): ReturnType<Cube["checkpoint"]> {
  return structuredClone({
    ...cube.checkpoint(),
    made: new Cube({ axes, values: { images: reducers() } }).checkpoint().made,
  });
}

/** For JSON: arrays by their bits. */
function exact(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")
    : value;
}
