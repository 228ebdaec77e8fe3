import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { asFinite, asInteger, badArgument, checkOptions } from "../core/guards.ts";
import { asImage, type Image } from "../core/ndarray.ts";
import { checkRoi, type Roi } from "../core/roi.ts";
import { AreaPainter } from "./area.ts";
import { type AssemblerOptions, type AssemblyMethod, type ResolvedOptions, resolveOptions } from "./assembler-options.ts";
import { type PixelPositions, pixelPositions } from "./geometry.ts";
import { NearestPainter } from "./nearest.ts";
import type { Paint, Painter } from "./painter.ts";
import {
  checkLength,
  checkPerSensor,
  checkShape,
  entryFor,
  isContiguous,
  isPixelArray,
  type PerSensor,
  pack,
  readMask,
  type SensorImage,
  wrongPixels,
} from "./pixels.ts";
import { columnOfX, type Placement, placeX, placeY, rowOfY, sensorColumn, sensorRow, type View, xOfColumn, yOfRow } from "./placement.ts";
import { pixelsUnder, type SensorRegion } from "./region.ts";

/** A place of the picture on a sensor. */
export interface SensorPlace {
  /** Id of the sensor. */
  readonly sensor: string;
  /** Its number, from 0. */
  readonly index: number;
  /** Pixel that holds the place. */
  readonly row: number;
  readonly column: number;
  /** The place itself: pixel (row, column) reaches from row to row + 1 and from column to column + 1. */
  readonly exactRow: number;
  readonly exactColumn: number;
}

/** A place in the picture: pixel (row, column) reaches from row to row + 1 and from column to column + 1. */
export interface ImagePlace {
  readonly row: number;
  readonly column: number;
}

export interface AssembleOptions {
  /** Painted and returned instead of a new image: shape [height, width], row-major. */
  readonly out?: Image | undefined;
}

/**
 * Puts the images of a detector's sensors into one picture, shot after shot.
 *
 * The beam is at (width / 2, height / 2); in the source view column = width / 2 + X / pixelSize and
 * row = height / 2 − Y / pixelSize, in the detector view column c becomes width − 1 − c. Default size: 2399 × 2399 for an
 * octal at 50 µm, as DataConvert's pictures and the talk's; otherwise the smallest square around the beam that holds
 * all sensors.
 *
 * `"nearest"`: each output pixel shows the sensor pixel under its centre. Where sensors overlap the last is on top.
 * `"area"`: each sensor pixel's value is shared out over the output pixels it overlaps, by exact overlap, so the sum
 * over the picture is the sum over all unmasked sensor pixels inside it. An output pixel partly covered holds the sum
 * of what fell into it (divide by {@link coverage} for a density); NaN in a sensor pixel makes NaN of all it touches,
 * so mask it.
 *
 * Pixels nothing covers hold `gapValue`, NaN by default. With another gap value tell gaps from values by
 * {@link coverage} = 0.
 *
 * Maps are made at the first use and kept: for an octal at 50 µm 0.8 MB in 0.2 s with `"nearest"`, 68 MB in 1 s with
 * `"area"` (see {@link mapBytes}); sensors at angles far from multiples of 90° take more.
 *
 * @example
 * const assembler = new Assembler(infos, { view: "source" });
 * const picture = assembler.assemble(images);            // [height, width]
 * const place = assembler.toSensor(1599.5, 599.5);       // which sensor pixel is there?
 */
export class Assembler {
  readonly sensors: readonly DetectorInfo[];
  readonly width: number;
  readonly height: number;
  readonly view: View;
  readonly method: AssemblyMethod;
  readonly pixelSizeUm: number;
  readonly gapValue: number;
  readonly #resolved: ResolvedOptions;
  readonly #indexById: ReadonlyMap<string, number>;
  readonly #uses: readonly (Uint8Array | null)[];
  readonly #paints: readonly Paint[];
  /** Copies of strided views, made when first needed. */
  readonly #packed: (Float64Array | undefined)[] = [];
  #painter: Painter | undefined;

