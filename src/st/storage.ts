import { StApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { asApiError, SaclaError } from "../core/errors.ts";
import { asInteger, asText, badArgument } from "../core/guards.ts";
import { ImageBuffer } from "../core/image-buffer.ts";
import { MAX_TAG } from "../core/tags.ts";
import type { Endpoint } from "../transport/endpoint.ts";

/**
 * `stpy.StorageReader(detID, bl, runs)`: reads the images of one detector from one or more runs. Making one asks
 * nothing of the facility; the first {@link StorageReader.collect} does.
 */
export class StorageReader {
  readonly detId: string;
  readonly bl: number;
  readonly runs: readonly number[];
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint, detId: string, bl: number, runs: readonly number[]) {
    this.detId = asText("detID", detId);
    this.bl = asInteger("bl", bl);
    if (!Array.isArray(runs) || runs.length === 0)
      throw badArgument("runs", runs, "a list of run numbers, such as [run]");
    this.runs = runs.map((run, i) => asInteger(`runs[${i}]`, run));
    this.#endpoint = endpoint;
  }

  /**
   * Fills `buffer` with the image of `tag`; the first of the runs that holds the tag is read.
   * @returns the tag that was read
   * @throws APIError with code FRAME_MISSING, TAG_OUTSIDE_RUN, UNKNOWN_DETECTOR, UNKNOWN_RUN or RUN_NOT_READY
   */
  async collect(buffer: StorageBuffer, tag: number, options: CallOptions = {}): Promise<number> {
    if (buffer.reader !== this)
      throw new SaclaError(
        "BAD_ARGUMENT",
        "The buffer belongs to another reader; make one with new StorageBuffer(reader).",
      );
    asInteger("tag", tag, 0, MAX_TAG);
    const { detId, bl, runs } = this;
    const collected = await asApiError(APIError, () =>
      this.#endpoint.call("st.collect", { detId, bl, runs: [...runs], tag }, options),
    );
    buffer.fill(collected);
    return collected.tag;
  }
}

/** `stpy.StorageBuffer(reader)`: holds the image that was collected last. */
export class StorageBuffer extends ImageBuffer<StorageReader> {}
