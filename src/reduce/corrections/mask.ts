import type { NdArray } from "../../core/ndarray.ts";
import type { Correction } from "./correction.ts";
import { type BySensor, correctionFor, mapPixels } from "./per-sensor.ts";

/**
 * Takes away bad pixels: they become NaN, "no value". The mask is the same for all shots, so counts stay right and
 * every good pixel exact: images of results are NaN there, histograms count them as `invalid`. A sum over a region with
 * a bad pixel is NaN where the reducer does not say that it leaves them out.
 *
 * Put it before {@link commonMode} to keep hot pixels out of the level of their port; elsewhere its place does not
 * matter.
 * @param reasons - by sensor: reasons against each pixel, 0 = good, shape [rows, columns]; what `badPixels` of `ip`
 * gives
 * @throws BAD_ARGUMENT when a sensor is not named, or the shape is another
 */
export function mask(reasons: BySensor<NdArray>): Correction {
  return {
    name: "mask",
    settings: reasons,
    begin: () => ({
      pixelwise: true,
      sensor: (frame) => {
        const own = mapPixels("mask", correctionFor("mask", reasons, frame), frame);
        const bad = Uint32Array.from(own.keys()).filter((i) => own[i] !== 0);
        return (pixels, first) => {
          const end = first + pixels.length;
          for (let k = placeOf(bad, first); k < bad.length && (bad[k] ?? end) < end; k++)
            pixels[(bad[k] ?? 0) - first] = NaN;
        };
      },
    }),
  };
}

/** Of the first entry that is at least `least`, in ascending order. */
function placeOf(sorted: Uint32Array, least: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
