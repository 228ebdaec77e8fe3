import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { WholePicture } from "../../../src/page/shown.ts";

/** 5 × 7, value = 10 · row + column, with a gap. */
const whole = new WholePicture(5, 7);
whole.data.set(Array.from({ length: 35 }, (_, i) => (i === 8 ? NaN : 10 * Math.floor(i / 7) + (i % 7))));

function valuesOf({ levels, low, high }: ReturnType<WholePicture["part"]>): number[] {
  return Array.from(levels, (level) => (level === 65_535 ? NaN : low + (level * (high - low)) / 65_534));
}

describe("WholePicture.part", () => {
  it("gives every pixel when there is room for all", () => {
    const part = whole.part(null, 100);
    expect([part.step, part.shape, part.size]).toEqual([1, [5, 7], [5, 7]]);
    const values = valuesOf(part);
    for (const [i, value] of whole.data.entries())
      if (Number.isNaN(value)) expect(values[i]).toBeNaN();
      else expect(values[i]).toBeCloseTo(value, 2);
  });

  it("gives the mean of the values there are in each block, and of fewer at the edges", () => {
    const part = whole.part(null, 4);
    expect([part.step, part.shape]).toEqual([2, [3, 4]]);
    const values = valuesOf(part);
    expect(values[0]).toBeCloseTo((0 + 1 + 10) / 3, 2);
    expect(values[3]).toBeCloseTo((6 + 16) / 2, 2);
    expect(values[11]).toBeCloseTo(46, 2);
  });

  it("gives a region in full detail, and the whole when a region lies outside", () => {
    const part = whole.part({ rows: [2, 4], columns: [1, 5] }, 16);
    expect([part.shape, part.shown]).toEqual([[2, 4], { rows: [2, 4], columns: [1, 5] }]);
    expect(valuesOf(part)[0]).toBeCloseTo(21, 2);
    expect(whole.part({ rows: [90, 99], columns: [0, 3] }, 16).shown).toEqual({ rows: [0, 5], columns: [0, 7] });
  });

  it("gives quantiles of the values, and zeros when there is none", () => {
    const { percent, quantiles } = whole.part(null, 100);
    expect(quantiles[0]).toBeCloseTo(0, 2);
    expect(quantiles.at(-1)).toBeCloseTo(46, 2);
    expect(quantiles[percent.indexOf(50)]).toBeCloseTo(23, 2);
    const nothing = new WholePicture(2, 2);
    nothing.data.fill(NaN);
    const empty = nothing.part(null, 16);
    expect([empty.low, empty.high, [...empty.levels]]).toEqual([0, 0, [65_535, 65_535, 65_535, 65_535]]);
  });

  it.each([1, 2, 3, 5, 9])("gives what plain loops give, with steps of %i", (step) => {
    const [rows, columns] = [23, 37];
    const picture = new WholePicture(rows, columns);
    const random = new Random(step);
    for (let i = 0; i < picture.data.length; i++)
      picture.data[i] =
        random.uniform() < 0.2 ? ([NaN, Infinity, -Infinity][i % 3] ?? NaN) : 1000 * random.uniform() - 200;
    const part = picture.part({ rows: [1, rows], columns: [2, columns] }, Math.ceil((columns - 2) / step));
    expect(part.step).toBe(step);
    const values: number[] = [];
    for (let row = 1; row < rows; row += step)
      for (let column = 2; column < columns; column += step) {
        const block: number[] = [];
        for (let r = row; r < Math.min(row + step, rows); r++)
          for (let c = column; c < Math.min(column + step, columns); c++)
            block.push(picture.data[r * columns + c] ?? NaN);
        const there = block.filter(Number.isFinite);
        values.push(Math.fround(there.reduce((sum, value) => sum + value, 0) / there.length));
      }
    const there = values.filter(Number.isFinite);
    expect([part.low, part.high]).toEqual([Math.min(...there), Math.max(...there)]);
    const level = (value: number) => Math.floor(((value - part.low) * 65_534) / (part.high - part.low) + 0.5);
    for (const [i, value] of values.entries())
      expect(Math.abs((part.levels[i] ?? 0) - (Number.isFinite(value) ? level(value) : 65_535))).toBeLessThanOrEqual(1);
    expect(part.levels).toHaveLength(values.length);
  });
});
