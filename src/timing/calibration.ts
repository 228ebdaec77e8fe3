import { SaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { finite, flag, optional, resolveOptions } from "../core/options.ts";
import { dot, inverseOf, solveRows } from "../core/solve-rows.ts";

/** One shot of a calibration scan. */
export interface TimingScanPoint {
  /** Reading of the timing laser's delay stage. */
  readonly pulse: number;
  /** Position of the edge; shots without a number are left out. */
  readonly edgePx: number;
  /**
   * Which way the stage came to its position: 1 from smaller, −1 from larger readings, 0 not known.
   * @default the direction of the last change of `pulse`; not known of shots that wait longer at a turning point than
   * at other positions, and of a stay three times as long as the steps
   */
  readonly direction?: 1 | -1 | 0 | undefined;
}

export interface TimingCalibrationOptions {
  /** Time of one pulse of the stage, there and back: 6.671 for 1 µm per pulse. */
  readonly fsPerPulse: number;
  /** Reading of the stage at which relative time counts from `zeroPx`. @default the middle of the scan */
  readonly homePulse?: number | undefined;
  /** Pixel at which relative time is 0, and at which `fsPerPixel` holds. @default the fitted edge at `homePulse` */
  readonly zeroPx?: number | undefined;
  /** Whether to fit the quadratic term. @default true */
  readonly quadratic?: boolean | undefined;
}

/**
 * Scale of the timing monitor: relative time, fs, = `fsPerPixel` (px − zeroPx) + `quadratic` (px − zeroPx)² +
 * `offsetFs`, which falls by `fsPerPulse` with each pulse of the stage. Standard errors beside each number.
 */
export interface TimingCalibration {
  readonly fsPerPixel: number;
  readonly fsPerPixelError: number;
  /** fs per pixel². */
  readonly quadratic: number;
  readonly quadraticError: number;
  readonly zeroPx: number;
  readonly homePulse: number;
  /** Mean relative time at `zeroPx` that the data have, with the error. */
  readonly offsetFs: number;
  readonly offsetFsError: number;
  /** Play of the stage, pulses; NaN when the scan went one way only. */
  readonly backlashPulse: number;
  readonly backlashPulseError: number;
  /** Jitter of the X-rays against the laser, rms, with what the edge finder adds. */
  readonly jitterFs: number;
  readonly used: number;
  /** Left out: no edge, direction not known, or farther than 5 standard deviations. */
  readonly leftOut: number;
}

const LEAST_POINTS = 12;
const OUTLIER = 5;
const LONG_STAY = 3;

/**
 * Scale, quadratic term and backlash from a scan of the timing laser's stage.
 *
 * The stage is known and the jitter is in the edge: a straight line of stage against pixel has the jitter on the wrong
 * axis and gives a scale some per cent too small. Here the likelihood of the edges is greatest: p(px) = N(f(px) − t; s)
 * · |f′(px)|.
 *
 * @throws TOO_FEW_SHOTS when fewer than 12 shots can be used, or the stage stood at fewer positions than there are
 * terms
 * @example
 * const { fsPerPixel, fsPerPixelError } = calibrateTiming(points, { fsPerPulse: 6.671 });
 */
export function calibrateTiming(
  points: readonly TimingScanPoint[],
  options: TimingCalibrationOptions,
): TimingCalibration {
  const { fsPerPulse, homePulse, zeroPx, quadratic } = resolveOptions("calibrateTiming", options, {
    fsPerPulse: finite(),
    homePulse: optional(finite()),
    zeroPx: optional(finite()),
    quadratic: optional(flag, true),
  });
  if (fsPerPulse === 0) throw badArgument("fsPerPulse", 0, "a number other than 0");
  const directions = directionsOf(points);
  const all = points.map(({ pulse, edgePx }, i) => ({ pulse, px: edgePx, direction: directions[i] ?? 0 }));
  const both = [1, -1].every((way) => all.some(({ direction }) => direction === way));
  let kept = all.filter(({ px, direction }) => Number.isFinite(px) && (!both || direction !== 0));
  const pulses = kept.map(({ pulse }) => pulse);
  const home = homePulse ?? (Math.min(...pulses) + Math.max(...pulses)) / 2;
  const positions = new Set(pulses).size;
  if (kept.length < LEAST_POINTS || positions < (quadratic ? 4 : 3))
    throw new SaclaError(
      "TOO_FEW_SHOTS",
      `${kept.length} shots with an edge at ${positions} positions of the stage; a calibration needs ` +
        `${LEAST_POINTS} shots at ${quadratic ? 4 : 3} positions.`,
      { details: { shots: kept.length, positions } },
    );
  const terms: Terms = { quadratic, both };
  let fit: Fit | undefined;
  for (let round = 0; round < 4; round++) {
    fit = fitScale(kept, home, zeroPx, fsPerPulse, terms);
    const { residuals, jitter } = fit;
    const inside = kept.filter((_, i) => Math.abs(residuals[i] ?? 0) < OUTLIER * jitter);
    if (inside.length === kept.length || inside.length < LEAST_POINTS) break;
    kept = inside;
  }
  if (fit === undefined) throw badArgument("points", points.length, "shots of a scan");
  const { values, errors, jitter, zero } = fit;
  const backlash = both ? (2 * (values[3] ?? NaN)) / fsPerPulse : NaN;
  return {
    fsPerPixel: values[1] ?? NaN,
    fsPerPixelError: errors[1] ?? NaN,
    quadratic: quadratic ? (values[2] ?? NaN) : 0,
    quadraticError: quadratic ? (errors[2] ?? NaN) : 0,
    zeroPx: zero,
    homePulse: home,
    offsetFs: values[0] ?? NaN,
    offsetFsError: errors[0] ?? NaN,
    backlashPulse: backlash,
    backlashPulseError: both ? Math.abs((2 * (errors[3] ?? NaN)) / fsPerPulse) : NaN,
    jitterFs: jitter,
    used: kept.length,
    leftOut: points.length - kept.length,
  };
}

/** Relative time of an edge, fs; positive where the X-rays come before the laser, if the scale has that sign. */
export function relativeFs(edgePx: number, { fsPerPixel, quadratic, zeroPx }: TimingScale): number {
  const from = edgePx - zeroPx;
  return fsPerPixel * from + quadratic * from * from;
}

/** The part of a calibration that turns pixels into time. */
export interface TimingScale {
  readonly fsPerPixel: number;
  readonly quadratic: number;
  readonly zeroPx: number;
}

interface Terms {
  readonly quadratic: boolean;
  readonly both: boolean;
}

interface ScanShot {
  readonly pulse: number;
  readonly px: number;
  readonly direction: number;
}

interface Fit {
  /** Offset, linear, quadratic and backlash term, in fs, pixels and fs; 0 where a term is not fitted. */
  readonly values: readonly number[];
  readonly errors: readonly number[];
  readonly jitter: number;
  readonly residuals: readonly number[];
  readonly zero: number;
}

function fitScale(
  shots: readonly ScanShot[],
  home: number,
  zeroPx: number | undefined,
  fsPerPulse: number,
  { quadratic, both }: Terms,
): Fit {
  const times = shots.map(({ pulse }) => -fsPerPulse * (pulse - home));
  // Where the edge is at home, from a line of pixel against stage: that way round the jitter does not tilt it.
  const line = solveRows(
    shots.map(({ direction }, i) => [1, (times[i] ?? 0) / 1000, both ? direction : 0].slice(0, both ? 3 : 2)),
    shots.map(({ px }) => px),
  );
  const zero = zeroPx ?? line?.[0] ?? NaN;
  const slope = line?.[1] ?? NaN;
  const unit = 500;
  const used = [0, 1, ...(quadratic ? [2] : []), ...(both ? [3] : [])];
  const row = ({ px, direction }: ScanShot): number[] => {
    const u = (px - zero) / unit;
    // Time of the stage itself = f(px) − backlash part.
    return [1, u, u * u, -direction].filter((_, i) => used.includes(i));
  };
  const rise = ({ px }: ScanShot): number[] => [0, 1, (2 * (px - zero)) / unit, 0].filter((_, i) => used.includes(i));
  const likelihood = new ScaleLikelihood(times, shots.map(row), shots.map(rise), Math.sign(slope));
  const { values, hessian } = likelihood.greatest(used.map((term) => (term === 1 ? (1000 / slope) * unit : 0)));
  const residuals = likelihood.residuals(values);
  const jitter = Math.sqrt(residuals.reduce((sum, r) => sum + r * r, 0) / Math.max(1, shots.length - used.length));
  const inverse = inverseOf(hessian) ?? used.map(() => used.map(() => NaN));
  const scales = [1, 1 / unit, 1 / unit ** 2, 1];
  const spread = (of: (k: number) => number): number[] =>
    [0, 1, 2, 3].map((term) => {
      const k = used.indexOf(term);
      return k < 0 ? 0 : of(k) * (scales[term] ?? 1);
    });
  return {
    values: spread((k) => values[k] ?? NaN),
    errors: spread((k) => Math.sqrt(inverse[k]?.[k] ?? NaN)),
    jitter,
    residuals,
    zero,
  };
}

/** How likely the shots are for a scale: time is a sum of terms, and its jitter the same at all pixels. */
class ScaleLikelihood {
  readonly #times: readonly number[];
  /** Terms of each shot, and their slopes along the pixels. */
  readonly #rows: readonly (readonly number[])[];
  readonly #rises: readonly (readonly number[])[];
  /** Whether time grows or falls along the pixels. */
  readonly #sign: number;

  constructor(
    times: readonly number[],
    rows: readonly (readonly number[])[],
    rises: readonly (readonly number[])[],
    sign: number,
  ) {
    this.#times = times;
    this.#rows = rows;
    this.#rises = rises;
    this.#sign = sign;
  }

  residuals(values: readonly number[]): number[] {
    return this.#rows.map((r, i) => dot(r, values) - (this.#times[i] ?? 0));
  }

  /** The likeliest values, and the second derivatives there. */
  greatest(start: readonly number[]): { values: readonly number[]; hessian: readonly number[][] } {
    let values = start;
    let hessian: readonly number[][] = [];
    let previous = Infinity;
    for (let round = 0; round < 60; round++) {
      const { gradient, full, rough } = this.#derivatives(values);
      const now = this.#cost(values);
      // Newton's step; far from the minimum, where it may lead uphill, that of Gauss and Newton.
      const next = this.#step(values, now, gradient, full) ?? this.#step(values, now, gradient, rough);
      hessian = full;
      if (next === undefined || previous - now < 1e-12) break;
      values = next;
      previous = now;
    }
    return { values, hessian };
  }

  #cost(at: readonly number[]): number {
    const square = this.residuals(at).reduce((sum, value) => sum + value ** 2, 0);
    const stretch = this.#rises.reduce((sum, r) => sum + Math.log(Math.max(this.#sign * dot(r, at), 1e-300)), 0);
    return (this.#rows.length / 2) * Math.log(square) - stretch;
  }

  #derivatives(values: readonly number[]): { gradient: number[]; full: number[][]; rough: number[][] } {
    const [rows, rises, n] = [this.#rows, this.#rises, this.#rows.length];
    const residuals = this.residuals(values);
    const square = residuals.reduce((sum, value) => sum + value * value, 0);
    const pull = values.map((_, k) => rows.reduce((sum, r, i) => sum + (r[k] ?? 0) * (residuals[i] ?? 0), 0));
    const steep = rises.map((r) => dot(r, values));
    const gradient = values.map(
      (_, k) => (n * (pull[k] ?? 0)) / square - rises.reduce((sum, r, i) => sum + (r[k] ?? 0) / (steep[i] ?? 1), 0),
    );
    const part = (k: number, m: number): number =>
      rows.reduce((sum, r) => sum + (r[k] ?? 0) * (r[m] ?? 0), 0) * (n / square) +
      rises.reduce((sum, r, i) => sum + ((r[k] ?? 0) * (r[m] ?? 0)) / (steep[i] ?? 1) ** 2, 0);
    const rough = values.map((_, k) => values.map((__, m) => part(k, m)));
    const full = rough.map((r, k) =>
      r.map((value, m) => value - (2 * n * (pull[k] ?? 0) * (pull[m] ?? 0)) / square ** 2),
    );
    return { gradient, full, rough };
  }

  /** Down from `values` as a matrix of second derivatives says; undefined where it leads nowhere lower. */
  #step(
    values: readonly number[],
    now: number,
    gradient: readonly number[],
    matrix: readonly number[][],
  ): readonly number[] | undefined {
    const move = inverseOf(matrix)?.map((r) => dot(r, gradient));
    if (move === undefined) return undefined;
    for (let factor = 1; factor > 1e-4; factor /= 2) {
      const at = values.map((value, k) => value - factor * (move[k] ?? 0));
      if (this.#rises.every((r) => this.#sign * dot(r, at) > 0) && this.#cost(at) < now) return at;
    }
    return undefined;
  }
}

/** The given directions, or those of the last change of the stage's reading. */
function directionsOf(points: readonly TimingScanPoint[]): number[] {
  const legs: { from: number; to: number; way: number }[] = [];
  points.forEach(({ pulse }, i) => {
    const last = legs.at(-1);
    const before = points[i - 1]?.pulse;
    if (last === undefined || pulse !== before)
      legs.push({ from: i, to: i + 1, way: before === undefined ? 0 : Math.sign(pulse - before) });
    else last.to = i + 1;
  });
  const [first, second] = legs;
  // A scan begins in the direction in which it goes on.
  if (first !== undefined) first.way = second?.way ?? 0;
  const lengths = legs.map(({ from, to }) => to - from).sort((a, b) => a - b);
  const usual = lengths[lengths.length >> 1] ?? 0;
  const found = points.map(() => 0);
  legs.forEach(({ from, to, way }, k) => {
    const turns = legs[k + 1] !== undefined && legs[k + 1]?.way !== way;
    // A long stay is no step of the scan: how the stage came there is not known.
    const isStep = to - from <= LONG_STAY * usual;
    for (let i = from; i < to; i++) found[i] = !isStep || (turns && i >= from + usual) ? 0 : way;
  });
  return points.map(({ direction }, i) => direction ?? found[i] ?? 0);
}
