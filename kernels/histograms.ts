// AssemblyScript with v128: histograms of a sensor and of each pixel, for kernels/reduce.ts.

import { SIGN } from "./pixels.ts";

function count1(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** The bins of 8 pixels: value − offset − base, at least 0 (below the first bin) and at most `top` (above the last). */
function bins8(pixels: usize, offsets: usize, base: v128, tops: v128): v128 {
  // `offsets` are less 2^15 as the values are, so that their difference is right wherever it does not saturate.
  const difference = i16x8.sub_sat_s(v128.xor(v128.load(pixels), i16x8.splat(SIGN)), v128.load(offsets));
  return i16x8.min_s(i16x8.max_s(i16x8.sub_sat_s(difference, base), i16x8.splat(0)), tops);
}

function bin1(pixel: usize, offset: usize, base: i32, top: i32): i32 {
  return max(0, min(top, <i32>load<u16>(pixel) - 32768 - <i32>load<i16>(offset) - base));
}

/**
 * Counts two neighbours at once, in a table with a row for each bin of the first and a column for each bin of the
 * second; half as many increments as one by one, which is what a histogram costs. Pixels left over are counted in
 * `singles`.
 */
export function pairsU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  offsets: usize,
  base: i32,
  top: i32,
  table: usize,
  singles: usize,
): void {
  const bases = i16x8.splat(<i16>base);
  const tops = i16x8.splat(<i16>top);
  const weights = i32x4.splat((4 << 16) | ((top + 1) << 2));
  const whole = n & ~7;
  for (let k = 0; k < count; k++) {
    const frame = frames + <usize>k * stride;
    for (let i = 0; i < whole; i += 8) {
      const at = (<usize>i) << 1;
      const cells = i32x4.dot_i16x8_s(bins8(frame + at, offsets + at, bases, tops), weights);
      const a = i64x2.extract_lane(cells, 0);
      const b = i64x2.extract_lane(cells, 1);
      count1(table + <usize>(a & 0xffffffff));
      count1(table + <usize>(a >>> 32));
      count1(table + <usize>(b & 0xffffffff));
      count1(table + <usize>(b >>> 32));
    }
    for (let i = whole; i < n; i++) {
      const at = (<usize>i) << 1;
      count1(singles + ((<usize>bin1(frame + at, offsets + at, base, top)) << 2));
    }
  }
}

/** The same one by one, for more bins than a table of pairs has room for. */
export function singlesU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  offsets: usize,
  base: i32,
  top: i32,
  singles: usize,
): void {
  const bases = i16x8.splat(<i16>base);
  const tops = i16x8.splat(<i16>top);
  const whole = n & ~7;
  for (let k = 0; k < count; k++) {
    const frame = frames + <usize>k * stride;
    for (let i = 0; i < whole; i += 8) {
      const at = (<usize>i) << 1;
      const bins = bins8(frame + at, offsets + at, bases, tops);
      for (let half = 0; half < 2; half++) {
        let four = half === 0 ? i64x2.extract_lane(bins, 0) : i64x2.extract_lane(bins, 1);
        for (let j = 0; j < 4; j++) {
          count1(singles + ((<usize>(four & 0xffff)) << 2));
          four >>= 16;
        }
      }
    }
    for (let i = whole; i < n; i++) {
      const at = (<usize>i) << 1;
      count1(singles + ((<usize>bin1(frame + at, offsets + at, base, top)) << 2));
    }
  }
}

/**
 * Any bins of values less the dark, f64 (none when `dark` is 0); with `whole`, of a whole value the whole dark. In the
 * table: below, the bins, above, not a number.
 */
function histogram<T>(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  whole: i32,
  low: f64,
  high: f64,
  width: f64,
  bins: i32,
  table: usize,
): void {
  const last = table + ((<usize>bins) << 2);
  for (let k = 0; k < count; k++) {
    const frame = frames + <usize>k * stride;
    for (let i = 0; i < n; i++) {
      let x = <f64>load<T>(frame + <usize>i * sizeof<T>());
      if (dark !== 0) {
        const level = load<f64>(dark + ((<usize>i) << 3));
        x -= whole && floor<f64>(x) === x ? ceil<f64>(level - 0.5) : level;
      }
      if (x >= low && x < high) count1(table + 4 + ((<usize>min(bins - 1, <i32>((x - low) / width))) << 2));
      else if (x === high) count1(last);
      else if (x < low) count1(table);
      else count1(x > high ? last + 4 : last + 8);
    }
  }
}

