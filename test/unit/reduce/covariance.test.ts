import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { makeState } from "../../../src/reduce/engine/state.ts";
import { accumulate, covariance, reduce, resultsOf } from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { frame, of, shotOf, shotsOf } from "./stack.ts";

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
/** In two passes over the deviations. */
const covarianceOf = (a: readonly number[], b: readonly number[]): number =>
  mean(a.map((x, i) => (x - mean(a)) * ((b[i] ?? NaN) - mean(b))));
const correlationOf = (a: readonly number[], b: readonly number[]): number =>
  covarianceOf(a, b) / Math.sqrt(covarianceOf(a, a) * covarianceOf(b, b));

describe("covariance", () => {
  it("agrees with two passes over the deviations, for signals of any size", async () => {
    const sizes = fc.constantFrom(
      { signal: "bm1/charge", level: 5e-9, spread: 1e-9 },
      { signal: "pd/voltage", level: 0.3, spread: 0.05 },
      { signal: "stage/position", level: 4_035_256, spread: 3 },
      { signal: "spectrometer/energy", level: 9.98, spread: 0.007 },
    );
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.integer(),
        fc.integer({ min: 5, max: 60 }),
        async ({ signal, level, spread }, seed, shots) => {
          const random = new Random(seed);
          const images = Array.from({ length: shots }, (_, tag) => {
            const z = random.normal();
            // One pixel follows the signal, one runs against it on a high level, one does neither, one is constant.
            const pixels = [100 + 20 * z, 60_000 - 30 * z + 10 * random.normal(), 50 * random.normal(), 7].map(
              Math.fround,
            );
            return { tag, pixels, signal: level + spread * z };
          });
          const { found } = await reduce(shotsOf(images, frame(2, 2)), { found: covariance({ equipId: signal }) });
          const { covariance: spreads, correlation, signal: told, count } = of(found);
          const y = images.map((image) => image.signal);
          expect(count).toBe(shots);
          for (let i = 0; i < 4; i++) {
            const x = images.map(({ pixels }) => pixels[i] ?? NaN);
            expect(Math.abs((spreads.data[i] ?? NaN) / spread - covarianceOf(x, y) / spread)).toBeLessThan(1e-3);
            if (i < 3) expect(correlation.data[i]).toBeCloseTo(correlationOf(x, y), 5);
          }
          expect(correlation.get(1, 1)).toBeNaN();
          expect(told.mean).toBeCloseTo(mean(y), 6);
          expect(Math.abs(told.variance / covarianceOf(y, y) - 1)).toBeLessThan(1e-5);
        },
      ),
      { numRuns: 40 },
    );
  });

  /** Spiky pulses: photons that follow them, a bright pixel that falls with them, noise, a constant, rare photons. */
  function pulses(shots: number, level: number, spread: number) {
    const random = new Random(5);
    return Array.from({ length: shots }, (_, tag) => {
      const g = random.gamma(4);
      const pixels = [
        100 * random.poisson(3 * g) + 11 * random.normal(),
        60_000 - 60 * g + 10 * random.normal(),
        20 * random.normal(),
        7,
        random.poisson(0.1 * g),
      ].map(Math.fround);
      return { tag, pixels, signal: level + 2 * spread * (g - 1) };
    });
  }

  it("has the standard error of two passes, enlarged for few shots, and none where rounding could not be told from it", async () => {
    for (const { signal, level, spread, known } of [
      { signal: "bm1/charge", level: 5e-9, spread: 1e-9, known: [true, true, true, false, true] },
      { signal: "pd/voltage", level: 0.3, spread: 0.05, known: [true, true, true, false, true] },
      { signal: "spectrometer/energy", level: 9.98, spread: 0.007, known: [true, false, true, false, true] },
      // A motor of 4 million pulses that spreads by 3.
      { signal: "stage/position", level: 4_035_256, spread: 3, known: [false, false, false, false, true] },
    ]) {
      const images = pulses(200, level, spread);
      // As the error takes them.
      const steps = 2 ** 6 * (signal === "bm1/charge" ? 2 ** 40 : 2 ** 8);
      const y = images.map((image) => Math.round(image.signal * steps) / steps);
      const { found } = await reduce(shotsOf(images, frame(1, 5)), { found: covariance({ equipId: signal }) });
      expect(Array.from(of(found).standardError.data, Number.isFinite)).toEqual(known);
      for (const [i, isKnown] of known.entries()) {
        if (!isKnown) continue;
        const x = images.map(({ pixels }) => pixels[i] ?? NaN);
        const products = x.map((each, k) => (each - mean(x)) * ((y[k] ?? NaN) - mean(y)));
        const correlation = covarianceOf(x, y) / Math.sqrt(covarianceOf(x, x) * covarianceOf(y, y));
        const few = 1 + (3 + 7 * correlation ** 2) / x.length;
        const expected = few * Math.sqrt(covarianceOf(products, products) / (x.length - 1));
        expect((of(found).standardError.data[i] ?? NaN) / expected).toBeCloseTo(1, 3);
      }
    }
  });

  it("has the same bits of its error however the shots are split", async () => {
    const it = covariance({ equipId: "bm1/charge" });
    const images = pulses(60, 5e-9, 1e-9);
    const whole = await accumulate(shotsOf(images, frame(1, 5)), { it });
    const parts = await accumulate(shotsOf(images.slice(25).reverse(), frame(1, 5)), { it });
    parts.merge(await accumulate(shotsOf(images.slice(0, 25), frame(1, 5)), { it }));
    expect(of(resultsOf(parts).it)).toEqual(of(resultsOf(whole).it));
    const two = await accumulate(shotsOf(images.slice(0, 2), frame(1, 5)), { it });
    expect([...of(resultsOf(two).it).standardError.data]).toEqual([NaN, NaN, NaN, NaN, NaN]);
  });

  const python = pythonWith("numpy");
  itNeeding(python !== undefined, "no Python with numpy", "has the error that a bootstrap finds", async () => {
    const images = pulses(300, 5e-9, 1e-9);
    const { found } = await reduce(shotsOf(images, frame(1, 5)), { found: covariance({ equipId: "bm1/charge" }) });
    const script = `
import json, sys, numpy as np
rows = json.load(sys.stdin)
x, y = np.array(rows["x"]), np.array(rows["y"])
rng = np.random.default_rng(1)
drawn = [np.cov(np.column_stack([x[i], y[i]]).T, ddof=0)[-1, :-1] for i in rng.integers(0, len(y), (4000, len(y)))]
print(json.dumps(np.std(drawn, axis=0).tolist()))`;
    const input = JSON.stringify({ x: images.map(({ pixels }) => pixels), y: images.map(({ signal }) => signal) });
    const output = execFileSync(python ?? "", ["-c", script], { input, encoding: "utf8" });
    const errors: readonly number[] = JSON.parse(output);
    for (const i of [0, 1, 2, 4]) {
      const ratio = (of(found).standardError.data[i] ?? NaN) / (errors[i] ?? NaN);
      expect(Math.abs(ratio - 1)).toBeLessThan(0.06);
    }
  });

  it("holds sums that do not depend on the order, to the last bit, where the answer would round the difference away", () => {
    const reducer = covariance({ equipId: "i0" });
    const random = new Random(3);
    const images = Array.from({ length: 200 }, (_, tag) => ({
      tag,
      pixels: Float32Array.of(10 ** (8 * random.uniform() - 4)),
      y: 10 ** (8 * random.uniform() - 4),
    }));
    const [forth, back] = [images, images.toReversed()].map((order) => {
      const state = makeState(reducer.layout(frame(1, 1)));
      for (const { tag, pixels, y } of order) reducer.add(state, pixels, shotOf(tag, {}, y), frame(1, 1));
      return state;
    });
    expect(back).toEqual(forth);
  });

  it("leaves out shots without a number, and says how many", async () => {
    const st = new St(inProcess(endpointOf(tinySource())));
    const signal = "xfel_bl_3_tc_bm_1_pd/charge";
    const detectors = ["MPCCD-1N0-M06-002"];
    // BM1 has no number at 1004, 1008 and 1010 of run 10; the other three are 0, 0 and 7e-9 at 1000, 1002 and 1006.
    const shots = st.shots({ run: { bl: 3, number: 10 }, detectors, signals: [signal] });
    const { found, ledger } = await reduce(shots, { found: covariance({ equipId: signal }) });
    const { count, skipped, covariance: spreads, correlation } = of(found, "MPCCD-1N0-M06-002");
    expect([count, skipped, ledger.used]).toEqual([3, 3, 6]);
    expect(spreads.get(0, 0)).toBeCloseTo(covarianceOf([0, 2000, 6000], [0, 0, 7e-9]), 9);
    expect(correlation.get(3, 2)).toBeCloseTo(correlationOf([0, 2, 6], [0, 0, 7]), 9);
    const without = st.shots({ run: { bl: 3, number: 10 }, detectors, tags: [1000] });
    await expect(reduce(without, { found: covariance({ equipId: signal }) })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining(signal),
    });
  });

  it("gives no correlation when the scale is too small to see the signal, and refuses one that is too large", async () => {
    const images = [1e-9, 2e-9, 4e-9].map((signal, tag) => ({ tag, pixels: [signal * 1e9], signal }));
    const run = async (scale: number) =>
      of((await reduce(shotsOf(images, frame(1, 1)), { it: covariance({ equipId: "i0", scale }) })).it);
    const [coarse, fine] = [await run(1), await run(1e12)];
    expect([coarse.correlation.get(0, 0), coarse.signal.resolution]).toEqual([NaN, 2 ** -20]);
    expect(fine.correlation.get(0, 0)).toBeCloseTo(1, 9);
    await expect(run(1e19)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("i0 reaches 1e-9"),
    });
    for (const scale of [0, NaN, -1])
      expect(() => covariance({ equipId: "i0", scale })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("gives NaN for a pixel without a number, and for no shot at all", async () => {
    const images = [1, 2, 3].map((signal, tag) => ({ tag, pixels: [tag === 1 ? NaN : tag, tag], signal }));
    const { it: found } = await reduce(shotsOf(images, frame(1, 2)), { it: covariance({ equipId: "i0" }) });
    expect([...of(found).covariance.data, ...of(found).correlation.data]).toEqual([
      NaN,
      expect.closeTo(2 / 3, 9),
      NaN,
      expect.closeTo(1, 9),
    ]);
    const none = images.map((image) => ({ ...image, signal: NaN }));
    const { it: empty } = await reduce(shotsOf(none, frame(1, 2)), { it: covariance({ equipId: "i0" }) });
    expect([of(empty).count, of(empty).skipped, ...of(empty).covariance.data]).toEqual([0, 3, NaN, NaN]);
  });
});
