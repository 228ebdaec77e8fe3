import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { Arena, instantiateKernel } from "../../../src/core/wasm.ts";
import { kernelBinary } from "../../../src/reduce/corrections/kernel-binary.ts";
import { LightBlocks, type LightKernel } from "../../../src/reduce/corrections/light-blocks.ts";
import { type Block, chargeOfEven, keepEven, keepLeast, onSteps, valuesOf } from "../../support/plain-light.ts";

const noise = 11;
const ports = 4;

/** Light of so many photons in the blocks of ports, of which some have spots, edges, no pairs or no pixels. */
function someBlocks(each: number, photons: number, seed: number): Block[] {
  const random = new Random(seed);
  return Array.from({ length: each * ports }, (_, b) => {
    const pixels = random.uniform() < 0.03 ? 0 : 1 + Math.floor(255 * random.uniform());
    const pairs = pixels < 20 ? 0 : 64;
    const bright = photons * 138 * (1 + 0.5 * Math.sin(b / 9));
    const variance = noise ** 2 + 138 * bright;
    const spot = random.uniform() < 0.1 ? 3 * variance : 0;
    const of = (value: number): number => (pairs === 0 ? NaN : value + variance * 0.15 * random.normal());
    const mean = pixels === 0 ? NaN : 3 + bright + Math.sqrt(variance / pixels) * random.normal();
    const [own, edge, apart] = [of(variance * 0.9 + spot), of(138 * bright * 0.05 + spot / 3), of(spot / 9)];
    return { mean, pixels, pairs, own, edge, apart, light: NaN, isEven: false };
  });
}

function inKernel(blocks: readonly Block[]): LightBlocks {
  const each = blocks.length / ports;
  const arena = new Arena(Arena.bytesFor(LightBlocks.pieces(each, ports)));
  const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as LightKernel;
  const light = new LightBlocks(kernel, arena, each, ports);
  const rows = (["mean", "pixels", "pairs", "own", "edge", "apart"] as const).flatMap((row) =>
    blocks.map((block) => block[row]),
  );
  new Float64Array(arena.memory.buffer, light.table, rows.length).set(rows);
  return light;
}

describe("light of blocks in the kernel", () => {
  it.each([
    [16, 0],
    [16, 0.02],
    [64, 0.1],
    [256, 0.6],
    [256, 1.5],
    [300, 5],
  ])("is what plain sums say: %i blocks a port, %f photons a pixel", (each, photons) => {
    const blocks = someBlocks(each, photons, 7 * each + photons);
    const levels = [3, 2.5, NaN, 3.5];
    for (const [b, block] of blocks.entries())
      block.light = block.pairs > 0 ? block.mean - (levels[Math.floor(b / each)] ?? NaN) : NaN;
    const light = inKernel(blocks);

    const found = light.chargeOfPhoton(levels, noise, undefined);
    keepLeast(blocks, noise);
    let expected = chargeOfEven(blocks, noise);
    for (let round = 0; round < 8 && expected !== undefined; round++) {
      const before = blocks.map(({ isEven }) => isEven);
      keepEven(blocks, noise, expected.photon, expected.cloud);
      if (blocks.every(({ isEven }, b) => isEven === before[b])) break;
      expected = chargeOfEven(blocks, noise);
    }
    if (expected === undefined) {
      for (const block of blocks) block.isEven = !Number.isNaN(block.light);
      expected = chargeOfEven(blocks, noise);
    }
    expect(found === undefined).toBe(expected === undefined);
    expect((found?.photon ?? 1) / (expected?.photon ?? 1)).toBeCloseTo(1, 12);
    expect(found?.cloud ?? 1).toBeCloseTo(expected?.cloud ?? 1, 12);

    const photon = expected?.photon ?? 100;
    for (const port of [0, 1, 3]) {
      const [level, own] = [levels[port] ?? NaN, blocks.slice(port * each, (port + 1) * each)];
      const values = valuesOf(own, level, photon, noise);
      const { first, step, weights } = onSteps(values, photon);
      const bright = light.brightnessOf(port, level, photon, noise);
      expect(bright.first).toBeCloseTo(first, 9);
      expect(bright.step / step).toBeCloseTo(1, 11);
      expect(bright.values).toBe(weights.length);
      for (const [k, weight] of weights.entries()) expect(bright.weights[k]).toBeCloseTo(weight, 11);

      const used = own.filter(({ pixels }) => pixels > 0);
      const average =
        used.reduce((sum, { pixels, mean }) => sum + pixels * mean, 0) / used.reduce((sum, b) => sum + b.pixels, 0);
      const known = own.filter((block) => !Number.isNaN(block.light));
      const odd = known.filter(({ isEven }) => !isEven).length;
      const said = light.lightOfPort(port, level, photon);
      expect(said.light).toBeCloseTo(average - level, 9);
      expect(said.isEven).toBe(average - level > 0.05 * photon && odd <= 0.03 * known.length);
    }
  });
});
