import { randomUUID } from "node:crypto";
import { BoundedWaits, bounded, type CallOptions, callChecks } from "../core/async.ts";
import { isSaclaError, SaclaError, show } from "../core/errors.ts";
import { resolveOptions } from "../core/options.ts";
import { checkAgainst, checkCallMethod, checkStreamMethod } from "./check.ts";
import { type AnswerMessage, fromWireError } from "./codec.ts";
import type { Endpoint, StreamOptions } from "./endpoint.ts";
import { placeFrames } from "./frame-memory.ts";
import { incomplete } from "./incomplete.ts";
import {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type Method,
  type Resume,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "./methods.ts";
import { partsOfCall, partsOfStream, sideBySide, timeLeft } from "./parts.ts";

/** A checked request, for a carrier to send. */
export interface CarriedRequest {
  readonly kind: "call" | "stream";
  readonly method: string;
  readonly value: unknown;
  readonly timeoutMs?: number | undefined;
  /** Present for a call that changes something, and only then: the server does each key once. */
  readonly key?: string | undefined;
  /** Whether `value` holds a secret, which must stand in no address. */
  readonly hasSecret?: boolean | undefined;
}

/** One request and its answers. */
export interface Exchange {
  /**
   * The next answer; the first call sends the request. A call has one answer, `result` or `error`; a stream has items
   * from `seq` 0, then `end` or `error`.
   * @throws UNREACHABLE when the connection cannot be made, or breaks
   */
  next(): Promise<AnswerMessage>;
  /** The caller has finished with an item of a stream, so the server may send another one. */
  release?(): void;
  /** Nothing more is wanted, whatever has happened before. The server is told if it still works on the request. */
  stop(): void;
}

/**
 * What brings requests to a server and answers back. It need not check requests or answers, number items, bound waits
 * or know whether it is closed: {@link endpointOver} does this for every carrier.
 */
export interface Carrier {
  /** For messages: the address of the server. */
  readonly name: string;
  /** `timeoutMs` of a call that names none. @default no limit */
  readonly callTimeoutMs?: number | undefined;
  /** Whether it puts frames in `options.memory` itself. @default false */
  readonly placesFrames?: boolean | undefined;
  /** Prepares a request. Nothing is sent before {@link Exchange.next}. */
  open(request: CarriedRequest, options: StreamOptions): Exchange;
  /** Ends what is open; whoever waits for an answer gets an error. Called once. */
  close(): Promise<void>;
}

/**
 * The Endpoint at the other end of a carrier. Requests and answers are checked against the method table, waits end with
 * `timeoutMs` and `signal`, frames are put where the reader wants them, and a stream that breaks says which tags are
 * missing.
 */
export function endpointOver(carrier: Carrier): Endpoint & AsyncDisposable {
  return new CarriedEndpoint(carrier);
}

class CarriedEndpoint implements Endpoint {
  readonly #carrier: Carrier;
  #closing: Promise<void> | undefined;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    this.#checkOpen(method);
    const entry: Method = callMethods[checkCallMethod(method)];
    const value = checkAgainst(entry.params, params, "BAD_ARGUMENT", method);
    const { signal, timeoutMs = this.#carrier.callTimeoutMs } = resolveOptions("call", options, callChecks);
    const key = entry.changes ? (options.key ?? randomUUID()) : undefined;
    const exchange = this.#carrier.open(
      { kind: "call", method, value, timeoutMs, key, hasSecret: entry.hasSecret },
      options,
    );
    const started = performance.now();
    try {
      const answer = await bounded(method, { signal, timeoutMs }, () => exchange.next());
      const result = this.#valueOf(method, answer);
      return checkAgainst(entry.result, result, "BAD_MESSAGE", `the answer to ${method}`) as CallResult<M>;
    } catch (error) {
      const parts = partsOfCall(method, value, error);
      if (parts === undefined) throw this.#ended(method, error);
      const answers: unknown[] = [];
      for (const request of parts.requests)
        answers.push(await this.call(method, request as CallParams<M>, timeLeft(options, started)));
      return parts.join(answers) as CallResult<M>;
    } finally {
      exchange.stop();
    }
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    this.#checkOpen(method);
    const entry: Method & { resume?: Resume<StreamParams<M>, StreamItem<M>> } =
      streamMethods[checkStreamMethod(method) as M];
    const { params: paramsSchema, result: itemSchema, resume } = entry;
    const value = checkAgainst(paramsSchema, params, "BAD_ARGUMENT", method) as StreamParams<M>;
    const { timeoutMs, memory } = options;
    const exchange = this.#carrier.open({ kind: "stream", method, value, timeoutMs }, options);
    const waits = new BoundedWaits(options);
    // Made once: this runs for every shot.
    const next = (): Promise<AnswerMessage> => exchange.next();
    const where = `an item of ${method}`;
    const target = this.#carrier.placesFrames === true ? undefined : memory;
    let rest = value;
    let received = 0;
    try {
      for (; ; received++) {
        this.#checkOpen(method);
        const answer = await waits.run(method, next);
        if (answer.kind === "end") return;
        const checked = checkAgainst(itemSchema, this.#valueOf(method, answer, received), "BAD_MESSAGE", where);
        const item = placeFrames(checked as StreamItem<M>, target);
        rest = resume?.rest(rest, item) ?? rest;
        // Copied frames are finished with at once, others when the reader comes back for more.
        if (target !== undefined) exchange.release?.();
        yield item;
        if (target === undefined) exchange.release?.();
      }
    } catch (cause) {
      const parts = received === 0 ? partsOfStream(method, value, cause) : undefined;
      if (parts !== undefined) {
        exchange.stop();
        const streams = parts.map((request) => this.stream("st.frames", request as StreamParams<"st.frames">, options));
        return yield* sideBySide(streams) as AsyncGenerator<StreamItem<M>, void, undefined>;
      }
      const error = this.#ended(method, cause);
      // What the other end has already said to be incomplete stays as it is.
      const isBroken = isSaclaError(error, "UNREACHABLE") && !("received" in error.details);
      throw isBroken ? incomplete(error, received, resume?.tags(rest) ?? new Uint32Array(0)) : error;
    } finally {
      waits.end();
      exchange.stop();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#carrier.close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkOpen(method: string): void {
    if (this.#closing !== undefined) throw new SaclaError("CLOSED", `${method} was called after close().`);
  }

  /** The error of a request; CLOSED when it is close() that broke it. */
  #ended(method: string, error: unknown): unknown {
    if (this.#closing === undefined || !isSaclaError(error, "UNREACHABLE")) return error;
    return new SaclaError("CLOSED", `${method} was ended by close().`, { cause: error });
  }

  /** The value of a result, or of item number `seq`. @throws the server's error @throws BAD_MESSAGE */
  #valueOf(method: string, message: AnswerMessage, seq?: number): unknown {
    if (message.kind === "error") throw fromWireError(message.error);
    if (message.kind === "item" && message.seq === seq) return message.value;
    if (message.kind === "result" && seq === undefined) return message.value;
    const sent = message.kind === "item" ? `item ${message.seq}` : `a message of kind ${show(message.kind)}`;
    const due = seq === undefined ? "a result" : `item ${seq}`;
    throw new SaclaError("BAD_MESSAGE", `${this.#carrier.name} answered ${method} with ${sent}; expected was ${due}.`);
  }
}
