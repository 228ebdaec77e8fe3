import { badArgument } from "../core/guards.ts";
import { contiguous, type RawImage, shapeOf } from "../core/ndarray.ts";
import { checkRoi, type Roi } from "../core/roi.ts";

/** What of the camera's image is looked at, and how. */
export interface StripLayout {
  /** Whether time runs along the columns of a row (the usual camera), or along the rows of a column. */
  readonly axis: "columns" | "rows";
  /** Of the whole image. */
  readonly shape: readonly [rows: number, columns: number];
  readonly roi: Roi;
  /** Pixels along time that go into one bin. */
  readonly bin: number;
  /** Lines across time that go into one band. */
  readonly linesPerBand: number;
  readonly bands: number;
  readonly bins: number;
}

/** An image of the timing monitor, reduced to bands × bins of mean grey values, row-major. NaN: saturated. */
export interface Strip {
  readonly values: Float32Array;
  /** Share of the pixels that are saturated. */
  readonly saturated: number;
}

/** More bands than this say nothing more of where the X-rays are, and cost memory. */
const MOST_BANDS = 64;

/** The layout for images of a shape. @throws BAD_ARGUMENT when the region is not in the image or is too short */
export function layoutFor(
  [rows, columns]: readonly [number, number],
  axis: "columns" | "rows",
  roi: Roi | undefined,
  bin: number,
): StripLayout {
  const region = checkRoi(roi ?? { rows: [0, rows], columns: [0, columns] }, rows, columns);
  const tall = region.rows[1] - region.rows[0];
  const wide = region.columns[1] - region.columns[0];
  const [length, lines] = axis === "columns" ? [wide, tall] : [tall, wide];
  const bins = Math.floor(length / bin);
  if (bins < 64)
    throw badArgument(
      "roi of the timing monitor",
      `${length} pixels along time`,
      `at least ${64 * bin} along the ${axis}`,
    );
  const linesPerBand = Math.ceil(lines / MOST_BANDS);
  return { axis, shape: [rows, columns], roi: region, bin, linesPerBand, bands: Math.ceil(lines / linesPerBand), bins };
}

/** Pixel of the whole image at a position in bins, the middle of the first bin being 0. */
export function pixelOf(layout: StripLayout, at: number): number {
  const [start] = layout.axis === "columns" ? layout.roi.columns : layout.roi.rows;
  return start + (at + 0.5) * layout.bin - 0.5;
}

/** @throws BAD_ARGUMENT when the image has another shape than the layout is for */
export function checkPictureShape(image: RawImage, { shape: [tall, wide] }: StripLayout): void {
  const [rows, columns] = shapeOf("image of the timing monitor", image);
  if (rows !== tall || columns !== wide)
    throw badArgument("image of the timing monitor", `${rows} × ${columns}`, `${tall} × ${wide}, as those learnt from`);
}

/**
 * Means of the pixels of each bin; saturated pixels make their bin NaN. Only the bands of `wanted`, where given.
 * @throws BAD_ARGUMENT when the image has another shape than the layout is for
 */
export function stripOf(
  image: RawImage,
  layout: StripLayout,
  pedestal: number,
  full: number,
  wanted?: Uint8Array,
): Strip {
  checkPictureShape(image, layout);
  const [, columns] = layout.shape;
  const pixels = contiguous(image);
  const { axis, roi, bin, bands, bins, linesPerBand } = layout;
  const along = axis === "columns" ? 1 : columns;
  const across = axis === "columns" ? columns : 1;
  const origin = roi.rows[0] * columns + roi.columns[0];
  const lines = axis === "columns" ? roi.rows[1] - roi.rows[0] : roi.columns[1] - roi.columns[0];
  const values = new Float32Array(bands * bins);
  let saturated = 0;
  for (let band = 0; band < bands; band++) {
    if (wanted !== undefined && wanted[band] === 0) continue;
    const last = Math.min(lines, (band + 1) * linesPerBand);
    const count = (last - band * linesPerBand) * bin;
    const to = band * bins;
    for (let line = band * linesPerBand; line < last; line++) {
      let from = origin + line * across;
      for (let i = 0; i < bins; i++) {
        let sum = 0;
        for (let k = 0; k < bin; k++, from += along) {
          const value = pixels[from] ?? 0;
          if (value >= full) {
            sum = NaN;
            saturated++;
          }
          sum += value;
        }
        values[to + i] = (values[to + i] ?? 0) + sum;
      }
    }
    for (let i = to; i < to + bins; i++) values[i] = (values[i] ?? 0) / count - pedestal;
  }
  return { values, saturated: saturated / (lines * bins * bin) };
}

/**
 * Grey value from which a pixel is saturated: the largest one of the region when it is that of a full converter
 * (2ⁿ − 1) and stands more than a few times in it; Infinity when no pixel is saturated.
 */
export function fullScaleOf(image: RawImage, { roi }: Pick<StripLayout, "roi">): number {
  const [, columns] = shapeOf("image of the timing monitor", image);
  const pixels = contiguous(image);
  const [left, right] = roi.columns;
  let [most, times] = [0, 0];
  for (let row = roi.rows[0]; row < roi.rows[1]; row++)
    for (let i = row * columns + left; i < row * columns + right; i++) {
      const value = pixels[i] ?? 0;
      if (value > most) [most, times] = [value, 1];
      else if (value === most) times++;
    }
  return isFullScale(most) && times >= 4 ? most : Infinity;
}

/** Whether a grey value is the last one of a converter: 2ⁿ − 1. */
export function isFullScale(value: number): boolean {
  const bits = Math.log2(value + 1);
  return bits >= 8 && Number.isInteger(bits);
}
