/**
 * Functions of statistics and of curves that Math lacks, to some 1e-13.
 *
 * Formulas: Abramowitz and Stegun 1964, §7 (error function), §6.6 and §26.5 (incomplete beta function).
 */

/** e^(x²) · erfc(x), which neither overflows nor vanishes where a tail is divided by an exponential. */
export function erfcx(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 0) return 2 * Math.exp(x * x) - erfcx(-x);
  if (x < 2.5) {
    // erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!
    let [term, sum] = [x, x];
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return Math.exp(x * x) - (2 / Math.sqrt(Math.PI)) * sum;
  }
  // Continued fraction 7.1.14, from its end.
  let fraction = 0;
  for (let n = Math.ceil(20 + 250 / (x * x)); n > 0; n--) fraction = n / 2 / (x + fraction);
  return 1 / Math.sqrt(Math.PI) / (x + fraction);
}

/** Normal distribution function: the part of a normal distribution of mean 0 and standard deviation 1 below u. */
export function normalCdf(u: number): number {
  const tail = 0.5 * erfcx(Math.abs(u) / Math.SQRT2) * Math.exp(-0.5 * u * u);
  return u < 0 ? tail : 1 - tail;
}

/** Natural logarithm of the gamma function for x > 0 (Lanczos, g = 7, nine coefficients). */
function logGamma(x: number): number {
  const [first = 0, ...others] = LANCZOS;
  const sum = others.reduce((total, coefficient, i) => total + coefficient / (x + i), first);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** Regularised incomplete beta function Iₓ(a, b), by its continued fraction (26.5.8). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (!(x > 0)) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // Lentz's method; `tiny` keeps a denominator from being 0.
  const tiny = 1e-300;
  let [c, d] = [1, 1 / (1 - ((a + b) * x) / (a + 1) || tiny)];
  let fraction = d;
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d || tiny);
    c = 1 + even / c || tiny;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d || tiny);
    c = 1 + odd / c || tiny;
    const change = d * c;
    fraction *= change;
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return (front * fraction) / a;
}

/**
 * Probability that a number of the F distribution is larger than f: how often noise alone gives such a ratio of two
 * mean squares. Infinite `below` (errors that are known): the χ² distribution of f · `above`.
 */
export function fProbability(f: number, above: number, below: number): number {
  if (!(f > 0)) return 1;
  // From 1e7 degrees of freedom on the two agree to more digits than anyone needs.
  const freedom = Math.min(below, 1e7);
  return incompleteBeta(freedom / (freedom + above * f), freedom / 2, above / 2);
}
