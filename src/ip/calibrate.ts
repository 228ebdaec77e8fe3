import type { DetectorInfo } from "../core/detector.ts";
import { isSaclaError, SaclaError } from "../core/errors.ts";
import { asFinite } from "../core/guards.ts";
import { any, resolveOptions } from "../core/options.ts";
import { inverseOf, normalOf, solveRows } from "../core/solve-rows.ts";
import { type Calibrant, ringAngles } from "./calibrants.ts";
import type { PerSensor, SensorMask } from "./pixels.ts";
import { fromBeamCentre, labPlaces, type RingGeometry } from "./ring-geometry.ts";
import { type RingImages, type RingPixels, ringPixels } from "./ring-pixels.ts";
import { measureRings, type NearPixels, pixelsNearRings, type RingPoint } from "./ring-points.ts";
import { matchBeside, searchCentre, searchTilted, shareOnRings, startsOf } from "./ring-search.ts";

export interface CalibrateOptions {
  /** Information of every sensor. */
  readonly sensors: readonly DetectorInfo[];
  /** What makes the rings: NIST LaB6 (SRM 660c), CeO2 (SRM 674b), or silver behenate. */
  readonly calibrant: Calibrant;
  /** Taken as exact: 0.01 % of energy is as much of the distance. */
  readonly photonEnergyEv: number;
  /** Roughly, within 20 %. */
  readonly distanceMm: number;
  /** Where the beam hits, within 5 mm; µm in the frame of the detector API. @default x 0, y 0 */
  readonly centreUm?: { readonly x: number; readonly y: number } | undefined;
  /** 1 = use. */
  readonly masks?: PerSensor<SensorMask> | undefined;
  /** False: the detector stands upright in the beam. @default true, tilts up to some 3° are found */
  readonly tilt?: boolean | undefined;
}

/** Geometry from rings; errors are standard errors of one at a time. */
export interface RingCalibration {
  readonly geometry: RingGeometry;
  readonly centreUm: { readonly x: number; readonly y: number };
  readonly errors: {
    readonly centreXUm: number;
    readonly centreYUm: number;
    readonly distanceMm: number;
    readonly rot1Deg: number;
    readonly rot2Deg: number;
  };
  /**
   * Of centre x, centre y (µm), distance (µm), rot1, rot2 (degrees), in that order; without tilt of the first three.
   */
  readonly covariance: readonly (readonly number[])[];
  /** Points on rings that were used. */
  readonly points: number;
  /** Points that lay too far off. */
  readonly outliers: number;
  /** Numbers of the rings used, 0 for the innermost of the calibrant. */
  readonly rings: readonly number[];
  /** Scatter of the points, as a part of what their own errors say: 1 when all is described. */
  readonly scatter: number;
}

const DEGREES = 180 / Math.PI;
const WIDEST = 0.6 / DEGREES;
const OUTLIER = 5;
/** Points with larger residuals count less, in standard errors (Cauchy's weight). */
const CAUCHY = 2.385;
const ROUNDS = 25;
const ROUGH_ROUNDS = 4;
/** So many points more than parameters: fewer do not tell their scatter. */
const SPARE = 10;
/** Points that scatter by more than so much of their errors are not described. */
const BAD_SCATTER = 2;
/**
 * Of fewer rings it is asked whether they could be noise: found in noise they stood out by 2.3 to 2.8 and matched 0.6
 * to 0.8 as well as the best of other distances; true ones stand out by 5 or more, or match 0.95 as well.
 */
const ENOUGH_RINGS = 4;
const LEAST_STANDING = 5;
const LEAST_SHARE = 0.9;
/** Pixels looked at lie within this of a ring's window, radians: the geometry may move as far before they are new. */
const MARGIN = 0.1 / DEGREES;

/**
 * Beam centre, distance and tilt from a picture of powder rings: points on the rings in azimuthal sectors, least
 * squares of their 2θ, again from the geometry found until it stays. Errors come from the scatter of the points.
 *
 * @param images - of each sensor by its id, dark subtracted, of one gain; pixels that are no number are left out
 * @throws NO_RINGS when too few points stand out, or they do not tell the parameters apart
 * @throws BAD_ARGUMENT for images of another shape, and options that do not exist
 * @example
 * const found = calibrate(images, { sensors, calibrant: "LaB6", photonEnergyEv: 10_000, distanceMm: 80 });
 * const sensor = { width, height, pixelSizeUm: 50, view: "source", photonEnergyEv } as const;
 * await writeFile("out.poni", toPoni(found.geometry, sensor));
 */
