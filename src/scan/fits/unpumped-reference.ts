import { dot, inverseOf, normalOf, solveRows } from "../../core/solve-rows.ts";
import { fProbability } from "../../core/special-functions.ts";

/** A shot with signal and monitor; `time`: from −1 at the first shot of the scan to 1 at its last, in equal steps. */
interface TimedShot {
  readonly time: number;
  readonly signal: number;
  readonly monitor: number;
  readonly pumped: boolean;
}

/** What pumped shots are divided by: signal over monitor of unpumped shots as it was at each shot. */
export interface Reference {
  readonly at: Float64Array;
  /** How many numbers describe it. */
  readonly freedom: number;
  /** Variance of Σ factor · reference over the shots. */
  readonly variance: (factors: Float64Array) => number;
  /** It follows the shots next to it, so that its error scatters from shot to shot as noise does. */
  readonly isLocal: boolean;
}

/** Terms of a slow drift at most, and unpumped shots for each. */
const [DRIFT_TERMS, SHOTS_PER_TERM] = [8, 20];
/** How often noise may make a drift. */
const FALSE_DRIFTS = 1e-3;
/** Twice the logarithm of the likelihood that a walk gains by chance as often. */
const LEAST_GAIN = 9.55;
/** Variance of a step between unpumped shots at most, over that of the noise of one. */
const MOST_STEP = 30;

/**
 * The reference of shots in the order in which they were taken: constant, a polynomial of time, or a random walk (a
 * gain that changes by itself from shot to shot), as the unpumped shots are most likely. Noise makes no drift.
 */
export function referenceOf(shots: readonly TimedShot[]): Reference {
  const off = shots.filter(({ pumped }) => !pumped);
  const polynomial = polynomialOf(off);
  const walk = off.length < 2 * SHOTS_PER_TERM ? undefined : walkOf(off);
  if (walk !== undefined && walk.gain > LEAST_GAIN && walk.gain - 2 > polynomial.gain) return walked(shots, walk);
  const { terms, covariance } = polynomial;
  const rows = shots.map(({ time }) => chebyshev(time, terms.length));
  return {
    at: Float64Array.from(rows, (row) => dot(row, terms)),
    freedom: terms.length,
    isLocal: false,
    variance: (factors) => {
      const pull = terms.map((_, term) => rows.reduce((sum, row, i) => sum + (factors[i] ?? 0) * (row[term] ?? 0), 0));
      return pull.reduce((sum, value, term) => sum + value * dot(covariance[term] ?? [], pull), 0);
    },
  };
}

function chebyshev(time: number, count: number): number[] {
  const terms = [1, time];
  for (let k = 2; k < count; k++) terms.push(2 * time * (terms[k - 1] ?? 0) - (terms[k - 2] ?? 0));
  return terms.slice(0, count);
}

interface Polynomial {
  readonly terms: readonly number[];
  readonly covariance: readonly (readonly number[])[];
  /** Akaike's criterion, less than that of no drift. */
  readonly gain: number;
}

/**
 * The polynomial that Akaike's criterion chooses, whose terms have errors. Of one term it is the ratio of the sums.
 */
function polynomialOf(off: readonly TimedShot[]): Polynomial {
  const most = Math.max(1, Math.min(DRIFT_TERMS, Math.floor(off.length / SHOTS_PER_TERM)));
  // Photons: the variance follows the monitor.
  const rowsOf = (count: number): number[][] =>
    off.map(({ time, monitor }) => chebyshev(time, count).map((term) => term * Math.sqrt(monitor)));
  const right = off.map(({ signal, monitor }) => signal / Math.sqrt(monitor));
  const fits = Array.from({ length: most }, (_, k) => {
    const rows = rowsOf(k + 1);
    const solved = solveRows(rows, right);
    if (solved === undefined) return { solved, square: Infinity };
    return { solved, square: rows.reduce((sum, row, i) => sum + ((right[i] ?? NaN) - dot(row, solved)) ** 2, 0) };
  });
  const variance = (fits[most - 1]?.square ?? NaN) / (off.length - most);
  // Akaike's criterion: a term must describe more than it costs.
  const costs = fits.map(({ square }, k) => off.length * Math.log(square) + 2 * k);
  const best = costs.indexOf(Math.min(...costs));
  const gain = ((fits[0]?.square ?? NaN) / (fits[best]?.square ?? NaN) - 1) * (off.length - best - 1);
  const enough = best > 0 && fProbability(gain / best, best, off.length - best - 1) < FALSE_DRIFTS ? best : 0;
  const terms = fits[enough]?.solved ?? [sumOf(off, ({ signal }) => signal) / sumOf(off, ({ monitor }) => monitor)];
  const inverse = inverseOf(normalOf(rowsOf(terms.length)));
  return {
    terms,
    covariance: inverse?.map((row) => row.map((value) => variance * value)) ?? [],
    gain: (costs[0] ?? NaN) - (costs[enough] ?? NaN),
  };
}

