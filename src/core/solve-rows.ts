/**
 * Least squares of a linear problem of few unknowns: the normal equations, their columns scaled, by Cholesky. Undefined
 * where columns depend on one another. (`QrDecomposition` of ml-matrix takes ten times as long, and a fit asks this
 * hundreds of times.)
 */
export function solveRows(rows: readonly (readonly number[])[], right: readonly number[]): number[] | undefined {
  const count = rows[0]?.length ?? 0;
  if (rows.length < count) return undefined;
  const normal = new Float64Array(count * count);
  const sums = new Float64Array(count);
  for (const [i, row] of rows.entries()) {
    for (let a = 0; a < count; a++) {
      const value = row[a] ?? NaN;
      for (let b = 0; b <= a; b++) normal[a * count + b] = (normal[a * count + b] ?? 0) + value * (row[b] ?? NaN);
      sums[a] = (sums[a] ?? 0) + value * (right[i] ?? NaN);
    }
  }
  const sizes = Array.from({ length: count }, (_, a) => Math.sqrt(normal[a * count + a] ?? NaN));
  if (!sizes.every((size) => size > 0 && size < Infinity)) return undefined;
  // In place: the lower triangle of the factor, and the solution of the lower system.
  for (let a = 0; a < count; a++) {
    sums[a] = (sums[a] ?? 0) / (sizes[a] ?? 1);
    for (let b = 0; b <= a; b++) {
      let value = (normal[a * count + b] ?? 0) / ((sizes[a] ?? 1) * (sizes[b] ?? 1));
      for (let k = 0; k < b; k++) value -= (normal[a * count + k] ?? 0) * (normal[b * count + k] ?? 0);
      if (a === b && !(value > 1e-12)) return undefined;
      normal[a * count + b] = a === b ? Math.sqrt(value) : value / (normal[b * count + b] ?? 1);
    }
    for (let k = 0; k < a; k++) sums[a] = (sums[a] ?? 0) - (normal[a * count + k] ?? 0) * (sums[k] ?? 0);
    sums[a] = (sums[a] ?? 0) / (normal[a * count + a] ?? 1);
  }
  for (let a = count - 1; a >= 0; a--) {
    for (let k = a + 1; k < count; k++) sums[a] = (sums[a] ?? 0) - (normal[k * count + a] ?? 0) * (sums[k] ?? 0);
    sums[a] = (sums[a] ?? 0) / (normal[a * count + a] ?? 1);
  }
  return Array.from(sums, (value, a) => value / (sizes[a] ?? 1));
}

/**
 * The inverse of a symmetric, positive matrix, such as the covariance of a linear problem of its normal matrix.
 * Undefined where it has none.
 */
export function inverseOf(matrix: readonly (readonly number[])[]): number[][] | undefined {
  const columns = matrix.map((_, k) =>
    solveRows(
      matrix,
      matrix.map((__, i) => (i === k ? 1 : 0)),
    ),
  );
  const found = columns.filter((column) => column !== undefined);
  return found.length === matrix.length ? found : undefined;
}

/** rowsᵀ · rows */
export function normalOf(rows: readonly (readonly number[])[]): number[][] {
  const width = rows[0]?.length ?? 0;
  return Array.from({ length: width }, (_, a) =>
    Array.from({ length: width }, (__, b) => rows.reduce((total, row) => total + (row[a] ?? NaN) * (row[b] ?? NaN), 0)),
  );
}

/** Σ a b, of lists of one length. */
export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? NaN) * (b[i] ?? NaN);
  return sum;
}
