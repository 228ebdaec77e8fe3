import type { Dealer } from "zeromq";
import { SaclaError, toSaclaError } from "../../core/errors.ts";
import {
  type AnswerMessage,
  decodeMessage,
  encodeMessage,
  fromWireError,
  messageId,
  type RequestMessage,
  type WireMessage,
} from "../codec.ts";
import { CallProofs, type CurvePair, provenRoutingId } from "./keys.ts";
import { loadZeromq } from "./load.ts";

export interface ConnectionOptions {
  readonly url: string;
  readonly curve: (CurvePair & { readonly serverKey: string }) | null;
  readonly connectTimeoutMs: number;
  readonly pingMs: number;
}

/** A request that has not had its last answer. */
export interface PendingRequest {
  /** `bytes`: of the whole message. */
  receive(message: AnswerMessage, bytes: number): void;
  fail(error: SaclaError): void;
}

/** Pings without an answer after which the server is taken for gone. */
const SILENT_PINGS = 3;
/** Answers that came before the connection broke are still read for so long. */
const DRAIN_MS = 50;
/** For the messages that tell the server to stop. */
const LINGER_MS = 200;

/**
 * One connection, from the handshake to its end. It is never mended: what is open when it breaks fails, and whoever
 * wants more makes a new one. So nothing is sent twice by ZeroMQ's own reconnecting.
 */
export class Connection {
  readonly #socket: Dealer;
  readonly #options: ConnectionOptions;
  readonly #pending: Map<number, PendingRequest> = new Map();
  readonly #proofs: CallProofs | undefined;
  #nextId = 0;
  #isBroken = false;
  #isEnded = false;
  #pings: NodeJS.Timeout | undefined;
  #silentPings = 0;

  private constructor(socket: Dealer, options: ConnectionOptions, proofs: CallProofs | undefined) {
    this.#socket = socket;
    this.#options = options;
    this.#proofs = proofs;
  }

