import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyColumn, formatSyncValue, parseSyncValue, roundToText, setEntry } from "../../../src/core/syncdb.ts";

describe("SyncDB text values", () => {
  it.each([
    ["7.22600e-02V", { value: 0.07226, unit: "V" }],
    ["1234pulse", { value: 1234, unit: "pulse" }],
    ["-1.5a.u.", { value: -1.5, unit: "a.u." }],
    ["0", { value: 0, unit: "" }],
    ["1.00712e-11C", { value: 1.00712e-11, unit: "C" }],
    ["not-converged", { reason: "not-converged" }],
    ["saturated", { reason: "saturated" }],
    ["", { reason: "missing" }],
    ["n/a", { reason: "missing" }],
    ["5.03 nC", { value: 5.03, unit: "nC" }],
    ["25°C", { value: 25, unit: "°C" }],
    ["1/s", { value: 1, unit: "/s" }],
    // A number that goes on is another one than its beginning says.
    ["5,03nC", { reason: "missing" }],
    ["1.000,5", { reason: "missing" }],
    ["1.2.3", { reason: "missing" }],
    ["1 234pulse", { reason: "missing" }],
    ["0x10", { reason: "missing" }],
    ["0b101", { reason: "missing" }],
    ["0o17", { reason: "missing" }],
    ["0bar", { value: 0, unit: "bar" }],
    ["0Oe", { value: 0, unit: "Oe" }],
    ["5±1nC", { reason: "missing" }],
    ["2026-11-29", { reason: "missing" }],
    ["5 e-", { value: 5, unit: "e-" }],
    ["  12.5\tmm ", { value: 12.5, unit: "mm" }],
    ["1e400V", { reason: "saturated" }],
  ])("reads %j", (text, value) => {
    expect(parseSyncValue(text)).toEqual(value);
  });

  it.each([
    ...["1/2", "1 / 2", "1 V/2", "1V 2", "1 V at 3", "3(4)", "1(2)V", "1V;2V", "1'000", "12V,"],
    ...["1e", "1e+", "1E5e5", "1d5", "1 e5", "3:20", "1-2", "５", "−1", "inf", "nan", "1²"],
  ])("%j is no number with a unit", (text) => {
    expect(parseSyncValue(text)).toEqual({ reason: "missing" });
  });

  it.each(["V mm", "mm/s", "m^2", "s^-1", "cm-2", "J/cm²", "/(s cm)", "N·m", "%", "Ω", "°/s", "d", "eV"])(
    "%j is a unit",
    (unit) => {
      expect(parseSyncValue(`12 ${unit}`)).toEqual({ value: 12, unit });
    },
  );

  it("reads a long text of blanks at once", () => {
    expect(parseSyncValue(`1${" ".repeat(1e6)}; ${" ".repeat(1e6)}`)).toEqual({ reason: "missing" });
    expect(parseSyncValue(`1${"m".repeat(1e6)};`)).toEqual({ reason: "missing" });
  });

  it("writes numbers as the facility prints them", () => {
    const column = emptyColumn("x/voltage", "V", 4);
    setEntry(column, 0, 0.07226);
    setEntry(column, 1, 5.1642e-9);
    setEntry(column, 2, "not-converged");
    expect([0, 1, 2, 3].map((i) => formatSyncValue(column, i))).toEqual([
      "7.22600e-02V",
      "5.16420e-09V",
      "not-converged",
      "missing",
    ]);
    const motor = emptyColumn("x/position", "pulse", 1);
    setEntry(motor, 0, -20345);
    expect(formatSyncValue(motor, 0)).toBe("-20345pulse");
  });

  it("reads back exactly what it wrote, for numbers rounded to the text", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 }), (raw) => {
        const value = roundToText(raw);
        const column = emptyColumn("x", "V", 1);
        setEntry(column, 0, value);
        expect(parseSyncValue(formatSyncValue(column, 0))).toEqual({ value: value === 0 ? 0 : value, unit: "V" });
      }),
      { numRuns: 2000 },
    );
  });
});
