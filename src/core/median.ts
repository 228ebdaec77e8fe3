/** The value in the middle; of an even number of values the upper one of two. NaN of none. */
export function median(values: ArrayLike<number>): number {
  return Float64Array.from(values).sort()[values.length >> 1] ?? NaN;
}
