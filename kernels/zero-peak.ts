// AssemblyScript with v128: the peak of the pixels of a port without a photon, as sums of waves, for
// kernels/common-mode.ts. Called from src/reduce/corrections/zero-peak.ts, which says what the numbers mean. Arrays are
// f64; waves and bins are even in number. Exponentials and sines are made here, so that they are the same everywhere.

/** 1.5 · 2^52: added to a number it leaves the nearest whole number in the low bits. */
const NEAREST: f64 = 6755399441055744;

/** e^x · cosine and sine of an angle to `at` and a row on; x from −700 to 700. */
function polar(x: v128, angle: v128, at: usize, row: usize): void {
  const size = exponential(x);
  const quarters = f64x2.add(f64x2.mul(angle, f64x2.splat(2 / Math.PI)), f64x2.splat(NEAREST));
  const whole = f64x2.sub(quarters, f64x2.splat(NEAREST));
  // π/2 in two parts, of which the first has few bits.
  const high = f64x2.sub(angle, f64x2.mul(whole, f64x2.splat(1.5707963267341256)));
  const r = f64x2.sub(high, f64x2.mul(whole, f64x2.splat(6.077100506506192e-11)));
  const square = f64x2.mul(r, r);
  const sine = sineOf(r, square);
  const cosine = cosineOf(square);
  const more = i64x2.add(quarters, i64x2.splat(1));
  put(at, row, f64x2.mul(size, turned(sine, cosine, more)), f64x2.mul(size, turned(sine, cosine, quarters)));
}

function exponential(x: v128): v128 {
  // Its low bits are those of the exponent.
  const shifted = f64x2.add(f64x2.mul(x, f64x2.splat(Math.LOG2E)), f64x2.splat(NEAREST + 1023));
  const whole = f64x2.sub(shifted, f64x2.splat(NEAREST + 1023));
  const high = f64x2.sub(x, f64x2.mul(whole, f64x2.splat(0.6931471803691238)));
  const r = f64x2.sub(high, f64x2.mul(whole, f64x2.splat(1.9082149292705877e-10)));
  let sum = f64x2.splat(1 / 6227020800);
  sum = next(sum, r, 1 / 479001600);
  sum = next(sum, r, 1 / 39916800);
  sum = next(sum, r, 1 / 3628800);
  sum = next(sum, r, 1 / 362880);
  sum = next(sum, r, 1 / 40320);
  sum = next(sum, r, 1 / 5040);
  sum = next(sum, r, 1 / 720);
  sum = next(sum, r, 1 / 120);
  sum = next(sum, r, 1 / 24);
  sum = next(sum, r, 1 / 6);
  sum = next(sum, r, 0.5);
  sum = next(sum, r, 1);
  sum = next(sum, r, 1);
  return f64x2.mul(sum, i64x2.shl(shifted, 52));
}

/** Of Horner's rule. */
function next(sum: v128, x: v128, term: f64): v128 {
  return f64x2.add(f64x2.mul(sum, x), f64x2.splat(term));
}

/** Sine of r, between −π/4 and π/4, by its square. */
function sineOf(r: v128, square: v128): v128 {
  let sum = f64x2.splat(-1 / 1307674368000);
  sum = next(sum, square, 1 / 6227020800);
  sum = next(sum, square, -1 / 39916800);
  sum = next(sum, square, 1 / 362880);
  sum = next(sum, square, -1 / 5040);
  sum = next(sum, square, 1 / 120);
  sum = next(sum, square, -1 / 6);
  return f64x2.add(r, f64x2.mul(f64x2.mul(sum, square), r));
}

function cosineOf(square: v128): v128 {
  let sum = f64x2.splat(1 / 20922789888000);
  sum = next(sum, square, -1 / 87178291200);
  sum = next(sum, square, 1 / 479001600);
  sum = next(sum, square, -1 / 3628800);
  sum = next(sum, square, 1 / 40320);
  sum = next(sum, square, -1 / 720);
  sum = next(sum, square, 1 / 24);
  sum = next(sum, square, -0.5);
  return next(sum, square, 1);
}

/** Sine after so many quarter turns: of the low bits 1 swaps sine and cosine, and 2 changes the sign. */
function turned(sine: v128, cosine: v128, quarters: v128): v128 {
  const one = i64x2.splat(1);
  const swapped = i64x2.neg(v128.and(quarters, one));
  const sign = i64x2.shl(v128.and(quarters, i64x2.splat(2)), 62);
  return v128.xor(v128.bitselect(cosine, sine, swapped), sign);
}

