import { SaclaError, showList } from "../core/errors.ts";

/** Tags in the details; more would be no log line. */
const SHOWN_TAGS = 100;

/** The error of a stream that broke: what had come, and which tags had not. */
export function incomplete(error: SaclaError, received: number, missing: Uint32Array): SaclaError {
  const message =
    `${error.message} ${received} items had come; ` +
    (missing.length === 0
      ? "the rest is missing."
      : `those of ${missing.length} tags are missing: ${showList(missing)}.`);
  const details = {
    ...error.details,
    received,
    missing: [...missing.subarray(0, SHOWN_TAGS)],
    missingCount: missing.length,
  };
  return new SaclaError("UNREACHABLE", message, { details, cause: error });
}
