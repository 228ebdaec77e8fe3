import { HC_EV_ANGSTROM } from "../core/constants.ts";
import { asFinite, badArgument } from "../core/guards.ts";
import { atomicRangeEv } from "./atomic-data.ts";
import { chebyshev } from "./chebyshev.ts";
import { absorption, dispersion, formFactor, formFactorTo } from "./silicon-data.ts";

/**
 * Lattice constant of silicon, Å: CODATA 2022 (22.5 °C, vacuum). Other programs have other constants: the same angle
 * is up to 1.9 eV off at 10 keV.
 */
export const SILICON_LATTICE_ANGSTROM = 5.431020511;

/** Debye–Waller factor B of silicon at 295 K, Å². */
export const SILICON_DEBYE_WALLER_A2 = 0.4632;

/** Classical electron radius, Å: CODATA 2022. */
const ELECTRON_RADIUS_ANGSTROM = 2.8179403205e-5;
const ATOMS_PER_CELL = 8;
const ELECTRONS = 14;

/** Miller indices of a reflection, as [2, 2, 0]. */
export type Hkl = readonly [number, number, number];

/** A complex number: real and imaginary part. */
export type Complex = readonly [re: number, im: number];

/**
 * |Σ exp 2πi(hx + ky + lz)| over the eight atoms of the cell: 8 for even indices whose sum is a multiple of 4, 4√2 for
 * odd indices. Any other reflection of silicon is forbidden.
 * @throws BAD_ARGUMENT
 */
function atomsInPhase(hkl: Hkl): number {
  const isOdd = (value: number): boolean => value % 2 !== 0;
  const isHkl = Array.isArray(hkl) && hkl.length === 3 && hkl.every(Number.isInteger) && hkl.some((k) => k !== 0);
  if (isHkl && hkl.every(isOdd)) return 4 * Math.SQRT2;
  if (isHkl && !hkl.some(isOdd) && (hkl[0] + hkl[1] + hkl[2]) % 4 === 0) return ATOMS_PER_CELL;
  throw badArgument(
    "hkl",
    hkl,
    "three whole numbers of a reflection that silicon has: all odd, as [1, 1, 1], or all even with a sum that is a " +
      "multiple of 4, as [2, 2, 0]",
  );
}

/**
 * Distance d of the lattice planes of silicon, Å, from CODATA's lattice constant.
 * @throws BAD_ARGUMENT for a reflection that silicon has not
 * @example siliconSpacing([1, 1, 1]) // 3.135601
 */
export function siliconSpacing(hkl: Hkl): number {
  atomsInPhase(hkl);
  return SILICON_LATTICE_ANGSTROM / Math.hypot(...hkl);
}

/** @throws BAD_ARGUMENT outside the range of the tables */
export function asTabulatedEnergy(photonEnergyEv: number): number {
  return asFinite("photonEnergyEv", photonEnergyEv, ...atomicRangeEv);
}

/** χ₀ of silicon: −r_e λ² F(0) / (π V); its imaginary part is positive, for absorption. */
export function siliconChi0(photonEnergyEv: number): Complex {
  const { scale, real, imaginary } = scattering(photonEnergyEv);
  return [-scale * ATOMS_PER_CELL * (ELECTRONS + real), scale * ATOMS_PER_CELL * imaginary];
}

/**
 * √(χ_h χ_−h) of silicon, with the sign of χ₀; `debyeWallerA2` of 0 is for atoms at rest.
 * @throws BAD_ARGUMENT for a reflection that silicon has not, or beyond the table of form factors (d below 0.385 Å)
 */
export function siliconChiH(photonEnergyEv: number, hkl: Hkl, debyeWallerA2: number): Complex {
  const { scale, real, imaginary } = scattering(photonEnergyEv);
  const perAngstrom = 1 / (2 * siliconSpacing(hkl));
  if (perAngstrom > formFactorTo)
    throw badArgument("hkl", hkl, `a reflection with d of ${1 / (2 * formFactorTo)} Å or more`);
  const f0 = chebyshev(formFactor, 0, formFactorTo, perAngstrom);
  const atoms = scale * atomsInPhase(hkl) * Math.exp(-debyeWallerA2 * perAngstrom * perAngstrom);
  return [-atoms * (f0 + real), atoms * imaginary];
}

function scattering(photonEnergyEv: number): { scale: number; real: number; imaginary: number } {
  const wavelength = HC_EV_ANGSTROM / asTabulatedEnergy(photonEnergyEv);
  const [low, high] = atomicRangeEv.map(Math.log) as [number, number];
  const at = Math.log(photonEnergyEv);
  return {
    scale: (ELECTRON_RADIUS_ANGSTROM * wavelength * wavelength) / (Math.PI * SILICON_LATTICE_ANGSTROM ** 3),
    real: chebyshev(dispersion, low, high, at),
    imaginary: Math.exp(chebyshev(absorption, low, high, at)),
  };
}
