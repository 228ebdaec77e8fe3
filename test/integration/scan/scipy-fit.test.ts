import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { hash, Random } from "../../../src/core/random.ts";
import { erfcx, normalCdf } from "../../../src/core/special-functions.ts";
import { fitDecay, fitPeak, fitStep } from "../../../src/scan/index.ts";
import { rounds } from "../../support/full.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";

const python = pythonWith("scipy.optimize", "scipy.special", "numpy");
const script = fileURLToPath(new URL("../../support/scipy-fit.py", import.meta.url));
const x = Array.from({ length: 41 }, (_, i) => -4 + 0.2 * i);
const middle = 0;

const gaussian = (u: number): number => Math.exp(-4 * Math.LN2 * u * u);
const lorentzian = (u: number): number => 1 / (1 + 4 * u * u);
const decay = (t: number, width: number, lifetime: number): number =>
  0.5 * Math.exp(-0.5 * (t / width) ** 2) * erfcx((width / lifetime - t / width) / Math.SQRT2);

type Truth = readonly number[];
type Answer = readonly (readonly [value: number, error: number])[];
interface Fitted {
  readonly answer: Answer;
  /** To the errors of the points, where they scatter more than theirs, as one set of a thousand does. */
  readonly addedScatter: number;
}
interface Shape {
  /** Parameters of one data set, drawn at random. */
  readonly truth: (random: Random) => Truth;
  readonly curve: (at: number, truth: Truth) => number;
  readonly fitted: (y: readonly number[], errors: readonly number[]) => Fitted;
}

const between = (random: Random, from: number, to: number): number => from + (to - from) * random.uniform();
const peakTruth = (random: Random): number[] => [
  between(random, -1.5, 1.5),
  between(random, 0.8, 2),
  between(random, 6, 20) * (random.uniform() < 0.3 ? -1 : 1),
  between(random, -5, 30),
];
const peakAnswer = (fit: ReturnType<typeof fitPeak>, ...more: Answer): Fitted => {
  const { addedScatter, centre, centreError, fwhm, fwhmError, height, heightError, background, backgroundError } = fit;
  const place: Answer = [
    [centre, centreError],
    [fwhm, fwhmError],
  ];
  const mixing: Answer = Number.isNaN(fit.mixing) ? [] : [[fit.mixing, fit.mixingError]];
  return { answer: [...place, ...mixing, [height, heightError], [background, backgroundError], ...more], addedScatter };
};
const decayTruth = (random: Random): number[] => [
  between(random, -2, -1),
  between(random, 0.25, 0.5),
  between(random, 0.8, 1.6),
  between(random, 20, 40),
  between(random, -5, 5),
];

