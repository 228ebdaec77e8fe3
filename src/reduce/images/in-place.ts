import type { Pixels } from "../../core/ndarray.ts";
import { Arena, instantiateKernel } from "../../core/wasm.ts";
import { subtractDark } from "../dark-means.ts";
import { kernelBinary } from "./kernel-binary.ts";

/**
 * Pixels that kernels take in at a time, by one after the other: a piece of 8 images stays in the cache between them.
 */
export const TILE = 8192;

/** The functions of kernels/images.ts, which work on an image where it lies; addresses in bytes. */
interface ImageKernel {
  differencesU16(
    pixels: number,
    count: number,
    stride: number,
    n: number,
    dark: number,
    out: number,
    outStride: number,
  ): void;
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

/** What a chain of corrections does to the images of one sensor. */
export interface SensorCorrection {
  /** Taken off each pixel first. */
  readonly level: Float64Array | undefined;
  /** Then done to the pixels in this order, in place; `first` is the number of the first of them. */
  readonly steps: readonly ((pixels: Float32Array, first: number) => void)[];
  /** Whether a piece of an image can be corrected by itself, and when other shots have come meanwhile. */
  readonly isPixelwise: boolean;
  /** A whole image corrected, in `out` or else in memory that is reused. */
  image(pixels: Pixels, out?: Float32Array): Float32Array;
}

/** Writes consecutive pixels, corrected, into `out`; `first` is the number of the first of them in their image. */
export function correctInto(correction: SensorCorrection, pixels: Pixels, out: Float32Array, first = 0): void {
  correctEach(correction, [pixels], [out], first);
}

/** The same of the same pixels of several images: what is taken off each is loaded once for all. */
export function correctEach(
  { level, steps }: SensorCorrection,
  images: readonly Pixels[],
  outs: readonly Float32Array[],
  first = 0,
): void {
  if (!takeDifferences(images, level, outs, first))
    for (const [k, out] of outs.entries()) takeDifference(images[k] ?? out, level, out, first);
  for (const out of outs) for (const step of steps) step(out, first);
}

/**
 * Memory for an image that is changed or looked at where it lies, where the kernel can work on it if there is room.
 * @param maps - one number of each pixel, such as a dark: how many can lie beside it
 */
export function imageInPlace(length: number, maps = 0): Float32Array {
  try {
    const arena = new Arena(imageBytes(length, maps));
    const image = arena.float32(length);
    letKernelWorkOn([image], arena);
    return image;
  } catch (error) {
    if (error instanceof RangeError) return new Float32Array(length);
    throw error;
  }
}

/** Lets the kernel work on images, or pieces of them, in the arena; maps are copied beside them once for all. */
export function letKernelWorkOn(images: readonly Float32Array[], arena: Arena): void {
  const kernel = instantiateKernel(kernelBinary, arena.memory) as unknown as ImageKernel;
  const place = { kernel, arena, tile: arena.uint16(TILE, false), maps: new Map<Float64Array, number>() };
  for (const image of images) places.set(image, place);
}

/** Bytes of such memory. */
export function imageBytes(length: number, maps: number): number {
  return Arena.bytesFor([4 * length, 2 * TILE, ...Array.from({ length: maps }, () => 8 * length)]);
}

/** Undefined for an image that lies elsewhere. */
export function kernelOf(image: Pixels): ImageKernel | undefined {
  return image instanceof Float32Array ? places.get(image)?.kernel : undefined;
}

/** The memory in which an image lies, when that is an arena with room for so many bytes more. */
export function arenaAround(image: Float32Array, bytes: number): Arena | undefined {
  const arena = places.get(image)?.arena;
  return arena !== undefined && arena.room >= bytes ? arena : undefined;
}

/** The address of a map beside the image, copied there when it first comes; 0 when it cannot be there. */
function mapBeside(place: Place | undefined, map: Float64Array): number {
  if (place === undefined) return 0;
  const known = place.maps.get(map);
  if (known !== undefined) return known;
  let address = 0;
  try {
    const copy = place.arena.float64(map.length, false);
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
 * @param first - number of the first pixel, for a piece of an image
 */
export function takeDifference(
  pixels: Pixels,
  dark: Float64Array | undefined,
  image: Float32Array,
  first: number = 0,
): void {
  const place = places.get(image);
  const address = dark === undefined ? 0 : mapBeside(place, dark);
  if (place === undefined || (dark !== undefined && address === 0)) {
    if (dark === undefined) image.set(pixels);
    else subtractDark(pixels, dark.subarray(first), image);
    return;
  }
  const { kernel, tile } = place;
  const level = address === 0 ? 0 : address + 8 * first;
  if (pixels instanceof Float32Array) {
    if (pixels !== image) image.set(pixels);
    if (level !== 0) kernel.differenceF32(image.byteOffset, image.length, level, image.byteOffset);
    return;
  }
  for (let at = 0; at < pixels.length; at += TILE) {
    const part = pixels.subarray(at, at + TILE);
    tile.set(part);
    const dark = level === 0 ? 0 : level + 8 * at;
    kernel.differencesU16(tile.byteOffset, 1, 0, part.length, dark, image.byteOffset + 4 * at, 0);
  }
}

/** {@link takeDifference} of images that lie in the memory of the kernel, equally far apart; false when they do not. */
function takeDifferences(
  images: readonly Pixels[],
  dark: Float64Array | undefined,
  outs: readonly Float32Array[],
  first: number,
): boolean {
  const [from, to] = [images[0], outs[0]];
  if (!(from instanceof Uint16Array) || to === undefined || from.buffer !== to.buffer) return false;
  const place = places.get(to);
  const address = dark === undefined ? 0 : mapBeside(place, dark);
  if (place === undefined || (dark !== undefined && address === 0)) return false;
  const stride = (images[1] ?? from).byteOffset - from.byteOffset;
  const outStride = (outs[1] ?? to).byteOffset - to.byteOffset;
  for (const [k, out] of outs.entries())
    if (images[k]?.byteOffset !== from.byteOffset + k * stride || out.byteOffset !== to.byteOffset + k * outStride)
      return false;
  const level = address === 0 ? 0 : address + 8 * first;
  const { kernel } = place;
  kernel.differencesU16(from.byteOffset, outs.length, stride, to.length, level, to.byteOffset, outStride);
  return true;
}

/**
 * Multiplies each pixel by a number, or by one of its own.
 * @param first - number of the first pixel, for a piece of an image
 */
export function multiply(pixels: Float32Array, factor: number | Float64Array, first: number = 0): void {
  const place = places.get(pixels);
  const isNumber = typeof factor === "number";
  const factors = isNumber ? 0 : mapBeside(place, factor);
  if (place !== undefined && (isNumber || factors !== 0))
    place.kernel.multiplyF32(
      pixels.byteOffset,
      pixels.length,
      isNumber ? factor : NaN,
      isNumber ? 0 : factors + 8 * first,
    );
  else if (isNumber) for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] ?? NaN) * factor;
  else for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] ?? NaN) * (factor[first + i] ?? NaN);
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
