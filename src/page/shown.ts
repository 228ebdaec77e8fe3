import { SaclaError } from "../core/errors.ts";
import { type Roi, roiShape } from "../core/roi.ts";
import { Arena, hasFunctions, instantiateKernel } from "../core/wasm.ts";
import type { CallResult } from "../transport/methods.ts";
import { kernelBinary } from "./kernel-binary.ts";

type PagePicture = CallResult<"page.picture">["picture"];
type ShownPart = Pick<
  PagePicture,
  "size" | "shown" | "step" | "shape" | "levels" | "low" | "high" | "percent" | "quantiles"
>;

/** The functions of kernels/picture.ts. */
interface PictureKernel {
  readonly means: (
    from: number,
    pitch: number,
    rows: number,
    columns: number,
    step: number,
    sums: number,
    counts: number,
    out: number,
  ) => void;
  readonly range: (values: number, n: number, out: number) => void;
  readonly grade: (values: number, n: number, low: number, scale: number, levels: number, counts: number) => void;
}

function isPictureKernel(exports: object): exports is PictureKernel {
  return hasFunctions(exports, ["means", "range", "grade"]);
}

/** Levels from 0 to this are values. */
const TOP_LEVEL = 65_534;
const NO_DATA = 65_535;

const percentages = Float64Array.of(0, 0.1, 1, 5, 25, 50, 75, 95, 99, 99.9, 100);

/** A picture before it is cut, and the memory in which parts of it are made. */
export class WholePicture {
  readonly rows: number;
  readonly columns: number;
  /** Row by row, NaN where nothing is; written again for each shot. */
  readonly data: Float32Array;
  readonly #kernel: PictureKernel;
  readonly #sums: number;
  readonly #counts: number;
  readonly #range: Float32Array;
  readonly #values: number;
  readonly #levels: Uint16Array;
  readonly #histogram: Uint32Array;

  constructor(rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    const n = rows * columns;
    const across = 4 * Math.ceil(columns / 4);
    const arena = new Arena(Arena.bytesFor([4 * n, 4 * n, 2 * n, 8 * across, 4 * across, 8, 4 * (NO_DATA + 1)]));
    const exports = instantiateKernel(kernelBinary, arena.memory);
    if (!isPictureKernel(exports))
      throw new SaclaError("INTERNAL", "src/page/kernel-binary.ts is not of kernels/picture.ts. Run npm run kernels.");
    this.#kernel = exports;
    this.data = arena.float32(n);
    this.#values = arena.allocate(4 * n);
    this.#levels = arena.uint16(n);
    this.#sums = arena.allocate(8 * across);
    this.#counts = arena.allocate(4 * across);
    this.#range = arena.float32(2);
    this.#histogram = arena.uint32(NO_DATA + 1);
  }

  /** The part that a page shows, as values it can draw: at most `side` rows and columns. */
  part(region: Roi | null, side: number): ShownPart {
    const shown = this.inside(region);
    const [height, width] = roiShape(shown);
    const step = Math.max(1, Math.ceil(Math.max(height, width) / side));
    const shape: [number, number] = [Math.ceil(height / step), Math.ceil(width / step)];
    const from = this.data.byteOffset + 4 * (shown.rows[0] * this.columns + shown.columns[0]);
    this.#kernel.means(from, this.columns, height, width, step, this.#sums, this.#counts, this.#values);
    const n = shape[0] * shape[1];
    const [low, high] = this.#rangeOf(n);
    this.#histogram.fill(0);
    const scale = high > low ? TOP_LEVEL / (high - low) : 0;
    this.#kernel.grade(this.#values, n, low, scale, this.#levels.byteOffset, this.#histogram.byteOffset);
    return {
      size: [this.rows, this.columns],
      shown: { rows: [...shown.rows], columns: [...shown.columns] },
      step,
      shape,
      levels: this.#levels.slice(0, n),
      low,
      high,
      percent: percentages,
      quantiles: quantilesOf(this.#histogram, n).map((level) => low + (level * (high - low)) / TOP_LEVEL),
    };
  }

  /** What of a rectangle lies in the picture; the whole picture when nothing does. */
  inside(region: Roi | null): Roi {
    const all: Roi = { rows: [0, this.rows], columns: [0, this.columns] };
    if (region === null) return all;
    const cutRange = ([from, to]: readonly [number, number], size: number): [number, number] => [
      Math.min(from, size),
      Math.min(to, size),
    ];
    const found = { rows: cutRange(region.rows, this.rows), columns: cutRange(region.columns, this.columns) };
    const [height, width] = roiShape(found);
    return height > 0 && width > 0 ? found : all;
  }

  /** The least and the greatest of the values that are shown; zeros when there is none. */
  #rangeOf(n: number): [number, number] {
    this.#kernel.range(this.#values, n, this.#range.byteOffset);
    const [low = 0, high = 0] = this.#range;
    return low <= high ? [low, high] : [0, 0];
  }
}

/** The levels below which so many percent of those with data are. */
function quantilesOf(counts: Uint32Array, n: number): Float64Array {
  const all = n - (counts[NO_DATA] ?? 0);
  let [level, below] = [0, counts[0] ?? 0];
  return percentages.map((percent) => {
    const wanted = Math.max(1, Math.ceil((percent / 100) * all));
    while (below < wanted && level < TOP_LEVEL) below += counts[++level] ?? 0;
    return level;
  });
}
