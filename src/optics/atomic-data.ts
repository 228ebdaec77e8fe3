// Written by scripts/make-atomic-data.py from xraylib 4.3.0: CS_Photo, CS_Rayl, CS_Compt, EdgeEnergy, AtomicWeight.

/** Photon energies, eV, that the series cover. */
export const atomicRangeEv = [3000, 30000] as const;

/** Chebyshev series of ln(cross section in cm²/g) over ln(photon energy). */
type Series = readonly number[];

/** An element: atomic weight, edges within the range, one series of the photoabsorption between edges. */
export interface AtomicData {
  readonly weight: number;
  readonly edgesEv: readonly number[];
  readonly photo: readonly Series[];
  readonly rayleigh: Series;
  readonly compton: Series;
}
