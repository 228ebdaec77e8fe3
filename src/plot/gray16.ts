import { any, resolveOptions } from "../core/options.ts";
import { checkRange } from "./options.ts";
import { type Drawable, drawnPixels, extremes } from "./pixels.ts";
import { encodeGray16 } from "./png.ts";

export interface Gray16Options {
  /** Values shown as 0 and 65535. Default: the smallest and largest finite value. */
  readonly range?: readonly [low: number, high: number] | undefined;
}

/** A 16-bit greyscale picture and what its levels mean. */
export interface Gray16 {
  readonly png: Uint8Array<ArrayBuffer>;
  /** Value of level 0. */
  readonly low: number;
  /** Value of level 65535. */
  readonly high: number;
}

/**
 * A 16-bit greyscale PNG for other programs, one pixel per pixel: value = low + p / 65535 · (high − low). `low` and
 * `high` are also in the file, as tEXt entries `sacla:low` and `sacla:high`. Values outside the range take its ends;
 * NaN is level 0.
 *
 * @param image - shape [ysize, xsize]
 * @throws BAD_ARGUMENT when the image is not 2-D or is empty, or the range is not low < high
 * @example
 * const { png, low, high } = renderGray16(average);
 */
export function renderGray16(image: Drawable, options: Gray16Options = {}): Gray16 {
  resolveOptions("renderGray16", options, { range: any });
  const { data, rows, columns } = drawnPixels(image);
  const [low, high] =
    options.range === undefined ? (extremes(data) ?? [0, 1]) : checkRange("range", options.range, false);
  const levels = new Uint16Array(rows * columns);
  // A constant image has no span: every level is 0, which the formula reads back as the constant.
  const scale = high > low ? 65535 / (high - low) : 0;
  for (let i = 0; i < levels.length; i++) {
    const level = ((data[i] ?? NaN) - low) * scale;
    levels[i] = level > 0 ? Math.min(65535, Math.round(level)) : 0;
  }
  return {
    png: encodeGray16(levels, columns, rows, { "sacla:low": String(low), "sacla:high": String(high) }),
    low,
    high,
  };
}
