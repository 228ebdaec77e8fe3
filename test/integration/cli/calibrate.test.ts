import { describe, expect, it } from "vitest";
import { parsePoni } from "../../../src/ip/index.ts";
import { cli } from "../../support/fake-io.ts";

describe("sacla calibrate", () => {
  it("finds the geometry of the simulated octal, and writes it as a PONI file", async () => {
    const args = ["calibrate", "220934", "MPCCD-8B0-2-008", "--bl", "2", "--dark-run", "220933", "--limit", "2"];
    const { code, out, files } = await cli([
      ...args,
      ...["--calibrant", "LaB6", "--distance", "82", "--centre", "300,-200"],
      ...["-o", "rings.poni", "--json", "--url", "sim:"],
    ]);
    expect(code).toBe(0);
    const found = JSON.parse(out) as {
      centreUm: { x: number; y: number };
      geometry: { distanceMm: number; rot1Deg: number; rot2Deg: number };
      photonEnergyEv: number;
      rings: number[];
    };
    // The simulated detector stands upright in the beam, 80 mm from the sample.
    expect(Math.hypot(found.centreUm.x, found.centreUm.y)).toBeLessThan(15);
    expect(Math.abs(found.geometry.distanceMm / 80 - 1)).toBeLessThan(2e-4);
    expect(Math.hypot(found.geometry.rot1Deg, found.geometry.rot2Deg)).toBeLessThan(0.03);
    expect(found.rings.length).toBeGreaterThanOrEqual(5);
    const picture = { width: 2399, height: 2399, pixelSizeUm: 50, view: "source" } as const;
    expect(parsePoni(String(files.get("rings.poni")), picture).geometry.distanceMm).toBeCloseTo(
      found.geometry.distanceMm,
      6,
    );
  });
});
