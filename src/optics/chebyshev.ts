/** Value of a Chebyshev series over [low, high] (Clenshaw's sum). */
export function chebyshev(series: readonly number[], low: number, high: number, at: number): number {
  const x = (2 * at - low - high) / (high - low);
  let [next, afterNext] = [0, 0];
  for (let k = series.length - 1; k > 0; k--) [next, afterNext] = [2 * x * next - afterNext + (series[k] ?? 0), next];
  return x * next - afterNext + (series[0] ?? 0);
}
