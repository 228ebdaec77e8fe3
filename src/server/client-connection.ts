import { SaclaError, toSaclaError } from "../core/errors.ts";
import { type AnswerMessage, encodeMessage, type RequestMessage, toWireError } from "../transport/codec.ts";
import { isUrgent } from "../transport/control-methods.ts";
import { SentItems } from "./sent-items.ts";
import type { Client, Service, ServiceRequest } from "./service.ts";

/** What one connection may have open; its other requests wait, and then are refused. */
const connectionLimits = {
  /** Calls being answered at a time; the others wait, so that one client leaves time for the others. */
  running: 8,
  streams: 8,
  /** Calls that wait. */
  queued: 256,
  queuedBytes: 32 * 2 ** 20,
  /** Calls that wait for nothing: what makes safe, and heartbeats. */
  urgent: 1024,
  /** Answers that wait to be sent, above which refusals are left out. Other answers are bounded by what is running. */
  unsentRefusals: 256,
  credit: 64,
} as const;

export type Call = RequestMessage & { kind: "call" };
type Stream = RequestMessage & { kind: "stream" };

/** What is open for one request. */
interface OpenRequest {
  readonly stop: AbortController;
  readonly items?: SentItems;
}

/** `sent`; `full`: the client does not read as fast; `gone`: there is no such connection any more. */
export type SendOutcome = "sent" | "full" | "gone";

/** One connection to the server, and what is open for it. */
export class ClientConnection {
  readonly #who: (call?: Call) => Client;
  readonly #service: Service;
  readonly #send: (parts: Uint8Array[]) => Promise<SendOutcome>;
  readonly #open: Map<number, OpenRequest> = new Map();
  readonly #queue: { message: Call; bytes: number }[] = [];
  #queuedBytes = 0;
  #running = 0;
  #streams = 0;
  #urgent = 0;
  /** Answers the connection had no room for. */
  readonly #unsent: Uint8Array[][] = [];
  #drained: { promise: Promise<void>; resolve(): void } | undefined;
  #isGone = false;
  /** Watches of the server since something was heard from the client. */
  silence = 0;
  /** Watches since the client took something, while answers wait for it. */
  stuck = 0;

  /** @param who - asked for each request: a key may be revoked while its connection lasts, and a call prove more */
  constructor(who: (call?: Call) => Client, service: Service, send: (parts: Uint8Array[]) => Promise<SendOutcome>) {
    this.#who = who;
    this.#service = service;
    this.#send = send;
  }

  get client(): Client {
    return this.#who();
  }

  get isIdle(): boolean {
    return this.#open.size === 0 && this.#unsent.length === 0;
  }

  get isBlocked(): boolean {
    return this.#unsent.length > 0;
  }

  /** Requests that are open, those that wait included. */
  get openCount(): number {
    return this.#open.size;
  }

  receive(message: RequestMessage, bytes: number): void {
    switch (message.kind) {
      case "ping":
        if (this.#unsent.length < connectionLimits.unsentRefusals) this.answer({ kind: "pong", id: message.id });
        break;
      case "cancel":
        this.#cancel(message.id);
        break;
      case "credit":
        this.#open.get(message.id)?.items?.grant(message.credit);
        break;
      case "call":
        if (isUrgent(message.method, message.value)) {
          if (this.#admit(message.id, this.#urgent < connectionLimits.urgent)) void this.#callNow(message, bytes);
        } else if (
          this.#admit(
            message.id,
            this.#queue.length < connectionLimits.queued && this.#queuedBytes + bytes <= connectionLimits.queuedBytes,
          )
        )
          this.#begin(message, bytes);
        break;
      case "stream":
        if (this.#admit(message.id, this.#streams < connectionLimits.streams)) void this.#stream(message, bytes);
        break;
    }
  }

  /** Sends an answer, or keeps it until the client has taken others. */
  answer(message: AnswerMessage): void {
    let parts: Uint8Array[];
    try {
      parts = encodeMessage(message);
    } catch (error) {
      parts = encodeMessage({ kind: "error", id: message.id, error: toWireError(error) });
    }
    void this.#post(parts);
  }

  /** Answers a message that begins nothing. A client that does not read even such answers does not get them all. */
  refuse(id: number | null, error: SaclaError): void {
    if (this.#unsent.length < connectionLimits.unsentRefusals)
      this.answer({ kind: "error", id, error: toWireError(error) });
  }

  /** Tries again to send what there was no room for. */
  async flush(): Promise<void> {
    while (this.#unsent.length > 0 && !this.#isGone) {
      const parts = this.#unsent[0] ?? [];
      const outcome = await this.#attempt(parts);
      if (outcome === "gone") this.end();
      if (outcome !== "sent") return;
      this.#unsent.shift();
      this.stuck = 0;
    }
    this.#drained?.resolve();
    this.#drained = undefined;
    this.#next();
  }

  /** Ends everything that is open; with an error the client is told. */
  end(error?: SaclaError): void {
    for (const [id, { stop, items }] of this.#open) {
      if (error !== undefined) this.answer({ kind: "error", id, error: toWireError(error) });
      stop.abort();
      items?.stop();
    }
    this.#isGone = true;
    this.#open.clear();
    this.#queue.length = 0;
    this.#unsent.length = 0;
    this.#drained?.resolve();
  }

  #admit(id: number, hasRoom: boolean): boolean {
    let refusal: SaclaError | undefined;
    if (this.#open.has(id))
      refusal = new SaclaError("BAD_MESSAGE", `The id ${id} is that of a request that is still open.`);
    else if (!hasRoom) {
      refusal = new SaclaError(
        "TOO_MANY_REQUESTS",
        `${this.client.name} has ${this.#open.size} requests open on this connection; wait for their answers.`,
        {
          details: { open: this.#open.size, retryAfterMs: 100 },
        },
      );
    }
    if (refusal === undefined) return true;
    this.refuse(id, refusal);
    return false;
  }

  #begin(message: Call, bytes: number): void {
    this.#open.set(message.id, { stop: new AbortController() });
    this.#queue.push({ message, bytes });
    this.#queuedBytes += bytes;
    this.#next();
  }

  #next(): void {
    while (this.#running < connectionLimits.running && this.#unsent.length === 0) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#queuedBytes -= next.bytes;
      void this.#call(next.message, next.bytes);
    }
  }

  async #callNow(message: Call, bytes: number): Promise<void> {
    const open: OpenRequest = { stop: new AbortController() };
    this.#open.set(message.id, open);
    this.#urgent++;
    await this.#answerCall(message, bytes, open);
    this.#urgent--;
  }

  async #call(message: Call, bytes: number): Promise<void> {
    const open = this.#open.get(message.id);
    // Cancelled while it waited.
    if (open === undefined) return;
    this.#running++;
    await this.#answerCall(message, bytes, open);
    this.#running--;
    this.#next();
  }

