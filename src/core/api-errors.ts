import { FacilityError } from "./errors.ts";

/**
 * `dbpy.APIError`: the database cannot answer, for an unknown run, beamline, detector, signal or HighTag. `code` says
 * which. Each mirrored module has its own class, as in Python.
 *
 * @example
 * try { await db.readRuninfo(3, 99_999_999); }
 * catch (error) { if (error instanceof db.APIError) console.log(error.code); } // UNKNOWN_RUN
 */
export class DbApiError extends FacilityError {
  override get name(): string {
    return "APIError";
  }
}

/** `stpy.APIError`: the facility could not give an image. `code` says why. */
export class StApiError extends FacilityError {
  override get name(): string {
    return "st.APIError";
  }
}

/**
 * `olpy.APIError`: the facility could not give a live image. `code` says why. `details` has olpy's own numbers:
 * `olCode` and `olName`, such as −200010000 and `OL_ERR_TAGDATAGONE`.
 */
export class LiveApiError extends FacilityError {
  override get name(): string {
    return "live.APIError";
  }
}

/**
 * `ctdapy_xfel.APIError` and `ctolpy_xfel.APIError`: the facility could not answer about a CITIUS. `code` says why;
 * `details.ctolName` is the name of the error of ctolpy_xfel, where public scripts know one.
 */
export class CitiusApiError extends FacilityError {
  override get name(): string {
    return "citius.APIError";
  }
}
