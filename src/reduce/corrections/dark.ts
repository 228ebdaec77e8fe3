import type { ImageSpec } from "../../core/shots.ts";
import { type DarkMeans, darkOf } from "../dark-means.ts";
import { takeDifference } from "../images/in-place.ts";
import type { Correction } from "./correction.ts";

/**
 * Subtracts a dark average, ADU: what the option `dark` of `reduce` does, as a step of a chain. The difference is kept
 * as float32, where reducers that subtract the dark themselves at the end keep a few digits more.
 * @throws NO_DARK when it lacks a sensor
 */
export function dark({ mean }: { readonly mean: DarkMeans }): Correction {
  const level = ({ detId, rows, columns }: ImageSpec): Float64Array => darkOf(mean, detId, rows, columns);
  return {
    name: "dark",
    settings: mean,
    begin: () => ({
      level,
      pixelwise: true,
      sensor: (frame) => {
        const own = level(frame);
        return (pixels, first) => takeDifference(pixels, own, pixels, first);
      },
    }),
  };
}
