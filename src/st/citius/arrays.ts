import ndarray from "ndarray";
import { SaclaError } from "../../core/errors.ts";
import { checkNdarray, type NdArray } from "../../core/ndarray.ts";

/** Images of several CITIUS sensors in one piece of memory, shape [sensors, ysize, xsize], row-major. */
export type SensorStack<T extends Float32Array | Uint8Array = Float32Array> = NdArray<T>;

export function newStack<T extends Float32Array | Uint8Array>(
  data: T,
  sensors: number,
  ysize: number,
  xsize: number,
): SensorStack<T> {
  return ndarray(data, [sensors, ysize, xsize]);
}

/** The memory of `out`, which must be row-major and of this shape. @throws BAD_ARGUMENT */
export function contiguousMemory<T extends Float32Array | Uint8Array>(
  out: NdArray<T>,
  type: "float32" | "uint8",
  shape: readonly number[],
): T {
  const right: unknown = type === "float32" ? Float32Array : Uint8Array;
  const isRowMajor = shape.every((_, i) => out.stride[i] === shape.slice(i + 1).reduce((a, b) => a * b, 1));
  if (
    out.data.constructor !== right ||
    out.shape.length !== shape.length ||
    !shape.every((n, i) => out.shape[i] === n) ||
    !isRowMajor
  ) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `out is ${out.dtype} of shape [${out.shape.join(", ")}], but must be ${type}, ` +
        `row-major, of [${shape.join(", ")}].`,
    );
  }
  const length = shape.reduce((a, b) => a * b, 1);
  return out.data.subarray(out.offset, out.offset + length) as T;
}

/**
 * The memory of `out`, which must be row-major with so many pixels: scripts pass (728, 384) and (384, 728).
 * @throws BAD_ARGUMENT
 */
export function memoryOfSize<T extends Float32Array | Uint8Array>(
  out: NdArray<T>,
  type: "float32" | "uint8",
  pixels: number,
): T {
  checkNdarray("out", out);
  const size = out.shape.reduce((a, b) => a * b, 1);
  return contiguousMemory(out, type, size === pixels ? out.shape : [pixels]);
}

/**
 * The images of a stack one by one, shape [ysize, xsize] each: views on its memory, as `Assembler.assemble` takes them.
 */
export function imagesOf<T extends Float32Array | Uint8Array>(stack: SensorStack<T>): NdArray<T>[] {
  return Array.from({ length: stack.shape[0] ?? 0 }, (_, i) => stack.pick(i, null, null));
}