const shapes: Readonly<Record<string, Shape>> = {
  gaussian: {
    truth: peakTruth,
    curve: (at, [c = 0, w = 1, h = 0, b = 0]) => b + h * gaussian((at - c) / w),
    fitted: (y, errors) => peakAnswer(fitPeak(x, y, { errors })),
  },
  "gaussian, line": {
    truth: (random) => [...peakTruth(random), between(random, -1, 1)],
    curve: (at, [c = 0, w = 1, h = 0, b = 0, s = 0]) => b + s * (at - middle) + h * gaussian((at - c) / w),
    fitted: (y, errors) => {
      const fit = fitPeak(x, y, { errors, background: "line" });
      return peakAnswer(fit, [fit.slope, fit.slopeError]);
    },
  },
  lorentzian: {
    truth: peakTruth,
    curve: (at, [c = 0, w = 1, h = 0, b = 0]) => b + h * lorentzian((at - c) / w),
    fitted: (y, errors) => peakAnswer(fitPeak(x, y, { errors, shape: "lorentzian" })),
  },
  "pseudo-voigt": {
    truth: (random) => {
      const [c = 0, w = 1, h = 0, b = 0] = peakTruth(random);
      return [c, w, between(random, 0.2, 0.8), 5 * h, b];
    },
    curve: (at, [c = 0, w = 1, m = 0, h = 0, b = 0]) =>
      b + h * (m * lorentzian((at - c) / w) + (1 - m) * gaussian((at - c) / w)),
    fitted: (y, errors) => peakAnswer(fitPeak(x, y, { errors, shape: "pseudo-voigt" })),
  },
  step: {
    truth: (random) => {
      const [c = 0, w = 1, h = 0, b = 0] = peakTruth(random);
      return [c, 0.5 * w, h, b];
    },
    curve: (at, [c = 0, w = 1, h = 0, b = 0]) => b + h * normalCdf((at - c) / w),
    fitted: (y, errors) => {
      const fit = fitStep(x, y, { errors });
      const answer: Answer = [
        [fit.centre, fit.centreError],
        [fit.width, fit.widthError],
        [fit.height, fit.heightError],
        [fit.background, fit.backgroundError],
      ];
      return { answer, addedScatter: fit.addedScatter };
    },
  },
  decay: {
    truth: decayTruth,
    curve: (at, [c = 0, w = 1, t = 1, a = 0, b = 0]) => b + a * decay(at - c, w, t),
    fitted: (y, errors) => decayAnswer(fitDecay(x, y, { errors })),
  },
  "decay, offset": {
    truth: (random) => [...decayTruth(random), between(random, 5, 10)],
    curve: (at, [c = 0, w = 1, t = 1, a = 0, b = 0, o = 0]) =>
      b + a * decay(at - c, w, t) + o * normalCdf((at - c) / w),
    fitted: (y, errors) => {
      const fit = fitDecay(x, y, { errors, offset: true });
      return decayAnswer(fit, [fit.offset, fit.offsetError]);
    },
  },
};

/** Without the scale that grows the errors of such sets. */
function decayAnswer(fit: ReturnType<typeof fitDecay>, ...more: Answer): Fitted {
  const answer: Answer = [
    [fit.centre, fit.centreError],
    [fit.width, fit.widthError],
    [fit.lifetime, fit.lifetimeError],
    [fit.amplitude, fit.amplitudeError],
    [fit.background, fit.backgroundError],
    ...more,
  ];
  return { answer: answer.map(([value, error]) => [value, error / fit.errorScale]), addedScatter: 0 };
}

// 200 data sets of each shape in the long form.
const sets = rounds(200);

describe("scipy.optimize.curve_fit finds the same minimum and covariance", () => {
  for (const [model, { truth, curve, fitted }] of Object.entries(shapes))
    itNeeding(python !== undefined, "no Python with scipy", `of ${sets} data sets: ${model}`, () => {
      const random = new Random(hash("scipy", model));
      const all = Array.from({ length: sets }, () => {
        const start = truth(random);
        const errors = x.map(() => between(random, 0.2, 0.6));
        const y = x.map((at, i) => curve(at, start) + (errors[i] ?? NaN) * random.normal());
        const { answer, addedScatter } = fitted(y, errors);
        return { start, y, errors: errors.map((error) => Math.hypot(error, addedScatter)), answer };
      });
      const input = JSON.stringify({ model, x, sets: all });
      const output = execFileSync(python ?? "", [script], { input, encoding: "utf8", maxBuffer: 1e8 });
      const theirs: readonly { readonly parameters: Truth; readonly errors: Truth }[] = JSON.parse(output);
      for (const [k, { answer }] of all.entries()) {
        for (const [p, [value, error]] of answer.entries()) {
          const found = { value: theirs[k]?.parameters[p] ?? NaN, error: theirs[k]?.errors[p] ?? NaN };
          // Where the minimum is, to a thousandth of its error; the error to a thousandth.
          expect(Math.abs(value - found.value), `${model}, set ${k}, parameter ${p}`).toBeLessThan(1e-3 * error);
          // Of a step also where slopes say too little: never less, and not much more.
          const ratio = error / found.error;
          const more = model === "step" && ratio > 1 ? Math.max(0, ratio - 1.5) : Math.abs(ratio - 1);
          expect(more, `${model}, set ${k}, error ${p}`).toBeLessThan(1e-3);
        }
      }
    });
});
