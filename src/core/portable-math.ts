/**
 * Exponential and logarithm of sums, products and quotients alone, so that they give the same bits in every runtime:
 * those of `Math` differ by a last digit between engines and versions. Off by at most two units of the last digit.
 */

const LN2_HIGH = 0.6931471803691238; // 32 bits, so that its products with whole numbers are exact
const LN2_LOW = 1.9082149292705877e-10;

const double = new Float64Array(1);
const words = new Int32Array(double.buffer);
/** Which of the words has the exponent. */
const HIGH = new Uint8Array(new Int32Array([1]).buffer)[0] === 1 ? 1 : 0;

/** e^x: 0 below −708, infinite above 709. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < -708) return 0;
  if (x > 709) return Infinity;
  const twos = Math.round(x / (LN2_HIGH + LN2_LOW));
  const r = x - twos * LN2_HIGH - twos * LN2_LOW;
  // |r| < 0.35: r^14 / 14! is below the last digit.
  let sum = 1;
  for (let n = 13; n > 0; n--) sum = 1 + (r * sum) / n;
  double[0] = sum;
  words[HIGH] = (words[HIGH] ?? 0) + (twos << 20);
  return double[0] ?? NaN;
}

/** Natural logarithm of a normal number above 0; −∞ at 0 and NaN below. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  double[0] = x;
  const high = words[HIGH] ?? 0;
  let twos = (high >> 20) - 1023;
  words[HIGH] = (high & 0xfffff) | 0x3ff00000;
  let m = double[0] ?? 1;
  if (m > Math.SQRT2) {
    m /= 2;
    twos++;
  }
  // log m = 2 (s + s³/3 + s⁵/5 + …), |s| < 0.172.
  const s = (m - 1) / (m + 1);
  const squared = s * s;
  let sum = 1 / 23;
  for (let n = 21; n > 1; n -= 2) sum = 1 / n + squared * sum;
  return twos * LN2_HIGH + (2 * s + (2 * s * squared * sum + twos * LN2_LOW));
}
