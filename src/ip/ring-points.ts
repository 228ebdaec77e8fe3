import { dot, inverseOf, normalOf, solveRows } from "../core/solve-rows.ts";
import { beamCentre, labPlaces, polarisationWeight, type RingGeometry, relativeSolidAngle } from "./ring-geometry.ts";
import type { RingPixels } from "./ring-pixels.ts";

/** A point on a ring: where it is, and how far from the ring's angle under the geometry it was measured with. */
export interface RingPoint {
  readonly ring: number;
  /** A place on the detector near it, µm in the frame of the detector API. */
  readonly x: number;
  readonly y: number;
  /** 2θ measured less 2θ of the ring, radians. */
  readonly off: number;
  /** Standard error of `off`, but for a factor that all points have in common. */
  readonly error: number;
  /** Height of the peak in standard errors. */
  readonly significance: number;
}

const SECTORS = 36;
const BINS = 30;
/** A sector's peak must stand out of the noise by this many standard errors. */
const SIGNIFICANT = 5;
/** The noise of a sector is taken from its own fit and from that of all, which counts as so many bins. */
const COMMON = 20;

/** Pixels near rings, and the azimuthal sector of each; it is known well enough from a geometry nearly right. */
export interface NearPixels extends RingPixels {
  readonly sector: Uint8Array;
}

/** Sums of the pixels near one ring, by sector and bin of 2θ: `[sector · BINS + bin]`. */
interface NearRing {
  /** Of each bin of each sector: values, how far the pixels are off the ring (radians), and how many they are. */
  readonly sum: Float64Array;
  readonly off: Float64Array;
  readonly count: Float64Array;
  /** Pixels close to the ring in each sector, and the sums of their places. */
  readonly places: Float64Array;
}

/**
 * Measures where the rings are: in each of 36 sectors of the azimuths seen of each ring the 2θ of the peak, by linear
 * least squares of peak, shift of the peak, level and slope; the peak's width is that of the whole ring.
 * @param windows - half-width of the window about each ring, radians; 0 leaves a ring out
 * @returns the points that stand out, and the width (rms, radians) of each ring
 */
export function measureRings(
  pixels: NearPixels,
  geometry: RingGeometry,
  angles: readonly number[],
  windows: readonly number[],
): { readonly points: RingPoint[]; readonly widths: number[] } {
  const near = collect(pixels, geometry, angles, windows);
  const rings = near.map((sums, ring): MeasuredRing | undefined => {
    const window = windows[ring] ?? 0;
    const at = Float64Array.from({ length: BINS }, (_, k) => ((2 * k + 1) / BINS - 1) * window);
    const whole = window === 0 ? undefined : wholeRing(sums.sum, sums.count, at, window);
    if (whole === undefined) return undefined;
    return { whole, fits: Array.from({ length: SECTORS }, (_, sector) => sectorFit(sums, at, whole, sector)) };
  });
  // The noise of the pixels is not known beforehand: it is what the fits leave.
  let [chiSquare, free] = [0, 0];
  for (const fit of rings.flatMap((ring) => ring?.fits ?? [])) {
    chiSquare += fit?.chiSquare ?? 0;
    free += fit?.free ?? 0;
  }
  const noise = chiSquare / Math.max(1, free);
  const fallsAt = fallOfRings(geometry);
  const points = rings.flatMap((measured, ring) => {
    if (measured === undefined) return [];
    return seenOf(measured.fits, noise).map(({ x, y, off, error, significance }): RingPoint => {
      const shift = measured.whole.width ** 2 * fallsAt(x, y);
      return { ring, x, y, off: off - shift, error, significance };
    });
  });
  return { points, widths: rings.map((measured) => measured?.whole.width ?? 0) };
}

interface MeasuredRing {
  readonly whole: WholeRing;
  readonly fits: readonly (SectorFit | undefined)[];
}

/** Sectors over which a height is smoothed at most, to each side. */
const REACHES = [1, 2, 4, 9, 18];

/**
 * The sectors of a ring, each with its height: its own where that is beyond doubt, else a mean over as few neighbours
 * as stand out together. An own height that just stands out is too high by chance, and its error too small.
 */
function seenOf(fits: readonly (SectorFit | undefined)[], noise: number) {
  return fits.flatMap((fit, sector) => {
    if (fit === undefined) return [];
    const { x, y, moment, momentError } = fit;
    const scale = Math.sqrt((fit.chiSquare + COMMON * noise) / (fit.free + COMMON));
    const significance = fit.height / (scale * fit.heightError);
    const height = significance > 2 * SIGNIFICANT ? fit.height : heightNear(fits, sector, scale);
    return height === undefined
      ? []
      : [{ x, y, off: moment / height, error: (scale * momentError) / height, significance }];
  });
}

