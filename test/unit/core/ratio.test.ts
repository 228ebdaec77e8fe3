import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { meanOfRatios, onOffDifference, ratioOfSums } from "../../../src/core/ratio.ts";

const sd = (values: readonly number[]): number => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
};

describe("ratioOfSums and meanOfRatios", () => {
  it("leave out shots where one of the two has no number", () => {
    expect(ratioOfSums([1, null, 3, NaN], [1, 2, null, 1])).toEqual({ count: 1, mean: 1, standardError: NaN });
    expect(meanOfRatios([1, 4, 3], [1, 2, 0])).toEqual({ count: 2, mean: 1.5, standardError: 0.5 });
    expect(() => ratioOfSums([1], [1, 2])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("the ratio of sums scatters 1.8 times less with a monochromatic beam (M = 1)", () => {
    const random = new Random(1);
    const [sums, ratios]: [number[], number[]] = [[], []];
    for (let k = 0; k < 300; k++) {
      // Pulses above 2 % of the mean, as a limit on I0 leaves them; photons of each, 20 at the mean.
      const i0 = Array.from({ length: 200 }, () => 0.02 - Math.log(1 - random.uniform()));
      const photons = i0.map((i) => random.poisson(20 * i));
      sums.push(ratioOfSums(photons, i0).mean);
      ratios.push(meanOfRatios(photons, i0).mean);
    }
    expect(sd(ratios) / sd(sums)).toBeGreaterThan(1.6);
    expect(sd(ratios) / sd(sums)).toBeLessThan(2.1);
  });
});

describe("onOffDifference", () => {
  const random = new Random(7);
  /** 40 pumped and 20 unpumped shots, on on off, with a drift both see; pumped shots have 2 % more. */
  function experiment(drift: number) {
    const [on, i0On, off, i0Off]: number[][] = [[], [], [], []];
    const pairs: number[] = [];
    let level = 0;
    for (let k = 0; k < 60; k++) {
      level += drift * random.normal();
      const i0 = 1 + 0.2 * random.normal();
      const value = i0 * (k % 3 === 2 ? 1 : 1.02) * (1 + level) + 0.01 * random.normal();
      if (k % 3 === 2) {
        off?.push(value);
        i0Off?.push(i0);
      } else {
        on?.push(value);
        i0On?.push(i0);
        pairs.push(Math.floor(k / 3));
      }
    }
    return { on: { values: on ?? [], monitor: i0On ?? [] }, off: { values: off ?? [], monitor: i0Off ?? [] }, pairs };
  }

  it.each(["ratio-of-sums", "mean-of-ratios"] as const)(
    "has errors that hold the truth as often as they say (%s)",
    (method) => {
      for (const isPaired of [false, true]) {
        let [difference, contrast] = [0, 0];
        for (let k = 0; k < 400; k++) {
          const { on, off, pairs } = experiment(0);
          const found = onOffDifference(on, off, { method, ...(isPaired ? { pairs } : {}) });
          if (Math.abs(found.difference - 0.02) <= found.differenceError) difference++;
          if (Math.abs(found.contrast - 0.02) <= found.contrastError) contrast++;
        }
        for (const held of [difference, contrast]) {
          expect(held / 400).toBeGreaterThan(0.6);
          expect(held / 400).toBeLessThan(0.76);
        }
      }
    },
  );

  it("does not count what a pair shares: a drift makes the error of pairs smaller, and it still holds", () => {
    let [held, paired, all] = [0, 0, 0];
    for (let k = 0; k < 300; k++) {
      const { on, off, pairs } = experiment(0.01);
      const found = onOffDifference(on, off, { pairs });
      paired += found.differenceError / 300;
      all += onOffDifference(on, off).differenceError / 300;
      if (Math.abs(found.difference - 0.02) <= found.differenceError) held++;
    }
    expect(paired).toBeLessThan(0.5 * all);
    expect(held / 300).toBeGreaterThan(0.58);
    expect(held / 300).toBeLessThan(0.78);
  });

  it("leaves out pairs of which one shot has no number, and takes means without a monitor", () => {
    const found = onOffDifference({ values: [3, 4, null, 9] }, { values: [1, null] }, { pairs: [0, 0, 0, 1] });
    expect(found).toMatchObject({
      difference: 2.5,
      contrast: 2.5,
      count: 2,
      on: { count: 2 },
      off: { count: 1, mean: 1 },
    });
    expect(() => onOffDifference({ values: [1] }, { values: [1], monitor: [1] })).toThrow(/one for both/);
    expect(() => onOffDifference({ values: [1] }, { values: [1] }, { pairs: [1] })).toThrow(/pairs\[0\]/);
  });
});
