import { describe, expect, it } from "vitest";
import { checkWithin } from "../../../src/scan/beamline/axis-reach.ts";

describe("limits of an axis", () => {
  it("hold their own end, however a product is rounded", () => {
    expect(() => checkWithin("x", 0.1 * 3, { from: 0, to: 0.3 })).not.toThrow();
    expect(() => checkWithin("x", -0.1 * 3, { from: -0.3, to: 0 })).not.toThrow();
  });

  it("are those of whole pulses: what is less than half a pulse beyond is at the end", () => {
    const pulse = 1 / 150;
    const reach = { from: 0, to: 0.3, within: pulse / 2 };
    expect(() => checkWithin("x", 0.303, reach)).not.toThrow();
    expect(() => checkWithin("x", 0.304, reach)).toThrow(/its limits are 0 to 0\.3\./);
  });

  it("refuse what is outside", () => {
    for (const target of [0.3001, -0.0001, NaN, Infinity])
      expect(() => checkWithin("x", target, { from: 0, to: 0.3 })).toThrow(/cannot go to/);
  });
});
