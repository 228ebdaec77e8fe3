import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { erfcx, normalCdf } from "../../../src/core/special-functions.ts";
import { fitDecay, fitPeak, fitStep } from "../../../src/scan/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";

const python = pythonWith("scipy", "numpy");
const script = fileURLToPath(new URL("../../support/scipy-fit.py", import.meta.url));
const random = new Random(21);
const x = Array.from({ length: 41 }, (_, i) => -4 + 0.2 * i);
const errors = x.map((_, i) => 0.2 + 0.01 * i);
const noisy = (curve: (at: number) => number): number[] =>
  x.map((at, i) => curve(at) + (errors[i] ?? NaN) * random.normal());

function scipy(model: string, y: readonly number[], start: readonly number[]) {
  const input = JSON.stringify({ model, x, y, errors, start });
  return JSON.parse(execFileSync(python ?? "", [script], { input, encoding: "utf8" })) as {
    readonly parameters: readonly number[];
    readonly errors: readonly number[];
  };
}

function expectSame(ours: readonly (readonly [number, number])[], theirs: ReturnType<typeof scipy>): void {
  for (const [k, [value, error]] of ours.entries()) {
    // Where the minimum is, to a thousandth of its error; the error to a thousandth.
    expect(Math.abs(value - (theirs.parameters[k] ?? NaN))).toBeLessThan(1e-3 * error);
    expect(error / (theirs.errors[k] ?? NaN)).toBeCloseTo(1, 3);
  }
}

describe("scipy.optimize.curve_fit finds the same minimum and covariance", () => {
  for (const shape of ["gaussian", "lorentzian"] as const)
    itNeeding(python !== undefined, "no Python with scipy", `for a peak, ${shape}`, () => {
      const y = noisy((at) => {
        const u = (at - 0.4) / 1.3;
        return 3 + 6 * (shape === "gaussian" ? Math.exp(-4 * Math.LN2 * u * u) : 1 / (1 + 4 * u * u));
      });
      const fit = fitPeak(x, y, { errors, shape });
      expectSame(
        [
          [fit.centre, fit.centreError],
          [fit.fwhm, fit.fwhmError],
          [fit.height, fit.heightError],
          [fit.background, fit.backgroundError],
        ],
        scipy(shape, y, [0.4, 1.3, 6, 3]),
      );
    });

  itNeeding(python !== undefined, "no Python with scipy", "for a step", () => {
    const y = noisy((at) => 2 + 5 * normalCdf((at + 0.3) / 0.6));
    const fit = fitStep(x, y, { errors });
    expectSame(
      [
        [fit.centre, fit.centreError],
        [fit.width, fit.widthError],
        [fit.height, fit.heightError],
        [fit.background, fit.backgroundError],
      ],
      scipy("step", y, [-0.3, 0.6, 5, 2]),
    );
  });

  itNeeding(python !== undefined, "no Python with scipy", "for a decay", () => {
    const [zero, width, lifetime] = [-1.2, 0.4, 1.5];
    const y = noisy((at) => {
      const t = at - zero;
      const u = (width / lifetime - t / width) / Math.SQRT2;
      return 2 + 9 * 0.5 * Math.exp(-0.5 * (t / width) ** 2) * erfcx(u);
    });
    const fit = fitDecay(x, y, { errors });
    expectSame(
      [
        [fit.centre, fit.centreError],
        [fit.width, fit.widthError],
        [fit.lifetime, fit.lifetimeError],
        [fit.amplitude, fit.amplitudeError],
        [fit.background, fit.backgroundError],
      ],
      scipy("decay", y, [zero, width, lifetime, 9, 2]),
    );
  });
});
