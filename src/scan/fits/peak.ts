import { oneOf, optional, resolveOptions } from "../../core/options.ts";
import { type FitOptions, type FitQuality, findFeature, fitOptionChecks, noPeak, placesIn } from "./fit-points.ts";
import type { CurveModel, FitPoints, ShapeSearch } from "./least-squares.ts";
import { type PeakShape, peakShapes, profiles } from "./peak-shapes.ts";

const backgrounds = ["flat", "line"] as const;

export interface PeakFitOptions extends FitOptions {
  /** @default "gaussian" */
  readonly shape?: PeakShape | undefined;
  /** What the peak stands on. @default "flat" */
  readonly background?: (typeof backgrounds)[number] | undefined;
}

/** The checks of what is fitted, for `resolveOptions`. */
export const peakFitChecks = {
  shape: optional(oneOf(...peakShapes), "gaussian"),
  background: optional(oneOf(...backgrounds), "flat"),
} as const;

/** Fewest points that a fit takes: one more than it has parameters. */
export function leastPeakPoints({ shape = "gaussian", background = "flat" }: PeakFitOptions): number {
  return (profiles[shape].mixing === undefined ? 2 : 3) + (background === "line" ? 3 : 2) + 1;
}

/** A peak on its background; errors are one standard deviation. */
export interface PeakFit extends FitQuality {
  readonly shape: PeakShape;
  readonly centre: number;
  readonly centreError: number;
  /** Full width at half maximum. */
  readonly fwhm: number;
  readonly fwhmError: number;
  /** Negative for a dip. */
  readonly height: number;
  readonly heightError: number;
  /** In the middle of the points from the first to the last, where the background has a slope. */
  readonly background: number;
  readonly backgroundError: number;
  /** Change of the background with x; 0 where it is flat. */
  readonly slope: number;
  readonly slopeError: number;
  /** See {@link PeakShape}; NaN for a shape without one. */
  readonly mixing: number;
  readonly mixingError: number;
}

/**
 * Fits a peak or a dip by least squares; errors from the covariance at the minimum.
 *
 * A peak is refused where the points do not tell it from noise on a straight line (false alarms: at most 1 in 1000
 * scans), do not determine it, or show it in one point alone; where its centre is outside the points, or it is narrower
 * than one step.
 * @throws NO_PEAK with the reason
 * @throws BAD_ARGUMENT when the lengths differ, an error is negative, or a word is not known
 * @example
 * const { centre, centreError } = fitPeak(thetas, intensities, { errors, shape: "lorentzian" });
 */
export function fitPeak(x: readonly number[], y: readonly number[], options: PeakFitOptions = {}): PeakFit {
  const { shape, background, ...common } = resolveOptions("fitPeak", options, {
    ...fitOptionChecks,
    ...peakFitChecks,
  });
  const { of: profile, mixing: mix } = profiles[shape];
  const isSloped = background === "line";
  // The slope is counted from the middle, where it does least to the background.
  const middle = (Math.min(...x) + Math.max(...x)) / 2;
  const line: CurveModel = { terms: (_, at) => [1, at - middle] };
  const model: CurveModel = {
    terms: ([centre = NaN, fwhm = NaN, mixing = NaN], at) => {
      const height = profile((at - centre) / fwhm, mixing);
      return isSloped ? [height, 1, at - middle] : [height, 1];
    },
    isUneven: shape === "darwin" ? "kinks" : undefined,
  };
  const found = findFeature(x, y, common, {
    model,
    // A flank of something outside the scan is described by a line just as well.
    without: line,
    search: (points) => searchOf(points, mix),
    refusal: noPeak,
    excess: "added",
    least: leastPeakPoints({ shape, background }),
  });
  const [centre = NaN, fwhm = NaN, mixing = NaN] = found.shape;
  const [height = NaN, base = NaN, slope = 0] = found.coefficients;
  const shapes = found.shape.length;
  const [heightError = NaN, baseError = NaN, slopeError = 0] = found.errors.slice(shapes);
  const fit = {
    ...found.quality,
    shape,
    centre,
    centreError: found.errors[0] ?? NaN,
    fwhm,
    fwhmError: found.errors[1] ?? NaN,
    height,
    heightError,
    background: base,
    backgroundError: baseError,
    slope,
    slopeError,
    mixing,
    mixingError: found.errors[2] !== undefined && mix !== undefined ? found.errors[2] : NaN,
  };
  checkPeak(fit, found.points);
  return fit;
}

function searchOf({ x }: FitPoints, mix: (typeof profiles)[PeakShape]["mixing"]): ShapeSearch {
  const [low, high] = [Math.min(...x), Math.max(...x)];
  const range = high - low;
  const step = typicalStep(x);
  const widths: number[] = [];
  for (let width = 1.2 * step; width < 0.8 * range; width *= 1.6) widths.push(width);
  // Centres half a width apart, so that no trial misses a peak of its width.
  const sorted = [...x].sort((a, b) => a - b);
  const trials = widths.flatMap((width) => {
    const every = Math.max(1, Math.floor(width / (2 * step)));
    const centres = sorted.filter((_, i) => i % every === 0);
    return centres.flatMap((centre) =>
      mix === undefined ? [[centre, width]] : mix.trials.map((mixing) => [centre, width, mixing]),
    );
  });
  return {
    trials,
    scales: mix === undefined ? [range, range] : [range, range, 1],
    from: mix === undefined ? [low - range, step / 10] : [low - range, step / 10, mix.from],
    to: mix === undefined ? [high + range, 10 * range] : [high + range, 10 * range, mix.to],
  };
}

/** The typical distance from one point to the next: the median. */
export function typicalStep(x: readonly number[]): number {
  const sorted = [...new Set(x)].sort((a, b) => a - b);
  const steps = sorted.slice(1).map((at, i) => at - (sorted[i] ?? NaN));
  return steps.sort((a, b) => a - b)[steps.length >> 1] ?? NaN;
}

function checkPeak(fit: PeakFit, { x }: FitPoints): void {
  const { centre, fwhm, height, heightError, centreError, fwhmError } = fit;
  const [low, high] = [Math.min(...x), Math.max(...x)];
  const digits = (value: number): string => String(Number(value.toPrecision(4)));
  const place = placesIn(low, high);
  if (!(centre >= low && centre <= high))
    throw noPeak(`it would be at ${place(centre)}, outside the points from ${place(low)} to ${place(high)}`);
  const step = typicalStep(x);
  if (!(fwhm >= step))
    throw noPeak(`it would be ${digits(fwhm)} wide, less than the step of ${digits(step)}: scan in finer steps`);
  if (!(Math.abs(height) >= 3 * heightError))
    throw noPeak(`its height ${digits(height)} is less than three times its error ${digits(heightError)}`);
  if (!(centreError <= (high - low) / 4 && fwhmError <= 2 * (high - low)))
    throw noPeak(`its place ${place(centre)} ± ${digits(centreError)} is not known well enough`);
}
