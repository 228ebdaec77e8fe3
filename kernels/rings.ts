// AssemblyScript with v128: sums of the bins of a radial profile, for kernels/reduce.ts.

import { addReal, note } from "./cells.ts";
import { onGrid, onGrid1 } from "./grid.ts";

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
