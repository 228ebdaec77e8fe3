import { isSaclaError } from "../../src/core/errors.ts";
import { calibrate, fromBeamCentre } from "../../src/ip/index.ts";
import { rings, square } from "../../test/support/powder-rings.ts";
import type { CoverageCase } from "./cover.ts";

const info = square(400);
const photonEnergyEv = 10_000;

/** Geometry from LaB6 rings: another geometry and another picture each time, 1 or 10 photons a shot in 0.16 mm². */
export const cases: readonly CoverageCase[] = (
  [
    [3, "weak"],
    [10, "weak"],
    [10, "strong"],
    [100, "strong"],
  ] as const
).map(([shots, signal]) => ({
  what: "calibrate LaB6",
  shots,
  signal,
  run: (random) => {
    const between = (from: number, to: number): number => from + (to - from) * random.uniform();
    const centreUm = { x: between(-2000, 2000), y: between(-2000, 2000) };
    const [distanceMm, rot1Deg, rot2Deg] = [between(78, 84), between(-1, 1), between(-1, 1)];
    const truth = fromBeamCentre({ centreUm, distanceMm, rot1Deg, rot2Deg });
    const photons = shots * (signal === "weak" ? 1 : 10);
    const image = rings(info, truth, photonEnergyEv, photons, random);
    try {
      const {
        geometry,
        centreUm: centre,
        errors,
      } = calibrate({ S: image }, { sensors: [info], calibrant: "LaB6", photonEnergyEv, distanceMm: 81 });
      return {
        "centre x": { value: centre.x, error: errors.centreXUm, truth: centreUm.x },
        "centre y": { value: centre.y, error: errors.centreYUm, truth: centreUm.y },
        distance: { value: geometry.distanceMm, error: errors.distanceMm, truth: distanceMm },
        "rot 1": { value: geometry.rot1Deg ?? NaN, error: errors.rot1Deg, truth: rot1Deg },
        "rot 2": { value: geometry.rot2Deg ?? NaN, error: errors.rot2Deg, truth: rot2Deg },
      };
    } catch (error) {
      if (isSaclaError(error, "NO_RINGS")) return null;
      throw error;
    }
  },
}));
