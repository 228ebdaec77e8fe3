import { describe, expect, it } from "vitest";
import { hash, Random } from "../../../src/core/random.ts";

function moments(draw: () => number, n: number): { mean: number; variance: number } {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const x = draw();
    sum += x;
    squares += x * x;
  }
  return { mean: sum / n, variance: squares / n - (sum / n) ** 2 };
}

describe("Random", () => {
  it("gives the same stream for the same seed, and another for another", () => {
    const stream = (seed: number): number[] =>
      Array.from(
        { length: 5 },
        (
          (r) => () =>
            r.uint32()
        )(new Random(seed)),
      );
    expect(stream(1)).toEqual(stream(1));
    expect(stream(1)).not.toEqual(stream(2));
    const reused = new Random(9);
    reused.normal();
    expect(Array.from({ length: 5 }, () => reused.reseed(1).uint32())).toEqual(Array(5).fill(stream(1)[0]));
  });

  it.each([
    ["uniform", (r: Random) => r.uniform(), 0.5, 1 / 12],
    ["normal", (r: Random) => r.normal(), 0, 1],
    ["gamma(70)", (r: Random) => r.gamma(70), 1, 1 / 70],
    ["gamma(1)", (r: Random) => r.gamma(1), 1, 1],
    ["poisson(0.3)", (r: Random) => r.poisson(0.3), 0.3, 0.3],
    ["poisson(20)", (r: Random) => r.poisson(20), 20, 20],
    ["poisson(200)", (r: Random) => r.poisson(200), 200, 200],
  ])("draws %s with the right mean and variance", (_, draw, mean, variance) => {
    const n = 200_000;
    const random = new Random(42);
    const found = moments(() => draw(random), n);
    expect(Math.abs(found.mean - mean)).toBeLessThan(5 * Math.sqrt(variance / n));
    expect(Math.abs(found.variance - variance)).toBeLessThan(0.03 * variance);
  });

  it("hashes every part of its input", () => {
    const hashes = [hash(1, 2), hash(2, 1), hash(1, 2, 0), hash("1", 2), hash(1, 2 + 2 ** 33), hash("ab"), hash("ba")];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
