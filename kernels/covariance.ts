// AssemblyScript with v128: compiled by scripts/build-kernels.ts, called from src/reduce/reducers/covariance.
// Addresses and strides are in bytes. Whatever rounds here, rounds as the plain code there does: same bits.
import { COARSE, GRID, onGrid, rounded } from "./grid.ts";

/** As in src/reduce/reducers/covariance/sums.ts. */
const FOUR: f64 = COARSE * 256.0;
const FOUR_REST: f64 = GRID * 256.0;
const THREE: f64 = COARSE * 16.0;
const THREE_REST: f64 = GRID * 16.0;

/** Pixels that are looked at together: whether their products with numbers of several images add exactly. */
const BLOCK: i32 = 64;

/** Whether pixels of all images are within `limit` of their levels (u16); a multiple of 8. */
export function areNear(frames: usize, count: i32, stride: usize, n: i32, levels: usize, limit: i32): boolean {
  const limits = i16x8.splat(<i16>limit);
  let beyond = i16x8.splat(0);
  for (let i = 0; i < n; i += 8) {
    const at = (<usize>i) << 1;
    let low = i16x8.splat(-1);
    let high = i16x8.splat(0);
    let frame = frames + at;
    for (let k = 0; k < count; k++) {
      const x = v128.load(frame);
      low = i16x8.min_u(low, x);
      high = i16x8.max_u(high, x);
      frame += stride;
    }
    const level = v128.load(levels + at);
    const off = i16x8.max_u(i16x8.sub_sat_u(high, level), i16x8.sub_sat_u(level, low));
    beyond = v128.or(beyond, i16x8.sub_sat_u(off, limits));
  }
  return !v128.any_true(beyond);
}

/** Adds `x` to sums in two parts, of which the lower ones are `step` further. */
function addParts(upper: usize, step: usize, x: v128, coarse: f64, fine: f64): void {
  const high = rounded(x, coarse);
  const lower = upper + step;
  v128.store(upper, f64x2.add(v128.load(upper), high));
  v128.store(lower, f64x2.add(v128.load(lower), rounded(f64x2.sub(x, high), fine)));
}

/**
 * Adds two pixels of some images, less their levels (u16), to the twelve sums of src/reduce/reducers/covariance/sums.ts.
 * `numbers`: five f64 of each image. More than one image only where all products and their sums are exact.
 */
function covaryPair(
  frame: usize,
  count: i32,
  stride: usize,
  levels: usize,
  numbers: usize,
  sums: usize,
  step: usize,
): void {
  const level = i32x4.extend_low_i16x8_u(v128.load32_zero(levels));
  let sum = f64x2.splat(0);
  let squares = f64x2.splat(0);
  let products = f64x2.splat(0);
  let rests = f64x2.splat(0);
  let left = f64x2.splat(0);
  let right = f64x2.splat(0);
  let fourHigh = f64x2.splat(0);
  let fourLow = f64x2.splat(0);
  for (let k = 0; k < count; k++) {
    const x = f64x2.convert_low_i32x4_s(i32x4.sub(i32x4.extend_low_i16x8_u(v128.load32_zero(frame)), level));
    const square = f64x2.mul(x, x);
    const y = v128.load64_splat(numbers);
    sum = f64x2.add(sum, x);
    squares = f64x2.add(squares, square);
    products = f64x2.add(products, f64x2.mul(x, y));
    rests = f64x2.add(rests, f64x2.mul(x, v128.load64_splat(numbers, 8)));
    left = f64x2.add(left, f64x2.mul(square, y));
    right = f64x2.add(right, f64x2.mul(x, v128.load64_splat(numbers, 16)));
    fourHigh = f64x2.add(fourHigh, f64x2.mul(square, v128.load64_splat(numbers, 24)));
    fourLow = f64x2.add(fourLow, f64x2.mul(square, v128.load64_splat(numbers, 32)));
    frame += stride;
    numbers += 40;
  }
  addSums(sums, step, 1, sum, squares, products, onGrid(rests), left, right, fourHigh, fourLow);
}

/** Four i32 numbers, the first or last two of them as f64. */
function firstTwo(x: v128): v128 {
  return f64x2.convert_low_i32x4_s(x);
}

function lastTwo(x: v128): v128 {
  return f64x2.convert_low_i32x4_s(v128.shuffle<i64>(x, x, 1, 0));
}

