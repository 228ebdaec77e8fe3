import { randomUUID } from "node:crypto";
import { bounded, type CallOptions, MAX_TIMEOUT_MS, throwIfAborted } from "../../core/async.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { asFinite } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkAgainst, checkCallMethod, checkStreamMethod } from "../check.ts";
import { type AnswerMessage, decodeMessage, encodeMessage, fromWireError, type RequestMessage } from "../codec.ts";
import type { Endpoint, StreamOptions } from "../endpoint.ts";
import { placeFrames } from "../frame-memory.ts";
import { incomplete } from "../incomplete.ts";
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
} from "../methods.ts";
import { PACKED_TYPE, PackedReader, packParts } from "../packed.ts";
import { errorOfResponse } from "./errors.ts";
import { toQuery } from "./json-form.ts";

export interface HttpOptions {
  /** The bearer token that `sacla keys new` has given. */
  readonly token?: string | undefined;
  /** Sends the requests, for proxies and certificates of one's own. @default fetch of Node.js */
  readonly fetch?: typeof fetch | undefined;
  /** Longest wait for the answer to a call that names no `timeoutMs`. @default 120000 */
  readonly timeoutMs?: number | undefined;
  /** How long a stream may be silent; the server is heard every 10 s even when it has no item. @default 30000 */
  readonly silenceMs?: number | undefined;
}

/** Addresses longer than this are refused by some proxies; what does not fit goes as POST. */
const LONGEST_QUERY = 1000;

/**
 * A sacla server at an `http://` or `https://` address. Every request and answer is checked against the method table.
 * Connections are opened as they are needed, so it comes back by itself when the server does; nothing is repeated here.
 *
 * What is open throws UNREACHABLE when the connection breaks, BAD_MESSAGE when something answers that is no sacla
 * server, NOT_AUTHENTICATED when the token is missing or wrong.
 *
 * @throws BAD_URL when `url` is not a plain http or https address
 *
 * @example
 * const endpoint = httpEndpoint("http://127.0.0.1:5580");
 * await endpoint.call("db.readRunnumberNewest", { bl: 3 });
 */
export function httpEndpoint(url: string, options: HttpOptions = {}): Endpoint {
  return new HttpEndpoint(baseOf(url), options);
}

class HttpEndpoint implements Endpoint {
  readonly #base: string;
  readonly #token: string | undefined;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;
  readonly #silenceMs: number;
  readonly #open: Set<AbortController> = new Set();
  #isClosed = false;

