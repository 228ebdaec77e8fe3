import { expect, it } from "vitest";
import { chaosRequests } from "../../scripts/chaos-requests.ts";
import { rounds } from "../support/full.ts";

it("leaves no state that the log does not explain, whatever operators, machine, beam and kills do", async () => {
  const { dialogues, ends, faults } = await chaosRequests(3, rounds(300));
  expect(faults).toEqual([]);
  expect(dialogues).toBeGreaterThanOrEqual(rounds(300));
  expect(ends["kept"]).toBeGreaterThan(0);
  expect(ends["rolled-back"]).toBeGreaterThan(0);
});
