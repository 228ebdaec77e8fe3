/** Height of a peak of unit height and full width at half maximum 1, at the distance u from its centre. */
type PeakProfile = (u: number, mixing: number) => number;

export const peakShapes = ["gaussian", "lorentzian", "pseudo-voigt", "darwin"] as const;
/**
 * - `gaussian`, `lorentzian`
 * - `pseudo-voigt`: mixing · Lorentzian + (1 − mixing) · Gaussian of the same width
 * - `darwin`: the flat top of a perfect crystal without absorption (Darwin's curve), blurred by a Gaussian; mixing is
 *   its rms width in half widths of the top
 */
export type PeakShape = (typeof peakShapes)[number];

const gaussian = (u: number): number => Math.exp(-4 * Math.LN2 * u * u);
const lorentzian = (u: number): number => 1 / (1 + 4 * u * u);

/** Darwin's reflectivity of a thick crystal: 1 for |y| ≤ 1, else (|y| − √(y² − 1))² (Zachariasen 1945). */
function darwinCurve(y: number): number {
  const far = Math.abs(y);
  return far <= 1 ? 1 : (far - Math.sqrt(far * far - 1)) ** 2;
}

/** Nodes of the blur, in its rms widths, and their weights. */
const NODES = Array.from({ length: 41 }, (_, i) => -4 + 0.2 * i);
const WEIGHTS = NODES.map((v) => Math.exp(-0.5 * v * v));
const WEIGHT = WEIGHTS.reduce((sum, weight) => sum + weight, 0);

function blurredDarwin(y: number, rms: number): number {
  let sum = 0;
  for (const [i, v] of NODES.entries()) sum += (WEIGHTS[i] ?? 0) * darwinCurve(y + rms * v);
  return sum / WEIGHT;
}

/** Top and half width at half maximum of the blurred curve, in half widths of the top; the last few are kept. */
const halves = new Map<number, { readonly top: number; readonly half: number }>();
const HALVES_KEPT = 16;

function darwinHalf(rms: number): { readonly top: number; readonly half: number } {
  const known = halves.get(rms);
  if (known !== undefined) return known;
  const top = blurredDarwin(0, rms);
  let [low, high] = [0, 3 + 4 * rms];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (blurredDarwin(middle, rms) > top / 2) low = middle;
    else high = middle;
  }
  if (halves.size >= HALVES_KEPT) halves.clear();
  const found = { top, half: (low + high) / 2 };
  halves.set(rms, found);
  return found;
}

function darwin(u: number, mixing: number): number {
  const rms = Math.abs(mixing);
  const { top, half } = darwinHalf(rms);
  return blurredDarwin(2 * u * half, rms) / top;
}

/** The profile of each shape, and what its mixing may be; without, it has none. */
export const profiles: Readonly<
  Record<
    PeakShape,
    {
      readonly of: PeakProfile;
      readonly mixing?: { readonly trials: readonly number[]; readonly from: number; readonly to: number };
    }
  >
> = {
  gaussian: { of: gaussian },
  lorentzian: { of: lorentzian },
  // A little beyond 0 and 1, so that the interval of a mixing near them is not cut.
  "pseudo-voigt": {
    of: (u, mixing) => mixing * lorentzian(u) + (1 - mixing) * gaussian(u),
    mixing: { trials: [0.1, 0.5, 0.9], from: -0.5, to: 1.5 },
  },
  darwin: { of: darwin, mixing: { trials: [0.2, 0.7], from: 0.02, to: 3 } },
};
