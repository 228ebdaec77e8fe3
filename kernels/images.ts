// AssemblyScript with v128: what is done to one image where it lies. Compiled by scripts/build-kernels.ts, called from
// src/reduce/images/in-place.ts and src/reduce/reducers/hits.ts. Addresses are in bytes, `n` counts pixels. Whatever
// rounds here, rounds as the plain code in src/reduce does: same bits.

import { above8, fourFrom, pixelAt } from "./pixels.ts";

/** Two f32 numbers of a difference in double precision. */
function less(x: v128, dark: usize): v128 {
  return f32x4.demote_f64x2_zero(f64x2.sub(x, v128.load(dark)));
}

function joined(low: v128, high: v128): v128 {
  return v128.shuffle<i64>(low, high, 0, 2);
}

/**
 * Writes u16 pixels of `count` images, `stride` apart, as f32 ones, `outStride` apart, less the dark (f64; none when `dark`
 * is 0).
 */
export function differencesU16(
  pixels: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  out: usize,
  outStride: usize,
): void {
  const whole = n & ~7;
  for (let i = 0; i < whole; i += 8) {
    let from = pixels + ((<usize>i) << 1);
    let to = out + ((<usize>i) << 2);
    if (dark === 0) {
      for (let k = 0; k < count; k++, from += stride, to += outStride) {
        const x = v128.load(from);
        v128.store(to, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(x)));
        v128.store(to, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(x)), 16);
      }
      continue;
    }
    const level = dark + ((<usize>i) << 3);
    const first = v128.load(level);
    const second = v128.load(level, 16);
    const third = v128.load(level, 32);
    const fourth = v128.load(level, 48);
    for (let k = 0; k < count; k++, from += stride, to += outStride) {
      const x = v128.load(from);
      const a = i32x4.extend_low_i16x8_u(x);
      const b = i32x4.extend_high_i16x8_u(x);
      v128.store(to, joined(lessLevel(a, first), lessLevel(v128.shuffle<i64>(a, a, 1, 0), second)));
      v128.store(to, joined(lessLevel(b, third), lessLevel(v128.shuffle<i64>(b, b, 1, 0), fourth)), 16);
    }
  }
  for (let k = 0; k < count; k++)
    for (let i = whole; i < n; i++) {
      let x = <f64>load<u16>(pixels + <usize>k * stride + ((<usize>i) << 1));
      if (dark !== 0) x -= load<f64>(dark + ((<usize>i) << 3));
      store<f32>(out + <usize>k * outStride + ((<usize>i) << 2), <f32>x);
    }
}

/** The first two of four whole numbers less two levels, as f32. */
function lessLevel(x: v128, level: v128): v128 {
  return f32x4.demote_f64x2_zero(f64x2.sub(f64x2.convert_low_i32x4_s(x), level));
}

/** Takes the dark off f32 pixels; `out` may be `pixels`. */
export function differenceF32(pixels: usize, n: i32, dark: usize, out: usize): void {
  const whole = n & ~3;
  for (let i = 0; i < whole; i += 4) {
    const at = (<usize>i) << 2;
    const x = v128.load(pixels + at);
    const from = dark + ((<usize>i) << 3);
    const low = less(f64x2.promote_low_f32x4(x), from);
    const high = less(f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)), from + 16);
    v128.store(out + at, joined(low, high));
  }
  for (let i = whole; i < n; i++) {
    const at = (<usize>i) << 2;
    store<f32>(out + at, <f32>(<f64>load<f32>(pixels + at) - load<f64>(dark + ((<usize>i) << 3))));
  }
}

/** Multiplies f32 pixels by `factor`, or by factors of their own (f64) when `factors` is not 0. */
export function multiplyF32(pixels: usize, n: i32, factor: f64, factors: usize): void {
  const whole = n & ~3;
  let low = f64x2.splat(factor);
  let high = low;
  for (let i = 0; i < whole; i += 4) {
    const at = pixels + ((<usize>i) << 2);
    const x = v128.load(at);
    if (factors !== 0) {
      low = v128.load(factors + ((<usize>i) << 3));
      high = v128.load(factors + ((<usize>i) << 3), 16);
    }
    const a = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.promote_low_f32x4(x), low));
    const b = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)), high));
    v128.store(at, joined(a, b));
  }
  for (let i = whole; i < n; i++) {
    const at = pixels + ((<usize>i) << 2);
    const by = factors === 0 ? factor : load<f64>(factors + ((<usize>i) << 3));
    store<f32>(at, <f32>(<f64>load<f32>(at) * by));
  }
}

