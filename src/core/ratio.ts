import { badArgument } from "./guards.ts";
import { any, oneOf, optional, resolveOptions } from "./options.ts";
import type { PointMean } from "./point-errors.ts";

/**
 * How a signal is divided by a monitor (I0). `ratio-of-sums`: Σ signal / Σ monitor, so that a bright shot counts more.
 * `mean-of-ratios`: every shot counts alike.
 *
 * The ratio of sums is the default everywhere. Photon noise makes the relative error of a dim shot large, and a mean of
 * ratios gives it full weight: with a monochromatic beam, whose pulse energy follows an exponential (one mode, M = 1),
 * it scatters 1.8 times as much, which takes 3.3 times the beam time. Take the mean of ratios where the ratio itself
 * depends on the pulse energy and every shot is to count alike.
 */
export type RatioMethod = "ratio-of-sums" | "mean-of-ratios";

/** Values of shots, null or NaN where there is no number. */
export type ShotNumbers = ArrayLike<number | null>;

/** Check of an option `method`. */
const ratioMethod = optional(oneOf("ratio-of-sums", "mean-of-ratios"), "ratio-of-sums");

/**
 * Ratio of the sums of a signal and a monitor over the shots where both have a number: what a normalised curve shows.
 * Its error is from the residuals signal − ratio · monitor, so that what both share (the pulse energy) does not count
 * (ratio estimator, Cochran 1977, §6).
 * @param values - per shot, null or NaN where there is no number
 * @returns NaN with count 0 where the monitor's sum is 0 or no shot has both
 * @throws BAD_ARGUMENT when the lengths differ
 * @example
 * ratioOfSums(taken.values["diode"], taken.values["i0"]).mean;
 */
export function ratioOfSums(values: ShotNumbers, monitor: ShotNumbers): PointMean {
  return pointOf(influences(values, monitor, "ratio-of-sums"));
}

/**
 * Mean of signal / monitor over the shots where both have a number and the monitor is not 0; the error is from the
 * scatter of the ratios.
 * @throws BAD_ARGUMENT when the lengths differ
 */
export function meanOfRatios(values: ShotNumbers, monitor: ShotNumbers): PointMean {
  return pointOf(influences(values, monitor, "mean-of-ratios"));
}

/** The shots of one class: pumped, or unpumped. */
export interface ClassOfShots {
  /** Per shot, null or NaN where there is no number. */
  readonly values: ShotNumbers;
  /** I0 of the same shots. @default none: the mean of the values */
  readonly monitor?: ShotNumbers | undefined;
}

export interface OnOffOptions {
  readonly method?: RatioMethod | undefined;
  /**
   * For each pumped shot the index of its unpumped one; see `ShotLabels.paired`. Pumped shots without one (−1), and
   * pairs of which one shot has no number, are left out. What both shots of a pair share, such as a slow drift, then
   * does not count in the errors.
   * @default all pumped shots against all unpumped ones
   */
  readonly pairs?: ArrayLike<number> | undefined;
}

/** Pumped less unpumped shots; errors are one standard error. */
export interface OnOff {
  readonly on: PointMean;
  readonly off: PointMean;
  /** on − off. */
  readonly difference: number;
  readonly differenceError: number;
  /** on / off − 1. */
  readonly contrast: number;
  readonly contrastError: number;
  /** Pumped shots used. */
  readonly count: number;
}

/**
 * Pumped less unpumped shots of a 0-D signal, normalised by a monitor, with errors that hold the covariance of signal
 * and monitor, and with `pairs` that of the two shots of a pair.
 *
 * Of fewer than about twenty shots a class, the scatter itself is uncertain: pool it over the points of a scan
 * (`pooledErrors`).
 * @throws BAD_ARGUMENT when lengths differ, or only one class has a monitor
 * @example
 * const [pumped, unpumped] = [{ values: on, monitor: i0On }, { values: off, monitor: i0Off }];
 * const { difference, differenceError } = onOffDifference(pumped, unpumped);
 */
export function onOffDifference(on: ClassOfShots, off: ClassOfShots, options: OnOffOptions = {}): OnOff {
  const { method } = resolveOptions("onOffDifference", options, { method: ratioMethod, pairs: any });
  if ((on.monitor === undefined) !== (off.monitor === undefined))
    throw badArgument("monitor", "of one class", "one for both classes, or for none");
  const { pairs } = options;
  const groups = pairs === undefined ? undefined : pairsOf(on, off, pairs);
  const pumped = influences(on.values, on.monitor, method, groups?.isUsed);
  const unpumped = influences(off.values, off.monitor, method, groups?.partners);
  const [a, b] = [pointOf(pumped), pointOf(unpumped)];
  const errorOf = (ofOn: number, ofOff: number): number =>
    groups === undefined
      ? Math.hypot(ofOn * a.standardError, ofOff * b.standardError)
      : pairedError(pumped, unpumped, groups.offOf, ofOn, ofOff);
  return {
    on: a,
    off: b,
    difference: a.mean - b.mean,
    differenceError: errorOf(1, -1),
    contrast: a.mean / b.mean - 1,
    contrastError: errorOf(1 / b.mean, -a.mean / b.mean ** 2),
    count: a.count,
  };
}

