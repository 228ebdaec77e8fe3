import { resolveOptions } from "../../core/options.ts";
import type { FitOptions } from "./fit-points.ts";
import { fitOptionChecks, noPeak, placesIn } from "./fit-points.ts";
import { fitPeak } from "./peak.ts";

/** A centre of gravity with its error, one standard deviation. */
export interface Centroid {
  readonly centre: number;
  readonly centreError: number;
  /** The level that was subtracted, from the fit that found the peak. */
  readonly background: number;
  /** Rms width of the Gaussian window round the centre. */
  readonly window: number;
  /** See {@link FitQuality}. */
  readonly falseAlarmProbability: number;
  /** How many points were used, and which were left out. */
  readonly points: number;
  readonly leftOut: readonly number[];
}

/**
 * Centre of gravity of a peak or dip of any form: above its background, in a Gaussian window that follows the centre
 * until both agree (the windowed position of SExtractor, Bertin and Arnouts 1996), so that the rest of the scan does
 * not pull it. A Gaussian fit finds the peak, its background and the width of the window, and refuses noise.
 * @throws NO_PEAK as {@link fitPeak}, and when the window is cut by an end of the points
 * @throws BAD_ARGUMENT when the lengths differ, or an error is negative
 * @example
 * const { centre, centreError } = centroid(positions, intensities, { errors });
 */
export function centroid(x: readonly number[], y: readonly number[], options: FitOptions = {}): Centroid {
  const peak = fitPeak(x, y, resolveOptions("centroid", options, fitOptionChecks));
  const { background, backgroundError, points, leftOut, falseAlarmProbability } = peak;
  const window = peak.fwhm / Math.sqrt(8 * Math.LN2);
  const used = x.map((_, i) => i).filter((i) => !leftOut.includes(i));
  used.sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  const at = used.map((i) => x[i] ?? NaN);
  // Points that lie close count for a shorter piece of the curve.
  const spans = at.map((_, k) => ((at[k + 1] ?? at[k] ?? NaN) - (at[k - 1] ?? at[k] ?? NaN)) / 2);
  const above = used.map((i) => (y[i] ?? NaN) - background);
  // Without errors, and for an error of 0, the spread of the residuals.
  const scatter = residualScatter(peak, at, above);
  const errors = used.map((i) => (options.errors?.[i] ?? 0) || scatter);
  let centre = peak.centre;
  for (let round = 0; round < 50; round++) {
    const { moment, slope } = moments(at, above, spans, centre, window);
    const next = centre - moment / slope;
    if (!(Math.abs(next - peak.centre) < peak.fwhm)) throw noPeak("its centre of gravity does not settle");
    if (Math.abs(next - centre) < 1e-9 * window) break;
    centre = next;
  }
  const [low, high] = [at[0] ?? NaN, at.at(-1) ?? NaN];
  if (!(centre - 2 * window >= low && centre + 2 * window <= high))
    throw noPeak(`the points from ${low} to ${high} show only a part of it, near ${placesIn(low, high)(centre)}`);
  const { slope, lever } = moments(at, above, spans, centre, window);
  const square = lever.reduce((sum, each, i) => sum + (each * (errors[i] ?? NaN)) ** 2, 0);
  const byBackground = lever.reduce((sum, each) => sum + each, 0) * backgroundError;
  const centreError = Math.hypot(Math.sqrt(square), byBackground) / Math.abs(slope);
  return { centre, centreError, background, window, falseAlarmProbability, points, leftOut };
}

/** First moment in the window, its change with the centre, and what each point contributes for a unit of signal. */
function moments(
  x: readonly number[],
  above: readonly number[],
  spans: readonly number[],
  centre: number,
  window: number,
): { readonly moment: number; readonly slope: number; readonly lever: readonly number[] } {
  let [moment, slope] = [0, 0];
  const lever = x.map((at, i) => {
    const u = (at - centre) / window;
    const weight = (spans[i] ?? 0) * Math.exp(-0.5 * u * u);
    moment += weight * (at - centre) * (above[i] ?? NaN);
    slope += weight * (u * u - 1) * (above[i] ?? NaN);
    return weight * (at - centre);
  });
  return { moment, slope, lever };
}

function residualScatter(
  { centre, fwhm, height }: { readonly centre: number; readonly fwhm: number; readonly height: number },
  x: readonly number[],
  above: readonly number[],
): number {
  const off = x.map((at, i) => (above[i] ?? NaN) - height * Math.exp(-4 * Math.LN2 * ((at - centre) / fwhm) ** 2));
  return Math.sqrt(off.reduce((sum, each) => sum + each * each, 0) / Math.max(1, x.length - 4));
}
