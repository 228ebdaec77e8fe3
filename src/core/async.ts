import { SaclaError } from "./errors.ts";
import { any, finite, optional, resolveOptions } from "./options.ts";

/** About 25 days; timers of Node.js fire at once above it. */
export const MAX_TIMEOUT_MS = 2_147_483_647;

/** A value, or the promise of one: what a function may return that answers at once or later. */
export type MaybePromise<T> = T | Promise<T>;

/** What every long call takes. */
export interface CallOptions {
  /** Ends the work early with ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the work with TIMEOUT after this many milliseconds, at most 2147483647. */
  readonly timeoutMs?: number | undefined;
  /**
   * Names a call that changes something: a server does the same key once, so that such a call can be repeated when its
   * answer was lost.
   */
  readonly key?: string | undefined;
}

/** A wait that a timer can take. */
export const milliseconds = finite(0, MAX_TIMEOUT_MS);

/** The checks of {@link CallOptions}, for `resolveOptions`. */
export const callChecks = { signal: any, timeoutMs: optional(milliseconds), key: any };

const streamChecks = { ...callChecks, memory: any };

/** @throws ABORTED when the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal);
}

function aborted(signal: AbortSignal): SaclaError {
  return new SaclaError("ABORTED", "Stopped because the caller's signal was aborted.", { cause: signal.reason });
}

const listeners = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly callAll: () => void }>();

/**
 * Has `listener` called when the signal fires, until {@link offAbort}; never when it has fired before. Programs give
 * one signal to many calls at once, and Node.js warns of more than ten listeners as of a leak: so there is one for all
 * of them.
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): void {
  if (signal === undefined) return;
  const known = listeners.get(signal);
  known?.all.add(listener);
  if (known !== undefined) return;
  const all = new Set([listener]);
  const callAll = (): void => {
    for (const each of all) each();
  };
  listeners.set(signal, { all, callAll });
  signal.addEventListener("abort", callAll, { once: true });
}

/**
 * Ends {@link onAbort}. With the last listener goes the one of all: Node.js never frees a signal of `AbortSignal.any`
 * that has one.
 */
export function offAbort(signal: AbortSignal | undefined, listener: () => void): void {
  const known = signal === undefined ? undefined : listeners.get(signal);
  known?.all.delete(listener);
  if (signal === undefined || known === undefined || known.all.size > 0) return;
  signal.removeEventListener("abort", known.callAll);
  listeners.delete(signal);
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
      offAbort(signal, stop);
      resolve();
    }
    onAbort(signal, stop);
  });
}

/**
 * Runs `work` until it ends, the signal fires or the time is up, whichever is first.
 * @throws ABORTED when the signal fires
 * @throws TIMEOUT when `timeoutMs` has passed
 */
export async function bounded<T>(what: string, options: CallOptions, work: () => Promise<T> | T): Promise<T> {
  // Most calls have no limit, and this is on the way of each.
  if (options.signal === undefined && options.timeoutMs === undefined) return await work();
  const waits = new BoundedWaits(options);
  try {
    return await waits.run(what, work);
  } finally {
    waits.end();
  }
}

/** As {@link bounded}, for many waits one after another: the signal is listened to once, until `end`. */
export class BoundedWaits {
  readonly #options: CallOptions;
  #interrupt: ((error: SaclaError) => void) | undefined;

  constructor(options: CallOptions & { readonly memory?: unknown }) {
    this.#options = resolveOptions("call", options, streamChecks);
    onAbort(options.signal, this.#onAbort);
  }

  async run<T>(what: string, work: () => Promise<T> | T): Promise<T> {
    const { signal, timeoutMs } = this.#options;
    throwIfAborted(signal);
    if (signal === undefined && timeoutMs === undefined) return await work();
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#interrupt = reject;
        if (timeoutMs !== undefined) timer = setTimeout(() => reject(tooLate(what, timeoutMs)), timeoutMs);
        Promise.resolve(work()).then(resolve, reject);
      });
    } finally {
      this.#interrupt = undefined;
      clearTimeout(timer);
    }
  }

  end(): void {
    offAbort(this.#options.signal, this.#onAbort);
  }

  readonly #onAbort = (): void => {
    const { signal } = this.#options;
    if (signal !== undefined) this.#interrupt?.(aborted(signal));
  };
}

function tooLate(what: string, timeoutMs: number): SaclaError {
  return new SaclaError("TIMEOUT", `${what} gave no answer within ${timeoutMs} ms.`, { details: { what, timeoutMs } });
}

/**
 * The items of what `open` gives, in order, read ahead so that at most `depth` of them are in being at a time: the one
 * in the reader's hands, those that wait for it and the one being read. Leaving the loop fires the signal given to
 * `open`.
 */
export async function* readAhead<T>(
  open: (stop: AbortSignal) => AsyncIterable<T>,
  depth: number,
): AsyncGenerator<T, void, undefined> {
  const stop = new AbortController();
  const source = open(stop.signal)[Symbol.asyncIterator]();
  const ready: T[] = [];
  let held = 0;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wakeReader = (): void => {};
  let wakeSource = (): void => {};
  // One question at a time: an async generator asked ahead chains its requests, and what V8 has once moved to its old
  // space would keep the whole chain after it.
  const pump = async (): Promise<void> => {
    try {
      while (!stop.signal.aborted) {
        if (ready.length + held >= depth) {
          await new Promise<void>((resolve) => {
            wakeSource = resolve;
          });
          continue;
        }
        const next = await source.next();
        if (next.done === true) break;
        ready.push(next.value);
        wakeReader();
      }
    } catch (error) {
      failure = { error };
    }
    ended = true;
    wakeReader();
  };
  void pump();
  try {
    for (;;) {
      while (ready.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
      if (ready.length === 0) {
        if (failure !== undefined) throw failure.error;
        return;
      }
      held = 1;
      yield* ready.splice(0, 1);
      held = 0;
      wakeSource();
    }
  } finally {
    stop.abort();
    wakeSource();
    await source.return?.().catch(() => {});
  }
}
