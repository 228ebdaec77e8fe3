import { DbApiError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { asApiError } from "../core/errors.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { CallMethod, CallParams, CallResult } from "../transport/methods.ts";

/** A request to the database. @throws DbApiError when the facility refuses it */
export async function ask<M extends CallMethod>(
  endpoint: Endpoint,
  method: M,
  params: CallParams<M>,
  options?: CallOptions,
): Promise<CallResult<M>> {
  return await asApiError(DbApiError, () => endpoint.call(method, params, options));
}