function heightNear(fits: readonly (SectorFit | undefined)[], sector: number, scale: number): number | undefined {
  for (const reach of REACHES) {
    let [sum, weight] = [0, 0];
    for (const near of fits.slice(Math.max(0, sector - reach), sector + reach + 1)) {
      const part = near === undefined ? 0 : 1 / near.heightError ** 2;
      sum += part * (near?.height ?? 0);
      weight += part;
    }
    if (sum > SIGNIFICANT * scale * Math.sqrt(weight)) return sum / weight;
  }
  return undefined;
}

/**
 * A function for the slope over 2θ (per radian) of the logarithm of what solid angle and SACLA's horizontal
 * polarisation leave of the light, at a place. A bell of variance σ² on such a slope has its peak σ² · slope
 * further out.
 */
function fallOfRings(geometry: RingGeometry): (x: number, y: number) => number {
  const centre = beamCentre(geometry);
  const [toLab, solidAngle, polarised] = [labPlaces(geometry), relativeSolidAngle(geometry), polarisationWeight()];
  const place = { x: 0, y: 0, z: 0 };
  return (x, y) => {
    // A line through the beam on the detector is a line of one azimuth.
    const [outer = [], inner = []] = [1.001, 0.999].map((part) => {
      const [px, py] = [centre.x + part * (x - centre.x), centre.y + part * (y - centre.y)];
      toLab(px, py, place);
      const angle = Math.atan2(Math.sqrt(place.x * place.x + place.y * place.y), place.z);
      return [angle, Math.log(solidAngle(px, py) * polarised(place))];
    });
    return ((outer[1] ?? NaN) - (inner[1] ?? NaN)) / ((outer[0] ?? NaN) - (inner[0] ?? NaN));
  };
}

function collect(
  { x, y, value, sector }: NearPixels,
  geometry: RingGeometry,
  angles: readonly number[],
  windows: readonly number[],
): NearRing[] {
  const near = angles.map(() => ({
    sum: new Float64Array(SECTORS * BINS),
    off: new Float64Array(SECTORS * BINS),
    count: new Float64Array(SECTORS * BINS),
    places: new Float64Array(SECTORS * 3),
  }));
  const ringAt = ringTable(angles, windows);
  const toLab = labPlaces(geometry);
  const place = { x: 0, y: 0, z: 0 };
  for (let i = 0; i < x.length; i++) {
    const [px, py] = [x[i] ?? NaN, y[i] ?? NaN];
    toLab(px, py, place);
    const angle = Math.atan2(Math.sqrt(place.x * place.x + place.y * place.y), place.z);
    const ring = ringAt[Math.floor(angle / TABLE_STEP)] ?? -1;
    const sums = near[ring];
    if (sums === undefined) continue;
    const window = windows[ring] ?? 0;
    const off = angle - (angles[ring] ?? NaN);
    const bin = Math.floor((off / window + 1) * (BINS / 2));
    if (!(bin >= 0 && bin < BINS)) continue;
    const first = sector[i] ?? 0;
    const k = first * BINS + bin;
    sums.sum[k] = (sums.sum[k] ?? 0) + (value[i] ?? NaN);
    sums.off[k] = (sums.off[k] ?? 0) + off;
    sums.count[k] = (sums.count[k] ?? 0) + 1;
    if (Math.abs(off) > window / 3) continue;
    sums.places[3 * first] = (sums.places[3 * first] ?? 0) + 1;
    sums.places[3 * first + 1] = (sums.places[3 * first + 1] ?? 0) + px;
    sums.places[3 * first + 2] = (sums.places[3 * first + 2] ?? 0) + py;
  }
  return near;
}

/**
 * The pixels near the rings, so that each look at the rings is at those alone.
 * @param margin - radians beyond the window of each ring
 */
