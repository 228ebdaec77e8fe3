// AssemblyScript with v128: the common mode of the readout ports of one image. Compiled by scripts/build-kernels.ts,
// called from src/reduce/corrections/common-mode.ts and zero-peak.ts. Addresses are in bytes, images are f32.

import {
  APART,
  averageOf,
  brightness,
  EDGES,
  isAnyEven,
  keepAll,
  keepEven,
  keepLeast,
  lightOfBlocks,
  MEANS,
  OWN,
  oddPart,
  PAIRS,
  PIXELS,
  rowOf,
  sumEven,
} from "./light-blocks.ts";
import { peakScores, peakWaves, sumWaves } from "./zero-peak.ts";

export {
  averageOf,
  brightness,
  isAnyEven,
  keepAll,
  keepEven,
  keepLeast,
  lightOfBlocks,
  oddPart,
  peakScores,
  peakWaves,
  sumEven,
  sumWaves,
};

/** Bins of the histogram of a port, on both sides of 0; one more on each side counts the pixels outside. */
const REACH: i32 = 128;

/** The numbers 0 to 3, to leave out the pixels of the next stripe. */
function ramp(): v128 {
  return i32x4(0, 1, 2, 3);
}

function add1(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** Of the four lanes. */
function sumOf(x: v128): f64 {
  const all = halves(x);
  return f64x2.extract_lane(all, 0) + f64x2.extract_lane(all, 1);
}

/** Two sums of two of the four lanes each. */
function halves(x: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)));
}

/** How many lanes were counted, each down from 0. */
function countOf(x: v128): f64 {
  return -(<f64>(
    (i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3))
  ));
}

/** Where the blocks of a stripe begin: as many f64 for each port, one stripe behind the other. */
function firstBlock(stripe: i32, parts: i32, blocks: i32, each: i32): i32 {
  return (stripe / parts) * each + (stripe % parts) * blocks;
}

/** Adding it to a whole number from 0 on makes the bits of a f32 that number × 16, and those of 2^19 itself. */
const TIMES_16: f32 = 524288;
const BITS: usize = 0x49000000;

/**
 * Counts the pixels × `perUnit` of each port in its histogram of bins of 1: u32 [bins][4], for pixels in turn; those
 * below the bins in one before them, all others in one behind. Gives mean and number of the pixels below `spot` of each
 * block. A port is `parts` stripes of `width` columns, and each stripe is `blocks` blocks of rows; `each` is
 * how many of these a port has, at least. Up to three pixels behind the image are read, and not used.
 * @param room - 32 bytes for each stripe, then 4 for each pixel of a row of a port, widths rounded up to 4
 */
export function portCountsF32(
  pixels: usize,
  rows: i32,
  width: i32,
  stripes: i32,
  parts: i32,
  blocks: i32,
  each: i32,
  perUnit: f32,
  spot: f32,
  room: usize,
  counts: usize,
  table: usize,
): void {
  const cells = (stripes / parts) * each;
  const bins = room + ((<usize>stripes) << 5);
  let row = pixels;
  for (let r = 0; r < rows; r++) {
    const block = (r * blocks) / rows;
    if (r === 0 || block !== ((r - 1) * blocks) / rows) memory.fill(room, 0, (<usize>stripes) << 5);
    let bin = bins;
    for (let stripe = 0; stripe < stripes; stripe++) {
      bin = binsOf(row, width, perUnit, spot, room + ((<usize>stripe) << 5), bin);
      row += (<usize>width) << 2;
      if ((stripe + 1) % parts !== 0) continue;
      count(counts + <usize>((stripe / parts) * 16 * (2 * REACH + 2)) - BITS, bins, bin);
      bin = bins;
    }
    if (((r + 1) * blocks) / rows === block) continue;
    for (let stripe = 0; stripe < stripes; stripe++) {
      const sums = room + ((<usize>stripe) << 5);
      const number = countOf(v128.load(sums, 16));
      const at = (<usize>(firstBlock(stripe, parts, blocks, each) + block)) << 3;
      store<f64>(rowOf(table, cells, MEANS) + at, (load<f64>(sums) + load<f64>(sums, 8)) / number);
      store<f64>(rowOf(table, cells, PIXELS) + at, number);
    }
  }
}

