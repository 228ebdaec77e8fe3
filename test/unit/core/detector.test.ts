import { describe, expect, it } from "vitest";
import { type DetectorInfo, fromDetInfoDict, toDetInfoDict } from "../../../src/core/detector.ts";
import { groupDetectors } from "../../../src/core/detectors.ts";

const sensor: DetectorInfo = {
  id: "MPCCD-8-2-001-1",
  xsize: 512,
  ysize: 1024,
  absGain: 16.912,
  geometry: {
    posXUm: -1755,
    posYUm: 51711,
    posZUm: 0,
    rotationDeg: -89.9062,
    pixelSizeXUm: 50,
    pixelSizeYUm: 50,
    manipulatorShiftUm: 0,
  },
};

describe("detector information", () => {
  it("gives every geometry key in both spellings", () => {
    expect(toDetInfoDict(sensor, 7, 8)).toEqual({
      xsize: 512,
      ysize: 1024,
      run_number: 7,
      tag_number: 8,
      mp_absgain: 16.912,
      mp_posx: -1755,
      mp_pos_x: -1755,
      mp_posy: 51711,
      mp_pos_y: 51711,
      mp_posz: 0,
      mp_pos_z: 0,
      mp_pixelsizex: 50,
      mp_pixelsize_x: 50,
      mp_pixelsizey: 50,
      mp_pixelsize_y: 50,
      mp_rotationangle: -89.9062,
      mp_manipulator_shift: 0,
    });
  });

  it("reads either spelling alone", () => {
    const dict = toDetInfoDict(sensor, 7, 8);
    for (const drop of [/^mp_(pos|pixelsize)_/, /^mp_(pos|pixelsize)[xyz]$/]) {
      const one = Object.fromEntries(Object.entries(dict).filter(([key]) => !drop.test(key)));
      expect(fromDetInfoDict(sensor.id, one)).toEqual(sensor);
    }
  });

  it("takes a camera without geometry, and refuses half a geometry or NaN", () => {
    expect(fromDetInfoDict("OPAL-1", { xsize: 10, ysize: 5 })).toEqual({
      id: "OPAL-1",
      xsize: 10,
      ysize: 5,
      absGain: null,
      geometry: null,
    });
    expect(() => fromDetInfoDict("M", { xsize: 1, ysize: 1, mp_posx: 3 })).toThrow(
      expect.objectContaining({ code: "BAD_GEOMETRY" }),
    );
    const dict = { ...toDetInfoDict(sensor, 7, 8), mp_posx: NaN };
    expect(() => fromDetInfoDict("M", dict)).toThrow(
      expect.objectContaining({ code: "BAD_GEOMETRY", message: expect.stringContaining("posXUm") }),
    );
  });

  it("groups sensors under their detector, named or not", () => {
    const octal = Array.from({ length: 8 }, (_, i) => `MPCCD-8-2-001-${i + 1}`);
    expect(groupDetectors(octal)).toEqual([{ id: "MPCCD-8-2-001", sensors: octal }]);
    expect(
      groupDetectors(["MPCCD-1N0-M06-004", "MPCCD-2N0-1-006", "MPCCD-2N0-1-006-2", "MPCCD-2N0-1-006-1", "OPAL-234363"]),
    ).toEqual([
      { id: "MPCCD-1N0-M06-004", sensors: ["MPCCD-1N0-M06-004"] },
      { id: "MPCCD-2N0-1-006", sensors: ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"] },
      { id: "OPAL-234363", sensors: ["OPAL-234363"] },
    ]);
  });
});
