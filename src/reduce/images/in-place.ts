import type { Pixels } from "../../core/ndarray.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { subtractDark } from "../dark-means.ts";
import { kernelBinary } from "./kernel-binary.ts";

/** Pixels brought into the memory of the kernel at a time. */
const TILE = 8192;

/** The functions of kernels/images.ts, which work on an image where it lies; addresses in bytes. */
interface ImageKernel {
  differenceU16(pixels: number, n: number, dark: number, out: number): void;
  differenceF32(pixels: number, n: number, dark: number, out: number): void;
  multiplyF32(pixels: number, n: number, factor: number, factors: number): void;
  betweenF32(pixels: number, n: number, low: number, high: number, replaced: number): void;
  litF32(pixels: number, n: number, least: number): number;
  peaksF32(pixels: number, rows: number, columns: number, least: number, snr: number): number;
}

interface Place {
  readonly kernel: ImageKernel;
  readonly arena: Arena;
  readonly tile: Uint16Array;
  /** Address of each map that was copied there; 0 for one that has no room. */
  readonly maps: Map<Float64Array, number>;
}

const places = new WeakMap<Float32Array, Place>();

/**
 * Memory for an image that is changed or looked at where it lies, where the kernel can work on it if there is room.
 * @param maps - one number of each pixel, such as a dark: how many can lie beside it
 */
export function imageInPlace(length: number, maps = 0): Float32Array {
  try {
    const arena = new Arena(imageBytes(length, maps));
    const image = arena.float32(length);
    const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as ImageKernel;
    places.set(image, { kernel, arena, tile: arena.uint16(TILE), maps: new Map() });
    return image;
  } catch (error) {
    if (error instanceof RangeError) return new Float32Array(length);
    throw error;
  }
}

/** Bytes of such memory. */
export function imageBytes(length: number, maps: number): number {
  return Arena.bytesFor([4 * length, 2 * TILE, ...Array.from({ length: maps }, () => 8 * length)]);
}

/** Undefined for an image that lies elsewhere. */
export function kernelOf(image: Pixels): ImageKernel | undefined {
  return image instanceof Float32Array ? places.get(image)?.kernel : undefined;
}

/** The address of a map beside the image, copied there when it first comes; 0 when it cannot be there. */
function mapBeside(place: Place | undefined, map: Float64Array): number {
  if (place === undefined) return 0;
  const known = place.maps.get(map);
  if (known !== undefined) return known;
  let address = 0;
  try {
    const copy = place.arena.float64(map.length);
    copy.set(map);
    address = copy.byteOffset;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  place.maps.set(map, address);
  return address;
}

/**
 * Brings an image into `image`, less the dark when there is one: in double precision, then rounded to float32.
 * `pixels` may be `image` itself.
 */
export function takeDifference(pixels: Pixels, dark: Float64Array | undefined, image: Float32Array): void {
  const place = places.get(image);
  const address = dark === undefined ? 0 : mapBeside(place, dark);
  if (place === undefined || (dark !== undefined && address === 0)) {
    if (dark === undefined) image.set(pixels);
    else subtractDark(pixels, dark, image);
    return;
  }
  const { kernel, tile } = place;
  if (pixels instanceof Float32Array) {
    if (pixels !== image) image.set(pixels);
    if (address !== 0) kernel.differenceF32(image.byteOffset, image.length, address, image.byteOffset);
    return;
  }
  for (let first = 0; first < pixels.length; first += TILE) {
    const part = pixels.subarray(first, first + TILE);
    tile.set(part);
    const level = address === 0 ? 0 : address + 8 * first;
    kernel.differenceU16(tile.byteOffset, part.length, level, image.byteOffset + 4 * first);
  }
}

/** Multiplies each pixel by a number, or by one of its own. */
export function multiply(pixels: Float32Array, factor: number | Float64Array): void {
  const place = places.get(pixels);
  const isNumber = typeof factor === "number";
  const factors = isNumber ? 0 : mapBeside(place, factor);
  if (place !== undefined && (isNumber || factors !== 0))
    place.kernel.multiplyF32(pixels.byteOffset, pixels.length, isNumber ? factor : NaN, factors);
  else if (isNumber) for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] ?? NaN) * factor;
  else for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] ?? NaN) * (factor[i] ?? NaN);
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
