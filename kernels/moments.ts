// AssemblyScript with v128: sums, squares, products and limits of each pixel, for kernels/reduce.ts.

import { COARSE, onGrid, rounded } from "./grid.ts";
import { SIGN } from "./pixels.ts";

/** Adds the values of each pixel to its u32 sum. */
export function sumU16(frames: usize, count: i32, stride: usize, n: i32, sums: usize): void {
  const whole = n & ~7;
  for (let i = 0; i < whole; i += 8) {
    const at = sums + ((<usize>i) << 2);
    let low = v128.load(at);
    let high = v128.load(at, 16);
    let frame = frames + ((<usize>i) << 1);
    for (let k = 0; k < count; k++) {
      const x = v128.load(frame);
      low = i32x4.add(low, i32x4.extend_low_i16x8_u(x));
      high = i32x4.add(high, i32x4.extend_high_i16x8_u(x));
      frame += stride;
    }
    v128.store(at, low);
    v128.store(at, high, 16);
  }
  for (let i = whole; i < n; i++) {
    const at = sums + ((<usize>i) << 2);
    let sum = load<u32>(at);
    for (let k = 0; k < count; k++) sum += <u32>load<u16>(frames + <usize>k * stride + ((<usize>i) << 1));
    store<u32>(at, sum);
  }
}

/**
 * Adds y = value − 2^15 of each pixel to its i32 sum and y² to its u64 sum. Two frames are interleaved, so that one
 * instruction multiplies and adds the neighbours: |y| ≤ 2^15, so two squares fit 32 bits.
 */
export function momentsU16(frames: usize, count: i32, stride: usize, n: i32, sums: usize, squares: usize): void {
  const sign = i16x8.splat(SIGN);
  const ones = i16x8.splat(1);
  const whole = n & ~7;
  for (let i = 0; i < whole; i += 8) {
    const at = sums + ((<usize>i) << 2);
    const square = squares + ((<usize>i) << 3);
    let low = v128.load(at);
    let high = v128.load(at, 16);
    let q0 = v128.load(square);
    let q1 = v128.load(square, 16);
    let q2 = v128.load(square, 32);
    let q3 = v128.load(square, 48);
    let frame = frames + ((<usize>i) << 1);
    for (let k = 0; k < count; k += 2) {
      const a = v128.xor(v128.load(frame), sign);
      const b = k + 1 < count ? v128.xor(v128.load(frame + stride), sign) : i16x8.splat(0);
      const lows = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
      const highs = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
      low = i32x4.add(low, i32x4.dot_i16x8_s(lows, ones));
      high = i32x4.add(high, i32x4.dot_i16x8_s(highs, ones));
      const lowSquares = i32x4.dot_i16x8_s(lows, lows);
      const highSquares = i32x4.dot_i16x8_s(highs, highs);
      q0 = i64x2.add(q0, i64x2.extend_low_i32x4_u(lowSquares));
      q1 = i64x2.add(q1, i64x2.extend_high_i32x4_u(lowSquares));
      q2 = i64x2.add(q2, i64x2.extend_low_i32x4_u(highSquares));
      q3 = i64x2.add(q3, i64x2.extend_high_i32x4_u(highSquares));
      frame += stride << 1;
    }
    v128.store(at, low);
    v128.store(at, high, 16);
    v128.store(square, q0);
    v128.store(square, q1, 16);
    v128.store(square, q2, 32);
    v128.store(square, q3, 48);
  }
  for (let i = whole; i < n; i++) {
    for (let k = 0; k < count; k++) {
      const y = <i32>load<u16>(frames + <usize>k * stride + ((<usize>i) << 1)) - 32768;
      const at = sums + ((<usize>i) << 2);
      const square = squares + ((<usize>i) << 3);
      store<i32>(at, load<i32>(at) + y);
      store<u64>(square, load<u64>(square) + <u64>(y * y));
    }
  }
}

/** Least and greatest value of each pixel, u16. */
export function rangeU16(frames: usize, count: i32, stride: usize, n: i32, least: usize, greatest: usize): void {
  const whole = n & ~7;
  for (let i = 0; i < whole; i += 8) {
    const at = (<usize>i) << 1;
    let low = v128.load(least + at);
    let high = v128.load(greatest + at);
    let frame = frames + at;
    for (let k = 0; k < count; k++) {
      const x = v128.load(frame);
      low = i16x8.min_u(low, x);
      high = i16x8.max_u(high, x);
      frame += stride;
    }
    v128.store(least + at, low);
    v128.store(greatest + at, high);
  }
  for (let i = whole; i < n; i++) {
    const at = (<usize>i) << 1;
    for (let k = 0; k < count; k++) {
      const x = load<u16>(frames + <usize>k * stride + at);
      store<u16>(least + at, min(load<u16>(least + at), x));
      store<u16>(greatest + at, max(load<u16>(greatest + at), x));
    }
  }
}

/** Adds the values of each pixel, rounded to the grid, to its f64 sum; an even number of pixels. */
export function sumF32(frames: usize, count: i32, stride: usize, n: i32, sums: usize): void {
  for (let i = 0; i < n; i += 2) {
    const at = sums + ((<usize>i) << 3);
    let sum = v128.load(at);
    let frame = frames + ((<usize>i) << 2);
    for (let k = 0; k < count; k++) {
      sum = f64x2.add(sum, onGrid(f64x2.promote_low_f32x4(v128.load64_zero(frame))));
      frame += stride;
    }
    v128.store(at, sum);
  }
}

