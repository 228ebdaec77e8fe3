// AssemblyScript: sums and lists in memory, for kernels/reduce.ts.

/** Adds to a f64 sum. */
export function addReal(at: usize, x: f64): void {
  store<f64>(at, load<f64>(at) + x);
}

/** Writes the number of a pixel behind `count` others; gives how many there are now. */
export function note(list: usize, count: i32, pixel: i32): i32 {
  store<u32>(list + ((<usize>count) << 2), pixel);
  return count + 1;
}
