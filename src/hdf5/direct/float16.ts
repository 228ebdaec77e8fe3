let values: Float32Array | undefined;

/**
 * IEEE binary16 numbers as float32, which holds each of them. JavaScript has no array of them before Node.js 24.
 * @param bits - of the numbers; may lie at the begin of the memory of `out`
 */
export function fromFloat16(bits: Uint16Array, out: Float32Array): void {
  values ??= Float32Array.from({ length: 2 ** 16 }, (_, number) => float16(number));
  // Backwards: what is written does not cover what is read later.
  for (let i = bits.length - 1; i >= 0; i--) out[i] = values[bits[i] ?? 0] ?? NaN;
}

function float16(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}
