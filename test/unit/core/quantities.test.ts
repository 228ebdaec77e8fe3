import { describe, expect, it } from "vitest";
import { parseQuantity, prefixedUnit, quantity, quantityWithError, unitFactor } from "../../../src/core/quantities.ts";
import { plainTime, timeText } from "../../../src/core/time-text.ts";

describe("numbers as people write them", () => {
  it("have the error in the last digits and an SI prefix", () => {
    expect(quantityWithError(5.0312e-9, 8e-11, "C")).toBe("5.03(8) nC");
    expect(quantityWithError(1.5, 0.014, "ps")).toBe("1.500(14) ps");
    expect(quantityWithError(12_345, 140, "pulse")).toBe("12350(140) pulse");
    expect(quantityWithError(1.100156e8, 280_000, "V/C")).toBe("1.100(3)e8 V/C");
    expect(quantity(NaN, "V")).toBe("–");
    expect(quantity(300)).toBe("300");
    expect(prefixedUnit("ps", 1e-3)).toEqual({ unit: "ps", factor: 1 });
  });

  it("are read with their units, which fit or do not", () => {
    expect(parseQuantity("1.5ps")).toEqual({ value: 1.5, unit: "ps" });
    expect(parseQuantity("−2 mm")).toEqual({ value: -2, unit: "mm" });
    expect(parseQuantity("ps")).toBeUndefined();
    expect(unitFactor("fs", "ps")).toBeCloseTo(1e-3, 15);
    expect(unitFactor("meV", "eV")).toBeCloseTo(1e-3, 15);
    expect(unitFactor("mm", "ps")).toBeUndefined();
  });

  it("times are Japan's unless told otherwise", () => {
    expect(timeText(new Date("2025-03-03T23:58:00Z"))).toBe("2025-03-04 08:58:00 JST");
    expect(plainTime(new Date("2025-03-03T23:58:00Z"), "utc")).toBe("2025-03-03 23:58:00");
    // Seconds after 1970: a file that says no time.
    expect([timeText(new Date(50)), plainTime(new Date(0), "utc")]).toEqual(["unknown", "unknown"]);
  });
});
