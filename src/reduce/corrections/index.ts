import { between, scale } from "./between.ts";
import { commonMode } from "./common-mode.ts";
import { dark } from "./dark.ts";
import { gain } from "./gain.ts";
import { mask } from "./mask.ts";
import { normalise } from "./normalise.ts";
import { photons } from "./photons.ts";

export { type CommonModeOptions, commonModeLevels, type PortLevel } from "./common-mode.ts";
export type { Correction, CorrectionStage } from "./correction.ts";
export type { NormaliseOptions } from "./normalise.ts";
export type { BySensor } from "./per-sensor.ts";
export type { PhotonsOptions } from "./photons.ts";

/**
 * The corrections, to be put in a chain in the order in which they shall be applied.
 *
 * They stand in one object because `dark`, `mask` and `gain` are what people call their own variables.
 *
 * @example
 * const configuredEv = await run.photonEnergyEv();
 * const corrections = [
 *   correct.dark(dark),
 *   correct.mask(masks),
 *   correct.commonMode(),
 *   correct.photons({ detectors: infos, spectrometer: "xfel_bl_3_tc_spec_1/energy", configuredEv }),
 *   correct.normalise({ equipId: bm1, limits: [3e-9, 8e-9], reference: 5e-9 }),
 * ];
 * const { average, ledger } = await reduce(shots, { average: mean() }, { corrections });
 */
export const correct: {
  readonly dark: typeof dark;
  readonly commonMode: typeof commonMode;
  readonly gain: typeof gain;
  readonly photons: typeof photons;
  readonly mask: typeof mask;
  readonly normalise: typeof normalise;
  readonly between: typeof between;
  readonly scale: typeof scale;
} = { dark, commonMode, gain, photons, mask, normalise, between, scale };
