import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { connect } from "../../../src/index.ts";
import { calibrate } from "../../../src/ip/index.ts";
import { correct, darkAverage, mean, reduce } from "../../../src/reduce/index.ts";
import { itWithSharedDataInFull, sharedData } from "../../support/optional.ts";

const photonEnergyEv = 10_000;

describe("calibrate", () => {
  itWithSharedDataInFull("finds direct beam, distance and tilt of a run within 10 µm, 0.01 % and 0.025°", async () => {
    const truth = JSON.parse(readFileSync(join(sharedData, "302001.truth.json"), "utf8")) as {
      beam_centre_um: [number, number];
      light_tags: number[];
      dark_tags: number[];
    };
    await using facility = await connect(join(sharedData, "302001.h5"));
    const run = await facility.run(3, 302_001);
    const detectors = Array.from({ length: 8 }, (_, k) => `MPCCD-8B0-2-009-${k + 1}`);
    const sensors = await Promise.all(detectors.map((id) => run.detectorInfo(id)));
    const shots = (tags: number[]) => facility.shots({ run, detectors, tags });
    const dark = await darkAverage(shots(truth.dark_tags));
    const corrections = [correct.photons({ detectors: sensors, configuredEv: photonEnergyEv })];
    const { average } = await reduce(shots(truth.light_tags), { average: mean() }, { dark, corrections });
    const found = calibrate(average, { sensors, calibrant: "LaB6", photonEnergyEv, distanceMm: 82 });
    const [x, y] = truth.beam_centre_um;
    expect(Math.hypot(found.centreUm.x - x, found.centreUm.y - y)).toBeLessThan(10);
    expect(Math.abs(found.geometry.distanceMm / 80 - 1)).toBeLessThan(1e-4);
    expect(Math.abs((found.geometry.rot1Deg ?? 0) - 0.4)).toBeLessThan(0.025);
    expect(Math.abs((found.geometry.rot2Deg ?? 0) + 0.7)).toBeLessThan(0.025);
  });
});
