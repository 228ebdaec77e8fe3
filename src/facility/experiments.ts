import { TAG_RATE_HZ } from "../core/constants.ts";
import { citiusExperiments } from "./citius-runs.ts";
import type { Pump, RunSeries } from "./experiment.ts";
import { pumpDisplacementA2 } from "./parameters.ts";
import { samples } from "./samples.ts";

/**
 * HighTag and tag of the moment the facility is created, and its unix time: 2025-03-04 09:00 in Japan, the day of the
 * talk.
 */
export const liveHightag = 202501;
export const liveTag = 160_704_000;
const liveUnixSeconds = 1_741_046_400;

/** Unix seconds of tag 0 of each HighTag. */
const tagZeroSeconds: Readonly<Record<number, number>> = {
  201402: Date.UTC(2014, 9, 1) / 1000,
  201801: 1521205345.631467 - 340_377_562 / TAG_RATE_HZ,
  202001: Date.UTC(2020, 2, 1) / 1000,
  202102: Date.UTC(2021, 8, 1) / 1000,
  202302: Date.UTC(2023, 8, 1) / 1000,
  202402: Date.UTC(2024, 8, 1) / 1000,
  [liveHightag]: liveUnixSeconds - liveTag / TAG_RATE_HZ,
};

/** When a shot happened, unix seconds; undefined for a HighTag no experiment has. */
export function unixSecondsOf(hightag: number, tag: number): number | undefined {
  const zero = tagZeroSeconds[hightag];
  return zero === undefined ? undefined : zero + tag / TAG_RATE_HZ;
}

/** Every HighTag some experiment has, ascending. */
export function knownHightags(): number[] {
  return Object.keys(tagZeroSeconds).map(Number);
}

/** The run `sacla demo` uses: an octal with pump laser on and off, delay steps and a timing monitor; 300 images. */
export const demoRun = { bl: 3, run: 1_520_000 } as const;

/** The atoms swing further after excitation and are back in 5 ps: −6 % of ring (110), −17 % of (211). */
const pump: Pump = { t0Pulse: 12_000, displacementA2: pumpDisplacementA2, riseFs: 60, recoveryFs: 5000 };
const hard = { photonEnergyEv: 10_000, pulseEnergyJ: 0.5e-3, darkHead: true } as const;
const soft = {
  photonEnergyEv: 100,
  pulseEnergyJ: 0.1e-3,
  darkHead: true,
  sample: samples.none,
  station: 4,
  detectors: ["OPAL-234363"],
} as const;
const live = { hightag: liveHightag, lastRun: Infinity, fyId: "exp2025-1" } as const;

