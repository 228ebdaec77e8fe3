import type { RunSeries } from "./experiment.ts";
import { lab6, type Sample } from "./samples.ts";

/** Wide rings over the whole of a large detector; no spots, so that an image can be drawn from its radius alone. */
const powder: Sample = {
  name: "LaB6 powder",
  distanceMm: 120,
  rings: lab6(1, 300),
  spots: [],
  diffuse: { photons: 0.03, radiusUm: 40_000 },
};

const common = {
  beamline: 2,
  tagsPerRun: 200,
  pitchTags: 9000,
  rateHz: 30,
  station: 3,
  photonEnergyEv: 10_000,
  pulseEnergyJ: 0.5e-3,
  sample: powder,
  darkHead: true,
  fyId: "exp2025-1",
} as const;

/**
 * Runs with a CITIUS, before the others of the live HighTag: of many sensors at beamline 2, of one at beamline 3. The
 * last one of beamline 2 has stopped but is still being calibrated when the facility is created.
 */
export function citiusExperiments(hightag: number, liveTag: number): RunSeries[] {
  return [
    {
      ...common,
      hightag,
      firstRun: 228_983,
      lastRun: 228_986,
      firstTag: liveTag - 84_001,
      comment: "CITIUS 2.2M",
      detectors: ["CITIUS-2.2M-001"],
    },
    {
      ...common,
      hightag,
      firstRun: 228_987,
      lastRun: 228_990,
      firstTag: liveTag - 48_001,
      comment: "CITIUS 20.2M",
      detectors: ["CITIUS-20.2M-001"],
    },
    {
      ...common,
      hightag,
      beamline: 3,
      firstRun: 1_519_971,
      lastRun: 1_519_974,
      firstTag: liveTag - 90_000,
      pitchTags: 1200,
      station: 4,
      comment: "CITIUS 0.28M",
      detectors: ["CITIUS1"],
    },
  ];
}
