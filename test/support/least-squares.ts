/** A fit by Gauss–Newton steps, for tests: parameters and their standard errors. */
export interface Fit {
  readonly values: number[];
  readonly errors: number[];
}

/** Fits `model(x, parameters)` to points of the given errors, from a first guess. */
export function leastSquares(
  x: readonly number[],
  y: readonly number[],
  sigma: readonly number[],
  model: (x: number, p: readonly number[]) => number,
  guess: readonly number[],
): Fit {
  const n = guess.length;
  let p = [...guess];
  let inverse: number[][] = [];
  let damping = 1e-3;
  const chi = (q: readonly number[]): number =>
    x.reduce((sum, each, i) => sum + (((y[i] ?? 0) - model(each, q)) / (sigma[i] ?? 1)) ** 2, 0);
  for (let round = 0; round < 200; round++) {
    const rows = x.map((each, i) =>
      p.map((value, k) => {
        const step = 1e-5 * (Math.abs(value) + 1e-3);
        const shifted = p.map((v, j) => (j === k ? v + step : v));
        return (model(each, shifted) - model(each, p)) / step / (sigma[i] ?? 1);
      }),
    );
    const normal = p.map((_, a) => p.map((_, b) => rows.reduce((sum, row) => sum + (row[a] ?? 0) * (row[b] ?? 0), 0)));
    const pull = p.map((_, a) =>
      rows.reduce((sum, row, i) => sum + ((row[a] ?? 0) * ((y[i] ?? 0) - model(x[i] ?? 0, p))) / (sigma[i] ?? 1), 0),
    );
    inverse = invert(normal);
    const damped = invert(normal.map((row, a) => row.map((value, b) => (a === b ? value * (1 + damping) : value))));
    const next = p.map((value, a) => value + (damped[a] ?? []).reduce((sum, m, b) => sum + m * (pull[b] ?? 0), 0));
    if (chi(next) <= chi(p)) {
      p = next;
      damping /= 5;
    } else damping *= 5;
  }
  return { values: p, errors: Array.from({ length: n }, (_, k) => Math.sqrt(inverse[k]?.[k] ?? NaN)) };
}

function invert(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  for (let k = 0; k < n; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, row, i) => (Math.abs(row[k] ?? 0) > Math.abs(rows[best]?.[k] ?? 0) ? i + k : best), k);
    [rows[k], rows[pivot]] = [rows[pivot] ?? [], rows[k] ?? []];
    const scale = rows[k]?.[k] ?? 1;
    rows[k] = (rows[k] ?? []).map((value) => value / scale);
    for (let i = 0; i < n; i++) {
      const factor = rows[i]?.[k] ?? 0;
      if (i !== k) rows[i] = (rows[i] ?? []).map((value, j) => value - factor * (rows[k]?.[j] ?? 0));
    }
  }
  return rows.map((row) => row.slice(n));
}