/**
 * Waves of the peak and of its derivatives by noise, cloud and level: f64 [8][waves] to `parts`, real and imaginary of
 * each in turn. Those of a port are Σ weight · e^(exponent · light), of `values` of light one `step` apart.
 * @param exponents - f64 [4][waves]: real and imaginary for one photon per pixel, and their derivatives by the cloud
 * @param photons - the least light
 * @param extra - of the cloud, beside that of the exponents
 * @param place - of the level, from the middle of the bins
 */
export function peakWaves(
  waves: i32,
  first: f64,
  exponents: usize,
  weights: usize,
  values: i32,
  photons: f64,
  step: f64,
  extra: f64,
  noise: f64,
  photon: f64,
  place: f64,
  parts: usize,
): void {
  const row = (<usize>waves) << 3;
  for (let k = 0; k < waves; k += 2) {
    const at = (<usize>k) << 3;
    const f = f64x2.mul(f64x2.splat(first), f64x2(<f64>k, <f64>(k + 1)));
    const cr = v128.load(exponents + 2 * row + at);
    const ci = v128.load(exponents + 3 * row + at);
    const er = f64x2.add(v128.load(exponents + at), f64x2.mul(f64x2.splat(extra), cr));
    const ei = f64x2.add(v128.load(exponents + row + at), f64x2.mul(f64x2.splat(extra), ci));
    // Of pixels with the least light, and what one more `step` of light multiplies it by.
    const damping = f64x2.mul(f64x2.splat(-noise * noise * 0.5), f64x2.mul(f, f));
    const logarithm = f64x2.add(damping, f64x2.mul(f64x2.splat(photons), er));
    const angle = f64x2.sub(f64x2.mul(f64x2.splat(photons), ei), f64x2.mul(f, f64x2.splat(place)));
    polar(f64x2.pmax(logarithm, f64x2.splat(-700)), angle, parts + at, row);
    polar(f64x2.mul(f64x2.splat(step), er), f64x2.mul(f64x2.splat(step), ei), parts + at + 2 * row, row);
    addLight(weights, values, parts + at, row);
    const a = v128.load(parts + at);
    const b = v128.load(parts + at + row);
    const byLight = f64x2.mul(f64x2.splat(step), v128.load(parts + at + 2 * row));
    const turning = f64x2.mul(f64x2.splat(step), v128.load(parts + at + 3 * row));
    // The derivative by the exponent.
    const ar = f64x2.add(f64x2.mul(f64x2.splat(photons), a), byLight);
    const ai = f64x2.add(f64x2.mul(f64x2.splat(photons), b), turning);
    const byNoise = f64x2.mul(f64x2.splat(-noise), f64x2.mul(f, f));
    const levelReal = f64x2.div(er, f64x2.splat(-photon));
    const levelImaginary = f64x2.sub(f64x2.div(ei, f64x2.splat(-photon)), f);
    put(parts + at, row, a, b);
    put(parts + at + 2 * row, row, f64x2.mul(a, byNoise), f64x2.mul(b, byNoise));
    put(parts + at + 4 * row, row, real(ar, ai, cr, ci), imaginary(ar, ai, cr, ci));
    put(parts + at + 6 * row, row, real(a, b, levelReal, levelImaginary), imaginary(a, b, levelReal, levelImaginary));
  }
  // The first wave counts half.
  for (let part = 0; part < 8; part++) store<f64>(parts + part * row, load<f64>(parts + part * row) * 0.5);
}

function put(at: usize, row: usize, x: v128, y: v128): void {
  v128.store(at, x);
  v128.store(at + row, y);
}

function real(a: v128, b: v128, x: v128, y: v128): v128 {
  return f64x2.sub(f64x2.mul(a, x), f64x2.mul(b, y));
}

function imaginary(a: v128, b: v128, x: v128, y: v128): v128 {
  return f64x2.add(f64x2.mul(a, y), f64x2.mul(b, x));
}

/**
 * Of x + iy and z in the rows at `at`: (x + iy) Σ weight z^n and (x + iy) Σ n weight z^n in their place, by Horner's
 * rule.
 */
