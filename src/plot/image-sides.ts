import { badArgument } from "../core/guards.ts";
import type { DrawnPixels } from "./pixels.ts";
import { fitTicks, fraction, type PlotAxis } from "./ticks.ts";

/** Where the centres of columns and rows are, µm from the beam; in equal steps, rising or falling. */
export interface PixelPlaces {
  readonly xUm: ArrayLike<number>;
  readonly yUm: ArrayLike<number>;
}

export interface PlacedTick {
  readonly label: string;
  /** Distance from the left or upper end. */
  readonly at: number;
}

/** Ticks along one side: at whole pixels, or in mm where the places of the pixels are known. */
export function sideTicks(
  pixels: number,
  placesUm: ArrayLike<number> | undefined,
  zoom: number,
  length: number,
  room: (label: string) => number,
): PlacedTick[] {
  if (placesUm !== undefined) return placedTicks(pixels, placesUm, length, room);
  const axis = { low: -0.5, high: pixels - 0.5, log: false };
  return fitTicks(axis, length, 8, room)
    .major.filter((tick) => Number.isInteger(tick.value))
    .map((tick) => ({ label: String(tick.value), at: Math.floor((tick.value + 0.5) * zoom) }));
}

function placedTicks(
  pixels: number,
  placesUm: ArrayLike<number>,
  length: number,
  room: (label: string) => number,
): PlacedTick[] {
  const { first, step } = lineOf(pixels, placesUm);
  if (step === 0) return [];
  // Edges of the first and the last pixel, in mm.
  const ends = [(first - step / 2) / 1000, (first + (pixels - 0.5) * step) / 1000] as const;
  const axis = { low: Math.min(...ends), high: Math.max(...ends), log: false };
  return fitTicks(axis, length, 8, room).major.map(({ value, label }) => {
    const part = fraction(axis, value);
    return { label, at: Math.round((step > 0 ? part : 1 - part) * (length - 1)) };
  });
}

/** Where the beam is in screen pixels of the image; undefined when it is outside. */
export function beamPlace(
  { xUm, yUm }: PixelPlaces,
  { rows, columns }: Pick<DrawnPixels, "rows" | "columns">,
  zoom: number,
): { readonly x: number; readonly y: number } | undefined {
  const across = zeroOf(columns, xUm);
  const down = zeroOf(rows, yUm);
  if (!(across >= -0.5 && across <= columns - 0.5 && down >= -0.5 && down <= rows - 0.5)) return undefined;
  return { x: (across + 0.5) * zoom, y: (down + 0.5) * zoom };
}

/** The pixel, with its fraction, at 0. */
function zeroOf(pixels: number, placesUm: ArrayLike<number>): number {
  const { first, step } = lineOf(pixels, placesUm);
  return -first / step;
}

function lineOf(pixels: number, placesUm: ArrayLike<number>): { readonly first: number; readonly step: number } {
  if (placesUm.length !== pixels)
    throw badArgument("positions", placesUm.length, `one place for each of the ${pixels} columns or rows`);
  const [first = 0, last = 0] = [placesUm[0], placesUm[pixels - 1]];
  return { first, step: pixels < 2 ? 0 : (last - first) / (pixels - 1) };
}

/** The largest and the smallest value, where the colours end before them. */
export function clippedEnds(
  { low, high }: PlotAxis,
  data: ArrayLike<number>,
): { readonly above: string | undefined; readonly below: string | undefined } {
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] ?? NaN;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  // What differs in the last digits of a float32 is no clipping that can be seen.
  const slack = 1e-6 * (high - low);
  const shown = (value: number): string => String(Number(value.toPrecision(3))).replace("-", "−");
  return {
    above: most > high + slack ? shown(most) : undefined,
    below: least < low - slack ? shown(least) : undefined,
  };
}