export function pixelsNearRings(
  { x, y, value }: RingPixels,
  geometry: RingGeometry,
  angles: readonly number[],
  windows: readonly number[],
  margin: number,
): NearPixels {
  const isNear = new Uint8Array(Math.ceil(1 / TANGENT_STEP) + 2);
  angles.forEach((angle, ring) => {
    const reach = (windows[ring] ?? 0) + margin;
    // Of the half angle, the tangent is never far from it up to 90°; what is behind the sample counts in the last cell.
    const cell = (at: number): number =>
      Math.min(isNear.length, Math.floor(Math.tan(Math.max(0, at) / 2) / TANGENT_STEP));
    isNear.fill(1, cell(Math.min(angle - reach, Math.PI / 2)), cell(Math.min(angle + reach, Math.PI / 2)) + 1);
  });
  const toLab = labPlaces(geometry);
  const place = { x: 0, y: 0, z: 0 };
  const kept = new Uint32Array(x.length);
  const turns = new Float64Array(x.length);
  let length = 0;
  for (let i = 0; i < x.length; i++) {
    toLab(x[i] ?? NaN, y[i] ?? NaN, place);
    const across = place.x * place.x + place.y * place.y;
    const tangent = Math.sqrt(across) / (place.z + Math.sqrt(across + place.z * place.z));
    const cell = Math.min(isNear.length - 1, Math.floor(tangent / TANGENT_STEP));
    if (isNear[cell] !== 1) continue;
    turns[length] = Math.atan2(place.y, place.x) / (2 * Math.PI) + 0.5;
    kept[length++] = i;
  }
  const [begin, span] = turnsSeen(turns.subarray(0, length));
  const sector = new Uint8Array(length);
  for (let k = 0; k < length; k++) {
    const turn = ((turns[k] ?? 0) - begin + 1) % 1;
    sector[k] = Math.min(SECTORS - 1, Math.floor((turn / span) * SECTORS));
  }
  const pick = (all: Float64Array): Float64Array => {
    const picked = new Float64Array(length);
    for (let k = 0; k < length; k++) picked[k] = all[kept[k] ?? 0] ?? NaN;
    return picked;
  };
  return { x: pick(x), y: pick(y), value: pick(value), sector };
}

/** Where azimuths (in turns) begin that are seen, and how far they go: all but the widest gap. */
function turnsSeen(turns: Float64Array): readonly [begin: number, span: number] {
  const cells = 720;
  const isSeen = new Uint8Array(cells);
  for (const turn of turns) isSeen[Math.min(cells - 1, Math.floor(turn * cells))] = 1;
  let [begin, widest, gap] = [0, 0, 0];
  for (let k = 0; k < 2 * cells; k++) {
    gap = isSeen[k % cells] === 1 ? 0 : gap + 1;
    if (gap > widest && gap <= cells) [begin, widest] = [((k + 1) % cells) / cells, gap];
  }
  return [begin, 1 - widest / cells];
}

const TANGENT_STEP = 1e-4;
const TABLE_STEP = 1e-4;

/** The ring whose window a 2θ lies in, in steps of {@link TABLE_STEP}; −1 for none. */
function ringTable(angles: readonly number[], windows: readonly number[]): Int16Array {
  const table = new Int16Array(Math.ceil(Math.PI / TABLE_STEP) + 1).fill(-1);
  angles.forEach((angle, ring) => {
    const window = windows[ring] ?? 0;
    if (window === 0) return;
    table.fill(
      ring,
      Math.max(0, Math.floor((angle - window) / TABLE_STEP)),
      Math.floor((angle + window) / TABLE_STEP) + 1,
    );
  });
  return table;
}

/** A peak that stands for a whole ring. */
interface WholeRing {
  readonly width: number;
  /** Expected value of each bin, which gives the weights. */
  readonly model: Float64Array;
}

/** Shapes that a ring may have in its window, in parts of the half-width of the window. */
const SHAPES = Array.from({ length: 43 }, (_, k) => 1.06 ** k / 12).flatMap((width) =>
  Array.from({ length: 9 }, (_, k) => (k - 4) / 10).map((shift) => ({
    width,
    bell: Float64Array.from({ length: BINS }, (_, bin) => gauss((2 * bin + 1) / BINS - 1 - shift, width)),
  })),
);

/** The width at which a peak, a level and a slope describe the sum of all sectors best. */
function wholeRing(sum: Float64Array, count: Float64Array, at: Float64Array, window: number): WholeRing | undefined {
  const [means, weights] = [new Float64Array(BINS), new Float64Array(BINS)];
  for (let k = 0; k < sum.length; k++) {
    means[k % BINS] = (means[k % BINS] ?? 0) + (sum[k] ?? 0);
    weights[k % BINS] = (weights[k % BINS] ?? 0) + (count[k] ?? 0);
  }
  if (weights.some((n) => n < 10)) return undefined;
  for (let k = 0; k < BINS; k++) means[k] = (means[k] ?? 0) / (weights[k] ?? NaN);
  const line = weightedLine(at, weights);
  const rest = line.without(means);
  let best: { readonly bell: Float64Array; readonly width: number; readonly height: number } | undefined;
  let most = 0;
  for (const { bell, width } of SHAPES) {
    const along = line.product(bell, rest);
    const own = line.without(bell);
    const square = line.product(own, own);
    // What the peak takes off χ².
    if (!(along > 0 && square > 0) || (along * along) / square <= most) continue;
    most = (along * along) / square;
    best = { bell, width: width * window, height: along / square };
  }
  if (best === undefined) return undefined;
  const { bell, width, height } = best;
  const level = line.level(means.map((mean, k) => mean - height * (bell[k] ?? NaN)));
  const floor = Math.max(level, 0) + 0.05 * height;
  return { width, model: bell.map((value) => floor + height * value) };
}

