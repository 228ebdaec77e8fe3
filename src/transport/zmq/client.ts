import { SaclaError, show } from "../../core/errors.ts";
import { any, integer, optional, resolveOptions } from "../../core/options.ts";
import { type CarriedRequest, type Carrier, type Exchange, endpointOver } from "../client.ts";
import type { AnswerMessage } from "../codec.ts";
import { isUrgent } from "../control-methods.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import { Connection, type ConnectionOptions, type PendingRequest } from "./connection.ts";
import { type CurvePair, keyBytes } from "./keys.ts";
import { needZeromq } from "./load.ts";

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

/** Further calls wait in a queue, rather than be refused by the server. */
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
 * @throws NO_ZEROMQ in Deno and Bun
 *
 * @example
 * const endpoint = zmqEndpoint("tcp://127.0.0.1:7801");
 */
export function zmqEndpoint(url: string, options: ZmqOptions = {}): Endpoint & AsyncDisposable {
  return endpointOver(new ZmqCarrier(url, options));
}

class ZmqCarrier implements Carrier {
  readonly name: string;
  readonly #options: ConnectionOptions;
  readonly #credit: number;
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  readonly #closing: AbortController = new AbortController();
  #openCalls = 0;
  readonly #queue: (() => void)[] = [];

  constructor(url: string, options: ZmqOptions) {
    const { connectTimeoutMs, credit, pingMs } = resolveOptions("zmqEndpoint", options, {
      curve: any,
      connectTimeoutMs: optional(integer(1, 600_000), 5000),
      credit: optional(integer(1, MAX_CREDIT), 4),
      pingMs: optional(integer(1, 600_000), 5000),
    });
    if (!/^(tcp:\/\/.+:\d{1,5}|ipc:\/\/.+)$/.test(url)) {
      throw new SaclaError(
        "BAD_URL",
        `${show(url)} is no address of a ZeroMQ server; allowed are tcp://host:port and ipc:///path.`,
        { details: { url } },
      );
    }
    needZeromq();
    const { curve = null } = options;
    if (curve !== null) {
      for (const name of ["serverKey", "publicKey", "secretKey"] as const) keyBytes(`curve.${name}`, curve[name]);
    }
    this.name = url;
    this.#options = { url, curve, connectTimeoutMs, pingMs };
    this.#credit = credit;
  }

  open(request: CarriedRequest, { memory }: StreamOptions): Exchange {
    const credit = request.kind === "call" ? 1 : this.#credit;
    const bytesOnTheWay = memory === undefined ? Infinity : BYTES_ON_THE_WAY;
    return new ZmqExchange(request, credit, bytesOnTheWay, (exchange) => this.#send(request, exchange));
  }

  async close(): Promise<void> {
    this.#closing.abort(new SaclaError("UNREACHABLE", `The connection to ${this.name} was closed.`));
    this.#connection?.close();
    // One that was made in this very moment.
    await this.#connecting?.then(
      (connection) => connection.close(),
      () => {},
    );
  }

  /** Sends a request, a call when the queue lets it through, and gives its first answer. */
  async #send(request: CarriedRequest, exchange: ZmqExchange): Promise<AnswerMessage> {
    const { kind, method, value } = request;
    // What makes safe waits for no other call.
    if (kind === "stream" || isUrgent(method, value))
      return await exchange.begin(await this.#connected(), request.timeoutMs);
    const started = performance.now();
    if (this.#openCalls >= MAX_OPEN_CALLS) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#openCalls++;
    try {
      const connection = this.#connection?.isUsable === true ? this.#connection : await this.#connected();
      const { timeoutMs } = request;
      const left = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (performance.now() - started));
      return await exchange.begin(connection, left);
    } finally {
      this.#openCalls--;
      this.#queue.shift()?.();
    }
  }

  async #connected(): Promise<Connection> {
    if (this.#connection?.isUsable === true) return this.#connection;
    this.#connecting ??= Connection.connect(this.#options, this.#closing.signal).finally(() => {
      this.#connecting = undefined;
    });
    this.#connection = await this.#connecting;
    return this.#connection;
  }
}

/** The answers to one request, from its sending to its end. */
class ZmqExchange implements Exchange, PendingRequest {
  readonly #request: CarriedRequest;
  readonly #credit: number;
  readonly #bytesOnTheWay: number;
  readonly #send: (exchange: ZmqExchange) => Promise<AnswerMessage>;
  #connection: Connection | undefined;
  #isSent = false;
  #id = 0;
  #isStopped = false;
  #isAnswered = false;
  /** Credit for items that are done with, not given back because those on the way are large. */
  #withheld = 0;
  #itemBytes = 0;
  readonly #come: (AnswerMessage | SaclaError)[] = [];
  #wanted: { resolve(message: AnswerMessage): void; reject(error: SaclaError): void } | undefined;

  constructor(
    request: CarriedRequest,
    credit: number,
    bytesOnTheWay: number,
    send: (exchange: ZmqExchange) => Promise<AnswerMessage>,
  ) {
    this.#request = request;
    this.#credit = credit;
    this.#bytesOnTheWay = bytesOnTheWay;
    this.#send = send;
  }

  next(): Promise<AnswerMessage> {
    if (this.#isSent) return this.#answer();
    this.#isSent = true;
    return this.#send(this);
  }

  /** Sends the request over `connection`, and waits for its first answer. */
  begin(connection: Connection, timeoutMs: number | undefined): Promise<AnswerMessage> {
    // The caller may have given up while there was no connection yet.
    if (!this.#isStopped) {
      const { kind, method, value, key } = this.#request;
      const credit = this.#credit;
      this.#connection = connection;
      this.#id = connection.request(
        (id) =>
          kind === "call"
            ? { kind, id, method, value, timeoutMs, key }
            : { kind, id, method, value, credit, timeoutMs },
        this,
      );
    }
    return this.#answer();
  }

  receive(message: AnswerMessage, bytes: number): void {
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

  #answer(): Promise<AnswerMessage> {
    if (this.#isStopped) return Promise.reject(new SaclaError("ABORTED", "Nothing more is wanted."));
    const first = this.#come.shift();
    if (first instanceof SaclaError) return Promise.reject(first);
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      this.#wanted = { resolve, reject };
    });
  }

  /** Others may come, while those on the way are two or have at most as many bytes as is good. */
  release(): void {
    const wanted = Math.max(2, Math.floor(this.#bytesOnTheWay / this.#itemBytes));
    const withheld = Math.max(0, this.#credit - wanted);
    const credit = this.#withheld + 1 - withheld;
    this.#withheld = Math.min(this.#withheld + 1, withheld);
    if (credit > 0 && !this.#isAnswered) this.#connection?.send({ kind: "credit", id: this.#id, credit });
  }

  /** Nothing more is wanted. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    // Nobody listens any more; it only makes room in the queue of calls.
    this.#wanted?.reject(new SaclaError("ABORTED", "Nothing more is wanted."));
    this.#connection?.release(this.#id);
    if (!this.#isAnswered) this.#connection?.send({ kind: "cancel", id: this.#id });
  }
}