/** Replaces f32 pixels below `low` or above `high`; NaN stays. */
export function betweenF32(pixels: usize, n: i32, low: f32, high: f32, replaced: f32): void {
  const whole = n & ~3;
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  const other = f32x4.splat(replaced);
  for (let i = 0; i < whole; i += 4) {
    const at = pixels + ((<usize>i) << 2);
    const x = v128.load(at);
    v128.store(at, v128.bitselect(other, x, v128.or(f32x4.lt(x, lows), f32x4.gt(x, highs))));
  }
  for (let i = whole; i < n; i++) {
    const at = pixels + ((<usize>i) << 2);
    const x = load<f32>(at);
    if (x < low || x > high) store<f32>(at, replaced);
  }
}

/** How many f32 pixels are from `least` on; infinite ones are left out. */
export function litF32(pixels: usize, n: i32, least: f32): i32 {
  const whole = n & ~3;
  const leasts = f32x4.splat(least);
  const infinite = f32x4.splat(Infinity);
  let counts = i32x4.splat(0);
  for (let i = 0; i < whole; i += 4) {
    const x = v128.load(pixels + ((<usize>i) << 2));
    // True is −1.
    counts = i32x4.sub(counts, v128.and(f32x4.ge(x, leasts), f32x4.lt(x, infinite)));
  }
  let count = i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1);
  count += i32x4.extract_lane(counts, 2) + i32x4.extract_lane(counts, 3);
  for (let i = whole; i < n; i++) {
    const x = load<f32>(pixels + ((<usize>i) << 2));
    if (x >= least && x < Infinity) count++;
  }
  return count;
}

/** The rule of src/reduce/reducers/hits.ts for the lit pixel `i`. */
function isPeak<T>(image: usize, dark: usize, i: i32, columns: i32, snr: f64): bool {
  // From two pixels to the left on: lanes 1 to 3 are among the 3 × 3.
  const before = fourFrom<T>(image, dark, i - columns - 2);
  const same = fourFrom<T>(image, dark, i - 2);
  const after = fourFrom<T>(image, dark, i + columns - 2);
  const value = f32x4.extract_lane(same, 2);
  const values = f32x4.splat(value);
  if ((i32x4.bitmask(f32x4.ge(before, values)) & 0b1110) !== 0) return false;
  if ((i32x4.bitmask(f32x4.gt(after, values)) & 0b1110) !== 0) return false;
  if (f32x4.extract_lane(same, 1) >= value || f32x4.extract_lane(same, 3) > value) return false;
  // The ring of 16 pixels around them, in order.
  const up = i - 2 * columns;
  const down = i + 2 * columns;
  const second = ringPart(
    pixelAt<T>(image, dark, up + 2),
    f32x4.extract_lane(before, 0),
    pixelAt<T>(image, dark, i - columns + 2),
    f32x4.extract_lane(same, 0),
  );
  const third = ringPart(
    pixelAt<T>(image, dark, i + 2),
    f32x4.extract_lane(after, 0),
    pixelAt<T>(image, dark, i + columns + 2),
    pixelAt<T>(image, dark, down - 2),
  );
  const first = fourFrom<T>(image, dark, up - 2);
  const fourth = fourFrom<T>(image, dark, down - 1);
  let sums = f64x2.splat(0);
  let number: f64 = 16;
  if (areFinite(first) && areFinite(second) && areFinite(third) && areFinite(fourth))
    sums = addBelow(addBelow(addBelow(addBelow(sums, first, value), second, value), third, value), fourth, value);
  else {
    number = 0;
    for (let k = 0; k < 16; k++) {
      const four = k < 4 ? first : k < 8 ? second : k < 12 ? third : fourth;
      const below = <f64>laneOf(four, k & 3) - <f64>value;
      if (below - below !== 0) continue;
      number += 1;
      sums = f64x2.add(sums, f64x2.replace_lane(f64x2.splat(below), 1, below * below));
    }
  }
  if (number < 8) return false;
  const mean = f64x2.extract_lane(sums, 0) / number;
  const square = f64x2.extract_lane(sums, 1) / number;
  return mean < 0 && -mean >= snr * sqrt<f64>(max<f64>(0, square - mean * mean));
}

