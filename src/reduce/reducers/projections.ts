import type { ImageSpec } from "../../core/shots.ts";
import { quantize } from "../engine/exact.ts";
import { addWide, addWideTimes, ratio, sums, wideTotals } from "../engine/wide-sum.ts";
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
 * infinite are left out of sum and count; an entry without any is NaN. Memory: 24 · rows + 40 · columns
 * + 8 bytes per sensor (45 kB for 1024 × 512).
 *
 * @example
 * const { profile } = await reduce(shots, { profile: projections() }, { dark });
 * profile[sensor].alongX; // 512 values
 */
export function projections(): Reducer<Projections> {
  let memory = new Float64Array(0);
  const perColumnOf = ({ columns }: ImageSpec): Float64Array => {
    if (memory.length !== 2 * columns) memory = new Float64Array(2 * columns);
    return memory;
  };
  return defineReducer({
    name: "projections",
    sumsOnGrid: true,
    appliesDark: "in-add",
    layout: ({ rows, columns }) => ({
      xUpper: sums(columns),
      xLower: sums(columns),
      xMissing: sums(columns),
      yUpper: sums(rows),
      yLower: sums(rows),
      yMissing: sums(rows),
      shots: sums(1),
      perColumn: { type: "scratch", bytes: 16 * columns },
    }),
    // Projections of whole images are those of their sum.
    kernel: {
      statistics: ["sum"],
      type: "uint16",
      flush: (state, block, frame, dark) => {
        const total = new Float64Array(frame.rows * frame.columns);
        block.addSums(total, true);
        project(state, total, frame, perColumnOf(frame), block.images, dark);
      },
    },
    add: (state, pixels, _shot, frame, dark) => project(state, pixels, frame, perColumnOf(frame), 1, dark),
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

/** Adds the sum of images to the sums along both directions. A dark is rounded to the grid, and taken off exactly. */
function project(
  {
    xUpper,
    xLower,
    xMissing,
    yUpper,
    yLower,
    yMissing,
    shots,
  }: Readonly<Record<"xUpper" | "xLower" | "xMissing" | "yUpper" | "yLower" | "yMissing" | "shots", Float64Array>>,
  total: ArrayLike<number>,
  { rows, columns }: ImageSpec,
  perColumn: Float64Array,
  images: number,
  dark: Float64Array | undefined,
): void {
  perColumn.fill(0);
  const [values, levels] = [perColumn.subarray(0, columns), perColumn.subarray(columns)];
  shots[0] = (shots[0] ?? 0) + images;
  for (let r = 0, i = 0; r < rows; r++) {
    let [sum, below, missing] = [0, 0, 0];
    for (let c = 0; c < columns; c++, i++) {
      const x = total[i] ?? NaN;
      const level = dark === undefined ? 0 : (dark[i] ?? NaN);
      // True when one of them is NaN or infinite.
      if (x - level - (x - level) !== 0) {
        missing++;
        xMissing[c] = (xMissing[c] ?? 0) + images;
        continue;
      }
      const value = quantize(x);
      const dim = quantize(level);
      sum += value;
      below += dim;
      values[c] = (values[c] ?? 0) + value;
      levels[c] = (levels[c] ?? 0) + dim;
    }
    addWide(yUpper, yLower, r, sum);
    addWideTimes(yUpper, yLower, r, -below, images);
    yMissing[r] = (yMissing[r] ?? 0) + images * missing;
  }
  for (let c = 0; c < columns; c++) {
    addWide(xUpper, xLower, c, values[c] ?? 0);
    addWideTimes(xUpper, xLower, c, -(levels[c] ?? 0), images);
  }
}
