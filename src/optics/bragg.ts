import { HC_EV_ANGSTROM } from "../core/constants.ts";
import { asFinite, badArgument } from "../core/guards.ts";
import { flag, optional, resolveOptions } from "../core/options.ts";
import { type Hkl, siliconChi0, siliconSpacing } from "./silicon.ts";

export interface BraggOptions {
  /**
   * Angle outside the crystal, where refraction adds some 10 to 70 µrad (surface parallel to the planes). Without, the
   * angle is that of Bragg's law alone.
   * @default false
   */
  readonly refraction?: boolean | undefined;
}

/**
 * Angle in degrees between beam and lattice planes of silicon at which `hkl` reflects a photon energy: λ = 2d sin θ;
 * with refraction sin² θ = (λ/2d)² + 1 − n², which is n cos θ′ = cos θ and λ = 2dn sin θ′.
 * @throws BAD_ARGUMENT below the smallest energy that the planes reflect, or for a reflection that silicon has not
 * @example siliconBraggDeg(10_000, [2, 2, 0]) // 18.835
 */
export function siliconBraggDeg(photonEnergyEv: number, hkl: Hkl, options: BraggOptions = {}): number {
  const { refraction } = resolveOptions("siliconBraggDeg", options, { refraction: optional(flag, false) });
  const sine = sineOf(asFinite("photonEnergyEv", photonEnergyEv), hkl);
  const outside = refraction ? Math.sqrt(sine * sine + lessThanVacuum(photonEnergyEv)) : sine;
  if (!(outside <= 1)) throw tooSmall(photonEnergyEv, hkl);
  return (Math.asin(outside) * 180) / Math.PI;
}

/**
 * Photon energy in eV that silicon reflects at an angle in degrees: the inverse of {@link siliconBraggDeg}.
 * @throws BAD_ARGUMENT for an angle outside 0 to 90 degrees
 */
export function siliconBraggEv(angleDeg: number, hkl: Hkl, options: BraggOptions = {}): number {
  const { refraction } = resolveOptions("siliconBraggEv", options, { refraction: optional(flag, false) });
  const inRange = asFinite("angleDeg", angleDeg, 0, 90);
  const twoD = 2 * siliconSpacing(hkl);
  const sine = Math.sin((inRange * Math.PI) / 180);
  if (sine === 0) throw badArgument("angleDeg", angleDeg, "above 0 and up to 90");
  let energy = HC_EV_ANGSTROM / (twoD * sine);
  // n changes slowly with the energy: each round is a hundred thousand times nearer.
  for (let round = 0; refraction && round < 4; round++)
    energy = HC_EV_ANGSTROM / (twoD * Math.sqrt(sine * sine - lessThanVacuum(energy)));
  return energy;
}

/** Sine of the angle by Bragg's law. @throws BAD_ARGUMENT */
export function sineOf(photonEnergyEv: number, hkl: Hkl): number {
  const twoD = 2 * siliconSpacing(hkl);
  if (!(photonEnergyEv * twoD >= HC_EV_ANGSTROM)) throw tooSmall(photonEnergyEv, hkl);
  return HC_EV_ANGSTROM / (photonEnergyEv * twoD);
}

function tooSmall(photonEnergyEv: number, hkl: Hkl): Error {
  const least = HC_EV_ANGSTROM / (2 * siliconSpacing(hkl));
  return badArgument("photonEnergyEv", photonEnergyEv, `above ${least.toFixed(1)}, where Si(${hkl.join("")}) begins`);
}

/** 1 − n² of silicon, n = 1 + Re χ₀/2. */
function lessThanVacuum(photonEnergyEv: number): number {
  const [chi0] = siliconChi0(photonEnergyEv);
  return -chi0 - (chi0 * chi0) / 4;
}
