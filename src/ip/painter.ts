import type { PixelArray } from "./pixels.ts";

/** One sensor's image as it goes into the picture. */
export interface Paint {
  /** Row by row; null when the sensor was not read. */
  pixels: PixelArray | null;
  /** Where the image begins in `pixels`. */
  offset: number;
  gain: number;
}

/** Precomputed maps that put sensor images into a picture, again and again. */
export interface Painter {
  /** Memory of the maps. */
  readonly bytes: number;
  /** Paints the picture; `paints` has one entry per sensor. Pixels that nothing covers get `gap`. */
  paint(paints: readonly Paint[], gap: number, out: Float32Array): void;
  /** Adds the covered fraction of each output pixel. */
  cover(out: Float32Array): void;
}
