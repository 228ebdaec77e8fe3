import { expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { findFringes } from "../../../src/timing/drift.ts";

it("takes a fringe whose period changes along the picture for one fringe", () => {
  const random = new Random(3);
  const bins = 256;
  const root = new Float64Array(bins).fill(1);
  const fringe = (frequency: number, chirp: number, x: number, phase: number): number =>
    3 * Math.sin(2 * Math.PI * (frequency * x + chirp * ((2 * x) / (bins - 1) - 1) ** 2) + phase);
  const residuals = Array.from({ length: 16 }, () => {
    const [p, q] = [7 * random.uniform(), 7 * random.uniform()];
    return root.map((_, x) => fringe(0.1, 0.9, x, p) + fringe(0.03, 0, x, q) + random.normal());
  });
  const found = findFringes(residuals, root, [], { known: [], longest: bins, least: 0 });
  const [even, uneven, ...more] = found.toSorted((a, b) => a.frequency - b.frequency);
  expect(more).toEqual([]);
  expect(even?.frequency).toBeCloseTo(0.03, 3);
  expect(even?.chirp).toBeCloseTo(0, 1);
  expect(uneven?.frequency).toBeCloseTo(0.1, 3);
  expect(uneven?.chirp).toBeCloseTo(0.9, 1);
});
