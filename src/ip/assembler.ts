import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { asFinite, asInteger, asOneOf, badArgument } from "../core/guards.ts";
import { asImage, type Image, type Pixels, type PixelType } from "../core/ndarray.ts";
import { any, resolveOptions } from "../core/options.ts";
import { checkRoi, type Roi } from "../core/roi.ts";
import { areaErrors } from "./area-errors.ts";
import {
  type AssemblerOptions,
  type AssemblyMethod,
  type ResolvedOptions,
  resolveAssembly,
} from "./assembler-options.ts";
import { type PixelPositions, pixelPositions } from "./geometry.ts";
import { makeResampler } from "./make-resampler.ts";
import {
  checkLength,
  checkPerSensor,
  checkShape,
  darkPixels,
  entryFor,
  isContiguous,
  isPixelArray,
  type PerSensor,
  packPixels,
  readMask,
  type SensorDark,
  type SensorImage,
  wrongPixels,
} from "./pixels.ts";
import {
  columnOfX,
  type Placement,
  placeX,
  placeY,
  rowOfY,
  sensorColumn,
  sensorRow,
  type View,
  xOfColumn,
  yOfRow,
} from "./placement.ts";
import { pixelsUnder, type SensorRegion } from "./region.ts";
import type { Resampler, SensorInput, ShotMemory } from "./resampler.ts";

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
  /**
   * Painted and returned instead of a new image: shape [height, width], row-major. Fastest with
   * {@link Assembler.output}, which needs no copy.
   */
  readonly out?: Image | undefined;
  /**
   * Subtracted from the images before the gain, in ADU: one per sensor, in the order of the sensors or by sensor id.
   * Each is converted when it is first seen and remembered as that object, so give a new array when the dark changes.
   */
  readonly dark?: PerSensor<SensorDark> | undefined;
}

