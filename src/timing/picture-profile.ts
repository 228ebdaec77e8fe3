import { SaclaError } from "../core/errors.ts";
import { contiguous, type RawImage } from "../core/ndarray.ts";
import { Arena, hasFunctions, instantiateKernel } from "../core/wasm.ts";
import { kernelBinary } from "./kernel-binary.ts";
import { type Profile, type Profiler, toProfile } from "./profile.ts";
import { isFullScale, type StripLayout } from "./strip.ts";

/** The functions of kernels/timing.ts. */
interface TimingKernel {
  readonly addBands: (
    pixels: number,
    pitch: number,
    height: number,
    count: number,
    bands: number,
    wanted: number,
    bin: number,
    bins: number,
    pedestal: number,
    scale: number,
    sums: number,
    profile: number,
  ) => number;
}

function isTimingKernel(exports: object): exports is TimingKernel {
  return hasFunctions(exports, ["addBands"]);
}

/**
 * Profiles of most pictures, in WebAssembly: pixels are uint16, time runs along the rows, and none is saturated. The
 * others take the way by a strip, which gives the same profile.
 */
export class PictureProfiler {
  readonly #profiler: Profiler;
  readonly #kernel: TimingKernel;
  readonly #pixels: Uint16Array;
  readonly #wanted: number;
  readonly #scale: Float64Array;
  readonly #norm: Float64Array;
  readonly #sums: number;
  readonly #profile: Float64Array;

  constructor(profiler: Profiler) {
    this.#profiler = profiler;
    const { layout, weights } = profiler;
    const { bands, bins, bin } = layout;
    const size = rowsOf(layout) * layout.shape[1];
    // Room for the bin that goes with an odd last one.
    const even = bins + (bins & 1);
    const across = 8 * Math.ceil((bin * even) / 8);
    const arena = new Arena(Arena.bytesFor([2 * size, bands, 8 * (bands * bins + 1), 4 * across, 8 * even]));
    const exports = instantiateKernel(kernelBinary, arena.memory);
    if (!isTimingKernel(exports))
      throw new SaclaError("INTERNAL", "src/timing/kernel-binary.ts is not of kernels/timing.ts. Run npm run kernels.");
    this.#kernel = exports;
    this.#pixels = arena.uint16(size);
    const wanted = arena.uint8(bands);
    weights.forEach((weight, band) => {
      wanted[band] = weight > 0 ? 1 : 0;
    });
    this.#wanted = wanted.byteOffset;
    this.#scale = arena.float64(bands * bins + 1);
    this.#sums = arena.allocate(4 * across);
    this.#profile = arena.float64(even).subarray(0, bins);
    this.#norm = new Float64Array(bins);
    this.setBackground(profiler.background);
  }

  /** Takes another background. */
  setBackground(background: Float32Array): void {
    const { layout, weights } = this.#profiler;
    const { bands, bins } = layout;
    this.#norm.fill(0);
    for (let band = 0; band < bands; band++) {
      const weight = weights[band] ?? 0;
      if (!(weight > 0)) continue;
      for (let x = 0; x < bins; x++) {
        const light = background[band * bins + x] ?? NaN;
        this.#scale[band * bins + x] = light > 0 ? weight / light : 0;
        if (light > 0) this.#norm[x] = (this.#norm[x] ?? 0) + weight;
      }
    }
  }

  /** The profile of a picture of the layout's shape; undefined where it takes the other way. */
  profile(image: RawImage, pedestal: number, full: number): Profile | undefined {
    const { layout, darkSide } = this.#profiler;
    const pixels = contiguous(image);
    if (layout.axis !== "columns" || !(pixels instanceof Uint16Array)) return undefined;
    const { roi, bin, bins, bands, linesPerBand } = layout;
    const [, pitch] = layout.shape;
    const [left] = roi.columns;
    this.#pixels.set(pixels.subarray(roi.rows[0] * pitch, roi.rows[1] * pitch));
    const from = this.#pixels.byteOffset + 2 * left;
    const sum = this.#profile;
    sum.fill(0);
    const most = this.#kernel.addBands(
      from,
      pitch,
      rowsOf(layout),
      linesPerBand,
      bands,
      this.#wanted,
      bin,
      bins,
      pedestal,
      this.#scale.byteOffset,
      this.#sums,
      sum.byteOffset,
    );
    if (most >= full || isFullScale(most)) return undefined;
    return toProfile(sum.slice(), this.#norm, darkSide);
  }
}

function rowsOf({ roi }: StripLayout): number {
  return roi.rows[1] - roi.rows[0];
}
