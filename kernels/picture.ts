// AssemblyScript with v128: compiled by scripts/build-kernels.ts, called from src/page/shown.ts. Addresses are bytes, lengths
// and pitches are elements. NaN and infinite values are no data: for them alone x − x is not 0.

/**
 * Means of the values there are in each block of `step` × `step` pixels of a picture, NaN where there are none; blocks at the
 * end may be smaller. `from`: the first pixel; `rows` × `columns`: what is shown; `sums`, `counts`: memory for a float64 and an
 * int32 for each column, rounded up to 4.
 */
export function means(
  from: usize,
  pitch: i32,
  rows: i32,
  columns: i32,
  step: i32,
  sums: usize,
  counts: usize,
  out: usize,
): void {
  const whole = columns & ~3;
  for (let first = 0; first < rows; first += step) {
    memory.fill(sums, 0, (<usize>columns) << 3);
    memory.fill(counts, 0, (<usize>columns) << 2);
    const end = min(first + step, rows);
    for (let row = first; row < end; row++) {
      let at = from + ((<usize>row * <usize>pitch) << 2);
      let sum = sums;
      let count = counts;
      for (let column = 0; column < whole; column += 4) {
        const x = v128.load(at);
        const has = f32x4.eq(f32x4.sub(x, x), f32x4.splat(0));
        const value = v128.and(x, has);
        v128.store(sum, f64x2.add(v128.load(sum), f64x2.promote_low_f32x4(value)));
        const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(value, value, 2, 3, 2, 3));
        v128.store(sum, f64x2.add(v128.load(sum, 16), high), 16);
        v128.store(count, i32x4.sub(v128.load(count), has));
        at += 16;
        sum += 32;
        count += 16;
      }
      for (let column = whole; column < columns; column++) {
        const x = load<f32>(at);
        if (x - x === 0) {
          store<f64>(sum, load<f64>(sum) + <f64>x);
          store<i32>(count, load<i32>(count) + 1);
        }
        at += 4;
        sum += 8;
        count += 4;
      }
    }
    for (let column = 0; column < columns; ) {
      const last = min(column + step, columns);
      let sum: f64 = 0;
      let count = 0;
      for (; column < last; column++) {
        sum += load<f64>(sums + ((<usize>column) << 3));
        count += load<i32>(counts + ((<usize>column) << 2));
      }
      store<f32>(out, <f32>(sum / <f64>count));
      out += 4;
    }
  }
}

/** Puts the least and the greatest of `n` values at `out`, as float32; infinities the wrong way round when there is none. */
export function range(values: usize, n: i32, out: usize): void {
  let low: f32 = Infinity;
  let high: f32 = -Infinity;
  for (const end = values + ((<usize>n) << 2); values < end; values += 4) {
    const x = load<f32>(values);
    if (x - x !== 0) continue;
    if (x < low) low = x;
    if (x > high) high = x;
  }
  store<f32>(out, low);
  store<f32>(out, high, 4);
}

/** (value − low) × scale, rounded, for `n` values as uint16, 65535 where there is none; and how often each occurs. */
export function grade(values: usize, n: i32, low: f64, scale: f64, levels: usize, counts: usize): void {
  for (const end = values + ((<usize>n) << 2); values < end; values += 4) {
    const x = load<f32>(values);
    const level: u32 = x - x === 0 ? <u32>floor((<f64>x - low) * scale + 0.5) : 65535;
    store<u16>(levels, <u16>level);
    const count = counts + ((<usize>level) << 2);
    store<u32>(count, load<u32>(count) + 1);
    levels += 2;
  }
}
