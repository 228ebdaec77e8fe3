import { describe, expect, it } from "vitest";
import { clippedSignals } from "../../../src/cli/scan-answers.ts";
import { clippedAmong, clippedIn, countReading, READINGS, withClipped } from "../../../src/core/clipped.ts";
import { Random } from "../../../src/core/random.ts";
import type { ShotsTaken } from "../../../src/scan/index.ts";

const random = new Random(10);
const readings = Array.from({ length: 400 }, () => 5 + random.normal());
const clipped = readings.map((value) => Math.min(value, 6));
const above = readings.filter((value) => value >= 6).length;

describe("clippedIn", () => {
  it("finds where readings heap up at the greatest one, and leaves out shots without a number", () => {
    expect(clippedIn("I0", [...clipped, null, NaN])).toMatchObject({ ceiling: 6, count: above });
    expect(clippedIn("I0", clipped)?.words).toBe(
      `${above} shots (${((100 * above) / 400).toPrecision(2)} %) read the greatest I0, 6: it is cut off there, leave them out`,
    );
  });

  it("finds nothing in readings that thin out, in flags, in positions of a scan, and in none", () => {
    const steps = Array.from({ length: 300 }, (_, i) => Math.floor(i / 15));
    const flags = Array.from({ length: 300 }, (_, i) => i % 2);
    for (const values of [readings, readings.map((value) => Math.round(8 * value) / 8), steps, flags, [], [NaN, null]])
      expect(clippedIn("it", values)).toBeNull();
  });
});

describe("countReading", () => {
  it("keeps the greatest readings with their counts, the same however they are split", () => {
    const values = clipped.map((value) => Math.round(50 * value) / 50);
    const counted = (some: readonly number[]): Float64Array => {
      const readings = new Float64Array(READINGS);
      for (const value of some) countReading(readings, value);
      return readings;
    };
    const whole = counted(values);
    const greatest = [...new Set(values)].sort((a, b) => b - a).slice(0, READINGS / 2);
    const expected = greatest.flatMap((value) => [value, values.filter((other) => other === value).length]);
    expect([...whole]).toEqual(expected);
    expect(clippedAmong(whole)).toBe(above);
    // Parts of few readings have free places.
    const joined = counted([]);
    for (const part of [values.slice(300), values.slice(3, 300), values.slice(0, 3), []].map(counted))
      for (let i = 0; i < READINGS; i += 2) countReading(joined, part[i] ?? NaN, part[i + 1]);
    expect(joined).toEqual(whole);
    expect(clippedAmong(counted(values.slice(0, 3)))).toBe(0);
  });
});

describe("withClipped", () => {
  const tags = readings.map((_, i) => 1000 + 2 * i);

  it("notes the used shots at a ceiling, by the name of the signal", () => {
    const atCeiling = tags.filter((_, i) => clipped[i] === 6);
    const lost = atCeiling.slice(0, 3);
    const ledger = { asked: 400, used: 397, dropped: [{ reason: "frame-missing", tags: lost }], notes: { other: 2 } };
    expect(withClipped(ledger, tags, { i0: clipped, signal: readings })).toEqual({
      ...ledger,
      notes: { other: 2, "i0-clipped": above - 3 },
    });
  });

  it("leaves an account as it is where nothing is cut off", () => {
    const ledger = { asked: 400, used: 400, dropped: [] };
    expect(withClipped(ledger, tags, { i0: readings })).toBe(ledger);
  });
});

it("names the signals of a scan that are cut off, over all its points", () => {
  const points = Array.from({ length: 20 }, (_, k): ShotsTaken => {
    const some = (values: readonly number[]) => values.slice(20 * k, 20 * k + 20);
    return {
      outcome: "done",
      attempts: 1,
      ledger: { asked: 20, used: 20, dropped: [] },
      tags: [],
      values: { diode: some(readings), i0: some(clipped) },
      heldSeconds: 0,
    };
  });
  expect(clippedSignals(points)).toMatchObject([{ signal: "i0", count: above, ceiling: 6 }]);
});
