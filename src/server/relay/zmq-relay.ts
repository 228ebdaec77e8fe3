import type { Context, Dealer } from "zeromq";
import { sleep } from "../../core/async.ts";
import { type SaclaError, toSaclaError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { messageId } from "../../transport/codec.ts";
import type { SendOutcome } from "../client-connection.ts";
import { readingIsAway, serverBusy } from "../limits.ts";

/** What one client may have on its way to the server behind, and what all may have; more is refused. */
const MOST_QUEUED = 2000;
const MOST_QUEUED_BYTES = 32 * 2 ** 20;
const MOST_BYTES_OF_ALL = 256 * 2 ** 20;
/** Open requests of a client that are told of the end of the server behind. It lets no client have more. */
const MOST_OPEN = 5000;
/** Answers that wait in the relay for one client. */
const ANSWERS = 2;
const TRY_AGAIN_MS = 10;
/** Headers of requests that are read here. */
const MOST_READ = 65_536;
/** What does not end a request: an item of a stream, and the sign of life. */
const NO_END = /"kind":\s*"(item|pong)"/;
const PONG = '{"sacla":1,"kind":"pong"';

/** How clients get messages. */
export interface RelayClients {
  /** Sends one that comes from the server behind. */
  deliver(routingId: Buffer, parts: Uint8Array[]): Promise<SendOutcome>;
  /** Tells that a request is not passed on. A client that does not read is not told each time. */
  refuse(routingId: Buffer, id: number | null, error: SaclaError): void;
  /** Tells that a request that was passed on has failed, as soon as the client has room for it. */
  fail(routingId: Buffer, id: number, error: SaclaError): void;
}

/** One of the {@link RelayClients}. */
interface OneClient {
  deliver(parts: Uint8Array[]): Promise<SendOutcome>;
  refuse(id: number | null, error: SaclaError): void;
  fail(id: number, error: SaclaError): void;
}

/**
 * Passes messages on to a ZeroMQ server behind, each client by a connection with its own routing id, and answers back.
 * A client that does not read holds up its own connection alone. Pings are passed on too, so that the server behind
 * hears that the client lives; its pongs are left out, for this side has answered already.
 */
export class ZmqRelay {
  /** Where the server behind is now; undefined: nowhere. */
  #address: string | undefined;
  readonly #context: Context;
  readonly #makeDealer: (routingId: string) => Dealer;
  readonly #to: RelayClients;
  readonly #logger: Logger;
  readonly #clients = new Map<string, RelayedClient>();
  readonly #bytes = { queued: 0 };
  #count = 0;

  constructor(context: Context, DealerType: typeof Dealer, to: RelayClients, logger: Logger) {
    this.#context = context;
    this.#makeDealer = (routingId) =>
      new DealerType({
        context: this.#context,
        routingId,
        sendTimeout: 0,
        linger: 0,
        sendHighWaterMark: 64,
        receiveHighWaterMark: ANSWERS,
      });
    this.#to = to;
    this.#logger = logger;
  }

  pass(routingId: Buffer, parts: Buffer[]): void {
    const address = this.#address;
    if (address === undefined) {
      if (beginsRequest(parts)) this.#to.refuse(routingId, idOf(parts), readingIsAway());
      return;
    }
    const name = routingId.toString("latin1");
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = new RelayedClient(
        // One that proves whose it is proves it to the server behind, too; others may be no text at all.
        this.#makeDealer(/^[\x21-\x7e]{100,}$/.test(name) ? name : `client ${this.#count++}`),
        address,
        {
          deliver: (answer) => this.#to.deliver(routingId, answer),
          refuse: (id, error) => this.#to.refuse(routingId, id, error),
          fail: (id, error) => this.#to.fail(routingId, id, error),
        },
        () => this.end(name),
        this.#bytes,
        this.#logger,
      );
      this.#clients.set(name, client);
    }
    client.pass(parts);
  }

  /** Ends the connection of a client that has gone. */
  end(name: string): void {
    this.#clients.get(name)?.close();
    this.#clients.delete(name);
  }

  /** To be called from time to time: ends the connections of clients not heard for `watches` calls. */
  endSilent(watches: number): void {
    for (const [name, client] of this.#clients) if (++client.silence > watches) this.end(name);
  }

  /** The server behind has ended or begun. Who waits for the one before is told, and who asks while there is none. */
  moveTo(address: string | undefined): void {
    this.#address = address;
    for (const [name, client] of this.#clients) {
      client.tellLost();
      this.end(name);
    }
  }

  close(): void {
    for (const name of [...this.#clients.keys()]) this.end(name);
  }
}

/** The connection of one client to the server behind. */
class RelayedClient {
  silence = 0;
  readonly #dealer: Dealer;
  readonly #client: OneClient;
  readonly #onGone: () => void;
  readonly #queue: Buffer[][] = [];
  #queuedBytes = 0;
  readonly #bytesOfAll: { queued: number };
  #isSending = false;
  #isClosed = false;
  /** Requests whose answer has not ended. */
  readonly #open: Set<number> = new Set();

  constructor(
    dealer: Dealer,
    address: string,
    client: OneClient,
    onGone: () => void,
    bytesOfAll: { queued: number },
    logger: Logger,
  ) {
    this.#dealer = dealer;
    this.#bytesOfAll = bytesOfAll;
    this.#client = client;
    this.#onGone = onGone;
    try {
      dealer.connect(address);
    } catch (error) {
      dealer.close();
      throw error;
    }
    this.#pump().catch((error: unknown) => {
      if (this.#isClosed) return;
      logger.error({ error: toSaclaError(error).message }, "answers can no longer be passed on");
      this.tellLost();
      this.#onGone();
    });
  }

  pass(parts: Buffer[]): void {
    this.silence = 0;
    const bytes = bytesOf(parts);
    const begins = beginsRequest(parts);
    const isFull =
      this.#queue.length >= MOST_QUEUED ||
      this.#queuedBytes + bytes > MOST_QUEUED_BYTES ||
      this.#bytesOfAll.queued + bytes > MOST_BYTES_OF_ALL;
    if (isFull && begins) {
      this.#client.refuse(idOf(parts), serverBusy());
      return;
    }
    // Nobody with its requests has so many more of credits and pings.
    if (isFull && this.#queue.length >= 4 * MOST_QUEUED) {
      this.tellLost();
      this.#onGone();
      return;
    }
    if (begins) this.#begin(idOf(parts));
    this.#queue.push(parts);
    this.#count(bytes);
    void this.#send();
  }

  tellLost(): void {
    for (const id of this.#open) this.#client.fail(id, readingIsAway());
    this.#open.clear();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#count(-this.#queuedBytes);
    this.#dealer.close();
  }

  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    while (!this.#isClosed) {
      const parts = this.#queue[0];
      if (parts === undefined) break;
      const isSent = await this.#dealer.send(parts).then(
        () => true,
        () => false,
      );
      if (isSent) {
        this.#queue.shift();
        if (!this.#isClosed) this.#count(-bytesOf(parts));
      } else await sleep(TRY_AGAIN_MS);
    }
    this.#isSending = false;
  }

  async #pump(): Promise<void> {
    for await (const parts of this.#dealer) {
      if (this.#isClosed) return;
      const start = startOf(parts);
      if (parts.length === 1 && start.startsWith(PONG)) continue;
      const deliver = (): Promise<SendOutcome> => this.#client.deliver(parts);
      for (let outcome = await deliver(); outcome !== "sent"; outcome = await deliver()) {
        if (outcome === "gone") {
          this.#onGone();
          return;
        }
        await sleep(TRY_AGAIN_MS);
        if (this.#isClosed) return;
      }
      // Until the client has its last answer, it is told when that is lost.
      if (!NO_END.test(start)) this.#open.delete(idIn(start) ?? -1);
    }
  }

  #begin(id: number | null): void {
    if (id !== null && this.#open.size < MOST_OPEN) this.#open.add(id);
  }

  #count(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#bytesOfAll.queued += bytes;
  }
}

/** The first letters of a message: long ones are read by the server behind alone. */
function startOf([head]: readonly Buffer[]): string {
  return head?.subarray(0, 200).toString("latin1") ?? "";
}

/** Of a request. Programs of others may write the id behind everything else. */
function idOf(parts: readonly Buffer[]): number | null {
  return (parts[0]?.byteLength ?? 0) <= MOST_READ ? messageId(parts) : idIn(startOf(parts));
}

function idIn(start: string): number | null {
  const [, id] = /"id":\s*(\d+)/.exec(start) ?? [];
  return id === undefined ? null : Number(id);
}

/** Whether a message begins a request. */
function beginsRequest(parts: readonly Buffer[]): boolean {
  return !/"kind":\s*"(credit|cancel|ping)"/.test(startOf(parts));
}

function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
