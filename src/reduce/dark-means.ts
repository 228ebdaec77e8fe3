import { SaclaError } from "../core/errors.ts";
import { type Pixels, type PreciseImage, shapeOf } from "../core/ndarray.ts";

/** Dark means by sensor id, ADU, shape [rows, columns]. */
export type DarkMeans = Readonly<Record<string, PreciseImage>>;

/**
 * Writes `pixels` − `dark` into `out` (which may be `pixels`). The difference is taken in double precision, so that a
 * value on the edge of a histogram bin stays on it.
 */
export function subtractDark(pixels: Pixels, dark: Float64Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = (pixels[i] ?? NaN) - (dark[i] ?? NaN);
}

/**
 * The dark of one sensor as a row-major run.
 * @throws NO_DARK when there is none
 * @throws BAD_ARGUMENT when the shape differs
 */
export function darkOf(dark: DarkMeans, detId: string, rows: number, columns: number): Float64Array {
  const image = dark[detId];
  if (image === undefined)
    throw new SaclaError(
      "NO_DARK",
      `There is no dark for ${detId}; there is one for ${Object.keys(dark).join(", ") || "no sensor"}.`,
    );
  const [darkRows, darkColumns] = shapeOf(`dark of ${detId}`, image);
  if (darkRows !== rows || darkColumns !== columns) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `The dark of ${detId} has shape [${darkRows}, ${darkColumns}], but its images have [${rows}, ${columns}].`,
    );
  }
  return image.data;
}
