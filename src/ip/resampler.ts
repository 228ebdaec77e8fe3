import type { Pixels, PixelType } from "../core/ndarray.ts";
import type { PixelArray } from "./pixels.ts";
import type { PictureGrid, Placement } from "./placement.ts";

/** One sensor's image as it goes into the picture. */
export interface SensorInput {
  /** Row by row; null when the sensor was not read. */
  pixels: PixelArray | null;
  /** Where the image begins in `pixels`. */
  offset: number;
  /** Whether the sensor's dark is subtracted. */
  dark: boolean;
  gain: number;
}

/**
 * Precomputed maps that put sensor images into a picture, again and again. Pixels are calibrated in single precision:
 * fround(fround(fround(pixel) − dark) · fround(gain)), so that all painters show the same numbers.
 */
export interface Resampler {
  /** Memory of the maps. */
  readonly bytes: number;
  /** Remembers what to subtract from the images of one sensor, row by row. */
  setDark(sensor: number, dark: Float32Array): void;
  /** Paints the picture; `paints` has one entry per sensor. Pixels that nothing covers get `gap`. */
  resample(paints: readonly SensorInput[], gap: number, out: Float32Array): void;
  /** Puts the covered fraction of each output pixel into a zeroed picture. */
  coverage(out: Float32Array): void;
}

/** Memory for one shot and its picture that a painter reads and writes without a copy. */
export interface ShotMemory {
  readonly output: Float32Array;
  input(sensor: number, type: PixelType): Pixels;
}

/** Ordinary memory, made when asked for: enough for painters that read and write anywhere. */
export class PlainMemory implements ShotMemory {
  readonly #canvas: PictureGrid;
  readonly #lengths: readonly number[];
  #output: Float32Array | undefined;
  readonly #inputs: (ArrayBuffer | undefined)[] = [];

  constructor(canvas: PictureGrid, placements: readonly Placement[]) {
    this.#canvas = canvas;
    this.#lengths = placements.map(({ rows, columns }) => rows * columns);
  }

  get output(): Float32Array {
    this.#output ??= new Float32Array(this.#canvas.width * this.#canvas.height);
    return this.#output;
  }

  input(sensor: number, type: PixelType): Pixels {
    const length = this.#lengths[sensor] ?? 0;
    const buffer = this.#inputs[sensor] ?? new ArrayBuffer(length * 4);
    this.#inputs[sensor] = buffer;
    return type === "uint16" ? new Uint16Array(buffer, 0, length) : new Float32Array(buffer);
  }
}
