import { SaclaError, show } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { type NdArray, shapeOf } from "../core/ndarray.ts";

/** Kinds of memory a sensor image may have. */
export type PixelArray = Float32Array | Float64Array | Uint16Array;

/** One sensor's image: an array of shape [ysize, xsize], or its pixels row by row. */
export type SensorImage = NdArray<PixelArray> | PixelArray;

/** What one sensor shows without light, in ADU: an array of shape [ysize, xsize], or its pixels row by row. */
export type SensorDark = NdArray<Float32Array | Float64Array> | Float32Array | Float64Array;

/** Which pixels of one sensor to use: 1 = use, 0 = do not. Shape [ysize, xsize], or row by row. */
export type SensorMask = NdArray<Int16Array | Uint8Array> | Int16Array | Uint8Array;

/** Something for each sensor: in the order of the sensors, or by sensor id. Absent, null and undefined mean none. */
export type PerSensor<T> = readonly (T | null | undefined)[] | Readonly<Record<string, T | null | undefined>>;

function isList<T>(all: PerSensor<T>): all is readonly (T | null | undefined)[] {
  return Array.isArray(all);
}

/** The entry of sensor number `index`. Call {@link checkPerSensor} once first. */
export function entryFor<T>(all: PerSensor<T>, index: number, id: string): T | null | undefined {
  return isList(all) ? all[index] : all[id];
}

/**
 * @param others - what a record may name besides
 * @throws BAD_ARGUMENT when a list has the wrong length or a record names a sensor that is not there
 */
export function checkPerSensor<T>(
  name: string,
  all: PerSensor<T>,
  indexById: ReadonlyMap<string, number>,
  others: readonly string[] = [],
): void {
  if (isList(all)) {
    if (all.length !== indexById.size)
      throw badArgument(
        name,
        `${all.length} entries`,
        `one entry for each of the ${indexById.size} sensors (null for none)`,
      );
    return;
  }
  for (const id in all) {
    if (!indexById.has(id) && !others.includes(id))
      throw badArgument(`a sensor in ${name}`, id, `one of ${[...indexById.keys()].join(", ")}`);
  }
}

/**
 * `mask` as one byte per pixel, row by row, or null when it leaves everything in use.
 * @throws BAD_ARGUMENT when its shape is not [rows, columns] or a value is neither 0 nor 1
 */
export function readMask(
  name: string,
  mask: SensorMask | null | undefined,
  rows: number,
  columns: number,
): Uint8Array | null {
  if (mask === null || mask === undefined) return null;
  const at = pixelReader(name, mask, rows, columns);
  const use = new Uint8Array(rows * columns);
  let unused = 0;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const value = at(r, c);
      // A mask of reasons (0 = good) read as 1 = use would turn the picture inside out without a word.
      if (value !== 0 && value !== 1) {
        throw badArgument(
          `${name} at [${r}, ${c}]`,
          value,
          "1 (use) or 0 (do not); turn a mask of reasons into this with usable(mask)",
        );
      }
      use[r * columns + c] = value;
      if (value === 0) unused++;
    }
  }
  return unused === 0 ? null : use;
}

/**
 * `dark` in single precision, row by row, always as a copy.
 * @throws BAD_ARGUMENT when its shape is not [rows, columns] or its memory is not of floating-point numbers
 */
export function darkPixels(name: string, dark: SensorDark, rows: number, columns: number): Float32Array {
  if (dark instanceof Float32Array || dark instanceof Float64Array) {
    checkLength(name, dark.length, rows, columns);
    return new Float32Array(dark);
  }
  checkShape(name, dark, rows, columns);
  if (!(dark.data instanceof Float32Array || dark.data instanceof Float64Array)) {
    throw badArgument(`the memory of ${name}`, show(dark.data), "a Float32Array or Float64Array");
  }
  const values = new Float32Array(rows * columns);
  packPixels(dark, rows, columns, values);
  return values;
}

function pixelReader(
  name: string,
  mask: SensorMask,
  rows: number,
  columns: number,
): (row: number, column: number) => number {
  if (mask instanceof Int16Array || mask instanceof Uint8Array) {
    checkLength(name, mask.length, rows, columns);
    return (r, c) => mask[r * columns + c] ?? NaN;
  }
  checkShape(name, mask, rows, columns);
  return (r, c) => mask.get(r, c);
}

/** @throws BAD_ARGUMENT when a flat list of pixels has not rows × columns entries */
export function checkLength(name: string, length: number, rows: number, columns: number): void {
  if (length !== rows * columns) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${name} has ${length} pixels, but the sensor has ${rows} × ${columns} = ${rows * columns}.`,
    );
  }
}

/** @throws BAD_ARGUMENT when `image` is not [rows, columns] */
export function checkShape(name: string, image: NdArray, rows: number, columns: number): void {
  const [r, c] = shapeOf(name, image);
  if (r !== rows || c !== columns) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${name} has shape [${r}, ${c}], but the sensor has [ysize, xsize] = [${rows}, ${columns}].`,
    );
  }
}

export function isPixelArray(data: unknown): data is PixelArray {
  return data instanceof Float32Array || data instanceof Float64Array || data instanceof Uint16Array;
}

/** Whether the pixels of a 2-D array lie row by row without gaps. */
export function isContiguous(image: NdArray): boolean {
  return image.stride[1] === 1 && image.stride[0] === image.shape[1];
}

/** Copies a strided view row by row into `to`. */
export function packPixels(
  image: NdArray<PixelArray>,
  rows: number,
  columns: number,
  to: Float32Array | Float64Array,
): void {
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[r * columns + c] = image.get(r, c);
}

/** The error for an image whose memory is of another kind. */
export function wrongPixels(name: string, data: unknown): SaclaError {
  return badArgument(`the memory of ${name}`, show(data), "a Float32Array, Float64Array or Uint16Array");
}
