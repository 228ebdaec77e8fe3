// AssemblyScript with v128: droplets by the rules of src/reduce/reducers/droplet-finder.ts, which calls it. Compiled by
// scripts/build-kernels.ts. Addresses are in bytes. Of each pixel: 1 in `taken` when it belongs to a droplet
// already; of each member of a droplet, one droplet after another: its number in `members`, the charge that is left in
// `left` (f64) and a place in `order`, where its column is before.
import { above8, pixelAt } from "./pixels.ts";

/** As in src/reduce/engine/exact.ts. */
const GRID: f64 = 1.5 * 4294967296.0;

/** Whether a u16 pixel is above its limit. */
function isAbove(image: usize, limits: usize, i: i32): bool {
  const at = (<usize>i) << 1;
  return load<u16>(image + at) > load<u16>(limits + at);
}

/** Makes a pixel a member when it is bright enough and free; gives the end of the members. */
function takePixel<T>(
  image: usize,
  dark: usize,
  lows: usize,
  i: i32,
  column: i32,
  low: f32,
  taken: usize,
  members: usize,
  order: usize,
  end: i32,
): i32 {
  if (sizeof<T>() === 2 && lows !== 0) {
    if (!isAbove(image, lows, i)) return end;
  } else {
    const x = pixelAt<T>(image, dark, i);
    if (!(x >= low && x < Infinity)) return end;
  }
  if (load<u8>(taken + i) !== 0) return end;
  store<u8>(taken + i, 1);
  store<i32>(members + ((<usize>end) << 2), i);
  store<i32>(order + ((<usize>end) << 2), column);
  return end + 1;
}

