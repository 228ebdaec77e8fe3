import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { answerCurve } from "../../../src/scan/callbacks/scan-answer.ts";
import { answerText, type Row, scanAnswers } from "../../../src/scan/index.ts";

/** Rows of a scan of theta: eight shots a point, a Gaussian of height 1 with scatter that repeats. */
function rows(height: number): Row[] {
  return Array.from({ length: 21 }, (_, i) => {
    const theta = i / 10 - 1;
    const mean = 0.2 + height * Math.exp(-4 * Math.LN2 * ((theta - 0.13) / 0.5) ** 2);
    const values = Array.from({ length: 8 }, (_, k) => mean + 0.05 * Math.sin(7.3 * i + 2.9 * k + 0.7 * i * k));
    const ledger = { asked: 8, used: 8, dropped: [] };
    const taken = {
      outcome: "done",
      attempts: 1,
      ledger,
      tags: [],
      values: { diode: values },
      heldSeconds: 0,
    } as const;
    return { index: i, time: 0, data: { theta }, taken, isPast: false } as unknown as Row;
  });
}

describe("the answer of a scan", () => {
  it("is the peak with errors and units, or why there is none", () => {
    const [answer] = scanAnswers(rows(1));
    expect(answer).toMatchObject({ signal: "diode", axis: "theta", kind: "peak", why: "" });
    expect(Math.abs((answer?.centre ?? NaN) - 0.13)).toBeLessThan(5 * (answer?.centreError ?? 0));
    if (answer !== undefined)
      expect(answerText(answer, { theta: "deg", diode: "V" })).toMatch(
        /^diode: peak at theta = 0\.1\d+\(\d+\) deg, FWHM/,
      );
    expect(scanAnswers(rows(0))[0]).toMatchObject({ kind: "none", why: expect.stringMatching(/^no peak/) });
  });

  it("has its fitted model as a curve to draw: a peak that all but passes between the places, a dip, a step", () => {
    const drawn = (values: readonly (readonly number[])[]) => {
      const taken = {
        outcome: "done",
        attempts: 1,
        ledger: { asked: 3, used: 3, dropped: [] },
        tags: [],
        heldSeconds: 0,
      };
      const all = values.map((diode, i) => ({
        index: i,
        time: 0,
        data: { theta: i },
        taken: { ...taken, values: { diode } },
      }));
      const [answer] = scanAnswers(all as unknown as Row[]);
      if (answer === undefined) throw new Error("no answer");
      const curve = answerCurve(answer, 0, values.length - 1);
      const at = (x: number): number => {
        const k = curve?.x.findIndex((one) => one >= x) ?? -1;
        return curve?.y[k] ?? Number.NaN;
      };
      return { ...answer, curve, at };
    };
    const noisy = (mean: number, i: number): number[] =>
      [0, 1, 2].map((k) => mean + 0.01 * Math.sin(7.3 * i + 2.9 * k));
    const bell = (i: number, height: number): number =>
      0.2 + height * Math.exp(-4 * Math.LN2 * ((i - 40.3) / 1.5) ** 2);
    for (const height of [1, -0.1]) {
      const { kind, curve, centre } = drawn(Array.from({ length: 121 }, (_, i) => noisy(bell(i, height), i)));
      expect(kind).toBe(height > 0 ? "peak" : "dip");
      expect(height > 0 ? Math.max(...(curve?.y ?? [])) : Math.min(...(curve?.y ?? []))).toBeCloseTo(0.2 + height, 1);
      expect(curve?.x).toContainEqual(expect.closeTo(centre ?? Number.NaN, 6));
      expect(curve?.y[0]).toBeCloseTo(0.2, 2);
      expect(curve?.x).toEqual(curve?.x.toSorted((a, b) => a - b));
    }
    const step = drawn(Array.from({ length: 41 }, (_, i) => noisy(0.5 + 1 / (1 + Math.exp(20 - i)), i)));
    expect([step.kind, step.at(0), step.at(40)]).toEqual(["step", expect.closeTo(0.5, 1), expect.closeTo(1.5, 1)]);
    expect(step.at(20)).toBeCloseTo(1, 1);
    expect(drawn(Array.from({ length: 21 }, (_, i) => noisy(0.5, i))).curve).toBeUndefined();
  });

  it("docs/jobs.md has fifteen lines of at most 100 characters", () => {
    const page = readFileSync(new URL("../../../docs/jobs.md", import.meta.url), "utf8");
    const lines = [...page.matchAll(/^\| \d+\. [^|]*\| `([^`]*)`/gm)].map((match) => match[1] ?? "");
    expect(lines.length).toBe(15);
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });
});