  constructor(base: string, options: HttpOptions) {
    resolveOptions("httpEndpoint", options, { token: any, fetch: any, timeoutMs: any, silenceMs: any });
    this.#base = base;
    this.#token = options.token;
    // Looked up at each request, so that what replaces fetch later (a test, an agent) is used.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#timeoutMs = asFinite("timeoutMs", options.timeoutMs ?? 120_000, 0, MAX_TIMEOUT_MS);
    this.#silenceMs = asFinite("silenceMs", options.silenceMs ?? 30_000, 0, MAX_TIMEOUT_MS);
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    this.#checkOpen(method);
    const entry: Method = callMethods[checkCallMethod(method)];
    const value = checkAgainst(entry.params, params, "BAD_ARGUMENT", method);
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const key = entry.changes ? (options.key ?? randomUUID()) : undefined;
    const controller = this.#begin();
    try {
      const answer = await bounded(method, { signal: options.signal, timeoutMs }, async () => {
        const response = await this.#send(
          { kind: "call", id: 0, method, value, timeoutMs, key },
          entry.changes,
          controller.signal,
        );
        const reader = new PackedReader(this.#chunks(response));
        const message = await this.#next(reader, method);
        if (message !== undefined && (await reader.next()) === undefined) return message;
        throw new SaclaError(
          "BAD_MESSAGE",
          `${this.#base} answered ${method} with ${message === undefined ? "no message" : "more than one message"}.`,
        );
      });
      if (answer.kind === "error") throw fromWireError(answer.error);
      if (answer.kind !== "result") throw this.#unexpected(answer.kind, method);
      return checkAgainst(entry.result, answer.value, "BAD_MESSAGE", `the answer to ${method}`) as CallResult<M>;
    } finally {
      this.#end(controller);
    }
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    this.#checkOpen(method);
    const entry: Method = streamMethods[checkStreamMethod(method)];
    const value = checkAgainst(entry.params, params, "BAD_ARGUMENT", method);
    const { resume }: { resume?: Resume<StreamParams<M>, StreamItem<M>> } = streamMethods[method];
    const { signal, timeoutMs, memory } = options;
    const controller = this.#begin();
    let rest = value as StreamParams<M>;
    let seq = 0;
    try {
      const request: RequestMessage = { kind: "stream", id: 0, credit: 1, method, value, timeoutMs };
      const response = await bounded(method, { signal, timeoutMs }, () =>
        this.#heard(() => this.#send(request, false, controller.signal)),
      );
      const reader = new PackedReader(this.#chunks(response, this.#silenceMs));
      for (; ; seq++) {
        throwIfAborted(signal);
        this.#checkOpen(method);
        const answer = await bounded(method, { signal, timeoutMs }, () => this.#nextItem(reader, method, seq));
        if (answer === undefined) return;
        const item = placeFrames(
          checkAgainst(entry.result, answer.value, "BAD_MESSAGE", `an item of ${method}`) as StreamItem<M>,
          memory,
        );
        rest = resume?.rest(rest, item) ?? rest;
        yield item;
      }
    } catch (error) {
      throw isSaclaError(error, "UNREACHABLE")
        ? incomplete(error, seq, resume?.tags(rest) ?? new Uint32Array(0))
        : error;
    } finally {
      this.#end(controller);
    }
  }

  /** Ends what is open. A second call does nothing. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const controller of this.#open) controller.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #begin(): AbortController {
    const controller = new AbortController();
    this.#open.add(controller);
    return controller;
  }

  /** Closes the connection of a request that has not been read to its end, which is how its server learns of it. */
  #end(controller: AbortController): void {
    this.#open.delete(controller);
    // With a reason, for making the usual one takes longer than all else here.
    controller.abort("no longer wanted");
  }

  #checkOpen(method: string): void {
    if (this.#isClosed) throw new SaclaError("CLOSED", `${method} was called after close().`);
  }

  /** The answer to a request, when it is one of a sacla server and no failure. */
  async #send(
    request: RequestMessage & { kind: "call" | "stream" },
    changes: boolean,
    signal: AbortSignal,
  ): Promise<Response> {
    const { kind, method, value, timeoutMs } = request;
    const query = toQuery(value as object).toString();
    const isGet = !changes && query.length <= LONGEST_QUERY;
    const headers: Record<string, string> = { Accept: PACKED_TYPE };
    if (this.#token !== undefined) headers["Authorization"] = `Bearer ${this.#token}`;
    if (timeoutMs !== undefined) headers["Sacla-Timeout-Ms"] = String(timeoutMs);
    if (kind === "call" && request.key !== undefined) headers["Idempotency-Key"] = request.key;
    if (!isGet) headers["Content-Type"] = PACKED_TYPE;
    const url = `${this.#base}/v1/${method.replace(".", "/")}${isGet && query !== "" ? `?${query}` : ""}`;
    let response: Response;
    try {
      const body = isGet ? null : packParts(encodeMessage(request));
      // A redirect would lead to a page for people, or take the token elsewhere.
      response = await this.#fetch(url, { method: isGet ? "GET" : "POST", headers, body, signal, redirect: "manual" });
    } catch (error) {
      throw this.#broken(method, error);
    }
    const refusal = await errorOfResponse(response, this.#base).catch((error: unknown) => {
      throw this.#broken(method, error);
    });
    if (refusal !== undefined) throw refusal;
    return response;
  }

