import { type ErrorCode, errorCatalogue } from "../core/errors.ts";

const statuses: Partial<Record<ErrorCode, number>> = {
  BAD_ARGUMENT: 400,
  BAD_MESSAGE: 400,
  NOT_AUTHENTICATED: 401,
  NOT_ALLOWED: 403,
  UNKNOWN_METHOD: 404,
  LIMIT: 409,
  INTERLOCK: 409,
  DEVICE_BUSY: 409,
  LEASE_HELD: 409,
  LEASE_LOST: 409,
  TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  DEVICE_FAULT: 500,
  UNSUPPORTED: 501,
  RUN_NOT_READY: 503,
  UNREACHABLE: 503,
  CLOSED: 503,
  ABORTED: 503,
  TIMEOUT: 504,
};

/** The status that says the kind of a failure. What the facility has not is 404, a fault 500. */
export function httpStatus(code: ErrorCode): number {
  return statuses[code] ?? (errorCatalogue[code].facility ? 404 : 500);
}