/** x · 2^upper + y · 2^lower. */
function scaledTwo(x: v128, upper: f64, y: v128, lower: f64): v128 {
  return f64x2.add(f64x2.mul(x, f64x2.splat(upper)), f64x2.mul(y, f64x2.splat(lower)));
}

function addTwo(at: usize, x: v128): void {
  v128.store(at, f64x2.add(v128.load(at), x));
}

/** Adds sums of two pixels, with the upper parts (`isDeep`) or, exact ones, to the lower parts alone. */
function addSums(
  sums: usize,
  step: usize,
  isDeep: i32,
  x: v128,
  square: v128,
  product: v128,
  rest: v128,
  left: v128,
  right: v128,
  fourHigh: v128,
  fourLow: v128,
): void {
  addTwo(sums, x);
  addTwo(sums + 5 * step, rest);
  if (isDeep) {
    addParts(sums + step, step, square, COARSE, GRID);
    addParts(sums + 3 * step, step, product, COARSE, GRID);
    addParts(sums + 6 * step, step, left, THREE, THREE_REST);
    addParts(sums + 8 * step, step, right, THREE, THREE_REST);
    addParts(sums + 10 * step, step, fourHigh, FOUR, FOUR_REST);
    addParts(sums + 10 * step, step, fourLow, FOUR, FOUR_REST);
  } else {
    addTwo(sums + 2 * step, square);
    addTwo(sums + 4 * step, product);
    addTwo(sums + 7 * step, left);
    addTwo(sums + 9 * step, right);
    addTwo(sums + 11 * step, f64x2.add(fourHigh, fourLow));
  }
}

/**
 * Adds four pixels of at most 8 images by products of 16-bit numbers, two images at a time: pixels at most 2^13 off
 * their levels. Their squares are 2^14 w1 + w0. `pairs`: of each two images 4 × 2 i16: d, the number in steps of 2^−6;
 * its rest in steps of 2^−20; e1 and e0, of which d² is 2^15 e1 + e0.
 */
function covaryFour(
  frame: usize,
  count: i32,
  stride: usize,
  levels: usize,
  pairs: usize,
  sums: usize,
  step: usize,
  isDeep: i32,
): void {
  const zero = i32x4.splat(0);
  const ones = i16x8.splat(1);
  const four = v128.load64_zero(levels);
  const level = v128.shuffle<i16>(four, four, 0, 0, 1, 1, 2, 2, 3, 3);
  let x1 = zero;
  let x2 = zero;
  let xd = zero;
  let xr = zero;
  let xe1 = zero;
  let xe0 = zero;
  let w1d = zero;
  let w0d = zero;
  let w1e1 = zero;
  let w1e0 = zero;
  let w0e1 = zero;
  let w0e0 = zero;
  for (let k = 0; k < count; k += 2) {
    const a = v128.load64_zero(frame);
    const b = k + 1 < count ? v128.load64_zero(frame + stride) : four;
    const x = i16x8.sub(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), level);
    const w1 = i16x8.q15mulr_sat_s(x, i16x8.add(x, x));
    const w0 = i16x8.sub(i16x8.mul(x, x), i16x8.shl(w1, 14));
    const d = v128.load32_splat(pairs);
    const e1 = v128.load32_splat(pairs, 8);
    const e0 = v128.load32_splat(pairs, 12);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(x, ones));
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(x, x));
    xd = i32x4.add(xd, i32x4.dot_i16x8_s(x, d));
    xr = i32x4.add(xr, i32x4.dot_i16x8_s(x, v128.load32_splat(pairs, 4)));
    xe1 = i32x4.add(xe1, i32x4.dot_i16x8_s(x, e1));
    xe0 = i32x4.add(xe0, i32x4.dot_i16x8_s(x, e0));
    w1d = i32x4.add(w1d, i32x4.dot_i16x8_s(w1, d));
    w0d = i32x4.add(w0d, i32x4.dot_i16x8_s(w0, d));
    w1e1 = i32x4.add(w1e1, i32x4.dot_i16x8_s(w1, e1));
    w1e0 = i32x4.add(w1e0, i32x4.dot_i16x8_s(w1, e0));
    w0e1 = i32x4.add(w0e1, i32x4.dot_i16x8_s(w0, e1));
    w0e0 = i32x4.add(w0e0, i32x4.dot_i16x8_s(w0, e0));
    frame += stride << 1;
    pairs += 16;
  }
  addSums(
    sums,
    step,
    isDeep,
    firstTwo(x1),
    firstTwo(x2),
    f64x2.mul(firstTwo(xd), f64x2.splat(1.0 / 64)),
    f64x2.mul(firstTwo(xr), f64x2.splat(1.0 / 1048576)),
    scaledTwo(firstTwo(w1d), 256, firstTwo(w0d), 1.0 / 64),
    scaledTwo(firstTwo(xe1), 8, firstTwo(xe0), 1.0 / 4096),
    f64x2.mul(firstTwo(w1e1), f64x2.splat(131072)),
    f64x2.add(f64x2.mul(firstTwo(w1e0), f64x2.splat(4)), scaledTwo(firstTwo(w0e1), 8, firstTwo(w0e0), 1.0 / 4096)),
  );
  addSums(
    sums + 16,
    step,
    isDeep,
    lastTwo(x1),
    lastTwo(x2),
    f64x2.mul(lastTwo(xd), f64x2.splat(1.0 / 64)),
    f64x2.mul(lastTwo(xr), f64x2.splat(1.0 / 1048576)),
    scaledTwo(lastTwo(w1d), 256, lastTwo(w0d), 1.0 / 64),
    scaledTwo(lastTwo(xe1), 8, lastTwo(xe0), 1.0 / 4096),
    f64x2.mul(lastTwo(w1e1), f64x2.splat(131072)),
    f64x2.add(f64x2.mul(lastTwo(w1e0), f64x2.splat(4)), scaledTwo(lastTwo(w0e1), 8, lastTwo(w0e0), 1.0 / 4096)),
  );
}