  async *#chunks(response: Response, silenceMs?: number): AsyncGenerator<Uint8Array, void, undefined> {
    if (response.body === null) return;
    const reader = response.body.getReader();
    try {
      for (;;) {
        const read = (): ReturnType<typeof reader.read> => reader.read();
        const { done, value } = await (silenceMs === undefined ? read() : this.#heard(read));
        if (done) return;
        yield value;
      }
    } catch (error) {
      throw this.#broken("the answer", error);
    } finally {
      // What is left is not wanted; that it cannot be given up any more does not matter.
      reader.cancel().catch(() => {});
    }
  }

  /** @throws UNREACHABLE when `work` takes longer than a living server is silent */
  async #heard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await bounded(this.#base, { timeoutMs: this.#silenceMs }, work);
    } catch (error) {
      if (!isSaclaError(error, "TIMEOUT") || error.details["what"] !== this.#base) throw error;
      throw new SaclaError("UNREACHABLE", `${this.#base} has been silent for ${this.#silenceMs} ms.`, {
        details: { url: this.#base },
      });
    }
  }

  async #next(reader: PackedReader, method: string): Promise<AnswerMessage | undefined> {
    const parts = await reader.next();
    if (parts === undefined) return undefined;
    const message = decodeMessage(parts, { copy: false });
    if (
      message.kind === "result" ||
      message.kind === "item" ||
      message.kind === "end" ||
      message.kind === "error" ||
      message.kind === "pong"
    )
      return message;
    throw this.#unexpected(message.kind, method);
  }

  /**
   * Item number `seq`; undefined at the end.
   * @throws what the server says; UNREACHABLE when the stream stops without saying so
   */
  async #nextItem(
    reader: PackedReader,
    method: string,
    seq: number,
  ): Promise<(AnswerMessage & { kind: "item" }) | undefined> {
    for (;;) {
      const message = await this.#next(reader, method);
      if (message === undefined)
        throw new SaclaError("UNREACHABLE", `${this.#base} broke ${method} off after ${seq} items.`, {
          details: { url: this.#base, seq },
        });
      if (message.kind === "pong") continue;
      if (message.kind === "end") return undefined;
      if (message.kind === "error") throw fromWireError(message.error);
      if (message.kind !== "item") throw this.#unexpected(message.kind, method);
      if (message.seq !== seq)
        throw new SaclaError(
          "BAD_MESSAGE",
          `${this.#base} sent item ${message.seq} of ${method} where ${seq} comes next.`,
        );
      return message;
    }
  }

  #unexpected(kind: string, method: string): SaclaError {
    return new SaclaError("BAD_MESSAGE", `${this.#base} answered ${method} with a message of kind ${show(kind)}.`);
  }

  #broken(method: string, error: unknown): SaclaError {
    if (isSaclaError(error)) return error;
    if (this.#isClosed) return new SaclaError("CLOSED", `${method} was ended by close().`);
    const details = { url: this.#base };
    return new SaclaError("UNREACHABLE", `${this.#base} cannot be reached: ${reasonOf(error)}.`, {
      details,
      cause: error,
    });
  }
}

/** fetch says only "fetch failed"; why stands in the causes below. */
function reasonOf(error: unknown): string {
  let reason = String(error);
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = "code" in at && typeof at.code === "string" ? at.code : "";
    const text = at.message === "" ? code : at.message;
    if (text !== "") reason = code === "" || text.includes(code) ? text : `${text} (${code})`;
  }
  return reason;
}

function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain =
    parsed !== undefined &&
    parsed.username === "" &&
    parsed.password === "" &&
    parsed.search === "" &&
    parsed.hash === "";
  if (isPlain && (parsed.protocol === "http:" || parsed.protocol === "https:"))
    return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
  // Not shown with more than its origin: a password or token may stand in it.
  const shown = show(parsed === undefined ? url : parsed.origin);
  throw new SaclaError(
    "BAD_URL",
    `${shown} must be the address of a server without user name and query, such as http://127.0.0.1:5580 or https://host:5580.`,
  );
}
