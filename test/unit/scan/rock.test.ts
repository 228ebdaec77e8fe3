import { describe, expect, it } from "vitest";
import {
  Engine,
  goToPeak,
  orReturn,
  type PeakOptions,
  type PseudoAxis,
  plan,
  rock,
  shots,
  VirtualDevices,
  virtualBeamline,
} from "../../../src/scan/index.ts";
import { bench } from "./fixtures.ts";

const curve: PeakOptions = {
  axis: "theta",
  from: 11.5,
  to: 13.5,
  points: 21,
  signalName: "bragg",
  normaliseBy: "i0",
  shots: { count: 20, signals: ["bragg", "i0"] },
};

describe("rock", () => {
  it("ends at the peak, at the centre of gravity, or where it was", async () => {
    for (const go of ["peak", "centre", "back"] as const) {
      const beamline = virtualBeamline(bench);
      const before = beamline.devices.at("theta");
      const { result } = await new Engine(beamline).run(rock({ ...curve, go }));
      expect(beamline.devices.at("theta")).toBe(result?.standsAt);
      if (go === "back") expect(result?.standsAt).toBe(before);
      else expect(result?.standsAt).toBeCloseTo(12.5, 1);
      expect([result?.fit === null, result?.centroid === null]).toEqual([go === "centre", go !== "centre"]);
    }
  });

  it("goes back where there is no peak, and when it is stopped", async () => {
    for (const go of ["peak", "centre", "back"] as const) {
      const beamline = virtualBeamline(bench);
      const before = beamline.devices.at("theta");
      const away = rock({ ...curve, from: 20, to: 22, go });
      await expect(new Engine(beamline).run(away)).rejects.toMatchObject({ code: "NO_PEAK" });
      expect(beamline.devices.at("theta")).toBe(before);
    }
    const beamline = virtualBeamline(bench);
    const before = beamline.devices.at("theta");
    const engine: Engine = new Engine(beamline, {
      callbacks: [{ point: ({ index }) => void (index === 3 && engine.abort()) }],
    });
    await engine.run(rock({ ...curve, go: "peak" })).catch(() => {});
    expect(beamline.devices.at("theta")).toBe(before);
  });

  it("leaves axes where they are when all went well", async () => {
    const beamline = virtualBeamline(bench);
    await new Engine(beamline).run(plan("p", {}, () => orReturn(["theta"], shots(3))));
    expect(beamline.devices.at("theta")).toBe(new VirtualDevices(bench).at("theta"));
  });

  it("refuses a place that is none", () => {
    expect(() => rock({ ...curve, go: "top" as "peak" })).toThrow(/peak, centre, back/);
    expect(() => rock({ ...curve, axis: 3 as unknown as string })).toThrow(/pseudo axis/);
  });
});

describe("a pseudo axis", () => {
  // θ as half of an angle 2θ: one number for two axes would do as well.
  const twoTheta: PseudoAxis = {
    name: "two_theta",
    unit: "deg",
    axes: ["theta"],
    forward: (value) => ({ theta: value / 2 }),
    inverse: (at) => 2 * (at["theta"] ?? Number.NaN),
  };

  it("is scanned as any axis is, and is in the rows", async () => {
    const beamline = virtualBeamline(bench);
    const rows: string[][] = [];
    const engine = new Engine(beamline, { callbacks: [{ point: ({ data }) => rows.push(Object.keys(data)) }] });
    const { result } = await engine.run(goToPeak({ ...curve, axis: twoTheta, from: 23, to: 27 }));
    expect(result?.centre).toBeCloseTo(25, 1);
    expect(beamline.devices.at("theta")).toBeCloseTo((result?.centre ?? Number.NaN) / 2, 9);
    expect(rows[0]).toEqual(["two_theta", "theta"]);
    // Kept as JSON: its name, and where it goes.
    const { settings } = goToPeak({ ...curve, axis: twoTheta, from: 23, to: 27 });
    expect(JSON.parse(JSON.stringify(settings))).toMatchObject({
      axis: "two_theta",
      ends: [{ theta: 11.5 }, { theta: 13.5 }],
    });
  });
});
