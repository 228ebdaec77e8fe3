import { asImage, type RawImage, shapeOf } from "../core/ndarray.ts";
import { WindowSums } from "./window-sums.ts";

type Images = Readonly<Record<string, RawImage>>;

/** The mean of the newest shots, from half of `most` to `most` of them. */
export class WindowMean {
  readonly #sums: WindowSums;

  constructor(most: number) {
    this.#sums = new WindowSums(most);
  }

  /** Takes a shot in, and gives the mean. */
  add(images: Images): { readonly images: Images; readonly shots: number } {
    this.#sums.add(images);
    const means = Object.entries(images).map(([id, image]): [string, RawImage] => {
      const mean = this.#sums.lane(id)?.mean() ?? new Float32Array(0);
      return [id, asImage(mean, ...shapeOf(id, image))];
    });
    return { images: Object.fromEntries(means), shots: this.#sums.shots };
  }
}
