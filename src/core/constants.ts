/** Rate of the master trigger, Hz. Tags count its pulses, whatever the repetition rate of a beamline. */
export const TAG_RATE_HZ = 60;

/** Planck constant × speed of light, eV Å: CODATA 2022, from the defined h, c and e. */
export const HC_EV_ANGSTROM = 12_398.419843320025;

/** Energy that frees one electron in silicon, eV (SACLA's manual, as ostrich and Cheetah's SACLA scripts have it). */
export const EV_PER_ELECTRON = 3.65;

/**
 * Photon energy that is assumed when neither a spectrometer nor the configuration gives a sensible one, eV (ostrich).
 */
export const FALLBACK_PHOTON_ENERGY_EV = 7000;
