import {
  bounded,
  type CallOptions,
  MAX_TIMEOUT_MS,
  milliseconds,
  offAbort,
  onAbort,
  sleep,
  throwIfAborted,
} from "../../core/async.ts";
import { isSaclaError, SaclaError } from "../../core/errors.ts";
import { any, integer, optional, type Resolved, resolveOptions } from "../../core/options.ts";
import { Random } from "../../core/random.ts";
import { checkStreamMethod } from "../check.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import { placeFrames } from "../frame-memory.ts";
import {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type Resume,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "../methods.ts";

/** When and how often {@link withRetry} retries. */
export interface RetryPolicy {
  /**
   * Maximum number of attempts for one request, including the first; in a stream, the count starts again after each
   * item.
   * @default as many as `deadlineMs` has room for
   */
  readonly attempts?: number | undefined;
  /** Wait before the second attempt; it doubles with each further one. @default 200 */
  readonly firstWaitMs?: number | undefined;
  /** Longest wait between two attempts. @default 5000 */
  readonly longestWaitMs?: number | undefined;
  /**
   * Maximum time from the first failure to the answer, or to the next item of a stream. A server that is started again
   * is back within this time, also on a computer that has much to do.
   * @default 60000
   */
  readonly deadlineMs?: number | undefined;
  /**
   * How long to keep trying an address that has never answered; such an address is probably mistyped. A server that
   * says that its data come back soon has answered.
   * @default 5000
   */
  readonly firstAnswerMs?: number | undefined;
  /**
   * An attempt without an answer, or without the next item, for this long is given up and counts as failed.
   * @default no limit: the clients notice by themselves when a server stops responding, and a slow request is not sent
   * twice
   */
  readonly attemptMs?: number | undefined;
  /**
   * Seed of the random part of the waits: each lasts between half and the whole of its time.
   * @default another one each time, so that many clients do not reconnect at the same moment
   */
  readonly seed?: number | undefined;
  /**
   * Told when a request has had no success for a second: why, and how long it is asked again. Told again only after
   * something has been answered.
   * @default nobody
   */
  readonly onWait?: ((text: string) => void) | undefined;
}

/** Failures after which another attempt may succeed. */
const transient = ["UNREACHABLE", "TIMEOUT"] as const;
/** After which whoever waits is told. */
const TOLD_AFTER_MS = 1000;
/** Tags in the details of an error; more would be no log line. */
const SHOWN_TAGS = 100;

/**
 * An Endpoint that retries requests whose connection failed:
 *
 * * a call that reads, when it ends with UNREACHABLE;
 * * a call that changes something, only when it has `options.key`: the server executes each key once;
 * * a stream, from the first tag that has not been received. Items that arrive twice or out of order are not passed on.
 *
 * TIMEOUT after the caller's own `timeoutMs` is final. With `attemptMs`, an attempt that took too long is repeated. No
 * other error is retried, because the same request would get the same answer.
 *
 * @param calls - the table that says which calls change something
 * @throws UNREACHABLE, TIMEOUT when the retries end without success. The message says how many tags were not received,
 * and gives the first and the last one; `details` has `missing` (the first 100), `missingCount` and `lastMissing`
 *
 * @example
 * const endpoint = withRetry(carrier, { attempts: 3, deadlineMs: 10_000 });
 */
export function withRetry(
  inner: Endpoint,
  policy: RetryPolicy = {},
  calls: Readonly<Record<string, { readonly changes: boolean }>> = callMethods,
): Endpoint {
  return new Retrying(inner, resolveOptions("withRetry", policy, retryChecks), calls);
}

const MOST_ATTEMPTS = 1000;

/** The checks of {@link RetryPolicy}, for `resolveOptions`. */
export const retryChecks = {
  attempts: optional(integer(1, MOST_ATTEMPTS), MOST_ATTEMPTS),
  firstWaitMs: optional(milliseconds, 200),
  longestWaitMs: optional(milliseconds, 5000),
  deadlineMs: optional(milliseconds, 60_000),
  firstAnswerMs: optional(milliseconds, 5000),
  attemptMs: optional(milliseconds, MAX_TIMEOUT_MS),
  seed: optional(integer()),
  onWait: any,
};
type Policy = Resolved<RetryPolicy, typeof retryChecks>;

class Retrying implements Endpoint {
  readonly #inner: Endpoint;
  readonly #policy: Policy;
  readonly #calls: Readonly<Record<string, { readonly changes: boolean }>>;
  readonly #jitter: Random;
  readonly #closing = new AbortController();
  readonly #server: ServerSeen = { hasAnswered: false, isTold: false };

  constructor(inner: Endpoint, policy: Policy, calls: Readonly<Record<string, { readonly changes: boolean }>>) {
    this.#inner = inner;
    this.#policy = policy;
    this.#calls = calls;
    this.#jitter = new Random(policy.seed ?? Date.now());
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    // A method the table does not know is one that may change something.
    const changes = Object.hasOwn(this.#calls, method) ? this.#calls[method]?.changes !== false : true;
    if (changes && options.key === undefined) return await this.#inner.call(method, params, options);
    const state = this.#begin(method, options);
    for (;;) {
      const attempt = new Attempt(options.signal);
      try {
        const answer = await state.limit(attempt, (limits) =>
          this.#inner.call(method, params, { ...options, ...limits }),
        );
        answered(this.#server);
        return answer;
      } catch (error) {
        await state.wait(error);
      } finally {
        attempt.end();
      }
    }
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    const { resume }: { resume?: Resume<StreamParams<M>, StreamItem<M>> } = streamMethods[checkStreamMethod(method)];
    yield* resume === undefined
      ? this.#inner.stream(method, params, options)
      : this.#resumed(method, params, options, resume);
  }

  async *#resumed<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions,
    resume: Resume<StreamParams<M>, StreamItem<M>>,
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    let left = params;
    let before: StreamParams<M> | undefined;
    let state = this.#begin(method, options);
    for (;;) {
      const attempt = new Attempt(options.signal);
      // The reader's memory is not passed on: what a given-up attempt still reads must not get into it.
      const items = this.#inner
        .stream(method, left, { ...options, memory: undefined, signal: attempt.signal })
        [Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await state.limit(attempt, () => items.next());
          answered(this.#server);
          if (next.done === true) {
            const { length } = resume.tags(left);
            if (length === 0) return;
            throw new SaclaError("UNREACHABLE", `${method} ended before its last ${length} items.`);
          }
          const item: StreamItem<M> = next.value;
          const rest = resume.rest(left, item);
          if (rest === null) {
            if (before !== undefined && resume.rest(before, item) !== null) continue;
            throw new SaclaError("UNREACHABLE", `An item of ${method} was lost or came out of turn.`);
          }
          before = left;
          left = rest;
          yield placeFrames(item, options.memory);
          state = this.#begin(method, options);
        }
      } catch (error) {
        // It broke where only the end was to come.
        if (isSaclaError(error, ...transient) && resume.isComplete(left)) return;
        await state.wait(error, resume.tags(left));
      } finally {
        attempt.end();
        // Not awaited: an attempt that was given up may be stuck.
        items.return?.().catch(() => {});
      }
    }
  }

  #begin(method: string, options: CallOptions): RetryState {
    return new RetryState(method, options, this.#policy, this.#jitter, this.#closing.signal, this.#server);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#inner.close();
  }
}

/** What is known of the server, by all requests. */
interface ServerSeen {
  hasAnswered: boolean;
  /** Whether the user has been told that it is waited for. */
  isTold: boolean;
}

function answered(server: ServerSeen): void {
  server.hasAnswered = true;
  server.isTold = false;
}

/** One attempt: a signal of its own, so that giving it up ends it at the source too. */
class Attempt {
  readonly #own = new AbortController();
  readonly signal: AbortSignal;
  readonly #outer: AbortSignal | undefined;
  readonly #stop: () => void;

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    this.signal = this.#own.signal;
    // By hand, not AbortSignal.any: a long-lived signal would keep a trace of each of a million questions.
    this.#stop = () => this.#own.abort(outer?.reason);
    if (outer?.aborted === true) this.#stop();
    else onAbort(outer, this.#stop);
  }

  end(): void {
    offAbort(this.#outer, this.#stop);
    this.#own.abort();
  }
}

/** The failures of one request, or between two items of a stream, and the time that is left. */
class RetryState {
  readonly #method: string;
  readonly #options: CallOptions;
  readonly #policy: Policy;
  readonly #jitter: Random;
  readonly #closing: AbortSignal;
  readonly #server: ServerSeen;
  readonly #started = performance.now();
  #failures = 0;
  #firstFailure = 0;

  constructor(
    method: string,
    options: CallOptions,
    policy: Policy,
    jitter: Random,
    closing: AbortSignal,
    server: ServerSeen,
  ) {
    this.#method = method;
    this.#options = options;
    this.#policy = policy;
    this.#jitter = jitter;
    this.#closing = closing;
    this.#server = server;
  }

  /** Time until the caller's limit and, once something failed, until the policy's. */
  #leftMs(): number {
    const now = performance.now();
    const caller = (this.#options.timeoutMs ?? MAX_TIMEOUT_MS) - (now - this.#started);
    if (this.#failures === 0) return caller;
    const { deadlineMs, firstAnswerMs } = this.#policy;
    const first = this.#server.hasAnswered ? MAX_TIMEOUT_MS : firstAnswerMs - (now - this.#started);
    return Math.min(caller, first, deadlineMs - (now - this.#firstFailure));
  }

  /** Runs one attempt in the time it may take. */
  async limit<T>(
    attempt: Attempt,
    work: (limits: { signal: AbortSignal; timeoutMs: number | undefined }) => Promise<T>,
  ): Promise<T> {
    const ms = Math.ceil(Math.max(0, Math.min(this.#policy.attemptMs, this.#leftMs())));
    const timeoutMs = ms >= MAX_TIMEOUT_MS ? undefined : ms;
    return await bounded(this.#method, { signal: this.#options.signal, timeoutMs }, () =>
      work({ signal: attempt.signal, timeoutMs }),
    );
  }

  /** Waits before the next attempt. @throws `error`, or that this was the last attempt, when there is none */
  async wait(error: unknown, tags?: Uint32Array): Promise<void> {
    throwIfAborted(this.#options.signal);
    if (!isSaclaError(error, ...transient)) throw error;
    if (this.#failures === 0) this.#firstFailure = performance.now();
    this.#failures++;
    if (typeof error.details["retryAfterMs"] === "number") this.#server.hasAnswered = true;
    const { attempts, firstWaitMs, longestWaitMs, attemptMs } = this.#policy;
    const whole = Math.min(longestWaitMs, firstWaitMs * 2 ** (this.#failures - 1));
    const ms = whole * (0.5 + 0.5 * this.#jitter.uniform());
    const isFinal = error.code === "TIMEOUT" && attemptMs === MAX_TIMEOUT_MS;
    if (isFinal || this.#failures >= attempts || ms >= this.#leftMs()) throw this.#givingUp(error, tags);
    this.#tell(error);
    try {
      await sleep(
        ms,
        AbortSignal.any([this.#closing, ...(this.#options.signal === undefined ? [] : [this.#options.signal])]),
      );
    } catch (reason) {
      throw this.#closing.aborted
        ? new SaclaError("CLOSED", `The connection was closed while ${this.#method} waited to be asked again.`)
        : reason;
    }
  }

  #tell(error: SaclaError): void {
    const server = this.#server;
    if (server.isTold || performance.now() - this.#firstFailure < TOLD_AFTER_MS) return;
    server.isTold = true;
    const seconds = Math.round(this.#leftMs() / 1000);
    this.#policy.onWait?.(
      `${error.message} Waits for the server: ${this.#method} is asked again for up to ${seconds} s.`,
    );
  }

  #givingUp(error: SaclaError, tags: Uint32Array = new Uint32Array(0)): SaclaError {
    if (this.#failures === 1 && tags.length === 0) return error;
    // What a carrier says of the missing is about its last attempt alone.
    const failure = isSaclaError(error.cause) && "missingCount" in error.details ? error.cause : error;
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    const times = this.#failures === 1 ? "once" : `${this.#failures} times`;
    const lost = tags.length === 0 ? "" : ` ${tags.length} tags have not come: ${tags[0]} … ${tags.at(-1)}.`;
    const missing = { missing: [...tags.subarray(0, SHOWN_TAGS)], missingCount: tags.length, lastMissing: tags.at(-1) };
    return new SaclaError(
      error.code,
      `${this.#method} was asked ${times} in ${seconds} s, ` +
        `without success.${lost} The last failure: ${failure.message}`,
      {
        details: { ...failure.details, attempts: this.#failures, ...(tags.length === 0 ? {} : missing) },
        cause: error,
      },
    );
  }
}
