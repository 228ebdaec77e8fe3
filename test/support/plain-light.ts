/** What kernels/light-blocks.ts does, in plain words: one object for each block. */

/** Numbers of one block, as the first rows of the table have them. */
export interface Block {
  readonly mean: number;
  readonly pixels: number;
  readonly pairs: number;
  readonly own: number;
  readonly edge: number;
  readonly apart: number;
  /** Mean less level. */
  light: number;
  isEven: boolean;
}

const add = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0);
const ratioOf = ({ own, apart, light }: Block, noise: number): number =>
  (own - apart - noise ** 2) / Math.max(1, light);

/** Keeps the blocks that scatter least for their light and have 70 % of it. */
export function keepLeast(blocks: readonly Block[], noise: number): void {
  const stride = blocks.length > 1000 ? 3 : 1;
  const some = blocks.filter(({ light }, b) => b % stride === 0 && !Number.isNaN(light));
  const lights = some.map(({ light }) => light).sort((a, b) => a - b);
  const bright = lights[Math.floor(0.75 * lights.length)] ?? 0;
  const weightOf = ({ light }: Block): number => Math.min(bright, Math.max(0, light));
  const least = 0.7 * add(some.map(weightOf));
  const ordered = some.toSorted((a, b) => ratioOf(a, noise) - ratioOf(b, noise));
  let [sum, limit] = [0, NaN];
  for (const block of ordered) {
    limit = ratioOf(block, noise);
    sum += weightOf(block);
    if (sum >= least) break;
  }
  for (const block of blocks) block.isEven = ratioOf(block, noise) <= limit;
}

/** Keeps the blocks whose variance and covariances are not above those of photons by 6 and 3 standard deviations. */
export function keepEven(blocks: readonly Block[], noise: number, photon: number, cloud: number): void {
  const along = 1 - (2 * cloud) / Math.sqrt(Math.PI);
  const shared = (along * (1 - along)) / 2;
  for (const block of blocks) {
    const { own, edge, apart, pairs, light } = block;
    const bright = Math.max(0, light);
    const expected = noise ** 2 + photon * bright;
    const ofSpots = Math.sqrt((photon ** 3 * bright + 2.5 * expected ** 2) / pairs);
    const ofEdges = Math.sqrt((0.75 * expected ** 2 + (shared * photon ** 3 * bright) / 4) / pairs);
    block.isEven =
      own - apart <= expected + 6 * ofSpots &&
      edge - apart <= shared * photon * bright + 3 * ofEdges &&
      apart <= (3 * expected) / Math.sqrt(4 * pairs);
  }
}

/** Charge of a photon and size of its cloud, from the blocks that are even. */
export function chargeOfEven(blocks: readonly Block[], noise: number): { photon: number; cloud: number } | undefined {
  const even = blocks.filter(({ isEven }) => isEven);
  const bright = add(even.map(({ pairs, light }) => pairs * light));
  const variance = add(even.map(({ pairs, own, apart }) => pairs * (own - apart - noise ** 2)));
  const edge = add(even.map(({ pairs, edge, apart }) => pairs * (edge - apart)));
  if (!(variance > 0 && bright / add(even.map(({ pairs }) => pairs)) > 0.05)) return undefined;
  const along = Math.min(1, variance / Math.max(variance / 4, variance + 2 * edge));
  return { photon: variance / along ** 2 / bright, cloud: ((1 - along) / 2) * Math.sqrt(Math.PI) };
}

/** Values of brightness of the blocks of a port and how many pixels have each, before they are brought to steps. */
export function valuesOf(
  blocks: readonly Block[],
  level: number,
  photon: number,
  noise: number,
): { value: number; weight: number }[] {
  const used = blocks.filter(({ pixels }) => pixels > 0);
  const average = add(used.map(({ pixels, mean }) => pixels * mean)) / add(used.map(({ pixels }) => pixels));
  const isAny = average - level > 0.05 * photon && used.some(({ isEven }) => isEven);
  const taken = used.filter(({ isEven }) => !isAny || isEven);
  const total = add(taken.map(({ pixels }) => pixels));
  const mean = add(taken.map((block) => block.pixels * block.mean)) / total;
  const squares = add(taken.map((block) => block.pixels * block.mean ** 2)) / total;
  const scatter = add(taken.map((block) => noise ** 2 + photon * Math.max(0, block.mean - level))) / total;
  const shrink = Math.sqrt(Math.max(0, 1 - scatter / (squares - mean ** 2)));
  const lowest = mean + shrink * (Math.min(...taken.map((block) => block.mean)) - mean);
  return used.flatMap((block) => {
    const { mean: value, pixels, own, apart, pairs } = block;
    if (!isAny || block.isEven) return [{ value: mean + shrink * (value - mean), weight: pixels }];
    if (pairs === 0) return [{ value, weight: pixels }];
    const spread = Math.max(0, apart, own - noise ** 2 - photon * Math.max(0, value - level));
    const low = Math.min(value - 1, Math.max(lowest, value - Math.sqrt(spread)));
    const isLow = spread / (spread + (value - low) ** 2);
    return [
      { value: low, weight: pixels * isLow },
      { value: value + spread / (value - low), weight: pixels * (1 - isLow) },
    ].filter(({ weight }) => weight > 0);
  });
}

/** These values on up to 20 even steps; the brightest 0.5 % of the pixels are left out. */
export function onSteps(
  values: readonly { value: number; weight: number }[],
  photon: number,
): { first: number; step: number; weights: number[] } {
  const total = add(values.map(({ weight }) => weight));
  const [low, high] = [Math.min(...values.map(({ value }) => value)), Math.max(...values.map(({ value }) => value))];
  if (high - low <= 0.02 * photon)
    return { first: add(values.map(({ value, weight }) => value * weight)) / total, step: photon, weights: [1] };
  const step = Math.min(0.15 * photon, (high - low) / 6);
  const weights = new Array<number>(Math.min(20, Math.ceil((high - low) / step) + 1)).fill(0);
  for (const { value, weight } of values) {
    const place = Math.min((value - low) / step, weights.length - 1);
    const below = Math.min(Math.floor(place), weights.length - 2);
    for (const [k, part] of [below + 1 - place, place - below].entries())
      weights[below + k] = (weights[below + k] ?? 0) + (part * weight) / total;
  }
  let left = weights.at(-1) ?? 0;
  while (weights.length > 1 && left < 0.005) {
    weights.pop();
    left += weights.at(-1) ?? 0;
  }
  return { first: low, step, weights };
}
