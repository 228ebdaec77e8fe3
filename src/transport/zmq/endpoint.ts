import { randomUUID } from "node:crypto";
import { BoundedWaits, bounded, type CallOptions } from "../../core/async.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { asInteger } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkAgainst, checkCallMethod, checkStreamMethod } from "../check.ts";
import { type AnswerMessage, fromWireError } from "../codec.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import { placeFrames } from "../frame-memory.ts";
import { incomplete } from "../incomplete.ts";
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
import { type CurvePair, keyBytes } from "./keys.ts";
import { Link, type LinkOptions } from "./link.ts";

export interface ZmqOptions {
  /**
   * The server's public key and this client's pair, as `sacla keys` gives them; needed beyond loopback.
   * @default none
   */
  readonly curve?: (CurvePair & { readonly serverKey: string }) | undefined;
  /** How long a request waits for a connection. @default 5000 */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Items of a stream that may be on their way or unread; of large ones put into memory of the reader it is soon fewer,
   * but two.
   * @default 4
   */
  readonly credit?: number | undefined;
  /**
   * How often the server is asked for a sign of life while something is open; it is taken for gone after three in vain.
   * @default 5000
   */
  readonly pingMs?: number | undefined;
}

/** Further calls wait here for their turn, rather than be refused by the server. */
const MAX_OPEN_CALLS = 64;
const MAX_CREDIT = 64;
/**
 * Of a stream whose frames are placed in the reader's memory, if that is two items at least: more is only colder in the
 * caches when its turn comes. With shots of 8 MiB two on the way took a tenth less time of the processor than four.
 */
const BYTES_ON_THE_WAY = 16 * 2 ** 20;

/**
 * An Endpoint somewhere else, over ZeroMQ: see docs/protocol.md. It connects at the first request and again at the
 * first one after the connection broke; what was open then fails with UNREACHABLE, and nothing is sent twice. Give it
 * `withRetry` to repeat what reads.
 *
 * @param url - `tcp://host:port` or `ipc:///path`
 * @throws BAD_URL @throws BAD_ARGUMENT
 *
 * @example
 * const endpoint = zmqEndpoint("tcp://127.0.0.1:7801");
 */
export function zmqEndpoint(url: string, options: ZmqOptions = {}): Endpoint {
  return new ZmqEndpoint(url, options);
}

class ZmqEndpoint implements Endpoint {
  readonly #options: LinkOptions;
  readonly #credit: number;
  #link: Link | undefined;
  #connecting: Promise<Link> | undefined;
  readonly #closing: AbortController = new AbortController();
  #openCalls = 0;
  readonly #turns: (() => void)[] = [];