/**
 * Adds pixels of at most 8 images to the lower parts of their sums alone: pixels and numbers so small that these hold
 * them; a multiple of 4.
 */
export function covarySmall(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  levels: usize,
  pairs: usize,
  sums: usize,
  step: usize,
): void {
  for (let i = 0; i < n; i += 4) {
    const at = (<usize>i) << 1;
    covaryFour(frames + at, count, stride, levels + at, pairs, sums + (at << 2), step, 0);
  }
}

/**
 * The same of all pixels, with the upper parts. Where a pixel is more than `limit` off its level, its products with one
 * image after the other are rounded, as the plain code does. `pairs` is 0 for numbers that have no 16 bits. An even
 * number of pixels.
 */
export function covaryU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  levels: usize,
  limit: i32,
  numbers: usize,
  pairs: usize,
  sums: usize,
  step: usize,
): void {
  for (let first = 0; first < n; first += BLOCK) {
    const pixels = min(BLOCK, n - first);
    const frame = frames + ((<usize>first) << 1);
    const level = levels + ((<usize>first) << 1);
    const isExact = (pixels & 7) === 0 && areNear(frame, count, stride, pixels, level, limit);
    const into = sums + ((<usize>first) << 3);
    if (isExact && pairs !== 0) {
      for (let i = 0; i < pixels; i += 4) {
        const at = (<usize>i) << 1;
        covaryFour(frame + at, count, stride, level + at, pairs, into + (at << 2), step, 1);
      }
      continue;
    }
    const together = isExact ? count : 1;
    for (let i = 0; i < pixels; i += 2) {
      const at = (<usize>i) << 1;
      for (let k = 0; k < count; k += together)
        covaryPair(
          frame + at + <usize>k * stride,
          together,
          stride,
          level + at,
          numbers + <usize>k * 40,
          into + (at << 2),
          step,
        );
    }
  }
}

/** Whether one of the sums is `bound` or more off 0. */
export function reach(sums: usize, n: i32, bound: f64): i32 {
  const bounds = f64x2.splat(bound);
  let beyond = f64x2.splat(0);
  for (let i = 0; i < n; i += 2)
    beyond = v128.or(beyond, f64x2.ge(f64x2.abs(v128.load(sums + ((<usize>i) << 3))), bounds));
  return v128.any_true(beyond);
}

/** Moves what is a multiple of a step from the lower parts of sums to the upper ones; `coarse` rounds to the step. */
export function carry(lower: usize, upper: usize, n: i32, coarse: f64): void {
  for (let i = 0; i < n; i += 2) {
    const at = (<usize>i) << 3;
    const x = v128.load(lower + at);
    const high = rounded(x, coarse);
    v128.store(lower + at, f64x2.sub(x, high));
    v128.store(upper + at, f64x2.add(v128.load(upper + at), high));
  }
}