export function calibrate(images: RingImages, options: CalibrateOptions): RingCalibration {
  resolveOptions("calibrate", options, {
    sensors: any,
    calibrant: any,
    photonEnergyEv: any,
    distanceMm: any,
    centreUm: any,
    masks: any,
    tilt: any,
  });
  const { centreUm = { x: 0, y: 0 }, tilt = true } = options;
  const angles = ringAngles(options.calibrant, options.photonEnergyEv);
  const begin = {
    x: asFinite("centreUm.x", centreUm.x),
    y: asFinite("centreUm.y", centreUm.y),
    distanceUm: 1000 * asFinite("distanceMm", options.distanceMm, Number.MIN_VALUE),
  };
  const blocks = remembered(ringPixels(images, options));
  const fitted = findRings(blocks, angles, tilt, begin);
  const { share, at } = shareOnRings(blocks(200), angles, fitted.parameters);
  if (share < 0.5)
    throw noRings(`most of what stands out is where ${options.calibrant} has no ring, as at 2θ ${degrees(at)}`);
  checkStanding(blocks(200), angles, fitted);
  const { parameters } = fitted;
  const [x = NaN, y = NaN] = parameters;
  const error = (k: number): number => Math.sqrt(fitted.covariance[k]?.[k] ?? 0);
  return {
    geometry: geometryOfParameters(parameters),
    centreUm: { x, y },
    errors: {
      centreXUm: error(0),
      centreYUm: error(1),
      distanceMm: error(2) / 1000,
      rot1Deg: error(3),
      rot2Deg: error(4),
    },
    covariance: fitted.covariance,
    points: fitted.used.length,
    outliers: fitted.outliers,
    rings: [...new Set(fitted.used.map(({ ring }) => ring))].sort((a, b) => a - b),
    scatter: fitted.scatter,
  };
}

/** @throws NO_RINGS when the search may have found a few rings in noise */
function checkStanding(pixels: RingPixels, angles: readonly number[], { used, parameters }: Fitted): void {
  const rings = new Set(used.map(({ ring }) => ring)).size;
  if (rings >= ENOUGH_RINGS) return;
  const { standing, share } = matchBeside(pixels, angles, parameters);
  if (standing < LEAST_STANDING && share < LEAST_SHARE)
    throw noRings(
      `the ${rings} rings of ${angles.length} that were found match the picture less well than at other distances`,
    );
}

type Fitted = RoundResult & { readonly parameters: readonly number[] };

interface Begin {
  readonly x: number;
  readonly y: number;
  readonly distanceUm: number;
}

function findRings(blocks: (sizeUm: number) => RingPixels, angles: readonly number[], tilt: boolean, begin: Begin) {
  const found = startsOf(blocks, angles, searchCentre(blocks, begin), begin.distanceUm);
  const starts = found.map(({ x, y, distanceUm }) => [x, y, distanceUm, 0, 0]);
  try {
    return fitFrom(blocks, angles, tilt, starts);
  } catch (error) {
    throw outOfReach(error, blocks(400), angles, begin);
  }
}

/** The same refusal, or the reason when no ring lies on the detector. */
function outOfReach(error: unknown, { x, y }: RingPixels, [innermost = NaN]: readonly number[], begin: Begin): unknown {
  const reach = x.reduce((most, px, i) => Math.max(most, Math.hypot(px - begin.x, (y[i] ?? NaN) - begin.y)), 0);
  const radius = begin.distanceUm * Math.tan(innermost);
  if (!isSaclaError(error, "NO_RINGS") || (innermost < Math.PI / 2 && radius < reach)) return error;
  return noRings(
    `the innermost ring is at 2θ ${degrees(innermost)}, at the distance given ${(radius / 1000).toFixed(0)} mm ` +
      `from the beam, and the pixels reach ${(reach / 1000).toFixed(0)} mm`,
  );
}

function degrees(angle: number): string {
  return `${(angle * DEGREES).toFixed(1)}°`;
}

/** Each size once. */
function remembered(blocks: (sizeUm: number) => RingPixels): (sizeUm: number) => RingPixels {
  const known = new Map<number, RingPixels>();
  return (sizeUm) => {
    const pixels = known.get(sizeUm) ?? blocks(sizeUm);
    known.set(sizeUm, pixels);
    return pixels;
  };
}

