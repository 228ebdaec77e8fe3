// AssemblyScript with v128: how light lies on the blocks of an image, for kernels/common-mode.ts. Called from
// src/reduce/corrections/light-blocks.ts. A table has rows of one f64 for each block; of the blocks, those of a port
// are one behind the other, an even number.

/** Mean and number of the pixels of a block that are no spots. */
export const MEANS: i32 = 0;
export const PIXELS: i32 = 1;
/** Pixels that were looked at with others around them; 0 for a block that has none. */
export const PAIRS: i32 = 2;
/** Variance of these, and their covariance with a neighbor along an edge and with a pixel two or three away. */
export const OWN: i32 = 3;
export const EDGES: i32 = 4;
export const APART: i32 = 5;
/** Mean less level, no number where the block has no pairs; and all bits where light scatters as photons do. */
const LIGHT: i32 = 6;
const EVEN: i32 = 7;
/** Room for two numbers of each block, twice. */
const SOME: i32 = 8;
const OTHERS: i32 = 10;

/** Blocks with so many standard deviations more variance, or covariance, than photons make are not even. */
const OF_SPOTS: f64 = 6;
const OF_EDGES: f64 = 3;
/** The charge of a photon is first looked for in the blocks that have this part of the light and scatter least. */
const FIRST_PART: f64 = 0.7;
/** Of the blocks by light: brighter ones count no more than this one. */
const BRIGHT: f64 = 0.75;
/** Of more blocks than these only every third is ordered. */
const MANY_BLOCKS: i32 = 1000;
/** Between values of brightness, and below which light counts as even, in photons per pixel. */
const STEP: f64 = 0.15;
const SAME: f64 = 0.02;
const LEAST_VALUES: f64 = 6;
const MOST_VALUES: i32 = 20;
/** The brightest pixels of a port, so small a part of all, are left out: hardly any of them has no photon. */
const BRIGHTEST: f64 = 0.005;

/** Of one number for each block: the address of the first. */
export function rowOf(table: usize, blocks: i32, row: i32): usize {
  return table + ((<usize>(row * blocks)) << 3);
}

function isNumber(x: f64): bool {
  return x - x === 0;
}

function at(array: usize, b: i32): usize {
  return array + ((<usize>b) << 3);
}

