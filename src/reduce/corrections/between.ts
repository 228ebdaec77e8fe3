import { asFinite, badArgument } from "../../core/guards.ts";
import { float32From, kernelOf, multiply } from "../images/in-place.ts";
import type { Correction } from "./correction.ts";

/**
 * Keeps pixels from `low` to `high` (both included, in units of the pixels at its place in the chain) and replaces all
 * others: a threshold against read noise, a limit against saturated or hot pixels.
 * @param otherwise - `0`, or `"missing"`: the pixel becomes NaN, has no value in this shot, and is left out as
 * {@link mask} says. @default "missing"
 * @throws BAD_ARGUMENT when `low` is above `high` or either is NaN
 * @example
 * // Photons alone: what is below half a photon is read noise.
 * const corrections = [correct.dark(dark), correct.between(0.5 * adu, Infinity, 0)];
 */
export function between(low: number, high: number, otherwise: 0 | "missing" = "missing"): Correction {
  checkPixelLimits(low, high);
  if (otherwise !== 0 && otherwise !== "missing") throw badArgument("otherwise", otherwise, `0 or "missing"`);
  const replaced = otherwise === 0 ? 0 : NaN;
  return {
    name: "between",
    settings: { low, high, otherwise },
    begin: () => ({
      pixelwise: true,
      sensor: () => (pixels) => {
        const kernel = kernelOf(pixels);
        if (kernel !== undefined)
          return kernel.betweenF32(pixels.byteOffset, pixels.length, float32From(low), -float32From(-high), replaced);
        for (let i = 0; i < pixels.length; i++) {
          const x = pixels[i] ?? NaN;
          // Neither is true of NaN: a pixel that has no value has none afterwards.
          if (x < low || x > high) pixels[i] = replaced;
        }
      },
    }),
  };
}

/**
 * Multiplies every pixel by a number, so that images in joules or of normalised values (1e-7) become large enough for
 * sums that never round. Divide the mean by it afterwards, the variance by its square.
 * @throws BAD_ARGUMENT when the factor is not positive
 * @example
 * const { average } = await reduce(shots, { average: mean() }, { corrections: [correct.scale(1e9)] });
 */
export function scale(factor: number): Correction {
  asFinite("factor", factor, Number.MIN_VALUE);
  return {
    name: "scale",
    settings: { factor },
    begin: () => ({
      pixelwise: true,
      sensor: () => (pixels) => multiply(pixels, factor),
    }),
  };
}

/** @throws BAD_ARGUMENT when `low` is above `high` or either is NaN */
export function checkPixelLimits(low: number, high: number): void {
  if (!(low <= high)) throw badArgument("limits", [low, high], "two numbers, the lower one first");
}
