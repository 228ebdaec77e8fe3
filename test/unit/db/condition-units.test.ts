import { describe, expect, it } from "vitest";
import { parseCondition, searchByMeaning, wellKnownSignal } from "../../../src/db/index.ts";

describe("conditions as people type them", () => {
  it("have units and bands", () => {
    const band = parseCondition("4nC < i0 < 6 nC");
    expect([band.equipId, band.holds(5e-9, 1, "C"), band.holds(7e-9, 1, "C")]).toEqual(["i0", true, false]);
    expect(parseCondition("a/b >= 1e-9").holds(1e-9)).toBe(true);
    expect(() => parseCondition("delay > 1ps").holds(3, 1, "pulse")).toThrow(/delay is in pulse/);
    for (const text of ["i0", "i0 about 5"]) expect(() => parseCondition(text)).toThrow(/SIGNAL OPERATOR NUMBER/);
  });

  it("signals are found by what they are", () => {
    const ids = [
      "xfel_bl_3_tc_bm_1_pd/charge",
      "xfel_bl_3_st_4_pd_user_10_fitting_peak/voltage",
      "xfel_bl_3_tc_spec_1/energy",
    ];
    expect(searchByMeaning(ids, "BM1")).toEqual([ids[0]]);
    expect(searchByMeaning(ids, "photodiode 10")).toEqual([ids[1]]);
    expect(searchByMeaning(ids, "photodiode 1")).toEqual([]);
    expect(wellKnownSignal("bm2", 3)).toBe("xfel_bl_3_tc_bm_2_pd/charge");
  });
});
