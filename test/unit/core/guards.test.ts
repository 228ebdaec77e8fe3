import { describe, expect, it } from "vitest";
import { asFinite, asInteger, asOneOf, asText, badArgument, isRecord } from "../../../src/core/guards.ts";

describe("guards", () => {
  it("give back what is allowed, the borders included", () => {
    expect([asInteger("n", 0), asInteger("n", 3, 3, 5), asInteger("n", 5, 3, 5)]).toEqual([0, 3, 5]);
    expect([asFinite("x", -1.5), asFinite("x", 0, 0, 1)]).toEqual([-1.5, 0]);
    expect([asText("name", "a"), asOneOf("view", "source", ["source", "detector"])]).toEqual(["a", "source"]);
  });

  it.each([
    [() => asInteger("n", 1.5)],
    [() => asInteger("n", -1)],
    [() => asInteger("n", 6, 3, 5)],
    [() => asInteger("n", "3")],
    [() => asInteger("n", Number.MAX_SAFE_INTEGER + 1)],
    [() => asFinite("x", Number.NaN)],
    [() => asFinite("x", Infinity)],
    [() => asFinite("x", 2, 0, 1)],
    [() => asText("name", "")],
    [() => asText("name", 3)],
    [() => asOneOf("view", "sauce", ["source", "detector"])],
  ])("refuse everything else with BAD_ARGUMENT", (refused) => {
    expect(refused).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("name the argument, the value and what was allowed", () => {
    const { message } = badArgument("speed", -3, "a number above 0");
    for (const part of ["speed", "-3", "a number above 0"]) expect(message).toContain(part);
    expect([isRecord({}), isRecord(null), isRecord("a")]).toEqual([true, false, false]);
  });
});
