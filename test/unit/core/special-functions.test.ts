import { describe, expect, it } from "vitest";
import { voigt } from "../../../src/core/special-functions.ts";

describe("the Voigt profile", () => {
  it("is that of scipy.special.voigt_profile", () => {
    const known = [
      [0, 1, 1, 0.20870928052036772],
      [0.5, 0.6, 1.7, 0.1603713857552413],
      [3, 0.6, 1.7, 0.04841483621667203],
      [30, 0.6, 1.7, 0.0006000427463362517],
      [0, 0.6, 0.001, 0.6640205292002093],
      [1.2, 0.6, 0.01, 0.09242327643050532],
      [5, 2, 0.1, 0.010734019086065591],
      [-400, 0.5, 4.1, 8.155872182553782e-6],
    ] as const;
    for (const [x, sigma, gamma, value] of known)
      expect(Math.abs(voigt(x, sigma, gamma).value - value)).toBeLessThan(1e-12 + 1e-9 * value);
  });

  it("has the derivatives that its differences have", () => {
    for (const [x, sigma, gamma] of [
      [0.3, 0.6, 1.7],
      [-4, 0.6, 0.05],
      [25, 0.5, 2],
    ] as const) {
      const { byX, byGamma, bySigma } = voigt(x, sigma, gamma);
      const h = 1e-5;
      const of = (dx: number, ds: number, dg: number): number => voigt(x + dx, sigma + ds, gamma + dg).value;
      expect(byX).toBeCloseTo((of(h, 0, 0) - of(-h, 0, 0)) / (2 * h), 6);
      expect(bySigma).toBeCloseTo((of(0, h, 0) - of(0, -h, 0)) / (2 * h), 6);
      expect(byGamma).toBeCloseTo((of(0, 0, h) - of(0, 0, -h)) / (2 * h), 6);
    }
  });
});
