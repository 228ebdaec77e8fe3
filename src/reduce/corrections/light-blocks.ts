// All charges here are in 30ths of `withinAdu`: 1 ADU for an MPCCD.

/** Small blocks of pixels of one image, as many for each port, and how light lies on them: arrays by block. */
export class LightBlocks {
  /** Blocks of a port, one behind the other. */
  readonly each: number;
  readonly means: Float64Array;
  readonly pixels: Float64Array;
  /** Pixels that were looked at with others around them; 0 for a block that has none. */
  readonly pairs: Float64Array;
  /** Variance of these, and their covariance with a neighbor along an edge and with a pixel two or three away. */
  readonly own: Float64Array;
  readonly edges: Float64Array;
  readonly apart: Float64Array;
  /** Made here: mean less level; NaN where the block is not to be used. */
  readonly light: Float64Array;
  /** Room to work in: two numbers of each block. */
  readonly some: Float64Array;
  readonly others: Float64Array;
  /** Made here: 1 where light scatters as photons do, 0 where there are edges, spots or hot pixels. */
  readonly even: Uint8Array;

  constructor(each: number, ports: number) {
    const made = (): Float64Array => new Float64Array(each * ports);
    this.each = each;
    [this.means, this.pixels, this.pairs, this.own] = [made(), made(), made(), made()];
    [this.edges, this.apart, this.light] = [made(), made(), made()];
    [this.some, this.others] = [made(), made()];
    this.even = new Uint8Array(each * ports);
  }
}

/** Light of the pixels of a port: `weights[k]` of them have `first` + k · `step`, level included. */
export interface Brightness {
  readonly first: number;
  readonly step: number;
  readonly weights: Float64Array;
}

/** Blocks with so many standard deviations more variance, or covariance, than photons make are not even. */
const [SPOTS, EDGES] = [6, 3];
const ROUNDS = 8;
/** The charge of a photon is first looked for in the blocks that have this part of the light and scatter least. */
const FIRST_PART = 0.7;
/** Of the blocks by light: brighter ones count no more than this one. */
const BRIGHT = 0.75;
/** Between values of brightness, and below which light counts as even, in photons per pixel. */
const [STEP, EVEN] = [0.15, 0.02];
const [LEAST_VALUES, MOST_VALUES] = [6, 20];
/** Photons per pixel of a port up to which all its blocks count as even: a few photons in a block look like spots. */
const LITTLE = 0.05;
/** Part of the blocks of even light that are not taken for even. */
const BY_CHANCE = 0.03;
/** The brightest pixels of a port, so small a part of all, are left out: hardly any of them has no photon. */
const BRIGHTEST = 0.005;
/** Of more blocks than these only every third is sorted. */
const MANY_BLOCKS = 1000;

/** Charge of a photon, and how it lies on the pixels. */
export interface Charge {
  readonly photon: number;
  /** Rms in pixels. */
  readonly cloud: number;
}

/**
 * Charge of a photon and size of its cloud: covariances of neighboring pixels add up to the light
 * times the charge of a photon. Notes which blocks are even, and uses those only.
 * @param levels - of each port, NaN for ports that are not to be used
 * @param before - charge found before
 * @returns nothing where there is too little light
 */
export function chargeOfPhoton(
  blocks: LightBlocks,
  levels: readonly number[],
  noise: number,
  before: Charge | undefined,
): Charge | undefined {
  const { even, pairs, means, each, light } = blocks;
  for (const [port, level] of levels.entries()) {
    for (let b = port * each; b < (port + 1) * each; b++) {
      const bright = (pairs[b] ?? 0) > 0 ? (means[b] ?? NaN) - level : NaN;
      light[b] = bright;
      even[b] = Number.isNaN(bright) ? 0 : 1;
    }
  }
  if (before === undefined) keepLeast(blocks, noise);
  else keepEven(blocks, noise, before);
  let found = chargeOfEven(blocks, noise);
  for (let round = before === undefined ? 0 : ROUNDS - 1; round < ROUNDS && found !== undefined; round++) {
    if (!keepEven(blocks, noise, found)) break;
    found = chargeOfEven(blocks, noise);
  }
  if (found !== undefined) return found;
  for (let b = 0; b < even.length; b++) even[b] = Number.isNaN(light[b]) ? 0 : 1;
  return chargeOfEven(blocks, noise);
}

