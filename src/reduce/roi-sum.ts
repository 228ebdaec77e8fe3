import { checkRoi, type Roi } from "../core/roi.ts";
import type { Reducer } from "./reducer.ts";

/** The sum over a rectangle, shot by shot. The series takes 12 bytes per shot: the answer itself. */
export interface RoiSeries {
  readonly tags: Uint32Array;
  readonly sums: Float64Array;
}

/** Sum of the pixels of a rectangle in each shot. @throws BAD_ARGUMENT when the rectangle is not inside the image */
export function roiSum(roi: Roi): Reducer<RoiSeries> {
  return {
    create: (rows, columns) => {
      checkRoi(roi, rows, columns);
      const tags: number[] = [];
      const sums: number[] = [];
      return {
        add: (pixels, tag) => {
          let sum = 0;
          for (let r = roi.rows[0]; r < roi.rows[1]; r++) {
            const end = r * columns + roi.columns[1];
            for (let i = r * columns + roi.columns[0]; i < end; i++) sum += pixels[i] ?? 0;
          }
          tags.push(tag);
          sums.push(sum);
        },
        result: () => ({ tags: Uint32Array.from(tags), sums: Float64Array.from(sums) }),
      };
    },
  };
}
