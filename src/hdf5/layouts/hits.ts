import { findPeaks, type Peaks } from "../../reduce/index.ts";
import type { ResolvedHits } from "../request.ts";
import type { ConvertPlan } from "../write/plan.ts";
import { unitsPerPhoton } from "./stack.ts";

/** As Cheetah: of more peaks of a shot the strongest are kept. */
export const MOST_PEAKS = 2048;

/** Finds the peaks of stacked images as they are stored, sensor by sensor; bad pixels hold none. */
export class PeakFinder {
  readonly #hits: ResolvedHits;
  readonly #threshold: number;
  readonly #sensors: readonly { readonly use: Uint8Array; readonly ysize: number; readonly xsize: number }[];
  #pixels = new Float32Array(0);

  constructor(plan: ConvertPlan, hits: ResolvedHits) {
    this.#hits = hits;
    // Rounded as the pixels are, or a pixel of just the threshold would lie below it.
    this.#threshold = Math.fround(hits.thresholdPhotons * unitsPerPhoton[plan.request.units ?? "photons"]);
    this.#sensors = plan.masks.map(({ data }, i) => {
      const { ysize = 0, xsize = 0 } = plan.sensors[i] ?? {};
      return { use: data, ysize, xsize };
    });
  }

  isHit(stack: ArrayLike<number>): boolean {
    return this.find(stack).x.length >= this.#hits.minPeaks;
  }

  /** Peaks of all sensors; y counts the rows of the stack. */
  find(stack: ArrayLike<number>): Peaks {
    const found: (readonly [x: number, y: number, intensity: number])[] = [];
    let firstRow = 0;
    let from = 0;
    for (const { use, ysize, xsize } of this.#sensors) {
      const size = ysize * xsize;
      if (this.#pixels.length !== size) this.#pixels = new Float32Array(size);
      const pixels = this.#pixels;
      for (let i = 0; i < size; i++) pixels[i] = use[i] === 0 ? NaN : (stack[from + i] ?? NaN);
      const { x, y, intensity } = findPeaks(pixels, ysize, xsize, { threshold: this.#threshold, snr: this.#hits.snr });
      for (const [i, column] of x.entries()) found.push([column, firstRow + (y[i] ?? NaN), intensity[i] ?? NaN]);
      firstRow += ysize;
      from += size;
    }
    const least =
      found.length <= MOST_PEAKS ? -Infinity : (found.map((p) => p[2]).sort((a, b) => b - a)[MOST_PEAKS - 1] ?? 0);
    const kept = found.filter((p) => p[2] >= least).slice(0, MOST_PEAKS);
    return { x: kept.map((p) => p[0]), y: kept.map((p) => p[1]), intensity: kept.map((p) => p[2]) };
  }
}
