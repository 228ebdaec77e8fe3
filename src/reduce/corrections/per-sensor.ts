import { SaclaError, showList } from "../../core/errors.ts";
import { type NdArray, shapeOf } from "../../core/ndarray.ts";
import type { ImageSpec } from "../../core/shots.ts";

/** Something for each sensor, by its id. */
export type BySensor<T> = Readonly<Record<string, T>>;

/** What a correction has for a sensor. @throws BAD_ARGUMENT when it has nothing for it */
export function correctionFor<T>(what: string, entries: BySensor<T>, { detId }: ImageSpec): T {
  const entry = Object.hasOwn(entries, detId) ? entries[detId] : undefined;
  if (entry !== undefined) return entry;
  throw new SaclaError(
    "BAD_ARGUMENT",
    `There is no ${what} for ${detId}; there is one for ${showList(Object.keys(entries))}.`,
    { details: { detId } },
  );
}

/** The pixels of a map as a row-major run. @throws BAD_ARGUMENT when its shape is not that of the images */
export function mapPixels(what: string, map: NdArray, { detId, rows, columns }: ImageSpec): Float64Array {
  const [mapRows, mapColumns] = shapeOf(`${what} of ${detId}`, map);
  if (mapRows !== rows || mapColumns !== columns) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `The ${what} of ${detId} has shape [${mapRows}, ${mapColumns}], but its images have [${rows}, ${columns}].`,
    );
  }
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[r * columns + c] = Number(map.get(r, c));
  return out;
}
