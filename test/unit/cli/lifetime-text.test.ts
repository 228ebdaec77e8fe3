import { expect, it } from "vitest";
import { lifetimeText } from "../../../src/cli/delay-sweeps.ts";

it("a lifetime that the scan shows no end of is told as the least that it is", () => {
  expect(lifetimeText({ lifetimeFs: 620, lifetimeErrorFs: 30 })).toBe("620 ± 30 fs");
  expect(lifetimeText({ lifetimeFs: 60_000, lifetimeErrorFs: 40_000 })).toBe("longer than 20000 fs (3 σ)");
});
