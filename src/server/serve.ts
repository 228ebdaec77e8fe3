import { badArgument } from "../core/guards.ts";
import type { Logger } from "../core/logger.ts";
import { any, resolveOptions } from "../core/options.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { HttpServerOptions } from "./http-server.ts";
import type { Keys } from "./keys.ts";
import type { Limits } from "./limits.ts";
import type { ServerMetrics } from "./metrics.ts";
import { type AuditLog, Service } from "./service.ts";
import { serveZmq } from "./zmq-server.ts";

export interface ServeOptions {
  /** Addresses for ZeroMQ: `tcp://127.0.0.1:7801`, `ipc:///path`; `*` for a free port. @default none */
  readonly zmq?: readonly string[] | undefined;
  /** Where HTTP is answered. @default nowhere */
  readonly http?: Pick<HttpServerOptions, "host" | "port" | "tls"> | undefined;
  /** Registered clients; required beyond loopback. @default every local process has full access */
  readonly keys?: Keys | undefined;
  /** Log of the calls that change something. @default none */
  readonly audit?: AuditLog | undefined;
  /** Limits for each client. @default none */
  readonly limits?: Limits | undefined;
  /** What `/metrics` shows. @default none */
  readonly metrics?: ServerMetrics | undefined;
  /** @default silent */
  readonly logger?: Logger | undefined;
}

/** What {@link serve} has started. */
export interface Server extends AsyncDisposable {
  /** What clients connect to, ports filled in: those of ZeroMQ in the order given, then HTTP. */
  readonly addresses: readonly string[];
  /** Ends open requests and stops serving. The endpoint stays open. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Makes an Endpoint available to other programs: the simulated facility, an archive, another server.
 *
 * @throws BAD_ARGUMENT when there is no address
 * @throws NOT_ALLOWED for an address beyond loopback without keys
 * @throws NO_ZEROMQ for an address of ZeroMQ in Deno and Bun
 * @throws UNREACHABLE when the server cannot listen at an address
 *
 * @example
 * await using server = await serve(facility.endpoint, { zmq: ["tcp://127.0.0.1:7801"] });
 * const there = await connect("tcp://127.0.0.1:7801");
 */
export async function serve(endpoint: Endpoint, options: ServeOptions): Promise<Server> {
  resolveOptions("serve", options, {
    zmq: any,
    http: any,
    keys: any,
    audit: any,
    limits: any,
    metrics: any,
    logger: any,
  });
  const { zmq = [], http, keys, audit, limits, metrics, logger } = options;
  if (!Array.isArray(zmq)) throw badArgument("zmq", zmq, 'a list of addresses: ["tcp://127.0.0.1:7801"]');
  if (zmq.length === 0 && http === undefined)
    throw badArgument("serve", options, "given at least one address: zmq or http");
  const service = new Service(endpoint, { audit, limits, metrics, logger });
  const carriers: { readonly address: string; close(): Promise<void> }[] = [];
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing ??= (async () => {
      await Promise.all(carriers.map((carrier) => carrier.close()));
      await service.close();
    })();
    await closing;
  };
  try {
    for (const address of zmq) carriers.push(await serveZmq(service, address, { keys }));
    if (http !== undefined) {
      const { serveHttp } = await import("./http-server.ts");
      carriers.push(await serveHttp(service, { ...http, keys, metrics, requestBytes: limits?.requestBytes }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const addresses = carriers.map(({ address }) => address);
  service.logger.info({ addresses }, "serving");
  return { addresses, close, [Symbol.asyncDispose]: close };
}
