/**
 * What changes in a laser-only profile from shot to shot: its slope and curvature, fringes whose phase drifts, and
 * whatever else the laser-only shots have in common. Profiles are divided by the mean laser-only profile and weighted
 * with the root of 1/variance, so that noise has variance 1 in every bin.
 */

/** Vectors of length 1, at right angles to one another. */
export type Basis = readonly Float64Array[];

/** Most fringes of different period that are looked for. */
const MOST_FRINGES = 8;
/** Most patterns of another kind. */
const MOST_PATTERNS = 4;

/** Polynomials up to the second order. */
export function slopes(root: Float64Array): Float64Array[] {
  const middle = (root.length - 1) / 2;
  return [0, 1, 2].map((power) => root.map((value, x) => value * ((x - middle) / middle) ** power));
}

/** Fringes along a profile: their frequency in its middle, and by how much it changes along it. */
export interface Fringe {
  /** Periods per bin. */
  readonly frequency: number;
  /** Periods at either end that the phase is ahead of that of an even fringe: wedges and curved surfaces make them. */
  readonly chirp: number;
}

/** Sine and cosine of each fringe. */
export function fringes(root: Float64Array, found: readonly Fringe[]): Float64Array[] {
  return found.flatMap((fringe) => {
    const phase = phaseOf(fringe, root.length);
    return [root.map((value, x) => value * Math.cos(phase(x))), root.map((value, x) => value * Math.sin(phase(x)))];
  });
}

function phaseOf({ frequency, chirp }: Fringe, bins: number): (x: number) => number {
  const middle = (bins - 1) / 2;
  return (x) => 2 * Math.PI * (frequency * x + chirp * ((x - middle) / middle) ** 2);
}

/** The vectors made orthonormal in their order; one that depends on those before it is left out. */
export function orthonormal(vectors: readonly Float64Array[]): Basis {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const rest = vector.slice();
    const before = Math.sqrt(inner(rest, rest));
    removeBasis(rest, basis);
    removeBasis(rest, basis);
    const size = Math.sqrt(inner(rest, rest));
    if (size > 1e-4 * before) basis.push(rest.map((value) => value / size));
  }
  return basis;
}

/** Takes out of `values` what the basis can describe, in place. */
export function removeBasis(values: Float64Array, basis: Basis): void {
  for (const vector of basis) addTimes(values, -inner(values, vector), vector);
}

/** Σ a b, in two sums side by side: a fit asks for it thousands of times a shot. */
export function inner(a: Float64Array, b: Float64Array): number {
  let [s0, s1] = [0, 0];
  const even = a.length & ~1;
  for (let x = 0; x < even; x += 2) {
    s0 += (a[x] ?? 0) * (b[x] ?? 0);
    s1 += (a[x + 1] ?? 0) * (b[x + 1] ?? 0);
  }
  if (even < a.length) s0 += (a[even] ?? 0) * (b[even] ?? 0);
  return s0 + s1;
}

export function addTimes(to: Float64Array, factor: number, of: Float64Array): void {
  for (let x = 0; x < to.length; x++) to[x] = (to[x] ?? 0) + factor * (of[x] ?? 0);
}

/**
 * The fringes left in residuals, strongest first: peaks of their mean periodogram that white noise
 * does not make. Each is taken out with its own sine and cosine before the next is looked for.
 * Those `known` stand first; periods over `longest` bins are not looked for. What has less than `least` times the power
 * of noise is a fringe only where `laserOnly`, residuals of shots without an edge, have power as well.
 */
export function findFringes(
  residuals: readonly Float64Array[],
  root: Float64Array,
  basis: Basis,
  options: {
    readonly known: readonly Fringe[];
    readonly longest: number;
    readonly least?: number;
    readonly laserOnly?: readonly Float64Array[];
  },
): Fringe[] {
  const { known, longest, least = 0, laserOnly = [] } = options;
  const found = [...known];
  if (residuals.length === 0) return found;
  const shots = residuals.length;
  const limit = 1 + 6 / Math.sqrt(shots) + 14 / shots;
  // At one frequency noise has as much in one of a thousand cases.
  const sure = 1 + 4 / Math.sqrt(laserOnly.length) + 2 / laserOnly.length;
  let taken = orthonormal([...basis, ...fringes(root, found)]);
  while (found.length < MOST_FRINGES) {
    const left = (values: Float64Array): Float64Array => {
      const copy = values.slice();
      removeBasis(copy, taken);
      return copy.map((value, x) => value * (root[x] ?? 0));
    };
    const rest = residuals.map(left);
    const ratios = overNoise(rest);
    const seen = least > limit && laserOnly.length > 0 ? overNoise(laserOnly.map(left)) : undefined;
    const step = 1 / (2 * (ratios.length - 1));
    let [best, ratio] = [-1, limit];
    // Faster than a quarter: no fringe.
    const last = Math.floor(0.25 / step);
    for (let k = Math.ceil(1 / longest / step); k < last; k++) {
      const here = ratios[k] ?? 0;
      if (here > ratio && (here > least || (seen?.[k] ?? 0) > sure)) [best, ratio] = [k, here];
    }
    if (best < 0) break;
    found.push(sharpen(rest, best * step, step));
    taken = orthonormal([...basis, ...fringes(root, found)]);
  }
  return found;
}

