import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { dot } from "../../../src/core/solve-rows.ts";
import { erfcx, normalCdf } from "../../../src/core/special-functions.ts";
import { centroid, countErrors, fitDecay, fitPeak, fitStep, pooledErrors } from "../../../src/scan/index.ts";

const x = Array.from({ length: 21 }, (_, i) => i - 10);
const bell = (u: number): number => Math.exp(-4 * Math.LN2 * u * u);
const all = (value: number): number[] => x.map(() => value);

describe("fitPeak", () => {
  it("uses points whose error is 0, and says how many it used", () => {
    const random = new Random(13);
    const counts = x.map((at) => {
      const mean = 0.3 + 20 * bell(at / 4);
      let [number, product] = [0, random.uniform()];
      for (; product > Math.exp(-mean); number++) product *= random.uniform();
      return number;
    });
    const byRoots = fitPeak(x, counts, { errors: counts.map(Math.sqrt) });
    expect([byRoots.points, byRoots.leftOut]).toEqual([21, []]);
    expect(fitPeak(x, counts, { errors: countErrors(counts) }).points).toBe(21);
    expect(Math.abs(byRoots.background - 0.3)).toBeLessThan(4 * byRoots.backgroundError);
  });

  it("finds a narrow peak in a long scan", () => {
    const long = Array.from({ length: 126 }, (_, i) => i);
    for (const centre of [3.3, 40.4, 77.5, 122.2]) {
      const fit = fitPeak(
        long,
        long.map((at) => 2 + 90 * bell((at - centre) / 1.8)),
        { errors: long.map(() => 0.3) },
      );
      expect(fit.centre).toBeCloseTo(centre, 3);
    }
  });

  it("takes a sloped background off", () => {
    const y = x.map((at) => 3 + 0.5 * at + 10 * bell((at - 2) / 4));
    const fit = fitPeak(x, y, { background: "line" });
    expect([fit.centre, fit.fwhm, fit.height, fit.slope].map((value) => value.toFixed(4))).toEqual([
      "2.0000",
      "4.0000",
      "10.0000",
      "0.5000",
    ]);
  });

  it("refuses a flank, a jump and a peak between two points", () => {
    const refused = (y: readonly number[], why: string): void =>
      expect(() => fitPeak(x, y, { errors: all(0.1) })).toThrow(
        expect.objectContaining({ code: "NO_PEAK", message: expect.stringContaining(why) }),
      );
    refused(
      x.map((at) => 0.3 * at),
      "noise alone",
    );
    refused(
      x.map((at) => (at === 3 ? 10 : 0)),
      "finer steps",
    );
  });

  it("grows its errors where the points are further off than theirs", () => {
    const random = new Random(14);
    const y = x.map((at) => 10 * bell(at / 4) + 0.5 * random.normal());
    const [wrong, right] = [0.05, 0.5].map((error) => fitPeak(x, y, { errors: all(error) }));
    expect(wrong?.errorScale).toBeGreaterThan(5);
    expect(right?.errorScale).toBe(1);
    expect((wrong?.centreError ?? NaN) / (right?.centreError ?? NaN)).toBeCloseTo(
      Math.sqrt(right?.reducedChiSquare ?? NaN),
      5,
    );
  });

  it("finds the top of a crystal's curve, whose tails have small errors", () => {
    // Shots scatter with what they give: 8 % of it a point. By weights alone a Gaussian describes the tails.
    const random = new Random(15);
    const at = Array.from({ length: 27 }, (_, i) => 9.2 * (i - 13));
    const fits = Array.from({ length: 100 }, (_, k) => {
      const centre = 33 + (k % 9);
      const truth = at.map((u) => 0.95 / (1 + 8 * Math.max(0, Math.abs(u - centre) / 11 - 1) ** 2));
      const errors = truth.map((value) => 0.08 * value + 0.0005);
      const y = truth.map((value, i) => value + (errors[i] ?? NaN) * random.normal());
      const fit = fitPeak(at, y, { errors });
      return { off: fit.centre - centre, fit };
    });
    const within = (sigmas: number): number =>
      fits.filter(({ off, fit }) => Math.abs(off) < sigmas * fit.centreError).length;
    expect([within(1) > 60, within(1) < 82, within(3) > 97]).toEqual([true, true, true]);
    for (const { fit } of fits) expect([fit.height > 0.9, fit.errorScale > 3]).toEqual([true, true]);
  });

  it("refuses a misspelt option", () => {
    expect(() => fitPeak(x, all(1), { shap: "gaussian" } as object)).toThrow("Did you mean shape?");
  });
});

