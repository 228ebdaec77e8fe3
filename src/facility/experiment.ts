import type { Sample } from "./samples.ts";

/** An optical laser that excites the sample; response.ts says how the rings answer. */
export interface Pump {
  /** Reading of the delay stage at which laser and X-rays arrive together. */
  readonly t0Pulse: number;
  /** Growth of the mean square displacement of the atoms right after excitation, Å²: rings fall as exp(−q²Δu²/3). */
  readonly displacementA2: number;
  /** Rms width of the rise: laser pulse and X-ray pulse together. */
  readonly riseFs: number;
  /** Time constant of the recovery. */
  readonly recoveryFs: number;
}

/** A stage that is stepped: every `imagesPerStep` exposed images within a run, or once per run when null. */
interface Scan {
  readonly axis: "delay" | "timing";
  readonly fromPulse: number;
  readonly stepPulse: number;
  readonly steps: number;
  readonly imagesPerStep: number | null;
}

/** An emission line; `photons` per shot of nominal pulse energy. */
export interface EmissionLineTruth {
  readonly energyEv: number;
  readonly fwhmEv: number;
  readonly photons: number;
}

/** What a crystal spectrometer sees of a sample. */
export interface Emission {
  readonly lines: readonly EmissionLineTruth[];
  /** Energies to which the monochromator is set in the first exposed images of a run, for the energy scale. */
  readonly calibrationEv: readonly number[];
  readonly imagesPerEnergy: number;
  /** Photons of an image for the scale. */
  readonly calibrationPhotons: number;
}

/** Runs taken one after another under the same conditions. */
export interface RunSeries {
  readonly beamline: number;
  readonly hightag: number;
  readonly firstRun: number;
  /** Infinity for the experiment that is going on. */
  readonly lastRun: number;
  readonly firstTag: number;
  /** Length of a run and distance between the starts of two runs, in 60 Hz tags. */
  readonly tagsPerRun: number;
  readonly pitchTags: number;
  readonly rateHz: 10 | 30 | 60;
  readonly station: number;
  readonly photonEnergyEv: number;
  readonly pulseEnergyJ: number;
  readonly sample: Sample;
  readonly comment: string;
  /** Composite ids of MPCCDs and CITIUS, and cameras. */
  readonly detectors: readonly string[];
  /** Runs with the shutter closed from beginning to end. */
  readonly darkRuns?: readonly number[];
  /** Whether exposed runs begin with closed-shutter shots. */
  readonly darkHead: boolean;
  readonly pump?: Pump;
  /** The only image of a run with the pump laser, from 0. Without it every other image is pumped. */
  readonly laserImage?: number;
  readonly scan?: Scan;
  /** The detector stands behind a crystal spectrometer, and sees nothing but these lines. */
  readonly emission?: Emission;
  /** The run pauses from one tag offset to another, in every second run, the first included. */
  readonly pause?: { readonly fromTag: number; readonly toTag: number };
  /** Newer runs carry the keys `fy_id` and `detectors`. */
  readonly fyId?: string;
  /** Times of one run as the facility recorded them, where they are not those of the tag clock. */
  readonly recorded?: { readonly run: number; readonly starttime: number; readonly stoptime: number };
}
