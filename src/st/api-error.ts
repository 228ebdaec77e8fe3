import { FacilityError } from "../core/errors.ts";

/** `stpy.APIError`: the facility could not give an image. `code` says why. */
export class APIError extends FacilityError {
  override get name(): string {
    return "st.APIError";
  }
}