  constructor(url: string, options: ZmqOptions) {
    resolveOptions("zmqEndpoint", options, { curve: any, connectTimeoutMs: any, credit: any, pingMs: any });
    if (!/^(tcp:\/\/.+:\d{1,5}|ipc:\/\/.+)$/.test(url)) {
      throw new SaclaError(
        "BAD_URL",
        `${show(url)} is no address of a ZeroMQ server; allowed are tcp://host:port and ipc:///path.`,
        { details: { url } },
      );
    }
    const { curve = null, connectTimeoutMs = 5000, credit = 4, pingMs = 5000 } = options;
    if (curve !== null) {
      for (const name of ["serverKey", "publicKey", "secretKey"] as const) keyBytes(`curve.${name}`, curve[name]);
    }
    this.#options = {
      url,
      curve,
      connectTimeoutMs: asInteger("connectTimeoutMs", connectTimeoutMs, 1, 600_000),
      pingMs: asInteger("pingMs", pingMs, 1, 600_000),
    };
    this.#credit = asInteger("credit", credit, 1, MAX_CREDIT);
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    this.#checkOpen(method);
    const { params: paramsSchema, result: resultSchema } = callMethods[checkCallMethod(method)];
    const value = checkAgainst(paramsSchema, params, "BAD_ARGUMENT", method);
    const pending = new Pending();
    try {
      const message = await bounded(method, options, () => this.#ask(pending, method, value, options));
      return checkAgainst(resultSchema, payload(message), "BAD_MESSAGE", `the answer to ${method}`) as CallResult<M>;
    } finally {
      pending.stop();
    }
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    this.#checkOpen(method);
    const { params: paramsSchema, result: itemSchema } = streamMethods[checkStreamMethod(method)];
    const { resume }: { resume?: Resume<StreamParams<M>, StreamItem<M>> } = streamMethods[method];
    const value = checkAgainst(paramsSchema, params, "BAD_ARGUMENT", method) as StreamParams<M>;
    const { memory, timeoutMs } = options;
    const pending = new Pending(this.#credit);
    let rest = value;
    let received = 0;
    const waits = new BoundedWaits(options);
    try {
      const link = await waits.run(method, () => this.#connected());
      pending.start(link, (id) => ({ kind: "stream", id, method, value, credit: this.#credit, timeoutMs }));
      const next = (): Promise<AnswerMessage> => pending.next();
      for (; ; received++) {
        this.#checkOpen(method);
        const answer = payload(await waits.run(method, next), received);
        if (answer === undefined) return;
        const item = placeFrames(
          checkAgainst(itemSchema, answer, "BAD_MESSAGE", `an item of ${method}`) as StreamItem<M>,
          memory,
        );
        rest = resume?.rest(rest, item) ?? rest;
        // What has been placed is done with; what has not, when the reader comes back for more.
        if (memory !== undefined) pending.grant(BYTES_ON_THE_WAY);
        yield item;
        if (memory === undefined) pending.grant(Infinity);
      }
    } catch (error) {
      throw isSaclaError(error, "UNREACHABLE")
        ? incomplete(error, received, resume?.tags(rest) ?? new Uint32Array(0))
        : error;
    } finally {
      waits.end();
      pending.stop();
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const error = new SaclaError("CLOSED", `The connection to ${this.#options.url} was closed.`);
    this.#closing.abort(error);
    this.#link?.close(error);
    // One that was made in this very moment.
    await this.#connecting?.then(
      (link) => link.close(error),
      () => {},
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #ask(pending: Pending, method: string, value: unknown, options: CallOptions): Promise<AnswerMessage> {
    const started = performance.now();
    if (this.#openCalls >= MAX_OPEN_CALLS) await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#openCalls++;
    try {
      const link = this.#link?.isUsable === true ? this.#link : await this.#connected();
      const { timeoutMs } = options;
      // A change is done once for its key; without one of the caller's it is not asked again, so any will do.
      const changes: boolean = callMethods[method as CallMethod].changes;
      const key = options.key ?? (changes ? randomUUID() : undefined);
      const left = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (performance.now() - started));
      pending.start(link, (id) => ({ kind: "call", id, method, value, timeoutMs: left, key }));
      return await pending.next();
    } finally {
      this.#openCalls--;
      this.#turns.shift()?.();
    }
  }

  async #connected(): Promise<Link> {
    if (this.#link?.isUsable === true) return this.#link;
    this.#connecting ??= Link.connect(this.#options, this.#closing.signal).finally(() => {
      this.#connecting = undefined;
    });
    this.#link = await this.#connecting;
    return this.#link;
  }

  #checkOpen(method: string): void {
    if (this.#closing.signal.aborted) throw new SaclaError("CLOSED", `${method} was called after close().`);
  }
}

/** The answers to one request, from its sending to its end. */
class Pending {
  readonly #credit: number;
  #link: Link | undefined;
  #id = 0;
  #isStopped = false;
  #isAnswered = false;
  /** Credit for items that are done with, not given back because those on the way are large. */
  #withheld = 0;
  #itemBytes = 0;
  readonly #come: (AnswerMessage | SaclaError)[] = [];
  #wanted: { resolve(message: AnswerMessage): void; reject(error: SaclaError): void } | undefined;

  constructor(credit = 1) {
    this.#credit = credit;
  }

  start(link: Link, make: Parameters<Link["request"]>[0]): void {
    // The caller may have given up while there was no connection yet.
    if (this.#isStopped) return;
    this.#link = link;
    this.#id = link.request(make, this);
  }

  take(message: AnswerMessage, bytes: number): void {
    if (message.kind === "item") this.#itemBytes = bytes;
    else this.#isAnswered = true;
    // A server that sends more than it has credit for would make memory grow.
    if (this.#come.length > this.#credit)
      this.fail(new SaclaError("BAD_MESSAGE", `The server sent more than the ${this.#credit} items it was allowed.`));
    else this.#put(message);
  }

  fail(error: SaclaError): void {
    this.#isAnswered = true;
    this.#put(error);
  }

  #put(answer: AnswerMessage | SaclaError): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted === undefined) this.#come.push(answer);
    else if (answer instanceof SaclaError) wanted.reject(answer);
    else wanted.resolve(answer);
  }

  next(): Promise<AnswerMessage> {
    if (this.#isStopped) return Promise.reject(new SaclaError("ABORTED", "Nothing more is wanted."));
    const first = this.#come.shift();
    if (first instanceof SaclaError) return Promise.reject(first);
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      this.#wanted = { resolve, reject };
    });
  }

  /** An item is done with. Others may come, while those on the way are two or have at most `bytes`. */
  grant(bytes: number): void {
    const wanted = Math.max(2, Math.floor(bytes / this.#itemBytes));
    const withheld = Math.max(0, this.#credit - wanted);
    const credit = this.#withheld + 1 - withheld;
    this.#withheld = Math.min(this.#withheld + 1, withheld);
    if (credit > 0 && !this.#isAnswered) this.#link?.send({ kind: "credit", id: this.#id, credit });
  }

  /** Nothing more is wanted. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    // Nobody listens any more; it only lets go of whoever waits for its turn.
    this.#wanted?.reject(new SaclaError("ABORTED", "Nothing more is wanted."));
    this.#link?.release(this.#id);
    if (!this.#isAnswered) this.#link?.send({ kind: "cancel", id: this.#id });
  }
}

/** What an answer brings; undefined at the end of a stream. `seq` is the number of the item that must come. */
function payload(message: AnswerMessage, seq?: number): unknown {
  if (message.kind === "error") throw fromWireError(message.error);
  if (message.kind === "item" && message.seq === seq) return message.value;
  if (message.kind === "result" && seq === undefined) return message.value;
  if (message.kind === "end" && seq !== undefined) return undefined;
  throw new SaclaError(
    "BAD_MESSAGE",
    `The server sent ${show(message.kind)}${seq === undefined ? "" : ` where item ${seq} was due`}.`,
  );
}
