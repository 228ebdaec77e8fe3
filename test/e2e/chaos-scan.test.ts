import { expect, it } from "vitest";
import { chaosScan } from "../../scripts/chaos-scan.ts";
import { rounds, times } from "../support/full.ts";

it("survives being killed: no point lost or counted twice, no spot shot twice, devices safe", async () => {
  const asked = rounds(10, 1);
  const { kills, faults } = await chaosScan(asked, 3, times(200, 40));
  expect(faults).toEqual([]);
  expect(kills).toBe(asked);
});
