import { expect, it } from "vitest";
import { checkHostileScans } from "../../../scripts/check-hostile-scans.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

it("scans on a bad day end with their points, or with a reason and everything measured kept", async () => {
  const { scans, faults } = await checkHostileScans(1, 3, folder);
  expect(faults).toEqual([]);
  expect(scans).toBe(3);
});
