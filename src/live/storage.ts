import { LiveApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { asApiError, SaclaError } from "../core/errors.ts";
import { asInteger, asText } from "../core/guards.ts";
import { ImageBuffer } from "../core/image-buffer.ts";
import { defined } from "../core/options.ts";
import { MAX_TAG } from "../core/tags.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { NEWEST_TAG } from "../transport/methods.ts";

/** `olpy.StorageReader(detID)`: reads live images of one sensor or camera. Making one asks nothing of the facility. */
export class StorageReader {
  readonly detId: string;
  /** The beamline; undefined: the one that reads the detector. */
  readonly bl: number | undefined;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint, detId: string, bl?: number) {
    this.detId = asText("detID", detId);
    this.bl = bl === undefined ? undefined : asInteger("bl", bl);
    this.#endpoint = endpoint;
  }

  /**
   * Fills `buffer` with the image of `tag`, or of the newest shot with `live.NEWESTTAG`. A tag that has not happened
   * yet is waited for, up to ten seconds or `timeoutMs`.
   * @returns the tag that was read
   * @throws APIError with code DATA_GONE, FRAME_MISSING, TAG_INVALID, UNKNOWN_DETECTOR, or UNSUPPORTED when the source
   * is not live
   */
  async collect(buffer: StorageBuffer, tag: number, options: CallOptions = {}): Promise<number> {
    if (buffer.reader !== this)
      throw new SaclaError(
        "BAD_ARGUMENT",
        "The buffer belongs to another reader; make one with new StorageBuffer(reader).",
      );
    asInteger("tag", tag, NEWEST_TAG, MAX_TAG);
    const { detId, bl } = this;
    const collected = await asApiError(APIError, () =>
      this.#endpoint.call("live.collect", { detId, tag, ...defined({ bl }) }, options),
    );
    buffer.fill(collected);
    return collected.tag;
  }
}

/** `olpy.StorageBuffer(reader)`: holds the image that was collected last. */
export class StorageBuffer extends ImageBuffer<StorageReader> {}
