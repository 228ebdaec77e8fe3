/**
 * Fills `out` with a table for drawing one of n numbers with given chances in constant time: Walker's alias method,
 * built as by Vose (1991). To draw, take a random k from 0 to n − 1 and a random 16-bit number: the result is k where
 * that number is below the upper 16 bits of `out[k]`, else the lower 16 bits of `out[k]`.
 * @param weights - in proportion to the chances; at most 65 536
 * @param out - as many
 * @returns the sum of the weights
 */
export function aliasTable(weights: Float32Array | Float64Array, out: Uint32Array): number {
  const n = weights.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += weights[i] ?? 0;
  const left = new Float64Array(n);
  // One array for both lists: numbers below average from the front, the others from the back.
  const order = new Uint16Array(n);
  let small = 0;
  let large = n;
  for (let i = 0; i < n; i++) {
    out[i] = i;
    left[i] = ((weights[i] ?? 0) * n) / sum;
    if ((left[i] ?? 0) < 1) order[small++] = i;
    else order[--large] = i;
  }
  while (small > 0 && large < n) {
    const poor = order[--small] ?? 0;
    const rich = order[large] ?? 0;
    const own = left[poor] ?? 0;
    out[poor] = Math.min(65_535, Math.round(own * 65_536)) * 65_536 + rich;
    const rest = (left[rich] ?? 0) - (1 - own);
    left[rich] = rest;
    if (rest < 1) {
      large++;
      order[small++] = rich;
    }
  }
  // What is left over by rounding stays with its own number: its alias is itself.
  return sum;
}
