import { expect, it } from "vitest";
import { opticsTable, opticsTrials } from "../../../scripts/check-optics.ts";
import { cases } from "../../support/full.ts";

/** `npm run check:optics` tries 100 seeds of each. */
const hidden = [
  ["split-delay", 3],
  ["monochromator", 5],
] as const;
it.each(cases(hidden, 1))(
  "what the simulated %s hides is found within the bars and errors (seed %i)",
  async (kind, seed) => {
    const found = await opticsTrials[kind]?.(seed);
    const { rows, isGood } = opticsTable(found ?? []);
    expect(rows.length).toBeGreaterThan(1);
    expect(isGood, rows.join("\n")).toBe(true);
  },
);
