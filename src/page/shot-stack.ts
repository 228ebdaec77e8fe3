import ndarray from "ndarray";
import { contiguous, type Pixels, type PixelType, pixelTypeOf, shapeOf } from "../core/ndarray.ts";
import type { Shot } from "../core/shots.ts";
import { createStack, type ImageStack, type StackedShots, shotsFrom } from "../reduce/index.ts";

/**
 * Memory in which reducers work on one shot after another. Else each shot would take memory of their own, ten times
 * that of its images, for the collector to find.
 */
export class ShotStack {
  #memory: Pixels = new Uint16Array(0);

  /** A copy of the images of a shot, valid until the next. */
  shotOf({ tag, images }: Pick<Shot, "tag" | "images">): StackedShots {
    const all = Object.entries(images).map(([detId, image]) => {
      const [rows, columns] = shapeOf(detId, image);
      return { detId, rows, columns, pixels: contiguous(image) };
    });
    const isReal = all.some(({ pixels }) => pixelTypeOf(pixels) === "float32");
    const memory = this.#memoryFor(
      all.map(({ pixels }) => pixels.length),
      isReal ? "float32" : "uint16",
    );
    const stacks: Record<string, ImageStack> = {};
    let at = 0;
    for (const { detId, rows, columns, pixels } of all) {
      const place = memory.subarray(at, at + pixels.length);
      place.set(pixels);
      stacks[detId] = ndarray<Pixels>(place, [1, rows, columns]);
      at += pixels.length;
    }
    return shotsFrom(stacks, { tags: [tag] });
  }

  #memoryFor(lengths: readonly number[], type: PixelType): Pixels {
    const length = lengths.reduce((sum, pixels) => sum + pixels, 0);
    const known = this.#memory;
    if (known.length >= length && pixelTypeOf(known) === type) return known;
    const shape = [lengths.length, Math.ceil(length / lengths.length), 1] as const;
    this.#memory = (type === "uint16" ? createStack(shape) : createStack(shape, "float32")).data;
    return this.#memory;
  }
}
