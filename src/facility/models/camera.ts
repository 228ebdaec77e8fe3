import type { DetectorInfo } from "../../core/detector.ts";
import { isCamera } from "../../core/detector-families.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { hash, type Random } from "../../core/random.ts";
import { NOISE_STEP, noiseIncrement, noiseTable } from "../noise.ts";
import { cameraParameters, timingParameters } from "../parameters.ts";
import type { PulseModel } from "../pulse.ts";
import { erf } from "../response.ts";
import type { SimulatedShot } from "../shot.ts";
import type { DetectorModel } from "./detector-model.ts";

const { xsize, ysize, maximumGrey, offsetGrey, pixelNoiseGrey } = cameraParameters;

/**
 * Draws the timing monitor's camera: a laser crosses a crystal at an angle, so that time runs along the columns, and
 * the X-rays take away transmission on one side of an edge. Fringes of the laser drift.
 */
export class CameraModel implements DetectorModel {
  readonly #pulses: PulseModel;
  readonly #seed: number;
  readonly #background = new Float64Array(xsize);
  readonly #columns = new Float64Array(xsize);
  readonly #rows = new Float64Array(ysize);

  constructor(seed: number, pulses: PulseModel) {
    this.#seed = seed;
    this.#pulses = pulses;
    const { laserGrey, laserWidthPixel, laserHeightPixel } = cameraParameters;
    for (let x = 0; x < xsize; x++)
      this.#background[x] = laserGrey * Math.exp(-0.5 * ((x - xsize / 2) / laserWidthPixel) ** 2);
    for (let y = 0; y < ysize; y++) this.#rows[y] = Math.exp(-0.5 * ((y - ysize / 2) / laserHeightPixel) ** 2);
  }

  owns(id: string): boolean {
    return isCamera(id);
  }

  sensorsOf(camera: string): string[] {
    return [camera];
  }

  describe(id: string): DetectorInfo {
    return { id, xsize, ysize, absGain: null, geometry: null, pixelType: "uint16" };
  }

  /** Fills `out` with the image of a shot: whole grey values, row-major. */
  draw(cameraId: string, shot: SimulatedShot, random: Random, out: Pixels): void {
    random.reseed(hash(this.#seed, "image", cameraId, shot.key, shot.tag));
    this.#fillColumns(shot, random);
    const table = noiseTable();
    for (let row = 0; row < ysize; row++)
      drawRow(out, row * xsize, this.#rows[row] ?? 0, this.#columns, table, random.int32(), noiseIncrement(random));
  }

  #fillColumns(shot: SimulatedShot, random: Random): void {
    const { columnNoise, fringes } = cameraParameters;
    const { pixel, depth, secondPixel, secondDepth } = this.#pulses.edge(shot);
    const light = this.#pulses.hasTimingLaser(shot) ? 1 : 0;
    const phases = this.#pulses.fringePhases(shot);
    for (let x = 0; x < this.#columns.length; x++) {
      const passes = (1 - loss(x, pixel, depth)) * (1 - loss(x, secondPixel, secondDepth));
      const waves = fringes.reduce(
        (sum, { depth: much, periodPixel }, k) =>
          sum + much * Math.sin((2 * Math.PI * x) / periodPixel + (phases[k] ?? 0)),
        1,
      );
      this.#columns[x] = light * (this.#background[x] ?? 0) * waves * passes * (1 + columnNoise * random.normal());
    }
  }
}

/** What an edge takes away at a column. */
function loss(x: number, edge: number, depth: number): number {
  if (depth === 0) return 0;
  const sigma = cameraParameters.edgeSigmaFs / timingParameters.fsPerPixel;
  return (depth * (1 + erf((x - edge) / (Math.SQRT2 * sigma)))) / 2;
}

function drawRow(
  out: Pixels,
  start: number,
  share: number,
  columns: Float64Array,
  table: Float32Array,
  first: number,
  increment: number,
): void {
  let state = first;
  for (let column = 0; column < xsize; column++) {
    state = (Math.imul(state, NOISE_STEP) + increment) | 0;
    const grey = Math.floor(
      offsetGrey + 0.5 + share * (columns[column] ?? 0) + pixelNoiseGrey * (table[state >>> 16] ?? 0),
    );
    out[start + column] = grey < 0 ? 0 : grey > maximumGrey ? maximumGrey : grey;
  }
}
