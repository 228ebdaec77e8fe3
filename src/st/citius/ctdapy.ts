import { CitiusApiError as APIError } from "../../core/api-errors.ts";
import type { CallOptions } from "../../core/async.ts";
import { asApiError } from "../../core/errors.ts";
import { asInteger } from "../../core/guards.ts";
import { CITIUS_SIZE, type CitiusRunStatus } from "../../transport/citius-methods.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { CtrlBuffer } from "./ctrl-buffer.ts";

/**
 * `ctdapy_xfel` over an Endpoint: stored images of CITIUS detectors.
 *
 * @example
 * const { ctdapyXfel } = facility.st;
 * if ((await ctdapyXfel.getRunstatus(2, run)) === ctdapyXfel.CTDA_RUN_STATUS_CAN_READ) {
 *   const buffer = new ctdapyXfel.CtrlBuffer(2, run);
 *   console.log(await buffer.readDetidlist());
 * }
 */
export class CtdapyXfel {
  readonly APIError: typeof APIError = APIError;
  readonly CtrlBuffer: new (
    bl: number,
    run: number,
  ) => CtrlBuffer;
  /** Columns of a sensor. */
  readonly CITIUS_IMAGE_WIDTH = CITIUS_SIZE.xsize;
  /** Rows of a sensor. */
  readonly CITIUS_IMAGE_HEIGHT = CITIUS_SIZE.ysize;
  /** Words in place of the numbers, of which only the first one, 0, was ever seen. */
  readonly CTDA_RUN_STATUS_CAN_READ: CitiusRunStatus & "can-read" = "can-read";
  /** The run has stopped and its images are still being calibrated. */
  readonly CTDA_RUN_STATUS_WAIT_CALIB: CitiusRunStatus & "wait-calib" = "wait-calib";
  readonly CTDA_RUN_STATUS_NOT_CITIUS: CitiusRunStatus & "not-citius" = "not-citius";
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.CtrlBuffer = class extends CtrlBuffer {
      constructor(bl: number, run: number) {
        super(endpoint, bl, run);
      }
    };
  }

  /** `ctdapy_xfel.get_api_version()`. @throws APIError with code UNSUPPORTED when the source knows no CITIUS */
  async getApiVersion(options: CallOptions = {}): Promise<string> {
    return await asApiError(APIError, () => this.#endpoint.call("citius.getApiVersion", {}, options));
  }

  /** `ctdapy_xfel.get_runstatus(bl, run)`. @throws APIError with code UNKNOWN_RUN, UNKNOWN_BEAMLINE or UNSUPPORTED */
  async getRunstatus(bl: number, run: number, options: CallOptions = {}): Promise<CitiusRunStatus> {
    const of = { bl: asInteger("bl", bl), run: asInteger("run", run) };
    return await asApiError(APIError, () => this.#endpoint.call("citius.getRunstatus", of, options));
  }
}