/** Fits from the best of some upright geometries, and from a tilted one when none of them finds the rings. */
function fitFrom(
  blocks: (sizeUm: number) => RingPixels,
  angles: readonly number[],
  tilt: boolean,
  starts: readonly (readonly number[])[],
): Fitted {
  let [first, why]: [Fitted | undefined, unknown] = [undefined, undefined];
  try {
    first = fitRounds(blocks, angles, tilt, bestOf(blocks, angles, tilt, starts));
  } catch (error) {
    if (!tilt || !isSaclaError(error, "NO_RINGS")) throw error;
    why = error;
  }
  if (first !== undefined && (!tilt || first.scatter < BAD_SCATTER)) return first;
  try {
    const second = fitRounds(blocks, angles, tilt, searchTilted(blocks, angles, starts[0] ?? []));
    return first !== undefined && first.scatter < second.scatter ? first : second;
  } catch (error) {
    if (first !== undefined && isSaclaError(error, "NO_RINGS")) return first;
    throw why ?? error;
  }
}

/** The start from which a few rounds in blocks find the rings that stand out most. */
function bestOf(
  blocks: (sizeUm: number) => RingPixels,
  angles: readonly number[],
  tilt: boolean,
  starts: readonly (readonly number[])[],
): readonly number[] {
  const windows = widest(angles);
  let [best, most, why]: [readonly number[] | undefined, number, unknown] = [undefined, 0, undefined];
  for (const start of starts) {
    const view = nearView(blocks(100), angles, windows);
    try {
      let parameters = start;
      let strength = 0;
      for (let round = 0; round < 3; round++) {
        const { points } = measureRings(view.near(parameters), geometryOfParameters(parameters), angles, windows);
        const { steps, used } = improve(points, parameters, angles, tilt);
        parameters = parameters.map((value, k) => value + (steps[k] ?? 0));
        strength = used.reduce((sum, { significance }) => sum + significance ** 2, 0);
      }
      if (strength > most) [best, most] = [parameters, strength];
    } catch (error) {
      if (!isSaclaError(error, "NO_RINGS")) throw error;
      why ??= error;
    }
  }
  if (best === undefined) throw why;
  return best;
}

/** Rounds of measuring the rings and fitting, until the geometry stays. */
function fitRounds(
  blocks: (sizeUm: number) => RingPixels,
  angles: readonly number[],
  tilt: boolean,
  begin: readonly number[],
): Fitted {
  let parameters = begin;
  // First in blocks, until the windows fit the rings; then in all pixels, with windows that stay.
  let view = nearView(blocks(100), angles, widest(angles));
  let fitted: RoundResult | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    const geometry = geometryOfParameters(parameters);
    const { points, widths } = measureRings(view.near(parameters), geometry, angles, view.windows);
    fitted = improve(points, parameters, angles, tilt);
    const { steps, covariance } = fitted;
    parameters = parameters.map((value, k) => value + (steps[k] ?? 0));
    if (round === ROUGH_ROUNDS - 1)
      view = nearView(
        blocks(0),
        angles,
        view.windows.map((window, ring) => Math.min(window, 5.5 * (widths[ring] || window))),
      );
    const isStill = steps.every((step, k) => Math.abs(step) < 0.05 * Math.sqrt(covariance[k]?.[k] ?? 0));
    if (round > ROUGH_ROUNDS && isStill) break;
  }
  if (fitted === undefined) throw noRings("no point was measured");
  return { ...fitted, parameters };
}

interface RoundResult {
  readonly steps: readonly number[];
  readonly covariance: readonly (readonly number[])[];
  readonly used: readonly RingPoint[];
  readonly outliers: number;
  readonly scatter: number;
}