  /**
   * @param sensors - what each sensor says of itself, in the order images will come
   * @throws BAD_ARGUMENT when there is no sensor, an id comes twice, an option is wrong, or a mask does not fit
   * @throws BAD_GEOMETRY when a sensor's geometry is absent or not finite, or the halves of the detector are open
   */
  constructor(sensors: readonly DetectorInfo[], options: AssemblerOptions) {
    if (sensors.length === 0) throw badArgument("sensors", "an empty list", "at least one sensor");
    const indexById = new Map(sensors.map(({ id }, i) => [id, i]));
    if (indexById.size !== sensors.length) throw badArgument("sensors", sensors.map(({ id }) => id).join(", "), "each sensor once");
    const resolved = resolveOptions(sensors, options);
    const { masks } = resolved;
    if (masks !== undefined) checkPerSensor("masks", masks, indexById);
    this.sensors = [...sensors];
    this.width = resolved.canvas.width;
    this.height = resolved.canvas.height;
    this.view = resolved.canvas.view;
    this.method = resolved.method;
    this.pixelSizeUm = resolved.pixelSizeUm;
    this.gapValue = resolved.gapValue;
    this.#resolved = resolved;
    this.#indexById = indexById;
    this.#uses = sensors.map(({ id, ysize, xsize }, i) => (masks === undefined ? null : readMask(`the mask of ${id}`, entryFor(masks, i, id), ysize, xsize)));
    this.#paints = resolved.gains.map((gain) => ({ pixels: null, offset: 0, gain }));
  }

  /** Memory of the precomputed maps, in bytes. Makes them if they are not there yet. */
  get mapBytes(): number {
    return this.#maps().bytes;
  }