/**
 * Puts the images of a detector's sensors into one picture, shot after shot.
 *
 * The beam is at (width / 2, height / 2); in the source view column = width / 2 + X / pixelSize and
 * row = height / 2 − Y / pixelSize, in the detector view column c becomes width − 1 − c. Default size: 2399 × 2399 for
 * an octal at 50 µm, as DataConvert's pictures and the talk's; otherwise the smallest square around the beam that holds
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
 * WebAssembly paints detectors of 65 536 pixels or more whose sensors are turned by less than 3° from a multiple of
 * 90°, with pixels as large as the picture's (within 1 % for `"nearest"`). Plain loops paint all others several times
 * slower, and the same picture: to the bit with `"nearest"`, within 10⁻⁶ of the largest value under the pixel with
 * `"area"`.
 *
 * Maps are made at the first use and kept: for an octal at 50 µm 0.1 MB with `"nearest"`, 2 MB with `"area"`, in 0.5 s
 * (see {@link mapBytes}); plain loops need up to 20 bytes and 1 µs a pixel. Beside them lie the picture (23 MB) and,
 * once used, the images given in {@link inputs} and the darks (17 MB each).
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
  readonly #unplaced: readonly string[];
  readonly #uses: readonly (Uint8Array | null)[];
  readonly #paints: readonly SensorInput[];
  /** Copies of strided views, made when first needed. */
  readonly #packed: (Float32Array | undefined)[] = [];
  /** The darks the painter knows, as they were given. */
  readonly #darks: (SensorDark | undefined)[] = [];
  #made: { readonly painter: Resampler; readonly memory: ShotMemory } | undefined;
  #output: Image | undefined;

  /**
   * @param sensors - what each sensor says of itself, in the order images will come
   * @throws BAD_ARGUMENT when there is no sensor, an id comes twice, an option is wrong, or a mask does not fit
   * @throws BAD_GEOMETRY when a sensor's geometry is absent or not finite, or the halves of the detector are open
   */
  constructor(sensors: readonly DetectorInfo[], options: AssemblerOptions) {
    if (sensors.length === 0) throw badArgument("sensors", "an empty list", "at least one sensor");
    const indexById = new Map(sensors.map(({ id }, i) => [id, i]));
    if (indexById.size !== sensors.length)
      throw badArgument("sensors", sensors.map(({ id }) => id).join(", "), "each sensor once");
    const resolved = resolveAssembly(sensors, options);
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
    this.#unplaced = options.unplaced ?? [];
    this.#uses = sensors.map(({ id, ysize, xsize }, i) =>
      masks === undefined ? null : readMask(`the mask of ${id}`, entryFor(masks, i, id), ysize, xsize),
    );
    this.#paints = resolved.gains.map((gain) => ({ pixels: null, offset: 0, dark: false, gain }));
  }

  /** Memory of the precomputed maps, in bytes. Makes them if they are not there yet. */
  get mapBytes(): number {
    return this.#maps().painter.bytes;
  }

  /**
   * Memory of the assembler's own for the images of one shot: one per sensor in their order, row by row. An image given
   * to {@link assemble} in this memory is read where it is; any other is copied first (about 0.4 ms for an octal of
   * uint16). Every call gives the same memory, the same bytes for both types, and assembling leaves it as it is.
   *
   * @example
   * const images = assembler.inputs("uint16");
   * for (const [i, image] of images.entries()) await readInto(image, sensors[i]);
   * assembler.assemble(images, { out: assembler.output });
   */
  inputs<T extends PixelType>(type: T): (T extends "uint16" ? Uint16Array : Float32Array)[];
  inputs(type: PixelType): Pixels[] {
    asOneOf("type", type, ["uint16", "float32"]);
    const { memory } = this.#maps();
    return this.sensors.map((_, i) => memory.input(i, type));
  }

  /**
   * A picture in memory of the assembler's own, shape [height, width]: as `out` it is painted without a copy (about
   * 1.5 ms for an octal). Every call of {@link assemble} may paint over it, whatever its `out`.
   */
  get output(): Image {
    this.#output ??= asImage(this.#maps().memory.output, this.height, this.width);
    return this.#output;
  }

  /**
   * The picture of one shot, calibrated on the way: (image − dark) × relative gain, in single precision.
   *
   * @param images - one per sensor, shape [ysize, xsize], in the order of the sensors or by sensor id; a sensor that is
   * absent, null or undefined was not read and its area keeps the gap value. float64 is rounded to float32 first
   * @param options - `out`: an image to paint into; then no image is allocated (strided views are copied to memory kept
   * from the first call on). `dark`: what to subtract
   * @returns shape [height, width]; `out` itself when it was given
   * @throws BAD_ARGUMENT when an image, a dark or `out` has the wrong shape, or a sensor is unknown
   * @throws NO_DARK when there are darks, but none for a sensor that was read
   * @example
   * const picture = assembler.assemble(images, { dark: darkMeans, out: assembler.output });
   */
  assemble(images: PerSensor<SensorImage>, options: AssembleOptions = {}): Image {
    resolveOptions("assemble", options, { out: any, dark: any });
    checkPerSensor("images", images, this.#indexById, this.#unplaced);
    if (options.dark !== undefined) checkPerSensor("dark", options.dark, this.#indexById, this.#unplaced);
    const out = options.out ?? asImage(new Float32Array(this.width * this.height), this.height, this.width);
    const target = this.#target(out);
    const { painter } = this.#maps();
    try {
      for (let i = 0; i < this.sensors.length; i++) {
        const info = this.sensors[i];
        const paint = this.#paints[i];
        if (info === undefined || paint === undefined) continue;
        this.#load(paint, info, i, entryFor(images, i, info.id));
        paint.dark = options.dark !== undefined && paint.pixels !== null;
        if (options.dark !== undefined && paint.dark)
          this.#loadDark(info, i, entryFor(options.dark, i, info.id), painter);
      }
      painter.resample(this.#paints, this.gapValue, target);
    } finally {
      // The caller's images must not live on in here.
      for (const paint of this.#paints) paint.pixels = null;
    }
    return out;
  }

  /**
   * Standard errors of the picture that {@link assemble} makes, from those of the sensor pixels, which must not depend
   * on each other. `"nearest"`: the error of the pixel shown, times its relative gain. `"area"`: the root of the summed
   * squares of overlap × relative gain × error; neighbouring pixels of the picture share sensor pixels, so their errors
   * are correlated. An error that is NaN makes NaN of all that it touches.
   *
   * @param errors - one per sensor, as {@link assemble} takes images
   * @returns shape [height, width]; `gapValue` where nothing is
   * @throws BAD_ARGUMENT when an array has the wrong shape, or a sensor is unknown
   */
  assembleErrors(errors: PerSensor<SensorImage>): Image {
    if (this.method === "nearest") return this.assemble(errors);
    checkPerSensor("errors", errors, this.#indexById, this.#unplaced);
    const { canvas, placements, gains } = this.#resolved;
    const out = asImage(new Float32Array(this.width * this.height), this.height, this.width);
    const paints = this.sensors.map((info, i): SensorInput => {
      const paint = { pixels: null, offset: 0, dark: false, gain: gains[i] ?? 1 };
      this.#load(paint, info, i, entryFor(errors, i, info.id));
      return paint;
    });
    areaErrors(canvas, placements, this.#uses, paints, this.gapValue, out.data);
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
    this.#maps().painter.coverage(cover);
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
      return {
        sensor: info.id,
        index,
        row: Math.floor(exactRow),
        column: Math.floor(exactColumn),
        exactRow,
        exactColumn,
      };
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
    return {
      column: columnOfX(canvas, placeX(placement, row, column)),
      row: rowOfY(canvas, placeY(placement, row, column)),
    };
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
    return {
      column: columnOfX(canvas, asFinite("xUm", xUm) / this.pixelSizeUm),
      row: rowOfY(canvas, asFinite("yUm", yUm) / this.pixelSizeUm),
    };
  }

  /** The place in µm from the beam (X right looking from the source, Y up) of a place in the picture. */
  imageToMicrometres(column: number, row: number): { xUm: number; yUm: number } {
    const { canvas } = this.#resolved;
    return {
      xUm: xOfColumn(canvas, asFinite("column", column)) * this.pixelSizeUm,
      yUm: yOfRow(canvas, asFinite("row", row)) * this.pixelSizeUm,
    };
  }

  #maps(): { readonly painter: Resampler; readonly memory: ShotMemory } {
    const { canvas, placements, method } = this.#resolved;
    this.#made ??= makeResampler(method, canvas, placements, this.#uses);
    return this.#made;
  }

  #find(sensor: string | number): { info: DetectorInfo; placement: Placement } {
    const index =
      typeof sensor === "string"
        ? this.#indexById.get(sensor)
        : asInteger("sensor", sensor, 0, this.sensors.length - 1);
    const info = index === undefined ? undefined : this.sensors[index];
    const placement = index === undefined ? undefined : this.#resolved.placements[index];
    if (info === undefined || placement === undefined)
      throw badArgument("sensor", sensor, `one of ${[...this.#indexById.keys()].join(", ")}`);
    return { info, placement };
  }

  #target(out: Image): Float32Array {
    const { width, height } = this;
    if (
      !(out.data instanceof Float32Array) ||
      out.shape.length !== 2 ||
      out.shape[0] !== height ||
      out.shape[1] !== width ||
      !isContiguous(out)
    ) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `out has shape [${out.shape.join(", ")}] and strides [${out.stride.join(", ")}], ` +
          `but must be a row-major float32 image of [${height}, ${width}].`,
      );
    }
    return out.offset === 0 && out.data.length === width * height
      ? out.data
      : out.data.subarray(out.offset, out.offset + width * height);
  }

  #loadDark(
    { id, ysize, xsize }: DetectorInfo,
    index: number,
    dark: SensorDark | null | undefined,
    painter: Resampler,
  ): void {
    if (dark === null || dark === undefined) {
      throw new SaclaError(
        "NO_DARK",
        `There is no dark for ${id}. Give one for each sensor that was read, or no dark at all.`,
        { details: { sensor: id } },
      );
    }
    if (this.#darks[index] === dark) return;
    painter.setDark(index, darkPixels(`the dark of ${id}`, dark, ysize, xsize));
    this.#darks[index] = dark;
  }

  #load(paint: SensorInput, info: DetectorInfo, index: number, image: SensorImage | null | undefined): void {
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
    const copy = this.#packed[index] ?? new Float32Array(ysize * xsize);
    this.#packed[index] = copy;
    packPixels(image, ysize, xsize, copy);
    paint.pixels = copy;
    paint.offset = 0;
  }
}
