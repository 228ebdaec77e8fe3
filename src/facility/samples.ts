import { HC_EV_ANGSTROM } from "../core/constants.ts";
import { exp } from "../core/portable-math.ts";

/** Rounded to seven digits: every further digit would change the simulated images of each seed. */
const HC_KEV_ANGSTROM = Number((HC_EV_ANGSTROM / 1000).toPrecision(7));

/** A powder ring; `photons` is the peak per pixel and shot at nominal pulse energy, before {@link seenShare}. */
export interface Ring {
  readonly dSpacingAngstrom: number;
  readonly photons: number;
  readonly sigmaUm: number;
}

/**
 * A Bragg spot at a fixed place of the detector plane (X right from the source, Y up); `photons` is its total per shot.
 */
export interface SampleSpot {
  readonly xUm: number;
  readonly yUm: number;
  readonly photons: number;
  readonly sigmaUm: number;
}

/** What the beam hits, as seen at the detector. */
export interface Sample {
  readonly name: string;
  readonly distanceMm: number;
  readonly rings: readonly Ring[];
  readonly spots: readonly SampleSpot[];
  /** Scattering round the beam: photons / (1 + (r / radiusUm)²)^1.5 per pixel, before {@link seenShare}. */
  readonly diffuse: { readonly photons: number; readonly radiusUm: number };
}

/** Lattice constant of LaB6 (NIST SRM 660), Å: d = a / √(h² + k² + l²). */
const LAB6_ANGSTROM = 4.1569;

/** Of the line whose fall under the pump laser is quoted, (110). */
export const referenceSpacingAngstrom: number = LAB6_ANGSTROM / Math.SQRT2;

/**
 * Every line of LaB6 down to d = 0.76 Å, by h² + k² + l²: photons per solid angle of a ring of constant width over
 * those of (110), m·|F|²·d². Computed from xraylib's form factors with boron at x = 0.1993 and B = 0.37 and 0.30 Å²;
 * with the Lorentz and polarisation factors of Cu Kα they give the powder diffraction file's intensities to a few per
 * cent.
 */
const lab6Lines: readonly (readonly [squares: number, relative: number])[] = [
  [1, 0.591],
  [2, 1],
  [3, 0.442],
  [4, 0.233],
  [5, 0.542],
  [6, 0.295],
  [8, 0.116],
  [9, 0.339],
  [10, 0.245],
  [11, 0.153],
  [12, 0.027],
  [13, 0.098],
  [14, 0.201],
  [16, 0.032],
  [17, 0.151],
  [18, 0.12],
  [19, 0.047],
  [20, 0.063],
  [21, 0.123],
  [22, 0.057],
  [24, 0.03],
  [25, 0.03],
  [26, 0.114],
  [27, 0.05],
  [29, 0.085],
  [30, 0.031],
];

/** Rings of LaB6 powder; `photons` are those of (110). */
export const lab6 = (photons: number, sigmaUm: number): Ring[] =>
  lab6Lines.map(([squares, relative]) => ({
    dSpacingAngstrom: LAB6_ANGSTROM / Math.sqrt(squares),
    photons: photons * relative,
    sigmaUm,
  }));

/** Without symmetry, so that a mirrored or turned picture is noticed. All lie on sensors of the octals. */
const octalSpots = (photons: number): SampleSpot[] =>
  (
    [
      [20_000, 30_000],
      [-33_000, 8_000],
      [9_000, -40_000],
      [-15_000, -21_000],
      [41_000, -12_000],
      [-8_000, 45_000],
      [31_000, 9_000],
      [-24_000, 36_000],
      [14_000, -9_000],
    ] as const
  ).map(([xUm, yUm], i) => ({ xUm, yUm, photons: photons * (1 + 0.15 * i), sigmaUm: 70 }));

const dualSpots = (photons: number): SampleSpot[] =>
  (
    [
      [12_000, 15_000],
      [-18_000, 4_000],
      [6_000, -20_000],
      [-9_000, -12_000],
      [21_000, -7_000],
    ] as const
  ).map(([xUm, yUm], i) => ({ xUm, yUm, photons: photons * (1 + 0.2 * i), sigmaUm: 70 }));

export const samples = {
  powderOnOctal: {
    name: "LaB6 powder with crystallites",
    distanceMm: 80,
    rings: lab6(0.35, 160),
    spots: octalSpots(120),
    diffuse: { photons: 0.05, radiusUm: 15_000 },
  },
  /** Strong enough for rings in a single shot, as the talk shows one. */
  brightPowderOnOctal: {
    name: "LaB6 powder",
    distanceMm: 80,
    rings: lab6(1.2, 200),
    spots: octalSpots(300),
    diffuse: { photons: 0.06, radiusUm: 15_000 },
  },
  powderOnDual: {
    name: "LaB6 powder",
    distanceMm: 55,
    rings: lab6(0.25, 160),
    spots: dualSpots(80),
    diffuse: { photons: 0.05, radiusUm: 10_000 },
  },
  /** Few photons, far apart: the single-photon histogram. */
  sparse: { name: "water jet", distanceMm: 100, rings: [], spots: [], diffuse: { photons: 0.06, radiusUm: 20_000 } },
  /** Many photons per pixel, and one spot beyond the full scale. */
  dense: {
    name: "liquid in full beam",
    distanceMm: 60,
    rings: [{ dSpacingAngstrom: 5.2, photons: 25, sigmaUm: 2500 }],
    spots: [{ xUm: 9_000, yUm: 6_000, photons: 40_000, sigmaUm: 120 }],
    diffuse: { photons: 12, radiusUm: 12_000 },
  },
  none: { name: "", distanceMm: 100, rings: [], spots: [], diffuse: { photons: 0, radiusUm: 10_000 } },
} as const satisfies Record<string, Sample>;

/** Radius of a ring in the detector plane, µm: L·tan(2θ) with λ = 2d·sin θ; null when E is too low for a reflection. */
export function ringRadiusUm(ring: Ring, distanceMm: number, photonEnergyEv: number): number | null {
  const sine = HC_KEV_ANGSTROM / (photonEnergyEv / 1000) / (2 * ring.dSpacingAngstrom);
  if (sine >= Math.SQRT1_2) return null;
  // tan 2θ by sin θ, with no function of Math whose last digit differs between runtimes.
  return (1000 * distanceMm * 2 * sine * Math.sqrt(1 - sine * sine)) / (1 - 2 * sine * sine);
}

/**
 * What a flat detector sees at (x, y) of what is scattered evenly: the beam is polarised horizontally,
 * 1 − (sin 2θ cos φ)², and a pixel's solid angle falls as cos³ 2θ. `squared` is x² + y².
 */
export function seenShare(xUm: number, distanceUm: number, squared: number): number {
  const whole = distanceUm * distanceUm + squared;
  const cosine = distanceUm / Math.sqrt(whole);
  return (1 - (xUm * xUm) / whole) * cosine * cosine * cosine;
}

/** Factor on a ring when the mean square displacement of the atoms grows: Debye–Waller, exp(−q²Δu²/3), q = 2π/d. */
export function debyeWaller(dSpacingAngstrom: number, displacementA2: number): number {
  const q = (2 * Math.PI) / dSpacingAngstrom;
  return exp((-q * q * displacementA2) / 3);
}
