const isTypedArray = (value: unknown): value is ArrayLike<number | bigint> & object =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

/**
 * For expect: true for two typed arrays of one type with the same numbers; undefined for others, which Vitest compares
 * and explains. Vitest itself needs a second for 100 000 numbers.
 */
export function sameNumbers(a: unknown, b: unknown): true | undefined {
  if (!isTypedArray(a) || !isTypedArray(b) || a.constructor !== b.constructor || a.length !== b.length)
    return undefined;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return undefined;
  return true;
}
