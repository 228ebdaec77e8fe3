import { SaclaError } from "../../core/errors.ts";

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
 * The part of `x` that is a multiple of 2^12, for sums of squares: `quantizeHigh(y)` and `quantize(y −
 * quantizeHigh(y))` add exactly.
 */
export function quantizeHigh(x: number): number {
  return x + COARSE - COARSE;
}

/** Which bits a computed NaN has differs from one compiled form of a function to the next: here it has one form. */
export function oneNaN(x: number): number {
  return Number.isNaN(x) ? NaN : x;
}

/** Images whose largest value is smaller than this lose more than 1 part in 2000 of it on the grid. */
const LEAST_LARGEST = 2 ** -10;
/** Smaller values lose 6 % and more: most values of an image must be larger, so that one hot pixel hides nothing. */
const LEAST_USUAL = 2 ** -17;
/** Every so many pixels are looked at first, so that the check of usual images costs next to nothing. */
const LOOKED_AT = 61;
const ENOUGH = 64;

/**
 * An image of values so small that sums on the grid would not hold them, such as joules, is refused: when its largest
 * value is, or most of those that are not 0. One of zeros, or of no finite value, is not.
 * @throws TOO_SMALL
 */
export function checkGrid(detId: string, tag: number, pixels: ArrayLike<number>): void {
  if (isUsual(pixels)) return;
  let [largest, values, small] = [0, 0, 0];
  for (let i = 0; i < pixels.length; i++) {
    const size = Math.abs(pixels[i] ?? NaN);
    if (!(size > 0)) continue;
    values++;
    if (size < LEAST_USUAL) small++;
    if (size > largest) largest = size;
  }
  if (values === 0 || (largest >= LEAST_LARGEST && 2 * small <= values)) return;
  const what =
    largest < LEAST_LARGEST
      ? `The largest value of ${detId} at tag ${tag} is ${largest.toPrecision(3)}`
      : `Of ${values} values of ${detId} at tag ${tag}, ${small} are below ${LEAST_USUAL.toPrecision(2)}`;
  throw new SaclaError(
    "TOO_SMALL",
    `${what}: sums that never round, in steps of 2^−20, would lose it. ` +
      "Multiply the images first: corrections: [correct.scale(1e9)].",
    { details: { detId, tag, largest } },
  );
}

/**
 * Whether the first values that are not 0, of every 61st pixel, are no small ones.
 * @param forSure - false also when there are fewer such values than are looked at
 */
export function isUsual(pixels: ArrayLike<number>, forSure = false): boolean {
  let [values, small] = [0, 0];
  for (let i = 0; i < pixels.length && values < ENOUGH; i += LOOKED_AT) {
    const size = Math.abs(pixels[i] ?? NaN);
    if (!(size > 0)) continue;
    values++;
    if (size < LEAST_LARGEST) small++;
  }
  return values >= (forSure ? ENOUGH : 1) && 4 * small <= values;
}
