import { finite, oneOf, optional, resolveOptions } from "../core/options.ts";
import { siliconBraggDeg, sineOf } from "./bragg.ts";
import { type Complex, type Hkl, SILICON_DEBYE_WALLER_A2, siliconChi0, siliconChiH } from "./silicon.ts";

export interface ReflectionOptions {
  /** `"sigma"`: the electric field is perpendicular to the plane of incidence; `"pi"`: in it. @default "sigma" */
  readonly polarization?: "sigma" | "pi" | undefined;
  /** Debye–Waller factor B, Å²; 0 for atoms at rest. @default 0.4632, silicon at 295 K */
  readonly debyeWallerA2?: number | undefined;
}

/** A reflection of a thick perfect silicon crystal whose surface is parallel to the planes. */
export interface SiliconReflection {
  /** Bragg angle without refraction, degrees. */
  readonly braggDeg: number;
  /** Angle outside the crystal, with refraction, degrees. */
  readonly refractedDeg: number;
  /** What refraction adds to the Bragg angle in first order, µrad: −Re χ₀ / sin 2θ. */
  readonly shiftUrad: number;
  /** Full width of total reflection without absorption, µrad: 2 |Re χ_h| |C| / sin 2θ. */
  readonly plateauUrad: number;
  /** The same as photon energy, eV: plateau · E / tan θ. */
  readonly plateauEv: number;
  /** Full width at half maximum of the curve with absorption, µrad. */
  readonly fwhmUrad: number;
  /** Full width at half maximum without absorption, µrad: 3 / (2√2) plateaus. */
  readonly fwhmNoAbsorptionUrad: number;
  /** Largest reflectivity of the curve with absorption. */
  readonly peak: number;
  /** Change of photon energy with the angle, eV per µrad. */
  readonly evPerUrad: number;
  readonly chi0: Complex;
  readonly chiH: Complex;
}

const MICRO = 1e-6;

/**
 * Angles, widths and susceptibilities of a silicon reflection: two-beam dynamical theory, form factors and f′, f″ as
 * xraylib 4.3 has them.
 * @throws BAD_ARGUMENT outside 3 to 30 keV, below the energy where the reflection begins, or for one that silicon has
 * not
 * @example const { braggDeg, fwhmUrad } = siliconReflection(10_000, [1, 1, 1]);
 */
export function siliconReflection(
  photonEnergyEv: number,
  hkl: Hkl,
  options: ReflectionOptions = {},
): SiliconReflection {
  const terms = termsOf("siliconReflection", photonEnergyEv, hkl, options);
  const { theta, sine2, chi0, chiH, factor } = terms;
  const plateau = (2 * Math.abs(chiH[0]) * factor) / sine2;
  const evPerRad = photonEnergyEv / Math.tan(theta);
  const { peak, fwhm } = widthOf(terms, plateau);
  return {
    braggDeg: (theta * 180) / Math.PI,
    refractedDeg: siliconBraggDeg(photonEnergyEv, hkl, { refraction: true }),
    shiftUrad: -chi0[0] / sine2 / MICRO,
    plateauUrad: plateau / MICRO,
    plateauEv: plateau * evPerRad,
    fwhmUrad: fwhm / MICRO,
    fwhmNoAbsorptionUrad: (3 * plateau) / (2 * Math.SQRT2) / MICRO,
    peak,
    evPerUrad: evPerRad * MICRO,
    chi0,
    chiH,
  };
}

/**
 * Darwin curve: reflectivity at angles in µrad from the middle of total reflection, with absorption.
 * @throws BAD_ARGUMENT as {@link siliconReflection}
 * @example const reflectivity = darwinCurve(10_000, [1, 1, 1], [-20, -10, 0, 10, 20]);
 */
export function darwinCurve(
  photonEnergyEv: number,
  hkl: Hkl,
  offsetsUrad: ArrayLike<number>,
  options: ReflectionOptions = {},
): Float64Array {
  const terms = termsOf("darwinCurve", photonEnergyEv, hkl, options);
  return Float64Array.from(offsetsUrad, (offset) => reflectivityAt(terms, offset * MICRO));
}

interface Terms {
  readonly theta: number;
  readonly sine2: number;
  readonly chi0: Complex;
  readonly chiH: Complex;
  readonly factor: number;
}

function termsOf(where: string, photonEnergyEv: number, hkl: Hkl, options: ReflectionOptions): Terms {
  const { polarization, debyeWallerA2 } = resolveOptions(where, options, {
    polarization: optional(oneOf("sigma", "pi"), "sigma"),
    debyeWallerA2: optional(finite(0), SILICON_DEBYE_WALLER_A2),
  });
  const theta = Math.asin(sineOf(photonEnergyEv, hkl));
  return {
    theta,
    sine2: Math.sin(2 * theta),
    chi0: siliconChi0(photonEnergyEv),
    chiH: siliconChiH(photonEnergyEv, hkl, debyeWallerA2),
    factor: polarization === "pi" ? Math.abs(Math.cos(2 * theta)) : 1,
  };
}

/**
 * Reflectivity so many radians from the middle of total reflection: |η ± √(η² − 1)|², the root that is at most 1,
 * η = (−i Im χ₀ − Δθ sin 2θ) / (|C| χ_h).
 */
function reflectivityAt({ sine2, chi0, chiH, factor }: Terms, offset: number): number {
  const [real, imaginary] = [-offset * sine2, -chi0[1]];
  const [c, d] = [factor * chiH[0], factor * chiH[1]];
  const norm = c * c + d * d;
  if (norm === 0) return 0;
  const a = (real * c + imaginary * d) / norm;
  const b = (imaginary * c - real * d) / norm;
  const [square, twice] = [a * a - b * b - 1, 2 * a * b];
  const length = Math.hypot(square, twice);
  const rootReal = Math.sqrt(Math.max(0, (length + square) / 2));
  const rootImaginary = Math.sign(twice || 1) * Math.sqrt(Math.max(0, (length - square) / 2));
  const one = (a - rootReal) ** 2 + (b - rootImaginary) ** 2;
  const other = (a + rootReal) ** 2 + (b + rootImaginary) ** 2;
  return Math.min(one, other);
}

/** Peak and full width at half maximum of the curve with absorption, radians. */
function widthOf(terms: Terms, plateau: number): { peak: number; fwhm: number } {
  const at = (x: number): number => reflectivityAt(terms, x * plateau);
  let [top, peak] = [0, 0];
  for (let step = 0.25; step > 1e-6; step /= 8) {
    const from = top;
    for (let k = -12; k <= 12; k++) {
      const value = at(from + k * step * 0.25);
      if (value > peak) [top, peak] = [from + k * step * 0.25, value];
    }
  }
  const flank = (side: number): number => {
    let [inside, outside] = [top, top + 4 * side];
    for (let i = 0; i < 60; i++) {
      const middle = (inside + outside) / 2;
      if (at(middle) > peak / 2) inside = middle;
      else outside = middle;
    }
    return inside;
  };
  return { peak, fwhm: (flank(1) - flank(-1)) * plateau };
}
