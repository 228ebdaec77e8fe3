import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { fitPeak, ratioOfSums } from "../../../src/scan/index.ts";
import { rounds } from "../../support/full.ts";

const x = Array.from({ length: 21 }, (_, i) => i - 10);
const bell = (u: number): number => Math.exp(-4 * Math.LN2 * u * u);
const all = (value: number): number[] => x.map(() => value);

describe("fitPeak", () => {
  it("finds most peaks of four standard errors", () => {
    const random = new Random(11);
    let found = 0;
    for (let k = 0; k < 100; k++) {
      try {
        fitPeak(
          x,
          x.map((at) => 50 + 5 * (4 * bell((at - 0.3) / 5) + random.normal())),
          { errors: all(5) },
        );
        found++;
      } catch {
        // Counted as not found.
      }
    }
    expect(found).toBeGreaterThanOrEqual(85);
  });

  it("does not take an outlier for the peak: it refuses it, and leaves it out when told that there may be some", () => {
    const random = new Random(12);
    for (let k = 0; k < rounds(30); k++) {
      const y = x.map((at) => 50 + 5 * (8 * bell((at - 0.3) / 5) + random.normal()));
      y[17] = (y[17] ?? 0) + 60 * 5;
      expect(() => fitPeak(x, y, { errors: all(5) })).toThrow(expect.objectContaining({ code: "NO_PEAK" }));
      const { centre, centreError, leftOut } = fitPeak(x, y, { errors: all(5), robust: true });
      expect(leftOut).toContain(17);
      expect(Math.abs(centre - 0.3)).toBeLessThan(4 * centreError);
    }
  });

  it("knows the flat top of a perfect crystal", () => {
    const darwin = (y: number): number => (Math.abs(y) <= 1 ? 1 : (Math.abs(y) - Math.sqrt(y * y - 1)) ** 2);
    const fine = Array.from({ length: 81 }, (_, i) => -4 + 0.1 * i);
    const fit = fitPeak(
      fine,
      fine.map((at) => 2 + 7 * darwin(at - 0.4)),
      { shape: "darwin" },
    );
    // A tenth of a step.
    expect(Math.abs(fit.centre - 0.4)).toBeLessThan(0.01);
    // Half of it is reached at y = 3/√8.
    expect(Math.abs(fit.fwhm - 6 / Math.sqrt(8))).toBeLessThan(0.05);
  });
});

describe("ratioOfSums", () => {
  it("knows that signal and monitor share the pulse energy", () => {
    const random = new Random(15);
    const pulls: number[] = [];
    for (let k = 0; k < 400; k++) {
      const i0 = Array.from({ length: 20 }, () => 1 + 0.5 * random.normal());
      const { mean, standardError } = ratioOfSums(
        i0.map((energy) => 3 * energy + 0.02 * random.normal()),
        i0,
      );
      pulls.push((mean - 3) / standardError);
    }
    const rms = Math.sqrt(pulls.reduce((sum, pull) => sum + pull * pull, 0) / pulls.length);
    // 20 shots: the pull follows Student's t of 19, whose rms is 1.06.
    expect(Math.abs(rms - 1.06)).toBeLessThan(0.15);
    expect(ratioOfSums([1, null, 3], [1, 2, null])).toEqual({ count: 1, mean: 1, standardError: NaN });
  });
});
