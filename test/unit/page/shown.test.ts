import { describe, expect, it } from "vitest";
import { shownPart } from "../../../src/page/shown.ts";

/** 5 × 7, value = 10 · row + column, with a gap. */
const whole = {
  data: Float32Array.from({ length: 35 }, (_, i) => (i === 8 ? NaN : 10 * Math.floor(i / 7) + (i % 7))),
  rows: 5,
  columns: 7,
};

function valuesOf({ levels, low, high }: ReturnType<typeof shownPart>): number[] {
  return Array.from(levels, (level) => (level === 65_535 ? NaN : low + (level * (high - low)) / 65_534));
}

describe("shownPart", () => {
  it("gives every pixel when there is room for all", () => {
    const part = shownPart(whole, null, 100);
    expect([part.step, part.shape, part.size]).toEqual([1, [5, 7], [5, 7]]);
    const values = valuesOf(part);
    for (const [i, value] of whole.data.entries())
      if (Number.isNaN(value)) expect(values[i]).toBeNaN();
      else expect(values[i]).toBeCloseTo(value, 2);
  });

  it("gives the mean of the values there are in each block, and of fewer at the edges", () => {
    const part = shownPart(whole, null, 4);
    expect([part.step, part.shape]).toEqual([2, [3, 4]]);
    const values = valuesOf(part);
    expect(values[0]).toBeCloseTo((0 + 1 + 10) / 3, 2);
    expect(values[3]).toBeCloseTo((6 + 16) / 2, 2);
    expect(values[11]).toBeCloseTo(46, 2);
  });

  it("gives a region in full detail, and the whole when a region lies outside", () => {
    const part = shownPart(whole, { rows: [2, 4], columns: [1, 5] }, 16);
    expect([part.shape, part.shown]).toEqual([[2, 4], { rows: [2, 4], columns: [1, 5] }]);
    expect(valuesOf(part)[0]).toBeCloseTo(21, 2);
    expect(shownPart(whole, { rows: [90, 99], columns: [0, 3] }, 16).shown).toEqual({ rows: [0, 5], columns: [0, 7] });
  });

  it("gives quantiles of the values, and zeros when there is none", () => {
    const { percent, quantiles } = shownPart(whole, null, 100);
    expect(quantiles[0]).toBeCloseTo(0, 2);
    expect(quantiles.at(-1)).toBeCloseTo(46, 2);
    expect(quantiles[percent.indexOf(50)]).toBeCloseTo(23, 2);
    const empty = shownPart({ data: new Float32Array(4).fill(NaN), rows: 2, columns: 2 }, null, 16);
    expect([empty.low, empty.high, [...empty.levels]]).toEqual([0, 0, [65_535, 65_535, 65_535, 65_535]]);
  });
});
