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

/** Fractions of calls, or of items of a stream, to which a fault happens; each from 0 to 1. @default 0 */
export interface FaultRates {
  /** The answer is delayed by up to `delayMs`. */
  readonly delay?: number | undefined;
  /** A call: the answer never arrives. A stream: an item is left out. */
  readonly loss?: number | undefined;
  /** A call reaches the source twice; an item of a stream arrives twice. */
  readonly duplicate?: number | undefined;
  /** An item of a stream and the next one are swapped. */
  readonly reorder?: number | undefined;
  /** One byte of the answer is changed: BAD_MESSAGE, or a wrong number or pixel. */
  readonly corrupt?: number | undefined;
  /** From this item on, a stream sends nothing. */
  readonly stall?: number | undefined;
  /** UNREACHABLE; the source may have received the call all the same. */
  readonly disconnect?: number | undefined;
}

export interface FaultOptions extends FaultRates {
  /** The faults depend only on the seed, the method, and how often the method was called before. */
  readonly seed: number;
  /** Longest delay. @default 100 */
  readonly delayMs?: number | undefined;
  /** Rates for one method, which replace all those above: `{ "st.frames": { disconnect: 0.01 } }`. */
  readonly methods?: Readonly<Partial<Record<CallMethod | StreamMethod, FaultRates>>> | undefined;
}

const rate = optional(finite(0, 1), 0);
const rateChecks = {
  delay: rate,
  loss: rate,
  duplicate: rate,
  reorder: rate,
  corrupt: rate,
  stall: rate,
  disconnect: rate,
};
type Fault = keyof typeof rateChecks;

/**
 * An Endpoint with a bad **connection**, to test what a script does when answers are late, lost, repeated or damaged.
 * Faults of the facility, such as images that were not stored, come from the simulated facility
 * (`sim:?missing=0.05`).
 *
 * A lost answer and a stalled stream never end by themselves: give `timeoutMs` or a signal.
 *
 * @throws BAD_ARGUMENT when a rate is not a number from 0 to 1, or an option does not exist
 *
 * @example
 * const methods = { "st.frames": { duplicate: 0.05 } };
 * const rough = withFaults(endpoint, { seed: 1, delay: 0.1, disconnect: 0.01, methods });
 */
export function withFaults(inner: Endpoint, options: FaultOptions): Endpoint {
  const checks = { seed: integer(), delayMs: optional(milliseconds, 100), methods: any, ...rateChecks };
  const { methods = {}, seed, delayMs, ...rates } = resolveOptions("withFaults", options, checks);
  for (const [method, own] of Object.entries(methods)) {
    if (!Object.hasOwn(callMethods, method) && !Object.hasOwn(streamMethods, method))
      throw badArgument("methods", method, "names of the method table");
    resolveOptions(`withFaults of ${method}`, own, rateChecks);
  }
  return new Faulty(inner, seed, delayMs, rates, new Map(Object.entries(methods)));
}

class Faulty implements Endpoint {
  readonly #inner: Endpoint;
  readonly #seed: number;
  readonly #delayMs: number;
  readonly #rates: FaultRates;
  readonly #ofMethod: ReadonlyMap<string, FaultRates>;
  readonly #asked = new Map<string, number>();

  constructor(
    inner: Endpoint,
    seed: number,
    delayMs: number,
    rates: FaultRates,
    ofMethod: ReadonlyMap<string, FaultRates>,
  ) {
    this.#inner = inner;
    this.#seed = seed;
    this.#delayMs = delayMs;
    this.#rates = rates;
    this.#ofMethod = ofMethod;
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    const { result: schema } = callMethods[checkCallMethod(method)];
    const draws = this.#draws(method);
    return await bounded(method, options, async () => {
      if (draws.strikes("disconnect", 0)) {
        if (draws.uniform("reaches", 0) < 0.5) await this.#inner.call(method, params, options);
        throw disconnected(method);
      }
      if (draws.strikes("duplicate", 0)) await this.#inner.call(method, params, options);
      const result = await this.#inner.call(method, params, options);
      if (draws.strikes("loss", 0)) await never();
      if (draws.strikes("delay", 0)) await sleep(this.#delayMs * draws.uniform("late", 0), options.signal);
      if (!draws.strikes("corrupt", 0)) return result;
      return checkAgainst(
        schema,
        corrupted(result, draws, 0),
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
    const draws = this.#draws(method);
    const stop = new AbortController();
    const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
    // Without the reader's memory: an item that is held back must not be overwritten by the next.
    const items = this.#shuffled(this.#inner.stream(method, params, { ...options, signal, memory: undefined }), draws);
    try {
      for (let n = 0; ; n++) {
        const item = await bounded(method, options, async () => {
          const next = await items.next();
          if (next.done === true) return undefined;
          if (draws.strikes("disconnect", n)) throw disconnected(method);
          if (draws.strikes("stall", n)) await never();
          if (draws.strikes("delay", n)) await sleep(this.#delayMs * draws.uniform("late", n), signal);
          if (!draws.strikes("corrupt", n)) return next.value;
          return checkAgainst(
            schema,
            corrupted(next.value, draws, n),
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
  async *#shuffled<T>(items: AsyncIterable<T>, draws: FaultDraws): AsyncGenerator<T, void, undefined> {
    let held: T | undefined;
    let n = -1;
    for await (const item of items) {
      n++;
      if (draws.strikes("loss", n)) continue;
      if (held === undefined && draws.strikes("reorder", n)) {
        held = copyOf(item);
        continue;
      }
      yield item;
      if (draws.strikes("duplicate", n)) yield item;
      if (held !== undefined) yield held;
      held = undefined;
    }
    if (held !== undefined) yield held;
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  #draws(method: string): FaultDraws {
    const nth = this.#asked.get(method) ?? 0;
    this.#asked.set(method, nth + 1);
    return new FaultDraws(hash(this.#seed, method, nth), this.#ofMethod.get(method) ?? this.#rates);
  }
}

/** The faults of one request: drawn from names and numbers, so that they do not depend on timing. */
class FaultDraws {
  readonly #seed: number;
  readonly #rates: FaultRates;

  constructor(seed: number, rates: FaultRates) {
    this.#seed = seed;
    this.#rates = rates;
  }

  uniform(what: string, n: number): number {
    return hash(this.#seed, what, n) / 0x1_0000_0000;
  }

  strikes(fault: Fault, n: number): boolean {
    return this.uniform(fault, n) < (this.#rates[fault] ?? 0);
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
function corrupted(value: unknown, draws: FaultDraws, n: number): unknown {
  const parts = encodeMessage({ kind: "result", id: 0, value }).map((part) => part.slice());
  const sizes = parts.map((part) => part.byteLength);
  let at = Math.floor(draws.uniform("byte", n) * sizes.reduce((sum, size) => sum + size, 0));
  for (const part of parts) {
    if (at < part.byteLength) {
      part[at] = (part[at] ?? 0) ^ (1 + Math.floor(255 * draws.uniform("bits", n)));
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
