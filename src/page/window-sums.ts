import { contiguous, type RawImage } from "../core/ndarray.ts";

type Images = Readonly<Record<string, RawImage>>;

/** Sums of the images of some shots, by sensor. */
class Block {
  shots = 0;
  /** Of the weights. */
  weight = 0;
  readonly sums = new Map<string, SensorSums>();
  readonly #hasSquares: boolean;

  constructor(hasSquares: boolean) {
    this.#hasSquares = hasSquares;
  }

  add(images: Images, weight: number): void {
    this.shots++;
    this.weight += weight;
    for (const [id, image] of Object.entries(images)) {
      const from = contiguous(image);
      const squaresLength = this.#hasSquares ? from.length : 0;
      const lane = this.sums.get(id) ?? {
        sum: new Float64Array(from.length),
        squares: new Float64Array(squaresLength),
        products: new Float64Array(squaresLength),
        ...{ images: 0, weight: 0, weightSquares: 0 },
      };
      this.sums.set(id, lane);
      lane.images++;
      lane.weight += weight;
      lane.weightSquares += weight ** 2;
      const { sum, squares, products } = lane;
      for (let i = 0; i < from.length; i++) sum[i] = (sum[i] ?? 0) + (from[i] ?? 0);
      for (let i = 0; i < squaresLength; i++) {
        const value = from[i] ?? 0;
        squares[i] = (squares[i] ?? 0) + value ** 2;
        products[i] = (products[i] ?? 0) + weight * value;
      }
    }
  }
}

/** Over the images of one sensor. */
interface SensorSums {
  readonly sum: Float64Array;
  readonly squares: Float64Array;
  /** Of each pixel with the weight of its shot. */
  readonly products: Float64Array;
  images: number;
  weight: number;
  weightSquares: number;
}

/** The images of one sensor in the window. */
export interface Lane {
  readonly images: number;
  /** Σ images / Σ weights. */
  mean(): Float32Array;
  /**
   * The square of the standard error of {@link mean}, from the residuals image − mean · weight, so that what both share
   * does not count; NaN with fewer than two images.
   */
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

  /** Of a shot; zero without shots. */
  get meanWeight(): number {
    return (this.#old.weight + this.#new.weight) / Math.max(1, this.shots);
  }

  /** @param weight - of the shot: its I0, or 1 for plain means */
  add(images: Images, weight = 1): void {
    if (this.#new.shots >= this.#half) [this.#old, this.#new] = [this.#new, new Block(this.#hasSquares)];
    this.#new.add(images, weight);
  }

  /** Null: no image of the sensor has come. */
  lane(id: string): Lane | null {
    const [older, newer] = [this.#old.sums.get(id), this.#new.sums.get(id)];
    const images = (older?.images ?? 0) + (newer?.images ?? 0);
    if (images === 0) return null;
    const weight = (older?.weight ?? 0) + (newer?.weight ?? 0);
    const weightSquares = (older?.weightSquares ?? 0) + (newer?.weightSquares ?? 0);
    const length = (newer ?? older)?.sum.length ?? 0;
    const sumAt = (i: number): number => (older?.sum[i] ?? 0) + (newer?.sum[i] ?? 0);
    return {
      images,
      // By index: over as many pixels, from() takes several times as long.
      mean: () => {
        const mean = new Float32Array(length);
        for (let i = 0; i < length; i++) mean[i] = sumAt(i) / weight;
        return mean;
      },
      squaredError: () => {
        const errors = new Float64Array(length).fill(NaN);
        for (let i = 0; i < length && images > 1; i++) {
          const squares = (older?.squares[i] ?? 0) + (newer?.squares[i] ?? 0);
          const products = (older?.products[i] ?? 0) + (newer?.products[i] ?? 0);
          const mean = sumAt(i) / weight;
          const residuals = squares - 2 * mean * products + mean ** 2 * weightSquares;
          errors[i] = (Math.max(0, residuals) * images) / (images - 1) / weight ** 2;
        }
        return errors;
      },
    };
  }
}
