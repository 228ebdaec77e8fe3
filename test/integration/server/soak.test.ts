import { expect, it } from "vitest";
import { isFull } from "../../support/full.ts";
import { soak } from "../../support/soak.ts";

it("a server at full rate, with clients that stall, die and flood, loses nothing of a good client and answers others", async () => {
  const report = await soak({ seconds: isFull ? 4 : 2, seed: 1, every: 1, say: () => {} });
  expect(report.shots).toBeGreaterThan(0);
  expect(report.asked).toBeGreaterThan(0);
  expect([report.stalled, report.died, report.flooded].every((n) => n > 0)).toBe(true);
  expect([report.lost, report.clientsLeft]).toEqual([0, 0]);
});
