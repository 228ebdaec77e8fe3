// AssemblyScript with v128: sums that never round.

/** As in src/reduce/engine/exact.ts. */
export const GRID: f64 = 1.5 * 4294967296.0;
export const COARSE: f64 = 1.5 * 4294967296.0 * 4294967296.0;

/** Rounded to the last place of a number as large as `at`. */
export function rounded(x: v128, at: f64): v128 {
  return f64x2.sub(f64x2.add(x, f64x2.splat(at)), f64x2.splat(at));
}

export function onGrid(x: v128): v128 {
  return rounded(x, GRID);
}

/** `x` rounded to the grid. */
export function onGrid1(x: f64): f64 {
  return x + GRID - GRID;
}