/** Most of a chirp that is looked for, and the step of the first look. */
const MOST_CHIRP = 2;
const CHIRP_STEP = 0.5;
/** Series that the first look at chirps needs. */
const CHIRP_SERIES = 12;

/** The fringe near the frequency `from` with which the residuals have most power. */
function sharpen(rest: readonly Float64Array[], from: number, step: number): Fringe {
  let best: Fringe = { frequency: from, chirp: 0 };
  const some = rest.slice(0, CHIRP_SERIES);
  // An uneven fringe has its power in many frequencies: the strongest one may be far from that of its middle.
  let most = 1.1 * powerOf(some, best);
  for (let chirp = -MOST_CHIRP; chirp <= MOST_CHIRP; chirp += CHIRP_STEP) {
    for (let k = -4; chirp !== 0 && k <= 4; k++) {
      const fringe = { frequency: from + k * step, chirp };
      const power = powerOf(some, fringe);
      if (power > most) [best, most] = [fringe, power];
    }
  }
  return settle(rest, best, step);
}

/** The fringe with most power within a step of a first one. */
function settle(rest: readonly Float64Array[], first: Fringe, step: number): Fringe {
  let best = first;
  for (let round = 0; round < 2; round++) {
    const { frequency: f, chirp } = best;
    const frequency = highest(f - step, f + step, (value) => powerOf(rest, { frequency: value, chirp }));
    best = {
      frequency,
      chirp: highest(chirp - CHIRP_STEP, chirp + CHIRP_STEP, (value) => powerOf(rest, { frequency, chirp: value })),
    };
  }
  return best;
}

/** χ² that laser-only shots may lose by a fringe settled in all shots: with more they contradict it. */
const MOST_LOST = 16;

/**
 * Fringes found in laser-only shots, settled again in all shots: half a per cent of a period, which a fringe is known
 * to from three shots, moves an edge by more than its noise does. Those with which the laser-only shots do not agree
 * stay: what wide edges leave looks like a long fringe.
 */
export function refineFringes(
  laserOnly: readonly Float64Array[],
  others: readonly Float64Array[],
  root: Float64Array,
  basis: Basis,
  found: readonly Fringe[],
): Fringe[] {
  const refined = [...found];
  for (const [k, fringe] of found.entries()) {
    const taken = orthonormal([...basis, ...fringes(root, refined.toSpliced(k, 1))]);
    const rest = [...laserOnly, ...others].map((values) => {
      const copy = values.slice();
      removeBasis(copy, taken);
      return copy.map((value, x) => value * (root[x] ?? 0));
    });
    const settled = settle(rest, fringe, 1 / (2 * root.length));
    const explained = (by: Fringe): number => {
      const own = orthonormal([...taken, ...fringes(root, [by])]).slice(taken.length);
      return laserOnly.reduce((sum, values) => sum + own.reduce((all, v) => all + inner(values, v) ** 2, 0), 0);
    };
    if (explained(fringe) - explained(settled) < MOST_LOST) refined[k] = settled;
  }
  return refined;
}

/** Power of the residuals in a fringe. */
function powerOf(rest: readonly Float64Array[], fringe: Fringe): number {
  const bins = rest[0]?.length ?? 0;
  const phase = phaseOf(fringe, bins);
  const [cos, sin] = [new Float64Array(bins), new Float64Array(bins)];
  for (let x = 0; x < bins; x++) {
    cos[x] = Math.cos(phase(x));
    sin[x] = Math.sin(phase(x));
  }
  return rest.reduce((sum, values) => sum + inner(values, cos) ** 2 + inner(values, sin) ** 2, 0);
}

/** Where a curve with one peak between two values is highest: golden section. */
function highest(from: number, to: number, curve: (value: number) => number): number {
  let [low, high] = [from, to];
  const golden = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [high - golden * (high - low), low + golden * (high - low)];
  let [atA, atB] = [curve(a), curve(b)];
  for (let i = 0; i < 12; i++) {
    if (atA > atB) {
      [high, b, atB] = [b, a, atA];
      a = high - golden * (high - low);
      atA = curve(a);
    } else {
      [low, a, atA] = [a, b, atB];
      b = low + golden * (high - low);
      atB = curve(b);
    }
  }
  return (low + high) / 2;
}

