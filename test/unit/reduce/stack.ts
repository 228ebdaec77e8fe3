import { asImage, newPixels, type PixelType } from "../../../src/core/ndarray.ts";
import type { ImageSpec, Shot } from "../../../src/core/shots.ts";
import { createSimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";

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

/** The simulated facility with every image stored. */
export const facility = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0 });

/** Shots of simulated sensors; `subtract` by sensor is taken off. */
export async function* simulatedShots(
  bl: number,
  run: number,
  detIds: readonly string[],
  tags: Iterable<number>,
  subtract: Readonly<Record<string, Float32Array>> = {},
): AsyncGenerator<Shot> {
  const memory = Object.fromEntries(detIds.map((id) => [id, new Float32Array(1024 * 512)]));
  for (const tag of tags) {
    for (const [id, pixels] of Object.entries(memory)) {
      if (!facility.readFrame(bl, run, id, tag, pixels)) throw new Error(`no image of ${id} at ${tag}`);
      const dark = subtract[id];
      if (dark !== undefined) for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] ?? NaN) - (dark[i] ?? NaN);
    }
    yield shotOf(
      tag,
      Object.fromEntries(Object.entries(memory).map(([id, pixels]) => [id, asImage(pixels, 1024, 512)])),
    );
  }
}
