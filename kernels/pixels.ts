// AssemblyScript with v128: pixels of images of either type, for the kernels that look at single ones.

/** Turns unsigned 16-bit into signed by taking off 2^15, for the instructions that only know signed numbers. */
export const SIGN: i16 = -32768;

/** Pixel `i` of an f32 image, or of a u16 one less the dark (f64; none when `dark` is 0) as f32. */
export function pixelAt<T>(image: usize, dark: usize, i: i32): f32 {
  if (sizeof<T>() === 4) return load<f32>(image + ((<usize>i) << 2));
  const x = <f64>load<u16>(image + ((<usize>i) << 1));
  return <f32>(dark === 0 ? x : x - load<f64>(dark + ((<usize>i) << 3)));
}

/** Which of 8 pixels from `i` on are above their limits: a bit each. */
export function above8(pixels: usize, limits: usize, i: i32): i32 {
  const at = (<usize>i) << 1;
  const over = i16x8.sub_sat_u(v128.load(pixels + at), v128.load(limits + at));
  return v128.any_true(over) ? i16x8.bitmask(i16x8.ne(over, i16x8.splat(0))) : 0;
}

/** Four of such pixels, from `i` on. */
export function fourFrom<T>(image: usize, dark: usize, i: i32): v128 {
  if (sizeof<T>() === 4) return v128.load(image + ((<usize>i) << 2));
  const four = i32x4.extend_low_i16x8_u(v128.load64_zero(image + ((<usize>i) << 1)));
  if (dark === 0) return f32x4.convert_i32x4_s(four);
  const level = dark + ((<usize>i) << 3);
  const low = f64x2.sub(f64x2.convert_low_i32x4_s(four), v128.load(level));
  const high = f64x2.sub(f64x2.convert_low_i32x4_s(v128.shuffle<i64>(four, four, 1, 0)), v128.load(level, 16));
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}
