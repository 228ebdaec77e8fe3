import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { MAX_TIMEOUT_MS } from "../core/async.ts";
import { SaclaError, show, toSaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { any, defined, finite, integer, optional, resolveOptions } from "../core/options.ts";
import { decodeMessage, encodeMessage, MAX_NAME, toWireError } from "../transport/codec.ts";
import { fromJsonForm, fromQuery, toJsonForm } from "../transport/http/json-form.ts";
import { PACKED_TYPE, packParts, unpackParts } from "../transport/packed.ts";
import { isLoopbackHost } from "./bind-address.ts";
import { httpStatus } from "./http-status.ts";
import { callPieces, eventForm, packedForm, piecesBody, streamBody, within } from "./http-stream.ts";
import type { Keys } from "./keys.ts";
import { tooLarge } from "./limits.ts";
import { openApiDocument } from "./openapi.ts";
import { PackedAnswer } from "./packed-answer.ts";
import { addPageRoutes } from "./page-routes.ts";
import {
  type Client,
  loopbackClient,
  type ServedTable,
  type Service,
  type ServiceRequest,
  serverCloses,
} from "./service.ts";
import { clientOfSession, sessionIn } from "./sessions.ts";

export interface HttpAppOptions {
  /** Registered clients. If omitted, every local process has full access. */
  readonly keys?: Keys | undefined;
  /** Longest body of a request. @default 16 MiB */
  readonly requestBytes?: number | undefined;
  /** What `/metrics` answers. */
  readonly metrics?: { readonly contentType: string; text(): Promise<string> } | undefined;
  /** Time without an item after which a stream sends a `pong`. @default 10000 */
  readonly pongMs?: number | undefined;
  /** Called when somebody known loads the page. */
  readonly onPage?: (() => void) | undefined;
}

/** The checks of {@link HttpAppOptions}, for `resolveOptions`. */
export const appChecks = {
  keys: any,
  requestBytes: optional(integer(1)),
  metrics: any,
  pongMs: optional(finite(1)),
  onPage: any,
};

type Env = { Bindings: Partial<HttpBindings> };
type Ctx = Context<Env>;
type Entry = ServedTable["calls"][string];

/** The routes, and what ends the streams that are being sent. */
interface HttpApp {
  readonly app: Hono<Env>;
  endStreams(): void;
}

/** The routes of docs/protocol.md over a {@link Service}: one for each method of its table. */
export function httpApp(service: Service, options: HttpAppOptions = {}): HttpApp {
  resolveOptions("httpApp", options, appChecks);
  const routes = new Routes(service, options);
  const { calls, streams } = service.table;
  const app = new Hono<Env>();
  const add = (path: string, handle: Handler): void => {
    app.get(path, (c) => guarded(c, handle));
  };
  for (const [name, entry] of Object.entries(calls))
    app.on(["GET", "POST"], routeOf(name), (c) => guarded(c, routes.call(name, entry)));
  for (const [name, entry] of Object.entries(streams))
    app.on(["GET", "POST"], routeOf(name), (c) => guarded(c, routes.stream(name, entry)));
  const document = JSON.stringify(openApiDocument(service.table));
  add("/v1/openapi.json", async (c) => {
    routes.known(c);
    return new Response(document, { headers: headersOf("application/json") });
  });
  add("/metrics", (c) => routes.metrics(c));
  add("/health", (c) => routes.health(c));
  const page = {
    keys: options.keys,
    isTls: (c: Ctx) => new URL(c.req.url).protocol === "https:",
    known: (c: Ctx) => routes.known(c),
    checkOrigin,
    ...defined({ onPage: options.onPage }),
  };
  addPageRoutes(app as unknown as Hono, page, guarded);
  app.notFound((c) => {
    const message = `There is no route ${show(c.req.path)} for ${c.req.method}; GET /v1/openapi.json lists the routes.`;
    return fail(c, new SaclaError("UNKNOWN_METHOD", message));
  });
  app.onError((error, c) => fail(c, toSaclaError(error)));
  return { app, endStreams: () => routes.endStreams() };
}

/** Answers one kind of request; calls `understood` when a failure after that is not the client's. */
type Handler = (c: Ctx, understood: () => void) => Promise<Response>;

async function guarded(c: Ctx, handle: Handler): Promise<Response> {
  let isUnderstood = false;
  try {
    return await handle(c, () => {
      isUnderstood = true;
    });
  } catch (error) {
    const failure = toSaclaError(error);
    // A bad message is the client's, or else the source's.
    return fail(c, failure, isUnderstood && failure.code === "BAD_MESSAGE" ? 500 : undefined);
  }
}

function fail(c: Ctx, error: SaclaError, status: number = httpStatus(error.code)): Response {
  return errorAnswer(error, status, accepts(c, PACKED_TYPE));
}

class Routes {
  readonly #service: Service;
  readonly #options: HttpAppOptions;
  readonly #streams: Set<AbortController> = new Set();
  #isClosing = false;

  constructor(service: Service, options: HttpAppOptions) {
    this.#service = service;
    this.#options = options;
  }

  endStreams(): void {
    this.#isClosing = true;
    for (const stream of this.#streams) stream.abort();
  }

  /** Who asks. @throws NOT_AUTHENTICATED for nobody it knows @throws NOT_ALLOWED for a page of another origin */
  known(c: Ctx): Client {
    checkOrigin(c);
    const client = clientOf(c, this.#options.keys, this.#service);
    if (client.role !== null) return client;
    throw new SaclaError(
      "NOT_AUTHENTICATED",
      `${client.name} has no valid token; send "Authorization: Bearer TOKEN" with one that sacla keys new has made.`,
    );
  }

  call(name: string, entry: Entry): Handler {
    return async (c, understood) => {
      const client = this.known(c);
      const request = await readRequest(c, "call", name, entry, this.#options.requestBytes);
      understood();
      const answer = await this.#service.call(client, request, { signal: c.req.raw.signal });
      const isPacked = accepts(c, PACKED_TYPE);
      if (isPacked && answer instanceof PackedAnswer) return this.#sendPacked(c, answer);
      const value = answer instanceof PackedAnswer ? answer.value : answer;
      const body = piecesBody(callPieces(value, isPacked), (bytes) => this.#service.metrics?.sentBytes(bytes));
      return new Response(body, { headers: headersOf(isPacked ? PACKED_TYPE : "application/json") });
    };
  }

  /** Past the Response, which would copy the bytes for each who is sent them. */
  #sendPacked(c: Ctx, { bytes }: PackedAnswer): Response {
    const headers = headersOf(PACKED_TYPE);
    this.#service.metrics?.sentBytes(bytes.byteLength);
    const outgoing = c.env?.outgoing;
    if (outgoing === undefined) return new Response(bytes, { headers });
    outgoing.writeHead(200, { ...headers, "Content-Length": bytes.byteLength });
    outgoing.end(bytes);
    return RESPONSE_ALREADY_SENT;
  }

  stream(name: string, entry: Entry): Handler {
    return async (c, understood) => {
      const client = this.known(c);
      const request = await readRequest(c, "stream", name, entry, this.#options.requestBytes);
      understood();
      const stop = new AbortController();
      this.#streams.add(stop);
      const gone = (): void => {
        this.#streams.delete(stop);
        stop.abort();
      };
      c.req.raw.signal.addEventListener("abort", gone, { once: true });
      const items = this.#service.stream(client, request, { signal: stop.signal });
      const { pongMs = 10_000 } = this.#options;
      const first = items.next();
      // What fails at once is answered by a status; what takes its time begins with a pong.
      await within(first, pongMs).catch((error: unknown) => {
        this.#streams.delete(stop);
        throw this.#isClosing ? serverCloses(error) : error;
      });
      const form = accepts(c, PACKED_TYPE) ? packedForm : eventForm;
      const body = streamBody(items, first, form, {
        pongMs,
        wireError: (error) => toWireError(this.#isClosing ? serverCloses(error) : error),
        onSent: (bytes) => this.#service.metrics?.sentBytes(bytes),
        onEnd: () => this.#streams.delete(stop),
        onGone: () => {
          gone();
          items.return().catch(() => {});
        },
      });
      // Named, because the adapter else takes several items before it sends the first.
      return new Response(body, { headers: { ...headersOf(form.contentType), "Transfer-Encoding": "chunked" } });
    };
  }

  async metrics(c: Ctx): Promise<Response> {
    this.known(c);
    const { metrics } = this.#options;
    if (metrics === undefined) throw new SaclaError("UNSUPPORTED", "This server has no metrics.");
    return new Response(await metrics.text(), { headers: headersOf(metrics.contentType) });
  }

  async health(c: Ctx): Promise<Response> {
    const health = await this.#service.health();
    const shown = clientOf(c, this.#options.keys, this.#service).role === null ? { status: health.status } : health;
    return new Response(JSON.stringify(shown), {
      status: health.status === "ok" ? 200 : 503,
      headers: headersOf("application/json"),
    });
  }
}

/** `/v1/db/readRuninfo` for `db.readRuninfo`. */
function routeOf(method: string): string {
  return `/v1/${method.replace(".", "/")}`;
}

/** Whether a path is that of a call of a service. */
export function isRouteOf({ table }: Service, path: string): boolean {
  return Object.keys(table.calls).some((name) => routeOf(name) === path);
}

/** A failure as an answer. */
export function errorAnswer(error: SaclaError, status: number, isPacked: boolean): Response {
  const wire = toWireError(error);
  const headers: Record<string, string> = headersOf(isPacked ? PACKED_TYPE : "application/json");
  if (status === 401) headers["WWW-Authenticate"] = 'Bearer realm="sacla"';
  const { retryAfterMs } = error.details;
  if (status === 429 && typeof retryAfterMs === "number")
    headers["Retry-After"] = String(Math.ceil(retryAfterMs / 1000));
  const body = isPacked
    ? packParts(encodeMessage({ kind: "error", id: 0, error: wire }))
    : JSON.stringify({ error: toJsonForm(wire) });
  return new Response(body, { status, headers });
}

function headersOf(contentType: string): Record<string, string> {
  return { "Content-Type": contentType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };
}

function accepts(c: Ctx, type: string): boolean {
  return (c.req.header("accept") ?? "").toLowerCase().includes(type);
}

function clientOf(c: Ctx, keys: Keys | undefined, service: Service): Client {
  if (keys === undefined) {
    checkHost(c.req.header("host"));
    return loopbackClient;
  }
  const nobody: Client = { name: c.env?.incoming?.socket.remoteAddress ?? "unknown", role: null };
  const session = sessionIn(keys, c.req.header("cookie"));
  if (session !== undefined) return service.identify(() => clientOfSession(keys, session, Date.now())) ?? nobody;
  const token = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (token === undefined) return nobody;
  return service.identify(() => keys.clientOfToken(token)) ?? nobody;
}

/**
 * Without keys, whoever reaches the server may do everything. A page in the browser of somebody here could have its own
 * name lead to this machine; it cannot hide that name.
 */
function checkHost(host: string | undefined): void {
  if (host === undefined || isLoopbackHost(host.replace(/:\d+$/, ""))) return;
  throw new SaclaError(
    "NOT_ALLOWED",
    `This server has no keys and answers only as localhost, not as ${show(host)}; ` +
      "start it with keys to use it under other names.",
  );
}

/**
 * A page of another origin, open in a browser that reaches this server, has nothing to ask here: it could read no
 * answer (there is no CORS), but what it asks would be done. Browsers say where a request comes from, in headers that a
 * page cannot set; other programs send none of them. Following a link and typing an address stay possible: they only
 * read.
 * @throws NOT_ALLOWED
 */
function checkOrigin(c: Ctx): void {
  const site = c.req.header("sec-fetch-site");
  const isLink = c.req.method === "GET" && c.req.header("sec-fetch-mode") === "navigate";
  const isOtherSite = site !== undefined && site !== "same-origin" && site !== "none" && !isLink;
  const origin = c.req.header("origin");
  if (!isOtherSite && (origin === undefined || isOwnOrigin(origin, c.req.header("host")))) return;
  throw new SaclaError(
    "NOT_ALLOWED",
    `A page of another origin (${show(origin ?? site)}) asked ${c.req.path} of this server, which answers programs ` +
      "and its own pages only.",
  );
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  // Browsers leave the usual port of a scheme out of both.
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

const MIB = 2 ** 20;

async function readRequest(
  c: Ctx,
  kind: "call" | "stream",
  method: string,
  entry: Entry,
  requestBytes = 16 * MIB,
): Promise<ServiceRequest> {
  const { url } = c.req;
  const headers = {
    timeoutMs: timeoutOf(c.req.header("sacla-timeout-ms")),
    key: keyOf(c.req.header("idempotency-key")),
  };
  const query = url.indexOf("?") < 0 ? "" : url.slice(url.indexOf("?") + 1);
  if (c.req.method === "POST") {
    // Not shown: a secret may stand in it.
    if (query !== "") throw badArgument("the query of a POST", "there", "empty: the parameters are the body");
    const body = await readBody(c, requestBytes);
    return {
      method,
      ...headers,
      bytes: body.byteLength,
      ...parametersOf(c.req.header("content-type"), body, kind, method, entry),
    };
  }
  if (c.req.method !== "GET")
    throw new SaclaError("BAD_MESSAGE", `${method} is asked with GET or POST, not with ${c.req.method}.`);
  if (entry.changes)
    throw new SaclaError(
      "BAD_MESSAGE",
      `${method} changes something, so it is asked with POST and an Idempotency-Key.`,
    );
  if (entry.hasSecret === true)
    throw new SaclaError(
      "BAD_MESSAGE",
      `${method} carries a secret, so it is asked with POST and the parameters as the body: addresses stay in logs.`,
    );
  return { method, ...headers, bytes: query.length, value: fromQuery(entry.params, new URLSearchParams(query)) };
}

function parametersOf(
  contentType: string | undefined,
  body: Uint8Array,
  kind: "call" | "stream",
  method: string,
  entry: Entry,
): Pick<ServiceRequest, "value" | "timeoutMs" | "key"> {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase();
  if (type === PACKED_TYPE) {
    const message = decodeMessage(unpackParts(body), { copy: false });
    if (message.kind !== kind || message.method !== method)
      throw new SaclaError("BAD_MESSAGE", `The body is a ${show(message.kind)}, but must be a ${kind} of ${method}.`);
    const { timeoutMs } = message;
    const key = message.kind === "call" ? message.key : undefined;
    return {
      value: message.value,
      ...defined({ timeoutMs, key }),
    };
  }
  if (type !== "application/json")
    throw new SaclaError(
      "BAD_MESSAGE",
      `Content-Type is ${show(contentType)}, but must be application/json or ${PACKED_TYPE}.`,
    );
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new SaclaError("BAD_MESSAGE", "The body of the request is not JSON.", { cause });
  }
  return { value: fromJsonForm(entry.params, value, "the body") };
}

async function readBody(c: Ctx, most: number): Promise<Uint8Array> {
  const claimed = c.req.header("content-length");
  if (Number(claimed) > most) throw tooLarge(Number(claimed), most);
  // No more than claimed can come: read as one piece, in a fraction of the time that a stream takes.
  if (claimed !== undefined && c.env?.incoming !== undefined) return new Uint8Array(await c.req.raw.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = c.req.raw.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > most) {
      reader.cancel().catch(() => {});
      throw tooLarge(length, most);
    }
    chunks.push(value);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= MAX_TIMEOUT_MS) return value;
  throw badArgument("Sacla-Timeout-Ms", text, `a number from 0 to ${MAX_TIMEOUT_MS}`);
}

function keyOf(text: string | undefined): string | undefined {
  if (text === undefined || (text !== "" && text.length <= MAX_NAME)) return text;
  throw badArgument("Idempotency-Key", text, `1 to ${MAX_NAME} characters`);
}
