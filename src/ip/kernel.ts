import { SaclaError } from "../core/errors.ts";
import type { Pixels, PixelType } from "../core/ndarray.ts";
import { Arena, hasFunctions, instantiateKernel } from "../core/wasm.ts";
import { kernelBinary } from "./kernel-binary.ts";
import type { PixelArray } from "./pixels.ts";
import type { PictureGrid, Placement } from "./placement.ts";
import type { ShotMemory } from "./resampler.ts";

/** What paint16 and paint32 take: see {@link AssembleKernel}. */
type PaintRectangle = (
  raw: number,
  dark: number,
  gain: number,
  out: number,
  rows: number,
  columns: number,
  pitch: number,
  perRow: number,
  perColumn: number,
) => number;
type GatherPixels = (list: number, count: number, raw: number, dark: number, gain: number, out: number) => void;

/**
 * The functions of kernels/assemble.ts. Addresses are bytes of the arena, steps are elements. `dark` 0 means none.
 */
interface AssembleKernel {
  /**
   * Calibrates a rectangle of `rows` × `columns` sensor pixels (at least 4 each) into a picture. `raw`: its pixel of
   * lowest row and column; `pitch`: columns of the sensor; `out`: where that pixel goes; `perRow`, `perColumn`: from
   * there to the next sensor row's and column's. One of the two is 1 or −1. `dark`: as `pack` left it.
   */
  readonly paint16: PaintRectangle;
  readonly paint32: PaintRectangle;
  /** Reorders float32 `values` of a rectangle as its paint will read them: see {@link packedBytes}. */
  readonly pack: (
    values: number,
    dark: number,
    rows: number,
    columns: number,
    pitch: number,
    perRow: number,
    perColumn: number,
  ) => number;
  /**
   * Calibrates single pixels: `count` pairs (to, from) of numbers of pixels. `dark`: one float32 each, in that order.
   */
  readonly gather16: GatherPixels;
  readonly gather32: GatherPixels;
  /** Sets `count` spans (first, number) of `out`. */
  readonly fill: (list: number, count: number, value: number, out: number) => void;
  /**
   * Weighted sums of two by two pixels along `count` runs (to, from, length, four weights, what each grows by a pixel),
   * of 4 pixels or more. The four lie at `from`, and `perColumn`, `perRow` and both further.
   */
  readonly blend: (list: number, count: number, pixels: number, perColumn: number, perRow: number, out: number) => void;
  /**
   * Weighted sums of any pixels: `bytes` of (to, n, n × (from, weight)), in place of what is there or, with `adds`, on
   * top.
   */
  readonly collect: (list: number, bytes: number, pixels: number, adds: number, out: number) => void;
}

const names = ["paint16", "paint32", "pack", "gather16", "gather32", "fill", "blend", "collect"] as const;

function isAssembleKernel(exports: object): exports is AssembleKernel {
  return hasFunctions(exports, names);
}

/** Bytes of a packed dark: the last blocks overlap, so all blocks are whole. */
export function packedBytes(rows: number, columns: number): number {
  return Math.ceil(rows / 4) * Math.ceil(columns / 4) * 64;
}

/** Numbers in the arena. */
export interface Stored {
  readonly address: number;
  readonly words: number;
}

/** An image in the arena. */
interface Staged {
  readonly address: number;
  /** Bytes of a pixel: 2 for uint16, 4 for float32. */
  readonly size: 2 | 4;
}

/**
 * One WebAssembly memory with everything an assembly needs: the maps, the darks, one image per sensor and the picture.
 * Pages that are never touched (darks, inputs) take no memory.
 */
export class KernelMemory implements ShotMemory {
  readonly kernel: AssembleKernel;
  readonly output: Float32Array;
  readonly outputAddress: number;
  readonly #arena: Arena;
  readonly #inputs: readonly { readonly address: number; readonly length: number }[];
  readonly #stageAddress: number;
  readonly #stage16: Uint16Array;
  readonly #stage32: Float32Array;

