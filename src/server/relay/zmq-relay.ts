import type { Context, Dealer } from "zeromq";
import { sleep } from "../../core/async.ts";
import { SaclaError, toSaclaError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { encodeMessage, toWireError } from "../../transport/codec.ts";
import type { SendOutcome } from "../client-connection.ts";

/** What one client may have on its way to the server behind; more is refused. */
const MOST_QUEUED = 2000;
const MOST_QUEUED_BYTES = 32 * 2 ** 20;
/** Requests of a client that are told of the end of the server behind. */
const REMEMBERED_IDS = 300;
/** Answers that wait in the relay for one client. */
const ANSWERS = 2;
const TRY_AGAIN_MS = 10;
const PONG = '{"sacla":1,"kind":"pong"';

/** How a message gets to a client. */
type Deliver = (routingId: Buffer, parts: Uint8Array[]) => Promise<SendOutcome>;

/**
 * Passes messages on to a ZeroMQ server behind, each client by a connection with its own routing id, and answers back.
 * A client that does not read holds up its own connection alone. Pings are passed on too, so that the server behind
 * hears that the client lives; its pongs are left out, for this side has answered already.
 */
export class ZmqRelay {
  /** Where the server behind is now. */
  address: string;
  readonly #context: Context;
  readonly #makeDealer: (routingId: string) => Dealer;
  readonly #deliver: Deliver;
  readonly #logger: Logger;
  readonly #clients = new Map<string, RelayedClient>();
  #count = 0;

  constructor(address: string, context: Context, DealerType: typeof Dealer, deliver: Deliver, logger: Logger) {
    this.address = address;
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
    this.#deliver = deliver;
    this.#logger = logger;
  }

  pass(routingId: Buffer, parts: Buffer[]): void {
    const name = routingId.toString("latin1");
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = new RelayedClient(
        // One that proves whose it is proves it to the server behind, too; others may be no text at all.
        this.#makeDealer(/^[\x21-\x7e]{100,}$/.test(name) ? name : `client ${this.#count++}`),
        this.address,
        (answer) => this.#deliver(routingId, answer),
        () => this.end(name),
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

  /** The server behind has ended: whoever waits for it is told, and the next request goes to the new one. */
  restart(address: string): void {
    this.address = address;
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
  readonly #answer: (parts: Uint8Array[]) => Promise<SendOutcome>;
  readonly #onGone: () => void;
  readonly #queue: Buffer[][] = [];
  #queuedBytes = 0;
  #isSending = false;
  #isClosed = false;
  readonly #ids: number[] = [];

  constructor(
    dealer: Dealer,
    address: string,
    answer: (parts: Uint8Array[]) => Promise<SendOutcome>,
    onGone: () => void,
    logger: Logger,
  ) {
    this.#dealer = dealer;
    this.#answer = answer;
    this.#onGone = onGone;
    dealer.connect(address);
    this.#pump().catch((error: unknown) => {
      if (!this.#isClosed) logger.error({ error: toSaclaError(error).message }, "answers can no longer be passed on");
    });
  }

  pass(parts: Buffer[]): void {
    this.silence = 0;
    const bytes = bytesOf(parts);
    const begins = beginsRequest(parts);
    if (begins && (this.#queue.length >= MOST_QUEUED || this.#queuedBytes + bytes > MOST_QUEUED_BYTES)) {
      this.#refuse(
        idOf(parts),
        new SaclaError("TOO_MANY_REQUESTS", "The server is busy with other requests; ask again later.", {
          details: { retryAfterMs: 1000 },
        }),
      );
      return;
    }
    if (begins) this.#remember(idOf(parts));
    this.#queue.push(parts);
    this.#queuedBytes += bytes;
    void this.#send();
  }

  tellLost(): void {
    const lost = new SaclaError("UNREACHABLE", "What reads the data has ended and is started again; ask again.");
    for (const id of this.#ids) this.#refuse(id, lost);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
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
        this.#queuedBytes -= bytesOf(parts);
      } else await sleep(TRY_AGAIN_MS);
    }
    this.#isSending = false;
  }

  async #pump(): Promise<void> {
    for await (const parts of this.#dealer) {
      if (this.#isClosed) return;
      if (parts.length === 1 && parts[0]?.subarray(0, PONG.length).toString("latin1") === PONG) continue;
      for (let outcome = await this.#answer(parts); outcome !== "sent"; outcome = await this.#answer(parts)) {
        if (outcome === "gone") {
          this.#onGone();
          return;
        }
        await sleep(TRY_AGAIN_MS);
        if (this.#isClosed) return;
      }
    }
  }

  #refuse(id: number | null, error: SaclaError): void {
    this.#answer(encodeMessage({ kind: "error", id, error: toWireError(error) })).catch(() => {});
  }

  #remember(id: number | null): void {
    if (id === null) return;
    this.#ids.push(id);
    if (this.#ids.length > REMEMBERED_IDS) this.#ids.shift();
  }
}

/** The id of a request, from its first letters: it may be long. */
function idOf([head]: readonly Buffer[]): number | null {
  const [, id] = /"id":\s*(\d+)/.exec(head?.subarray(0, 200).toString("latin1") ?? "") ?? [];
  return id === undefined ? null : Number(id);
}

/** Whether a message begins a request, by its first letters: long ones are read by the server behind alone. */
function beginsRequest([head]: readonly Buffer[]): boolean {
  const start = head?.subarray(0, 200).toString("latin1") ?? "";
  return !/"kind":\s*"(credit|cancel|ping)"/.test(start);
}

function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
