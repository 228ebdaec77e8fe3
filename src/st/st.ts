import { StApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { asApiError } from "../core/errors.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { CtdapyXfel } from "./citius/ctdapy.ts";
import { CtolpyXfel } from "./citius/ctolpy.ts";
import { Shots, type ShotsOptions } from "./shots.ts";
import { StorageBuffer, StorageReader } from "./storage.ts";

/**
 * `stpy` over an Endpoint: 2-D detector images by tag.
 *
 * @example
 * const { st } = await connect();
 * const reader = new st.StorageReader("MPCCD-2B1-M03-001-1", 3, [651236]);
 * const buffer = new st.StorageBuffer(reader);
 * await reader.collect(buffer, tag);
 * const image = buffer.readDetData(0); // shape [1024, 512]
 */
export class St {
  readonly APIError: typeof APIError = APIError;
  readonly StorageReader: new (
    detId: string,
    bl: number,
    runs: readonly number[],
  ) => StorageReader;
  readonly StorageBuffer: typeof StorageBuffer = StorageBuffer;
  /** Stored images of CITIUS detectors, as `ctdapy_xfel`. */
  readonly ctdapyXfel: CtdapyXfel;
  /** Images of CITIUS detectors as the beam runs, as `ctolpy_xfel`. */
  readonly ctolpyXfel: CtolpyXfel;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.ctdapyXfel = new CtdapyXfel(endpoint);
    this.ctolpyXfel = new CtolpyXfel(endpoint);
    this.StorageReader = class extends StorageReader {
      constructor(detId: string, bl: number, runs: readonly number[]) {
        super(endpoint, detId, bl, runs);
      }
    };
  }

  /** Shots of a run, 0-D and 2-D together. See {@link Shots}. */
  shots(options: ShotsOptions): Shots {
    return new Shots(this.#endpoint, options);
  }

  /**
   * Size, gain and geometry of a sensor or camera, without reading an image.
   * @throws APIError with code UNKNOWN_DETECTOR or UNKNOWN_RUN
   */
  async detectorInfo(bl: number, run: number, detId: string, options: CallOptions = {}): Promise<DetectorInfo> {
    return await asApiError(APIError, () => this.#endpoint.call("st.readDetectorInfo", { bl, run, detId }, options));
  }
}
