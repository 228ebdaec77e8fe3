/**
 * Sums of numbers of any size that never round: a charge of 5e-9 C, its square, or a million photons. A number is cut
 * into digits of 24 bits, each added to the sum of its place; digits below 2^53 add exactly for the first 500 million
 * shots. So any order and any splitting of the shots gives the same bits.
 */

const DIGIT_BITS = 24;
/** Exponent of the lowest place; what is smaller is cut off each number alike. */
const LOWEST = -264;
/** Places of a sum: up to 2^264 = 3e79. */
export const PLACES = 22;

const unit = Float64Array.from({ length: PLACES }, (_, place) => 2 ** (LOWEST + DIGIT_BITS * place));
const perUnit = unit.map((u) => 1 / u);
/** Squares of larger numbers do not fit. */
const GREATEST = 2 ** 128;

/** Whether a number can be summed, its square too. */
export function isSummable(x: number): boolean {
  return Math.abs(x) < GREATEST;
}

/** Adds a number to a sum of {@link PLACES} places. */
export function addExactly(sum: Float64Array, x: number): void {
  if (x === 0) return;
  let place = Math.min(PLACES - 1, Math.max(0, Math.floor((Math.log2(Math.abs(x)) - LOWEST) / DIGIT_BITS)));
  let rest = x;
  for (; place >= 0 && rest !== 0; place--) {
    const digit = Math.trunc(rest * (perUnit[place] ?? 0));
    sum[place] = (sum[place] ?? 0) + digit;
    rest -= digit * (unit[place] ?? 0);
  }
}

/** Adds the square of a number, without rounding it: its product with itself as two doubles (Dekker 1971). */
export function addSquareExactly(sum: Float64Array, x: number): void {
  const wide = 134_217_729 * x;
  const high = wide - (wide - x);
  const low = x - high;
  const square = x * x;
  addExactly(sum, square);
  addExactly(sum, high * high - square + 2 * high * low + low * low);
}

/** The sum, rounded once. */
export function total(sum: Float64Array): number {
  return toNumber(wholeOf(sum));
}

/** Standard deviation of a sample over √n, from exact sums: rounded only at the end. NaN for fewer than two numbers. */
export function standardErrorOf(count: number, sum: Float64Array, squares: Float64Array): number {
  if (count < 2) return NaN;
  const whole = wholeOf(sum);
  // n Σx² − (Σx)² = n² times the variance of the population.
  const spread = BigInt(count) * wholeOf(squares) - ((whole * whole) >> BigInt(-LOWEST));
  return Math.sqrt(Math.max(0, toNumber(spread)) / (count - 1)) / count;
}

/** A sum as a whole number of 2^LOWEST. */
function wholeOf(sum: Float64Array): bigint {
  let whole = 0n;
  for (let place = PLACES - 1; place >= 0; place--) whole = (whole << BigInt(DIGIT_BITS)) + BigInt(sum[place] ?? 0);
  return whole;
}

function toNumber(whole: bigint): number {
  return Number(whole) * 2 ** LOWEST;
}
