/** Energy that frees one electron in silicon, eV (SACLA's manual, as ostrich and Cheetah's SACLA scripts have it). */
export const EV_PER_ELECTRON = 3.65;

/**
 * Photons that one ADU of an MPCCD stands for: absGain × 3.65 / E.
 * @param absGain - electrons per ADU, as the detector information has it
 */
export function photonsPerAdu(absGain: number, photonEnergyEv: number): number {
  return (absGain * EV_PER_ELECTRON) / photonEnergyEv;
}
