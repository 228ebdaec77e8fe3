import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { type ErrorCode, SaclaError, toSaclaError } from "../core/errors.ts";
import { asText, badArgument } from "../core/guards.ts";
import { any, finite, integer, optional, resolveOptions } from "../core/options.ts";
import { toWireError } from "../transport/codec.ts";
import { cannotBind, isLoopbackHost, needsKeys } from "./bind-address.ts";
import { appChecks, errorAnswer, type HttpAppOptions, httpApp, isRouteOf } from "./http-app.ts";
import { within } from "./http-stream.ts";
import { HttpRelay, type HttpRelayTarget } from "./relay/http-relay.ts";
import type { Service } from "./service.ts";

/** Certificate and private key, PEM. */
export interface TlsFiles {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
}

export interface HttpServerOptions extends HttpAppOptions {
  /** Beyond loopback only with keys. @default "127.0.0.1" */
  readonly host?: string | undefined;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  /** A connection on which nothing has moved for so long is closed: its client does not read. @default 600000 */
  readonly stallMs?: number | undefined;
  /** Passes on what is not for `owns` to the server behind. @default answers everything */
  readonly relay?: HttpRelayTarget | undefined;
  /** Listens at this local socket, behind a relay, and nowhere else. @default at host and port */
  readonly socketPath?: string | undefined;
}

/** A server over HTTP. */
export interface HttpServer {
  /** What clients connect to, the port filled in. */
  readonly address: string;
  /** Takes nothing more, and ends what is open after 2 s at the latest. A second call does nothing. */
  close(): Promise<void>;
}

const CLOSE_MS = 2000;
/** How long a client may take to say what it wants. */
const HEADERS_MS = 20_000;
const REQUEST_MS = 60_000;
/** When the system asks after a client that has not been heard; it gives up after some minutes. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Answers requests over HTTP: see docs/protocol.md.
 * @throws NOT_ALLOWED when the host is beyond loopback and there are no keys
 * @throws UNREACHABLE when the address cannot be taken
 * @throws BAD_ARGUMENT for a certificate or private key that cannot be used
 */
export async function serveHttp(service: Service, options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, tls, stallMs, relay, socketPath, ...appOptions } = resolveOptions("serveHttp", options, {
    host: optional(asText, "127.0.0.1"),
    port: integer(0, 65_535),
    tls: optional((name, value) => resolveOptions(name, value as TlsFiles, { cert: any, key: any })),
    stallMs: optional(finite(1), 600_000),
    relay: any,
    socketPath: optional(asText),
    ...appChecks,
  });
  const isLocal = isLoopbackHost(host);
  if (!isLocal && appOptions.keys === undefined) {
    throw needsKeys(host, { host });
  }
  if (!isLocal && tls === undefined)
    service.logger.warn({ host }, "tokens travel readable over plain HTTP: give a certificate and key for TLS");
  const { app, endStreams } = httpApp(service, appOptions);
  const answersOf = ({ fetch }: typeof app): ReturnType<typeof getRequestListener> =>
    getRequestListener(fetch, {
      overrideGlobalObjects: false,
      hostname: host,
      errorHandler: (error) => errorAnswer(toSaclaError(error, "BAD_MESSAGE"), 400, false),
    });
  const answerHere = answersOf(app);
  const relaying = relay === undefined ? undefined : new HttpRelay(relay);
  const shared = relay?.shared;
  const answerShared = shared === undefined ? answerHere : answersOf(httpApp(shared, appOptions).app);
  const listener = (asked: IncomingMessage, answer: ServerResponse): void => {
    const path = asked.url?.split("?")[0] ?? "";
    if (relaying === undefined || relaying.owns(path)) void answerHere(asked, answer);
    else if (shared !== undefined && isRouteOf(shared, path)) void answerShared(asked, answer);
    else void relaying.pass(asked, answer);
  };
  const limits = {
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    noDelay: true,
  };
  let server: Server;
  try {
    server =
      tls === undefined
        ? createServer(limits, listener)
        : createTlsServer({ ...limits, cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) }, listener);
  } catch (error) {
    throw badArgument(
      "tls",
      error instanceof Error ? error.message : error,
      "a certificate and its private key in PEM",
    );
  }
  server.timeout = stallMs;
  server.on("clientError", answerNoHttp);
  const closeIdle = watchConnections(server, tls !== undefined);
  await listen(server, host, port, socketPath);
  const bound = server.address();
  if (bound === null) throw new SaclaError("INTERNAL", "The HTTP server listens on no port.");
  const address =
    typeof bound === "string"
      ? `unix:${bound}`
      : `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${bound.port}`;
  let closing: Promise<void> | undefined;
  return {
    address,
    close: () => {
      closing ??= closeServer(server, endStreams, closeIdle);
      return closing;
    },
  };
}

/** What cannot even be read as HTTP is answered as every other mistake: with a coded error. */
function answerNoHttp(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, code, message] = noHttp[error.code ?? ""] ?? [
    "400 Bad Request",
    "BAD_MESSAGE",
    `This is not HTTP/1.1: ${error.message}.`,
  ];
  const body = JSON.stringify({ error: toWireError(new SaclaError(code, message)) });
  const head = [
    `HTTP/1.1 ${status}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

const noHttp: Readonly<Record<string, readonly [status: string, code: ErrorCode, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    "TOO_LARGE",
    "The headers are longer than this server takes; send long parameters as the body of a POST.",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "TIMEOUT", "The request did not come to its end in time."],
};

async function listen(server: Server, host: string, port: number, socketPath: string | undefined): Promise<void> {
  const at = socketPath === undefined ? { host, port } : { path: socketPath };
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(cannotBind(socketPath ?? `${host}:${port}`, error, at));
    server.once("error", failed);
    server.listen(at, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

/** Gives what closes the connections that have no request, now and when the last one of theirs has been answered. */
function watchConnections(server: Server, isTls: boolean): () => void {
  const idle = new Set<Socket>();
  let isClosing = false;
  // Node.js itself does not close those that have never had a request, which fetch opens ahead of need.
  server.on(isTls ? "secureConnection" : "connection", (socket: Socket) => {
    idle.add(socket);
    socket.once("close", () => idle.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket);
    response.once("close", () => {
      if (isClosing) socket.destroySoon();
      else if (!socket.destroyed) idle.add(socket);
    });
  });
  return () => {
    isClosing = true;
    for (const socket of idle) socket.destroy();
  };
}

async function closeServer(server: Server, endStreams: () => void, closeIdle: () => void): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  endStreams();
  closeIdle();
  await within(closed, CLOSE_MS);
  server.closeAllConnections();
  await closed;
}
