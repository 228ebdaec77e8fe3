import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { kernelBinary } from "../engine/kernel-binary.ts";

/** The functions of kernels/reduce.ts that change an image where it lies; addresses in bytes. */
interface InPlaceKernel {
  betweenF32(pixels: number, n: number, low: number, high: number, replaced: number): void;
}

const kernels = new WeakMap<Float32Array, InPlaceKernel>();

/** Memory for an image that corrections change, where the kernel can work on it if there is room. */
export function imageInPlace(length: number): Float32Array {
  try {
    const arena = new Arena(4 * length);
    const image = arena.float32(length);
    kernels.set(image, instantiateKernel(kernelBinary, arena.memory) as unknown as InPlaceKernel);
    return image;
  } catch (error) {
    if (error instanceof RangeError) return new Float32Array(length);
    throw error;
  }
}

/** Undefined for an image that lies elsewhere. */
export function kernelOf(image: Float32Array): InPlaceKernel | undefined {
  return kernels.get(image);
}

const bits = new DataView(new ArrayBuffer(4));

/** The least float32 that is not below `x`: float32 numbers are at or above one when they are at or above the other. */
export function float32From(x: number): number {
  const near = Math.fround(x);
  if (!(near < x)) return near;
  bits.setFloat32(0, near);
  // The bits of positive numbers count up, those of negative ones down.
  if (near === 0) return 2 ** -149;
  bits.setInt32(0, bits.getInt32(0) + (near > 0 ? 1 : -1));
  return bits.getFloat32(0);
}