/** Keeps the blocks that scatter least for their light. */
function keepLeast({ even, own, apart, light, some, others }: LightBlocks, noise: number): void {
  const stride = light.length > MANY_BLOCKS ? 3 : 1;
  let n = 0;
  for (let b = 0; b < light.length; b += stride) {
    const bright = light[b] ?? NaN;
    if (!Number.isNaN(bright)) some[n++] = bright;
  }
  const bright = some.subarray(0, n).sort()[Math.floor(BRIGHT * n)] ?? 0;
  const ratioOf = (b: number): number =>
    ((own[b] ?? NaN) - (apart[b] ?? 0) - noise ** 2) / Math.max(1, light[b] ?? NaN);
  // One behind the other: the ratios of these blocks and, as they are, what each counts.
  n = 0;
  for (let b = 0; b < light.length; b += stride) {
    const ratio = ratioOf(b);
    if (Number.isNaN(ratio)) continue;
    some[n] = ratio;
    others[n++] = Math.min(bright, Math.max(0, light[b] ?? 0));
  }
  const ratios = some.subarray(0, n);
  const sorted = ratios.slice().sort();
  const weightUpTo = (limit: number): number => {
    let sum = 0;
    for (let k = 0; k < n; k++) if ((ratios[k] ?? NaN) <= limit) sum += others[k] ?? 0;
    return sum;
  };
  const most = FIRST_PART * weightUpTo(Infinity);
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (weightUpTo(sorted[middle] ?? NaN) < most) low = middle + 1;
    else high = middle;
  }
  const limit = sorted[low] ?? NaN;
  for (let b = 0; b < even.length; b++) even[b] = ratioOf(b) <= limit ? 1 : 0;
}

/** Says whether other blocks are kept than before. */
function keepEven(
  { even, pairs, own, edges, apart, light }: LightBlocks,
  noise: number,
  { photon, cloud }: Charge,
): boolean {
  const along = 1 - (2 * cloud) / Math.sqrt(Math.PI);
  const shared = (along * (1 - along)) / 2;
  let isChanged = false;
  for (let b = 0; b < even.length; b++) {
    if (Number.isNaN(light[b])) continue;
    const n = pairs[b] ?? 0;
    const bright = Math.max(0, light[b] ?? 0);
    const expected = noise ** 2 + photon * bright;
    const common = apart[b] ?? NaN;
    const spot = expected + SPOTS * Math.sqrt((photon ** 3 * bright + 2.5 * expected ** 2) / n);
    const edge =
      shared * photon * bright + EDGES * Math.sqrt((0.75 * expected ** 2 + (shared * photon ** 3 * bright) / 4) / n);
    const isEven =
      (own[b] ?? NaN) - common <= spot &&
      (edges[b] ?? NaN) - common <= edge &&
      common <= (EDGES * expected) / Math.sqrt(4 * n)
        ? 1
        : 0;
    isChanged ||= even[b] !== isEven;
    even[b] = isEven;
  }
  return isChanged;
}

function chargeOfEven({ even, pairs, own, edges, apart, light }: LightBlocks, noise: number): Charge | undefined {
  let [bright, variance, edge, number] = [0, 0, 0, 0];
  for (let b = 0; b < even.length; b++) {
    if (even[b] === 0) continue;
    const n = pairs[b] ?? 0;
    const common = apart[b] ?? 0;
    bright += n * (light[b] ?? 0);
    variance += n * ((own[b] ?? 0) - common - noise ** 2);
    edge += n * ((edges[b] ?? 0) - common);
    number += n;
  }
  if (!(variance > 0 && bright / number > 0.05)) return undefined;
  // Of the charge squared, this part stays in a row, and so along columns: 1 − 2 cloud/√π.
  const along = Math.min(1, variance / Math.max(variance / 4, variance + 2 * edge));
  return { photon: variance / along ** 2 / bright, cloud: ((1 - along) / 2) * Math.sqrt(Math.PI) };
}

/**
 * How bright the pixels of a port are, from the means of its blocks; what these scatter by themselves is taken out.
 * Pixels of a block that is not even have two values, with the mean and the scatter of the block.
 */
