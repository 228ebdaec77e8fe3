import { sleep } from "../../core/async.ts";
import { isSaclaError, SaclaError } from "../../core/errors.ts";
import type { DoOptions } from "./beamline.ts";

/** What is busy is asked again for so long. */
const BUSY_MS = 30_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2000;

/**
 * Asks again while a device is busy, for at most 30 s. What was stopped by somebody meanwhile is not asked again.
 * @throws DEVICE_BUSY that says how often it was asked @throws ABORTED
 */
export async function askAgain<T>(how: DoOptions, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  for (let asked = 1; ; asked++) {
    try {
      const answer = await work();
      if (asked > 1) how.note?.(`goes on: it was asked ${asked} times`);
      return answer;
    } catch (error) {
      if (!isSaclaError(error, "DEVICE_BUSY") || error.details["wasStopped"] === true) throw error;
      const passedMs = performance.now() - began;
      if (passedMs + pauseMs > BUSY_MS)
        throw new SaclaError(
          "DEVICE_BUSY",
          `${error.message} It was asked ${asked} times within ${Math.round(passedMs / 1000)} s.`,
          { details: { ...error.details, asked }, cause: error },
        );
      if (asked === 1) how.note?.(`asks again, for up to ${BUSY_MS / 1000} s: ${error.message}`);
    }
    await sleep(pauseMs, how.signal);
    pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
  }
}

/** Requests are not taken while the machine is tuned, after too many, or beside another: asked again for so long. */
const NOT_TAKEN_MS = 600_000;
const LONGEST_REQUEST_PAUSE_MS = 30_000;

/**
 * Asks again while requests to the operators of the accelerator are not taken, for at most ten minutes.
 * @throws INTERLOCK, DEVICE_BUSY, TOO_MANY_REQUESTS after that @throws ABORTED
 */
export async function askWhenTaken<T>(how: DoOptions, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  for (let pauseMs = LONGEST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_REQUEST_PAUSE_MS, 2 * pauseMs)) {
    try {
      return await work();
    } catch (error) {
      const isNotTaken = isSaclaError(error, "INTERLOCK", "DEVICE_BUSY", "TOO_MANY_REQUESTS");
      if (!isNotTaken || error.details["parameter"] === undefined) throw error;
      if (performance.now() - began + pauseMs > NOT_TAKEN_MS) throw error;
      how.waiting?.(true);
      how.note?.(`asks again in ${pauseMs / 1000} s: ${error.message}`);
    }
    await sleep(pauseMs, how.signal);
  }
}

/** A move, once more when an axis slipped. @throws DEVICE_FAULT that says that it was tried twice */
export async function onceMoreAfterSlip<T>(how: DoOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isSlip(error)) throw error;
    how.note?.(`tries the move once more: ${error.message}`);
  }
  try {
    return await work();
  } catch (error) {
    if (!isSlip(error)) throw error;
    throw new SaclaError("DEVICE_FAULT", `${error.message} It was tried twice.`, {
      details: error.details,
      cause: error,
    });
  }
}

function isSlip(error: unknown): error is SaclaError {
  return isSaclaError(error, "DEVICE_FAULT") && error.details["slipped"] === true;
}
