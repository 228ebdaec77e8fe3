import { EV_PER_ELECTRON } from "../../core/constants.ts";
import type { DetectorInfo, SensorGeometry } from "../../core/detector.ts";
import { citius } from "../../core/detector-families.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { hash, Random } from "../../core/random.ts";
import { CITIUS_SIZE } from "../../transport/citius-methods.ts";
import { NOISE_STEP, noiseIncrement, noiseTable } from "../noise.ts";
import type { PulseModel } from "../pulse.ts";
import { ringRadiusUm, seenShare } from "../samples.ts";
import type { SimulatedShot } from "../shot.ts";
import type { DetectorModel } from "./detector-model.ts";

const { xsize, ysize } = CITIUS_SIZE;

const parameters = {
  pixelSizeUm: citius.pixelSizeUm,
  /** e⁻/ADU since February 2025 (ostrich): a 10 keV photon is 68.5 ADU. */
  electronsPerAdu: 40,
  noiseAdu: 1.5,
  badShare: 0.0005,
  badAdu: 5000,
  /** Between sensors: 0.7 mm and, around the beam, 3 mm. */
  gapUm: 700,
  beamGapUm: 3000,
  /** Spread of the mounting. */
  placeSpreadUm: 30,
  rotationSpreadDeg: 0.02,
} as const;

/** Sensors of a detector, column by column and row by row; numbered by row from 0, as in ostrich. */
interface Grid {
  readonly columns: number;
  readonly rows: number;
}

function gridOf(detector: string): Grid {
  if (detector.startsWith("CITIUS-20.2M")) return { columns: 6, rows: 12 };
  return isSingle(detector) ? { columns: 1, rows: 1 } : { columns: 2, rows: 4 };
}

/** Whether a detector is one sensor, a CITIUS of 0.28 M such as `CITIUS1`. */
function isSingle(id: string): boolean {
  return !/^CITIUS-(20\.2|2\.2)M/.test(id);
}

/** The number of a sensor within its detector; 0 of a single one. */
export function numberOf(sensorId: string): number {
  return isSingle(sensorId) ? 0 : Number(sensorId.slice(sensorId.lastIndexOf("-") + 1));
}

/**
 * Sensors lie on their long sides, rows running away from the beam; sensor 0 is at the top left as seen from the
 * source.
 */
export function placeOf(id: string): SensorGeometry {
  const { pixelSizeUm, gapUm, beamGapUm, placeSpreadUm, rotationSpreadDeg } = parameters;
  const common = { posZUm: 0, pixelSizeXUm: pixelSizeUm, pixelSizeYUm: pixelSizeUm, manipulatorShiftUm: 0 };
  if (isSingle(id))
    return { posXUm: (-xsize * pixelSizeUm) / 2, posYUm: (ysize * pixelSizeUm) / 2, rotationDeg: 0, ...common };
  const grid = gridOf(id);
  const column = numberOf(id) % grid.columns;
  const row = Math.floor(numberOf(id) / grid.columns);
  const half = grid.columns / 2;
  const isRight = column >= half;
  const steps = isRight ? column - half : half - 1 - column;
  const inner = beamGapUm / 2 + steps * (ysize * pixelSizeUm + gapUm);
  const pitchY = xsize * pixelSizeUm + gapUm;
  const bottom = (grid.rows / 2 - 1 - row) * pitchY + gapUm / 2;
  const random = new Random(hash("place", id));
  const [dx, dy, turn] = [
    placeSpreadUm * random.normal(),
    placeSpreadUm * random.normal(),
    rotationSpreadDeg * random.normal(),
  ];
  return {
    posXUm: Math.round((isRight ? inner : -inner) + dx),
    posYUm: Math.round((isRight ? bottom : bottom + xsize * pixelSizeUm) + dy),
    rotationDeg: (isRight ? 90 : -90) + Math.round(1e4 * turn) / 1e4,
    ...common,
  };
}

/**
 * Rings and diffuse scattering are tabulated by the square of the radius, in steps of 0.09 mm at 10 mm from the beam
 * and less beyond.
 */
const STEP_UM2 = 1.8e6;
const LARGEST_UM = 260_000;
const BINS = Math.ceil(LARGEST_UM ** 2 / STEP_UM2);

/** Draws images of CITIUS sensors: calibrated, so without pedestal; photons stay in one pixel. */
export class CitiusModel implements DetectorModel {
  readonly #seed: number;
  readonly #pulses: PulseModel;
  readonly #bad = new Map<string, Uint32Array>();
  readonly #places = new Map<string, SensorGeometry>();
  /** Expected photons of a pixel at nominal pulse energy, by radius. */
  readonly #expected = new Map<string, Float64Array>();
  /** Of the shot drawn last: chance in 2^32nds that a pixel sees no photon, by radius. */
  readonly #dark = new Uint32Array(BINS);
  #darkOf = "";

  constructor(seed: number, pulses: PulseModel) {
    this.#seed = seed;
    this.#pulses = pulses;
  }

  owns(id: string): boolean {
    return id.startsWith("CITIUS");
  }

  /** `CITIUS-20.2M-001-000` … `-071`; a single sensor is its own detector. */
  sensorsOf(detector: string): string[] {
    if (isSingle(detector)) return [detector];
    const { columns, rows } = gridOf(detector);
    return Array.from({ length: columns * rows }, (_, i) => `${detector}-${String(i).padStart(3, "0")}`);
  }

  describe(id: string): DetectorInfo {
    return { id, xsize, ysize, absGain: parameters.electronsPerAdu, geometry: placeOf(id), pixelType: "float32" };
  }

  /** A CITIUS stores a shot whole or not at all. */
  storedAs(sensorId: string): string {
    return isSingle(sensorId) ? sensorId : sensorId.slice(0, sensorId.lastIndexOf("-"));
  }

