import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { medianOf } from "../../../src/reduce/reducers/dark-maps.ts";

const random = new Random(7);
const length = 20_001;
const kinds: Record<string, (i: number) => number> = {
  noise: () => random.normal(),
  "few levels": () => Math.round(2 * random.normal()) + 0,
  equal: () => 3,
  ascending: (i) => i,
  "two far groups": (i) => (i % 2 === 0 ? 1e6 : random.uniform()),
  // Every 39th value, which is where some of a sample lie, says nothing of the others.
  "a sample that misleads": (i) => (i % 39 < 2 ? 1e9 + i : random.normal()),
};

describe("the median of many values", () => {
  it.each(Object.entries(kinds))("is the middle of them in order: %s", (_, make) => {
    for (const n of [length, length - 1, 1, 2, 4097]) {
      const values = Float64Array.from({ length: n }, (_value, i) => make(i));
      const order = values.slice().sort();
      const middle = ((order[(n - 1) >> 1] ?? NaN) + (order[n >> 1] ?? NaN)) / 2;
      expect(medianOf(values)).toBe(middle);
      // Nothing is lost.
      expect(values.sort()).toEqual(order);
    }
  });
});
