// AssemblyScript with v128: compiled by scripts/build-kernels.ts, called from src/reduce/engine and src/reduce/reducers.
// Addresses, strides and weights are in bytes, `n` counts the pixels of a piece of `count` frames, `stride` apart.
// Whatever rounds here, rounds as the plain code in src/reduce does: same bits.

import { COARSE, GRID, onGrid, rounded } from "./grid.ts";

/** Turns unsigned 16-bit into signed by taking off 2^15, for the instructions that only know signed numbers. */
const SIGN: i16 = -32768;

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

/**
 * Adds whole pixels to the sums of their bins: 64-bit whole numbers, in four tables `stride` apart that neighbours go to
 * in turn. `bins`: u16 of each pixel.
 */
export function ringsU16(pixels: usize, n: i32, bins: usize, sums: usize, stride: usize): void {
  const whole = n & ~3;
  const second = sums + stride;
  const third = second + stride;
  const fourth = third + stride;
  for (let i = 0; i < whole; i += 4) {
    const b = load<u64>(bins + ((<usize>i) << 1));
    const x = load<u64>(pixels + ((<usize>i) << 1));
    addWhole(sums + ((<usize>(b & 0xffff)) << 3), x & 0xffff);
    addWhole(second + ((<usize>((b >> 16) & 0xffff)) << 3), (x >> 16) & 0xffff);
    addWhole(third + ((<usize>((b >> 32) & 0xffff)) << 3), (x >> 32) & 0xffff);
    addWhole(fourth + ((<usize>(b >> 48)) << 3), x >> 48);
  }
  for (let i = whole; i < n; i++) {
    const at = (<usize>i) << 1;
    addWhole(sums + ((<usize>load<u16>(bins + at)) << 3), <u64>load<u16>(pixels + at));
  }
}

function addWhole(at: usize, x: u64): void {
  store<u64>(at, load<u64>(at) + x);
}

function addReal(at: usize, x: f64): void {
  store<f64>(at, load<f64>(at) + x);
}

/** Writes the number of a pixel behind `count` others; gives how many there are now. */
function note(list: usize, count: i32, pixel: i32): i32 {
  store<u32>(list + ((<usize>count) << 2), pixel);
  return count + 1;
}

/** `x` rounded to the grid. */
function onGrid1(x: f64): f64 {
  return x + GRID - GRID;
}

/**
 * The same of f32 pixels, rounded to the grid, to f64 sums. Those that are not finite are left out, their numbers
 * written to `missing`; gives how many.
 */
export function ringsF32(pixels: usize, n: i32, bins: usize, sums: usize, stride: usize, missing: usize): i32 {
  const whole = n & ~3;
  const second = sums + stride;
  const third = second + stride;
  const fourth = third + stride;
  let found = 0;
  for (let i = 0; i < whole; i += 4) {
    const b = load<u64>(bins + ((<usize>i) << 1));
    const x = v128.load(pixels + ((<usize>i) << 2));
    const finite = f32x4.eq(f32x4.sub(x, x), f32x4.splat(0));
    const kept = v128.and(x, finite);
    const low = onGrid(f64x2.promote_low_f32x4(kept));
    const high = onGrid(f64x2.promote_low_f32x4(v128.shuffle<i64>(kept, kept, 1, 0)));
    addReal(sums + ((<usize>(b & 0xffff)) << 3), f64x2.extract_lane(low, 0));
    addReal(second + ((<usize>((b >> 16) & 0xffff)) << 3), f64x2.extract_lane(low, 1));
    addReal(third + ((<usize>((b >> 32) & 0xffff)) << 3), f64x2.extract_lane(high, 0));
    addReal(fourth + ((<usize>(b >> 48)) << 3), f64x2.extract_lane(high, 1));
    if (i32x4.all_true(finite)) continue;
    const lanes = i32x4.bitmask(finite);
    for (let k = 0; k < 4; k++) if ((lanes & (1 << k)) === 0) found = note(missing, found, i + k);
  }
  for (let i = whole; i < n; i++) {
    const x = <f64>load<f32>(pixels + ((<usize>i) << 2));
    if (x - x === 0) addReal(sums + ((<usize>load<u16>(bins + ((<usize>i) << 1))) << 3), onGrid1(x));
    else found = note(missing, found, i);
  }
  return found;
}

/**
 * Adds pixels shared out to bins: those of pixel i stand from `start[i]` to before `start[i + 1]` in `bins` and
 * `shares`. Value less the dark (none when `dark` is 0) × share goes to `sums`, × share² to `squares` (unless that is 0).
 */
function shares<T>(
  pixels: usize,
  n: i32,
  dark: usize,
  start: usize,
  bins: usize,
  parts: usize,
  sums: usize,
  squares: usize,
  missing: usize,
): i32 {
  let found = 0;
  for (let i = 0; i < n; i++) {
    let x = <f64>load<T>(pixels + <usize>i * sizeof<T>());
    if (dark !== 0) x -= load<f64>(dark + ((<usize>i) << 3));
    if (x - x !== 0) {
      found = note(missing, found, i);
      continue;
    }
    const from = start + ((<usize>i) << 2);
    for (let k = load<u32>(from), end = load<u32>(from, 4); k < end; k++) {
      const share = load<f64>(parts + ((<usize>k) << 3));
      const bin = (<usize>load<u16>(bins + ((<usize>k) << 1))) << 3;
      const part = onGrid1(x * share);
      addReal(sums + bin, part);
      if (squares !== 0) addReal(squares + bin, onGrid1(part * share));
    }
  }
  return found;
}

export function sharesU16(
  pixels: usize,
  n: i32,
  dark: usize,
  start: usize,
  bins: usize,
  parts: usize,
  sums: usize,
  squares: usize,
  missing: usize,
): i32 {
  return shares<u16>(pixels, n, dark, start, bins, parts, sums, squares, missing);
}

export function sharesF32(
  pixels: usize,
  n: i32,
  dark: usize,
  start: usize,
  bins: usize,
  parts: usize,
  sums: usize,
  squares: usize,
  missing: usize,
): i32 {
  return shares<f32>(pixels, n, dark, start, bins, parts, sums, squares, missing);
}

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
