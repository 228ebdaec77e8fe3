import { cutRoi, type Roi, roiShape } from "../core/roi.ts";
import type { CallResult } from "../transport/methods.ts";

type PagePicture = CallResult<"page.picture">["picture"];

/** A picture before it is cut: row by row, NaN where nothing is. */
export interface WholePicture {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/** Levels from 0 to this are values. */
const TOP_LEVEL = 65_534;
const NO_DATA = 65_535;

const percentages = Float64Array.of(0, 0.1, 1, 5, 25, 50, 75, 95, 99, 99.9, 100);

/** The part of a picture that a page shows, as values it can draw: at most `side` rows and columns. */
export function shownPart(
  whole: WholePicture,
  region: Roi | null,
  side: number,
): Pick<PagePicture, "size" | "shown" | "step" | "shape" | "levels" | "low" | "high" | "percent" | "quantiles"> {
  const shown = inside(region ?? { rows: [0, whole.rows], columns: [0, whole.columns] }, whole);
  const [height, width] = roiShape(shown);
  const step = Math.max(1, Math.ceil(Math.max(height, width) / side));
  const shape: [number, number] = [Math.ceil(height / step), Math.ceil(width / step)];
  const values = step === 1 ? cut(whole, shown) : means(whole, shown, step, shape);
  const [low, high] = rangeOf(values);
  const levels = toLevels(values, low, high);
  const quantiles = quantilesOf(levels).map((level) => low + (level * (high - low)) / TOP_LEVEL);
  const size: [number, number] = [whole.rows, whole.columns];
  return {
    size,
    shown: { rows: [...shown.rows], columns: [...shown.columns] },
    step,
    shape,
    levels,
    low,
    high,
    percent: percentages,
    quantiles,
  };
}

/** What of a rectangle lies in the picture; the whole picture when nothing does. */
function inside({ rows, columns }: Roi, whole: WholePicture): Roi {
  const cutRange = ([from, to]: readonly [number, number], size: number): [number, number] => [
    Math.min(from, size),
    Math.min(to, size),
  ];
  const found = { rows: cutRange(rows, whole.rows), columns: cutRange(columns, whole.columns) };
  const [height, width] = roiShape(found);
  return height > 0 && width > 0 ? found : { rows: [0, whole.rows], columns: [0, whole.columns] };
}

function cut({ data, columns }: WholePicture, shown: Roi): Float32Array {
  const [height, width] = roiShape(shown);
  const out = new Float32Array(height * width);
  cutRoi(data, columns, shown, out);
  return out;
}

/** The mean of the values there are in each block of `step` × `step` pixels; NaN where there are none. */
function means(
  { data, columns }: WholePicture,
  shown: Roi,
  step: number,
  [height, width]: readonly [number, number],
): Float32Array {
  const out = new Float32Array(height * width);
  const [lastRow, lastColumn] = [shown.rows[1], shown.columns[1]];
  for (let row = 0; row < height; row++) {
    const firstRow = shown.rows[0] + row * step;
    const endRow = Math.min(firstRow + step, lastRow);
    for (let column = 0; column < width; column++) {
      const firstColumn = shown.columns[0] + column * step;
      const endColumn = Math.min(firstColumn + step, lastColumn);
      let sum = 0;
      let count = 0;
      for (let r = firstRow; r < endRow; r++) {
        for (let at = r * columns + firstColumn; at < r * columns + endColumn; at++) {
          const value = data[at] ?? 0;
          // x − x is 0 but for NaN and infinite values, which are no data.
          if (value - value !== 0) continue;
          sum += value;
          count++;
        }
      }
      out[row * width + column] = sum / count;
    }
  }
  return out;
}

// The loops below go by index: over as many pixels, for … of takes three times as long.

/** The least and the greatest value there is; zeros when there is none. */
function rangeOf(values: Float32Array): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}

function toLevels(values: Float32Array, low: number, high: number): Uint16Array {
  const levels = new Uint16Array(values.length);
  const scale = high > low ? TOP_LEVEL / (high - low) : 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    // Not Math.round, which takes twice as long.
    levels[i] = Number.isFinite(value) ? Math.floor((value - low) * scale + 0.5) : NO_DATA;
  }
  return levels;
}

/** The levels below which so many percent of those with data are. */
function quantilesOf(levels: Uint16Array): Float64Array {
  const counts = new Uint32Array(NO_DATA + 1);
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i] ?? NO_DATA;
    counts[level] = (counts[level] ?? 0) + 1;
  }
  const all = levels.length - (counts[NO_DATA] ?? 0);
  let [level, below] = [0, counts[0] ?? 0];
  return percentages.map((percent) => {
    const wanted = Math.max(1, Math.ceil((percent / 100) * all));
    while (below < wanted && level < TOP_LEVEL) below += counts[++level] ?? 0;
    return level;
  });
}
