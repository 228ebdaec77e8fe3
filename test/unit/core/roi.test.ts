import { describe, expect, it } from "vitest";
import { checkRoi, cutRoi, roiShape } from "../../../src/core/roi.ts";

describe("Roi", () => {
  it("excludes its ends, and may reach the border of the image", () => {
    const roi = { rows: [1, 3], columns: [2, 4] } as const;
    expect(checkRoi(roi, 3, 4)).toBe(roi);
    expect(roiShape(roi)).toEqual([2, 2]);
  });

  it.each([
    { rows: [1, 1], columns: [0, 1] },
    { rows: [2, 1], columns: [0, 1] },
    { rows: [0, 4], columns: [0, 1] },
    { rows: [0, 1], columns: [0, 5] },
    { rows: [-1, 1], columns: [0, 1] },
    { rows: [0, 1.5], columns: [0, 1] },
  ] as const)("is refused when it is empty or outside: %j", (roi) => {
    expect(() => checkRoi(roi, 3, 4)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("is cut out of a row-major image", () => {
    const image = Float32Array.from({ length: 12 }, (_, i) => i);
    const out = new Float32Array(4);
    cutRoi(image, 4, { rows: [1, 3], columns: [2, 4] }, out);
    expect([...out]).toEqual([6, 7, 10, 11]);
  });
});
