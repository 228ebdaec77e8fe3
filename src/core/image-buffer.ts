import { type DetectorInfo, type DetInfoDict, toDetInfoDict } from "./detector.ts";
import { SaclaError } from "./errors.ts";
import { asInteger } from "./guards.ts";
import { asImage, type Image } from "./ndarray.ts";

/** An image of one tag, with what its detector says of itself. */
interface CollectedImage {
  readonly run: number;
  readonly tag: number;
  readonly info: DetectorInfo;
  readonly frame: { readonly shape: readonly [rows: number, columns: number]; readonly data: Float32Array };
}

/** What `stpy.StorageBuffer` and `olpy.StorageBuffer` are: the image that their reader collected last. */
export class ImageBuffer<Reader> {
  readonly reader: Reader;
  #collected: CollectedImage | undefined;

  constructor(reader: Reader) {
    this.reader = reader;
  }

  /** @internal Called by the reader's collect. */
  fill(collected: CollectedImage): void {
    this.#collected = collected;
  }

  /** Number of data in the buffer: 1 after a collect. Index 0 is the image. */
  readDetNumIndex(): number {
    return this.#collected === undefined ? 0 : 1;
  }

  /**
   * The image, float32, shape [ysize, xsize] = [1024, 512] for an MPCCD sensor. It has memory of its own: a later
   * collect does not change it.
   */
  readDetData(index = 0): Image {
    const { frame } = this.#at(index);
    return asImage(frame.data, frame.shape[0], frame.shape[1]);
  }

  /**
   * The dictionary of `read_det_info`: µm, degrees, e⁻/ADU; geometry keys in both spellings (`mp_posx`, `mp_pos_x`),
   * with `run_number` and `tag_number` of the image.
   */
  readDetInfo(index = 0): DetInfoDict {
    const { info, run, tag } = this.#at(index);
    return toDetInfoDict(info, run, tag);
  }

  #at(index: number): CollectedImage {
    if (this.#collected === undefined)
      throw new SaclaError("BAD_ARGUMENT", "The buffer is empty: await reader.collect(buffer, tag) first.");
    asInteger("index", index, 0, 0);
    return this.#collected;
  }
}
