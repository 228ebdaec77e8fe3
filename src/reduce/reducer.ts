import type { Pixels } from "../core/ndarray.ts";

/**
 * One question asked of every image of one detector in a pass. {@link reduce} makes one accumulator per detector;
 * memory depends on the image and the question, never on the number of shots.
 */
export interface Reducer<T> {
  /** An accumulator for images of this shape. */
  create(rows: number, columns: number): Accumulator<T>;
}

/** The running answer. */
export interface Accumulator<T> {
  /** Takes in one image, row-major. The memory is only valid during the call. */
  add(pixels: Pixels, tag: number): void;
  /** The answer over all images added so far. */
  result(): T;
}