/** One step of Gauss–Newton, points far off counting less, those beyond {@link OUTLIER} not at all. */
function improve(
  points: readonly RingPoint[],
  parameters: readonly number[],
  angles: readonly number[],
  tilt: boolean,
) {
  const count = tilt ? 5 : 3;
  const rings = new Set(points.map(({ ring }) => ring));
  if (tilt && rings.size === 1 && points.length >= 12)
    throw noRings("a single ring stands out, which does not tell a tilt from the centre");
  if (points.length < count + SPARE || (tilt && rings.size < 2))
    throw noRings(`${points.length} points stand out on ${rings.size} rings of ${angles.length}`);
  const slopesAt = slopesWith(parameters, count);
  const rows = points.map((point) => slopesAt(point).map((slope) => slope / point.error));
  const right = points.map(({ off, error }) => -off / error);
  let weights = points.map(() => 1);
  let steps: number[] = [];
  let residuals: number[] = [];
  let scatter = 1;
  for (let turn = 0; turn < 12; turn++) {
    const solved = solveRows(
      rows.map((row, i) => row.map((term) => term * (weights[i] ?? 0))),
      right.map((value, i) => value * (weights[i] ?? 0)),
    );
    if (solved === undefined) throw noRings("the points do not tell centre, distance and tilt apart");
    steps = solved;
    residuals = rows.map(
      (row, i) => (right[i] ?? NaN) - row.reduce((sum, term, k) => sum + term * (solved[k] ?? NaN), 0),
    );
    // Median absolute residual: of a normal distribution 0.6745 standard deviations.
    const sizes = residuals.map(Math.abs).sort((a, b) => a - b);
    scatter = (sizes[sizes.length >> 1] ?? NaN) / 0.6745;
    weights = residuals.map((r) => {
      const size = Math.abs(r) / scatter;
      if (turn > 5) return size > OUTLIER ? 0 : 1;
      return 1 / Math.sqrt(1 + (size / CAUCHY) ** 2);
    });
  }
  const kept = points.filter((_, i) => weights[i] === 1);
  const chiSquare = residuals.reduce((sum, r, i) => (weights[i] === 1 ? sum + r * r : sum), 0);
  const variance = chiSquare / Math.max(1, kept.length - count);
  const inverse = inverseOf(normalOf(rows.filter((_, i) => weights[i] === 1)));
  if (inverse === undefined) throw noRings("the points do not tell centre, distance and tilt apart");
  return {
    steps,
    covariance: inverse.map((row) => row.map((value) => value * variance)),
    used: kept,
    outliers: points.length - kept.length,
    scatter: Math.sqrt(variance),
  } satisfies RoundResult;
}

/** A picture through the windows of the rings; the pixels near them are looked up anew when the geometry has moved. */
function nearView(pixels: RingPixels, angles: readonly number[], windows: readonly number[]) {
  let known: { readonly pixels: NearPixels; readonly at: readonly number[] } | undefined;
  return {
    windows,
    near: (at: readonly number[]): NearPixels => {
      if (known === undefined || movedBy(known.at, at) > MARGIN)
        known = { pixels: pixelsNearRings(pixels, geometryOfParameters(at), angles, windows, MARGIN), at };
      return known.pixels;
    },
  };
}

/** How far 2θ of a place may have moved at most, radians. */
function movedBy(from: readonly number[], to: readonly number[]): number {
  const [x = NaN, y = NaN, distance = NaN, rot1 = NaN, rot2 = NaN] = to.map((value, k) => value - (from[k] ?? NaN));
  return (Math.hypot(x, y) + Math.abs(distance)) / (from[2] ?? NaN) + (Math.abs(rot1) + Math.abs(rot2)) / DEGREES;
}

/** A function for the changes of 2θ with the parameters, at a place. */
function slopesWith(parameters: readonly number[], count: number): (point: RingPoint) => number[] {
  const angleWith = (all: readonly number[]): ((point: RingPoint) => number) => {
    const place = { x: 0, y: 0, z: 0 };
    const toLab = labPlaces(geometryOfParameters(all));
    return ({ x, y }) => {
      toLab(x, y, place);
      return Math.atan2(Math.sqrt(place.x ** 2 + place.y ** 2), place.z);
    };
  };
  const each = Array.from({ length: count }, (_, k) => {
    const step = k < 3 ? 5 : 0.005;
    const moved = (by: number): number[] => parameters.map((value, j) => (j === k ? value + by : value));
    return { step, up: angleWith(moved(step)), down: angleWith(moved(-step)) };
  });
  return (point) => each.map(({ step, up, down }) => (up(point) - down(point)) / (2 * step));
}

function geometryOfParameters([x = NaN, y = NaN, distanceUm = NaN, rot1Deg = NaN, rot2Deg = NaN]: readonly number[]) {
  return fromBeamCentre({ centreUm: { x, y }, distanceMm: distanceUm / 1000, rot1Deg, rot2Deg });
}

/** Half of the way to the next ring at most, so that each window holds one ring. */
function widestOf(angles: readonly number[], ring: number): number {
  const own = angles[ring] ?? NaN;
  const gaps = [own - (angles[ring - 1] ?? 0), (angles[ring + 1] ?? Infinity) - own];
  return Math.min(WIDEST, 0.45 * Math.min(...gaps));
}

function widest(angles: readonly number[]): number[] {
  return angles.map((_, ring) => widestOf(angles, ring));
}

function noRings(why: string): SaclaError {
  return new SaclaError(
    "NO_RINGS",
    `No geometry from these rings: ${why}. Look at the picture; give a nearer distance and centre, ` +
      "the right calibrant and energy, or tilt: false.",
  );
}
