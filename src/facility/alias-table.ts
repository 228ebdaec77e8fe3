/**
 * For drawing a number with given chances in constant time: Walker's alias method, built as by Vose (1991). Fills `out`
 * (at most 65 536 entries, as many as `weights`), each the chance in 65536ths that a ticket for a number stays with it,
 * times 65536, plus the number that it goes to otherwise. Gives the sum of the weights.
 */
export function aliasTable(weights: Float32Array | Float64Array, out: Uint32Array): number {
  const n = weights.length;
  let sum = 0;
  for (const value of weights) sum += value;
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
