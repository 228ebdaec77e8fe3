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

/** Adds the square of a number, without rounding it. */
export function addSquareExactly(sum: Float64Array, x: number): void {
  addProductExactly(sum, x, x);
}

/** Adds the product of two numbers, without rounding it: as two doubles (Dekker 1971). */
export function addProductExactly(sum: Float64Array, x: number, y: number): void {
  const [xHigh, yHigh] = [highOf(x), highOf(y)];
  const [xLow, yLow] = [x - xHigh, y - yHigh];
  const product = x * y;
  addExactly(sum, product);
  addExactly(sum, xHigh * yHigh - product + (xHigh * yLow + xLow * yHigh) + xLow * yLow);
}

/** The upper half of the digits of a number. */
function highOf(x: number): number {
  const wide = 134_217_729 * x;
  return wide - (wide - x);
}

/** The sum, rounded once. */
export function total(sum: Float64Array): number {
  return toNumber(wholeOf(sum));
}

/** Standard deviation of a sample over √n, from exact sums: rounded only at the end. NaN for fewer than two numbers. */
export function standardErrorOf(count: number, sum: Float64Array, squares: Float64Array): number {
  if (count < 2) return NaN;
  return Math.sqrt(Math.max(0, coSpread(count, sum, sum, squares)) / (count - 1)) / count;
}

/** The sums of two numbers of the same shots, their squares and products. */
interface SumsOfPairs {
  readonly sum: Float64Array;
  readonly below: Float64Array;
  readonly squares: Float64Array;
  readonly products: Float64Array;
  readonly belowSquares: Float64Array;
}

/** Standard error of Σx / Σy from the residuals x − ratio · y. NaN for fewer than two shots. */
export function ratioErrorOf(count: number, { sum, below, squares, products, belowSquares }: SumsOfPairs): number {
  if (count < 2) return NaN;
  const ratio = total(sum) / total(below);
  const residuals =
    coSpread(count, sum, sum, squares) -
    ratio * (2 * coSpread(count, sum, below, products) - ratio * coSpread(count, below, below, belowSquares));
  return Math.sqrt(Math.max(0, residuals) / (count - 1)) / Math.abs(total(below));
}

/** n Σxy − Σx Σy: n² times the covariance of the population. */
function coSpread(count: number, x: Float64Array, y: Float64Array, products: Float64Array): number {
  return toNumber(BigInt(count) * wholeOf(products) - ((wholeOf(x) * wholeOf(y)) >> BigInt(-LOWEST)));
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
