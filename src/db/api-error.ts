import type { CallOptions } from "../core/async.ts";
import { asApiError, FacilityError } from "../core/errors.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { CallMethod, CallParams, CallResult } from "../transport/methods.ts";

/**
 * What the database answers when it cannot do what was asked: an unknown run, beamline, detector, signal or HighTag.
 * `dbpy.APIError`; another class than the one of `st`. The `code` says which it is.
 *
 * @example
 * try { await db.readRuninfo(3, 99_999_999); }
 * catch (error) { if (error instanceof db.APIError) console.log(error.code); } // UNKNOWN_RUN
 */
export class APIError extends FacilityError {
  override get name(): string {
    return "APIError";
  }
}

/** One question to the database; what the facility refuses is thrown as {@link APIError}. */
export async function ask<M extends CallMethod>(
  endpoint: Endpoint,
  method: M,
  params: CallParams<M>,
  options?: CallOptions,
): Promise<CallResult<M>> {
  return await asApiError(APIError, () => endpoint.call(method, params, options));
}