/** Patterns that residuals of laser-only shots have in common beyond noise: their largest principal components. */
export function commonPatterns(residuals: readonly Float64Array[], basis: Basis): Float64Array[] {
  const shots = residuals.length;
  if (shots < 4) return [];
  const rest = residuals.map((values) => {
    const copy = values.slice();
    removeBasis(copy, basis);
    return copy;
  });
  const bins = rest[0]?.length ?? 1;
  const gram = rest.map((a) => rest.map((b) => inner(a, b)));
  // The largest eigenvalue that noise of variance 1 gives (Marchenko and Pastur 1967), and room for its scatter.
  const sizes = gram.map((row, i) => row[i] ?? 0).sort((a, b) => a - b);
  const variance = (sizes[shots >> 1] ?? bins) / bins;
  const most = 1.2 * variance * bins * (1 + Math.sqrt(shots / bins)) ** 2;
  return eigen(gram)
    .filter(({ value }) => value > most)
    .slice(0, MOST_PATTERNS)
    .map(({ vector }) => {
      const pattern = new Float64Array(bins);
      rest.forEach((values, i) => {
        addTimes(pattern, vector[i] ?? 0, values);
      });
      return pattern;
    });
}

/** Eigenvalues of a symmetric matrix, largest first, with their vectors: Jacobi's rotations. */
function eigen(matrix: readonly (readonly number[])[]): { value: number; vector: number[] }[] {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const v = matrix.map((_, i) => Float64Array.from({ length: n }, (__, k) => (i === k ? 1 : 0)));
  const at = (m: Float64Array[], i: number, k: number): number => m[i]?.[k] ?? 0;
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const off = at(a, p, q);
        if (Math.abs(off) < 1e-12 * Math.sqrt(Math.abs(at(a, p, p) * at(a, q, q)))) continue;
        const theta = (at(a, q, q) - at(a, p, p)) / (2 * off);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (const m of [a, v]) {
          for (const row of m) {
            const [x, y] = [row[p] ?? 0, row[q] ?? 0];
            row[p] = c * x - s * y;
            row[q] = s * x + c * y;
          }
        }
        const [rowP, rowQ] = [a[p], a[q]];
        if (rowP === undefined || rowQ === undefined) continue;
        for (let k = 0; k < n; k++) {
          const [x, y] = [rowP[k] ?? 0, rowQ[k] ?? 0];
          rowP[k] = c * x - s * y;
          rowQ[k] = s * x + c * y;
        }
      }
    }
  }
  return Array.from({ length: n }, (_, k) => ({ value: at(a, k, k), vector: v.map((row) => row[k] ?? 0) })).sort(
    (x, y) => y.value - x.value,
  );
}

/** Power of the series over that of the frequencies around it. */
function overNoise(series: readonly Float64Array[]): Float64Array {
  const power = meanPeriodogram(series);
  const floor = runningMedian(power, 20);
  return power.map((value, k) => value / (floor[k] ?? 1));
}

/** Mean of |FFT|² over the series, zero-padded to at least twice their length; one entry per frequency up to 1/2. */
function meanPeriodogram(series: readonly Float64Array[]): Float64Array {
  const length = series[0]?.length ?? 1;
  const size = 2 ** Math.ceil(Math.log2(2 * length));
  const power = new Float64Array(size / 2 + 1);
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  for (const values of series) {
    re.fill(0);
    im.fill(0);
    re.set(values);
    fourier(re, im);
    for (let k = 0; k < power.length; k++) power[k] = (power[k] ?? 0) + (re[k] ?? 0) ** 2 + (im[k] ?? 0) ** 2;
  }
  return power.map((value) => value / series.length);
}

/** Fast Fourier transform in place; the length is a power of 2. */
function fourier(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      for (const part of [re, im]) [part[i], part[j]] = [part[j] ?? 0, part[i] ?? 0];
    }
  }
  for (let half = 1; half < n; half *= 2) {
    const turn = -Math.PI / half;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos(turn * k), Math.sin(turn * k)];
      for (let i = k; i < n; i += 2 * half) {
        const j = i + half;
        const [x, y] = [re[j] ?? 0, im[j] ?? 0];
        const [u, v] = [x * c - y * s, x * s + y * c];
        re[j] = (re[i] ?? 0) - u;
        im[j] = (im[i] ?? 0) - v;
        re[i] = (re[i] ?? 0) + u;
        im[i] = (im[i] ?? 0) + v;
      }
    }
  }
}

function runningMedian(values: Float64Array, reach: number): Float64Array {
  return values.map((_, k) => {
    const near = values.slice(Math.max(0, k - reach), k + reach + 1).sort();
    return near[near.length >> 1] ?? 1;
  });
}
