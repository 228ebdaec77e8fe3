import { asImage, newPixels, type PixelType } from "../../../src/core/ndarray.ts";
import type { ImageSpec, Shot } from "../../../src/core/shots.ts";

/** One image of a test: its tag, its pixels row by row, and the value of every 0-D signal (NaN: none). */
export interface TestImage {
  readonly tag: number;
  readonly pixels: ArrayLike<number>;
  readonly signal?: number;
}

/** Shots over images given, reusing one memory as a real reader does. */
export async function* shotsOf(
  images: Iterable<TestImage>,
  { detId, rows, columns, type }: ImageSpec,
): AsyncGenerator<Shot> {
  const memory = newPixels(rows * columns, type);
  for (const { tag, pixels, signal = NaN } of images) {
    memory.set(pixels);
    yield shotOf(tag, { [detId]: asImage(memory, rows, columns) }, signal);
  }
}

export function shotOf(tag: number, images: Shot["images"], signal = NaN): Shot {
  return {
    tag,
    images,
    value: () => (Number.isNaN(signal) ? { reason: "missing" } : { value: signal, unit: "" }),
    number: () => signal,
  };
}

export function frame(rows: number, columns: number, detId = "A", type: PixelType = "float32"): ImageSpec {
  return { detId, rows, columns, type };
}

/** What a record holds for a sensor. */
export function of<T>(bySensor: Readonly<Record<string, T>>, detId = "A"): T {
  const found = bySensor[detId];
  if (found === undefined) throw new Error(`nothing for ${detId}, only for ${Object.keys(bySensor).join(", ")}`);
  return found;
}