  /**
   * The picture of one shot.
   *
   * @param images - one per sensor, shape [ysize, xsize], in the order of the sensors or by sensor id; a sensor that is
   * absent, null or undefined was not read and its area keeps the gap value
   * @param options - `out`: an image to paint into; then no image is allocated (strided views are copied to memory kept
   * from the first call on)
   * @returns shape [height, width]; `out` itself when it was given
   * @throws BAD_ARGUMENT when an image or `out` has the wrong shape, or a sensor is unknown
   */
  assemble(images: PerSensor<SensorImage>, options: AssembleOptions = {}): Image {
    checkOptions("assemble", options, ["out"]);
    checkPerSensor("images", images, this.#indexById);
    const out = options.out ?? asImage(new Float32Array(this.width * this.height), this.height, this.width);
    const target = this.#target(out);
    const painter = this.#maps();
    try {
      for (let i = 0; i < this.sensors.length; i++) {
        const info = this.sensors[i];
        const paint = this.#paints[i];
        if (info !== undefined && paint !== undefined) this.#load(paint, info, i, entryFor(images, i, info.id));
      }
      painter.paint(this.#paints, this.gapValue, target);
    } finally {
      // The caller's images must not live on in here.
      for (const paint of this.#paints) paint.pixels = null;
    }
    return out;
  }

  /**
   * Which part of each output pixel lies on unmasked sensor pixels: 0 for a gap. 0 or 1 with `"nearest"`; the covered
   * fraction with `"area"`, above 1 where sensors overlap, because there their values add.
   *
   * @returns shape [height, width]
   */
  coverage(): Image {
    const cover = new Float32Array(this.width * this.height);
    this.#maps().cover(cover);
    return asImage(cover, this.height, this.width);
  }

  /** See {@link pixelPositions}. @param sensor - id, or number from 0 */
  pixelPositions(sensor: string | number): PixelPositions {
    return pixelPositions(this.#find(sensor).info);
  }

  /**
   * The sensor pixel at a place of the picture, or null in a gap. Pixel (row, column) of the picture has its centre at
   * (column + 0.5, row + 0.5). Masks play no part. Where sensors overlap, the last one.
   *
   * @example
   * const { column, row } = brightest;
   * assembler.toSensor(column + 0.5, row + 0.5);
   */
  toSensor(column: number, row: number): SensorPlace | null {
    const { canvas, placements } = this.#resolved;
    const x = xOfColumn(canvas, asFinite("column", column));
    const y = yOfRow(canvas, asFinite("row", row));
    for (let index = placements.length - 1; index >= 0; index--) {
      const { placement, info } = this.#find(index);
      const exactRow = sensorRow(placement, x, y);
      const exactColumn = sensorColumn(placement, x, y);
      if (exactRow < 0 || exactRow >= info.ysize || exactColumn < 0 || exactColumn >= info.xsize) continue;
      return { sensor: info.id, index, row: Math.floor(exactRow), column: Math.floor(exactColumn), exactRow, exactColumn };
    }
    return null;
  }

  /**
   * Where a place of a sensor lies in the picture (or beside it). The centre of sensor pixel (row, column) is
   * (row + 0.5, column + 0.5).
   *
   * @param sensor - id, or number from 0
   */
  toImage(sensor: string | number, row: number, column: number): ImagePlace {
    const { placement } = this.#find(sensor);
    const { canvas } = this.#resolved;
    asFinite("row", row);
    asFinite("column", column);
    return { column: columnOfX(canvas, placeX(placement, row, column)), row: rowOfY(canvas, placeY(placement, row, column)) };
  }

  /**
   * The unmasked sensor pixels whose centres lie under a rectangle of the picture, for each sensor that has any.
   *
   * @example
   * const [region] = assembler.regionToSensors({ rows: [590, 610], columns: [1590, 1610] });
   * // read only region.roi of sensor region.sensor, and sum where region.pixels is 1
   */
  regionToSensors(roi: Roi): SensorRegion[] {
    checkRoi(roi, this.height, this.width);
    const { canvas, placements } = this.#resolved;
    return placements.flatMap((placement, index) => {
      const region = pixelsUnder(placement, canvas, roi, this.#uses[index] ?? null);
      return region === null ? [] : [{ sensor: this.#find(index).info.id, index, ...region }];
    });
  }

  /** Where a place in µm from the beam (X right looking from the source, Y up) lies in the picture. */
  micrometresToImage(xUm: number, yUm: number): ImagePlace {
    const { canvas } = this.#resolved;
    return { column: columnOfX(canvas, asFinite("xUm", xUm) / this.pixelSizeUm), row: rowOfY(canvas, asFinite("yUm", yUm) / this.pixelSizeUm) };
  }

  /** The place in µm from the beam (X right looking from the source, Y up) of a place in the picture. */
  imageToMicrometres(column: number, row: number): { xUm: number; yUm: number } {
    const { canvas } = this.#resolved;
    return { xUm: xOfColumn(canvas, asFinite("column", column)) * this.pixelSizeUm, yUm: yOfRow(canvas, asFinite("row", row)) * this.pixelSizeUm };
  }

  #maps(): Painter {
    const { canvas, placements, method } = this.#resolved;
    this.#painter ??= new (method === "nearest" ? NearestPainter : AreaPainter)(canvas, placements, this.#uses);
    return this.#painter;
  }

  #find(sensor: string | number): { info: DetectorInfo; placement: Placement } {
    const index = typeof sensor === "string" ? this.#indexById.get(sensor) : asInteger("sensor", sensor, 0, this.sensors.length - 1);
    const info = index === undefined ? undefined : this.sensors[index];
    const placement = index === undefined ? undefined : this.#resolved.placements[index];
    if (info === undefined || placement === undefined) throw badArgument("sensor", sensor, `one of ${[...this.#indexById.keys()].join(", ")}`);
    return { info, placement };
  }

  #target(out: Image): Float32Array {
    const { width, height } = this;
    if (!(out.data instanceof Float32Array) || out.shape.length !== 2 || out.shape[0] !== height || out.shape[1] !== width || !isContiguous(out)) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `out has shape [${out.shape.join(", ")}] and strides [${out.stride.join(", ")}], but must be a row-major float32 image of [${height}, ${width}].`,
      );
    }
    return out.offset === 0 && out.data.length === width * height ? out.data : out.data.subarray(out.offset, out.offset + width * height);
  }

  #load(paint: Paint, info: DetectorInfo, index: number, image: SensorImage | null | undefined): void {
    const { id, ysize, xsize } = info;
    if (image === null || image === undefined) return;
    if (isPixelArray(image)) {
      checkLength(id, image.length, ysize, xsize);
      paint.pixels = image;
      paint.offset = 0;
      return;
    }
    checkShape(id, image, ysize, xsize);
    if (!isPixelArray(image.data)) throw wrongPixels(id, image.data);
    if (isContiguous(image)) {
      paint.pixels = image.data;
      paint.offset = image.offset;
      return;
    }
    const copy = this.#packed[index] ?? new Float64Array(ysize * xsize);
    this.#packed[index] = copy;
    pack(image, ysize, xsize, copy);
    paint.pixels = copy;
    paint.offset = 0;
  }
}
