// AssemblyScript with v128: what is done to one image where it lies. Compiled by scripts/build-kernels.ts, called from
// src/reduce/images/in-place.ts, src/reduce/reducers/hits.ts and droplet-finder.ts. Addresses are in bytes, `n` counts
// pixels. Whatever rounds here, rounds as the plain code in src/reduce does: same bits.

/** As in src/reduce/engine/exact.ts. */
const GRID: f64 = 1.5 * 4294967296.0;

/** Two f32 numbers of a difference in double precision. */
function less(x: v128, dark: usize): v128 {
  return f32x4.demote_f64x2_zero(f64x2.sub(x, v128.load(dark)));
}

function joined(low: v128, high: v128): v128 {
  return v128.shuffle<i64>(low, high, 0, 2);
}

/** Writes u16 pixels as f32, less the dark (f64; none when `dark` is 0). */
export function differenceU16(pixels: usize, n: i32, dark: usize, out: usize): void {
  const whole = n & ~7;
  for (let i = 0; i < whole; i += 8) {
    const x = v128.load(pixels + ((<usize>i) << 1));
    const a = i32x4.extend_low_i16x8_u(x);
    const b = i32x4.extend_high_i16x8_u(x);
    const to = out + ((<usize>i) << 2);
    if (dark === 0) {
      v128.store(to, f32x4.convert_i32x4_s(a));
      v128.store(to, f32x4.convert_i32x4_s(b), 16);
      continue;
    }
    const from = dark + ((<usize>i) << 3);
    const a2 = v128.shuffle<i64>(a, a, 1, 0);
    const b2 = v128.shuffle<i64>(b, b, 1, 0);
    v128.store(to, joined(less(f64x2.convert_low_i32x4_s(a), from), less(f64x2.convert_low_i32x4_s(a2), from + 16)));
    v128.store(
      to,
      joined(less(f64x2.convert_low_i32x4_s(b), from + 32), less(f64x2.convert_low_i32x4_s(b2), from + 48)),
      16,
    );
  }
  for (let i = whole; i < n; i++) {
    let x = <f64>load<u16>(pixels + ((<usize>i) << 1));
    if (dark !== 0) x -= load<f64>(dark + ((<usize>i) << 3));
    store<f32>(out + ((<usize>i) << 2), <f32>x);
  }
}

/** Takes the dark off f32 pixels; `out` may be `pixels`. */
export function differenceF32(pixels: usize, n: i32, dark: usize, out: usize): void {
  const whole = n & ~3;
  for (let i = 0; i < whole; i += 4) {
    const at = (<usize>i) << 2;
    const x = v128.load(pixels + at);
    const from = dark + ((<usize>i) << 3);
    const low = less(f64x2.promote_low_f32x4(x), from);
    const high = less(f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)), from + 16);
    v128.store(out + at, joined(low, high));
  }
  for (let i = whole; i < n; i++) {
    const at = (<usize>i) << 2;
    store<f32>(out + at, <f32>(<f64>load<f32>(pixels + at) - load<f64>(dark + ((<usize>i) << 3))));
  }
}

/** Multiplies f32 pixels by `factor`, or by factors of their own (f64) when `factors` is not 0. */
export function multiplyF32(pixels: usize, n: i32, factor: f64, factors: usize): void {
  const whole = n & ~3;
  let low = f64x2.splat(factor);
  let high = low;
  for (let i = 0; i < whole; i += 4) {
    const at = pixels + ((<usize>i) << 2);
    const x = v128.load(at);
    if (factors !== 0) {
      low = v128.load(factors + ((<usize>i) << 3));
      high = v128.load(factors + ((<usize>i) << 3), 16);
    }
    const a = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.promote_low_f32x4(x), low));
    const b = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)), high));
    v128.store(at, joined(a, b));
  }
  for (let i = whole; i < n; i++) {
    const at = pixels + ((<usize>i) << 2);
    const by = factors === 0 ? factor : load<f64>(factors + ((<usize>i) << 3));
    store<f32>(at, <f32>(<f64>load<f32>(at) * by));
  }
}

/** Replaces f32 pixels below `low` or above `high`; NaN stays. */
export function betweenF32(pixels: usize, n: i32, low: f32, high: f32, replaced: f32): void {
  const whole = n & ~3;
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  const other = f32x4.splat(replaced);
  for (let i = 0; i < whole; i += 4) {
    const at = pixels + ((<usize>i) << 2);
    const x = v128.load(at);
    v128.store(at, v128.bitselect(other, x, v128.or(f32x4.lt(x, lows), f32x4.gt(x, highs))));
  }
  for (let i = whole; i < n; i++) {
    const at = pixels + ((<usize>i) << 2);
    const x = load<f32>(at);
    if (x < low || x > high) store<f32>(at, replaced);
  }
}