  /**
   * @throws UNREACHABLE
   * @throws NOT_AUTHENTICATED when the server does not take the keys
   * @throws the reason of `stop`, which ends the attempt
   */
  static async connect(options: ConnectionOptions, stop: AbortSignal): Promise<Connection> {
    const { Dealer } = await loadZeromq();
    const { url, curve } = options;
    const routingId = curve === null ? "" : provenRoutingId(curve, curve.serverKey);
    const keys =
      curve === null
        ? {}
        : {
            curveServerKey: curve.serverKey,
            curvePublicKey: curve.publicKey,
            curveSecretKey: curve.secretKey,
            routingId,
          };
    // What is open is bounded by its users, so there is no need for a limit that would make send() wait.
    const socket = new Dealer({
      linger: 0,
      sendTimeout: 0,
      sendHighWaterMark: 0,
      receiveHighWaterMark: 0,
      reconnectInterval: 100,
      ...keys,
    });
    const proofs = curve === null ? undefined : new CallProofs(curve, curve.serverKey, routingId);
    const connection = new Connection(socket, options, proofs);
    try {
      await connection.#handshake(stop);
    } catch (error) {
      connection.#isEnded = true;
      socket.close();
      throw toSaclaError(error, "UNREACHABLE", url);
    }
    socket.events.on("disconnect", () => connection.#break());
    void connection.#receive();
    return connection;
  }

  /** Whether requests may be made. */
  get isUsable(): boolean {
    return !this.#isBroken;
  }

  /** Sends a request; what comes for it goes to `pending` until {@link Connection.release}. Gives its id. */
  request(make: (id: number) => RequestMessage, pending: PendingRequest): number {
    const id = this.#nextId++;
    const message = make(id);
    const isProven = message.kind === "call" && message.key !== undefined && this.#proofs !== undefined;
    this.send(isProven ? { ...message, proof: this.#proofs.make(message.key) } : message);
    this.#pending.set(id, pending);
    if (this.#pings === undefined) {
      this.#silentPings = 0;
      this.#pings = setInterval(() => this.#ping(), this.#options.pingMs);
    }
    return id;
  }

  send(message: RequestMessage): void {
    if (this.#isEnded) return;
    // With sendTimeout 0 it never waits, so that sends need no queue.
    this.#socket
      .send(encodeMessage(message))
      .catch((error: unknown) => this.#end(this.#unreachable(toSaclaError(error).message)));
  }

  /** Nothing more is wanted for the id. */
  release(id: number): void {
    this.#pending.delete(id);
  }

  /** Ends the connection; what is open fails with UNREACHABLE. */
  close(): void {
    for (const id of this.#pending.keys()) this.send({ kind: "cancel", id });
    this.#end(this.#unreachable("the connection was closed"), LINGER_MS);
  }

  async #handshake(stop: AbortSignal): Promise<void> {
    const { url, curve, connectTimeoutMs } = this.#options;
    const { events } = this.#socket;
    let reason = "";
    await new Promise<void>((resolve, reject) => {
      const refuse = (text: string): void =>
        reject(new SaclaError("NOT_AUTHENTICATED", `${url} does not take the keys: ${text}.`, { details: { url } }));
      const timer = setTimeout(
        () => reject(this.#unreachable(`there was no connection within ${connectTimeoutMs} ms${reason}`)),
        connectTimeoutMs,
      );
      const onStop = (): void => {
        settled();
        reject(stop.reason);
      };
      const settled = (): void => {
        clearTimeout(timer);
        stop.removeEventListener("abort", onStop);
      };
      if (stop.aborted) onStop();
      stop.addEventListener("abort", onStop);
      events.on("handshake", () => {
        settled();
        resolve();
      });
      events.on("handshake:error:auth", () => {
        settled();
        refuse("the server does not know this client's public key");
      });
      events.on("handshake:error:protocol", ({ error }) => {
        settled();
        refuse(`${error.message} (${error.code}); one side may use keys and the other not`);
      });
      events.on("handshake:error:other", ({ error }) => {
        reason = `; ${error.message}`;
        // A server that cannot decrypt the first message hangs up without a word.
        if (curve === null) return;
        settled();
        refuse("it hung up; serverKey may not be this server's");
      });
      try {
        this.#socket.connect(url);
      } catch (error) {
        settled();
        reject(error);
      }
    });
  }

  async #receive(): Promise<void> {
    try {
      for await (const parts of this.#socket) {
        this.#silentPings = 0;
        this.#take(parts);
      }
    } catch (error) {
      this.#end(this.#unreachable(toSaclaError(error).message));
    }
  }

  #take(parts: Uint8Array[]): void {
    let message: WireMessage;
    try {
      // Each frame that comes has memory of its own.
      message = decodeMessage(parts, { copy: false });
    } catch (error) {
      const id = messageId(parts);
      if (id !== null) this.#pending.get(id)?.fail(toSaclaError(error));
      return;
    }
    let bytes = 0;
    for (const part of parts) bytes += part.byteLength;
    switch (message.kind) {
      case "result":
      case "item":
      case "end":
        this.#pending.get(message.id)?.receive(message, bytes);
        break;
      case "error":
        if (message.id === null) this.#end(fromWireError(message.error));
        else this.#pending.get(message.id)?.receive(message, bytes);
        break;
      default:
        break;
    }
  }

  #ping(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#pings);
      this.#pings = undefined;
      return;
    }
    // Counted in pings and not in time: a program that computed for a minute has not heard anything either.
    if (this.#silentPings++ >= SILENT_PINGS) {
      this.#end(
        this.#unreachable(`the server has been silent for ${SILENT_PINGS} pings of ${this.#options.pingMs} ms`),
      );
      return;
    }
    this.send({ kind: "ping", id: this.#nextId++ });
  }

  #break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    setTimeout(() => this.#end(this.#unreachable("the connection broke")), DRAIN_MS);
  }

  #end(error: SaclaError, lingerMs = 0): void {
    this.#isBroken = true;
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearInterval(this.#pings);
    const failed = [...this.#pending.values()];
    this.#pending.clear();
    this.#socket.linger = failed.length === 0 ? 0 : lingerMs;
    this.#socket.close();
    for (const pending of failed) pending.fail(error);
  }

  #unreachable(reason: string): SaclaError {
    const { url } = this.#options;
    return new SaclaError("UNREACHABLE", `${url} cannot be reached: ${reason}.`, { details: { url } });
  }
}
