// AssemblyScript with v128: the profile along the rows of a picture of the timing monitor. Compiled by
// scripts/build-kernels.ts, called from src/timing/picture-profile.ts. Addresses are bytes, lengths and pitches elements.

/**
 * Adds scale × (mean of the bin − pedestal) of each wanted band to the f64 profile, and gives back the largest pixel of
 * what it adds. `count`: rows of a band; `height`: rows of the picture; `scale`: a f64 for each bin of each band; `sums`:
 * memory for a u32 for each pixel of a row, rounded up to 8.
 */
export function addBands(
  pixels: usize,
  pitch: i32,
  height: i32,
  count: i32,
  bands: i32,
  wanted: usize,
  bin: i32,
  bins: i32,
  pedestal: f64,
  scale: usize,
  sums: usize,
  profile: usize,
): i32 {
  let most = i16x8.splat(0);
  let rest: u32 = 0;
  const columns = bin * bins;
  // Pixels of a bin are added in fours or in pairs where it has so many.
  const unit = (bin & 3) === 0 ? 4 : (bin & 1) === 0 ? 2 : 1;
  const whole = unit === 4 ? columns & ~15 : columns & ~7;
  const sumsOfBin = (<usize>(bin / unit)) << 2;
  const length = (<usize>bins) << 3;
  const pedestal2 = f64x2.splat(pedestal);
  for (let band = 0; band < bands; band++) {
    if (load<u8>(wanted + band) === 0) continue;
    const first = band * count;
    const last = min(height, first + count);
    memory.fill(sums, 0, (<usize>(columns / unit)) << 2);
    for (let row = first; row < last; row++) {
      const from = pixels + ((<usize>row * <usize>pitch) << 1);
      const end = from + ((<usize>whole) << 1);
      let at = from;
      let to = sums;
      if (unit === 4) {
        for (; at < end; at += 32, to += 16) {
          const a = v128.load(at);
          const b = v128.load(at, 16);
          most = i16x8.max_u(most, i16x8.max_u(a, b));
          const c = i32x4.extadd_pairwise_i16x8_u(a);
          const d = i32x4.extadd_pairwise_i16x8_u(b);
          const even = v128.shuffle<i32>(c, d, 0, 2, 4, 6);
          const odd = v128.shuffle<i32>(c, d, 1, 3, 5, 7);
          v128.store(to, i32x4.add(v128.load(to), i32x4.add(even, odd)));
        }
      } else if (unit === 2) {
        for (; at < end; at += 16, to += 16) {
          const a = v128.load(at);
          most = i16x8.max_u(most, a);
          v128.store(to, i32x4.add(v128.load(to), i32x4.extadd_pairwise_i16x8_u(a)));
        }
      }
      for (const stop = from + ((<usize>columns) << 1); at < stop; to += 4) {
        let sum = load<u32>(to);
        for (let k = 0; k < unit; k++, at += 2) {
          const pixel = <u32>load<u16>(at);
          rest = max(rest, pixel);
          sum += pixel;
        }
        store<u32>(to, sum);
      }
    }
    const pixelsOfBin = (last - first) * bin;
    // Exact, and faster than a division.
    const isPower = popcnt(pixelsOfBin) === 1;
    const count2 = f64x2.splat(isPower ? 1 / <f64>pixelsOfBin : <f64>pixelsOfBin);
    const factors = scale + ((<usize>band * <usize>bins) << 3);
    let at = sums;
    // Two bins at a time; behind an odd last one there is room.
    for (let i: usize = 0; i < length; i += 16) {
      let both = i32x4.splat(0);
      if (sumsOfBin === 4) {
        both = v128.load64_zero(at);
        at += 8;
      } else {
        let left: u32 = 0;
        let right: u32 = 0;
        for (const end = at + sumsOfBin; at < end; at += 4) left += load<u32>(at);
        for (const end = at + sumsOfBin; at < end; at += 4) right += load<u32>(at);
        both = i32x4.replace_lane(i32x4.splat(left), 1, right);
      }
      const total = f64x2.convert_low_i32x4_u(both);
      const exact = f64x2.sub(isPower ? f64x2.mul(total, count2) : f64x2.div(total, count2), pedestal2);
      const mean = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(exact));
      const sum = f64x2.add(v128.load(profile + i), f64x2.mul(v128.load(factors + i), mean));
      v128.store(profile + i, sum);
    }
  }
  for (let k = 0; k < 8; k++) {
    rest = max(rest, <u32>i16x8.extract_lane_u(most, 0));
    most = v128.shuffle<i16>(most, most, 1, 2, 3, 4, 5, 6, 7, 0);
  }
  return rest;
}

/** Σ a b over `n` f64 numbers. */
function inner(a: usize, b: usize, n: i32): f64 {
  let s = f64x2.splat(0);
  let t = f64x2.splat(0);
  const end = a + ((<usize>(n & ~3)) << 3);
  for (; a < end; a += 32, b += 32) {
    s = f64x2.add(s, f64x2.mul(v128.load(a), v128.load(b)));
    t = f64x2.add(t, f64x2.mul(v128.load(a, 16), v128.load(b, 16)));
  }
  s = f64x2.add(s, t);
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (let i = n & 3; i > 0; i--, a += 8, b += 8) sum += load<f64>(a) * load<f64>(b);
  return sum;
}

/** Σ values × vector over the bins `first` to `last` of each of `count` vectors that are `bins` long. */
export function along(values: usize, vectors: usize, count: i32, bins: i32, first: i32, last: i32, out: usize): void {
  const from = (<usize>first) << 3;
  for (let k = 0; k < count; k++) {
    store<f64>(out, inner(values + from, vectors + from, last - first));
    vectors += (<usize>bins) << 3;
    out += 8;
  }
}

/** Adds `count` vectors times their factors to the values; `bins` is a multiple of 4. */
export function addVectors(values: usize, vectors: usize, factors: usize, count: i32, bins: i32): void {
  const length = (<usize>bins) << 3;
  const end = factors + ((<usize>count) << 3);
  for (let i: usize = 0; i < length; i += 32) {
    let s = v128.load(values + i);
    let t = v128.load(values + i, 16);
    let at = vectors + i;
    for (let k = factors; k < end; k += 8, at += length) {
      const factor = v128.load64_splat(k);
      s = f64x2.add(s, f64x2.mul(factor, v128.load(at)));
      t = f64x2.add(t, f64x2.mul(factor, v128.load(at, 16)));
    }
    v128.store(values + i, s);
    v128.store(values + i, t, 16);
  }
}

/**
 * Values ⊗ weights, which are the same on both sides: of sum 1 and from the middle outwards, `reach` of them beside the
 * middle one. Before and behind the values there are as many zeros. `bins` is a multiple of 4.
 */
export function smooth(values: usize, weights: usize, reach: i32, bins: i32, out: usize): void {
  const far = (<usize>reach) << 3;
  for (let i = 0; i < bins; i += 4, values += 32, out += 32) {
    const middle = v128.load64_splat(weights);
    let s = f64x2.mul(middle, v128.load(values));
    let t = f64x2.mul(middle, v128.load(values, 16));
    for (let k: usize = 8; k <= far; k += 8) {
      const weight = v128.load64_splat(weights + k);
      const before = values - k;
      const after = values + k;
      s = f64x2.add(s, f64x2.mul(weight, f64x2.add(v128.load(before), v128.load(after))));
      t = f64x2.add(t, f64x2.mul(weight, f64x2.add(v128.load(before, 16), v128.load(after, 16))));
    }
    v128.store(out, s);
    v128.store(out, t, 16);
  }
}