interface Walk {
  /** Variance of an unpumped shot of mean monitor. */
  readonly variance: number;
  /** Variance of a step of the walk over that, for all of the scan. */
  readonly pace: number;
  /** Twice the logarithm of its likelihood over that of no drift. */
  readonly gain: number;
}

/** The most likely random walk. */
function walkOf(off: readonly TimedShot[]): Walk {
  const mean = sumOf(off, ({ monitor }) => monitor) / off.length;
  const still = likelihood(off, mean, 0);
  let best: Walk = { variance: still.variance, pace: 0, gain: 0 };
  const consider = (log: number): void => {
    const { variance, cost } = likelihood(off, mean, Math.exp(log));
    if (still.cost - cost > best.gain) best = { variance, pace: Math.exp(log), gain: still.cost - cost };
  };
  // Steps far above the noise of a shot leave nothing to tell that noise from.
  const most = Math.log(MOST_STEP * (off.length / 2));
  for (let log = -4; log <= most; log++) consider(log);
  for (let step = 0.5; best.pace > 0 && step > 0.02; step /= 2)
    for (const log of [Math.log(best.pace) - step, Math.log(best.pace) + step]) if (log <= most) consider(log);
  return best;
}

/**
 * −2 log of the likelihood of a walk, but for a constant, and the variance that makes it most likely: a Kalman filter
 * whose start is not known (Durbin and Koopman 2012, Time Series Analysis by State Space Methods, chapters 2 and 7).
 */
function likelihood(off: readonly TimedShot[], mean: number, pace: number): { variance: number; cost: number } {
  let [value, spread, before] = [NaN, 0, 0];
  let [logs, squares] = [0, 0];
  for (const [i, { time, signal, monitor }] of off.entries()) {
    const noise = mean / monitor;
    const ratio = signal / monitor;
    if (i === 0) [value, spread] = [ratio, noise];
    else {
      const wide = spread + pace * (time - before);
      const all = wide + noise;
      const off0 = ratio - value;
      logs += Math.log(all);
      squares += off0 ** 2 / all;
      value += (wide / all) * off0;
      spread = (wide * noise) / all;
    }
    before = time;
  }
  const count = off.length - 1;
  return { variance: squares / count, cost: count * Math.log(squares / count) + logs };
}

/** The walk between the unpumped shots: its inverse covariance has three diagonals, so all is solved shot by shot. */
function walked(shots: readonly TimedShot[], { variance, pace }: Walk): Reference {
  const off = shots.filter(({ pumped }) => !pumped);
  const mean = sumOf(off, ({ monitor }) => monitor) / off.length;
  const links = Float64Array.from(shots, ({ time }, i) =>
    i === 0 ? 0 : 1 / (pace * (time - (shots[i - 1]?.time ?? 0))),
  );
  const known = Float64Array.from(shots, ({ pumped, monitor }) => (pumped ? 0 : monitor / mean));
  const diagonal = known.map((value, i) => value + (links[i] ?? 0) + (links[i + 1] ?? 0));
  const pivots = new Float64Array(shots.length);
  for (let i = 0; i < shots.length; i++)
    pivots[i] = (diagonal[i] ?? 0) - (i === 0 ? 0 : (links[i] ?? 0) ** 2 / (pivots[i - 1] ?? 1));
  const solve = (right: Float64Array): Float64Array => {
    const out = right.slice();
    for (let i = 1; i < out.length; i++)
      out[i] = (out[i] ?? 0) + ((links[i] ?? 0) / (pivots[i - 1] ?? 1)) * (out[i - 1] ?? 0);
    for (let i = out.length - 1; i >= 0; i--)
      out[i] = ((out[i] ?? 0) + (links[i + 1] ?? 0) * (out[i + 1] ?? 0)) / (pivots[i] ?? 1);
    return out;
  };
  // The diagonal of the inverse, from the pivots of both directions.
  let [freedom, back] = [0, 0];
  for (let i = shots.length - 1; i >= 0; i--) {
    const link = links[i + 1] ?? 0;
    back = (diagonal[i] ?? 0) - (i === shots.length - 1 ? 0 : link ** 2 / back);
    freedom += (known[i] ?? 0) / ((pivots[i] ?? 0) + back - (diagonal[i] ?? 0));
  }
  const ratios = Float64Array.from(shots, ({ signal, monitor }, i) => ((known[i] ?? 0) * signal) / monitor);
  return {
    at: solve(ratios),
    freedom,
    isLocal: true,
    variance: (factors) => {
      const found = solve(factors);
      return variance * factors.reduce((sum, factor, i) => sum + factor * (found[i] ?? 0), 0);
    },
  };
}

function sumOf(shots: readonly TimedShot[], of: (shot: TimedShot) => number): number {
  return shots.reduce((sum, shot) => sum + of(shot), 0);
}