/** To what a product of four numbers is rounded, and one of three. */
const FOUR_STEP: f64 = 1.0 / 4096;
const THREE_STEP: f64 = 1.0 / 65536;
/** Less than this of the largest sum is no more than its last digits say: 2^−42. */
const LEAST_LEFT: f64 = 1.0 / 4398046511104.0;
/** Larger sums may have been rounded, another way in another order. */
const MOST_FOUR: f64 = (COARSE / 1.5) * 256.0;
const MOST_THREE: f64 = (COARSE / 1.5) * 16.0;

// Places of the numbers that are not of a pixel: see src/reduce/reducers/covariance/answers.ts.
const COUNT: usize = 0;
const SCALE: usize = 8;
const Y: usize = 16;
const YY: usize = 40;
const COARSE_Y: usize = 48;
const SQUARES: usize = 72;

/** As `Math.round`. */
function roundTwo(x: v128): v128 {
  const up = f64x2.ceil(x);
  const isOver = f64x2.gt(f64x2.sub(up, f64x2.splat(0.5)), x);
  return f64x2.sub(up, v128.and(isOver, f64x2.splat(1)));
}

/**
 * Σ(a − ā)(b − b̄) from Σab in two parts: about whole pivots near the means, so that little cancels; `off` is Σ(a −
 * pivot), `rest` the mean of b − its pivot. How the sum is shared between its parts does not matter.
 */
function centred(upper: v128, lower: v128, pivot: v128, off: v128, sum: v128, pivotOfB: v128, rest: v128): v128 {
  const whole = f64x2.mul(f64x2.splat(4096), f64x2.floor(f64x2.mul(lower, f64x2.splat(1.0 / 4096))));
  let x = f64x2.sub(f64x2.add(upper, whole), f64x2.mul(pivot, sum));
  x = f64x2.add(f64x2.sub(x, f64x2.mul(pivotOfB, off)), f64x2.sub(lower, whole));
  return f64x2.sub(x, f64x2.mul(off, rest));
}

function sizeOf(a: v128, b: v128): v128 {
  return f64x2.pmax(a, f64x2.abs(b));
}

/** What is not a number in one form. */
function oneNaN(x: v128): v128 {
  return v128.bitselect(x, f64x2.splat(NaN), f64x2.eq(x, x));
}

/**
 * Writes covariance, correlation and error of pixels (f64, `out` and two times `step` further) from their sums. An even
 * number.
 */
export function covariances(sums: usize, step: usize, n: i32, numbers: usize, out: usize): void {
  const zero = f64x2.splat(0);
  const one = f64x2.splat(1);
  const count = v128.load64_splat(numbers, COUNT);
  const inverse = f64x2.div(one, count);
  const scale = v128.load64_splat(numbers, SCALE);
  const ySum = v128.load64_splat(numbers, Y);
  const yPivot = v128.load64_splat(numbers, Y + 8);
  const yRest = f64x2.mul(v128.load64_splat(numbers, Y + 16), inverse);
  const yy = v128.load64_splat(numbers, YY);
  const bSum = v128.load64_splat(numbers, COARSE_Y);
  const bPivot = v128.load64_splat(numbers, COARSE_Y + 8);
  const bRest = f64x2.mul(v128.load64_splat(numbers, COARSE_Y + 16), inverse);
  const squares = v128.load64_splat(numbers, SQUARES);
  const shots = load<f64>(numbers, COUNT);
  for (let i = 0; i < n; i += 2) {
    const at = sums + ((<usize>i) << 3);
    const into = out + ((<usize>i) << 3);
    const x = v128.load(at);
    const squareUpper = v128.load(at + step);
    const squareLower = v128.load(at + 2 * step);
    const productUpper = v128.load(at + 3 * step);
    const productLower = v128.load(at + 4 * step);
    const pivot = roundTwo(f64x2.mul(x, inverse));
    const off = f64x2.sub(x, f64x2.mul(count, pivot));
    const lower = f64x2.add(productLower, v128.load(at + 5 * step));
    const xy = centred(productUpper, lower, pivot, off, ySum, yPivot, yRest);
    const spread = centred(squareUpper, squareLower, pivot, off, x, pivot, f64x2.mul(off, inverse));
    // Rounding could make it less than 0.
    const xx = f64x2.pmax(zero, spread);
    v128.store(into, oneNaN(f64x2.div(f64x2.mul(xy, inverse), scale)));
    const ratio = f64x2.div(xy, f64x2.sqrt(f64x2.mul(xx, yy)));
    const within = f64x2.pmax(f64x2.pmin(ratio, one), f64x2.splat(-1));
    const correlation = oneNaN(v128.bitselect(within, f64x2.splat(NaN), f64x2.gt(xx, zero)));
    v128.store(into + step, correlation);
    const product = centred(productUpper, productLower, pivot, off, bSum, bPivot, bRest);
    const error = errorOf(
      at,
      step,
      f64x2.mul(x, inverse),
      f64x2.div(bSum, count),
      squares,
      product,
      shots,
      f64x2.add(squareUpper, squareLower),
      f64x2.add(productUpper, productLower),
    );
    v128.store(into + 2 * step, oneNaN(f64x2.div(enlarged(error, correlation, count), scale)));
  }
}