/** Writes the bins of pixels, and adds those below `spot` and how many they are to sums. Gives the end of the bins. */
function binsOf(pixels: usize, width: i32, perUnit: f32, spot: f32, sums: usize, bins: usize): usize {
  let sum = f32x4.splat(0);
  let number = i32x4.splat(0);
  for (let i = 0; i < width; i += 4) {
    let value = f32x4.mul(v128.load(pixels + ((<usize>i) << 2)), f32x4.splat(perUnit));
    // Pixels of the next stripe become no numbers.
    if (i + 4 > width) value = v128.or(value, i32x4.ge_s(ramp(), i32x4.splat(width - i)));
    const kept = v128.and(f32x4.gt(value, f32x4.splat(-Infinity)), f32x4.lt(value, f32x4.splat(spot)));
    sum = f32x4.add(sum, v128.and(value, kept));
    number = i32x4.add(number, kept);
    // What is no number counts as beyond the last bin.
    const bin = f32x4.pmax(f32x4.splat(<f32>-REACH - 1), f32x4.pmin(f32x4.splat(<f32>REACH), value));
    v128.store(bins, f32x4.add(f32x4.floor(bin), f32x4.splat(TIMES_16 + <f32>REACH + 1)));
    bins += 16;
  }
  v128.store(sums, f64x2.add(v128.load(sums), halves(sum)));
  v128.store(sums, i32x4.add(v128.load(sums, 16), number), 16);
  return bins;
}

/** Counts bins from memory: taken from a vector, each would wait for the counts before it. */
function count(table: usize, bins: usize, end: usize): void {
  for (let at = bins; at < end; at += 16) {
    add1(table + <usize>load<u32>(at));
    add1(table + <usize>load<u32>(at, 4) + 4);
    add1(table + <usize>load<u32>(at, 8) + 8);
    add1(table + <usize>load<u32>(at, 12) + 12);
  }
}

/**
 * Means over the pixels of each block, in every `step`th row but the last two, of (pixel − mean of the block) × the
 * pixel, × one of its two neighbors to the right and below, and × one of the four two columns and rows away; and how
 * many pixels these were. Means are in `unit`s of pixels. Left out are pixels from `most` on, and those beside one that
 * is no number. Up to three pixels behind the image are read, and not used.
 */
export function blockProductsF32(
  pixels: usize,
  rows: i32,
  columns: i32,
  stripes: i32,
  parts: i32,
  blocks: i32,
  each: i32,
  step: i32,
  unit: f64,
  most: f32,
  table: usize,
): void {
  const cells = (stripes / parts) * each;
  const far = 2;
  const width = columns / stripes;
  let first = 0;
  for (let block = 0; block < blocks; block++) {
    const next = ((block + 1) * rows + blocks - 1) / blocks;
    for (let stripe = 0; stripe < stripes; stripe++) {
      const at = (<usize>(firstBlock(stripe, parts, blocks, each) + block)) << 3;
      const mean = f32x4.splat(<f32>(load<f64>(rowOf(table, cells, MEANS) + at) * unit));
      const end = min((stripe + 1) * width, columns - far);
      let same = f32x4.splat(0);
      let beside = same;
      let away = same;
      let number = i32x4.splat(0);
      for (let r = first; r < min(next, rows - far); r += step) {
        for (let c = max(far, stripe * width); c < end; c += 4) {
          const pixel = pixels + ((<usize>(r * columns + c)) << 2);
          const x = v128.load(pixel);
          const below = pixel + ((<usize>columns) << 2);
          const near = f32x4.add(v128.load(pixel, 4), v128.load(below));
          const two = below + ((<usize>columns) << 2);
          const across = f32x4.add(v128.load(two - 4 * far), v128.load(two, 4 * far));
          const others = f32x4.add(f32x4.add(v128.load(pixel, 4 * far), v128.load(two)), across);
          const all = f32x4.add(f32x4.add(x, near), others);
          // No comparison holds for a pixel that is no number.
          const usual = v128.and(f32x4.lt(all, f32x4.splat(4 * most)), f32x4.gt(all, f32x4.splat(-most)));
          let taken = v128.and(f32x4.lt(x, f32x4.splat(most)), usual);
          if (c + 4 > end) taken = v128.and(taken, i32x4.lt_s(ramp(), i32x4.splat(end - c)));
          // One factor less its mean is enough.
          const d = f32x4.sub(x, mean);
          same = f32x4.add(same, v128.and(f32x4.mul(d, x), taken));
          beside = f32x4.add(beside, v128.and(f32x4.mul(d, near), taken));
          away = f32x4.add(away, v128.and(f32x4.mul(d, others), taken));
          number = i32x4.add(number, taken);
        }
      }
      const n = countOf(number);
      const scale = n * unit * unit;
      store<f64>(rowOf(table, cells, PAIRS) + at, n);
      store<f64>(rowOf(table, cells, OWN) + at, sumOf(same) / scale);
      store<f64>(rowOf(table, cells, EDGES) + at, sumOf(beside) / (2 * scale));
      store<f64>(rowOf(table, cells, APART) + at, sumOf(away) / (4 * scale));
    }
    while (first < next) first += step;
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
