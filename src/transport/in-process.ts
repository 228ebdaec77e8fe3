import { BoundedWaits, bounded, type CallOptions } from "../core/async.ts";
import { SaclaError } from "../core/errors.ts";
import { checkAgainst, checkCallMethod, checkStreamMethod } from "./check.ts";
import { decodeMessage, encodeMessage, fromWireError, type Message, toWireError } from "./codec.ts";
import type { Endpoint, StreamOptions } from "./endpoint.ts";
import {
  type CallMethod,
  type CallParams,
  type CallResult,
  callMethods,
  type StreamItem,
  type StreamMethod,
  type StreamParams,
  streamMethods,
} from "./methods.ts";

/**
 * Carries calls to an Endpoint in the same process without cheating: every request and answer is checked against the
 * method table, encoded, decoded and copied, and every failure takes the form it would have on a wire. A script that
 * works here works over the network.
 */
export function inProcess(inner: Endpoint): Endpoint {
  return new InProcess(inner);
}

class InProcess implements Endpoint {
  readonly #inner: Endpoint;
  #closing: Promise<void> | undefined;

  constructor(inner: Endpoint) {
    this.#inner = inner;
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    this.#checkOpen(method);
    const { params: paramsSchema, result: resultSchema } = callMethods[checkCallMethod(method)];
    const request = travel(
      { kind: "call", id: 0, method, value: checkAgainst(paramsSchema, params, "BAD_ARGUMENT", method) },
      true,
    );
    const answer = await bounded(method, options, async () => {
      try {
        const result = await this.#inner.call(method, payload(request) as CallParams<M>, options);
        // Not copied: what an Endpoint answers belongs to whoever asked.
        return travel({ kind: "result", id: 0, value: result }, false);
      } catch (error) {
        return travel({ kind: "error", id: 0, error: toWireError(error) }, true);
      }
    });
    return checkAgainst(resultSchema, payload(answer), "BAD_MESSAGE", `the answer to ${method}`) as CallResult<M>;
  }

  async *stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamItem<M>, void, undefined> {
    this.#checkOpen(method);
    const { params: paramsSchema, result: itemSchema } = streamMethods[checkStreamMethod(method)];
    const request = travel(
      { kind: "stream", id: 0, credit: 1, method, value: checkAgainst(paramsSchema, params, "BAD_ARGUMENT", method) },
      true,
    );
    const items = this.#inner.stream(method, payload(request) as StreamParams<M>, options)[Symbol.asyncIterator]();
    const waits = new BoundedWaits(options);
    // Made once: this runs for every shot.
    const take = async (): Promise<Message> => {
      try {
        const next = await items.next();
        return travel(
          next.done === true ? { kind: "end", id: 0 } : { kind: "item", id: 0, seq: 0, value: next.value },
          false,
        );
      } catch (error) {
        return travel({ kind: "error", id: 0, error: toWireError(error) }, true);
      }
    };
    const where = `an item of ${method}`;
    try {
      for (;;) {
        this.#checkOpen(method);
        const answer = await waits.run(method, take);
        if (answer.kind === "end") return;
        yield checkAgainst(itemSchema, payload(answer), "BAD_MESSAGE", where) as StreamItem<M>;
      }
    } finally {
      waits.end();
      // Not awaited: an interrupted source may be stuck in the very read that was given up.
      items.return?.().catch(() => {});
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#inner.close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkOpen(method: string): void {
    if (this.#closing !== undefined) throw new SaclaError("CLOSED", `${method} was called after close().`);
  }
}

/** What arrives when `message` is sent. */
function travel(message: Message, copy: boolean): Message {
  return decodeMessage(encodeMessage(message), { copy });
}

function payload(message: Message): unknown {
  if (message.kind === "error") throw fromWireError(message.error);
  return "value" in message ? message.value : undefined;
}
