// AssemblyScript with v128: sums of a region of interest, for kernels/reduce.ts.

import { addReal } from "./cells.ts";
import { COARSE, onGrid, onGrid1 } from "./grid.ts";

/** `x`, or 0 when it is outside the limits; what is not a number stays. */
function unlessOutside(x: f64, low: f64, high: f64): f64 {
  return select<f64>(0, x, x < low || x > high);
}

/** Dark of pixel `i` of a piece; 0 when there is none. */
function levelOf(dark: usize, i: i32): f64 {
  return dark === 0 ? 0 : load<f64>(dark + ((<usize>i) << 3));
}

/**
 * Adds the pixels of each image, less the dark (f64), that are not outside the limits to its sum (f64): in the order of
 * the pixels, as the plain code does. Four images at a time, because each addition waits for the one before it.
 */
export function roiU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  low: f64,
  high: f64,
  sums: usize,
): void {
  let k = 0;
  for (; k + 4 <= count; k += 4) {
    const first = frames + <usize>k * stride;
    const at = sums + ((<usize>k) << 3);
    let a = load<f64>(at);
    let b = load<f64>(at, 8);
    let c = load<f64>(at, 16);
    let d = load<f64>(at, 24);
    for (let i = 0; i < n; i++) {
      const pixel = first + ((<usize>i) << 1);
      const level = levelOf(dark, i);
      a += unlessOutside(<f64>load<u16>(pixel) - level, low, high);
      b += unlessOutside(<f64>load<u16>(pixel + stride) - level, low, high);
      c += unlessOutside(<f64>load<u16>(pixel + 2 * stride) - level, low, high);
      d += unlessOutside(<f64>load<u16>(pixel + 3 * stride) - level, low, high);
    }
    store<f64>(at, a);
    store<f64>(at, b, 8);
    store<f64>(at, c, 16);
    store<f64>(at, d, 24);
  }
  for (; k < count; k++) {
    const first = frames + <usize>k * stride;
    let sum = load<f64>(sums + ((<usize>k) << 3));
    for (let i = 0; i < n; i++)
      sum += unlessOutside(<f64>load<u16>(first + ((<usize>i) << 1)) - levelOf(dark, i), low, high);
    store<f64>(sums + ((<usize>k) << 3), sum);
  }
}

/**
 * Of the pixels of each image less the dark (f64) as float32 that are within finite limits: adds their sum on the grid in
 * two parts, adds how many there are, and raises the greatest (f64 each, at `totals`).
 */
export function roisU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  low: f64,
  high: f64,
  totals: usize,
): void {
  const lows = f64x2.splat(low);
  const highs = f64x2.splat(high);
  const none = f64x2.splat(-Infinity);
  const whole = n & ~1;
  for (let k = 0; k < count; k++) {
    const frame = frames + <usize>k * stride;
    const at = totals + ((<usize>k) << 5);
    let sums = f64x2.splat(0);
    let numbers = i64x2.splat(0);
    let most = none;
    for (let i = 0; i < whole; i += 2) {
      let x = f64x2.convert_low_i32x4_s(i32x4.extend_low_i16x8_u(v128.load32_zero(frame + ((<usize>i) << 1))));
      if (dark !== 0)
        x = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(f64x2.sub(x, v128.load(dark + ((<usize>i) << 3)))));
      const inside = v128.and(f64x2.ge(x, lows), f64x2.le(x, highs));
      sums = f64x2.add(sums, v128.and(onGrid(x), inside));
      // True is −1.
      numbers = i64x2.sub(numbers, inside);
      most = f64x2.pmax(most, v128.bitselect(x, none, inside));
    }
    let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
    let number = <f64>(i64x2.extract_lane(numbers, 0) + i64x2.extract_lane(numbers, 1));
    let greatest = max<f64>(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1));
    for (let i = whole; i < n; i++) {
      const x = <f64>(<f32>(<f64>load<u16>(frame + ((<usize>i) << 1)) - levelOf(dark, i)));
      if (!(x >= low && x <= high)) continue;
      sum += onGrid1(x);
      number += 1;
      greatest = max<f64>(greatest, x);
    }
    const upper = sum + COARSE - COARSE;
    addReal(at, upper);
    addReal(at + 8, sum - upper);
    addReal(at + 16, number);
    store<f64>(at, max<f64>(load<f64>(at, 24), greatest), 24);
  }
}