function ringPart(a: f32, b: f32, c: f32, d: f32): v128 {
  return f32x4.replace_lane(f32x4.replace_lane(f32x4.replace_lane(f32x4.splat(a), 1, b), 2, c), 3, d);
}

function areFinite(four: v128): bool {
  return i32x4.all_true(f32x4.eq(f32x4.sub(four, four), f32x4.splat(0)));
}

function laneOf(four: v128, k: i32): f32 {
  if (k === 0) return f32x4.extract_lane(four, 0);
  if (k === 1) return f32x4.extract_lane(four, 1);
  return k === 2 ? f32x4.extract_lane(four, 2) : f32x4.extract_lane(four, 3);
}

/** Adds how far four pixels are above a value, and its square, one after the other: both sums in one vector. */
function addBelow(sums: v128, four: v128, value: f32): v128 {
  const values = f64x2.splat(value);
  const low = f64x2.sub(f64x2.promote_low_f32x4(four), values);
  const high = f64x2.sub(f64x2.promote_low_f32x4(v128.shuffle<i64>(four, four, 1, 0)), values);
  const lowSquares = f64x2.mul(low, low);
  const highSquares = f64x2.mul(high, high);
  sums = f64x2.add(sums, v128.shuffle<i64>(low, lowSquares, 0, 2));
  sums = f64x2.add(sums, v128.shuffle<i64>(low, lowSquares, 1, 3));
  sums = f64x2.add(sums, v128.shuffle<i64>(high, highSquares, 0, 2));
  return f64x2.add(sums, v128.shuffle<i64>(high, highSquares, 1, 3));
}

/** How many peaks there are among f32 pixels from `least` on. */
export function peaksF32(pixels: usize, rows: i32, columns: i32, least: f32, snr: f64): i32 {
  const leasts = f32x4.splat(least);
  const infinite = f32x4.splat(Infinity);
  let count = 0;
  for (let r = 2; r < rows - 2; r++) {
    const end = (r + 1) * columns - 2;
    let i = r * columns + 2;
    for (; i + 4 <= end; i += 4) {
      const x = v128.load(pixels + ((<usize>i) << 2));
      const lit = v128.and(f32x4.ge(x, leasts), f32x4.lt(x, infinite));
      if (!v128.any_true(lit)) continue;
      for (let lanes = i32x4.bitmask(lit); lanes !== 0; lanes &= lanes - 1)
        if (isPeak<f32>(pixels, 0, i + ctz<i32>(lanes), columns, snr)) count++;
    }
    for (; i < end; i++) {
      const value = load<f32>(pixels + ((<usize>i) << 2));
      if (value >= least && value < Infinity && isPeak<f32>(pixels, 0, i, columns, snr)) count++;
    }
  }
  return count;
}

/** The same of u16 pixels less the dark, among those above their limits (u16), in the rows from `first` to before `last`. */
export function peaksU16(
  pixels: usize,
  first: i32,
  last: i32,
  rows: i32,
  columns: i32,
  dark: usize,
  limits: usize,
  snr: f64,
): i32 {
  let count = 0;
  for (let r = max(2, first), before = min(rows - 2, last); r < before; r++) {
    const end = (r + 1) * columns - 2;
    let i = r * columns + 2;
    for (; i + 8 <= end; i += 8) {
      for (let lanes = above8(pixels, limits, i); lanes !== 0; lanes &= lanes - 1)
        if (isPeak<u16>(pixels, dark, i + ctz<i32>(lanes), columns, snr)) count++;
    }
    for (; i < end; i++) {
      const at = (<usize>i) << 1;
      if (load<u16>(pixels + at) > load<u16>(limits + at) && isPeak<u16>(pixels, dark, i, columns, snr)) count++;
    }
  }
  return count;
}