describe("fitStep", () => {
  it("has an error of the width that reaches as far as the points allow, also of a step between two of them", () => {
    const at = Array.from({ length: 25 }, (_, i) => -3 + 0.25 * i);
    const y = at.map((place) => 5 + 10 * normalCdf((place - 0.13) / 0.15));
    const { width, widthError } = fitStep(at, y, { errors: at.map(() => 1) });
    expect(width).toBeCloseTo(0.15, 3);
    /** Least χ² of a step of a width, over centres and heights. */
    const chiSquare = (wide: number): number => {
      let least = Infinity;
      for (let centre = -0.4; centre < 0.7; centre += 0.01) {
        const bell = at.map((place) => normalCdf((place - centre) / wide));
        const [meanBell, meanY] = [bell, y].map((list) => list.reduce((sum, value) => sum + value, 0) / at.length);
        const [b, v] = [bell.map((each) => each - (meanBell ?? 0)), y.map((each) => each - (meanY ?? 0))];
        const height = dot(b, v) / dot(b, b);
        least = Math.min(least, dot(v, v) - height * dot(b, v));
      }
      return least;
    };
    // 1.5 errors are where χ² has grown by 2.25.
    expect(chiSquare(width + 1.5 * widthError)).toBeGreaterThan(1.9);
    expect(chiSquare(width + 1.5 * widthError)).toBeLessThan(2.6);
  });
});

describe("centroid", () => {
  it("is not pulled to the middle of the window", () => {
    const wide = Array.from({ length: 61 }, (_, i) => -15 + 0.5 * i);
    const { centre } = centroid(
      wide,
      wide.map((at) => 5 + 20 * bell((at - 3) / 4)),
    );
    expect(centre).toBeCloseTo(3, 4);
  });

  it("refuses a peak that the points show in part", () => {
    expect(() =>
      centroid(
        x,
        x.map((at) => 20 * bell((at - 9.5) / 8)),
      ),
    ).toThrow(expect.objectContaining({ code: "NO_PEAK" }));
  });
});

describe("fitDecay", () => {
  it("finds time zero, blur, lifetime and what stays, without noise exactly", () => {
    const delays = Array.from({ length: 81 }, (_, i) => -1000 + 50 * i);
    const [zero, width, lifetime] = [120, 80, 620];
    const y = delays.map((at) => {
      const u = (width / lifetime - (at - zero) / width) / Math.SQRT2;
      const decay = 0.5 * Math.exp(-0.5 * ((at - zero) / width) ** 2) * erfcx(u);
      return 1 - 0.08 * decay + 0.01 * normalCdf((at - zero) / width);
    });
    const fit = fitDecay(delays, y, { offset: true });
    for (const [found, truth] of [
      [fit.centre, zero],
      [fit.width, width],
      [fit.lifetime, lifetime],
      [fit.amplitude, -0.08],
      [fit.offset, 0.01],
      [fit.background, 1],
    ] as const)
      expect(found / truth).toBeCloseTo(1, 3);
  });

  it("makes no decay of a change that only stays, and knows where it begins", () => {
    const random = new Random(31);
    const delays = Array.from({ length: 81 }, (_, i) => -1000 + 40 * i);
    const errors = delays.map(() => 0.006);
    for (let k = 0; k < 2; k++) {
      const y = delays.map((at) => -0.08 * normalCdf((at - 120) / 45) + 0.006 * random.normal());
      expect(() => fitDecay(delays, y, { errors, offset: true })).toThrow(/nothing of the change decays in the scan/);
      const { centre, centreError, lifetime, lifetimeError } = fitDecay(delays, y, { errors });
      expect(Math.abs(centre - 120)).toBeLessThan(3 * centreError);
      expect(lifetime / (1 + (3 * lifetimeError) / lifetime)).toBeGreaterThan(3200);
    }
  });
});

