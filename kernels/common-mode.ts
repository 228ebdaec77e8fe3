// AssemblyScript with v128: the common mode of the readout ports of one image. Compiled by scripts/build-kernels.ts,
// called from src/reduce/corrections/common-mode.ts and zero-peak.ts. Addresses are in bytes, images are f32.

/** Bins of the histogram of a port, on both sides of 0. */
const REACH: i32 = 128;

function add1(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** Adds both lanes to a f64 number. */
function addLanes(at: usize, x: v128): void {
  store<f64>(at, load<f64>(at) + (f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1)));
}

/**
 * Counts the pixels × `perUnit` of each port in its histogram of bins of 1, in two tables of u32 one behind the other
 * that even and odd pixels go to; and adds those below `spot`, and how many they are, to the f64 sums of their block.
 * A port is `parts` stripes of `width` columns, and each stripe is `blocks` blocks of rows.
 */
export function portCountsF32(
  pixels: usize,
  rows: i32,
  width: i32,
  stripes: i32,
  parts: i32,
  blocks: i32,
  perUnit: f64,
  spot: f64,
  counts: usize,
  sums: usize,
  numbers: usize,
): void {
  const factor = f64x2.splat(perUnit);
  const reach = f64x2.splat(<f64>REACH);
  const end = f64x2.splat(2 * <f64>REACH);
  const zero = f64x2.splat(0);
  const least = f64x2.splat(-Infinity);
  const most = f64x2.splat(spot);
  const one = f64x2.splat(1);
  let pixel = pixels;
  for (let r = 0; r < rows; r++) {
    const block = (r * blocks) / rows;
    for (let stripe = 0; stripe < stripes; stripe++) {
      const even = counts + <usize>((stripe / parts) * 16 * REACH);
      const odd = even + 8 * REACH;
      let sum = zero;
      let number = zero;
      for (let i = 0; i < width; i += 2) {
        const value = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(pixel)), factor);
        const bin = f64x2.add(value, reach);
        let inside = v128.and(f64x2.ge(bin, zero), f64x2.lt(bin, end));
        let kept = v128.and(f64x2.gt(value, least), f64x2.lt(value, most));
        pixel += 8;
        // The second one is of the next stripe.
        if (i + 1 === width) {
          inside = i64x2.replace_lane(inside, 1, 0);
          kept = i64x2.replace_lane(kept, 1, 0);
          pixel -= 4;
        }
        sum = f64x2.add(sum, v128.and(value, kept));
        number = f64x2.add(number, v128.and(one, kept));
        const whole = i32x4.trunc_sat_f64x2_s_zero(bin);
        if (i64x2.all_true(inside)) {
          add1(even + ((<usize>i32x4.extract_lane(whole, 0)) << 2));
          add1(odd + ((<usize>i32x4.extract_lane(whole, 1)) << 2));
        } else {
          if (i64x2.extract_lane(inside, 0) !== 0) add1(even + ((<usize>i32x4.extract_lane(whole, 0)) << 2));
          if (i64x2.extract_lane(inside, 1) !== 0) add1(odd + ((<usize>i32x4.extract_lane(whole, 1)) << 2));
        }
      }
      const at = (<usize>(stripe * blocks + block)) << 3;
      addLanes(sums + at, sum);
      addLanes(numbers + at, number);
    }
  }
}

/**
 * Sums of each block, over every `step`th row but the last two: (pixel − mean of the block) × the pixel, its two
 * neighbors to the right and below, and the four two columns and rows away; then how many pixels these were: four f64
 * for each block at `out`. Left out are pixels from `most` on, and those beside one that is no number.
 */
export function blockProductsF32(
  pixels: usize,
  rows: i32,
  columns: i32,
  stripes: i32,
  blocks: i32,
  step: i32,
  means: usize,
  most: f64,
  out: usize,
): void {
  const far = 2;
  const width = columns / stripes;
  const mosts = f64x2.splat(most);
  const highest = f64x2.splat(4 * most);
  const lowest = f64x2.splat(-most);
  const zero = f64x2.splat(0);
  const one = f64x2.splat(1);
  const down = (<usize>columns) << 2;
  for (let r = 0; r < rows - far; r += step) {
    const block = (r * blocks) / rows;
    for (let stripe = 0; stripe < stripes; stripe++) {
      const index = <usize>(stripe * blocks + block);
      const mean = f64x2.splat(load<f64>(means + (index << 3)));
      const end = min((stripe + 1) * width, columns - far);
      let own = zero;
      let edge = zero;
      let apart = zero;
      let number = zero;
      for (let c = max(far, stripe * width); c < end; c += 2) {
        const at = pixels + ((<usize>(r * columns + c)) << 2);
        const x = pair(at);
        const near = f64x2.add(pair(at + 4), pair(at + down));
        const below = at + far * down;
        const across = f64x2.add(pair(below - 4 * far), pair(below + 4 * far));
        const away = f64x2.add(f64x2.add(pair(at + 4 * far), pair(below)), across);
        const all = f64x2.add(f64x2.add(x, near), away);
        // No comparison holds for a pixel that is no number.
        let taken = v128.and(f64x2.lt(x, mosts), v128.and(f64x2.lt(all, highest), f64x2.gt(all, lowest)));
        // The second one is of the next stripe.
        if (c + 1 === end) taken = i64x2.replace_lane(taken, 1, 0);
        // One factor less its mean is enough.
        const d = f64x2.sub(x, mean);
        own = f64x2.add(own, v128.and(f64x2.mul(d, x), taken));
        edge = f64x2.add(edge, v128.and(f64x2.mul(d, near), taken));
        apart = f64x2.add(apart, v128.and(f64x2.mul(d, away), taken));
        number = f64x2.add(number, v128.and(one, taken));
      }
      const sums = out + (index << 5);
      addLanes(sums, own);
      addLanes(sums + 8, edge);
      addLanes(sums + 16, apart);
      addLanes(sums + 24, number);
    }
  }
}

/** Two pixels. */
function pair(at: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(at));
}

/** Takes its level (f64) off the pixels of each port that has one. */
export function takeLevelsF32(pixels: usize, rows: i32, width: i32, ports: i32, levels: usize): void {
  let pixel = pixels;
  for (let r = 0; r < rows; r++) {
    for (let port = 0; port < ports; port++) {
      const level = load<f64>(levels + ((<usize>port) << 3));
      if (level - level !== 0) {
        pixel += (<usize>width) << 2;
        continue;
      }
      const both = f64x2.splat(level);
      for (let i = 0; i + 1 < width; i += 2) {
        v128.store64_lane(pixel, f32x4.demote_f64x2_zero(f64x2.sub(pair(pixel), both)), 0);
        pixel += 8;
      }
      if (width & 1) {
        store<f32>(pixel, <f32>(<f64>load<f32>(pixel) - level));
        pixel += 4;
      }
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
