import { type DarkMeans, darkOf, subtractDark } from "../dark-means.ts";
import type { Correction } from "./correction.ts";

/**
 * Subtracts a dark average, ADU: what the option `dark` of `reduce` does, as a step of a chain. The difference is kept
 * as float32, where reducers that subtract the dark themselves at the end keep a few digits more.
 * @throws NO_DARK when it lacks a sensor
 */
export function dark({ mean }: { readonly mean: DarkMeans }): Correction {
  return {
    name: "dark",
    settings: mean,
    begin: () => ({
      sensor: ({ detId, rows, columns }) => {
        const level = darkOf(mean, detId, rows, columns);
        return (pixels) => subtractDark(pixels, level, pixels);
      },
    }),
  };
}
