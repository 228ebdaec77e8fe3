import { expect } from "vitest";
import { createSimulatedFacility, simulatedEndpoint } from "../../../src/facility/index.ts";
import { Facility } from "../../../src/index.ts";
import {
  aduPerPhoton,
  calibrateEmission,
  calibrationShots,
  darkAverage,
  emissionMaps,
  emissionSpectrum,
  fitEmissionLines,
  reduce,
} from "../../../src/reduce/index.ts";
import { inProcess } from "../../../src/transport/index.ts";
import { itInFull } from "../../support/full.ts";

const [bl, number, sensor] = [3, 1_519_963, "MPCCD-1N0-M06-002"] as const;

itInFull("has an emission spectrometer whose lines are found where they are", async () => {
  const simulated = createSimulatedFacility({ seed: 4, missingRate: 0 });
  await using facility = new Facility(inProcess(simulatedEndpoint(simulated)));
  const run = await facility.run(bl, number);
  const [energies = ""] = await run.signals(/photon_energy/);
  const exposed = [...(await run.exposedTags())];
  // Of 21 shots that calibrate at 7 energies one of every second energy, and 5 of the sample.
  const tags = [...exposed.slice(0, 21).filter((_, i) => i % 6 === 0), ...exposed.slice(21, 26)];
  const shots = (some: Iterable<number>) => facility.shots({ run, detectors: [sensor], tags: Uint32Array.from(some) });
  const { aduPerPhoton: perPhoton } = simulated.truth.sensor(bl, number, sensor);
  const dark = await darkAverage(shots([...(await run.darkTags())].slice(0, 4)));
  const calibration = calibrationShots(await run.column(energies), { fromEv: 7000, toEv: 7100 }).filter(
    ({ energyEv }) => energyEv % 20 === 0,
  );
  const { absGain } = await run.detectorInfo(sensor);
  expect(perPhoton).toBeCloseTo(aduPerPhoton(7050, absGain ?? NaN), 6);
  const options = { aduPerPhoton: perPhoton, noiseAdu: dark, calibration };
  const { maps } = await reduce(shots(tags), { maps: emissionMaps(options) }, { dark });
  const found = maps[sensor];
  if (found === undefined) throw new Error("no image");
  const curve = calibrateEmission(found.calibration);
  const { lines } = fitEmissionLines(emissionSpectrum(found.sample.photons, curve), curve, { lines: 2 });
  const truth = simulated.truth.emissionLines(bl, number).toSorted((a, b) => a.energyEv - b.energyEv);
  expect(truth.length).toBe(2);
  lines
    .toSorted((a, b) => a.energyEv - b.energyEv)
    .forEach(({ energyEv, energyErrorEv }, i) => {
      expect(Math.abs(energyEv - (truth[i]?.energyEv ?? NaN))).toBeLessThan(4 * energyErrorEv);
      expect(energyErrorEv).toBeLessThan(0.4);
    });
  expect(truth.map(({ energyEv }) => energyEv)).not.toContain(7058);
});
