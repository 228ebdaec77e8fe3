import type { Pixels } from "../core/ndarray.ts";
import type { Random } from "../core/random.ts";
import { mpccdParameters } from "./parameters.ts";
import type { Pattern } from "./pattern.ts";
import { erf } from "./response.ts";

const { xsize, ysize, saturationAdu, pixelSizeUm } = mpccdParameters;
const SHARING_SIZE = 4096;
const COLUMNS_PER_DRAW = xsize / 0x1_0000_0000;
const NEGLIGIBLE_SHARE = 0.005;

/**
 * For drawing the column of a photon in a row in constant time: Walker's alias method, built as by Vose (1991). Row by
 * row, because photons scattered all over the memory of an image would cost several times as much.
 */
export interface RowLotteries {
  /** Expected photons of each row. */
  readonly total: Float64Array;
  /** Per pixel: chance in 65536ths that a ticket stays with its column rather than going to `alias`. */
  readonly keep: Uint16Array;
  readonly alias: Uint16Array;
}

export function makeLotteries(pattern: Pattern): RowLotteries {
  const { expected } = pattern;
  const lotteries = {
    total: new Float64Array(ysize),
    keep: new Uint16Array(expected.length),
    alias: new Uint16Array(expected.length),
  };
  const weight = new Float64Array(xsize);
  const order = new Uint16Array(xsize);
  for (let row = 0; row < ysize; row++)
    fillLottery(lotteries, row, expected.subarray(row * xsize, (row + 1) * xsize), weight, order);
  return lotteries;
}

function fillLottery(
  { total, keep, alias }: RowLotteries,
  row: number,
  expected: Float32Array,
  weight: Float64Array,
  order: Uint16Array,
): void {
  let sum = 0;
  for (const value of expected) sum += value;
  total[row] = sum;
  const start = row * xsize;
  // One array for both lists: columns below average from the front, the others from the back.
  let small = 0;
  let large = xsize;
  for (let column = 0; column < xsize; column++) {
    alias[start + column] = column;
    weight[column] = ((expected[column] ?? 0) * xsize) / sum;
    if ((weight[column] ?? 0) < 1) order[small++] = column;
    else order[--large] = column;
  }
  while (small > 0 && large < xsize) {
    const poor = order[--small] ?? 0;
    const rich = order[large] ?? 0;
    const own = weight[poor] ?? 0;
    keep[start + poor] = Math.min(65_535, Math.round(own * 65_536));
    alias[start + poor] = rich;
    const left = (weight[rich] ?? 0) - (1 - own);
    weight[rich] = left;
    if (left < 1) {
      large++;
      order[small++] = rich;
    }
  }
  // What is left over by rounding stays with its own column: its alias is itself.
}

/**
 * Where in its pixel a photon may fall, as the share of its charge that leaks to a neighbour; negative: to the left /
 * up.
 */