function addLight(weights: usize, values: i32, at: usize, row: usize): void {
  const x = v128.load(at);
  const y = v128.load(at + row);
  const zr = v128.load(at + 2 * row);
  const zi = v128.load(at + 3 * row);
  let sr = f64x2.splat(load<f64>(weights + ((<usize>(values - 1)) << 3)));
  let si = f64x2.splat(0);
  let nr = f64x2.mul(sr, f64x2.splat(<f64>(values - 1)));
  let ni = si;
  for (let n = values - 2; n >= 0; n--) {
    const weight = load<f64>(weights + ((<usize>n) << 3));
    const s = f64x2.add(real(sr, si, zr, zi), f64x2.splat(weight));
    const m = f64x2.add(real(nr, ni, zr, zi), f64x2.splat(<f64>n * weight));
    si = imaginary(sr, si, zr, zi);
    ni = imaginary(nr, ni, zr, zi);
    sr = s;
    nr = m;
  }
  put(at, row, real(x, y, sr, si), imaginary(x, y, sr, si));
  put(at + 2 * row, row, real(x, y, nr, ni), imaginary(x, y, nr, ni));
}

/**
 * Adds up waves in the bins from `low` to before `high`, of four sums: Σ cosine · real − sine · imaginary. Parts are f64
 * [8][waves], real and imaginary of each sum in turn; cosines and sines f64 [waves][bins], sums f64 [4][bins]. One bin
 * more may be written.
 */
export function sumWaves(
  low: i32,
  high: i32,
  parts: usize,
  waves: i32,
  bins: i32,
  cosines: usize,
  sines: usize,
  sums: usize,
): void {
  const row = (<usize>waves) << 3;
  const step = (<usize>bins) << 3;
  for (let j = low; j < high; j += 2) {
    const at = (<usize>j) << 3;
    let a = f64x2.splat(0);
    let b = a;
    let c = a;
    let d = a;
    for (let k = 0; k < waves; k++) {
      const cosine = v128.load(cosines + at + <usize>k * step);
      const sine = v128.load(sines + at + <usize>k * step);
      const part = parts + ((<usize>k) << 3);
      a = f64x2.add(a, shareOf(part, row, cosine, sine));
      b = f64x2.add(b, shareOf(part + 2 * row, row, cosine, sine));
      c = f64x2.add(c, shareOf(part + 4 * row, row, cosine, sine));
      d = f64x2.add(d, shareOf(part + 6 * row, row, cosine, sine));
    }
    v128.store(sums + at, a);
    v128.store(sums + at + step, b);
    v128.store(sums + at + 2 * step, c);
    v128.store(sums + at + 3 * step, d);
  }
}

function shareOf(part: usize, row: usize, cosine: v128, sine: v128): v128 {
  return f64x2.sub(f64x2.mul(cosine, v128.load64_splat(part)), f64x2.mul(sine, v128.load64_splat(part + row)));
}

/**
 * Of counts in the bins from `low` to before `high`: slopes of the likelihood by noise, cloud and level, and its
 * curvature: noise², noise·cloud, cloud², noise·level, cloud·level, level². Nine f64 to `out`. The height of the peak is
 * free.
 * @param sums - of {@link sumWaves}, of which the peak is made at least 10⁻⁹
 * @param counts - of bin 0
 */
export function peakScores(low: i32, high: i32, bins: i32, sums: usize, counts: usize, out: usize): void {
  const step = (<usize>bins) << 3;
  let counted: f64 = 0;
  let expected: f64 = 0;
  let noise: f64 = 0;
  let cloud: f64 = 0;
  let level: f64 = 0;
  for (let j = low; j < high; j++) {
    const at = (<usize>j) << 3;
    const peak = max(load<f64>(sums + at), 1e-9);
    store<f64>(sums + at, peak);
    counted += load<f64>(counts + at);
    expected += peak;
    noise += load<f64>(sums + at + step);
    cloud += load<f64>(sums + at + 2 * step);
    level += load<f64>(sums + at + 3 * step);
  }
  const scale = counted / expected;
  memory.fill(out, 0, 72);
  for (let j = low; j < high; j++) {
    const at = (<usize>j) << 3;
    const m = load<f64>(sums + at);
    const each = 1 / m;
    const excess = load<f64>(counts + at) * each;
    const weight = scale * each;
    const n = load<f64>(sums + at + step) - (noise / expected) * m;
    const c = load<f64>(sums + at + 2 * step) - (cloud / expected) * m;
    const l = load<f64>(sums + at + 3 * step) - (level / expected) * m;
    addTwo(out, n, c, excess);
    store<f64>(out + 16, load<f64>(out + 16) + l * excess);
    addTwo(out + 24, n * n, n * c, weight);
    addTwo(out + 40, c * c, n * l, weight);
    addTwo(out + 56, c * l, l * l, weight);
  }
}

function addTwo(at: usize, x: f64, y: f64, factor: f64): void {
  v128.store(at, f64x2.add(v128.load(at), f64x2.mul(f64x2(x, y), f64x2.splat(factor))));
}
