/** What is known of a value that was not measured: its mean, and the standard deviation of what is not known. */
export interface Posterior {
  readonly mean: number;
  readonly deviation: number;
}

interface Fitted {
  readonly length: number;
  /** Variance of the function. */
  readonly variance: number;
  readonly offset: number;
  /** The factor of the covariance, row by row. */
  readonly factor: Float64Array;
  /** Covariance⁻¹ (y − offset). */
  readonly weights: Float64Array;
  readonly logLikelihood: number;
}

/** Lengths over which the function changes, in units of the ranges, and its deviations in units of the scatter. */
const LENGTHS = [0.4, 0.6, 0.9, 1.3, 2, 3, 4.5];
const DEVIATIONS = [0.5, 1, 2, 4, 8, 16];

/**
 * Regression by a Gaussian process (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, algorithm
 * 2.1): a constant and a function with the covariance σ² exp(−r²/2ℓ²), each point with a noise of its own. ℓ and σ are
 * those of a grid with the greatest marginal likelihood.
 */
export class GaussianProcess {
  readonly #points: readonly (readonly number[])[];
  readonly #fitted: Fitted;

  /**
   * @param points - places in units of the ranges, 0 to 1
   * @param errors - standard errors of `values`
   */
  constructor(points: readonly (readonly number[])[], values: readonly number[], errors: readonly number[]) {
    this.#points = points;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const scale = Math.max(spread, ...errors.map((error) => error / 2), Number.MIN_VALUE);
    let best: Fitted | undefined;
    const squares = squaredDistances(points);
    for (const length of LENGTHS)
      for (const deviation of DEVIATIONS) {
        const fitted = regress(squares, values, errors, length, (deviation * scale) ** 2);
        if (fitted !== undefined && !(fitted.logLikelihood <= (best?.logLikelihood ?? -Infinity))) best = fitted;
      }
    // The noise of each point keeps the covariance positive.
    if (best === undefined) throw new RangeError("the errors of a Gaussian process are above 0");
    this.#fitted = best;
  }

  /** The mean of {@link at}, in a time that goes with the points and not with their square. */
  mean(place: readonly number[]): number {
    return this.#mean(this.#covariance(place));
  }

  /** What is known at a place. */
  at(place: readonly number[]): Posterior {
    const { variance, factor } = this.#fitted;
    const covariance = this.#covariance(place);
    const mean = this.#mean(covariance);
    solveLower(factor, covariance, covariance.length);
    let known = 0;
    for (const value of covariance) known += value * value;
    return { mean, deviation: Math.sqrt(Math.max(0, variance - known)) };
  }

  /** With each point. */
  #covariance(place: readonly number[]): Float64Array {
    const { length, variance } = this.#fitted;
    const points = this.#points;
    // Asked thousands of times a step: with Float64Array.from the mean takes five times as long.
    const covariance = new Float64Array(points.length);
    for (let i = 0; i < points.length; i++)
      covariance[i] = variance * Math.exp(squaredDistance(place, points[i] ?? []) / (-2 * length * length));
    return covariance;
  }

  #mean(covariance: Float64Array): number {
    const { offset, weights } = this.#fitted;
    let sum = offset;
    for (let i = 0; i < covariance.length; i++) sum += (covariance[i] ?? 0) * (weights[i] ?? 0);
    return sum;
  }
}

function regress(
  squares: Float64Array,
  values: readonly number[],
  errors: readonly number[],
  length: number,
  variance: number,
): Fitted | undefined {
  const n = values.length;
  const factor = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++)
      factor[i * n + j] =
        variance * Math.exp((squares[i * n + j] ?? 0) / (-2 * length * length)) + (i === j ? (errors[i] ?? 0) ** 2 : 0);
  if (!decompose(factor, n)) return undefined;
  // The constant that fits best, by generalised least squares.
  const ones = new Float64Array(n).fill(1);
  const weights = Float64Array.from(values);
  solveLower(factor, ones, n);
  solveLower(factor, weights, n);
  let [sum, norm] = [0, 0];
  for (let i = 0; i < n; i++) {
    sum += (ones[i] ?? 0) * (weights[i] ?? 0);
    norm += (ones[i] ?? 0) ** 2;
  }
  const offset = sum / norm;
  let logLikelihood = 0;
  for (let i = 0; i < n; i++) {
    weights[i] = (weights[i] ?? 0) - offset * (ones[i] ?? 0);
    logLikelihood -= 0.5 * (weights[i] ?? 0) ** 2 + Math.log(factor[i * n + i] ?? 1);
  }
  solveUpper(factor, weights, n);
  return { length, variance, offset, factor, weights, logLikelihood };
}

/** Cholesky's factor, in place of the lower triangle; false when the matrix is not positive. */
function decompose(matrix: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let value = matrix[i * n + j] ?? 0;
      for (let k = 0; k < j; k++) value -= (matrix[i * n + k] ?? 0) * (matrix[j * n + k] ?? 0);
      if (i === j && !(value > 0)) return false;
      matrix[i * n + j] = i === j ? Math.sqrt(value) : value / (matrix[j * n + j] ?? 1);
    }
  return true;
}

function solveLower(factor: Float64Array, right: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    let value = right[i] ?? 0;
    for (let k = 0; k < i; k++) value -= (factor[i * n + k] ?? 0) * (right[k] ?? 0);
    right[i] = value / (factor[i * n + i] ?? 1);
  }
}

function solveUpper(factor: Float64Array, right: Float64Array, n: number): void {
  for (let i = n - 1; i >= 0; i--) {
    let value = right[i] ?? 0;
    for (let k = i + 1; k < n; k++) value -= (factor[k * n + i] ?? 0) * (right[k] ?? 0);
    right[i] = value / (factor[i * n + i] ?? 1);
  }
}

function squaredDistances(points: readonly (readonly number[])[]): Float64Array {
  const n = points.length;
  const squares = new Float64Array(n * n);
  for (const [i, point] of points.entries())
    for (const [j, other] of points.entries()) squares[i * n + j] = squaredDistance(point, other);
  return squares;
}

function squaredDistance(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum;
}
