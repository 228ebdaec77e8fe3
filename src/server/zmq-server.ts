import type { Context, Dealer, Router } from "zeromq";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { any, integer, optional, resolveOptions } from "../core/options.ts";
import { decodeMessage, messageId, toWireError, type WireMessage } from "../transport/codec.ts";
import { makesSafe } from "../transport/control-methods.ts";
import { CallProofs, type CurvePair, keyText, provenOwner } from "../transport/zmq/keys.ts";
import { loadZeromq } from "../transport/zmq/load.ts";
import { cannotBind, isLoopback, needsKeys } from "./bind-address.ts";
import { type Call, ClientConnection, type SendOutcome } from "./client-connection.ts";
import { type RelayClients, ZmqRelay } from "./relay/zmq-relay.ts";
import { type Client, loopbackClient, type Service, serverCloses } from "./service.ts";
import { behindGate, openGate, type ZmqGate } from "./zmq-gate.ts";

/** The clients a server knows; {@link Keys} is one. */
export interface CurveKeys {
  /** The server's own pair. */
  readonly server: CurvePair;
  /** Who has the public key; null when nobody has. */
  clientOfCurve(publicKey: string): Client | null;
}

export interface ZmqServerOptions {
  /** Who may connect, with CURVE; needed beyond loopback. @default everybody, without encryption */
  readonly keys?: CurveKeys | undefined;
  /** A client not heard for so long is taken for gone. @default 30000 */
  readonly silenceMs?: number | undefined;
  /** Passes on what is not for `owns` to a server behind. @default answers everything */
  readonly relay?: ZmqRelayTarget | undefined;
  /** Whether it stands behind such a relay, which has let in the clients already. @default false */
  readonly isBehind?: boolean | undefined;
}

/** A server on this computer that answers what a server does not answer itself; `relayTo` says where it is. */
interface ZmqRelayTarget {
  /** Whether a call is answered here. */
  owns(method: string): boolean;
}

/** A server over ZeroMQ. */
export interface ZmqServer {
  /** What clients connect to, the port filled in. */
  readonly address: string;
  /** Connections with something open. */
  readonly clients: number;
  /** The server behind is now at `ipc:///path`, or nowhere: what was open there has ended. */
  relayTo(address: string | undefined): void;
  /** Tells whoever has something open, and ends. */
  close(): Promise<void>;
}

/** Messages that wait for a client to read. What streams send is bounded by credit, so this is for answers to calls. */
const SEND_QUEUE = 64;
const RECEIVE_QUEUE = 64;
/** Of one frame of a request. */
const MAX_FRAME_BYTES = 16 * 2 ** 20;
/** Longest header of a call that is answered here while others are passed on; those of the control are far shorter. */
const MAX_OWN_HEADER = 65_536;
/** Of one server: a relay has one for each client. */
const MAX_SOCKETS = 16_384;
const WATCHES = 6;
const FLUSH_MS = 10;
const LINGER_MS = 500;
/** libzmq's own sign of life, for connections that die without a word. */
const HEARTBEAT = { heartbeatInterval: 10_000, heartbeatTimeout: 30_000 };

/**
 * Answers requests over ZeroMQ: see docs/protocol.md.
 * @param address - `tcp://127.0.0.1:7801`, `tcp://127.0.0.1:*` for a free port, `ipc:///path`
 * @throws BAD_ARGUMENT when the address is none of these
 * @throws NOT_ALLOWED when the address is beyond loopback and there are no keys
 * @throws NO_ZEROMQ in Deno and Bun
 * @throws UNREACHABLE when the address cannot be taken
 */
export async function serveZmq(service: Service, address: string, options: ZmqServerOptions = {}): Promise<ZmqServer> {
  const checks = { keys: any, silenceMs: optional(integer(1, 3_600_000), 30_000), relay: any, isBehind: any };
  const { keys, silenceMs, relay, isBehind = false } = resolveOptions("serveZmq", options, checks);
  if (!/^(tcp|ipc):\/\/./.test(address))
    throw badArgument("the ZeroMQ address", address, "tcp://HOST:PORT or ipc:///PATH");
  if (keys === undefined && !isLoopback(address)) {
    throw needsKeys(address, { address });
  }
  const { Router, Dealer, Context } = await loadZeromq();
  const context = new Context({ maxSockets: MAX_SOCKETS });
  const curve = keys === undefined || isBehind ? {} : { curveServer: true, curveSecretKey: keys.server.secretKey };
  const router = new Router({
    context,
    mandatory: true,
    // With no timeout a send never waits: one client that does not read holds up nobody.
    sendTimeout: 0,
    linger: LINGER_MS,
    sendHighWaterMark: SEND_QUEUE,
    receiveHighWaterMark: RECEIVE_QUEUE,
    maxMessageSize: MAX_FRAME_BYTES,
    ...HEARTBEAT,
    ...behindGate,
    // A client whose connection through the relay was ended may come again before that is known here.
    handover: isBehind,
    ...curve,
  });
  let closeGate = (): void => {};
  try {
    closeGate = await openGate(context, gateOf(isBehind ? undefined : keys, service), service.logger);
    await router.bind(address);
  } catch (error) {
    closeGate();
    router.close();
    throw cannotBind(address, error, { address });
  }
  const server = new RoutedServer(router, context, service, keys, silenceMs, closeGate);
  if (relay !== undefined) server.beginRelay(relay, Dealer);
  return server;
}

