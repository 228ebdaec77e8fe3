import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { asFinite, badArgument } from "../core/guards.ts";
import { any, resolveOptions } from "../core/options.ts";
import { inverseOf, solveRows } from "../core/solve-rows.ts";
import { type Calibrant, ringAngles } from "./calibrants.ts";
import { pixelPositions } from "./geometry.ts";
import { checkPerSensor, entryFor, type PerSensor, readMask, type SensorMask } from "./pixels.ts";
import { fromBeamCentre, labPlaces, type RingGeometry } from "./ring-geometry.ts";
import { measureRings, normalOf, type RingPoint } from "./ring-points.ts";
import { type RingPixels, searchRings } from "./ring-search.ts";

export interface CalibrateOptions {
  /** Information of every sensor. */
  readonly sensors: readonly DetectorInfo[];
  /** What makes the rings: NIST LaB6 (SRM 660c), CeO2 (SRM 674b), or silver behenate. */
  readonly calibrant: Calibrant;
  /** Taken as exact: 0.01 % of energy is as much of the distance. */
  readonly photonEnergyEv: number;
  /** Roughly, within 15 %. */
  readonly distanceMm: number;
  /** Where the beam hits, within 5 mm; µm in the frame of the detector API. @default x 0, y 0 */
  readonly centreUm?: { readonly x: number; readonly y: number } | undefined;
  /** 1 = use. */
  readonly masks?: PerSensor<SensorMask> | undefined;
  /** False: the detector stands upright in the beam. @default true, tilts up to some 2° are found */
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
export function calibrate(
  images: Readonly<Record<string, { readonly data: ArrayLike<number> } | ArrayLike<number>>>,
  options: CalibrateOptions,
): RingCalibration {
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
  const pixels = pixelsOf(images, options);
  const begin = {
    x: asFinite("centreUm.x", centreUm.x),
    y: asFinite("centreUm.y", centreUm.y),
    distanceUm: 1000 * asFinite("distanceMm", options.distanceMm, Number.MIN_VALUE),
  };
  const rough = searchRings(everyFourth(pixels), angles, begin);
  // Centre x and y and distance in µm, rot1 and rot2 in degrees.
  let parameters = [rough.x, rough.y, rough.distanceUm, 0, 0];
  let windows = widest(angles);
  let fitted: RoundResult | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    const geometry = geometryOfParameters(parameters);
    const { points, widths } = measureRings(pixels, geometry, angles, windows);
    fitted = improve(points, parameters, angles, tilt);
    const { steps, covariance } = fitted;
    parameters = parameters.map((value, k) => value + (steps[k] ?? 0));
    if (round >= 3)
      windows = windows.map((window, ring) =>
        window === 0 ? 0 : Math.min(widestOf(angles, ring), 5.5 * (widths[ring] || window)),
      );
    const isStill = steps.every((step, k) => Math.abs(step) < 0.02 * Math.sqrt(covariance[k]?.[k] ?? 0));
    if (round > 5 && isStill) break;
  }
  if (fitted === undefined) throw noRings("no point was measured");
  const [x = NaN, y = NaN] = parameters;
  const error = (k: number): number => Math.sqrt(fitted?.covariance[k]?.[k] ?? 0);
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
  if (points.length < 4 * count || (tilt && rings.size < 2))
    throw noRings(`${points.length} points stand out on ${rings.size} rings of ${angles.length}`);
  const rows = points.map((point) => slopesAt(point, parameters, count).map((slope) => slope / point.error));
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

/** Changes of 2θ with the parameters, at a place. */
function slopesAt({ x, y }: RingPoint, parameters: readonly number[], count: number): number[] {
  const angleWith = (all: readonly number[]): number => {
    const place = { x: 0, y: 0, z: 0 };
    labPlaces(geometryOfParameters(all))(x, y, place);
    return Math.atan2(Math.sqrt(place.x ** 2 + place.y ** 2), place.z);
  };
  return Array.from({ length: count }, (_, k) => {
    const step = k < 3 ? 5 : 0.005;
    const moved = (by: number): number[] => parameters.map((value, j) => (j === k ? value + by : value));
    return (angleWith(moved(step)) - angleWith(moved(-step))) / (2 * step);
  });
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

function pixelsOf(
  images: Readonly<Record<string, { readonly data: ArrayLike<number> } | ArrayLike<number>>>,
  { sensors, masks = {} }: CalibrateOptions,
): RingPixels {
  if (sensors.length === 0) throw badArgument("sensors", "an empty list", "at least one sensor");
  checkPerSensor("masks", masks, new Map(sensors.map(({ id }, i) => [id, i])));
  const [x, y, value]: [number[], number[], number[]] = [[], [], []];
  sensors.forEach((info, index) => {
    const image = images[info.id];
    if (image === undefined) return;
    const data = "data" in image ? image.data : image;
    if (data.length !== info.xsize * info.ysize)
      throw badArgument(`pixels of ${info.id}`, data.length, `${info.ysize} × ${info.xsize}`);
    const mask = readMask(`the mask of ${info.id}`, entryFor(masks, index, info.id), info.ysize, info.xsize);
    const places = pixelPositions(info);
    for (let i = 0; i < data.length; i++) {
      const own = data[i] ?? NaN;
      if (!Number.isFinite(own) || (mask !== null && mask[i] === 0)) continue;
      x.push(places.x.data[i] ?? NaN);
      y.push(places.y.data[i] ?? NaN);
      value.push(own);
    }
  });
  if (x.length === 0)
    throw badArgument("images", Object.keys(images), `images of ${sensors.map(({ id }) => id).join(", ")}`);
  return { x: Float64Array.from(x), y: Float64Array.from(y), value: Float64Array.from(value) };
}

/** Neighbours in a row put together by four: enough for the search. */
function everyFourth({ x, y, value }: RingPixels): RingPixels {
  const quarter = (all: Float64Array): Float64Array =>
    Float64Array.from({ length: Math.floor(all.length / 4) }, (_, i) => {
      const at = 4 * i;
      return ((all[at] ?? 0) + (all[at + 1] ?? 0) + (all[at + 2] ?? 0) + (all[at + 3] ?? 0)) / 4;
    });
  return { x: quarter(x), y: quarter(y), value: quarter(value) };
}

function noRings(why: string): SaclaError {
  return new SaclaError(
    "NO_RINGS",
    `No geometry from these rings: ${why}. Look at the picture; give a nearer distance and centre, ` +
      "the right calibrant and energy, or tilt: false.",
  );
}
