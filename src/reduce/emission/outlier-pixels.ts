import { logGamma } from "../../core/special-functions.ts";
import { type EmissionCurve, emissionEnergyAt } from "./curve.ts";
import type { LineMap } from "./line-map.ts";

/** How often the light of a map makes an outlier of any of its pixels. */
const FALSE_OUTLIERS = 1e-3;
/** Rows on both sides whose pixels of the same energy say what is expected of a pixel, without those next to it. */
const [NEAR_ROWS, NEXT_ROWS] = [16, 2];
/** Pixels around an outlier that are left out with it: a cosmic particle leaves a track. */
const AROUND = 2;
const ROUNDS = 4;
/** Where more than this share of the pixels would be left out, the curve is wrong and not the pixels: none is. */
const MOST_OUTLIERS = 0.02;

/**
 * Pixels with many more photons than others of their energy, and those around them, marked 1: tracks of cosmic
 * particles, hot pixels. Light of one energy lies along the whole curve, so a few pixels of it do not stand out.
 * @param binEv - width of the bins of energy that are compared
 * @returns as `map.photons`: along the dispersion first
 */
export function outlierPixels(map: LineMap, curve: EmissionCurve, binEv: number): Uint8Array {
  const { along, across, photons, use } = map;
  const bins = Int32Array.from(photons, (_, i) =>
    Math.floor(emissionEnergyAt(curve, i % along, Math.floor(i / along)) / binEv),
  );
  const out = new Uint8Array(photons.length);
  const chance = FALSE_OUTLIERS / photons.length;
  for (let round = 0; round < ROUNDS; round++) {
    const expected = meansByBin(map, bins, out);
    const found: number[] = [];
    for (let i = 0; i < photons.length; i++) {
      const n = photons[i] ?? 0;
      if (n < 3 || out[i] === 1 || use[i] !== 1) continue;
      if (poissonTail(n, binMean(expected, bins[i] ?? NaN, n)) < chance)
        if (poissonTail(n, nearMean(map, bins, out, i)) < chance) found.push(i);
    }
    for (const i of found)
      for (let b = -AROUND; b <= AROUND; b++)
        for (let a = -AROUND; a <= AROUND; a++) {
          const [column, row] = [(i % along) + a, Math.floor(i / along) + b];
          if (column >= 0 && column < along && row >= 0 && row < across) out[row * along + column] = 1;
        }
    if (found.length === 0) break;
  }
  const share = out.reduce((sum, value) => sum + value, 0) / out.length;
  return share > MOST_OUTLIERS ? out.fill(0) : out;
}

/** Photons and number of the pixels of each bin that are used and no outliers so far. */
function meansByBin({ photons, use }: LineMap, bins: Int32Array, out: Uint8Array) {
  const means = new Map<number, { photons: number; pixels: number }>();
  for (let i = 0; i < photons.length; i++) {
    if (use[i] !== 1 || out[i] === 1) continue;
    const bin = bins[i] ?? NaN;
    const mean = means.get(bin) ?? { photons: 0, pixels: 0 };
    mean.photons += photons[i] ?? 0;
    mean.pixels++;
    means.set(bin, mean);
  }
  return means;
}

/**
 * Photons of the other pixels of a bin, or of that beside it where it has more: the light changes within a bin. One
 * photon is added, as few say little of their mean.
 */
function binMean(means: ReturnType<typeof meansByBin>, bin: number, n: number): number {
  return Math.max(
    ...[bin - 1, bin, bin + 1].map((each) => {
      const { photons, pixels } = means.get(each) ?? { photons: 0, pixels: 0 };
      return pixels < 2 ? 0 : (photons + 1 - (each === bin ? n : 0)) / (pixels - 1);
    }),
  );
}

/** The same of the rows near a pixel alone: light is not even along a line. */
function nearMean(map: LineMap, bins: Int32Array, out: Uint8Array, i: number): number {
  const { along, across, photons, use } = map;
  const [column, row, bin] = [i % along, Math.floor(i / along), bins[i] ?? NaN];
  const [sums, pixels] = [
    [0, 0, 0],
    [0, 0, 0],
  ];
  for (let b = Math.max(0, row - NEAR_ROWS); b <= Math.min(across - 1, row + NEAR_ROWS); b++) {
    if (Math.abs(b - row) <= NEXT_ROWS) continue;
    for (let a = Math.max(0, column - NEAR_ROWS); a <= Math.min(along - 1, column + NEAR_ROWS); a++) {
      const k = b * along + a;
      const beside = (bins[k] ?? NaN) - bin + 1;
      if (!(beside >= 0 && beside <= 2) || use[k] !== 1 || out[k] === 1) continue;
      sums[beside] = (sums[beside] ?? 0) + (photons[k] ?? 0);
      pixels[beside] = (pixels[beside] ?? 0) + 1;
    }
  }
  return Math.max(...sums.map((sum, k) => sum / Math.max(1, pixels[k] ?? 0)));
}

/** Chance of n photons and more where `mean` are expected; 1 below it. An upper bound, close where it is small. */
function poissonTail(n: number, mean: number): number {
  if (n <= mean) return 1;
  if (mean === 0) return 0;
  return (Math.exp(n * Math.log(mean) - mean - logGamma(n + 1)) * (n + 1)) / (n + 1 - mean);
}
