import { isSaclaError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";
import { erfcx, normalCdf } from "../../src/core/special-functions.ts";
import { profiles } from "../../src/scan/fits/peak-shapes.ts";
import { centroid, fitDecay, fitPeak, fitStep, type PeakFitOptions, pooledErrors } from "../../src/scan/index.ts";
import type { CoverageCase, Estimate } from "./cover.ts";

const x = Array.from({ length: 25 }, (_, i) => -3 + 0.25 * i);
const gaussian = (u: number): number => Math.exp(-4 * Math.LN2 * u * u);
const lorentzian = (u: number): number => 1 / (1 + 4 * u * u);

/** Darwin's curve, blurred by an rms of 0.3 half widths of its top. */
const darwinTop = (u: number): number => profiles.darwin.of(u, 0.3);

/** Mean of so many shots at each position: noise of 1 a shot, and 2 % of the pulse energy. */
function measured(random: Random, shots: number, curve: (x: number) => number) {
  const points = x.map((at) => {
    const truth = curve(at);
    const values = Array.from({ length: shots }, () => truth + random.normal() + 0.02 * truth * random.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / shots;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { count: shots, mean, standardError: shots < 2 ? NaN : Math.sqrt(square / (shots - 1) / shots) };
  });
  return { y: points.map(({ mean }) => mean), ...pooledErrors(points) };
}

function refused<T>(estimate: () => T): T | null {
  try {
    return estimate();
  } catch (error) {
    if (isSaclaError(error, "NO_PEAK") || isSaclaError(error, "NO_STEP")) return null;
    throw error;
  }
}

const of = (value: number, error: number, truth: number): Estimate => ({ value, error, truth });

function peakCase(
  name: string,
  profile: (u: number) => number,
  options: PeakFitOptions,
  shots: number,
  signal: "weak" | "strong",
  factor: number,
): CoverageCase {
  const [centre, fwhm, background] = [0.13, 1.4, 5];
  const height = ((signal === "weak" ? 10 : 80) * factor) / Math.sqrt(shots);
  const slope = options.background === "line" ? 0.4 : 0;
  return {
    what: `fitPeak ${name}`,
    shots,
    signal,
    run: (random) => {
      const { y, errors, errorFreedom } = measured(
        random,
        shots,
        (at) => background + slope * at + height * profile((at - centre) / fwhm),
      );
      const fit = refused(() => fitPeak(x, y, { ...options, errors, errorFreedom }));
      return (
        fit && {
          centre: of(fit.centre, fit.centreError, centre),
          fwhm: of(fit.fwhm, fit.fwhmError, fwhm),
          height: of(fit.height, fit.heightError, height),
          background: of(fit.background, fit.backgroundError, background),
          ...(options.background === "line" && { slope: of(fit.slope, fit.slopeError, slope) }),
          ...(options.shape === "pseudo-voigt" && { mixing: of(fit.mixing, fit.mixingError, 0.5) }),
        }
      );
    },
  };
}

function stepCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  const height = (signal === "weak" ? 10 : 80) / Math.sqrt(shots);
  return {
    what: "fitStep",
    shots,
    signal,
    run: (random) => {
      const { y, errors, errorFreedom } = measured(random, shots, (at) => 5 + height * normalCdf((at - 0.2) / 0.5));
      const fit = refused(() => fitStep(x, y, { errors, errorFreedom }));
      return (
        fit && {
          centre: of(fit.centre, fit.centreError, 0.2),
          width: of(fit.width, fit.widthError, 0.5),
          height: of(fit.height, fit.heightError, height),
          background: of(fit.background, fit.backgroundError, 5),
        }
      );
    },
  };
}

function decayCase(shots: number, signal: "weak" | "strong", offset = 0): CoverageCase {
  const amplitude = (signal === "weak" ? 30 : 150) / Math.sqrt(shots);
  const [zero, width, lifetime] = [-0.7, 0.35, 1.1];
  return {
    what: offset === 0 ? "fitDecay" : "fitDecay, offset",
    shots,
    signal,
    run: (random) => {
      const { y, errors, errorFreedom } = measured(random, shots, (at) => {
        const t = at - zero;
        const u = (width / lifetime - t / width) / Math.SQRT2;
        const decay = 0.5 * Math.exp(-0.5 * (t / width) ** 2) * erfcx(u);
        return 5 + amplitude * (decay + offset * normalCdf(t / width));
      });
      const fit = refused(() => fitDecay(x, y, { errors, errorFreedom, offset: offset !== 0 }));
      return (
        fit && {
          centre: of(fit.centre, fit.centreError, zero),
          width: of(fit.width, fit.widthError, width),
          lifetime: of(fit.lifetime, fit.lifetimeError, lifetime),
          amplitude: of(fit.amplitude, fit.amplitudeError, amplitude),
          background: of(fit.background, fit.backgroundError, 5),
          ...(offset !== 0 && { offset: of(fit.offset, fit.offsetError, offset * amplitude) }),
        }
      );
    },
  };
}

function centroidCase(shots: number, signal: "weak" | "strong"): CoverageCase {
  const height = (signal === "weak" ? 10 : 80) / Math.sqrt(shots);
  return {
    what: "centroid",
    shots,
    signal,
    run: (random) => {
      const { y, errors, errorFreedom } = measured(random, shots, (at) => 5 + height * gaussian((at - 0.13) / 1.4));
      const found = refused(() => centroid(x, y, { errors, errorFreedom }));
      return found && { centre: of(found.centre, found.centreError, 0.13) };
    },
  };
}

const each = <T>(make: (shots: number, signal: "weak" | "strong") => T): T[] =>
  [3, 10, 100].flatMap((shots) => (["weak", "strong"] as const).map((signal) => make(shots, signal)));

/** Fits of scans: 25 points, noise of the diode and of the pulse energy, errors from the scatter of the shots. */
export const cases: readonly CoverageCase[] = [
  ...each((shots, signal) => peakCase("gaussian", gaussian, {}, shots, signal, 1)),
  ...each((shots, signal) => peakCase("gaussian, line", gaussian, { background: "line" }, shots, signal, 1)),
  ...each((shots, signal) => peakCase("gaussian, robust", gaussian, { robust: true }, shots, signal, 1)),
  ...each((shots, signal) => peakCase("lorentzian", lorentzian, { shape: "lorentzian" }, shots, signal, 2)),
  ...each((shots, signal) =>
    peakCase(
      "pseudo-voigt",
      (u) => 0.5 * gaussian(u) + 0.5 * lorentzian(u),
      { shape: "pseudo-voigt" },
      shots,
      signal,
      4,
    ),
  ),
  ...each((shots, signal) => peakCase("darwin", darwinTop, { shape: "darwin" }, shots, signal, 4)),
  ...each(stepCase),
  ...each((shots, signal) => decayCase(shots, signal)),
  ...[3, 10, 100].map((shots) => decayCase(shots, "strong", 0.3)),
  ...each(centroidCase),
];
