/**
 * Sums that never round. A value is rounded once to a multiple of 2^−20 (about 1e-6: less than float32 loses on a
 * pixel of 16 ADU); multiples of 2^−20 below 2^33 = 8.6e9 add exactly in double precision. So any order and any
 * splitting of the shots gives the same bits. Whole ADUs are not changed at all.
 */

// Adding and subtracting this makes the processor round to its last place: 2^(52 − 20) and a half.
const GRID = 1.5 * 2 ** 32;
/** The same for multiples of 2^12, the upper part of a square. */
const COARSE = 1.5 * 2 ** 64;

/** `x` rounded to a multiple of 2^−20, for |x| < 2^31. */
export function quantize(x: number): number {
  return x + GRID - GRID;
}

/**
 * The part of `x` that is a multiple of 2^12, for sums of squares: `quantizeHigh(y)` and `quantize(y − quantizeHigh(y))` add exactly.
 */
export function quantizeHigh(x: number): number {
  return x + COARSE - COARSE;
}