/** How many f32 pixels are from `least` on; infinite ones are left out. */
export function litF32(pixels: usize, n: i32, least: f32): i32 {
  const whole = n & ~3;
  const leasts = f32x4.splat(least);
  const infinite = f32x4.splat(Infinity);
  let counts = i32x4.splat(0);
  for (let i = 0; i < whole; i += 4) {
    const x = v128.load(pixels + ((<usize>i) << 2));
    // True is −1.
    counts = i32x4.sub(counts, v128.and(f32x4.ge(x, leasts), f32x4.lt(x, infinite)));
  }
  let count = i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1);
  count += i32x4.extract_lane(counts, 2) + i32x4.extract_lane(counts, 3);
  for (let i = whole; i < n; i++) {
    const x = load<f32>(pixels + ((<usize>i) << 2));
    if (x >= least && x < Infinity) count++;
  }
  return count;
}

/** The rule of src/reduce/reducers/hits.ts for a lit pixel at `at`, `step` bytes from row to row. */
function isPeak(at: usize, step: usize, value: f32, snr: f64): bool {
  for (let row = -1; row <= 1; row++) {
    const beside = at + <usize>row * step;
    for (let column = -1; column <= 1; column++) {
      const other = load<f32>(beside + <usize>(column << 2));
      if (other > value || (other === value && (row < 0 || (row === 0 && column < 0)))) return false;
    }
  }
  let number: f64 = 0;
  let sum: f64 = 0;
  let squares: f64 = 0;
  for (let row = -2; row <= 2; row++) {
    const beside = at + <usize>row * step;
    const next = row === -2 || row === 2 ? 1 : 4;
    for (let column = -2; column <= 2; column += next) {
      const below = <f64>load<f32>(beside + <usize>(column << 2)) - <f64>value;
      if (below - below !== 0) continue;
      number += 1;
      sum += below;
      squares += below * below;
    }
  }
  if (number < 8) return false;
  const mean = sum / number;
  return mean < 0 && -mean >= snr * sqrt<f64>(max<f64>(0, squares / number - mean * mean));
}

/** How many peaks there are among f32 pixels from `least` on. */
export function peaksF32(pixels: usize, rows: i32, columns: i32, least: f32, snr: f64): i32 {
  const step = (<usize>columns) << 2;
  const leasts = f32x4.splat(least);
  const infinite = f32x4.splat(Infinity);
  let count = 0;
  for (let r = 2; r < rows - 2; r++) {
    const row = pixels + <usize>r * step;
    let c = 2;
    for (; c + 4 <= columns - 2; c += 4) {
      const x = v128.load(row + ((<usize>c) << 2));
      const lit = v128.and(f32x4.ge(x, leasts), f32x4.lt(x, infinite));
      if (!v128.any_true(lit)) continue;
      for (let lanes = i32x4.bitmask(lit); lanes !== 0; lanes &= lanes - 1) {
        const at = row + ((<usize>(c + ctz<i32>(lanes))) << 2);
        if (isPeak(at, step, load<f32>(at), snr)) count++;
      }
    }
    for (; c < columns - 2; c++) {
      const at = row + ((<usize>c) << 2);
      const value = load<f32>(at);
      if (value >= least && value < Infinity && isPeak(at, step, value, snr)) count++;
    }
  }
  return count;
}

// Droplets: the rules of src/reduce/reducers/droplet-finder.ts. Of each pixel: 1 in `taken` when it belongs to a droplet
// already; of each member of a droplet, one droplet after another: its number in `members`, the charge that is left in
// `left` (f64) and a place in `order`.

/** Makes a pixel a member when it is bright enough and free; gives the end of the members. */
function takePixel(image: usize, i: i32, low: f32, taken: usize, members: usize, end: i32): i32 {
  const x = load<f32>(image + ((<usize>i) << 2));
  if (!(x >= low && x < Infinity) || load<u8>(taken + i) !== 0) return end;
  store<u8>(taken + i, 1);
  store<i32>(members + ((<usize>end) << 2), i);
  return end + 1;
}

/** Collects the droplet around pixel `first` in the members from `start` on; gives their end. */
function growDroplet(
  image: usize,
  rows: i32,
  columns: i32,
  first: i32,
  low: f32,
  taken: usize,
  members: usize,
  start: i32,
): i32 {
  const lastRow = (rows - 1) * columns;
  let end = takePixel(image, first, low, taken, members, start);
  for (let k = start; k < end; k++) {
    const i = load<i32>(members + ((<usize>k) << 2));
    const column = i % columns;
    if (i >= columns) end = takePixel(image, i - columns, low, taken, members, end);
    if (column > 0) end = takePixel(image, i - 1, low, taken, members, end);
    if (column < columns - 1) end = takePixel(image, i + 1, low, taken, members, end);
    if (i < lastRow) end = takePixel(image, i + columns, low, taken, members, end);
  }
  return end;
}

/** Whether member `a` comes before member `b`: more charge left, or as much and a lower number. */
function isBefore(members: usize, left: usize, a: i32, b: i32): bool {
  const x = load<f64>(left + ((<usize>a) << 3));
  const y = load<f64>(left + ((<usize>b) << 3));
  return x > y || (x === y && load<i32>(members + ((<usize>a) << 2)) < load<i32>(members + ((<usize>b) << 2)));
}

