// AssemblyScript with v128: lit pixels and photons by threshold, for kernels/reduce.ts.

import { addReal, note } from "./cells.ts";

/**
 * Writes the largest whole number of each pixel that less its dark (f64) is below `least`, from 0 to 65535; 65535 where
 * the dark is not a number. An even number of pixels.
 */
export function limitsU16(dark: usize, n: i32, least: f64, limits: usize): void {
  const leasts = f64x2.splat(least);
  const one = f64x2.splat(1);
  const greatest = f64x2.splat(65535);
  for (let i = 0; i < n; i += 2) {
    const level = v128.load(dark + ((<usize>i) << 3));
    // What is looked for is near; numbers at or above `least` take one off each.
    const x = f64x2.ceil(f64x2.add(level, leasts));
    const first = v128.and(f64x2.ge(f64x2.sub(x, level), leasts), one);
    const before = f64x2.sub(x, one);
    const second = v128.and(f64x2.ge(f64x2.sub(before, level), leasts), one);
    const limit = f64x2.pmin(greatest, f64x2.sub(f64x2.sub(x, first), second));
    const whole = i32x4.trunc_sat_f64x2_u_zero(limit);
    v128.store32_lane(limits + ((<usize>i) << 1), i16x8.narrow_i32x4_u(whole, whole), 0);
  }
}

/** Pixels of which each eighth is counted in 16 bits. */
const COUNTED: i32 = 32768;

/** Adds how many pixels of each image are above their limits to the totals (f64) of the images. */
export function countsU16(frames: usize, count: i32, stride: usize, n: i32, limits: usize, totals: usize): void {
  const whole = n & ~7;
  const zero = i16x8.splat(0);
  for (let k = 0; k < count; k++) {
    const frame = frames + <usize>k * stride;
    let found = whole;
    for (let first = 0; first < whole; first += COUNTED) {
      // Of pixels that are not above them, from 0 down: true is −1.
      let counts = zero;
      for (let i = first; i < min(whole, first + COUNTED); i += 8) {
        const at = (<usize>i) << 1;
        const over = i16x8.sub_sat_u(v128.load(frame + at), v128.load(limits + at));
        counts = i16x8.add(counts, i16x8.eq(over, zero));
      }
      found += lanesOf(i32x4.extadd_pairwise_i16x8_s(counts));
    }
    for (let i = whole; i < n; i++) {
      const at = (<usize>i) << 1;
      if (load<u16>(frame + at) > load<u16>(limits + at)) found++;
    }
    addReal(totals + ((<usize>k) << 3), found);
  }
}

/** Sum of four 32-bit numbers. */
function lanesOf(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
}

/** Photons of a pixel above its limit, by the rule of src/reduce/reducers/photon-finder.ts. */
function photonsIn(pixel: usize, dark: usize, adu: f64, threshold: f64): f64 {
  let x = <f64>load<u16>(pixel);
  if (dark !== 0) x = <f64>(<f32>(x - load<f64>(dark)));
  return max<f64>(1, floor<f64>(x / adu - threshold) + 1);
}

/**
 * Adds the photons of each pixel to its u32 sum, and those of each image to its total (f64). Pixels at most `most` above
 * their limit have one. `counts`: scratch of 16 bytes for each image; so at most 2^18 pixels.
 */
export function photonsU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  limits: usize,
  most: i32,
  dark: usize,
  adu: f64,
  threshold: f64,
  photons: usize,
  totals: usize,
  counts: usize,
): void {
  const whole = n & ~7;
  const ones = i16x8.splat(1);
  const mosts = i16x8.splat(<i16>most);
  const zero = i16x8.splat(0);
  for (let k = 0; k < count; k++) v128.store(counts + ((<usize>k) << 4), zero);
  for (let i = 0; i < whole; i += 8) {
    const limit = v128.load(limits + ((<usize>i) << 1));
    let frame = frames + ((<usize>i) << 1);
    let lit = zero;
    let further = zero;
    for (let k = 0; k < count; k++) {
      const over = i16x8.sub_sat_u(v128.load(frame), limit);
      const has = i16x8.ne(over, zero);
      const at = counts + ((<usize>k) << 4);
      // True is −1.
      v128.store(at, i16x8.sub(v128.load(at), has));
      lit = i16x8.sub(lit, has);
      further = v128.or(further, i16x8.gt_u(over, mosts));
      frame += stride;
    }
    if (!v128.any_true(lit)) continue;
    const sums = photons + ((<usize>i) << 2);
    v128.store(sums, i32x4.add(v128.load(sums), i32x4.extend_low_i16x8_s(lit)));
    v128.store(sums, i32x4.add(v128.load(sums, 16), i32x4.extend_high_i16x8_s(lit)), 16);
    if (!v128.any_true(further)) continue;
    for (let k = 0; k < count; k++) {
      const first = frames + <usize>k * stride;
      const over = i16x8.sub_sat_u(v128.load(first + ((<usize>i) << 1)), limit);
      for (let lanes = i16x8.bitmask(i16x8.gt_u(over, mosts)); lanes !== 0; lanes &= lanes - 1) {
        const j = <usize>(i + ctz<i32>(lanes));
        const more = photonsIn(first + (j << 1), dark === 0 ? 0 : dark + (j << 3), adu, threshold) - 1;
        addReal(totals + ((<usize>k) << 3), more);
        store<u32>(photons + (j << 2), load<u32>(photons + (j << 2)) + <u32>(<u64>more));
      }
    }
  }
  for (let k = 0; k < count; k++) {
    const frame = frames + <usize>k * stride;
    let found: f64 = lanesOf(i32x4.dot_i16x8_s(v128.load(counts + ((<usize>k) << 4)), ones));
    for (let i = whole; i < n; i++) {
      const j = <usize>i;
      if (load<u16>(frame + (j << 1)) <= load<u16>(limits + (j << 1))) continue;
      const more = photonsIn(frame + (j << 1), dark === 0 ? 0 : dark + (j << 3), adu, threshold);
      found += more;
      store<u32>(photons + (j << 2), load<u32>(photons + (j << 2)) + <u32>(<u64>more));
    }
    addReal(totals + ((<usize>k) << 3), found);
  }
}

/** Writes the numbers of f32 pixels from `least` on to `found`; infinite ones are left out. Gives how many. */
export function fromF32(pixels: usize, n: i32, least: f32, found: usize): i32 {
  const whole = n & ~3;
  const leasts = f32x4.splat(least);
  const infinite = f32x4.splat(Infinity);
  let count = 0;
  for (let i = 0; i < whole; i += 4) {
    const x = v128.load(pixels + ((<usize>i) << 2));
    const over = v128.and(f32x4.ge(x, leasts), f32x4.lt(x, infinite));
    if (!v128.any_true(over)) continue;
    for (let lanes = i32x4.bitmask(over); lanes !== 0; lanes &= lanes - 1)
      count = note(found, count, i + ctz<i32>(lanes));
  }
  for (let i = whole; i < n; i++) {
    const x = load<f32>(pixels + ((<usize>i) << 2));
    if (x >= least && x < Infinity) count = note(found, count, i);
  }
  return count;
}
