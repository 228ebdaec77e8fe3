import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { compareGeometry, parseCrystfelGeom, toCrystfelGeom } from "../../../src/ip/index.ts";
import { octal, sensor } from "./octal.ts";

const beam = { photonEnergyEv: 10_000, cameraLengthMm: 50 };

/** The sensor turned about its middle, then shifted. */
function moved(info: DetectorInfo, turnDeg: number, dxUm: number, dyUm: number): DetectorInfo {
  const g = info.geometry;
  if (g === null) throw new Error("no geometry");
  const [before, after] = [g.rotationDeg, g.rotationDeg + turnDeg].map((deg) => (deg * Math.PI) / 180);
  const half = (angle = NaN): readonly [x: number, y: number] => [
    256 * 50 * Math.cos(angle) + 512 * 50 * Math.sin(angle),
    256 * 50 * Math.sin(angle) - 512 * 50 * Math.cos(angle),
  ];
  const [[x0, y0], [x1, y1]] = [half(before), half(after)];
  const posXUm = g.posXUm + x0 - x1 + dxUm;
  const posYUm = g.posYUm + y0 - y1 + dyUm;
  return { ...info, geometry: { ...g, posXUm, posYUm, rotationDeg: g.rotationDeg + turnDeg } };
}

describe("compareGeometry", () => {
  it("gives back what a geometry was moved by, through a CrystFEL file", () => {
    const after = octal.map((info, i) => moved(info, 0.01 * i, 100 + 5 * i, -40));
    const { sensors, mean, restUm } = compareGeometry(octal, parseCrystfelGeom(toCrystfelGeom(after, beam)).sensors);
    for (const [i, move] of sensors.entries()) {
      expect(move.id).toBe(octal[i]?.id);
      expect(move.dxUm).toBeCloseTo(100 + 5 * i, 4);
      expect(move.dyUm).toBeCloseTo(-40, 4);
      expect(move.turnDeg).toBeCloseTo(0.01 * i, 6);
    }
    expect(mean.dxUm).toBeCloseTo(117.5, 4);
    expect(mean.turnDeg).toBeCloseTo(0.035, 6);
    expect(restUm).toBeCloseTo(5 * Math.sqrt(5.25), 4);
  });

  it("takes panels of other names in their order, and turns the short way: 269.9 is −90.1", () => {
    const after = octal.map((info, i) => ({
      ...info,
      id: `q${i + 1}`,
      geometry: info.geometry === null ? null : { ...info.geometry, rotationDeg: info.geometry.rotationDeg + 360 },
    }));
    const { sensors } = compareGeometry(octal, after);
    expect(sensors.map(({ panel, turnDeg }) => [panel, turnDeg])).toEqual(
      octal.map((_, i) => [`q${i + 1}`, expect.closeTo(0, 9)]),
    );
  });

  it("refuses a file of another detector", () => {
    expect(() => compareGeometry(octal, [sensor("a"), sensor("b")])).toThrow(/2 panels .* for 8 sensors/);
    expect(() => compareGeometry([sensor("a")], [sensor("a", { xsize: 256 })])).toThrow(/1024 × 256 .*binned/);
  });
});