  /** @param extraBytes - what {@link store} and {@link reserve} will be asked for, each piece rounded up to 64 */
  constructor(canvas: PictureGrid, placements: readonly Placement[], extraBytes: number) {
    const lengths = placements.map(({ rows, columns }) => rows * columns);
    const longest = Math.max(...lengths);
    this.#arena = new Arena(shotBytes(canvas, placements) + extraBytes);
    const exports = instantiateKernel(kernelBinary, this.#arena.memory);
    if (!isAssembleKernel(exports))
      throw new SaclaError(
        "INTERNAL",
        "src/ip/kernel-binary.ts lacks a function of kernels/assemble.ts. Run npm run kernels.",
      );
    this.kernel = exports;
    this.output = this.#arena.float32(canvas.width * canvas.height);
    this.outputAddress = this.output.byteOffset;
    this.#inputs = lengths.map((length) => ({ address: this.#arena.allocate(length * 4), length }));
    this.#stageAddress = this.#arena.allocate(longest * 4);
    this.#stage16 = new Uint16Array(this.#arena.memory.buffer, this.#stageAddress, longest);
    this.#stage32 = new Float32Array(this.#arena.memory.buffer, this.#stageAddress, longest);
  }

  input(sensor: number, type: PixelType): Pixels {
    const { address = 0, length = 0 } = this.#inputs[sensor] ?? {};
    const { buffer } = this.#arena.memory;
    return type === "uint16" ? new Uint16Array(buffer, address, length) : new Float32Array(buffer, address, length);
  }

  store(words: Int32Array): Stored {
    const place = this.#arena.int32(words.length);
    place.set(words);
    return { address: place.byteOffset, words: words.length };
  }

  reserve(bytes: number): number {
    return this.#arena.allocate(bytes);
  }

  float32(address: number, length: number): Float32Array {
    return new Float32Array(this.#arena.memory.buffer, address, length);
  }

  /** The image in the arena: where it is, or as a copy that lasts until the next one is staged. */
  stage(pixels: PixelArray, offset: number, length: number): Staged {
    const is16 = pixels instanceof Uint16Array;
    if (pixels.buffer === this.#arena.memory.buffer && !(pixels instanceof Float64Array)) {
      return { address: pixels.byteOffset + offset * pixels.BYTES_PER_ELEMENT, size: is16 ? 2 : 4 };
    }
    const image = offset === 0 && pixels.length === length ? pixels : pixels.subarray(offset, offset + length);
    (is16 ? this.#stage16 : this.#stage32).set(image);
    return { address: this.#stageAddress, size: is16 ? 2 : 4 };
  }

  /** Copies the picture to where it was asked for, unless that is where it is. */
  deliver(out: Float32Array): void {
    if (out.buffer !== this.output.buffer || out.byteOffset !== this.outputAddress) out.set(this.output);
  }
}

/** Bytes of the picture, the images and the staging place. */
function shotBytes(canvas: PictureGrid, placements: readonly Placement[]): number {
  const lengths = placements.map(({ rows, columns }) => rows * columns);
  const numbers = [canvas.width * canvas.height, ...lengths, Math.max(...lengths)];
  return numbers.reduce((sum, n) => sum + padded(n * 4), 0);
}

/** Bytes that a piece of the arena takes. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/**
 * Largest memory of images, darks and picture for which kernels are used; beyond it, half of what WebAssembly can
 * address.
 */
const MOST_BYTES = 2 ** 31;
/**
 * Below this many sensor pixels a plain loop takes less than a millisecond, and a WebAssembly memory is not worth its
 * pages.
 */
const FEWEST_PIXELS = 2 ** 16;
/** Sine of 3°. Beyond it, the pieces in which a turned sensor follows the picture's pixels are too short to gain. */
const LARGEST_TURN = Math.sin((3 * Math.PI) / 180);

/**
 * Whether kernels paint a detector; otherwise the plain painters do. They do when it has enough pixels, fits their
 * memory, and the pixels of each sensor follow those of the picture, see {@link followsPicture}.
 */
export function suitsKernel(canvas: PictureGrid, placements: readonly Placement[], pitchTolerance: number): boolean {
  const pixels = placements.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  if (pixels < FEWEST_PIXELS || shotBytes(canvas, placements) + pixels * 4 > MOST_BYTES) return false;
  return placements.every((placement) => followsPicture(placement, pitchTolerance));
}

/**
 * Whether the pixels of a sensor follow those of the picture: turned by less than 3° from a multiple of 90°, and as
 * large within `pitchTolerance`.
 */
export function followsPicture(
  { rows, columns, cos, sin, columnPitch, rowPitch }: Placement,
  pitchTolerance: number,
): boolean {
  return (
    Math.min(rows, columns) >= 4 &&
    Math.min(Math.abs(cos), Math.abs(sin)) < LARGEST_TURN &&
    Math.max(Math.abs(columnPitch - 1), Math.abs(rowPitch - 1)) <= pitchTolerance
  );
}
