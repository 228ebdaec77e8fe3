import fc from "fast-check";
import ndarray from "ndarray";
import ops from "ndarray-ops";
import { describe, expect, it } from "vitest";
import { asImage, type Image } from "../../../src/core/ndarray.ts";
import type { Shot } from "../../../src/core/shots.ts";
import { darkMean } from "../../../src/reduce/dark-average.ts";
import { darkAverage, histogram, mean, minMax, reduce, roiSum, variance } from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { floatPixel } from "../../support/pixel-values.ts";
import { tinySource } from "../../support/tiny-source.ts";

const rows = 3;
const columns = 4;

/** Shots over images given, reusing one memory as a real reader does. */
async function* shotsOf(images: ArrayLike<number>[], id = "A"): AsyncGenerator<Shot> {
  const memory = new Float32Array(rows * columns);
  for (const [tag, pixels] of images.entries()) {
    memory.set(pixels);
    yield {
      tag,
      images: { [id]: asImage(memory, rows, columns) },
      value: () => ({ reason: "missing" }),
      number: () => NaN,
    };
  }
}

const pixel = fc.oneof(fc.integer({ min: -200, max: 700 }), fc.integer({ min: 0, max: 65535 }));
const stack = fc.array(fc.array(pixel, { minLength: rows * columns, maxLength: rows * columns }), {
  minLength: 1,
  maxLength: 8,
});

