import type { Random } from "../../core/random.ts";
import { type Hkl, siliconBraggEv } from "../../optics/index.ts";
import { sourceParameters } from "../parameters.ts";

/** What one crystal reflects: the photon energy of its angle, half the width of its plateau, and how often. */
export interface ReflectedBand {
  /** 0 where the crystal reflects nothing. */
  readonly ev: number;
  readonly halfEv: number;
  readonly reflections: number;
}

/** Photon energy that silicon reflects at an angle, with refraction, eV; 0 outside of 3 to 30 keV. */
export function reflectedEv(angleDeg: number, hkl: Hkl): number {
  if (!(angleDeg > 0 && angleDeg < 90)) return 0;
  const bare = siliconBraggEv(angleDeg, hkl);
  return bare > 3010 && bare < 29_990 ? siliconBraggEv(angleDeg, hkl, { refraction: true }) : 0;
}

/** Reflectivity of a thick perfect crystal without absorption (Darwin), y in half widths of the plateau. */
function darwin(y: number): number {
  const off = Math.abs(y);
  return off <= 1 ? 1 : (off - Math.sqrt(off * off - 1)) ** 2;
}

/** The band is looked at in these steps, so far to both sides. */
const STEP_EV = 0.05;
const STEPS = 80;
/** Spikes are Gaussian wave packets at every second step. */
const KERNEL = 16;
/** FWHM of a Gaussian over its rms. */
const FWHM_PER_RMS = 2.3548;

/**
 * Shares of a shot's light that come through chains of crystals: the spikes of its spectrum, |Σ aₖ g(E − Eₖ)|² with
 * random complex aₖ, under a Gaussian of the SASE bandwidth round `centreEv`, times the curves of the crystals. All
 * chains see the same spectrum, 4 eV to both sides of `middleEv`.
 */
export function spectralShares(
  centreEv: number,
  middleEv: number,
  chains: readonly (readonly ReflectedBand[])[],
  random: Random,
): number[] {
  const { bandwidth, spikeFwhmEv } = sourceParameters;
  const rms = (bandwidth * centreEv) / FWHM_PER_RMS;
  // |g|² has the width of a spike.
  const width = (spikeFwhmEv / FWHM_PER_RMS) * Math.SQRT2;
  const parts = new Float64Array(2 * (STEPS + KERNEL + 1));
  random.normals(parts);
  const shares = chains.map(() => 0);
  for (let k = 0; k <= 2 * STEPS; k++) {
    const ev = middleEv + (k - STEPS) * STEP_EV;
    const reflected = chains.map((bands) =>
      bands.reduce(
        (product, band) => (band.ev === 0 ? 0 : product * darwin((ev - band.ev) / band.halfEv) ** band.reflections),
        1,
      ),
    );
    if (reflected.every((value) => value < 1e-9)) continue;
    let [real, imaginary, norm] = [0, 0, 0];
    for (let node = Math.ceil(k / 2); node <= Math.floor(k / 2) + KERNEL; node++) {
      const away = ((2 * node - KERNEL - k) * STEP_EV) / width;
      const packet = Math.exp(-0.5 * away * away);
      real += packet * (parts[2 * node] ?? 0);
      imaginary += packet * (parts[2 * node + 1] ?? 0);
      norm += 2 * packet * packet;
    }
    const envelope = Math.exp(-0.5 * ((ev - centreEv) / rms) ** 2) / (rms * Math.sqrt(2 * Math.PI));
    const light = ((real * real + imaginary * imaginary) / norm) * envelope * STEP_EV;
    for (const [i, value] of reflected.entries()) shares[i] = (shares[i] ?? 0) + light * value;
  }
  return shares;
}