export const experiments: readonly RunSeries[] = [
  {
    ...soft,
    beamline: 1,
    hightag: 202402,
    firstRun: 28_001,
    lastRun: 28_020,
    firstTag: 300_000_000,
    tagsPerRun: 600,
    pitchTags: 900,
    rateHz: 60,
    comment: "YAG",
  },
  {
    ...soft,
    beamline: 1,
    hightag: 202402,
    firstRun: 28_021,
    lastRun: 28_030,
    firstTag: 310_000_003,
    tagsPerRun: 600,
    pitchTags: 900,
    rateHz: 10,
    comment: "10 Hz pump",
    pump,
  },
  {
    ...soft,
    ...live,
    beamline: 1,
    firstRun: 28_031,
    firstTag: liveTag + 300,
    tagsPerRun: 900,
    pitchTags: 1200,
    rateHz: 60,
    comment: "timing",
  },
  {
    ...hard,
    beamline: 2,
    hightag: 202001,
    firstRun: 81_540,
    lastRun: 81_549,
    firstTag: 120_000_001,
    tagsPerRun: 600,
    pitchTags: 1200,
    rateHz: 30,
    station: 3,
    sample: samples.powderOnOctal,
    comment: "LaB6 calibration",
    detectors: ["MPCCD-8-2-002"],
  },
  {
    ...hard,
    beamline: 2,
    hightag: 202402,
    firstRun: 220_930,
    lastRun: 220_940,
    firstTag: 300_000_001,
    tagsPerRun: 600,
    pitchTags: 1200,
    rateHz: 30,
    station: 3,
    sample: samples.brightPowderOnOctal,
    comment: "LaB6",
    detectors: ["MPCCD-8B0-2-008"],
    // The talk assembles the first shot of 220934, so these runs begin with light and have dark runs beside them.
    darkHead: false,
    darkRuns: [220_930, 220_933],
    fyId: "exp2024-2",
  },
  ...citiusExperiments(liveHightag, liveTag),
  {
    ...hard,
    beamline: 2,
    hightag: liveHightag,
    firstRun: 228_991,
    lastRun: 229_000,
    firstTag: liveTag - 12_001,
    tagsPerRun: 200,
    pitchTags: 600,
    rateHz: 30,
    station: 3,
    sample: samples.powderOnOctal,
    comment: "alignment",
    detectors: ["MPCCD-8B0-2-008"],
    fyId: "exp2025-1",
  },
  {
    ...hard,
    ...live,
    beamline: 2,
    firstRun: 229_001,
    firstTag: liveTag + 181,
    tagsPerRun: 720,
    pitchTags: 960,
    rateHz: 30,
    station: 3,
    sample: samples.powderOnOctal,
    comment: "LaB6 powder",
    detectors: ["MPCCD-8B0-2-008"],
  },
  {
    ...hard,
    beamline: 3,
    hightag: 201402,
    firstRun: 206_170,
    lastRun: 206_178,
    firstTag: 219_817_020 - 8 * 2400,
    tagsPerRun: 1200,
    pitchTags: 2400,
    rateHz: 30,
    station: 3,
    sample: samples.powderOnOctal,
    comment: "LaB6",
    detectors: ["MPCCD-8-2-001"],
  },
  {
    ...hard,
    beamline: 3,
    hightag: 201801,
    firstRun: 651_230,
    lastRun: 651_270,
    firstTag: 340_377_562 - 21 * 12_000,
    tagsPerRun: 10_000,
    pitchTags: 12_000,
    rateHz: 60,
    station: 4,
    sample: samples.powderOnDual,
    comment: "A CD-2B1-M03-001,stor1_09,stor1_10",
    detectors: ["MPCCD-2B1-M03-001"],
    darkRuns: [651_264],
    recorded: { run: 651_251, starttime: 1521205345.631467, stoptime: 1521205513.202747 },
  },
  {
    ...hard,
    beamline: 3,
    hightag: 202102,
    firstRun: 1_081_041,
    lastRun: 1_081_050,
    firstTag: 210_000_000,
    tagsPerRun: 600,
    pitchTags: 1200,
    rateHz: 30,
    station: 2,
    // Too low for the spectrometer of beamline 3.
    photonEnergyEv: 6000,
    sample: samples.dense,
    comment: "solvent",
    detectors: ["MPCCD-1N0-M06-002"],
  },
  {
    ...hard,
    beamline: 3,
    hightag: 202302,
    firstRun: 1_360_981,
    lastRun: 1_360_991,
    firstTag: 250_000_001,
    tagsPerRun: 1000,
    pitchTags: 1800,
    rateHz: 30,
    station: 4,
    sample: samples.sparse,
    comment: "single photons",
    detectors: ["MPCCD-2N0-M02-001"],
    darkRuns: [1_360_990],
    fyId: "exp2023-2",
  },
  {
    ...hard,
    beamline: 3,
    hightag: 202402,
    firstRun: 1_450_001,
    lastRun: 1_450_020,
    firstTag: 320_000_000,
    tagsPerRun: 18,
    pitchTags: 60,
    rateHz: 60,
    station: 2,
    sample: samples.powderOnDual,
    comment: "ns launcher",
    detectors: ["MPCCD-2N0-M02-001"],
    darkHead: false,
    darkRuns: [1_450_001],
    pump,
    laserImage: 14,
    fyId: "exp2024-2",
  },
  {
    ...hard,
    beamline: 3,
    hightag: liveHightag,
    firstRun: 1_519_961,
    lastRun: 1_519_966,
    firstTag: liveTag - 100_000,
    tagsPerRun: 200,
    pitchTags: 600,
    rateHz: 30,
    station: 2,
    photonEnergyEv: 9000,
    sample: samples.none,
    comment: "Fe K beta emission, spectrometer calibrated in the first shots",
    detectors: ["MPCCD-1N0-M06-002"],
    // A strong line and its satellite, as those of iron: K beta 1,3 and K beta'.
    emission: {
      lines: [
        { energyEv: 7058, fwhmEv: 3.4, photons: 1100 },
        { energyEv: 7045, fwhmEv: 8, photons: 400 },
      ],
      calibrationEv: [7020, 7030, 7040, 7050, 7060, 7070, 7080],
      imagesPerEnergy: 3,
      calibrationPhotons: 5000,
    },
    fyId: "exp2025-1",
  },
  {
    ...hard,
    beamline: 3,
    hightag: liveHightag,
    firstRun: 1_519_981,
    lastRun: 1_519_990,
    firstTag: liveTag - 36_000,
    tagsPerRun: 600,
    pitchTags: 1200,
    rateHz: 60,
    station: 2,
    sample: samples.sparse,
    comment: "timing monitor calibration",
    detectors: ["MPCCD-1N0-M06-002", "OPAL-234363"],
    // ±0.4 ps in 17 steps.
    scan: { axis: "timing", fromPulse: 29_940, stepPulse: 8, steps: 17, imagesPerStep: 30 },
    fyId: "exp2025-1",
  },
  {
    ...hard,
    beamline: 3,
    hightag: liveHightag,
    firstRun: 1_519_991,
    lastRun: 1_520_000,
    firstTag: liveTag - 18_000,
    tagsPerRun: 600,
    pitchTags: 1200,
    rateHz: 30,
    station: 2,
    sample: samples.powderOnOctal,
    comment: "LaB6 pump-probe",
    detectors: ["MPCCD-8N0-3-002", "OPAL-234363"],
    darkRuns: [1_519_991],
    pump,
    // −1 ps to +4 ps.
    scan: { axis: "delay", fromPulse: 11_850, stepPulse: 150, steps: 6, imagesPerStep: 40 },
    fyId: "exp2025-1",
  },
  {
    ...hard,
    ...live,
    beamline: 3,
    firstRun: 1_520_001,
    firstTag: liveTag + 60,
    tagsPerRun: 720,
    pitchTags: 900,
    rateHz: 30,
    station: 2,
    sample: samples.powderOnDual,
    comment: "LaB6 pump-probe",
    detectors: ["MPCCD-2N0-M02-001", "OPAL-234363", "MPCCD-8N0-3-002"],
    pump,
    scan: { axis: "delay", fromPulse: 11_850, stepPulse: 75, steps: 11, imagesPerStep: null },
    pause: { fromTag: 240, toTag: 360 },
  },
];
