import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { connect } from "../../../src/index.ts";
import { aduPerPhoton, darkAverage, droplets, reduce, speckleContrast } from "../../../src/reduce/index.ts";
import { itWithSharedData, sharedData } from "../../support/optional.ts";

interface Truth {
  readonly beta: number;
  readonly energy_eV: number;
  readonly tags: readonly number[];
  readonly dark_tags: readonly number[];
  readonly kbar: readonly number[];
  readonly photons: readonly number[];
}

describe("speckle of another program", () => {
  itWithSharedData("has its contrast within 0.1, and its photons, or the word that it is not known", async () => {
    const truth: Truth = JSON.parse(readFileSync(join(sharedData, "304001.truth.json"), "utf8"));
    await using facility = await connect(join(sharedData, "304001.h5"));
    const run = await facility.run(3, 304_001);
    const [first] = await run.detectors();
    if (first === undefined) throw new Error("no detector");
    const info = await facility.st.detectorInfo(3, 304_001, first.id);
    const shots = (tags: readonly number[]) =>
      facility.shots({ run, detectors: [info.id], tags: Uint32Array.from(tags) });
    const dark = await darkAverage(shots(truth.dark_tags));
    const perPhoton = aduPerPhoton(truth.energy_eV, info.absGain ?? NaN);
    const options = { aduPerPhoton: perPhoton, noiseAdu: dark };
    const look = async (least: number, most: number) => {
      const chosen = [...truth.tags.keys()].filter((k) => (truth.kbar[k] ?? 0) > least && (truth.kbar[k] ?? 0) < most);
      const tags = chosen.map((k) => truth.tags[k] ?? 0);
      const reducers = { speckle: speckleContrast(options), found: droplets(options) };
      const { speckle, found } = await reduce(shots(tags), reducers, { dark });
      const photons = chosen.reduce((sum, k) => sum + (truth.photons[k] ?? 0), 0);
      return { speckle: speckle[info.id], found: found[info.id], photons, pixels: chosen.length * 192 * 192 };
    };
    const all = await look(0, 1);
    expect(all.speckle?.undetermined).toBeNull();
    expect(Math.abs((all.speckle?.contrast ?? NaN) - truth.beta)).toBeLessThan(0.1);
    for (const [least, most] of [
      [0.06, 0.14],
      [0.14, 0.4],
    ] as const) {
      const { speckle, found, photons, pixels } = await look(least, most);
      if (speckle === undefined || found?.corrected == null) throw new Error("no result");
      expect(speckle.undetermined).toBeNull();
      expect(Math.abs(speckle.contrast - truth.beta)).toBeLessThan(2.5 * speckle.contrastError);
      expect(Math.abs((speckle.photonsPerPixel * pixels) / photons - 1)).toBeLessThan(0.01);
      expect(Math.abs(found.corrected.photons / photons - 1)).toBeLessThan(0.01);
      expect(Math.abs(found.corrected.cloudPx - 0.1)).toBeLessThan(0.01);
    }
    const weak = await look(0, 0.002);
    expect(weak.speckle?.undetermined).toBe("too-few-photons");
    expect(Math.abs((weak.found?.corrected?.photons ?? NaN) - weak.photons)).toBeLessThan(20);
  });
});
