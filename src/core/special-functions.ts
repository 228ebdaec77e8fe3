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
export function logGamma(x: number): number {
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

/**
 * Voigt profile of unit area at x: a Lorentzian of half width `gamma` at half maximum, blurred by a Gaussian of rms
 * width `sigma` > 0: V = Re w(z) / (σ √(2π)), z = (x + iγ) / (σ√2); and its derivatives by x, gamma and sigma. The
 * Faddeeva function w as a rational sum of 32 terms (Weideman 1994, SIAM J. Numer. Anal. 31), to some 1e-12 of the
 * maximum.
 */
export function voigt(
  x: number,
  sigma: number,
  gamma: number,
): { readonly value: number; readonly byX: number; readonly byGamma: number; readonly bySigma: number } {
  const scale = 1 / (sigma * Math.SQRT2);
  const [u, v] = [x * scale, gamma * scale];
  // Z = (L + iz) / (L − iz); w = 2 p(Z) / (L − iz)² + 1 / (√π (L − iz)).
  const [a, b] = [WEIDEMAN_L + v, -u];
  const size = a * a + b * b;
  const [c, d] = [WEIDEMAN_L - v, u];
  const [zr, zi] = [(c * a + d * b) / size, (d * a - c * b) / size];
  let [pr, pi] = [0, 0];
  for (const term of WEIDEMAN) {
    const real = pr * zr - pi * zi + term;
    pi = pr * zi + pi * zr;
    pr = real;
  }
  const [sr, si] = [(a * a - b * b) / (size * size), (-2 * a * b) / (size * size)];
  const re = 2 * (pr * sr - pi * si) + a / size / ROOT_PI;
  const im = 2 * (pr * si + pi * sr) - b / size / ROOT_PI;
  // w′ = 2i/√π − 2 z w, w″ = −2 w − 2 z w′; V follows diffusion: ∂V/∂σ = σ ∂²V/∂x².
  const firstRe = -2 * (u * re - v * im);
  const firstIm = 2 / ROOT_PI - 2 * (u * im + v * re);
  const secondRe = -2 * re - 2 * (u * firstRe - v * firstIm);
  const norm = scale / ROOT_PI;
  return {
    value: re * norm,
    byX: firstRe * norm * scale,
    byGamma: -firstIm * norm * scale,
    bySigma: sigma * secondRe * norm * scale * scale,
  };
}

const ROOT_PI = Math.sqrt(Math.PI);
const WEIDEMAN_TERMS = 32;
const WEIDEMAN_L = Math.sqrt(WEIDEMAN_TERMS / Math.SQRT2);

/** Coefficients of the sum, highest power first: Fourier coefficients of e^(−t²) (L² + t²), t = L tan(θ/2). */
const WEIDEMAN = Array.from({ length: WEIDEMAN_TERMS }, (_, k) => {
  const points = 2 * WEIDEMAN_TERMS;
  const order = WEIDEMAN_TERMS - k;
  let sum = 0;
  for (let j = 1 - points; j < points; j++) {
    const theta = (j * Math.PI) / points;
    const t = WEIDEMAN_L * Math.tan(theta / 2);
    sum += Math.exp(-t * t) * (WEIDEMAN_L ** 2 + t * t) * Math.cos(order * theta);
  }
  return sum / (2 * points);
});
