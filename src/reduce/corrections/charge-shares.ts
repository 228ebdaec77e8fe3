import { normalCdf } from "../../core/special-functions.ts";

/** Charge clouds the tables are made for, rms in pixels, and steps of the share of a photon's charge. */
const [FIRST_CLOUD, CLOUD_STEP, CLOUDS, SHARES] = [0.01, 0.01, 25, 80];
/** Places across a pixel and its surroundings, as far as the cloud reaches. */
const PLACES = 160;
const REACH = 5;

export const SMALLEST_CLOUD: number = FIRST_CLOUD;
export const LARGEST_CLOUD: number = FIRST_CLOUD + (CLOUDS - 1) * CLOUD_STEP;

/** Area, in pixels, in which a photon gives a pixel a share of each size, and the mean of those shares. */
interface ShareTable {
  readonly area: Float64Array;
  readonly share: Float64Array;
}

const tables = new Map<number, ShareTable>();

/** Of photons at random places: charge is a Gaussian cloud, integrated over square pixels. */
function tableOf(step: number): ShareTable {
  const known = tables.get(step);
  if (known !== undefined) return known;
  const cloud = FIRST_CLOUD + step * CLOUD_STEP;
  const end = Math.min(REACH * cloud, 0.5);
  const width = (end + REACH * cloud) / PLACES;
  const places = Array.from({ length: PLACES }, (_, k) => [(k + 0.5) * width - REACH * cloud, width] as const);
  // Farther inside the pixel gets all of the charge.
  if (end < 0.5) places.push([(end + 0.5) / 2, 0.5 - end]);
  const across = places.map(([x, w]) => [normalCdf(x / cloud) - normalCdf((x - 1) / cloud), w] as const);
  const [area, share] = [new Float64Array(SHARES), new Float64Array(SHARES)];
  for (const [a, w] of across) {
    for (const [b, v] of across) {
      const bin = Math.min(SHARES - 1, Math.floor(a * b * SHARES));
      area[bin] = (area[bin] ?? 0) + 4 * w * v;
      share[bin] = (share[bin] ?? 0) + 4 * w * v * a * b;
    }
  }
  for (let k = 0; k < SHARES; k++) share[k] = (area[k] ?? 0) > 0 ? (share[k] ?? 0) / (area[k] ?? 1) : 0;
  const table = { area, share };
  tables.set(step, table);
  return table;
}

/**
 * Logarithm of the characteristic function, for one photon per pixel, of the charge that a pixel has from photons that
 * leave it no more than `most`: Σ area · (exp(−i f share photon) − 1). Pixels with more do not count at all: for those
 * shares Σ −area.
 * @param waves - how many frequencies: 0 and multiples of `step`, per unit of charge
 * @param cloud - rms of the charge cloud, in pixels
 * @param photon - charge of a photon
 */
export function shareExponent(
  waves: number,
  step: number,
  cloud: number,
  photon: number,
  most: number,
): { real: Float64Array; imaginary: Float64Array } {
  const at = Math.min(CLOUDS - 1.001, Math.max(0, (cloud - FIRST_CLOUD) / CLOUD_STEP));
  const [real, imaginary] = [new Float64Array(waves), new Float64Array(waves)];
  for (const [table, part] of [
    [Math.floor(at), 1 - (at % 1)],
    [Math.floor(at) + 1, at % 1],
  ] as const) {
    const { area, share } = tableOf(table);
    const end = Math.min(SHARES, Math.floor((most / photon) * SHARES));
    let beyond = 0;
    for (let k = end; k < SHARES; k++) beyond += part * (area[k] ?? 0);
    for (let f = 0; f < waves; f++) real[f] = (real[f] ?? 0) - beyond;
    for (let k = 0; k < end; k++) {
      const weight = part * (area[k] ?? 0);
      if (weight === 0) continue;
      // Each wave turns by one more step than the one before: no cosine of each.
      const phase = photon * (share[k] ?? 0) * step;
      const [cosine, sine] = [Math.cos(phase), Math.sin(phase)];
      let [x, y] = [1, 0];
      for (let f = 0; f < waves; f++) {
        real[f] = (real[f] ?? 0) + weight * (x - 1);
        imaginary[f] = (imaginary[f] ?? 0) - weight * y;
        const turned = x * cosine - y * sine;
        y = x * sine + y * cosine;
        x = turned;
      }
    }
  }
  return { real, imaginary };
}
