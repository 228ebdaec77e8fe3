import { SaclaError } from "./errors.ts";
import { asFinite } from "./guards.ts";

/** About 25 days; timers of Node.js fire at once above it. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** What every long call takes. */
export interface CallOptions {
  /** Ends the work early with ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the work with TIMEOUT after this many milliseconds, at most 2147483647. */
  readonly timeoutMs?: number | undefined;
}

/** @throws ABORTED when the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal);
}

function aborted(signal: AbortSignal): SaclaError {
  return new SaclaError("ABORTED", "Stopped because the caller's signal was aborted.", { cause: signal.reason });
}

/** Waits `ms` milliseconds. @throws ABORTED when the signal fires first */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(done, ms);
    const stop = (): void => {
      clearTimeout(timer);
      if (signal !== undefined) reject(aborted(signal));
    };
    function done(): void {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Runs `work` until it ends, the signal fires or the time is up, whichever is first.
 * @throws ABORTED when the signal fires
 * @throws TIMEOUT when `timeoutMs` has passed
 */
export async function bounded<T>(what: string, options: CallOptions, work: () => Promise<T> | T): Promise<T> {
  const { signal, timeoutMs } = options;
  throwIfAborted(signal);
  if (timeoutMs !== undefined) asFinite("timeoutMs", timeoutMs, 0, MAX_TIMEOUT_MS);
  if (signal === undefined && timeoutMs === undefined) return await work();
  const cleanups: (() => void)[] = [];
  const interrupted = new Promise<never>((_, reject) => {
    if (signal !== undefined) {
      const stop = (): void => reject(aborted(signal));
      signal.addEventListener("abort", stop, { once: true });
      cleanups.push(() => signal.removeEventListener("abort", stop));
    }
    if (timeoutMs !== undefined) {
      const timer = setTimeout(
        () => reject(new SaclaError("TIMEOUT", `${what} gave no answer within ${timeoutMs} ms.`, { details: { what, timeoutMs } })),
        timeoutMs,
      );
      cleanups.push(() => clearTimeout(timer));
    }
  });
  try {
    return await Promise.race([work(), interrupted]);
  } finally {
    for (const cleanup of cleanups) cleanup();
  }
}