describe("reduce", () => {
  it("agrees with ndarray-ops for mean, variance, min and max, in one pass", async () => {
    await fc.assert(
      fc.asyncProperty(stack, async (images) => {
        const { average, spread, range, ledger } = await reduce(shotsOf(images), {
          average: mean(),
          spread: variance(),
          range: minMax(),
        });
        expect(ledger).toEqual({ asked: images.length, used: images.length, dropped: [] });
        for (let r = 0; r < rows; r++) {
          for (let c = 0; c < columns; c++) {
            const series = ndarray(images.map((image) => image[r * columns + c] ?? NaN));
            const expected = ops.sum(series) / images.length;
            expect(average["A"]?.get(r, c)).toBeCloseTo(expected, 9);
            expect(spread["A"]?.mean.get(r, c)).toBeCloseTo(expected, 6);
            const deviations = ndarray(new Float64Array(images.length));
            ops.subs(deviations, series, expected);
            const population = ops.norm2squared(deviations) / images.length;
            expect(spread["A"]?.variance.get(r, c)).toBeCloseTo(
              population,
              -Math.log10(Math.max(1e-6, 1e-9 * population)),
            );
            expect(range["A"]?.min.get(r, c)).toBe(ops.inf(series));
            expect(range["A"]?.max.get(r, c)).toBe(ops.sup(series));
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it("keeps the digits of a small spread on a large mean", async () => {
    const images = Array.from({ length: 1000 }, (_, i) => Array(rows * columns).fill(60000 + (i % 2)));
    const { spread } = await reduce(shotsOf(images), { spread: variance() });
    expect(spread["A"]?.variance.get(0, 0)).toBeCloseTo(0.25, 10);
    const { sample } = await reduce(shotsOf(images), { sample: variance({ ddof: 1 }) });
    expect(sample["A"]?.variance.get(0, 0)).toBeCloseTo((0.25 * 1000) / 999, 10);
  });

  it("counts as numpy.histogram does: half-open bins, the last one closed", async () => {
    // numpy.histogram([-100.5, -100.501, -99.5, 0.49, 0.5, 499.5, 500.5, 500.6, nan, 3, 3, 3], arange(-100, 502) - 0.5)
    const { adu } = await reduce(shotsOf([[-100.5, -100.501, -99.5, 0.49, 0.5, 499.5, 500.5, 500.6, NaN, 3, 3, 3]]), {
      adu: histogram({ from: -100, to: 500 }),
    });
    const h = adu["A"];
    expect(h?.counts.length).toBe(601);
    const at = (value: number): number | undefined => h?.counts[value + 100];
    expect([at(-100), at(-99), at(0), at(1), at(3), at(500)]).toEqual([1, 1, 1, 1, 3, 2]);
    expect([h?.under, h?.over, h?.invalid]).toEqual([1, 1, 1]);
  });

  it("counts every pixel once, whatever its value and the bins", async () => {
    const bins = fc.record({
      from: fc.integer({ min: -300, max: 300 }),
      width: fc.integer({ min: 0, max: 900 }),
      binWidth: fc.constantFrom(0.1, 0.3, 1, 7),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(floatPixel(), { minLength: 12, maxLength: 12 }), { maxLength: 4 }),
        bins,
        async (images, { from, width, binWidth }) => {
          const { h } = await reduce(shotsOf(images), { h: histogram({ from, to: from + width, binWidth }) });
          const one = h["A"];
          const total =
            one === undefined ? 0 : one.under + one.over + one.invalid + one.counts.reduce((a, b) => a + b, 0);
          expect(total).toBe(12 * images.length);
        },
      ),
    );
  });

  it("subtracts the dark before any question, in double precision", async () => {
    // 0.4999 ADU above the dark belongs to bin 0; a float32 dark would round it onto the edge, into bin 1.
    const dark = { mean: { A: ndarray(new Float64Array(12).fill(59999.5001), [rows, columns]) } };
    const { average, h } = await reduce(
      shotsOf([Array(12).fill(60000)]),
      { average: mean(), h: histogram() },
      { dark },
    );
    expect(average["A"]?.get(0, 3)).toBeCloseTo(0.4999, 6);
    expect(h["A"]?.counts[100]).toBe(12);
    const half = { mean: { A: ndarray(new Float64Array(12).fill(100.5), [rows, columns]) } };
    const { edge } = await reduce(shotsOf([Array(12).fill(101)]), { edge: histogram() }, { dark: half });
    expect(edge["A"]?.counts[101]).toBe(12);
  });

  it("sums a region shot by shot", async () => {
    const { signal } = await reduce(shotsOf([Array.from({ length: 12 }, (_, i) => i), Array(12).fill(1)]), {
      signal: roiSum({ rows: [1, 3], columns: [1, 3] }),
    });
    expect(signal["A"]).toEqual({ tags: Uint32Array.of(0, 1), sums: Float64Array.of(5 + 6 + 9 + 10, 4) });
    await expect(
      reduce(shotsOf([Array(12).fill(0)]), { signal: roiSum({ rows: [0, 4], columns: [0, 1] }) }),
    ).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("takes strided views", async () => {
    const image: Image = ndarray(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [rows, 8],
    ).step(1, 2);
    const one = async function* (): AsyncGenerator<Shot> {
      yield { tag: 1, images: { A: image }, value: () => ({ reason: "missing" }), number: () => NaN };
    };
    const { average } = await reduce(one(), { average: mean() });
    expect([...(average["A"]?.data ?? [])]).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]);
  });

  it("carries the ledger of the shots, and tells its progress", async () => {
    const st = new St(inProcess(endpointOf(tinySource())));
    const progress: unknown[] = [];
    const shots = st.shots({ run: { bl: 3, number: 10 }, detectors: ["MPCCD-2N0-1-006"] });
    const { average, ledger } = await reduce(
      shots,
      { average: mean() },
      { onProgress: (done, total) => progress.push([done, total]) },
    );
    expect(Object.keys(average)).toEqual(["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"]);
    expect(average["MPCCD-2N0-1-006-1"]?.get(0, 1)).toBe(((0 + 2 + 4 + 8 + 10) * 1000) / 5 + 101);
    expect(ledger).toEqual({ asked: 6, used: 5, dropped: [{ reason: "frame-missing", tags: [1006] }] });
    expect(progress.at(-1)).toEqual([5, 6]);
  });

  it("refuses a dark that does not fit, a reducer named ledger, and stops on request", async () => {
    const one = (): AsyncIterable<Shot> => shotsOf([Array(12).fill(0)]);
    const wrong = { mean: { A: ndarray(new Float64Array(12), [4, 3]) } };
    await expect(reduce(one(), { m: mean() }, { dark: wrong })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("[4, 3]"),
    });
    await expect(reduce(one(), { m: mean() }, { dark: { mean: {} } })).rejects.toMatchObject({ code: "NO_DARK" });
    await expect(reduce(one(), { ledger: mean() })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(reduce(one(), { m: mean() }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(() => histogram({ from: 5, to: 4 })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => histogram({ binWidth: 0 })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("darkAverage", () => {
  it("gives mean, noise and the account", async () => {
    const dark = await darkAverage(shotsOf([Array(12).fill(10), Array(12).fill(14)]));
    expect([dark.mean["A"]?.get(1, 1), dark.noise["A"]?.get(1, 1), dark.ledger.used]).toEqual([12, 2, 2]);
  });

  it("fails with NO_DARK rather than give an average of nothing", async () => {
    await expect(darkAverage(shotsOf([]))).rejects.toMatchObject({ code: "NO_DARK" });
    await expect(darkMean(shotsOf([]))).rejects.toMatchObject({ code: "NO_DARK" });
  });

  it("has the same bits where only the means are asked for", async () => {
    const images = [0.1, -3.7, 1e7 + 0.25, 1 / 3].map((x) => Array.from({ length: 12 }, (_, i) => x * (i - 3)));
    images[1]?.fill(NaN, 4, 5);
    const [{ mean: expected, ledger }, only] = [await darkAverage(shotsOf(images)), await darkMean(shotsOf(images))];
    expect(only.mean["A"]?.data).toEqual(expected["A"]?.data);
    expect(only.ledger).toEqual(ledger);
  });
});