  async #answerCall(message: Call, bytes: number, open: OpenRequest): Promise<void> {
    const { id } = message;
    let answer: AnswerMessage;
    try {
      answer = {
        kind: "result",
        id,
        value: await this.#service.call(this.#who(message), requestOf(message, bytes), { signal: open.stop.signal }),
      };
    } catch (error) {
      answer = { kind: "error", id, error: toWireError(error) };
    }
    if (this.#open.get(id) !== open) return;
    this.#open.delete(id);
    this.answer(answer);
  }

  async #stream(message: Stream, bytes: number): Promise<void> {
    const { id, credit } = message;
    const stop = new AbortController();
    const items = new SentItems(Math.min(credit, connectionLimits.credit));
    const open: OpenRequest = { stop, items };
    this.#open.set(id, open);
    this.#streams++;
    const isOpen = (): boolean => this.#open.get(id) === open;
    let last: AnswerMessage;
    try {
      if (credit > connectionLimits.credit)
        throw new SaclaError("BAD_ARGUMENT", `credit is ${credit}, but must be at most ${connectionLimits.credit}.`);
      const source = this.#service.stream(this.client, requestOf(message, bytes), {
        signal: stop.signal,
        memory: items.memory,
      });
      try {
        while (await items.mayProceed()) {
          const next = await source.next();
          if (next.done === true || !isOpen()) break;
          // Waited for, so that nothing of this stream overtakes an item there was no room for.
          await this.#post(items.encode(id, next.value));
          await this.#drained?.promise;
        }
      } finally {
        // Not awaited: it may be stuck in the very read that was given up.
        source.return().catch(() => {});
      }
      last = { kind: "end", id };
    } catch (error) {
      last = { kind: "error", id, error: toWireError(error) };
    }
    this.#streams--;
    items.free();
    if (!isOpen()) return;
    this.#open.delete(id);
    this.answer(last);
  }

  #cancel(id: number): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    const at = this.#queue.findIndex(({ message }) => message.id === id);
    if (at >= 0) this.#queuedBytes -= this.#queue.splice(at, 1)[0]?.bytes ?? 0;
    open.stop.abort();
    open.items?.stop();
  }

  async #post(parts: Uint8Array[]): Promise<void> {
    if (this.#isGone) return;
    if (this.#unsent.length > 0) {
      this.#keep(parts);
      return;
    }
    const outcome = await this.#attempt(parts);
    if (outcome === "full") this.#keep(parts);
    else if (outcome === "gone") this.end();
  }

  /** An answer that ZeroMQ refuses for another reason is left out and told of in the log: it would be refused again. */
  async #attempt(parts: Uint8Array[]): Promise<SendOutcome> {
    try {
      return await this.#send(parts);
    } catch (error) {
      this.#service.logger.error(
        { error: toSaclaError(error).message, client: this.client.name },
        "an answer could not be sent",
      );
      return "sent";
    }
  }

  #keep(parts: Uint8Array[]): void {
    this.#unsent.push(parts);
    this.#drained ??= makeDrained();
  }
}

function makeDrained(): { promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function requestOf(message: Call | Stream, bytes: number): ServiceRequest {
  const { method, value, timeoutMs } = message;
  return { method, value, timeoutMs, bytes, key: message.kind === "call" ? message.key : undefined };
}