/** Without keys, everybody with a greeting of today; with keys, whoever has a known one. */
function gateOf(keys: CurveKeys | undefined, service: Service): ZmqGate {
  if (keys === undefined) return { mechanism: "NULL", admit: () => loopbackClient.name };
  const admit = (publicKey: Uint8Array | undefined): string | null =>
    publicKey?.length === 32 ? (service.identify(() => keys.clientOfCurve(keyText(publicKey)))?.name ?? null) : null;
  return { mechanism: "CURVE", admit };
}

const unnamedClient: Client = { name: "unnamed key", role: "read" };
const revokedClient: Client = { name: "revoked key", role: null };

/** Reading and making safe need no proof. */
function isProven({ method, value, key, proof }: Call, proofs: CallProofs): boolean {
  if (key === undefined || makesSafe(method, value)) return true;
  return proof !== undefined && proofs.isValid(key, proof);
}

class RoutedServer implements ZmqServer {
  readonly address: string;
  readonly #router: Router;
  // Held, for a context that is garbage ends its sockets.
  readonly #context: Context;
  readonly #service: Service;
  readonly #keys: CurveKeys | undefined;
  /** The pair the sockets were made with, whatever the file of keys says later. */
  readonly #pair: CurvePair | undefined;
  readonly #closeGate: () => void;
  readonly #connections: Map<string, ClientConnection> = new Map();
  readonly #blocked: Set<ClientConnection> = new Set();
  readonly #watch: NodeJS.Timeout;
  #flushing: NodeJS.Timeout | undefined;
  #isClosed = false;
  #relay: { readonly owns: (method: string) => boolean; readonly to: ZmqRelay } | undefined;

  constructor(
    router: Router,
    context: Context,
    service: Service,
    keys: CurveKeys | undefined,
    silenceMs: number,
    closeGate: () => void,
  ) {
    this.#router = router;
    this.#context = context;
    this.#service = service;
    this.#keys = keys;
    this.#pair = keys?.server;
    this.#closeGate = closeGate;
    this.address = router.lastEndpoint ?? "";
    this.#watch = setInterval(() => this.#lookForSilence(), silenceMs / WATCHES);
    void this.#receive();
  }

  beginRelay({ owns }: ZmqRelayTarget, DealerType: typeof Dealer): void {
    const tell = (routingId: Buffer, say: (connection: ClientConnection) => void): void => {
      const connection = this.#connectionOf(routingId);
      say(connection);
      if (connection.isBlocked) this.#flushSoon(connection);
    };
    const clients: RelayClients = {
      deliver: (routingId, parts) => this.#deliver(routingId, parts),
      refuse: (routingId, id, error) => tell(routingId, (connection) => connection.refuse(id, error)),
      fail: (routingId, id, error) =>
        tell(routingId, (connection) => connection.answer({ kind: "error", id, error: toWireError(error) })),
    };
    this.#relay = { owns, to: new ZmqRelay(this.#context, DealerType, clients, this.#service.logger) };
  }

  relayTo(address: string | undefined): void {
    this.#relay?.to.moveTo(address);
  }

