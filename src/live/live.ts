import { LiveApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { asApiError } from "../core/errors.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { NEWEST_TAG } from "../transport/methods.ts";
import { LiveShots, type LiveShotsOptions } from "./shots.ts";
import { StorageBuffer, StorageReader } from "./storage.ts";

/**
 * `olpy` over an Endpoint: images while they are in memory, as the beam runs.
 *
 * @example
 * const { live } = await connect();
 * const reader = new live.StorageReader("MPCCD-8B0-2-008-1");
 * const buffer = new live.StorageBuffer(reader);
 * const tag = await reader.collect(buffer, live.NEWESTTAG);
 */
export class Live {
  readonly APIError: typeof APIError = APIError;
  readonly StorageReader: new (
    detId: string,
    bl?: number,
  ) => StorageReader;
  readonly StorageBuffer: typeof StorageBuffer = StorageBuffer;
  /** Stands for the newest tag. */
  readonly NEWESTTAG: typeof NEWEST_TAG = NEWEST_TAG;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.StorageReader = class extends StorageReader {
      constructor(detId: string, bl?: number) {
        super(endpoint, detId, bl);
      }
    };
  }

  /**
   * `olpy.read_detidlist()`: detectors whose images can be had live, of all beamlines or of one.
   * @throws APIError with code UNSUPPORTED
   */
  async readDetidlist(bl?: number, options: CallOptions = {}): Promise<string[]> {
    return await asApiError(APIError, () =>
      this.#endpoint.call("live.readDetidlist", bl === undefined ? {} : { bl }, options),
    );
  }

  /** Shots as they happen, 0-D and 2-D together. See {@link LiveShots}. */
  shots(options: LiveShotsOptions): LiveShots {
    return new LiveShots(this.#endpoint, options);
  }
}
