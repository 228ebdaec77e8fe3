import { describe, expect, it } from "vitest";
import { hightagAt } from "../../../src/core/japan.ts";

describe("the HighTag of a time", () => {
  it.each([
    ["2016-03-17T09:30:03Z", 201601],
    ["2018-03-16T13:02:25Z", 201801],
    ["2025-11-07T03:00:00Z", 202502],
    ["2014-06-11T00:00:00Z", 201401],
    ["2019-01-15T00:00:00Z", 201802],
    // Midnight in Japan is 15:00 UTC of the day before.
    ["2020-02-29T14:59:59Z", 201902],
    ["2020-02-29T15:00:00Z", 202001],
    ["2020-08-31T14:59:59Z", 202001],
    ["2020-08-31T15:00:00Z", 202002],
  ])("%s is %i", (time, hightag) => {
    expect(hightagAt(Date.parse(time) / 1000)).toBe(hightag);
  });
});
