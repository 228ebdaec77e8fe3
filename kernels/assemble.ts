// AssemblyScript with v128: compiled by scripts/build-kernels.ts, called from src/ip/kernel.ts, where the meaning of
// the parameters is written. All addresses are in bytes, all steps in elements.

/**
 * Blocks of 4 × 4 pixels are walked in strips this many sensor columns wide: one cache line of float32, so that every
 * line of a turned sensor is used up at once. Strips of 32 were up to 10 %, of 64 a third to four fifths slower.
 */
const STRIP: i32 = 16;
/** Sensor rows walked before the next strip: their pixels stay in the second-level cache for all strips. */
const TILE: i32 = 256;

/**
 * Choices known when compiling, as the sizes of type arguments: AssemblyScript has no other way to them without
 * decorators.
 */
type Yes = u8;
type No = u16;

/** Four pixels as float32, dark-subtracted and scaled. */
function calibrate4<T, HasDark>(at: usize, dark: usize, gain: v128): v128 {
  const value = sizeof<T>() === 2 ? f32x4.convert_i32x4_s(v128.load_ext<u16>(at)) : v128.load(at);
  return f32x4.mul(sizeof<HasDark>() === 1 ? f32x4.sub(value, v128.load(dark)) : value, gain);
}

/**
 * Reads a word of every cache line: memory order is what the hardware reads ahead, strips are not. Left out, 10 to 50 %
 * slower.
 */
function touch(at: usize, bytes: usize): i32 {
  let seen: i32 = 0;
  for (const end = at + bytes; at < end; at += 64) seen |= load<i32>(at);
  return seen;
}

/**
 * Visits a rectangle of a sensor in blocks of 4 × 4 pixels and puts it, calibrated, into the picture; or, when it
 * `Packs`, puts float32 pixels into `dark`, in the order in which they will be subtracted, so that the dark is read as
 * a stream. Rows and columns are at least 4; the last block overlaps its neighbour when they are not multiples of 4.
 * Returns something of what it read, so that no reading ahead is optimised away.
 */
function walk<T, Turned, HasDark, Packs>(
  raw: usize,
  dark: usize,
  gain: f32,
  out: usize,
  rows: i32,
  columns: i32,
  pitch: i32,
  perRow: i32,
  perColumn: i32,
): i32 {
  const gains = f32x4.splat(gain);
  const bytes = sizeof<T>();
  const line = <isize>pitch * bytes;
  // Where output runs against memory order, the four rows of a turned block are taken last first.
  const flipped = sizeof<Turned>() === 1 && perRow < 0;
  const step = flipped ? -line : line;
  const begin = flipped ? 3 * line : 0;
  const down = <isize>perRow * 4;
  const right = <isize>perColumn * 4;
  let seen: i32 = 0;
  for (let top = 0; top < rows; top += TILE) {
    const bottom = min(top + TILE, rows);
    for (let row = top; row < bottom; row++) seen |= touch(raw + row * line, columns * bytes);
    for (let left = 0; left < columns; left += STRIP) {
      const end = min(left + STRIP, columns);
      for (let row = top; row < bottom; row += 4) {
        const r = min(row, rows - 4);
        for (let column = left; column < end; column += 4) {
          const c = min(column, columns - 4);
          const from = raw + r * line + c * bytes + begin;
          if (sizeof<Packs>() === 1) {
            v128.store(dark, v128.load(from));
            v128.store(dark, v128.load(from + step), 16);
            v128.store(dark, v128.load(from + 2 * step), 32);
            v128.store(dark, v128.load(from + 3 * step), 48);
          } else {
            const a = calibrate4<T, HasDark>(from, dark, gains);
            const b = calibrate4<T, HasDark>(from + step, dark + 16, gains);
            const d = calibrate4<T, HasDark>(from + 2 * step, dark + 32, gains);
            const e = calibrate4<T, HasDark>(from + 3 * step, dark + 48, gains);
            let to = out + r * down + c * right;
            if (sizeof<Turned>() === 1) {
              if (flipped) to -= 12;
              const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
              const de = v128.shuffle<f32>(d, e, 0, 4, 1, 5);
              const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
              const deHigh = v128.shuffle<f32>(d, e, 2, 6, 3, 7);
              v128.store(to, v128.shuffle<i64>(ab, de, 0, 2));
              v128.store(to + right, v128.shuffle<i64>(ab, de, 1, 3));
              v128.store(to + 2 * right, v128.shuffle<i64>(abHigh, deHigh, 0, 2));
              v128.store(to + 3 * right, v128.shuffle<i64>(abHigh, deHigh, 1, 3));
            } else if (perColumn > 0) {
              v128.store(to, a);
              v128.store(to + down, b);
              v128.store(to + 2 * down, d);
              v128.store(to + 3 * down, e);
            } else {
              to -= 12;
              v128.store(to, v128.shuffle<f32>(a, a, 3, 2, 1, 0));
              v128.store(to + down, v128.shuffle<f32>(b, b, 3, 2, 1, 0));
              v128.store(to + 2 * down, v128.shuffle<f32>(d, d, 3, 2, 1, 0));
              v128.store(to + 3 * down, v128.shuffle<f32>(e, e, 3, 2, 1, 0));
            }
          }
          dark += 64;
        }
      }
    }
  }
  return seen;
}