/** A mean or ratio, and by how much each shot moves it: residual / (Σ monitor), or (ratio − mean) / n. */
interface Influences {
  readonly count: number;
  readonly mean: number;
  /** By shot; NaN for those that were not used. */
  readonly of: Float64Array;
}

/** @param weights - how often each shot counts. @default once */
function influences(
  values: ShotNumbers,
  monitor: ShotNumbers | undefined,
  method: RatioMethod,
  weights?: Float64Array,
): Influences {
  if (monitor !== undefined && monitor.length !== values.length)
    throw badArgument("lengths of values and monitor", [values.length, monitor.length], "the same");
  const isRatio = monitor !== undefined && method === "mean-of-ratios";
  const top = (i: number): number => (isRatio ? numberAt(values, i) / numberAt(monitor, i) : numberAt(values, i));
  const below = (i: number): number => (isRatio || monitor === undefined ? 1 : numberAt(monitor, i));
  let [count, sum, all] = [0, 0, 0];
  const weight = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const w = weights === undefined ? 1 : (weights[i] ?? 0);
    if (w === 0 || !Number.isFinite(top(i)) || !Number.isFinite(below(i))) continue;
    count++;
    weight[i] = w;
    sum += w * top(i);
    all += w * below(i);
  }
  if (count === 0 || all === 0) return { count: 0, mean: NaN, of: new Float64Array(values.length).fill(NaN) };
  const mean = sum / all;
  return { count, mean, of: weight.map((w, i) => (w === 0 ? NaN : (w * (top(i) - mean * below(i))) / all)) };
}

function numberAt(values: ShotNumbers, i: number): number {
  return values[i] ?? NaN;
}

function pointOf({ count, mean, of }: Influences): PointMean {
  let square = 0;
  for (const moved of of) if (!Number.isNaN(moved)) square += moved * moved;
  return { count, mean, standardError: count < 2 ? NaN : Math.sqrt((square * count) / (count - 1)) };
}

/** Which pumped shots are used, how often each unpumped one is, and which belongs to which. */
interface Pairs {
  readonly offOf: ArrayLike<number>;
  readonly isUsed: Float64Array;
  readonly partners: Float64Array;
}

function pairsOf(on: ClassOfShots, off: ClassOfShots, offOf: ArrayLike<number>): Pairs {
  if (offOf.length !== on.values.length)
    throw badArgument("the length of pairs", offOf.length, `${on.values.length}, one index for each pumped shot`);
  const [isUsed, partners] = [new Float64Array(on.values.length), new Float64Array(off.values.length)];
  const has = ({ values, monitor }: ClassOfShots, i: number): boolean =>
    Number.isFinite(numberAt(values, i)) && (monitor === undefined || Number.isFinite(numberAt(monitor, i)));
  for (let i = 0; i < isUsed.length; i++) {
    const partner = offOf[i] ?? -1;
    if (partner < 0) continue;
    if (partner >= partners.length)
      throw badArgument(`pairs[${i}]`, partner, `below ${partners.length}, the number of unpumped shots, or −1`);
    if (!has(on, i) || !has(off, partner)) continue;
    isUsed[i] = 1;
    partners[partner] = (partners[partner] ?? 0) + 1;
  }
  return { offOf, isUsed, partners };
}

/**
 * The root of the summed squares over unpumped shots, each with its pumped ones: these are independent of each other.
 */
function pairedError(on: Influences, off: Influences, offOf: ArrayLike<number>, ofOn: number, ofOff: number): number {
  const moved = off.of.map((own) => ofOff * own);
  for (const [i, own] of on.of.entries()) {
    const partner = offOf[i] ?? -1;
    if (!Number.isNaN(own)) moved[partner] = (moved[partner] ?? NaN) + ofOn * own;
  }
  let [groups, square] = [0, 0];
  for (const sum of moved) {
    if (Number.isNaN(sum)) continue;
    groups++;
    square += sum * sum;
  }
  return groups < 2 ? NaN : Math.sqrt((square * groups) / (groups - 1));
}
