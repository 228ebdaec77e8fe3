import { asFinite, badArgument } from "../../core/guards.ts";
import { shapeOf } from "../../core/ndarray.ts";
import type { ImageSpec } from "../../core/shots.ts";
import type { Dark } from "../dark-average.ts";

/**
 * Read noise of a pixel, rms in ADU: one number, one for each sensor, or a dark average, which has it pixel by pixel
 * and knows over how many shots it was taken.
 */
export type ReadNoise = number | Readonly<Record<string, number>> | Dark;

/** @throws BAD_ARGUMENT when a number is not positive, or the dark average has fewer than 2 shots */
export function checkReadNoise(noise: ReadNoise): void {
  if (isDark(noise)) {
    if (noise.ledger.used < 2) throw badArgument("noiseAdu", `a dark of ${noise.ledger.used} shots`, "2 shots or more");
    return;
  }
  for (const [id, adu] of typeof noise === "number" ? [["", noise] as const] : Object.entries(noise))
    asFinite(id === "" ? "noiseAdu" : `noiseAdu of ${id}`, adu, Number.MIN_VALUE);
}

/** Variance of the noise in a dark-subtracted image, ADU². */
export interface NoiseVariance {
  /** Of every pixel; NaN where it is not known. */
  readonly ofPixel: (i: number) => number;
  /** Median over the pixels. */
  readonly typical: number;
  /** Of the mean dark of one pixel, which is the same in all images. */
  readonly ofDark: number;
}

/** @throws BAD_ARGUMENT when there is none for the sensor, or its shape is another */
export function noiseOf(noise: ReadNoise, { detId, rows, columns }: ImageSpec): NoiseVariance {
  if (!isDark(noise)) {
    const adu = typeof noise === "number" ? noise : noise[detId];
    if (adu === undefined) throw badArgument("noiseAdu", noise, `a number, or one for each sensor, also ${detId}`);
    return { ofPixel: () => adu * adu, typical: adu * adu, ofDark: 0 };
  }
  const image = noise.noise[detId];
  if (image === undefined)
    throw badArgument("noiseAdu", Object.keys(noise.noise).join(", "), `a dark average that has ${detId}`);
  const [darkRows, darkColumns] = shapeOf(`noise of ${detId}`, image);
  if (darkRows !== rows || darkColumns !== columns)
    throw badArgument(`noise of ${detId}`, `[${darkRows}, ${darkColumns}]`, `of shape [${rows}, ${columns}]`);
  // The noise is that of the population of n dark shots; a light image less their mean has 1 + 1/n times the variance.
  const n = noise.ledger.used;
  const { data } = image;
  const factor = (n + 1) / (n - 1);
  const known = data.filter((sigma) => Number.isFinite(sigma)).sort();
  // Of few shots most variances are less than the true one: the median of χ² (Wilson and Hilferty 1931).
  const middle = (known[known.length >> 1] ?? NaN) / (1 - 2 / (9 * (n - 1))) ** 1.5;
  return {
    ofPixel: (i) => (data[i] ?? NaN) ** 2 * factor,
    typical: middle * middle * factor,
    ofDark: (middle * middle) / (n - 1),
  };
}

/** In words that are compared. */
export function noiseWords(noise: ReadNoise): string {
  if (typeof noise === "number") return `${noise} ADU`;
  if (!isDark(noise))
    return Object.entries(noise)
      .map(([id, adu]) => `${id} ${adu} ADU`)
      .join(", ");
  const total = (data: Float64Array): number => data.reduce((sum, sigma) => sum + (Number.isNaN(sigma) ? 0 : sigma), 0);
  return Object.entries(noise.noise)
    .map(([id, { data }]) => `${id} ${total(data)} ADU in all, of ${noise.ledger.used} dark shots`)
    .join(", ");
}

function isDark(noise: ReadNoise): noise is Dark {
  return typeof noise === "object" && "ledger" in noise;
}