export function brightnessOf(
  blocks: LightBlocks,
  port: number,
  level: number,
  photon: number,
  noise: number,
): Brightness {
  const { each, means, pixels, own, apart, even, some, others } = blocks;
  const [start, end] = [port * each, (port + 1) * each];
  const isAny = averageOf(means, pixels, start, end) - level > LITTLE * photon && even.subarray(start, end).includes(1);
  let [total, sum, scatter, squares, lowest] = [0, 0, 0, 0, Infinity];
  for (let b = start; b < end; b++) {
    const weight = pixels[b] ?? 0;
    if (weight === 0 || (isAny && even[b] === 0)) continue;
    const mean = means[b] ?? NaN;
    total += weight;
    sum += weight * mean;
    squares += weight * mean ** 2;
    scatter += noise ** 2 + photon * Math.max(0, mean - level);
    lowest = Math.min(lowest, mean);
  }
  const mean = sum / total;
  const shrink = Math.sqrt(Math.max(0, 1 - scatter / total / (squares / total - mean ** 2)));
  lowest = mean + shrink * (lowest - mean);
  // Values and how many pixels have each, one behind the other.
  let n = 0;
  for (let b = start; b < end; b++) {
    const [weight, value] = [pixels[b] ?? 0, means[b] ?? NaN];
    if (weight === 0) continue;
    if (!isAny || even[b] === 1) {
      some[n] = mean + shrink * (value - mean);
      others[n++] = weight;
      continue;
    }
    const spread = Math.max(apart[b] ?? 0, (own[b] ?? 0) - noise ** 2 - photon * Math.max(0, value - level));
    const low = Math.min(value - 1, Math.max(lowest, value - Math.sqrt(Math.max(0, spread))));
    const isLow = spread > 0 ? spread / (spread + (value - low) ** 2) : 0;
    some[n] = low;
    others[n++] = weight * isLow;
    some[n] = value + Math.max(0, spread) / (value - low);
    others[n++] = weight * (1 - isLow);
  }
  return onSteps(some, others, n, photon);
}

/** The light of a port, and whether it is even as far as can be told. */
export function lightOfPort(
  { each, means, pixels, even, light }: LightBlocks,
  port: number,
  level: number,
  photon: number,
): { readonly light: number; readonly isEven: boolean } {
  const [start, end] = [port * each, (port + 1) * each];
  const bright = averageOf(means, pixels, start, end) - level;
  let [odd, all] = [0, 0];
  for (let b = start; b < end; b++) {
    if (Number.isNaN(light[b])) continue;
    all++;
    if (even[b] === 0) odd++;
  }
  return { light: bright, isEven: bright > LITTLE * photon && odd <= BY_CHANCE * all };
}

/** Of all pixels of these blocks. */
function averageOf(means: Float64Array, pixels: Float64Array, start: number, end: number): number {
  let [sum, total] = [0, 0];
  for (let b = start; b < end; b++) {
    const weight = pixels[b] ?? 0;
    if (weight === 0) continue;
    sum += weight * (means[b] ?? NaN);
    total += weight;
  }
  return sum / total;
}

/** Values at even steps that stand for the first `n` of these. */
function onSteps(values: Float64Array, weights: Float64Array, n: number, photon: number): Brightness {
  let [total, sum, lowest, highest] = [0, 0, Infinity, -Infinity];
  for (let k = 0; k < n; k++) {
    const [value, weight] = [values[k] ?? NaN, weights[k] ?? 0];
    if (weight === 0) continue;
    total += weight;
    sum += weight * value;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  const range = highest - lowest;
  if (!(range > EVEN * photon)) return { first: sum / total, step: photon, weights: Float64Array.of(1) };
  const step = Math.min(STEP * photon, range / LEAST_VALUES);
  const found = new Float64Array(Math.min(MOST_VALUES, Math.ceil(range / step) + 1));
  const top = found.length - 1;
  for (let k = 0; k < n; k++) {
    const weight = (weights[k] ?? 0) / total;
    if (weight === 0) continue;
    const at = Math.min(((values[k] ?? NaN) - lowest) / step, top);
    const below = Math.min(Math.floor(at), top - 1);
    found[below] = (found[below] ?? 0) + weight * (below + 1 - at);
    found[below + 1] = (found[below + 1] ?? 0) + weight * (at - below);
  }
  let last = top;
  for (let left = found[last] ?? 0; last > 0 && left < BRIGHTEST; left += found[last] ?? 0) last--;
  return { first: lowest, step, weights: found.subarray(0, last + 1) };
}