  get clients(): number {
    return [...this.#connections.values()].filter((connection) => !connection.isIdle).length;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#flushing);
    for (const connection of this.#connections.values()) connection.end(serverCloses());
    this.#connections.clear();
    this.#relay?.to.close();
    // Sends are made in the turn of the loop they are asked for in, so those of end() are with libzmq now.
    await Promise.resolve();
    this.#router.close();
    this.#closeGate();
    void this.#context;
  }

  async #receive(): Promise<void> {
    try {
      for await (const [routingId, ...parts] of this.#router) {
        if (this.#isClosed) return;
        if (routingId !== undefined) this.#takeOrRefuse(routingId, parts);
      }
    } catch (error) {
      if (!this.#isClosed)
        this.#service.logger.error({ error: toSaclaError(error).message }, "the ZeroMQ server cannot receive any more");
    }
  }

  /** A failure with one message, such as no socket left for its client, must not stop the messages after it. */
  #takeOrRefuse(routingId: Buffer, parts: Buffer[]): void {
    try {
      this.#take(routingId, parts);
    } catch (error) {
      const failure = toSaclaError(error);
      this.#service.logger.error({ error: failure.message }, "a message could not be dealt with");
      this.#connectionOf(routingId).refuse(messageId(parts), failure);
    }
  }

  /** Whether a message is passed on to the server behind; a ping is both passed on and answered here. */
  #passOn(routingId: Buffer, parts: Buffer[]): boolean {
    if (this.#relay === undefined) return false;
    const { owns, to } = this.#relay;
    if (parts.length === 1 && (parts[0]?.byteLength ?? 0) <= MAX_OWN_HEADER) {
      try {
        const message = decodeMessage(parts, { copy: false });
        if (message.kind === "call" && owns(message.method)) return false;
        if (message.kind === "ping") {
          to.pass(routingId, parts);
          return false;
        }
      } catch {
        return false;
      }
    }
    to.pass(routingId, parts);
    return true;
  }

  #connectionOf(routingId: Buffer): ClientConnection {
    const name = routingId.toString("latin1");
    let connection = this.#connections.get(name);
    if (connection === undefined) {
      connection = new ClientConnection(this.#ownerOf(name), this.#service, (answer) => this.#send(routingId, answer));
      this.#connections.set(name, connection);
    }
    return connection;
  }

  #take(routingId: Buffer, parts: Buffer[]): void {
    if (this.#passOn(routingId, parts)) return;
    const connection = this.#connectionOf(routingId);
    connection.silence = 0;
    let message: WireMessage;
    try {
      message = decodeMessage(parts, { copy: false });
    } catch (error) {
      connection.refuse(messageId(parts), toSaclaError(error, "BAD_MESSAGE"));
      return;
    }
    switch (message.kind) {
      case "call":
      case "stream":
      case "credit":
      case "cancel":
      case "ping":
        connection.receive(
          message,
          parts.reduce((sum, part) => sum + part.byteLength, 0),
        );
        break;
      default:
        connection.refuse(message.id, new SaclaError("BAD_MESSAGE", `A client does not send a ${message.kind}.`));
    }
    if (connection.isBlocked) this.#flushSoon(connection);
  }

  /**
   * Tells who has the connection now. ZeroMQ has let in known keys only; whose it is, the routing id proves. Somebody
   * else may have come to know the routing id, so a call that changes something has a proof of its own.
   */
  #ownerOf(routingId: string): (call?: Call) => Client {
    const keys = this.#keys;
    if (keys === undefined || this.#pair === undefined) return () => loopbackClient;
    const publicKey = provenOwner(this.#pair, routingId);
    // Every known key may read, so a client that proves nothing else may too.
    if (publicKey === null) return () => unnamedClient;
    const proofs = new CallProofs(this.#pair, publicKey, routingId);
    return (call) => {
      const client = this.#service.identify(() => keys.clientOfCurve(publicKey)) ?? revokedClient;
      if (client.role === "read" || client.role === null || call === undefined || isProven(call, proofs)) return client;
      return { name: `${client.name}, whose key the call does not prove,`, role: "read" };
    };
  }

  async #send(routingId: Buffer, parts: Uint8Array[]): Promise<SendOutcome> {
    const outcome = await this.#deliver(routingId, parts);
    const connection = this.#connections.get(routingId.toString("latin1"));
    if (outcome === "full" && connection !== undefined) this.#flushSoon(connection);
    return outcome;
  }

  async #deliver(routingId: Buffer, parts: Uint8Array[]): Promise<SendOutcome> {
    if (this.#isClosed && this.#router.closed) return "gone";
    try {
      await this.#router.send([routingId, ...parts]);
      this.#service.metrics?.sentBytes(parts.reduce((sum, part) => sum + part.byteLength, 0));
      return "sent";
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === "EAGAIN") return "full";
      if (code === "EHOSTUNREACH" || this.#router.closed) return "gone";
      throw error;
    }
  }

  #flushSoon(connection: ClientConnection): void {
    this.#blocked.add(connection);
    this.#flushing ??= setTimeout(() => void this.#flush(), FLUSH_MS);
  }

  async #flush(): Promise<void> {
    const connections = [...this.#blocked];
    this.#blocked.clear();
    for (const connection of connections) await connection.flush();
    this.#flushing = undefined;
    if (this.#isClosed) return;
    for (const connection of connections) if (connection.isBlocked) this.#flushSoon(connection);
    for (const connection of this.#blocked) this.#flushSoon(connection);
  }

  #lookForSilence(): void {
    this.#relay?.to.endSilent(WATCHES + 2);
    for (const [routingId, connection] of this.#connections) {
      connection.silence++;
      connection.stuck = connection.isBlocked ? connection.stuck + 1 : 0;
      if (connection.isIdle) {
        if (connection.silence > 1) this.#connections.delete(routingId);
      } else if (connection.silence > WATCHES || connection.stuck > WATCHES) {
        const reason = connection.silence > WATCHES ? "has fallen silent" : "does not take its answers";
        this.#service.logger.warn(
          { client: connection.client.name, open: connection.openCount },
          `a client ${reason}; what it had open has been ended`,
        );
        connection.end(new SaclaError("TIMEOUT", `The client ${reason}.`));
        this.#connections.delete(routingId);
        this.#blocked.delete(connection);
      }
    }
  }
}
