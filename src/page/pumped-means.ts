import { asImage, type RawImage, shapeOf } from "../core/ndarray.ts";
import type { CallParams } from "../transport/methods.ts";
import { type Lane, WindowSums } from "./window-sums.ts";

/** What is shown of pumped and unpumped shots. */
type Compared = Exclude<CallParams<"page.live">["what"], "all">;

/** Whether images are divided by I0. */
export function isNormalised(what: CallParams<"page.live">["what"]): boolean {
  return what.endsWith("-i0");
}

/** Means of the newest pumped and of the newest unpumped shots, and how they differ. */
export class PumpedMeans {
  readonly #on: WindowSums;
  readonly #off: WindowSums;
  readonly #what: Compared;

  /** @param most - shots of each class, from half of so many on */
  constructor(what: Compared, most: number) {
    const hasSquares = /^(error|significance)/.test(what);
    this.#what = what;
    this.#on = new WindowSums(Math.max(2, most), hasSquares);
    this.#off = new WindowSums(Math.max(2, most), hasSquares);
  }

  get counts(): { readonly on: number; readonly off: number } {
    return { on: this.#on.shots, off: this.#off.shots };
  }

  /**
   * Takes a shot in.
   * @param i0 - of the shot, where images are divided by it
   */
  add(label: "on" | "off", images: Readonly<Record<string, RawImage>>, i0 = 1): void {
    (label === "on" ? this.#on : this.#off).add(images, i0);
  }

  /** The picture's images, shaped as those of a shot; none as long as a class has no shot. */
  images(like: Readonly<Record<string, RawImage>>): Readonly<Record<string, RawImage>> {
    const images: Record<string, RawImage> = {};
    const { on, off } = this.counts;
    // Numbers stay in the size they have, for the mean I0 of all shots.
    const reference = (this.#on.meanWeight * on + this.#off.meanWeight * off) / Math.max(1, on + off);
    for (const [id, image] of Object.entries(like)) {
      const values = compared(this.#what, this.#on.lane(id), this.#off.lane(id), reference);
      if (values !== null) images[id] = asImage(values, ...shapeOf(id, image));
    }
    return images;
  }
}

function compared(what: Compared, on: Lane | null, off: Lane | null, reference: number): Float32Array | null {
  if (what === "pumped") return on?.mean() ?? null;
  if (what === "unpumped") return off?.mean() ?? null;
  if (on === null || off === null) return null;
  const [values, less] = [on.mean(), off.mean()];
  for (let i = 0; i < values.length; i++) values[i] = reference * ((values[i] ?? NaN) - (less[i] ?? NaN));
  if (what.startsWith("difference")) return values;
  const [a, b] = [on.squaredError(), off.squaredError()];
  for (let i = 0; i < values.length; i++) {
    const error = reference * Math.sqrt((a[i] ?? NaN) + (b[i] ?? NaN));
    values[i] = what.startsWith("error") ? error : error > 0 ? (values[i] ?? NaN) / error : NaN;
  }
  return values;
}
