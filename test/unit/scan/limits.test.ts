import { describe, expect, it } from "vitest";
import { checkWithin } from "../../../src/scan/beamline/virtual-devices.ts";

describe("limits of an axis", () => {
  it("hold their own end, however a product is rounded", () => {
    expect(() => checkWithin("x", 0.1 * 3, { from: 0, to: 0.3 })).not.toThrow();
    expect(() => checkWithin("x", -0.1 * 3, { from: -0.3, to: 0 })).not.toThrow();
  });

  it("refuse what is outside", () => {
    for (const target of [0.3001, -0.0001, NaN, Infinity])
      expect(() => checkWithin("x", target, { from: 0, to: 0.3 })).toThrow(/cannot go to/);
  });
});
