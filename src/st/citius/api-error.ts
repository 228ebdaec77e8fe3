import { FacilityError } from "../../core/errors.ts";

/**
 * `ctdapy_xfel.APIError` and `ctolpy_xfel.APIError`: the facility could not answer about a CITIUS. `code` says why;
 * `details.ctolName` is the name of the error of ctolpy_xfel, where public scripts know one.
 */
export class APIError extends FacilityError {
  override get name(): string {
    return "citius.APIError";
  }
}
