import { type CarriedRequest, type Carrier, type Exchange, endpointOver } from "./client.ts";
import { type AnswerMessage, decodeMessage, encodeMessage, toWireError, type WireMessage } from "./codec.ts";
import type { Endpoint, StreamOptions } from "./endpoint.ts";
import type { CallMethod, CallParams, StreamItem, StreamMethod, StreamParams } from "./methods.ts";

/**
 * Carries calls to an Endpoint in the same process without cheating: every request and answer is checked against the
 * method table, encoded, decoded and copied, and every failure takes the form it would have on a wire. A script that
 * works here works over the network.
 */
export function inProcess(inner: Endpoint): Endpoint & AsyncDisposable {
  return endpointOver(new InProcess(inner));
}

class InProcess implements Carrier {
  readonly name = "the endpoint";
  readonly placesFrames = true;
  readonly #inner: Endpoint;

  constructor(inner: Endpoint) {
    this.#inner = inner;
  }

  open(request: CarriedRequest, options: StreamOptions): Exchange {
    const Kind = request.kind === "call" ? CallExchange : StreamExchange;
    return new Kind(this.#inner, request, options);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

class CallExchange implements Exchange {
  readonly #inner: Endpoint;
  readonly #request: CarriedRequest;
  readonly #options: StreamOptions;

  constructor(inner: Endpoint, request: CarriedRequest, options: StreamOptions) {
    this.#inner = inner;
    this.#request = request;
    this.#options = options;
  }

  async next(): Promise<AnswerMessage> {
    try {
      const params = paramsOf(this.#request) as CallParams<CallMethod>;
      const value = await this.#inner.call(this.#request.method as CallMethod, params, this.#options);
      // Not copied: what an Endpoint answers belongs to whoever asked.
      return roundTrip({ kind: "result", id: 0, value }, false);
    } catch (error) {
      return errorAnswer(error);
    }
  }

  stop(): void {}
}

class StreamExchange implements Exchange {
  readonly #inner: Endpoint;
  readonly #request: CarriedRequest;
  readonly #options: StreamOptions;
  #items: AsyncIterator<StreamItem<StreamMethod>> | undefined;
  #seq = 0;

  constructor(inner: Endpoint, request: CarriedRequest, options: StreamOptions) {
    this.#inner = inner;
    this.#request = request;
    this.#options = options;
  }

  async next(): Promise<AnswerMessage> {
    try {
      this.#items ??= this.#open();
      const next = await this.#items.next();
      if (next.done === true) return { kind: "end", id: 0 };
      return roundTrip({ kind: "item", id: 0, seq: this.#seq++, value: next.value }, false);
    } catch (error) {
      return errorAnswer(error);
    }
  }

  stop(): void {
    // Not awaited: an interrupted source may be stuck in the very read that was given up.
    this.#items?.return?.().catch(() => {});
  }

  #open(): AsyncIterator<StreamItem<StreamMethod>> {
    const params = paramsOf(this.#request) as StreamParams<StreamMethod>;
    return this.#inner.stream(this.#request.method as StreamMethod, params, this.#options)[Symbol.asyncIterator]();
  }
}

/** The parameters as they arrive, with memory of their own. */
function paramsOf({ kind, method, value }: CarriedRequest): unknown {
  const message: WireMessage =
    kind === "call" ? { kind, id: 0, method, value } : { kind, id: 0, credit: 1, method, value };
  return (roundTrip(message, true) as { value: unknown }).value;
}

function errorAnswer(error: unknown): AnswerMessage {
  return roundTrip({ kind: "error", id: 0, error: toWireError(error) }, true);
}

/** What arrives when `message` is sent. */
function roundTrip<T extends WireMessage>(message: T, copy: boolean): T {
  return decodeMessage(encodeMessage(message), { copy }) as T;
}
