import { expect, it } from "vitest";
import { dryRun, finalize, plan, shutter } from "../../../src/scan/index.ts";
import { bench } from "../../unit/scan/fixtures.ts";

it("a dry run ends a plan that never ends, and says so", () => {
  const endless = plan("endless", {}, function* () {
    for (;;) yield* finalize(shutter("main", false), () => shutter("main", false));
  });
  expect(dryRun(endless, { devices: bench }).problem).toContain("not ended");
});
