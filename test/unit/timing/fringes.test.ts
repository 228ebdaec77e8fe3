import { expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { findFringes, refineFringes } from "../../../src/timing/drift.ts";

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
  const found = findFringes(residuals, root, [], { known: [], longest: bins });
  const [even, uneven, ...more] = found.toSorted((a, b) => a.frequency - b.frequency);
  expect(more).toEqual([]);
  expect(even?.frequency).toBeCloseTo(0.03, 3);
  expect(even?.chirp).toBeCloseTo(0, 1);
  expect(uneven?.frequency).toBeCloseTo(0.1, 3);
  expect(uneven?.chirp).toBeCloseTo(0.9, 1);
});

it("settles in many shots the period of a fringe that was found in three", () => {
  const random = new Random(4);
  const root = new Float64Array(512).fill(1);
  const residuals = Array.from({ length: 60 }, () => {
    const phase = 7 * random.uniform();
    return root.map((_, x) => 3 * Math.sin(2 * Math.PI * 0.0235 * x + phase) + random.normal());
  });
  const roughly = [{ frequency: 0.0235 * 1.004, chirp: 0.1 }];
  const [fringe] = refineFringes(residuals.slice(0, 0), residuals, root, [], roughly);
  expect(Math.abs((fringe?.frequency ?? NaN) - 0.0235)).toBeLessThan(1e-5);
  expect(Math.abs(fringe?.chirp ?? NaN)).toBeLessThan(0.01);
  // Laser-only shots that know better are believed.
  const own = [{ frequency: 0.0237, chirp: 0 }];
  const others = residuals.map((values) =>
    values.map((_, x) => 3 * Math.sin(2 * Math.PI * 0.0237 * x + 1) + (values[x] ?? 0) / 50),
  );
  expect(refineFringes(others, residuals, root, [], own)).toEqual(own);
});

it("takes a weak fringe in shots with X-rays for one where laser-only shots have it as well", () => {
  const random = new Random(6);
  const root = new Float64Array(512).fill(1);
  // Four or five times the power of noise: too little in four laser-only shots alone; elsewhere edges may have made it.
  const shots = (count: number, size: number): Float64Array[] =>
    Array.from({ length: count }, () => {
      const phase = 7 * random.uniform();
      return root.map((_, x) => size * Math.sin(2 * Math.PI * 0.0235 * x + phase) + random.normal());
    });
  const [xrays, withFringe, without] = [shots(36, 0.16), shots(4, 0.18), shots(4, 0)];
  const options = { known: [], longest: 512, least: 6 };
  expect(findFringes(withFringe, root, [], { known: [], longest: 512 })).toEqual([]);
  expect(findFringes(xrays, root, [], options)).toEqual([]);
  expect(findFringes(xrays, root, [], { ...options, laserOnly: without })).toEqual([]);
  const [fringe] = findFringes(xrays, root, [], { ...options, laserOnly: withFringe });
  expect(fringe?.frequency).toBeCloseTo(0.0235, 3);
});