/** Weighted least squares of a level and a slope. */
function weightedLine(at: Float64Array, weights: Float64Array) {
  const product = (a: Float64Array, b: Float64Array): number => {
    let total = 0;
    for (let k = 0; k < a.length; k++) total += (weights[k] ?? 0) * (a[k] ?? 0) * (b[k] ?? 0);
    return total;
  };
  const one = at.map(() => 1);
  const [whole, middle, square] = [product(one, one), product(one, at), product(at, at)];
  const lineOf = (values: Float64Array): [level: number, slope: number] => {
    const [a, b] = [product(values, one), product(values, at)];
    const slope = (whole * b - middle * a) / (whole * square - middle * middle);
    return [(a - slope * middle) / whole, slope];
  };
  return {
    product,
    level: (values: Float64Array): number => lineOf(values)[0],
    without: (values: Float64Array): Float64Array => {
      const [level, slope] = lineOf(values);
      return values.map((value, k) => value - level - slope * (at[k] ?? NaN));
    },
  };
}

/** A peak in a sector of a ring. */
interface SectorFit extends Pick<RingPoint, "x" | "y"> {
  /** Height times how far the peak is off, radians. */
  readonly moment: number;
  readonly momentError: number;
  readonly height: number;
  readonly heightError: number;
  readonly chiSquare: number;
  readonly free: number;
}

function sectorFit(
  { sum, off, count, places }: NearRing,
  at: Float64Array,
  { width, model }: WholeRing,
  sector: number,
): SectorFit | undefined {
  const [n = 0, x = NaN, y = NaN] = places.subarray(3 * sector);
  if (n < 20) return undefined;
  const [sums, offs, counts] = [sum, off, count].map((all) => all.subarray(sector * BINS, (sector + 1) * BINS)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const used = Array.from(at, (_, k) => k).filter((k) => (counts[k] ?? 0) > 0);
  // Gaps must leave the peak and the level at both sides.
  const inside = used.filter((k) => Math.abs(at[k] ?? NaN) < 1.5 * width);
  const peak = Array.from(at).filter((off) => Math.abs(off) < 1.5 * width);
  if (used.length < 0.6 * BINS || inside.length < 0.8 * peak.length) return undefined;
  const found = weightedFit(
    used.map((k) => {
      // Where few large pixels lie in a bin, their mean is not its middle.
      const place = (offs[k] ?? NaN) / (counts[k] ?? NaN);
      const bell = gauss(place, width);
      return [bell, (bell * place) / width, 1, place / width];
    }),
    used.map((k) => (sums[k] ?? NaN) / (counts[k] ?? NaN)),
    used.map((k) => (model[k] ?? NaN) / (counts[k] ?? NaN)),
  );
  if (found === undefined) return undefined;
  const [height = NaN, moved = NaN] = found.solution;
  const [heightError = NaN, movedError = NaN] = found.variances.map(Math.sqrt);
  return {
    x: x / n,
    y: y / n,
    moment: moved * width,
    momentError: movedError * width,
    height,
    heightError,
    chiSquare: found.chiSquare,
    free: used.length - 4,
  };
}

function gauss(x: number, width: number): number {
  return Math.exp(-0.5 * (x / width) ** 2);
}

/** Weighted linear least squares with the variances of the solution. */
function weightedFit(rows: number[][], values: readonly number[], variances: readonly number[]) {
  const weights = variances.map((variance) => 1 / Math.sqrt(variance));
  const scaled = rows.map((row, i) => row.map((term) => term * (weights[i] ?? NaN)));
  const right = values.map((value, i) => value * (weights[i] ?? NaN));
  const solution = solveRows(scaled, right);
  const inverse = inverseOf(normalOf(scaled));
  if (solution === undefined || inverse === undefined) return undefined;
  let chiSquare = 0;
  for (const [i, row] of scaled.entries()) chiSquare += ((right[i] ?? NaN) - dot(row, solution)) ** 2;
  return { solution, variances: inverse.map((row, k) => row[k] ?? NaN), chiSquare };
}
