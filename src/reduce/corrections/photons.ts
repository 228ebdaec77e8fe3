import { FALLBACK_PHOTON_ENERGY_EV } from "../../core/constants.ts";
import { type DetectorInfo, photonsPerAdu } from "../../core/detector.ts";
import { badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { Shot } from "../../core/shots.ts";
import { multiply } from "../images/in-place.ts";
import type { Correction } from "./correction.ts";
import { correctionFor } from "./per-sensor.ts";

export interface PhotonsOptions {
  /** The sensors, for their `absGain`: `await st.detectorInfo(bl, run, id)` of each. */
  readonly detectors: readonly DetectorInfo[];
  /**
   * Signal with the photon energy of each shot, in keV unless its unit is eV: `xfel_bl_3_tc_spec_1/energy`.
   * @default the configured energy for all
   */
  readonly spectrometer?: string | undefined;
  /** What the run was configured for, eV: `await run.photonEnergyEv()`. It is believed between 5 and 15 keV. */
  readonly configuredEv?: number | undefined;
}

/**
 * Turns ADU into photons: N = ADU × absGain × 3.65 / E, with E in eV for each shot from the spectrometer if that is a
 * positive number, else as configured if that is 5 to 15 keV, else 7 keV (the rule of ostrich, a public SFX pipeline at
 * SACLA). The result's ledger notes how many shots took which: `energy-from-spectrometer`, `energy-as-configured`,
 * `energy-assumed-7-kev`. Put it after dark, common mode and gain.
 * @throws BAD_ARGUMENT when a sensor is not named, or has no absGain
 */
export function photons(options: PhotonsOptions): Correction {
  const {
    detectors,
    spectrometer,
    configuredEv = NaN,
  } = resolveOptions("photons", options, { detectors: any, spectrometer: any, configuredEv: any });
  const infos = Object.fromEntries(detectors.map((info) => [info.id, info]));
  const isSensible = configuredEv >= 5000 && configuredEv <= 15_000;
  const otherwiseEv = isSensible ? configuredEv : FALLBACK_PHOTON_ENERGY_EV;
  const otherwise = isSensible ? "energy-as-configured" : "energy-assumed-7-kev";
  return {
    name: "photons",
    settings: { detectors, spectrometer, otherwiseEv },
    ...(spectrometer === undefined ? {} : { signals: [spectrometer] }),
    begin: (note) => {
      let measuredEv = NaN;
      return {
        shot: (shot) => {
          measuredEv = spectrometer === undefined ? NaN : energyEvOf(shot, spectrometer);
          return null;
        },
        accepted: () => note(measuredEv > 0 ? "energy-from-spectrometer" : otherwise),
        sensor: (frame) => {
          const { absGain } = correctionFor("detector information", infos, frame);
          if (absGain === null || !(absGain > 0 && absGain < Infinity))
            throw badArgument(`absGain of ${frame.detId}`, absGain, "a positive number of e⁻/ADU");
          return (pixels) => multiply(pixels, photonsPerAdu(absGain, measuredEv > 0 ? measuredEv : otherwiseEv));
        },
      };
    },
  };
}

/** NaN when it is not a positive, finite number. */
function energyEvOf(shot: Shot, spectrometer: string): number {
  const read = shot.value(spectrometer);
  if ("reason" in read || !(read.value > 0 && read.value < Infinity)) return NaN;
  return read.unit.toLowerCase() === "ev" ? read.value : 1000 * read.value;
}