interface ChargeSharing {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

const sharings = new Map<number, ChargeSharing>();

function chargeSharing(cloudUm: number): ChargeSharing {
  const known = sharings.get(cloudUm);
  if (known !== undefined) return known;
  const x = new Float32Array(SHARING_SIZE);
  const y = new Float32Array(SHARING_SIZE);
  for (let k = 0; k < SHARING_SIZE; k++) {
    // An evenly spread sequence in two dimensions (Roberts' R2).
    x[k] = leak((k * 0.7548776662466927) % 1, cloudUm);
    y[k] = leak((k * 0.5698402909980532) % 1, cloudUm);
  }
  const sharing = { x, y };
  sharings.set(cloudUm, sharing);
  return sharing;
}

/** Share of a Gaussian charge cloud at `position` (0…1 across the pixel) beyond the nearer edge. */
function leak(position: number, cloudUm: number): number {
  const distanceUm = pixelSizeUm * Math.min(position, 1 - position);
  const share = (1 - erf(distanceUm / (Math.SQRT2 * cloudUm))) / 2;
  if (share < NEGLIGIBLE_SHARE) return 0;
  return position < 0.5 ? -share : share;
}

/** One shot's light on a sensor. */
export interface Exposure {
  readonly aduPerPhoton: number;
  /** Pulse energy over nominal. */
  readonly intensity: number;
  /** Factor on each ring of the pattern. */
  readonly ringFactors: readonly number[];
  /** Rms width of the charge cloud, µm. */
  readonly cloudUm: number;
}

/** Adds one shot's photons to `out` (whole ADU, row-major, MPCCD size), clipped at saturation. Gives their number. */
export function addPhotons(
  pattern: Pattern,
  lotteries: RowLotteries,
  exposure: Exposure,
  random: Random,
  out: Pixels,
): number {
  // Rings and the rest are drawn together at the highest of their rates, then thinned.
  const highest = Math.max(1, ...exposure.ringFactors);
  const chances = thinned(exposure.ringFactors, highest);
  const sharing = chargeSharing(exposure.cloudUm);
  const rate = exposure.intensity * highest;
  let placed = 0;
  for (let row = 0; row < ysize; row++) {
    const drawn = random.poisson((lotteries.total[row] ?? 0) * rate);
    placed += addToRow(row, drawn, pattern, lotteries, exposure.aduPerPhoton, sharing, chances, random, out);
  }
  return placed;
}

/** What becomes of the photons that are drawn. */
interface Chances {
  /** Of a photon that is not of a ring; 1 with no rings to change. */
  readonly rest: number;
  /** What the ring of a pixel adds to that. */
  readonly ring: Float64Array;
}

/** Null when every photon stays. */
function thinned(factors: readonly number[], highest: number): Chances | null {
  if (factors.every((factor) => factor === 1)) return null;
  return { rest: 1 / highest, ring: Float64Array.from(factors, (factor) => (factor - 1) / highest) };
}

function addToRow(
  row: number,
  drawn: number,
  { ringShare, ringOf }: Pattern,
  { keep, alias }: RowLotteries,
  aduPerPhoton: number,
  sharing: ChargeSharing,
  chances: Chances | null,
  random: Random,
  out: Pixels,
): number {
  const { x, y } = sharing;
  const start = row * xsize;
  let placed = 0;
  for (let k = 0; k < drawn; k++) {
    const place = (random.int32() >>> 0) * COLUMNS_PER_DRAW;
    let column = Math.floor(place);
    const cell = Math.floor((place - column) * SHARING_SIZE);
    const chance = random.int32();
    if (chance >>> 16 >= (keep[start + column] ?? 0)) column = alias[start + column] ?? 0;
    const pixel = start + column;
    if (chances !== null) {
      const ring = ((chances.ring[ringOf[pixel] ?? 0] ?? 0) * (ringShare[pixel] ?? 0)) / 255;
      if (random.uniform() >= chances.rest + ring) continue;
    }
    placed++;
    // Only whole numbers are handed on: a fraction that leaves its function is a new object, for each photon.
    const dither = chance & 0xffff;
    if (x[cell] === 0 && y[cell] === 0) addAdu(out, pixel, Math.floor(aduPerPhoton + dither / 65_536) | 0);
    else addShared(out, pixel, aduPerPhoton, dither, x[cell] ?? 0, y[cell] ?? 0);
  }
  return placed;
}

/** A photon near the edge of its pixel. `dither` is in 65536ths. */
function addShared(out: Pixels, pixel: number, adu: number, dither: number, leakX: number, leakY: number): void {
  // A random fraction before rounding down keeps the mean charge exact although ADU are whole.
  const fraction = dither / 65_536;
  const toX = Math.abs(leakX);
  const toY = Math.abs(leakY);
  const column = (pixel % xsize) + Math.sign(leakX);
  const isInside = column >= 0 && column < xsize;
  const across = pixel + Math.sign(leakX);
  const along = Math.sign(leakY) * xsize;
  addAdu(out, pixel, Math.floor(adu * (1 - toX) * (1 - toY) + fraction) | 0);
  if (toX > 0 && isInside) addAdu(out, across, Math.floor(adu * toX * (1 - toY) + fraction) | 0);
  if (toY > 0) addAdu(out, pixel + along, Math.floor(adu * (1 - toX) * toY + fraction) | 0);
  if (toX > 0 && toY > 0 && isInside) addAdu(out, across + along, Math.floor(adu * toX * toY + fraction) | 0);
}

/** `adu` must be whole. */
function addAdu(out: Pixels, pixel: number, adu: number): void {
  const before = out[pixel];
  // Charge that leaks over the edge of the sensor is lost.
  if (before === undefined) return;
  const after = before + adu;
  out[pixel] = after > saturationAdu ? saturationAdu : after;
}

/** As {@link addPhotons} for images so full that single photons do not show: a count per pixel, no charge sharing. */
export function addDensePhotons(pattern: Pattern, exposure: Exposure, random: Random, out: Pixels): void {
  const { expected, ringShare, ringOf } = pattern;
  const { aduPerPhoton, intensity, ringFactors } = exposure;
  const changes = Float64Array.from(ringFactors, (factor) => (factor - 1) / 255);
  for (let i = 0; i < out.length; i++) {
    const mean = (expected[i] ?? 0) * intensity * (1 + (changes[ringOf[i] ?? 0] ?? 0) * (ringShare[i] ?? 0));
    const photons = random.poisson(mean);
    if (photons > 0) addAdu(out, i, Math.floor(photons * aduPerPhoton + 0.5));
  }
}
