import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
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

  it("docs/jobs.md has fifteen lines of at most 100 characters", () => {
    const page = readFileSync(new URL("../../../docs/jobs.md", import.meta.url), "utf8");
    const lines = [...page.matchAll(/^\| \d+\. [^|]*\| `([^`]*)`/gm)].map((match) => match[1] ?? "");
    expect(lines.length).toBe(15);
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });
});
