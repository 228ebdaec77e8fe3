import { asImage, contiguous, type RawImage, shapeOf } from "../core/ndarray.ts";

type Images = Readonly<Record<string, RawImage>>;

/** Sums of the images of some shots. */
class Block {
  shots = 0;
  readonly sums = new Map<string, { readonly sum: Float64Array; images: number }>();

  add(images: Images): void {
    this.shots++;
    for (const [id, image] of Object.entries(images)) {
      const from = contiguous(image);
      const lane = this.sums.get(id) ?? { sum: new Float64Array(from.length), images: 0 };
      this.sums.set(id, lane);
      lane.images++;
      const { sum } = lane;
      for (let i = 0; i < from.length; i++) sum[i] = (sum[i] ?? 0) + (from[i] ?? 0);
    }
  }
}

/**
 * The mean of the newest shots, from half of `most` to `most` of them: sums of two blocks of half that length, so that
 * memory does not grow with the shots.
 */
export class WindowMean {
  readonly #half: number;
  #old: Block = new Block();
  #new: Block = new Block();

  constructor(most: number) {
    this.#half = Math.max(1, Math.ceil(most / 2));
  }

  /** Takes a shot in, and gives the mean. */
  add(images: Images): { readonly images: Images; readonly shots: number } {
    if (this.#new.shots >= this.#half) [this.#old, this.#new] = [this.#new, new Block()];
    this.#new.add(images);
    const means: Record<string, RawImage> = {};
    for (const [id, image] of Object.entries(images)) {
      const [older, newer] = [this.#old.sums.get(id), this.#new.sums.get(id)];
      const count = (older?.images ?? 0) + (newer?.images ?? 0);
      const [rows, columns] = shapeOf(id, image);
      const mean = new Float32Array(rows * columns);
      for (let i = 0; i < mean.length; i++) mean[i] = ((older?.sum[i] ?? 0) + (newer?.sum[i] ?? 0)) / count;
      means[id] = asImage(mean, rows, columns);
    }
    return { images: means, shots: this.#old.shots + this.#new.shots };
  }
}