function paint<T>(
  raw: usize,
  dark: usize,
  gain: f32,
  out: usize,
  rows: i32,
  columns: i32,
  pitch: i32,
  perRow: i32,
  perColumn: i32,
): i32 {
  if (perRow === 1 || perRow === -1) {
    if (dark === 0) return walk<T, Yes, No, No>(raw, dark, gain, out, rows, columns, pitch, perRow, perColumn);
    return walk<T, Yes, Yes, No>(raw, dark, gain, out, rows, columns, pitch, perRow, perColumn);
  }
  if (dark === 0) return walk<T, No, No, No>(raw, dark, gain, out, rows, columns, pitch, perRow, perColumn);
  return walk<T, No, Yes, No>(raw, dark, gain, out, rows, columns, pitch, perRow, perColumn);
}

export function paint16(
  raw: usize,
  dark: usize,
  gain: f32,
  out: usize,
  rows: i32,
  columns: i32,
  pitch: i32,
  perRow: i32,
  perColumn: i32,
): i32 {
  return paint<u16>(raw, dark, gain, out, rows, columns, pitch, perRow, perColumn);
}

export function paint32(
  raw: usize,
  dark: usize,
  gain: f32,
  out: usize,
  rows: i32,
  columns: i32,
  pitch: i32,
  perRow: i32,
  perColumn: i32,
): i32 {
  return paint<f32>(raw, dark, gain, out, rows, columns, pitch, perRow, perColumn);
}

export function pack(
  values: usize,
  dark: usize,
  rows: i32,
  columns: i32,
  pitch: i32,
  perRow: i32,
  perColumn: i32,
): i32 {
  if (perRow === 1 || perRow === -1)
    return walk<f32, Yes, Yes, Yes>(values, dark, 0, 0, rows, columns, pitch, perRow, perColumn);
  return walk<f32, No, Yes, Yes>(values, dark, 0, 0, rows, columns, pitch, perRow, perColumn);
}

function gather<T>(list: usize, count: i32, raw: usize, dark: usize, gain: f32, out: usize): void {
  for (const end = list + ((<usize>count) << 3); list < end; list += 8) {
    let value = <f32>load<T>(raw + <usize>load<u32>(list, 4) * sizeof<T>());
    if (dark !== 0) {
      value -= load<f32>(dark);
      dark += 4;
    }
    store<f32>(out + ((<usize>load<u32>(list)) << 2), value * gain);
  }
}

export function gather16(list: usize, count: i32, raw: usize, dark: usize, gain: f32, out: usize): void {
  gather<u16>(list, count, raw, dark, gain, out);
}

export function gather32(list: usize, count: i32, raw: usize, dark: usize, gain: f32, out: usize): void {
  gather<f32>(list, count, raw, dark, gain, out);
}

export function fill(list: usize, count: i32, value: f32, out: usize): void {
  const four = f32x4.splat(value);
  for (const end = list + ((<usize>count) << 3); list < end; list += 8) {
    let to = out + ((<usize>load<u32>(list)) << 2);
    const stop = to + ((<usize>load<u32>(list, 4)) << 2);
    for (; to + 16 <= stop; to += 16) v128.store(to, four);
    for (; to < stop; to += 4) store<f32>(to, value);
  }
}

export function blend(list: usize, count: i32, pixels: usize, perColumn: i32, perRow: i32, out: usize): void {
  const right = (<usize>perColumn) << 2;
  const down = (<usize>perRow) << 2;
  const first = f32x4(0, 1, 2, 3);
  const four = f32x4.splat(4);
  for (const end = list + <usize>count * 44; list < end; list += 44) {
    let to = out + ((<usize>load<u32>(list)) << 2);
    let from = pixels + ((<usize>load<u32>(list, 4)) << 2);
    const length = load<i32>(list, 8);
    const a = v128.load32_splat(list, 12);
    const b = v128.load32_splat(list, 16);
    const c = v128.load32_splat(list, 20);
    const d = v128.load32_splat(list, 24);
    const moreA = v128.load32_splat(list, 28);
    const moreB = v128.load32_splat(list, 32);
    const moreC = v128.load32_splat(list, 36);
    const moreD = v128.load32_splat(list, 40);
    let n = first;
    for (let left = length; ; ) {
      let sum = f32x4.mul(f32x4.add(a, f32x4.mul(n, moreA)), v128.load(from));
      sum = f32x4.add(sum, f32x4.mul(f32x4.add(b, f32x4.mul(n, moreB)), v128.load(from + right)));
      sum = f32x4.add(sum, f32x4.mul(f32x4.add(c, f32x4.mul(n, moreC)), v128.load(from + down)));
      sum = f32x4.add(sum, f32x4.mul(f32x4.add(d, f32x4.mul(n, moreD)), v128.load(from + down + right)));
      v128.store(to, sum);
      left -= 4;
      if (left <= 0) break;
      if (left >= 4) {
        to += 16;
        from += 16;
        n = f32x4.add(n, four);
      } else {
        // The last four pixels of a run overlap those before.
        to += (<usize>left) << 2;
        from += (<usize>left) << 2;
        n = f32x4.add(n, f32x4.splat(<f32>left));
        left = 4;
      }
    }
  }
}

export function collect(list: usize, bytes: i32, pixels: usize, adds: i32, out: usize): void {
  const end = list + bytes;
  while (list < end) {
    const to = out + ((<usize>load<u32>(list)) << 2);
    let entries = load<u32>(list, 4);
    list += 8;
    let sum: f32 = 0;
    for (; entries > 0; entries--) {
      sum += load<f32>(list, 4) * load<f32>(pixels + ((<usize>load<u32>(list)) << 2));
      list += 8;
    }
    store<f32>(to, adds !== 0 ? load<f32>(to) + sum : sum);
  }
}