describe("scans that are none", () => {
  const finders = { fitPeak, centroid, fitStep, fitDecay };
  const errors = all(1);
  const y = x.map((at) => 50 + 60 * (at < 0 ? 0 : Math.exp(-at / 3)) + Math.sin(7 * at));
  const refused = (make: () => unknown): void =>
    expect(make).toThrow(expect.objectContaining({ code: expect.stringMatching(/^NO_(PEAK|STEP)$/) }));

  it.each(Object.entries(finders))("%s refuses with a code", (_, find) => {
    refused(() => find([], []));
    refused(() => find([0, 1], [1, 2]));
    refused(() => find(x, all(50), { errors }));
    refused(() => find(x, all(NaN), { errors }));
    refused(() => find(x, all(0), { errors: all(0) }));
    for (const places of [1, 2, 3]) {
      const few = x.map((_at, i) => i % places);
      refused(() => find(few, y, { errors }));
    }
  });

  it("takes points in any order, several in one place, and says which have no value", () => {
    const peak = x.map((at) => 50 + 60 * bell(at / 4) + Math.sin(7 * at));
    const { centre, centreError } = fitPeak(x, peak, { errors });
    const order = x.map((_, i) => (8 * i) % 21);
    const at = (list: readonly number[]): number[] => order.map((i) => list[i] ?? NaN);
    expect(fitPeak(at(x), at(peak), { errors }).centre).toBeCloseTo(centre, 6);
    const twice = fitPeak([...x, ...x], [...peak, ...peak], { errors: [...errors, ...errors] });
    expect(twice.centre).toBeCloseTo(centre, 5);
    expect(twice.centreError * Math.SQRT2).toBeCloseTo(centreError, 4);
    const holes = peak.map((value, i) => (i === 3 ? NaN : i === 7 ? Infinity : value));
    expect(fitPeak(x, holes, { errors })).toMatchObject({ points: 19, leftOut: [3, 7] });
    // Just outside the last point.
    const outside = x.map((each) => 50 + 60 * bell((each - 10.6) / 4) + Math.sin(7 * each));
    expect(() => fitPeak(x, outside, { errors })).toThrow(/outside the points from -10 to 10/);
    // Of a short scan far from 0 as many digits as tell its points apart.
    const far = x.map((at) => 20_000 + 0.01 * at);
    expect(() => fitPeak(far, outside, { errors })).toThrow(
      /at 20000\.\d+, outside the points from 19999\.9 to 20000\.1/,
    );
  });
});

describe("pooledErrors", () => {
  it("follows points whose scatter really differs, and lends to those of one shot", () => {
    const point = (count: number, mean: number, standardError: number) => ({ count, mean, standardError });
    const same = pooledErrors([point(3, 1, 0.1), point(3, 1, 0.3), point(1, 1, NaN)]);
    expect(same.errors[0]).toBeCloseTo(Math.sqrt((0.01 + 0.09) / 2), 10);
    expect(same.errors[2]).toBeCloseTo(Math.sqrt((0.01 + 0.09) / 2) * Math.sqrt(3), 10);
    expect(same.errorFreedom).toBe(4);
    expect(pooledErrors([point(1, 1, NaN)]).errors[0]).toBeNaN();
  });
});
