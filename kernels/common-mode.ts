// AssemblyScript with v128: the common mode of the readout ports of one image. Compiled by scripts/build-kernels.ts,
// called from src/reduce/corrections/common-mode.ts and zero-peak.ts. Addresses are in bytes, images are f32.

/** Bins of the histogram of a port, on both sides of 0; one more counts the pixels outside. */
const REACH: i32 = 128;

/** The numbers 0 to 3, to leave out the pixels of the next stripe. */
function ramp(): v128 {
  return i32x4(0, 1, 2, 3);
}

function add1(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** Adds the four lanes to a f64 number. */
function addLanes(at: usize, x: v128): void {
  const high = f64x2.promote_low_f32x4(i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  const both = f64x2.add(f64x2.promote_low_f32x4(x), high);
  store<f64>(at, load<f64>(at) + (f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1)));
}

/** Adds how many lanes were counted, each down from 0, to a f64 number. */
function addCounts(at: usize, x: v128): void {
  const n = i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
  store<f64>(at, load<f64>(at) - <f64>n);
}

/**
 * Counts the pixels × `perUnit` of each port in its histogram of bins of 1: u32 [bins][4], for pixels in turn; and adds
 * those below `spot`, and how many they are, to the f64 sums of their block. A port is `parts` stripes of `width`
 * columns, and each stripe is `blocks` blocks of rows. Up to three pixels behind the image are read, and not used.
 */
export function portCountsF32(
  pixels: usize,
  rows: i32,
  width: i32,
  stripes: i32,
  parts: i32,
  blocks: i32,
  perUnit: f32,
  spot: f32,
  counts: usize,
  sums: usize,
  numbers: usize,
): void {
  const factor = f32x4.splat(perUnit);
  const reach = i32x4.splat(REACH);
  const outside = i32x4.splat(2 * REACH);
  const least = f32x4.splat(-Infinity);
  const most = f32x4.splat(spot);
  let row = pixels;
  for (let r = 0; r < rows; r++) {
    const block = (r * blocks) / rows;
    for (let stripe = 0; stripe < stripes; stripe++) {
      const table = counts + <usize>((stripe / parts) * 16 * (2 * REACH + 1));
      let sum = f32x4.splat(0);
      let number = i32x4.splat(0);
      for (let i = 0; i < width; i += 4) {
        const value = f32x4.mul(v128.load(row + ((<usize>i) << 2)), factor);
        let kept = v128.and(f32x4.gt(value, least), f32x4.lt(value, most));
        // What lies below the first bin is large without its sign. A pixel that is no number is not equal to itself.
        let bin = i32x4.add(i32x4.trunc_sat_f32x4_s(f32x4.floor(value)), reach);
        bin = v128.or(bin, f32x4.ne(value, value));
        if (i + 4 > width) {
          const own = i32x4.lt_s(ramp(), i32x4.splat(width - i));
          kept = v128.and(kept, own);
          bin = v128.or(bin, v128.not(own));
        }
        sum = f32x4.add(sum, v128.and(value, kept));
        number = i32x4.add(number, kept);
        bin = i32x4.shl(i32x4.min_u(bin, outside), 4);
        add1(table + <usize>i32x4.extract_lane(bin, 0));
        add1(table + <usize>i32x4.extract_lane(bin, 1) + 4);
        add1(table + <usize>i32x4.extract_lane(bin, 2) + 8);
        add1(table + <usize>i32x4.extract_lane(bin, 3) + 12);
      }
      row += (<usize>width) << 2;
      const at = (<usize>(stripe * blocks + block)) << 3;
      addLanes(sums + at, sum);
      addCounts(numbers + at, number);
    }
  }
}

/**
 * Sums of each block, over every `step`th row but the last two: (pixel − mean of the block) × the pixel, its two
 * neighbors to the right and below, and the four two columns and rows away; then how many pixels these were: four f64
 * for each block at `out`. Left out are pixels from `most` on, and those beside one that is no number. Up to three
 * pixels behind the image are read, and not used.
 */
export function blockProductsF32(
  pixels: usize,
  rows: i32,
  columns: i32,
  stripes: i32,
  blocks: i32,
  step: i32,
  means: usize,
  most: f32,
  out: usize,
): void {
  const far = 2;
  const width = columns / stripes;
  const mosts = f32x4.splat(most);
  const highest = f32x4.splat(4 * most);
  const lowest = f32x4.splat(-most);
  const zero = f32x4.splat(0);
  const down = (<usize>columns) << 2;
  for (let r = 0; r < rows - far; r += step) {
    const block = (r * blocks) / rows;
    for (let stripe = 0; stripe < stripes; stripe++) {
      const index = <usize>(stripe * blocks + block);
      const mean = f32x4.splat(<f32>load<f64>(means + (index << 3)));
      const end = min((stripe + 1) * width, columns - far);
      let own = zero;
      let edge = zero;
      let apart = zero;
      let number = i32x4.splat(0);
      for (let c = max(far, stripe * width); c < end; c += 4) {
        const at = pixels + ((<usize>(r * columns + c)) << 2);
        const x = v128.load(at);
        const near = f32x4.add(v128.load(at + 4), v128.load(at + down));
        const below = at + far * down;
        const across = f32x4.add(v128.load(below - 4 * far), v128.load(below + 4 * far));
        const away = f32x4.add(f32x4.add(v128.load(at + 4 * far), v128.load(below)), across);
        const all = f32x4.add(f32x4.add(x, near), away);
        // No comparison holds for a pixel that is no number.
        let taken = v128.and(f32x4.lt(x, mosts), v128.and(f32x4.lt(all, highest), f32x4.gt(all, lowest)));
        if (c + 4 > end) taken = v128.and(taken, i32x4.lt_s(ramp(), i32x4.splat(end - c)));
        // One factor less its mean is enough.
        const d = f32x4.sub(x, mean);
        own = f32x4.add(own, v128.and(f32x4.mul(d, x), taken));
        edge = f32x4.add(edge, v128.and(f32x4.mul(d, near), taken));
        apart = f32x4.add(apart, v128.and(f32x4.mul(d, away), taken));
        number = i32x4.add(number, taken);
      }
      const sums = out + (index << 5);
      addLanes(sums, own);
      addLanes(sums + 8, edge);
      addLanes(sums + 16, apart);
      addCounts(sums + 24, number);
    }
  }
}

/** Takes its level (f64) off the pixels of each port that has one. */
export function takeLevelsF32(pixels: usize, rows: i32, width: i32, ports: i32, levels: usize): void {
  let pixel = pixels;
  for (let r = 0; r < rows; r++) {
    for (let port = 0; port < ports; port++) {
      const level = <f32>load<f64>(levels + ((<usize>port) << 3));
      const end = pixel + ((<usize>width) << 2);
      if (level - level !== 0) {
        pixel = end;
        continue;
      }
      const all = f32x4.splat(level);
      for (; pixel + 16 <= end; pixel += 16) v128.store(pixel, f32x4.sub(v128.load(pixel), all));
      for (; pixel < end; pixel += 4) store<f32>(pixel, load<f32>(pixel) - level);
    }
  }
}

/**
 * Adds up waves in the bins from `low` to before `high`, of four sums: Σ cosine · real − sine · imaginary. Parts are f64
 * [8][waves], real and imaginary of each sum in turn; cosines and sines f64 [waves][bins], sums f64 [4][bins]. One bin
 * more may be written.
 */
export function sumWaves(
  low: i32,
  high: i32,
  parts: usize,
  waves: i32,
  bins: i32,
  cosines: usize,
  sines: usize,
  sums: usize,
): void {
  const row = (<usize>waves) << 3;
  const step = (<usize>bins) << 3;
  for (let j = low; j < high; j += 2) {
    const at = (<usize>j) << 3;
    let a = f64x2.splat(0);
    let b = a;
    let c = a;
    let d = a;
    for (let k = 0; k < waves; k++) {
      const cosine = v128.load(cosines + at + <usize>k * step);
      const sine = v128.load(sines + at + <usize>k * step);
      const part = parts + ((<usize>k) << 3);
      a = f64x2.add(a, turned(part, row, cosine, sine));
      b = f64x2.add(b, turned(part + 2 * row, row, cosine, sine));
      c = f64x2.add(c, turned(part + 4 * row, row, cosine, sine));
      d = f64x2.add(d, turned(part + 6 * row, row, cosine, sine));
    }
    v128.store(sums + at, a);
    v128.store(sums + at + step, b);
    v128.store(sums + at + 2 * step, c);
    v128.store(sums + at + 3 * step, d);
  }
}

function turned(part: usize, row: usize, cosine: v128, sine: v128): v128 {
  return f64x2.sub(f64x2.mul(cosine, v128.load64_splat(part)), f64x2.mul(sine, v128.load64_splat(part + row)));
}
