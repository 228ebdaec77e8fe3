import ndarray, { type NdArray } from "ndarray";
import { SaclaError } from "./errors.ts";
import { badArgument, isRecord } from "./guards.ts";

export type { NdArray };

/** A 2-D image, shape [ysize, xsize] (rows, columns), row-major unless it is a view. */
export type Image = NdArray<Float32Array>;

/** Pixels as a detector delivers them: float32, or unsigned 16-bit ADU. */
export type Pixels = Float32Array | Uint16Array;

/** The element type of {@link Pixels}. */
export type PixelType = "float32" | "uint16";

/** A 2-D image as read, shape [ysize, xsize], row-major unless it is a view. */
export type RawImage = NdArray<Pixels>;

/** Arrays by the name of their elements, as NumPy and HDF5 readers write it without the byte order. */
export const numberArrays = {
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  f4: Float32Array,
  f8: Float64Array,
} as const;

type NumberArrayType = (typeof numberArrays)[keyof typeof numberArrays];
type NumberArray = InstanceType<NumberArrayType>;

/** New, zeroed memory for `length` pixels. */
export function newPixels(length: number, type: PixelType): Pixels {
  return type === "uint16" ? new Uint16Array(length) : new Float32Array(length);
}

/** The element type of pixels. */
export function pixelTypeOf(pixels: Pixels): PixelType {
  return pixels instanceof Uint16Array ? "uint16" : "float32";
}

/** An image of sums or means, kept in double precision. Shape [ysize, xsize]. */
export type PreciseImage = NdArray<Float64Array>;

/**
 * An image over existing memory: no copy, shares `data`.
 * @throws BAD_ARGUMENT when the length is not rows × columns @throws MEMORY_TRANSFERRED
 */
export function asImage<T extends Float32Array | Float64Array | Uint8Array | Int16Array | Uint16Array>(
  data: T,
  rows: number,
  columns: number,
): NdArray<T> {
  checkHere("The image", data, rows * columns);
  if (data.length !== rows * columns) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${data.length} values cannot be an image of ${rows} × ${columns}: ${rows * columns} are needed.`,
    );
  }
  return ndarray(data, [rows, columns]);
}

/** Rows and columns of a 2-D array. @throws BAD_ARGUMENT when it is not 2-D @throws MEMORY_TRANSFERRED */
export function shapeOf(name: string, image: NdArray): [rows: number, columns: number] {
  checkNdarray(name, image);
  const [rows, columns] = image.shape;
  if (image.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `${name} has shape [${image.shape.join(", ")}], but must be 2-D: [ysize, xsize].`,
    );
  }
  checkHere(name, image.data, rows * columns);
  return [rows, columns];
}

/** @throws BAD_ARGUMENT for what is no ndarray, a typed array alone too */
export function checkNdarray(name: string, value: NdArray): void {
  if (Array.isArray(value?.shape)) return;
  throw badArgument(name, value, "an ndarray, made with ndarray(data, [ysize, xsize])");
}

/** Memory that was sent to another thread has no bytes left here. */
function checkHere(name: string, data: NdArray["data"], needed: number): void {
  if (needed === 0 || !ArrayBuffer.isView(data) || data.buffer.byteLength > 0) return;
  throw new SaclaError(
    "MEMORY_TRANSFERRED",
    `The memory of ${name === "image" ? "the image" : name} is not here any more: its buffer was transferred.`,
  );
}

/**
 * The pixels of a 2-D array as one row-major run: the array's own memory when it is already that (no copy),
 * a copy when it is a strided view.
 */
export function contiguous(image: RawImage): Pixels {
  const [rows, columns] = shapeOf("image", image);
  const [rowStride, columnStride] = image.stride;
  if (columnStride === 1 && rowStride === columns)
    return image.data.subarray(image.offset, image.offset + rows * columns);
  const out = newPixels(rows * columns, pixelTypeOf(image.data));
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[r * columns + c] = image.get(r, c);
  return out;
}

/** Whether a value is an ndarray, whatever its axes and its numbers. */
export function isNdArray(value: unknown): value is NdArray {
  return isRecord(value) && Array.isArray(value["shape"]) && typeof value["get"] === "function";
}

/**
 * The numbers of an array of any number of axes as one row-major run: the memory of the array where it is that (no
 * copy), else a copy. Numbers that are in no typed array are given as float64.
 */
export function rowMajor(array: NdArray): NumberArray {
  const { shape, stride, offset } = array;
  const data = ArrayBuffer.isView(array.data) ? (array.data as NumberArray) : undefined;
  const length = shape.reduce((n, size) => n * size, 1);
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, size) => n * size, 1));
  if (data !== undefined && steps.every((step, axis) => step === stride[axis] || shape[axis] === 1))
    return data.subarray(offset, offset + length);
  const out = data === undefined ? new Float64Array(length) : new (data.constructor as NumberArrayType)(length);
  const index = shape.map(() => 0);
  for (let i = 0; i < length; i++) {
    out[i] = Number(array.get(...index));
    for (let axis = index.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
  return out;
}