  /** Pixels that always give the same high value. */
  badPixels(sensorId: string): Uint32Array {
    const known = this.#bad.get(sensorId);
    if (known !== undefined) return known;
    const random = new Random(hash("bad pixels", sensorId));
    const bad = Uint32Array.from({ length: Math.round(parameters.badShare * xsize * ysize) }, () =>
      Math.floor(random.uniform() * xsize * ysize),
    );
    this.#bad.set(sensorId, bad);
    return bad;
  }

  /** Fills `out` with the image of a shot, row-major. */
  draw(sensorId: string, shot: SimulatedShot, random: Random, out: Pixels): void {
    random.reseed(hash(this.#seed, "image", sensorId, shot.key, shot.tag));
    const table = noiseTable();
    const hasXrays = this.#pulses.reachesSample(shot);
    if (hasXrays) this.#fillDark(shot);
    const adu = this.#pulses.photonEnergyEv(shot) / EV_PER_ELECTRON / parameters.electronsPerAdu;
    const place = this.#placeOf(sensorId);
    const squaredDistance = (1000 * shot.experiment.sample.distanceMm) ** 2;
    for (let row = 0; row < ysize; row++) {
      drawNoise(out, row * xsize, table, random.int32(), noiseIncrement(random));
      if (hasXrays) addPhotons(out, row, place, squaredDistance, this.#dark, adu, random);
    }
    for (const pixel of this.badPixels(sensorId)) out[pixel] = parameters.badAdu;
  }

  #placeOf(sensorId: string): SensorGeometry {
    const known = this.#places.get(sensorId) ?? placeOf(sensorId);
    this.#places.set(sensorId, known);
    return known;
  }

  /** Once for all sensors of a shot. */
  #fillDark(shot: SimulatedShot): void {
    const of = `${shot.key} ${shot.tag}`;
    if (of === this.#darkOf) return;
    this.#darkOf = of;
    const expected = this.#expectedOf(shot);
    const intensity = (this.#pulses.energyJ(shot) * shot.transmission) / shot.experiment.pulseEnergyJ;
    for (let i = 0; i < BINS; i++) this.#dark[i] = Math.exp(-intensity * (expected[i] ?? 0)) * 0xffff_ffff;
  }

  #expectedOf({ experiment }: SimulatedShot): Float64Array {
    const key = `${experiment.beamline} ${experiment.firstRun}`;
    const known = this.#expected.get(key);
    if (known !== undefined) return known;
    const { sample, photonEnergyEv } = experiment;
    const { photons, radiusUm } = sample.diffuse;
    const distanceUm = 1000 * sample.distanceMm;
    const squared = (i: number): number => (i + 0.5) * STEP_UM2;
    const expected = Float64Array.from(
      { length: BINS },
      (_, i) => photons / (1 + squared(i) / (radiusUm * radiusUm)) ** 1.5,
    );
    for (const ring of sample.rings) {
      const radius = ringRadiusUm(ring, sample.distanceMm, photonEnergyEv);
      if (radius === null) continue;
      for (let i = 0; i < BINS; i++) {
        const distance = (Math.sqrt(squared(i)) - radius) / ring.sigmaUm;
        expected[i] = (expected[i] ?? 0) + ring.photons * Math.exp(-0.5 * distance * distance);
      }
    }
    for (let i = 0; i < BINS; i++) expected[i] = (expected[i] ?? 0) * seenShare(0, distanceUm, squared(i));
    this.#expected.set(key, expected);
    return expected;
  }
}

function drawNoise(out: Pixels, start: number, table: Float32Array, first: number, increment: number): void {
  const { noiseAdu } = parameters;
  let state = first;
  for (let column = 0; column < xsize; column++) {
    state = (Math.imul(state, NOISE_STEP) + increment) | 0;
    out[start + column] = noiseAdu * (table[state >>> 16] ?? 0);
  }
}

function addPhotons(
  out: Pixels,
  row: number,
  place: SensorGeometry,
  squaredDistance: number,
  dark: Uint32Array,
  adu: number,
  random: Random,
): void {
  const { pixelSizeUm } = parameters;
  const angle = (place.rotationDeg * Math.PI) / 180;
  const [stepX, stepY] = [pixelSizeUm * Math.cos(angle), pixelSizeUm * Math.sin(angle)];
  const x = place.posXUm + (row + 0.5) * stepY + 0.5 * stepX;
  const y = place.posYUm - (row + 0.5) * stepX + 0.5 * stepY;
  for (let column = 0; column < xsize; column++) {
    const atX = x + column * stepX;
    const atY = y + column * stepY;
    const squared = atX * atX + atY * atY;
    const none = dark[(squared / STEP_UM2) | 0] ?? 0;
    const drawn = random.int32() >>> 0;
    if (drawn <= none) continue;
    const i = row * xsize + column;
    // The table knows the radius alone; the polarisation is a chance of each photon.
    const lost = (atX * atX) / (squaredDistance + squared);
    for (let left = photonsAt(drawn, none); left > 0; left--)
      if (random.uniform() >= lost) out[i] = (out[i] ?? 0) + adu;
  }
}

/** A Poisson number, by inversion: `none` of 2^32 is the chance of 0, `drawn` lies above it. */
function photonsAt(drawn: number, none: number): number {
  const first = Math.max(1, none) / 0xffff_ffff;
  const mean = -Math.log(first);
  const limit = drawn / 0xffff_ffff;
  let photons = 0;
  for (let [chance, sum] = [first, first]; sum < limit && photons < 1000; sum += chance) {
    photons++;
    chance *= mean / photons;
  }
  return photons;
}
