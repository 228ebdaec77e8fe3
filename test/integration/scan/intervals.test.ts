import { describe, expect, it } from "vitest";
import { coverageOf, holds } from "../../../scripts/coverage/cover.ts";
import { cases } from "../../../scripts/coverage/fits.ts";
import { flatScans } from "../../../scripts/coverage/flat-scans.ts";
import { hash, Random } from "../../../src/core/random.ts";
import { rounds } from "../../support/full.ts";

describe("flat scans", () => {
  it.each([1, 3, 10])("of %i shots a point are no peak, no centroid and no step", (shots) => {
    expect(flatScans(new Random(hash("flat", shots)), shots, rounds(60))).toEqual({ peak: 0, centroid: 0, step: 0 });
  });
});

// Darwin's curve: its height and width do not hold yet, see docs/accuracy.md.
describe("intervals", () => {
  it.each(cases.filter(({ shots, signal, what }) => shots === 3 && signal === "strong" && what !== "fitPeak darwin"))(
    "of $what hold the truth as often as they say, with $shots shots a point",
    async (one) => {
      const covered = await coverageOf(one, new Random(hash("intervals", one.what)), rounds(60));
      expect(covered.filter((row) => !holds(row))).toEqual([]);
      expect(covered.every(({ found }) => found === 1)).toBe(true);
    },
  );
});
