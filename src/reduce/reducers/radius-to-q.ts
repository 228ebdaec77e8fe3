import { HC_EV_ANGSTROM } from "../../core/constants.ts";
import { asFinite } from "../../core/guards.ts";

/**
 * Length of the scattering vector for a radius on a flat detector that stands upright in the beam:
 * q = 4π sin θ / λ with tan 2θ = radius / distance and λ = hc / E.
 *
 * @param radiusUm - from the beam, in the plane of the detector
 * @param distanceMm - sample to detector
 * @returns q in Å⁻¹
 * @example
 * const q = profile.radiusUm.map((r) => radiusToQ(r, 80, 10_000));
 */
export function radiusToQ(radiusUm: number, distanceMm: number, photonEnergyEv: number): number {
  asFinite("radiusUm", radiusUm, 0);
  asFinite("distanceMm", distanceMm, Number.MIN_VALUE);
  asFinite("photonEnergyEv", photonEnergyEv, Number.MIN_VALUE);
  const theta = Math.atan2(radiusUm, 1000 * distanceMm) / 2;
  return (4 * Math.PI * Math.sin(theta) * photonEnergyEv) / HC_EV_ANGSTROM;
}
