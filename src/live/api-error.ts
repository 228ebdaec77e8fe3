import { FacilityError } from "../core/errors.ts";

/**
 * `olpy.APIError`: the facility could not give a live image. `code` says why; for what olpy itself answers, `details`
 * has its numbers too: `olCode` and `olName`, such as −200010000 and `OL_ERR_TAGDATAGONE`.
 */
export class APIError extends FacilityError {
  override get name(): string {
    return "live.APIError";
  }
}