/** Lets an entry of a heap, whose top comes last, sink to its place. */
function sink(members: usize, left: usize, order: usize, top: i32, length: i32): void {
  const entry = load<i32>(order + ((<usize>top) << 2));
  let at = top;
  for (let child = 2 * at + 1; child < length; child = 2 * at + 1) {
    let next = load<i32>(order + ((<usize>child) << 2));
    if (child + 1 < length) {
      const other = load<i32>(order + ((<usize>(child + 1)) << 2));
      if (isBefore(members, left, next, other)) {
        next = other;
        child++;
      }
    }
    if (!isBefore(members, left, entry, next)) break;
    store<i32>(order + ((<usize>at) << 2), next);
    at = child;
  }
  store<i32>(order + ((<usize>at) << 2), entry);
}

/** Sorts the members in `order`: most charge left first. */
function sortMembers(members: usize, left: usize, order: usize, length: i32): void {
  for (let top = (length >> 1) - 1; top >= 0; top--) sink(members, left, order, top, length);
  for (let last = length - 1; last > 0; last--) {
    const entry = load<i32>(order);
    store<i32>(order, load<i32>(order + ((<usize>last) << 2)));
    store<i32>(order + ((<usize>last) << 2), entry);
    sink(members, left, order, 0, last);
  }
}

/** Writes that a pixel has got photons; gives how many such entries there are. */
function gave(entries: usize, number: i32, pixel: i32, photons: u32): i32 {
  store<i32>(entries + ((<usize>number) << 3), pixel);
  store<u32>(entries + ((<usize>number) << 3), photons, 4);
  return number + 1;
}

/**
 * Finds the droplets of an f32 image. Writes which pixels got photons to `entries` (number and photons, at most two of
 * each pixel) and gives how many entries there are; −1 when a droplet has too many photons to be counted here. `sums`:
 * photons, droplets with some, those with one, and what the brightest pixels of those had (f64 each). `spectrum` (u32):
 * droplets by their charge in photons, `perPhoton` bins in each, `bins` in all and one above.
 */
export function dropletsF32(
  image: usize,
  rows: i32,
  columns: i32,
  adu: f64,
  seed: f32,
  low: f32,
  taken: usize,
  members: usize,
  left: usize,
  order: usize,
  entries: usize,
  sums: usize,
  spectrum: usize,
  perPhoton: f64,
  bins: i32,
): i32 {
  const n = rows * columns;
  const seeds = f32x4.splat(seed);
  let total: f64 = 0;
  let droplets = 0;
  let singles = 0;
  let brightest: f64 = 0;
  let used = 0;
  let number = 0;
  let tooMany = false;
  for (let first = 0; first < n && !tooMany; first += 4) {
    const bright = f32x4.ge(v128.load(image + ((<usize>first) << 2)), seeds);
    if (!v128.any_true(bright)) continue;
    for (let lanes = i32x4.bitmask(bright); lanes !== 0; lanes &= lanes - 1) {
      const i = first + ctz<i32>(lanes);
      if (i >= n || load<u8>(taken + i) !== 0 || !(load<f32>(image + ((<usize>i) << 2)) < Infinity)) continue;
      const end = growDroplet(image, rows, columns, i, low, taken, members, used);
      let charge: f64 = 0;
      let most: f64 = 0;
      for (let k = used; k < end; k++) {
        const x = <f64>load<f32>(image + ((<usize>load<i32>(members + ((<usize>k) << 2))) << 2));
        charge += x;
        if (x > most) most = x;
      }
      const share = charge / adu;
      if (share >= 1073741824) {
        used = end;
        tooMany = true;
        break;
      }
      const bin = spectrum + ((<usize>min<f64>(bins, floor<f64>(share * perPhoton + 0.5))) << 2);
      store<u32>(bin, load<u32>(bin) + 1);
      const found = <i32>floor<f64>(share + 0.5);
      if (found === 1) {
        singles++;
        brightest += most / adu + GRID - GRID;
      }
      if (found > 0) {
        total += found;
        droplets++;
        let remaining = found;
        for (let k = used; k < end; k++) {
          const member = load<i32>(members + ((<usize>k) << 2));
          const own = <f64>load<f32>(image + ((<usize>member) << 2)) / adu;
          const whole = floor<f64>(own);
          store<f64>(left + ((<usize>k) << 3), own - whole);
          store<i32>(order + ((<usize>k) << 2), k);
          if (whole === 0) continue;
          number = gave(entries, number, member, <u32>whole);
          remaining -= <i32>whole;
        }
        const own = order + ((<usize>used) << 2);
        const length = end - used;
        if (remaining > 0 && length > 1) sortMembers(members, left, own, length);
        for (let k = 0; k < remaining; k++) {
          const member = load<i32>(own + ((<usize>(k % length)) << 2));
          number = gave(entries, number, load<i32>(members + ((<usize>member) << 2)), 1);
        }
      }
      used = end;
    }
  }
  for (let k = 0; k < used; k++) store<u8>(taken + load<i32>(members + ((<usize>k) << 2)), 0);
  store<f64>(sums, total);
  store<f64>(sums, droplets, 8);
  store<f64>(sums, singles, 16);
  store<f64>(sums, brightest, 24);
  return tooMany ? -1 : number;
}