export function histogramU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  whole: i32,
  low: f64,
  high: f64,
  width: f64,
  bins: i32,
  table: usize,
): void {
  histogram<u16>(frames, count, stride, n, dark, whole, low, high, width, bins, table);
}

export function histogramF32(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  whole: i32,
  low: f64,
  high: f64,
  width: f64,
  bins: i32,
  table: usize,
): void {
  histogram<f32>(frames, count, stride, n, dark, whole, low, high, width, bins, table);
}

/** Counts one value of a pixel whose counters (u8) begin at `cells`. */
function countIn(x: f64, low: f64, high: f64, width: f64, bins: i32, cells: usize, outside: usize): void {
  if (x >= low && x <= high) {
    const cell = cells + <usize>min(bins - 1, <i32>((x - low) / width));
    store<u8>(cell, load<u8>(cell) + 1);
  } else count1(outside + (x < low ? 0 : x > high ? 4 : 8));
}

/** A histogram of each pixel, of values less the dark (f64) as float32; `outside`: below, above, not a number. */
export function pixelBinsU16(
  frames: usize,
  count: i32,
  stride: usize,
  n: i32,
  dark: usize,
  low: f64,
  high: f64,
  width: f64,
  bins: i32,
  cells: usize,
  outside: usize,
): void {
  const whole = n & ~3;
  const lows = f64x2.splat(low);
  const highs = f64x2.splat(high);
  const widths = f64x2.splat(width);
  const last = i32x4.splat(bins - 1);
  for (let k = 0; k < count; k++) {
    const frame = frames + <usize>k * stride;
    let cell = cells;
    for (let i = 0; i < whole; i += 4) {
      const four = i32x4.extend_low_i16x8_u(v128.load64_zero(frame + ((<usize>i) << 1)));
      let a = f64x2.convert_low_i32x4_s(four);
      let b = f64x2.convert_low_i32x4_s(v128.shuffle<i64>(four, four, 1, 0));
      if (dark !== 0) {
        const level = dark + ((<usize>i) << 3);
        a = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(f64x2.sub(a, v128.load(level))));
        b = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(f64x2.sub(b, v128.load(level, 16))));
      }
      const within = v128.and(
        v128.and(f64x2.ge(a, lows), f64x2.le(a, highs)),
        v128.and(f64x2.ge(b, lows), f64x2.le(b, highs)),
      );
      if (i64x2.all_true(within)) {
        const first = i32x4.trunc_sat_f64x2_s_zero(f64x2.div(f64x2.sub(a, lows), widths));
        const second = i32x4.trunc_sat_f64x2_s_zero(f64x2.div(f64x2.sub(b, lows), widths));
        const bin = i32x4.min_s(v128.shuffle<i64>(first, second, 0, 2), last);
        let at = cell + <usize>i32x4.extract_lane(bin, 0);
        store<u8>(at, load<u8>(at) + 1);
        at = cell + bins + <usize>i32x4.extract_lane(bin, 1);
        store<u8>(at, load<u8>(at) + 1);
        at = cell + 2 * bins + <usize>i32x4.extract_lane(bin, 2);
        store<u8>(at, load<u8>(at) + 1);
        at = cell + 3 * bins + <usize>i32x4.extract_lane(bin, 3);
        store<u8>(at, load<u8>(at) + 1);
      } else {
        countIn(f64x2.extract_lane(a, 0), low, high, width, bins, cell, outside);
        countIn(f64x2.extract_lane(a, 1), low, high, width, bins, cell + bins, outside);
        countIn(f64x2.extract_lane(b, 0), low, high, width, bins, cell + 2 * bins, outside);
        countIn(f64x2.extract_lane(b, 1), low, high, width, bins, cell + 3 * bins, outside);
      }
      cell += bins << 2;
    }
    for (let i = whole; i < n; i++) {
      let x = <f64>load<u16>(frame + ((<usize>i) << 1));
      if (dark !== 0) x = <f64>(<f32>(x - load<f64>(dark + ((<usize>i) << 3))));
      countIn(x, low, high, width, bins, cells + <usize>i * bins, outside);
    }
  }
}
