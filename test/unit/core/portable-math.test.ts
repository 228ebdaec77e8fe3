import { describe, expect, it } from "vitest";
import { exp, log } from "../../../src/core/portable-math.ts";
import { Random } from "../../../src/core/random.ts";

/** Units of the last digit between two numbers. */
const units = (a: number, b: number): number => Math.abs(a - b) / (Math.abs(b) * Number.EPSILON);

describe("exp and log of sums and products alone", () => {
  it("agree with those of Math to two units of the last digit", () => {
    const random = new Random(1);
    let worst = 0;
    for (let k = 0; k < 20_000; k++) {
      const x = 1416 * (random.uniform() - 0.5);
      const near = 4 * (random.uniform() - 0.5);
      const u = random.uniform() || 1;
      const pairs = [
        [exp(x), Math.exp(x)],
        [exp(near), Math.exp(near)],
        [log(Math.exp(x)), Math.log(Math.exp(x))],
        [log(u), Math.log(u)],
      ] as const;
      for (const [own, other] of pairs) worst = Math.max(worst, units(own, other));
    }
    expect(worst).toBeLessThanOrEqual(2);
  });

  it("have the limits of those of Math", () => {
    expect([0, -800, 800, NaN].map(exp)).toEqual([1, 0, Infinity, NaN]);
    expect([1, 0, Infinity, -1, NaN].map(log)).toEqual([0, -Infinity, Infinity, NaN, NaN]);
  });

  // Whoever changes these bits changes every simulated image.
  it("give these bits", () => {
    expect([1.5, -0.5, 20.25].map(exp)).toEqual([4.4816890703380645, 0.6065306597126334, 622_964_442.1984456]);
    expect([3, 0.3, 12_345.678].map(log)).toEqual([1.0986122886681098, -1.2039728043259361, 9.421061321291832]);
  });
});