/** Collects the droplet around pixel `first` in the members from `start` on; gives their end. */
function growDroplet<T>(
  image: usize,
  dark: usize,
  lows: usize,
  rows: i32,
  columns: i32,
  first: i32,
  firstColumn: i32,
  low: f32,
  taken: usize,
  members: usize,
  order: usize,
  start: i32,
): i32 {
  const lastRow = (rows - 1) * columns;
  let end = takePixel<T>(image, dark, lows, first, firstColumn, low, taken, members, order, start);
  for (let k = start; k < end; k++) {
    const i = load<i32>(members + ((<usize>k) << 2));
    const column = load<i32>(order + ((<usize>k) << 2));
    if (i >= columns) end = takePixel<T>(image, dark, lows, i - columns, column, low, taken, members, order, end);
    if (column > 0) end = takePixel<T>(image, dark, lows, i - 1, column - 1, low, taken, members, order, end);
    if (column < columns - 1) end = takePixel<T>(image, dark, lows, i + 1, column + 1, low, taken, members, order, end);
    if (i < lastRow) end = takePixel<T>(image, dark, lows, i + columns, column, low, taken, members, order, end);
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

/**
 * Writes that a pixel of an f32 image has got photons, and gives how many such entries there are; those of a u16 image are
 * added to its sums.
 */
function gave<T>(entries: usize, number: i32, pixel: i32, photons: u32): i32 {
  if (sizeof<T>() === 2) {
    const at = entries + ((<usize>pixel) << 2);
    store<u32>(at, load<u32>(at) + photons);
    return number;
  }
  store<i32>(entries + ((<usize>number) << 3), pixel);
  store<u32>(entries + ((<usize>number) << 3), photons, 4);
  return number + 1;
}

/** Which of some pixels from `first` on can begin a droplet, a bit each: 4 of an f32 image, 8 of a u16 one. */
function seeds<T>(image: usize, limits: usize, first: i32, n: i32, seed: f32): i32 {
  if (sizeof<T>() === 2) {
    const found = above8(image, limits, first);
    return first + 8 > n ? found & ((1 << (n - first)) - 1) : found;
  }
  const bright = f32x4.ge(v128.load(image + ((<usize>first) << 2)), f32x4.splat(seed));
  return v128.any_true(bright) ? i32x4.bitmask(bright) : 0;
}

function addTo(at: usize, x: f64): void {
  store<f64>(at, load<f64>(at) + x);
}

/** Whether no pixel beside a u16 pixel is bright enough to be in its droplet: none of them is taken, or it would be too. */
function isAlone(image: usize, lows: usize, rows: i32, columns: i32, i: i32, column: i32): bool {
  if (column > 0 && isAbove(image, lows, i - 1)) return false;
  if (column < columns - 1 && isAbove(image, lows, i + 1)) return false;
  if (i >= columns && isAbove(image, lows, i - columns)) return false;
  return i >= (rows - 1) * columns || !isAbove(image, lows, i + columns);
}

/** Those that begin at the pixels `from` to before `to`. */
function findDroplets<T>(
  image: usize,
  dark: usize,
  limits: usize,
  lows: usize,
  from: i32,
  to: i32,
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
  let total: f64 = 0;
  let droplets = 0;
  let singles = 0;
  let brightest: f64 = 0;
  let used = 0;
  let number = 0;
  let tooMany = false;
  /** Number of the first pixel of the row. */
  let row = from - (from % columns);
  for (let first = from; first < to && !tooMany; first += sizeof<T>() === 2 ? 8 : 4) {
    for (let lanes = seeds<T>(image, limits, first, to, seed); lanes !== 0; lanes &= lanes - 1) {
      const i = first + ctz<i32>(lanes);
      if (i >= to || load<u8>(taken + i) !== 0 || !(pixelAt<T>(image, dark, i) < Infinity)) continue;
      while (i >= row + columns) row += columns;
      if (sizeof<T>() === 2 && lows !== 0 && isAlone(image, lows, rows, columns, i, i - row)) {
        // Most are such: the same as below, of one member.
        const share = <f64>pixelAt<T>(image, dark, i) / adu;
        const bin = spectrum + ((<usize>min<f64>(bins, floor<f64>(share * perPhoton + 0.5))) << 2);
        store<u32>(bin, load<u32>(bin) + 1);
        const found = floor<f64>(share + 0.5);
        if (found === 1) {
          singles++;
          brightest += share + GRID - GRID;
        }
        if (found > 0) {
          total += found;
          droplets++;
          gave<T>(entries, 0, i, <u32>(<u64>found));
        }
        continue;
      }
      const end = growDroplet<T>(image, dark, lows, rows, columns, i, i - row, low, taken, members, order, used);
      let charge: f64 = 0;
      let most: f64 = 0;
      for (let k = used; k < end; k++) {
        const x = <f64>pixelAt<T>(image, dark, load<i32>(members + ((<usize>k) << 2)));
        store<f64>(left + ((<usize>k) << 3), x);
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
          const own = load<f64>(left + ((<usize>k) << 3)) / adu;
          const whole = floor<f64>(own);
          store<f64>(left + ((<usize>k) << 3), own - whole);
          store<i32>(order + ((<usize>k) << 2), k);
          if (whole === 0) continue;
          number = gave<T>(entries, number, member, <u32>whole);
          remaining -= <i32>whole;
        }
        const own = order + ((<usize>used) << 2);
        const length = end - used;
        if (remaining > 0 && length > 1) sortMembers(members, left, own, length);
        for (let k = 0; k < remaining; k++) {
          const member = load<i32>(own + ((<usize>(k % length)) << 2));
          number = gave<T>(entries, number, load<i32>(members + ((<usize>member) << 2)), 1);
        }
      }
      // Of a u16 image, whoever calls makes all pixels free again.
      used = sizeof<T>() === 2 ? 0 : end;
    }
  }
  for (let k = 0; k < used; k++) store<u8>(taken + load<i32>(members + ((<usize>k) << 2)), 0);
  addTo(sums, total);
  addTo(sums + 8, droplets);
  addTo(sums + 16, singles);
  addTo(sums + 24, brightest);
  return tooMany ? -1 : number;
}

/**
 * Finds the droplets of an f32 image. Writes which pixels got photons to `entries` (number and photons, at most two of
 * each pixel) and gives how many entries there are; −1 when a droplet has too many photons to be counted here. To `sums` are
 * added photons, droplets with some, those with one, and what the brightest pixels of those had (f64 each). `spectrum` (u32):
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
  return findDroplets<f32>(
    image,
    0,
    0,
    0,
    0,
    rows * columns,
    rows,
    columns,
    adu,
    seed,
    low,
    taken,
    members,
    left,
    order,
    entries,
    sums,
    spectrum,
    perPhoton,
    bins,
  );
}

/**
 * The same of u16 pixels less the dark, of droplets that begin at those above their limits among the pixels `from` to before
 * `to`; the photons of each pixel are added to its u32. Pixels stay `taken`. Above their `lows` pixels are from `low` on (0:
 * there are no such numbers).
 */
export function dropletsU16(
  image: usize,
  dark: usize,
  limits: usize,
  lows: usize,
  from: i32,
  to: i32,
  rows: i32,
  columns: i32,
  adu: f64,
  low: f32,
  taken: usize,
  members: usize,
  left: usize,
  order: usize,
  photons: usize,
  sums: usize,
  spectrum: usize,
  perPhoton: f64,
  bins: i32,
): void {
  findDroplets<u16>(
    image,
    dark,
    limits,
    lows,
    from,
    to,
    rows,
    columns,
    adu,
    0,
    low,
    taken,
    members,
    left,
    order,
    photons,
    sums,
    spectrum,
    perPhoton,
    bins,
  );
}
