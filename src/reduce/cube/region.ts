import { asFinite, badArgument } from "../../core/guards.ts";
import { type NdArray, type Pixels, shapeOf } from "../../core/ndarray.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkRoi, type Roi } from "../../core/roi.ts";
import type { ImageSpec } from "../../core/shots.ts";

/** A part of a sensor whose pixels are summed in each shot. Pixels without a value (NaN: masked) are left out. */
export interface RegionSum {
  /** Sensor id. */
  readonly detector: string;
  /** A rectangle. @default the whole image */
  readonly roi?: Roi;
  /**
   * Instead of `roi`, any shape: what each pixel counts in the sum, shape [rows, columns]. 1 in a ring and 0 elsewhere
   * sums the ring; −n/m in the m pixels beside its n takes off the background.
   */
  readonly weights?: NdArray;
}

/** @throws BAD_ARGUMENT for both shapes at once */
export function checkRegion(name: string, region: RegionSum): void {
  resolveOptions(`sums.${name}`, region, { detector: any, roi: any, weights: any });
  if (region.roi !== undefined && region.weights !== undefined)
    throw badArgument(`sums.${name}`, "roi and weights", "one of the two");
}

/** Prepares for images of a sensor; gives the sum over the region, NaN when no pixel of it has a value. */
export function regionSum(name: string, { roi, weights }: RegionSum, frame: ImageSpec): (image: Pixels) => number {
  const { places, counts } = weights === undefined ? rectangle(roi, frame) : weighted(name, weights, frame);
  return (image) => {
    let sum = 0;
    let values = 0;
    for (let k = 0; k < places.length; k++) {
      const x = image[places[k] ?? 0] ?? NaN;
      if (!Number.isNaN(x)) {
        sum += x * (counts[k] ?? NaN);
        values++;
      }
    }
    return values === 0 ? NaN : sum;
  };
}

/** Where the pixels of a region are, row-major, and what each counts. */
interface Region {
  readonly places: Uint32Array;
  readonly counts: Float64Array;
}

function rectangle(roi: Roi | undefined, { rows, columns }: ImageSpec): Region {
  const inside =
    roi === undefined ? ({ rows: [0, rows], columns: [0, columns] } as const) : checkRoi(roi, rows, columns);
  const places: number[] = [];
  for (let r = inside.rows[0]; r < inside.rows[1]; r++)
    for (let c = inside.columns[0]; c < inside.columns[1]; c++) places.push(r * columns + c);
  return { places: Uint32Array.from(places), counts: new Float64Array(places.length).fill(1) };
}

function weighted(name: string, weights: NdArray, { detId, rows, columns }: ImageSpec): Region {
  const shape = shapeOf(`weights of sums.${name}`, weights);
  if (shape[0] !== rows || shape[1] !== columns) {
    throw badArgument(
      `shape of weights of sums.${name}`,
      shape,
      `[${rows}, ${columns}], that of the images of ${detId}`,
    );
  }
  const places: number[] = [];
  const counts: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const weight = asFinite(`weight [${r}, ${c}] of sums.${name}`, Number(weights.get(r, c)));
      if (weight === 0) continue;
      places.push(r * columns + c);
      counts.push(weight);
    }
  }
  return { places: Uint32Array.from(places), counts: Float64Array.from(counts) };
}
