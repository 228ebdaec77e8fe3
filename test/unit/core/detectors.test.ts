import { describe, expect, it } from "vitest";
import { compositeOf, familyOf } from "../../../src/core/detector-families.ts";
import { Detectors } from "../../../src/core/detectors.ts";

const octal = Array.from({ length: 8 }, (_, i) => `MPCCD-8B0-2-008-${i + 1}`);
const detectors = new Detectors(
  ["OPAL-234363", "MPCCD-8B0-2-008", ...octal, "MPCCD-2N0-1-006", "MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"],
  "Run 5 of beamline 3",
  { bl: 3, run: 5 },
);

describe("Detectors", () => {
  it("finds a detector with its sensors, and a sensor as a group of itself", () => {
    expect(detectors.find("MPCCD-8B0-2-008")).toEqual({ id: "MPCCD-8B0-2-008", sensors: octal });
    expect(detectors.find("MPCCD-8B0-2-008-3")).toEqual({ id: "MPCCD-8B0-2-008-3", sensors: ["MPCCD-8B0-2-008-3"] });
    expect(detectors.find("OPAL-234363").sensors).toEqual(["OPAL-234363"]);
  });

  it("takes the detector that was named, else the one with the most sensors", () => {
    expect(detectors.findOrLargest(undefined).id).toBe("MPCCD-8B0-2-008");
    expect(detectors.findOrLargest("OPAL-234363").id).toBe("OPAL-234363");
    expect(new Detectors(["A", "B"], "x").largest().id).toBe("A");
  });

  it("gives the sensors of an id; an id that is not listed is its own", () => {
    expect(detectors.sensorsOf("MPCCD-2N0-1-006")).toEqual(["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"]);
    expect(detectors.sensorsOf("nothing")).toEqual(["nothing"]);
  });

  it("refuses what is not listed, and a composite id where images are asked for", () => {
    const unknown = expect.objectContaining({
      code: "UNKNOWN_DETECTOR",
      message: "Run 5 of beamline 3 has no detector OPAL-1; it has OPAL-234363, MPCCD-8B0-2-008, MPCCD-2N0-1-006.",
      details: expect.objectContaining({ bl: 3, run: 5, detId: "OPAL-1" }),
    });
    expect(() => detectors.find("OPAL-1")).toThrow(unknown);
    expect(() => detectors.sensor("OPAL-1")).toThrow(unknown);
    expect(() => detectors.checkListed("OPAL-1")).toThrow(unknown);
    expect(() => detectors.sensor("MPCCD-8B0-2-008")).toThrow(expect.objectContaining({ code: "UNKNOWN_DETECTOR" }));
    expect(detectors.sensor("MPCCD-8B0-2-008-8")).toBe("MPCCD-8B0-2-008-8");
    expect(() => new Detectors(["whole", "whole-1"], "x").sensor("whole")).toThrow("whole-1");
    expect(() => new Detectors([], "x").largest()).toThrow(expect.objectContaining({ code: "UNKNOWN_DETECTOR" }));
  });
});

describe("detector families", () => {
  it("know the make, the size and the whole detector of a sensor", () => {
    expect(familyOf("MPCCD-8B0-2-008-1")).toMatchObject({ make: "MPCCD", rows: 1024, columns: 512, thicknessUm: 300 });
    expect(familyOf("CITIUS-2.2M-001-007")).toMatchObject({ make: "CITIUS", rows: 728, columns: 384 });
    expect(familyOf("OPAL-234363")).toBeUndefined();
    expect(compositeOf("CITIUS-2.2M-001-007")).toBe("CITIUS-2.2M-001");
    expect(compositeOf("MPCCD-1N0-M06-002")).toBeUndefined();
    expect(compositeOf("CITIUS-2.2M-001")).toBeUndefined();
  });
});
