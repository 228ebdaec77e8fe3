import { clippedIn } from "../core/clipped.ts";
import { badArgument } from "../core/guards.ts";
import { finite, optional, resolveOptions } from "../core/options.ts";
import type { ShotNumbers } from "../core/ratio.ts";
import { dot, inverseOf, normalOf, solveRows } from "../core/solve-rows.ts";

export interface MonitorCheckOptions {
  /**
   * Standard deviation of the monitor's own noise, in its unit, as its readings of dark shots scatter. Noise of the
   * monitor flattens the line and looks like a pedestal, so it is taken off. @default 0
   */
  readonly monitorNoise?: number | undefined;
}

/** Whether a signal is proportional to a monitor; errors are one standard error. */
export interface MonitorCheck {
  /** The signal at a monitor reading of 0. */
  readonly intercept: number;
  readonly interceptError: number;
  readonly slope: number;
  readonly slopeError: number;
  /** What the monitor reads without a signal, −intercept / slope: to be subtracted from I0. */
  readonly pedestal: number;
  readonly pedestalError: number;
  /** Coefficient of (monitor − its mean)²: how the line bends. */
  readonly curvature: number;
  readonly curvatureError: number;
  /** Shots with both numbers. */
  readonly count: number;
  /** How many of them read the greatest signal of all, and monitor, where these are cut off there; else 0. */
  readonly clipped: { readonly signal: number; readonly monitor: number };
  /** In a sentence: what was found, and whether it is significant (3 standard errors). */
  readonly text: string;
}

/**
 * Fits a signal against an intensity monitor: a straight line through 0 is what normalising assumes. A pedestal of the
 * monitor (or of the signal) makes every ratio depend on the pulse energy, and a curvature shows saturation. Shots that
 * read one greatest value are told apart from that: an amplifier or an ADC that is cut off there.
 *
 * Errors are from the residuals without a model of the noise (White 1980, HC3), so bright shots may scatter more.
 * @throws BAD_ARGUMENT when lengths differ, or fewer than 10 shots with both numbers, or all with one I0
 * @example
 * const [diode, bm1] = [await run.column(pd), await run.column(bm)];
 * console.log(monitorCheck(diode.values, bm1.values).text); // pedestal of 1.2e-10 ± 1.1e-11 (2.4 % of the mean) …
 */
export function monitorCheck(
  signal: ShotNumbers,
  monitor: ShotNumbers,
  options: MonitorCheckOptions = {},
): MonitorCheck {
  const { monitorNoise } = resolveOptions("monitorCheck", options, { monitorNoise: optional(finite(0), 0) });
  if (signal.length !== monitor.length)
    throw badArgument("lengths of signal and monitor", [signal.length, monitor.length], "the same");
  const pairs = Array.from(signal, (value, i) => [value ?? NaN, monitor[i] ?? NaN] as const).filter(
    ([value, by]) => Number.isFinite(value) && Number.isFinite(by),
  );
  const count = pairs.length;
  if (count < 10) throw badArgument("shots with a signal and a monitor", count, "10 or more");
  const mean = pairs.reduce((sum, [, by]) => sum + by, 0) / count;
  const variance = pairs.reduce((sum, [, by]) => sum + (by - mean) ** 2, 0) / (count - 1);
  const spread = Math.sqrt(variance);
  const values = pairs.map(([value]) => value);
  const u = pairs.map(([, by]) => (by - mean) / spread);
  const line = fitRows(
    u.map((t) => [1, t]),
    values,
  );
  const bent = fitRows(
    u.map((t) => [1, t, t * t - 1]),
    values,
  );
  if (line === undefined || bent === undefined || !(variance > monitorNoise ** 2))
    throw badArgument("the monitor", `${mean} ± ${spread} at all shots`, "one that varies more than its noise");
  // Of noise σ in the monitor, the slope becomes smaller by 1 − σ²/variance.
  const real = 1 - monitorNoise ** 2 / variance;
  const at = mean / spread / real;
  const [level = NaN, rise = NaN] = line.values;
  const intercept = level - rise * at;
  const interceptError = Math.sqrt(
    line.covariance(0, 0) - 2 * at * line.covariance(0, 1) + at ** 2 * line.covariance(1, 1),
  );
  const slope = rise / spread / real;
  const slopeError = Math.sqrt(line.covariance(1, 1)) / spread / real;
  const pedestal = -intercept / slope;
  // ∂(−level · spread · real / rise + mean): level by −1/slope, rise by level / (slope · rise).
  const [byLevel, byRise] = [-1 / slope, level / slope / rise];
  const pedestalError = Math.sqrt(
    byLevel ** 2 * line.covariance(0, 0) +
      2 * byLevel * byRise * line.covariance(0, 1) +
      byRise ** 2 * line.covariance(1, 1),
  );
  const curvature = (bent.values[2] ?? NaN) / variance;
  const curvatureError = Math.sqrt(bent.covariance(2, 2)) / variance;
  const monitors = pairs.map(([, by]) => by);
  const cutOff = { signal: clippedIn("signal", values), monitor: clippedIn("monitor", monitors) };
  const clipped = { signal: cutOff.signal?.count ?? 0, monitor: cutOff.monitor?.count ?? 0 };
  const text = [
    inWords({ pedestal, pedestalError, curvature, curvatureError }, mean),
    ...Object.values(cutOff).flatMap((found) => (found === null ? [] : [found.words])),
  ].join("; ");
  return {
    intercept,
    interceptError,
    slope,
    slopeError,
    pedestal,
    pedestalError,
    curvature,
    curvatureError,
    count,
    clipped,
    text,
  };
}

function inWords(
  found: Pick<MonitorCheck, "pedestal" | "pedestalError" | "curvature" | "curvatureError">,
  mean: number,
): string {
  const { pedestal, pedestalError, curvature, curvatureError } = found;
  const value = `${pedestal.toPrecision(3)} ± ${pedestalError.toPrecision(2)}`;
  const part = `${((100 * pedestal) / mean).toPrecision(2)} % of the mean`;
  const first =
    Math.abs(pedestal) > 3 * pedestalError
      ? `pedestal of ${value} (${part}): subtract it from the monitor before normalising`
      : `no significant pedestal: ${value} (${part})`;
  const bend = `${curvature.toPrecision(3)} ± ${curvatureError.toPrecision(2)}`;
  return Math.abs(curvature) > 3 * curvatureError
    ? `${first}; the signal bends with the monitor (curvature ${bend}): one of the two saturates`
    : `${first}; no significant curvature: ${bend}`;
}

/** Coefficients, and their covariance from the residuals of each row (HC3). */
interface Fitted {
  readonly values: readonly number[];
  covariance(a: number, b: number): number;
}

function fitRows(rows: readonly (readonly number[])[], right: readonly number[]): Fitted | undefined {
  const values = solveRows(rows, right);
  if (values === undefined) return undefined;
  const inverse = inverseOf(normalOf(rows)) ?? [];
  const pulls = rows.map((row, i) => {
    const of = inverse.map((column) => dot(column, row));
    const leverage = dot(of, row);
    const residual = ((right[i] ?? NaN) - dot(row, values)) / (1 - leverage);
    return of.map((x) => x * residual);
  });
  return { values, covariance: (a, b) => sum(pulls, (pull) => (pull[a] ?? NaN) * (pull[b] ?? NaN)) };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
