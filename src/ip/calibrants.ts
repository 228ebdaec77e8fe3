import { HC_EV_ANGSTROM } from "../core/constants.ts";
import { asFinite, asOneOf } from "../core/guards.ts";

/** Powders whose rings calibrate a detector. */
export type Calibrant = (typeof calibrants)[number];
const calibrants = ["LaB6", "CeO2", "AgBeh"] as const;

/** Lattice parameters, Å, at 22.5 °C: NIST certificates of SRM 660c (LaB6) and SRM 674b (CeO2). */
const LAB6 = 4.156826;
const CEO2 = 5.411651;
/** Period of silver behenate, Å: T. C. Huang et al., J. Appl. Cryst. 26 (1993) 180. */
const AG_BEHENATE = 58.38;

/**
 * Scattering angles 2θ of a calibrant's rings, radians, ascending.
 * @throws BAD_ARGUMENT for an unknown calibrant, or an energy that is not above 0
 */
export function ringAngles(calibrant: Calibrant, photonEnergyEv: number): number[] {
  const wavelength = HC_EV_ANGSTROM / asFinite("photonEnergyEv", photonEnergyEv, Number.MIN_VALUE);
  return spacings(asOneOf("calibrant", calibrant, calibrants))
    .filter((d) => wavelength < 2 * d)
    .map((d) => 2 * Math.asin(wavelength / (2 * d)));
}

/** Descending. */
function spacings(calibrant: Calibrant): number[] {
  if (calibrant === "AgBeh") return Array.from({ length: 20 }, (_, k) => AG_BEHENATE / (k + 1));
  const squares = new Set<number>();
  const most = 8;
  for (let h = 0; h <= most; h++)
    for (let k = 0; k <= h; k++)
      for (let l = 0; l <= k; l++) {
        // A face-centred lattice shows indices that are all even or all odd, a primitive one all.
        const isSeen = calibrant === "LaB6" || (h % 2 === k % 2 && k % 2 === l % 2);
        const square = h * h + k * k + l * l;
        if (isSeen && square > 0 && square <= most * most) squares.add(square);
      }
  const lattice = calibrant === "LaB6" ? LAB6 : CEO2;
  return [...squares].sort((a, b) => a - b).map((square) => lattice / Math.sqrt(square));
}
