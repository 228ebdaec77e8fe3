import { bounded, MAX_TIMEOUT_MS } from "../../core/async.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import { type CarriedRequest, type Carrier, type Exchange, endpointOver } from "../client.ts";
import { type AnswerMessage, decodeMessage, encodeMessage } from "../codec.ts";
import type { Endpoint } from "../endpoint.ts";
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
 * Connections are opened as they are needed, so it comes back by itself when the server does. A request is sent once
 * more when its connection was closed before an answer came, and is not repeated otherwise.
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
export function httpEndpoint(url: string, options: HttpOptions = {}): Endpoint & AsyncDisposable {
  return endpointOver(new HttpCarrier(baseOf(url), options));
}

class HttpCarrier implements Carrier {
  readonly name: string;
  readonly callTimeoutMs: number;
  readonly silenceMs: number;
  readonly #token: string | undefined;
  readonly #fetch: typeof fetch;
  readonly #open: Set<HttpExchange> = new Set();

  constructor(base: string, options: HttpOptions) {
    const { token, timeoutMs, silenceMs } = resolveOptions("httpEndpoint", options, {
      token: any,
      fetch: any,
      timeoutMs: optional(finite(0, MAX_TIMEOUT_MS), 120_000),
      silenceMs: optional(finite(0, MAX_TIMEOUT_MS), 30_000),
    });
    this.name = base;
    this.#token = token;
    // Looked up at each request, so that what replaces fetch later (a test, an agent) is used.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.callTimeoutMs = timeoutMs;
    this.silenceMs = silenceMs;
  }

  open(request: CarriedRequest): Exchange {
    const exchange = new HttpExchange(this, request, () => this.#open.delete(exchange));
    this.#open.add(exchange);
    return exchange;
  }

  async close(): Promise<void> {
    for (const exchange of this.#open) exchange.stop();
  }

  /** The answer to a request, when it is one of a sacla server and no failure. */
  async send(request: CarriedRequest, signal: AbortSignal): Promise<Response> {
    const { kind, method, value, timeoutMs, key, hasSecret = false } = request;
    const query = toQuery(value as object).toString();
    const isGet = key === undefined && !hasSecret && query.length <= LONGEST_QUERY;
    const headers: Record<string, string> = { Accept: PACKED_TYPE };
    if (this.#token !== undefined) headers["Authorization"] = `Bearer ${this.#token}`;
    if (timeoutMs !== undefined) headers["Sacla-Timeout-Ms"] = String(timeoutMs);
    if (key !== undefined) headers["Idempotency-Key"] = key;
    if (!isGet) headers["Content-Type"] = PACKED_TYPE;
    const url = `${this.name}/v1/${method.replace(".", "/")}${isGet && query !== "" ? `?${query}` : ""}`;
    const message = kind === "call" ? ({ kind, key } as const) : ({ kind, credit: 1 } as const);
    try {
      const body = isGet ? null : packParts(encodeMessage({ ...message, id: 0, method, value, timeoutMs }));
      // A redirect would lead to a page for people, or take the token elsewhere.
      const init: RequestInit = { method: isGet ? "GET" : "POST", headers, body, signal, redirect: "manual" };
      const response = await this.#fetch(url, init).catch((error: unknown) => {
        // The server closes a connection that was not used for some seconds. A program that computed meanwhile hears of
        // it only when it has sent its request there. A call with a key is done once, however often it comes.
        if (signal.aborted || !isHungUp(error)) throw error;
        return this.#fetch(url, init);
      });
      const refusal = await errorOfResponse(response, this.name);
      if (refusal === undefined) return response;
      throw refusal;
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  unreachable(error: unknown): SaclaError {
    if (isSaclaError(error)) return error;
    const details = { url: this.name };
    return new SaclaError("UNREACHABLE", `${this.name} cannot be reached: ${reasonOf(error)}.`, {
      details,
      cause: error,
    });
  }
}

class HttpExchange implements Exchange {
  readonly #carrier: HttpCarrier;
  readonly #request: CarriedRequest;
  readonly #onStop: () => void;
  readonly #controller: AbortController = new AbortController();
  #reader: PackedReader | undefined;

  constructor(carrier: HttpCarrier, request: CarriedRequest, onStop: () => void) {
    this.#carrier = carrier;
    this.#request = request;
    this.#onStop = onStop;
  }

  async next(): Promise<AnswerMessage> {
    const { method, kind } = this.#request;
    const { name } = this.#carrier;
    if (this.#reader === undefined) {
      const send = (): Promise<Response> => this.#carrier.send(this.#request, this.#controller.signal);
      const response = await (kind === "call" ? send() : this.#heard(send));
      this.#reader = new PackedReader(this.#chunks(response));
    }
    for (;;) {
      const parts = await this.#reader.next();
      if (parts === undefined) {
        if (kind === "call") throw new SaclaError("BAD_MESSAGE", `${name} answered ${method} with no message.`);
        throw new SaclaError("UNREACHABLE", `${name} broke ${method} off.`, { details: { url: name } });
      }
      const message = decodeMessage(parts, { copy: false });
      // A stream that has no item yet says that it lives.
      if (message.kind === "pong" && kind === "stream") continue;
      if (kind === "call" && (await this.#reader.next()) !== undefined)
        throw new SaclaError("BAD_MESSAGE", `${name} answered ${method} with more than one message.`);
      return message as AnswerMessage;
    }
  }

  /** Closes the connection of a request that has not been read to its end, which is how its server learns of it. */
  stop(): void {
    this.#onStop();
    // With a reason, for making the usual one takes longer than all else here.
    this.#controller.abort("no longer wanted");
  }

  async *#chunks(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
    if (response.body === null) return;
    const reader = response.body.getReader();
    const read = (): ReturnType<typeof reader.read> => reader.read();
    try {
      for (;;) {
        const { done, value } = await (this.#request.kind === "call" ? read() : this.#heard(read));
        if (done) return;
        yield value;
      }
    } catch (error) {
      throw this.#carrier.unreachable(error);
    } finally {
      // What is left is not wanted; that it cannot be given up any more does not matter.
      reader.cancel().catch(() => {});
    }
  }

  /** @throws UNREACHABLE when `work` takes longer than a living server is silent */
  async #heard<T>(work: () => Promise<T>): Promise<T> {
    const { name, silenceMs } = this.#carrier;
    try {
      return await bounded(name, { timeoutMs: silenceMs }, work);
    } catch (error) {
      if (!isSaclaError(error, "TIMEOUT") || error.details["what"] !== name) throw error;
      const message = `${name} has been silent for ${silenceMs} ms.`;
      throw new SaclaError("UNREACHABLE", message, { details: { url: name } });
    }
  }
}

/** Whether a connection was closed without an answer, in the codes of Node.js and its fetch. */
function isHungUp(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if ("code" in at && ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(String(at.code))) return true;
  return false;
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
    `${shown} must be the address of a server without user name and query, ` +
      "such as http://127.0.0.1:5580 or https://host:5580.",
  );
}
