import { badArgument } from "../../core/guards.ts";
import type { NdArray } from "../../core/ndarray.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { multiply } from "../images/in-place.ts";
import type { Correction } from "./correction.ts";
import { type BySensor, correctionFor, mapPixels } from "./per-sensor.ts";

/**
 * Evens out pixels, or sensors, that answer differently: divides by their relative gain. A pixel of gain 1.02 gives 2 %
 * more ADU than the others.
 * @param relative - by sensor: one number, or one for each pixel, shape [rows, columns]; NaN marks a pixel whose gain
 * is
 *   not known, and makes it NaN
 * @throws BAD_ARGUMENT when a sensor is not named, the shape is another or a gain is not positive
 */
export function gain(relative: BySensor<number | NdArray>): Correction {
  return {
    name: "gain",
    settings: relative,
    begin: () => ({
      pixelwise: true,
      sensor: (frame) => {
        const own = correctionFor("relative gain", relative, frame);
        if (typeof own === "number") {
          if (!(own > 0 && own < Infinity)) throw badGain(frame, own);
          return (pixels) => multiply(pixels, 1 / own);
        }
        const factors = mapPixels("relative gain", own, frame).map((g) => 1 / g);
        const wrong = factors.find((factor) => !(factor > 0 && factor < Infinity) && !Number.isNaN(factor));
        if (wrong !== undefined) throw badGain(frame, 1 / wrong);
        return (pixels, first) => multiply(pixels, factors, first);
      },
    }),
  };
}

function badGain({ detId }: ImageSpec, value: number): Error {
  return badArgument(`the relative gain of ${detId}`, value, "a positive number");
}
