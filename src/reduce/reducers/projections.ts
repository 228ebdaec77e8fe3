import { quantize } from "../engine/exact.ts";
import { addWide, ratio, sums, wideTotals } from "../engine/wide-sum.ts";
import { defineReducer, type Reducer } from "../reducer.ts";

/**
 * What {@link projections} gives. x runs along the columns and y along the rows of the sensor, not of the laboratory.
 */
export interface Projections {
  /** Mean over the rows and the shots, one value per column, in units of the pixels. */
  readonly alongX: Float64Array;
  /** Mean over the columns and the shots, one value per row. */
  readonly alongY: Float64Array;
  /** Pixel values behind each entry of `alongX`. */
  readonly countX: Float64Array;
  readonly countY: Float64Array;
}

/**
 * Profiles of the average image along x and along y: means over its rows and over its columns. Pixels that are NaN or
 * infinite are left out of sum and count; an entry without any is NaN. Memory: 24 · rows + 32 · columns
 * + 8 bytes per sensor (41 kB for 1024 × 512).
 *
 * @example
 * const { profile } = await reduce(shots, { profile: projections() }, { dark });
 * profile[sensor].alongX; // 512 values
 */
export function projections(): Reducer<Projections> {
  let memory = new Float64Array(0);
  return defineReducer({
    name: "projections",
    sumsOnGrid: true,
    layout: ({ rows, columns }) => ({
      xUpper: sums(columns),
      xLower: sums(columns),
      xMissing: sums(columns),
      yUpper: sums(rows),
      yLower: sums(rows),
      yMissing: sums(rows),
      shots: sums(1),
      perColumn: { type: "scratch", bytes: 8 * columns },
    }),
    add: ({ xUpper, xLower, xMissing, yUpper, yLower, yMissing, shots }, pixels, _shot, { rows, columns }) => {
      if (memory.length !== columns) memory = new Float64Array(columns);
      const perColumn = memory.fill(0);
      shots[0] = (shots[0] ?? 0) + 1;
      for (let r = 0, i = 0; r < rows; r++) {
        let [sum, missing] = [0, 0];
        for (let c = 0; c < columns; c++, i++) {
          const x = pixels[i] ?? NaN;
          // True for NaN and for both infinities.
          if (x - x !== 0) {
            missing++;
            xMissing[c] = (xMissing[c] ?? 0) + 1;
            continue;
          }
          const value = quantize(x);
          sum += value;
          perColumn[c] = (perColumn[c] ?? 0) + value;
        }
        addWide(yUpper, yLower, r, sum);
        yMissing[r] = (yMissing[r] ?? 0) + missing;
      }
      for (let c = 0; c < columns; c++) addWide(xUpper, xLower, c, perColumn[c] ?? 0);
    },
    result: ({ xUpper, xLower, xMissing, yUpper, yLower, yMissing, shots }, { rows, columns }) => {
      const n = shots[0] ?? 0;
      const countX = xMissing.map((missing) => n * rows - missing);
      const countY = yMissing.map((missing) => n * columns - missing);
      return {
        alongX: ratio(wideTotals({ upper: xUpper, lower: xLower }), countX),
        alongY: ratio(wideTotals({ upper: yUpper, lower: yLower }), countY),
        countX,
        countY,
      };
    },
  });
}