/** The same, and the squares in two parts; an even number of pixels. */
export function momentsF32(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  sums: usize,
  uppers: usize,
  lowers: usize,
): void {
  for (let i = 0; i < n; i += 2) {
    const at = (<usize>i) << 3;
    let sum = v128.load(sums + at);
    let upper = v128.load(uppers + at);
    let lower = v128.load(lowers + at);
    let frame = frames + ((<usize>i) << 2);
    for (let k = 0; k < count; k++) {
      const x = onGrid(f64x2.promote_low_f32x4(v128.load64_zero(frame)));
      const square = f64x2.mul(x, x);
      const high = rounded(square, COARSE);
      sum = f64x2.add(sum, x);
      upper = f64x2.add(upper, high);
      lower = f64x2.add(lower, onGrid(f64x2.sub(square, high)));
      frame += stride;
    }
    v128.store(sums + at, sum);
    v128.store(uppers + at, upper);
    v128.store(lowers + at, lower);
  }
}

/** Least and greatest value of each pixel, f32, those that are not a number left out; a multiple of 4 pixels. */
export function rangeF32(frames: usize, count: i32, stride: usize, n: i32, least: usize, greatest: usize): void {
  for (let i = 0; i < n; i += 4) {
    const at = (<usize>i) << 2;
    let low = v128.load(least + at);
    let high = v128.load(greatest + at);
    let frame = frames + at;
    for (let k = 0; k < count; k++) {
      const x = v128.load(frame);
      low = f32x4.pmin(low, x);
      high = f32x4.pmax(high, x);
      frame += stride;
    }
    v128.store(least + at, low);
    v128.store(greatest + at, high);
  }
}

/** 2^23: in float32, numbers from here to 2^24 are whole, and their last 23 bits count them. */
const WHOLE: f32 = 8388608.0;
const WHOLE_BITS: i32 = 0x4b000000;

/**
 * Writes f32 values that are whole and from 0 to 65535 as u16; 0 when one is not, and nothing written is of use then.
 */
export function wholeF32(frame: usize, n: i32, out: usize): i32 {
  const shift = f32x4.splat(WHOLE);
  const bits = i32x4.splat(WHOLE_BITS);
  const whole = n & ~7;
  let same = i32x4.splat(-1);
  let any = i32x4.splat(0);
  for (let i = 0; i < whole; i += 8) {
    const at = frame + ((<usize>i) << 2);
    const low = v128.load(at);
    const high = v128.load(at, 16);
    // Rounds to a whole number; what is out of range has bits above the 16th left.
    const lowShifted = f32x4.add(low, shift);
    const highShifted = f32x4.add(high, shift);
    same = v128.and(
      same,
      v128.and(f32x4.eq(f32x4.sub(lowShifted, shift), low), f32x4.eq(f32x4.sub(highShifted, shift), high)),
    );
    const lowWhole = v128.xor(lowShifted, bits);
    const highWhole = v128.xor(highShifted, bits);
    any = v128.or(any, v128.or(lowWhole, highWhole));
    v128.store(out + ((<usize>i) << 1), i16x8.narrow_i32x4_u(lowWhole, highWhole));
  }
  if (!i32x4.all_true(same) || v128.any_true(i32x4.shr_u(any, 16))) return 0;
  for (let i = whole; i < n; i++) {
    const x = load<f32>(frame + ((<usize>i) << 2));
    if (!(x >= 0 && x <= 65535) || floor<f32>(x) !== x) return 0;
    store<u16>(out + ((<usize>i) << 1), <u16>x);
  }
  return 1;
}

/** Two pixels less the dark, as float32. */
function pairLess(pixels: usize, level: v128): v128 {
  const stored = i32x4.extend_low_i16x8_u(v128.load32_zero(pixels));
  return f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(f64x2.sub(f64x2.convert_low_i32x4_s(stored), level)));
}

/**
 * Adds the values x of each pixel, less the dark (f64) as float32, × a factor of the image, on the grid, to its sums with
 * a number y of the image (f64 at `numbers`, the factors behind 8 of them; not a number for an image that is left out):
 * x; x² and xy, each in two parts. `step`: bytes from one sum of all pixels to the next. An even number of pixels.
 */
export function productsU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  numbers: usize,
  sums: usize,
  step: usize,
): void {
  for (let i = 0; i < n; i += 2) {
    const at = sums + ((<usize>i) << 3);
    const level = dark === 0 ? f64x2.splat(0) : v128.load(dark + ((<usize>i) << 3));
    let sum = v128.load(at);
    let squareUpper = v128.load(at + step);
    let squareLower = v128.load(at + 2 * step);
    let productUpper = v128.load(at + 3 * step);
    let productLower = v128.load(at + 4 * step);
    for (let k = 0; k < count; k++) {
      const number = load<f64>(numbers + ((<usize>k) << 3));
      if (!(number - number === 0)) continue;
      const factor = f64x2.splat(load<f64>(numbers + ((<usize>k) << 3), 64));
      const y = f64x2.splat(number);
      const x = onGrid(f64x2.mul(pairLess(frames + <usize>k * stride + ((<usize>i) << 1), level), factor));
      const square = f64x2.mul(x, x);
      const squareHigh = rounded(square, COARSE);
      const product = f64x2.mul(x, y);
      const productHigh = rounded(product, COARSE);
      sum = f64x2.add(sum, x);
      squareUpper = f64x2.add(squareUpper, squareHigh);
      squareLower = f64x2.add(squareLower, onGrid(f64x2.sub(square, squareHigh)));
      productUpper = f64x2.add(productUpper, productHigh);
      productLower = f64x2.add(productLower, onGrid(f64x2.sub(product, productHigh)));
    }
    v128.store(at, sum);
    v128.store(at + step, squareUpper);
    v128.store(at + 2 * step, squareLower);
    v128.store(at + 3 * step, productUpper);
    v128.store(at + 4 * step, productLower);
  }
}
