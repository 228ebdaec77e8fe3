import { bounded, type CallOptions, milliseconds, sleep } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { any, finite, integer, optional, resolveOptions } from "../../core/options.ts";
import { hash } from "../../core/random.ts";
import { checkAgainst, checkCallMethod, checkStreamMethod } from "../check.ts";
import { decodeMessage, encodeMessage } from "../codec.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import { placeFrames } from "../frame-memory.ts";
import {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "../methods.ts";

/** Shares of questions, or of items of a stream, that something happens to; each from 0 to 1. @default 0 */
export interface FaultShares {
  /** Comes late, by up to `delayMs`. */
  readonly delay?: number | undefined;
  /** A call: its answer never comes. A stream: an item is left out. */
  readonly loss?: number | undefined;
  /** A call reaches the source twice; an item of a stream comes twice. */
  readonly duplicate?: number | undefined;
  /** An item of a stream changes places with the next. */
  readonly reorder?: number | undefined;
  /** One byte of the answer is another: BAD_MESSAGE, or, worse, a wrong number or pixel. */
  readonly corrupt?: number | undefined;
  /** From this item on a stream is silent. */
  readonly stall?: number | undefined;
  /** UNREACHABLE; a call may have reached the source all the same. */
  readonly disconnect?: number | undefined;
}

export interface FaultOptions extends FaultShares {
  /** Everything that happens follows from it, the method, and how often the method was asked before. */
  readonly seed: number;
  /** Longest delay. @default 100 */
  readonly delayMs?: number | undefined;
  /** Shares for one method, in the place of all those above: `{ "st.frames": { disconnect: 0.01 } }`. */
  readonly methods?: Readonly<Partial<Record<CallMethod | StreamMethod, FaultShares>>> | undefined;
}

const share = optional(finite(0, 1), 0);
const shareChecks = {
  delay: share,
  loss: share,
  duplicate: share,
  reorder: share,
  corrupt: share,
  stall: share,
  disconnect: share,
};
type Fault = keyof typeof shareChecks;

/**
 * An Endpoint whose **connection** is bad, to rehearse with: what a script does when answers are late, lost, repeated
 * or damaged. Nothing at the facility goes wrong by it; images that were not stored and values that did not converge
 * are the simulated facility's own (`sim:?missing=0.05`).
 *
 * A lost answer and a silent stream never end by themselves: give `timeoutMs` or a signal.
 *
 * @throws BAD_ARGUMENT when a share is not a number from 0 to 1, or an option is not there
 *
 * @example
 * const rough = withFaults(endpoint, { seed: 1, delay: 0.1, disconnect: 0.01, methods: { "st.frames": { duplicate: 0.05
 * } } });
 */
export function withFaults(inner: Endpoint, options: FaultOptions): Endpoint {
  const checks = { seed: integer(), delayMs: optional(milliseconds, 100), methods: any, ...shareChecks };
  const { methods = {}, seed, delayMs, ...shares } = resolveOptions("withFaults", options, checks);
  for (const [method, own] of Object.entries(methods)) {
    if (!Object.hasOwn(callMethods, method) && !Object.hasOwn(streamMethods, method))
      throw badArgument("methods", method, "names of the method table");
    resolveOptions(`withFaults of ${method}`, own, shareChecks);
  }
  return new Faulty(inner, seed, delayMs, shares, new Map(Object.entries(methods)));
}

class Faulty implements Endpoint {
  readonly #inner: Endpoint;
  readonly #seed: number;
  readonly #delayMs: number;
  readonly #shares: FaultShares;
  readonly #ofMethod: ReadonlyMap<string, FaultShares>;
  readonly #asked = new Map<string, number>();

  constructor(
    inner: Endpoint,
    seed: number,
    delayMs: number,
    shares: FaultShares,
    ofMethod: ReadonlyMap<string, FaultShares>,
  ) {
    this.#inner = inner;
    this.#seed = seed;
    this.#delayMs = delayMs;
    this.#shares = shares;
    this.#ofMethod = ofMethod;
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    const { result: schema } = callMethods[checkCallMethod(method)];
    const luck = this.#luck(method);
    return await bounded(method, options, async () => {
      if (luck.strikes("disconnect", 0)) {
        if (luck.share("reaches", 0) < 0.5) await this.#inner.call(method, params, options);
        throw disconnected(method);
      }
      if (luck.strikes("duplicate", 0)) await this.#inner.call(method, params, options);
      const result = await this.#inner.call(method, params, options);
      if (luck.strikes("loss", 0)) await never();
      if (luck.strikes("delay", 0)) await sleep(this.#delayMs * luck.share("late", 0), options.signal);
      if (!luck.strikes("corrupt", 0)) return result;
      return checkAgainst(
        schema,
        corrupted(result, luck, 0),
        "BAD_MESSAGE",
        `the answer to ${method}`,
      ) as CallResult<M>;
    });
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    const { result: schema } = streamMethods[checkStreamMethod(method)];
    const luck = this.#luck(method);
    const stop = new AbortController();
    const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
    // Without the reader's memory: an item that is held back must not be overwritten by the next.
    const items = this.#shuffled(this.#inner.stream(method, params, { ...options, signal, memory: undefined }), luck);
    try {
      for (let n = 0; ; n++) {
        const item = await bounded(method, options, async () => {
          const next = await items.next();
          if (next.done === true) return undefined;
          if (luck.strikes("disconnect", n)) throw disconnected(method);
          if (luck.strikes("stall", n)) await never();
          if (luck.strikes("delay", n)) await sleep(this.#delayMs * luck.share("late", n), signal);
          if (!luck.strikes("corrupt", n)) return next.value;
          return checkAgainst(
            schema,
            corrupted(next.value, luck, n),
            "BAD_MESSAGE",
            `an item of ${method}`,
          ) as StreamItem<M>;
        });
        if (item === undefined) return;
        yield placeFrames(item, options.memory);
      }
    } finally {
      stop.abort();
      items.return(undefined).catch(() => {});
    }
  }

  /** The items with some left out, twice, or after the next. */
  async *#shuffled<T>(items: AsyncIterable<T>, luck: Luck): AsyncGenerator<T, void, undefined> {
    let held: T | undefined;
    let n = -1;
    for await (const item of items) {
      n++;
      if (luck.strikes("loss", n)) continue;
      if (held === undefined && luck.strikes("reorder", n)) {
        held = copyOf(item);
        continue;
      }
      yield item;
      if (luck.strikes("duplicate", n)) yield item;
      if (held !== undefined) yield held;
      held = undefined;
    }
    if (held !== undefined) yield held;
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  #luck(method: string): Luck {
    const nth = this.#asked.get(method) ?? 0;
    this.#asked.set(method, nth + 1);
    return new Luck(hash(this.#seed, method, nth), this.#ofMethod.get(method) ?? this.#shares);
  }
}

/** What happens to one question: drawn from names and numbers, so that timing changes nothing. */
class Luck {
  readonly #seed: number;
  readonly #shares: FaultShares;

  constructor(seed: number, shares: FaultShares) {
    this.#seed = seed;
    this.#shares = shares;
  }

  share(what: string, n: number): number {
    return hash(this.#seed, what, n) / 0x1_0000_0000;
  }

  strikes(fault: Fault, n: number): boolean {
    return this.share(fault, n) < (this.#shares[fault] ?? 0);
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

function disconnected(method: string): SaclaError {
  return new SaclaError("UNREACHABLE", `The connection broke at ${method}, as withFaults was asked to.`, {
    details: { method },
  });
}

function copyOf<T>(value: T): T {
  return payloadOf(encodeMessage({ kind: "result", id: 0, value }), true) as T;
}

/** The value with one byte of its encoded message changed. */
function corrupted(value: unknown, luck: Luck, n: number): unknown {
  const parts = encodeMessage({ kind: "result", id: 0, value }).map((part) => part.slice());
  const sizes = parts.map((part) => part.byteLength);
  let at = Math.floor(luck.share("byte", n) * sizes.reduce((sum, size) => sum + size, 0));
  for (const part of parts) {
    if (at < part.byteLength) {
      part[at] = (part[at] ?? 0) ^ (1 + Math.floor(255 * luck.share("bits", n)));
      break;
    }
    at -= part.byteLength;
  }
  return payloadOf(parts, false);
}

function payloadOf(parts: readonly Uint8Array[], copy: boolean): unknown {
  const message = decodeMessage(parts, { copy });
  if (message.kind === "result") return message.value;
  throw new SaclaError("BAD_MESSAGE", `A ${message.kind} came where a result was due.`);
}
