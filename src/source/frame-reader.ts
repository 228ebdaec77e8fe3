import type { DetectorInfo } from "../core/detector.ts";
import { newPixels, type Pixels, type PixelType } from "../core/ndarray.ts";
import { checkRoi, cutRoi, type Roi, roiShape } from "../core/roi.ts";
import type { FrameMemory } from "../transport/endpoint.ts";
import type { Frame } from "../transport/methods.ts";

/** Reads the frames of one detector in a stream: into the memory given, or into memory of its own that is reused. */
export class FrameReader {
  readonly info: DetectorInfo;
  readonly #roi: Roi | null;
  readonly #shape: [rows: number, columns: number];
  readonly #type: PixelType;
  readonly #memory: FrameMemory;
  /** The whole image, when only a region of it is wanted. */
  readonly #whole: Pixels | null;
  #data: Pixels;

  constructor(info: DetectorInfo, roi: Roi | null, memory: FrameMemory | undefined) {
    const { ysize, xsize, pixelType = "float32" } = info;
    this.info = info;
    this.#roi = roi === null ? null : checkRoi(roi, ysize, xsize);
    this.#shape = roi === null ? [ysize, xsize] : roiShape(roi);
    this.#type = pixelType;
    this.#whole = roi === null ? null : newPixels(ysize * xsize, pixelType);
    this.#data = newPixels(memory === undefined ? this.#shape[0] * this.#shape[1] : 0, pixelType);
    this.#memory = memory ?? (() => this.#data);
  }

  /** Where the source shall put the next image. */
  target(): Pixels {
    this.#data = this.#memory(this.info.id, this.#shape[0] * this.#shape[1], this.#type);
    return this.#whole ?? this.#data;
  }

  frame(): Frame {
    if (this.#roi !== null && this.#whole !== null) cutRoi(this.#whole, this.info.xsize, this.#roi, this.#data);
    return { detId: this.info.id, shape: this.#shape, data: this.#data };
  }
}