function both(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

/** Mean less level of the blocks from `from` to before `to`; no number, and not kept, where no pairs were looked at. */
export function lightOfBlocks(table: usize, blocks: i32, from: i32, to: i32, level: f64): void {
  const means = rowOf(table, blocks, MEANS);
  const pairs = rowOf(table, blocks, PAIRS);
  const light = rowOf(table, blocks, LIGHT);
  const even = rowOf(table, blocks, EVEN);
  const levels = f64x2.splat(level);
  const zero = f64x2.splat(0);
  for (let b = from; b < to; b += 2) {
    const has = f64x2.gt(v128.load(at(pairs, b)), zero);
    const bright = v128.or(f64x2.sub(v128.load(at(means, b)), levels), v128.not(has));
    v128.store(at(light, b), bright);
    v128.store(at(even, b), f64x2.eq(bright, bright));
  }
}

/** Keeps all blocks that have a number of light. */
export function keepAll(table: usize, blocks: i32): void {
  const light = rowOf(table, blocks, LIGHT);
  const even = rowOf(table, blocks, EVEN);
  for (let b = 0; b < blocks; b += 2) {
    const bright = v128.load(at(light, b));
    v128.store(at(even, b), f64x2.eq(bright, bright));
  }
}

/**
 * Keeps the blocks that scatter as photons do. Says whether others were kept before.
 * @param shared - part of the charge squared that two neighbors share, for each edge
 */
export function keepEven(table: usize, blocks: i32, noise: f64, photon: f64, shared: f64): bool {
  const pairs = rowOf(table, blocks, PAIRS);
  const own = rowOf(table, blocks, OWN);
  const edges = rowOf(table, blocks, EDGES);
  const apart = rowOf(table, blocks, APART);
  const light = rowOf(table, blocks, LIGHT);
  const even = rowOf(table, blocks, EVEN);
  const zero = f64x2.splat(0);
  const variance = f64x2.splat(noise * noise);
  const charge = f64x2.splat(photon);
  const cubed = f64x2.splat(photon * photon * photon);
  const share = f64x2.splat(shared);
  let changed = zero;
  for (let b = 0; b < blocks; b += 2) {
    const n = v128.load(at(pairs, b));
    const common = v128.load(at(apart, b));
    const bright = f64x2.pmax(v128.load(at(light, b)), zero);
    const expected = f64x2.add(variance, f64x2.mul(charge, bright));
    const squared = f64x2.mul(expected, expected);
    const third = f64x2.mul(cubed, bright);
    // What is above the expected, squared, and not above so many variances.
    const spot = f64x2.pmax(f64x2.sub(f64x2.sub(v128.load(at(own, b)), common), expected), zero);
    const spots = f64x2.mul(f64x2.splat(OF_SPOTS * OF_SPOTS), f64x2.add(third, f64x2.mul(f64x2.splat(2.5), squared)));
    const pair = f64x2.mul(share, f64x2.mul(charge, bright));
    const edge = f64x2.pmax(f64x2.sub(f64x2.sub(v128.load(at(edges, b)), common), pair), zero);
    const quarter = f64x2.mul(f64x2.splat(0.25), f64x2.mul(share, third));
    const sides = f64x2.mul(
      f64x2.splat(OF_EDGES * OF_EDGES),
      f64x2.add(f64x2.mul(f64x2.splat(0.75), squared), quarter),
    );
    const far = f64x2.pmax(common, zero);
    const most = f64x2.mul(f64x2.splat((OF_EDGES * OF_EDGES) / 4), squared);
    const inside = v128.and(notAbove(spot, n, spots), v128.and(notAbove(edge, n, sides), notAbove(far, n, most)));
    const place = at(even, b);
    changed = v128.or(changed, v128.xor(v128.load(place), inside));
    v128.store(place, inside);
  }
  return v128.any_true(changed);
}

function notAbove(excess: v128, n: v128, limit: v128): v128 {
  return f64x2.le(f64x2.mul(f64x2.mul(excess, excess), n), limit);
}

/** Sums over the pairs of the blocks kept: light, variance without noise, covariance at an edge, and 1; to `out`. */
export function sumEven(table: usize, blocks: i32, noise: f64, out: usize): void {
  const pairs = rowOf(table, blocks, PAIRS);
  const own = rowOf(table, blocks, OWN);
  const edges = rowOf(table, blocks, EDGES);
  const apart = rowOf(table, blocks, APART);
  const light = rowOf(table, blocks, LIGHT);
  const even = rowOf(table, blocks, EVEN);
  const variance = f64x2.splat(noise * noise);
  let bright = f64x2.splat(0);
  let scatter = bright;
  let edge = bright;
  let number = bright;
  for (let b = 0; b < blocks; b += 2) {
    const kept = v128.load(at(even, b));
    const n = v128.and(v128.load(at(pairs, b)), kept);
    const common = v128.load(at(apart, b));
    const more = f64x2.sub(f64x2.sub(v128.load(at(own, b)), common), variance);
    bright = f64x2.add(bright, v128.and(f64x2.mul(n, v128.load(at(light, b))), kept));
    scatter = f64x2.add(scatter, v128.and(f64x2.mul(n, more), kept));
    edge = f64x2.add(edge, v128.and(f64x2.mul(n, f64x2.sub(v128.load(at(edges, b)), common)), kept));
    number = f64x2.add(number, n);
  }
  store<f64>(out, both(bright));
  store<f64>(out, both(scatter), 8);
  store<f64>(out, both(edge), 16);
  store<f64>(out, both(number), 24);
}

/** Keeps the blocks that scatter least for their light. */
export function keepLeast(table: usize, blocks: i32, noise: f64): void {
  const own = rowOf(table, blocks, OWN);
  const apart = rowOf(table, blocks, APART);
  const light = rowOf(table, blocks, LIGHT);
  const even = rowOf(table, blocks, EVEN);
  const some = rowOf(table, blocks, SOME);
  const others = rowOf(table, blocks, OTHERS);
  const stride = blocks > MANY_BLOCKS ? 3 : 1;
  let n = 0;
  for (let b = 0; b < blocks; b += stride) {
    const bright = load<f64>(at(light, b));
    if (!isNumber(bright)) continue;
    store<f64>(at(some, n), bright);
    store<f64>(at(others, n++), 1);
  }
  const bright = n === 0 ? 0 : leastWith(some, others, n, Math.floor(BRIGHT * <f64>n) + 1);
  n = 0;
  for (let b = 0; b < blocks; b += stride) {
    const ratio = ratioOf(b, own, apart, light, noise);
    if (!isNumber(ratio)) continue;
    store<f64>(at(some, n), ratio);
    store<f64>(at(others, n++), min(bright, max(0, load<f64>(at(light, b)))));
  }
  const limit = n === 0 ? NaN : leastWith(some, others, n, FIRST_PART * weightUpTo(some, others, n, Infinity));
  for (let b = 0; b < blocks; b++) store<i64>(at(even, b), ratioOf(b, own, apart, light, noise) <= limit ? -1 : 0);
}

function ratioOf(b: i32, own: usize, apart: usize, light: usize, noise: f64): f64 {
  return (load<f64>(at(own, b)) - load<f64>(at(apart, b)) - noise * noise) / max(1, load<f64>(at(light, b)));
}

/** The least of `n` values up to which weights add up to `most`, or the greatest of all. */
function leastWith(values: usize, weights: usize, n: i32, most: f64): f64 {
  let low: i64 = i64.MAX_VALUE;
  let high: i64 = i64.MIN_VALUE;
  for (let k = 0; k < n; k++) {
    const order = inOrder(load<i64>(at(values, k)));
    low = min(low, order);
    high = max(high, order);
  }
  while (low < high) {
    // Rounded down, without the carry of a sum.
    const middle = (low & high) + ((low ^ high) >> 1);
    if (weightUpTo(values, weights, n, reinterpret<f64>(inOrder(middle))) < most) low = middle + 1;
    else high = middle;
  }
  return reinterpret<f64>(inOrder(low));
}

/** Bits of a number as a whole number that grows with it, and back. */
function inOrder(bits: i64): i64 {
  return bits < 0 ? bits ^ i64.MAX_VALUE : bits;
}

function weightUpTo(values: usize, weights: usize, n: i32, limit: f64): f64 {
  const limits = f64x2.splat(limit);
  const end = n & ~1;
  let sum = f64x2.splat(0);
  for (let k = 0; k < end; k += 2)
    sum = f64x2.add(sum, v128.and(v128.load(at(weights, k)), f64x2.le(v128.load(at(values, k)), limits)));
  const last = end < n && load<f64>(at(values, end)) <= limit ? load<f64>(at(weights, end)) : 0;
  return both(sum) + last;
}

/** Mean of the pixels of the blocks from `from` to before `to`. */
export function averageOf(table: usize, blocks: i32, from: i32, to: i32): f64 {
  const means = rowOf(table, blocks, MEANS);
  const pixels = rowOf(table, blocks, PIXELS);
  let total = f64x2.splat(0);
  let sum = f64x2.splat(0);
  for (let b = from; b < to; b += 2) {
    const weight = v128.load(at(pixels, b));
    total = f64x2.add(total, weight);
    const part = f64x2.mul(weight, v128.load(at(means, b)));
    sum = f64x2.add(sum, v128.and(part, f64x2.ne(weight, f64x2.splat(0))));
  }
  return both(sum) / both(total);
}

/** The part of the blocks with a number of light that is not kept. */
export function oddPart(table: usize, blocks: i32, from: i32, to: i32): f64 {
  const light = rowOf(table, blocks, LIGHT);
  const even = rowOf(table, blocks, EVEN);
  let all = 0;
  let odd = 0;
  for (let b = from; b < to; b++) {
    const bright = load<f64>(at(light, b));
    if (!isNumber(bright)) continue;
    all++;
    if (load<i64>(at(even, b)) === 0) odd++;
  }
  return all === 0 ? 0 : <f64>odd / <f64>all;
}

/** Whether any is kept. */
export function isAnyEven(table: usize, blocks: i32, from: i32, to: i32): bool {
  const even = rowOf(table, blocks, EVEN);
  let any = f64x2.splat(0);
  for (let b = from; b < to; b += 2) any = v128.or(any, v128.load(at(even, b)));
  return v128.any_true(any);
}

/**
 * How bright the pixels of the blocks from `from` to before `to` are: to `out` first value, step and how many values,
 * from `out + 24` on what part of the pixels has each. What means of even blocks scatter by themselves is taken out;
 * pixels of a block that is not even have two values, with the mean and the scatter of the block.
 * @param isAny - false: all blocks count as even
 */
export function brightness(
  table: usize,
  blocks: i32,
  from: i32,
  to: i32,
  isAny: bool,
  level: f64,
  photon: f64,
  noise: f64,
  out: usize,
): void {
  const means = rowOf(table, blocks, MEANS);
  const pixels = rowOf(table, blocks, PIXELS);
  const own = rowOf(table, blocks, OWN);
  const apart = rowOf(table, blocks, APART);
  const even = rowOf(table, blocks, EVEN);
  const some = rowOf(table, blocks, SOME);
  const others = rowOf(table, blocks, OTHERS);
  const all = isAny ? f64x2.splat(0) : i64x2.splat(-1);
  const zero = f64x2.splat(0);
  let totals = zero;
  let sums = zero;
  let squares = zero;
  let scatters = zero;
  let lows = f64x2.splat(Infinity);
  for (let b = from; b < to; b += 2) {
    const pixel = v128.load(at(pixels, b));
    const taken = v128.and(f64x2.ne(pixel, zero), v128.or(v128.load(at(even, b)), all));
    const weight = v128.and(pixel, taken);
    const mean = v128.and(v128.load(at(means, b)), taken);
    const part = f64x2.mul(weight, mean);
    totals = f64x2.add(totals, weight);
    sums = f64x2.add(sums, part);
    squares = f64x2.add(squares, f64x2.mul(part, mean));
    const light = f64x2.pmax(f64x2.sub(mean, f64x2.splat(level)), zero);
    const scatter = f64x2.add(f64x2.splat(noise * noise), f64x2.mul(f64x2.splat(photon), light));
    scatters = f64x2.add(scatters, v128.and(scatter, taken));
    lows = f64x2.pmin(lows, v128.bitselect(mean, f64x2.splat(Infinity), taken));
  }
  const total = both(totals);
  const mean = both(sums) / total;
  const shrink = Math.sqrt(max(0, 1 - both(scatters) / total / (both(squares) / total - mean * mean)));
  const lowest = mean + shrink * (min(f64x2.extract_lane(lows, 0), f64x2.extract_lane(lows, 1)) - mean);
  let n = 0;
  for (let b = from; b < to; b++) {
    const weight = load<f64>(at(pixels, b));
    if (weight === 0) continue;
    const value = load<f64>(at(means, b));
    if (!isAny || load<i64>(at(even, b)) !== 0) {
      store<f64>(at(some, n), mean + shrink * (value - mean));
      store<f64>(at(others, n++), weight);
      continue;
    }
    const excess = load<f64>(at(own, b)) - noise * noise - photon * max(0, value - level);
    // Of a block without pairs, at the edge of a mask, nothing is known but its mean.
    const common = load<f64>(at(apart, b));
    const spread = isNumber(common) ? max(0, max(common, excess)) : 0;
    const low = min(value - 1, max(lowest, value - Math.sqrt(spread)));
    const isLow = spread / (spread + (value - low) * (value - low));
    store<f64>(at(some, n), low);
    store<f64>(at(others, n++), weight * isLow);
    store<f64>(at(some, n), value + spread / (value - low));
    store<f64>(at(others, n++), weight * (1 - isLow));
  }
  onSteps(some, others, n, photon, out);
}

/** Values at even steps that stand for the first `n` of these, see {@link brightness}. */
function onSteps(values: usize, weights: usize, n: i32, photon: f64, out: usize): void {
  const found = out + 24;
  let total: f64 = 0;
  let sum: f64 = 0;
  let lowest: f64 = Infinity;
  let highest: f64 = -Infinity;
  for (let k = 0; k < n; k++) {
    const weight = load<f64>(at(weights, k));
    if (weight === 0) continue;
    const value = load<f64>(at(values, k));
    total += weight;
    sum += weight * value;
    lowest = min(lowest, value);
    highest = max(highest, value);
  }
  const range = highest - lowest;
  if (!(range > SAME * photon)) {
    store<f64>(out, sum / total);
    store<f64>(out, photon, 8);
    store<f64>(out, 1, 16);
    store<f64>(found, 1);
    return;
  }
  const step = min(STEP * photon, range / LEAST_VALUES);
  const top = min(MOST_VALUES - 1, <i32>Math.ceil(range / step));
  memory.fill(found, 0, 8 * MOST_VALUES);
  for (let k = 0; k < n; k++) {
    const weight = load<f64>(at(weights, k)) / total;
    if (weight === 0) continue;
    const place = min((load<f64>(at(values, k)) - lowest) / step, <f64>top);
    const below = min(<i32>place, top - 1);
    const part = weight * (place - <f64>below);
    store<f64>(at(found, below), load<f64>(at(found, below)) + (weight - part));
    store<f64>(at(found, below + 1), load<f64>(at(found, below + 1)) + part);
  }
  let last = top;
  let left = load<f64>(at(found, last));
  for (; last > 0 && left < BRIGHTEST; left += load<f64>(at(found, last))) last--;
  store<f64>(out, lowest, 0);
  store<f64>(out, step, 8);
  store<f64>(out, <f64>(last + 1), 16);
}
