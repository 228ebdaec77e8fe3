import { badArgument } from "../../core/guards.ts";
import { type NdArray, shapeOf } from "../../core/ndarray.ts";
import type { DispersiveAxis } from "./curve.ts";

/** Photons of a map, the dispersive axis last: pixel (across b, along a) at b · along + a. */
export interface LineMap {
  readonly along: number;
  readonly across: number;
  readonly photons: Float64Array;
  /** 1 for pixels to use. */
  readonly use: Uint8Array;
}

/**
 * @param mask - 1 for pixels to use, 0 for those to leave out, shape [rows, columns]
 * @throws BAD_ARGUMENT when the mask has another shape
 */
export function lineMap(photons: NdArray, axis: DispersiveAxis, mask?: NdArray): LineMap {
  const [rows, columns] = shapeOf("photons", photons);
  if (mask !== undefined) {
    const shape = shapeOf("mask", mask);
    if (shape[0] !== rows || shape[1] !== columns) throw badArgument("mask", shape, `of shape [${rows}, ${columns}]`);
  }
  const [along, across] = axis === "columns" ? [columns, rows] : [rows, columns];
  const map = { along, across, photons: new Float64Array(rows * columns), use: new Uint8Array(rows * columns) };
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const i = axis === "columns" ? r * along + c : c * along + r;
      const value = Number(photons.get(r, c));
      const isUsed = Number.isFinite(value) && (mask === undefined || Number(mask.get(r, c)) !== 0);
      map.photons[i] = isUsed ? value : 0;
      map.use[i] = isUsed ? 1 : 0;
    }
  return map;
}