/**
 * By how much the scatter of few products is too small an error, in units of pixel and signal: its own scatter is that
 * of χ² of some n / 4 degrees of freedom where pixel and signal vary apart (correlation 0), n / 7 where they vary
 * together, and there the covariance and its error are small at once. With these numbers three errors hold 98.6 to
 * 98.9 % of 20 000 sets of 100 shots by numpy, one error 68 to 71 %.
 */
function enlarged(error: v128, correlation: v128, count: v128): v128 {
  const few = f64x2.add(f64x2.splat(3), f64x2.mul(f64x2.splat(7), f64x2.mul(correlation, correlation)));
  return f64x2.mul(error, f64x2.add(f64x2.splat(1), f64x2.div(few, count)));
}

/**
 * Error of the covariance of two pixels with means `x`, from Σ((x − x̄)(b − b̄) − covariance)², where `product` is
 * Σ(x − x̄)(b − b̄) and `y` the mean of b; NaN where too few digits are left.
 */
function errorOf(
  sums: usize,
  step: usize,
  x: v128,
  y: v128,
  squares: v128,
  product: v128,
  count: f64,
  square: v128,
  xb: v128,
): v128 {
  const leftSum = f64x2.add(v128.load(sums + 6 * step), v128.load(sums + 7 * step));
  const rightSum = f64x2.add(v128.load(sums + 8 * step), v128.load(sums + 9 * step));
  const four = f64x2.add(v128.load(sums + 10 * step), v128.load(sums + 11 * step));
  const byLeft = f64x2.mul(f64x2.mul(f64x2.splat(-2), y), leftSum);
  const byRight = f64x2.mul(f64x2.mul(f64x2.splat(-2), x), rightSum);
  const bySquare = f64x2.mul(f64x2.mul(y, y), square);
  const byProduct = f64x2.mul(f64x2.mul(f64x2.mul(f64x2.splat(4), x), y), xb);
  const byMeans = f64x2.mul(f64x2.mul(f64x2.mul(f64x2.mul(f64x2.splat(-3 * count), x), x), y), y);
  const last = f64x2.mul(f64x2.mul(x, x), squares);
  let left = f64x2.add(f64x2.add(f64x2.add(four, byLeft), bySquare), byRight);
  left = f64x2.add(f64x2.add(f64x2.add(left, byProduct), byMeans), last);
  left = f64x2.sub(left, f64x2.mul(f64x2.mul(product, product), f64x2.splat(1 / count)));
  const largest = sizeOf(
    sizeOf(sizeOf(f64x2.abs(four), byLeft), sizeOf(sizeOf(bySquare, byRight), byProduct)),
    sizeOf(byMeans, last),
  );
  // Ten times what rounding does.
  const sizes = f64x2.mul(f64x2.splat(2 * THREE_STEP), f64x2.add(f64x2.abs(x), f64x2.abs(y)));
  const lost = f64x2.mul(f64x2.splat(10 * sqrt<f64>(count / 12)), f64x2.add(f64x2.splat(FOUR_STEP), sizes));
  const isLeft = v128.and(f64x2.gt(left, f64x2.mul(largest, f64x2.splat(LEAST_LEFT))), f64x2.gt(left, lost));
  const isExact = v128.and(
    f64x2.lt(four, f64x2.splat(MOST_FOUR)),
    f64x2.lt(f64x2.abs(rightSum), f64x2.splat(MOST_THREE)),
  );
  const isKnown = v128.and(isLeft, isExact);
  const ofMean = count < 3 ? NaN : 1 / (count * (count - 1));
  return v128.bitselect(f64x2.sqrt(f64x2.mul(left, f64x2.splat(ofMean))), f64x2.splat(NaN), isKnown);
}
