import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { fitStep } from "../../../src/scan/index.ts";
import { rounds } from "../../support/full.ts";

/** The normal distribution function, as the integral of the bell by many small steps. */
function phi(u: number): number {
  let sum = 0;
  for (let i = 0; i < 4000; i++) {
    const v = -9 + (u + 9) * ((i + 0.5) / 4000);
    sum += Math.exp(-0.5 * v * v);
  }
  return (sum * (u + 9)) / 4000 / Math.sqrt(2 * Math.PI);
}

/** A bell of that width over what comes after the step, summed up. */
function blurredBy(width: number, after: (t: number) => number, x: number): number {
  let sum = 0;
  for (let i = 0; i < 40_000; i++) {
    const v = -8 + (16 * (i + 0.5)) / 40_000;
    const t = x - v * width;
    if (t > 0) sum += Math.exp(-0.5 * v * v) * after(t);
  }
  return (sum * 16) / 40_000 / Math.sqrt(2 * Math.PI);
}

const xs = Array.from({ length: 41 }, (_, i) => -2 + 0.1 * i);
const all = (value: number): number[] => xs.map(() => value);

describe("fitStep", () => {
  it.each([
    [0, 0.2, 1, 0],
    [0.43, 0.11, -6, 40],
    [-0.9, 0.31, 0.02, -7],
  ])("finds a step without noise exactly: at %f, %f wide, %f high, on %f", (centre, width, height, background) => {
    const ys = xs.map((x) => background + height * phi((x - centre) / width));
    for (const after of ["flat", "line", "parabola"] as const) {
      const fit = fitStep(xs, ys, { after });
      expect(fit.centre).toBeCloseTo(centre, 5);
      expect(fit.width).toBeCloseTo(width, 5);
      expect(fit.height / height).toBeCloseTo(1, 4);
      expect((fit.background - background) / height).toBeCloseTo(0, 4);
      expect([fit.slope / height, fit.bend / height].every((value) => Math.abs(value) < 1e-4)).toBe(true);
    }
  });

  it("is the same in any units", () => {
    for (const [scale, offset, factor] of [
      [1e-15, 3e-12, 1e9],
      [1e5, -5e7, -1e-6],
    ] as const) {
      const fit = fitStep(
        xs.map((x) => offset + scale * x),
        xs.map((x) => factor * (2 + phi((x - 0.3) / 0.2))),
      );
      expect((fit.centre - offset) / scale).toBeCloseTo(0.3, 4);
      expect(fit.width / scale).toBeCloseTo(0.2, 4);
      expect(fit.height / factor).toBeCloseTo(1, 4);
    }
  });

  it("finds what comes after the step, blurred by hand", () => {
    const ys = xs.map((x) => 1 + blurredBy(0.15, (t) => -3 + 1.2 * t - 0.3 * t * t, x - 0.2));
    const fit = fitStep(xs, ys, { after: "parabola" });
    for (const [found, truth] of [
      [fit.centre, 0.2],
      [fit.width, 0.15],
      [fit.height, -3],
      [fit.background, 1],
      [fit.slope, 1.2],
      [fit.bend, -0.3],
    ] as const)
      expect(found).toBeCloseTo(truth, 3);
    // Taken as flat it is another step.
    expect(Math.abs(fitStep(xs, ys).centre - 0.2)).toBeGreaterThan(0.02);
  });

  it("takes its errors from the residuals when none are given, and leaves out points without a value", () => {
    const random = new Random(8);
    const ys = xs.map((x) => 2 * phi(x / 0.2) + 0.1 * random.normal());
    const [with_, without] = [fitStep(xs, ys, { errors: all(0.1) }), fitStep(xs, ys)];
    expect(without.centre).toBeCloseTo(with_.centre, 6);
    expect(without.centreError / with_.centreError).toBeCloseTo(Math.sqrt(with_.reducedChiSquare), 4);
    expect(without.reducedChiSquare).toBeNaN();
    const holes = fitStep([...xs, 0.05, NaN], [...ys, NaN, 3], { errors: [...all(0.1), 0.1, 0.1] });
    expect(holes.centre).toBe(with_.centre);
  });

  it.each([
    ["too few points", [0, 1, 2, 3], [0, 0, 1, 1], "5 are needed"],
    ["equal values", xs, all(4), "the same"],
    ["one place", all(1), xs, "in one place"],
    ["a straight line", xs, xs, "over more than the points"],
    ["every other point", xs, xs.map((_, i) => i % 2), "noise alone"],
    ["a jump between two points", xs, xs.map((x) => (x < 0.03 ? 0 : 1)), "finer steps"],
  ])("refuses %s", (_, x, y, why) => {
    expect(() => fitStep(x, y)).toThrow(
      expect.objectContaining({ code: "NO_STEP", message: expect.stringContaining(why) }),
    );
  });

  it("refuses noise nearly always", () => {
    const random = new Random(9);
    const scans = rounds(100);
    let found = 0;
    for (let k = 0; k < scans; k++) {
      try {
        fitStep(
          xs,
          xs.map(() => random.normal()),
          { errors: all(1) },
        );
        found++;
      } catch {
        // As it should.
      }
    }
    expect(found / scans).toBeLessThanOrEqual(0.05);
  });

  it("refuses lists of other lengths and unknown words", () => {
    expect(() => fitStep(xs, xs.slice(1))).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => fitStep(xs, xs, { after: "wiggly" as "flat" })).toThrow("flat, line, parabola");
  });
});
