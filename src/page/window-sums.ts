import { contiguous, type RawImage } from "../core/ndarray.ts";

type Images = Readonly<Record<string, RawImage>>;

/** Sums of the images of some shots, by sensor. */
class Block {
  shots = 0;
  readonly sums = new Map<string, { readonly sum: Float64Array; readonly squares: Float64Array; images: number }>();
  readonly #hasSquares: boolean;

  constructor(hasSquares: boolean) {
    this.#hasSquares = hasSquares;
  }

  add(images: Images): void {
    this.shots++;
    for (const [id, image] of Object.entries(images)) {
      const from = contiguous(image);
      const squaresLength = this.#hasSquares ? from.length : 0;
      const lane = this.sums.get(id) ?? {
        sum: new Float64Array(from.length),
        squares: new Float64Array(squaresLength),
        images: 0,
      };
      this.sums.set(id, lane);
      lane.images++;
      const { sum, squares } = lane;
      for (let i = 0; i < from.length; i++) sum[i] = (sum[i] ?? 0) + (from[i] ?? 0);
      for (let i = 0; i < squaresLength; i++) squares[i] = (squares[i] ?? 0) + (from[i] ?? 0) ** 2;
    }
  }
}

/** The images of one sensor in the window. */
export interface Lane {
  readonly images: number;
  mean(): Float32Array;
  /** The square of the standard error of the mean; NaN with fewer than two images. */
  squaredError(): Float64Array;
}

/**
 * Sums over the newest shots, from half of `most` to `most` of them: two blocks of half that length, so that memory
 * does not grow with the shots.
 */
export class WindowSums {
  readonly #half: number;
  readonly #hasSquares: boolean;
  #old: Block;
  #new: Block;

  constructor(most: number, hasSquares = false) {
    this.#half = Math.max(1, Math.ceil(most / 2));
    this.#hasSquares = hasSquares;
    [this.#old, this.#new] = [new Block(hasSquares), new Block(hasSquares)];
  }

  get shots(): number {
    return this.#old.shots + this.#new.shots;
  }

  add(images: Images): void {
    if (this.#new.shots >= this.#half) [this.#old, this.#new] = [this.#new, new Block(this.#hasSquares)];
    this.#new.add(images);
  }

  /** Null: no image of the sensor has come. */
  lane(id: string): Lane | null {
    const [older, newer] = [this.#old.sums.get(id), this.#new.sums.get(id)];
    const images = (older?.images ?? 0) + (newer?.images ?? 0);
    if (images === 0) return null;
    const length = (newer ?? older)?.sum.length ?? 0;
    const sumAt = (i: number): number => (older?.sum[i] ?? 0) + (newer?.sum[i] ?? 0);
    return {
      images,
      // By index: over as many pixels, from() takes several times as long.
      mean: () => {
        const mean = new Float32Array(length);
        for (let i = 0; i < length; i++) mean[i] = sumAt(i) / images;
        return mean;
      },
      squaredError: () => {
        const errors = new Float64Array(length).fill(NaN);
        for (let i = 0; i < length && images > 1; i++) {
          const squares = (older?.squares[i] ?? 0) + (newer?.squares[i] ?? 0);
          errors[i] = Math.max(0, squares - sumAt(i) ** 2 / images) / (images - 1) / images;
        }
        return errors;
      },
    };
  }
}
