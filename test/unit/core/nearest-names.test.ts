import { describe, expect, it } from "vitest";
import { nearestNames, nearestSpelling } from "../../../src/core/nearest-names.ts";

describe("nearestNames", () => {
  const names = [
    "xfel_bl_3_tc_bm_1_pd/charge",
    "xfel_bl_3_tc_bm_2_pd/charge",
    "xfel_bl_3_shutter_1_open_valid/status",
    "acc/accelerator_status",
  ];

  it("finds the name meant by the slip of the talk's slide", () => {
    expect(nearestNames("xfel_b1_3_tc_bm1_pd/charge", names)[0]).toBe("xfel_bl_3_tc_bm_1_pd/charge");
  });

  it("gives no more than asked, and nothing where nothing is alike", () => {
    expect(nearestNames("xfel_bl_3", names, 2)).toHaveLength(2);
    expect(nearestNames("qqq", names)).toEqual([]);
  });
});

describe("nearestSpelling", () => {
  it("finds a name with a letter missing, added, changed or swapped, and none that is far", () => {
    const names = ["shutter", "from", "host", "timeoutMs", "n"];
    for (const [wanted, meant] of [
      ["shuter", "shutter"],
      ["form", "from"],
      ["hots", "host"],
      ["TimeotMs", "timeoutMs"],
      ["x", undefined],
      ["signals", undefined],
    ] as const)
      expect(nearestSpelling(wanted, names)).toBe(meant);
  });
});
