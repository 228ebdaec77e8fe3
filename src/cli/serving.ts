import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { isSaclaError, SaclaError, show, toSaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { defined } from "../core/options.ts";
import type { TlsFiles } from "../server/index.ts";
import { fromWireError, type WireError } from "../transport/codec.ts";
import { httpEndpoint } from "../transport/http/client.ts";
import type { Endpoint } from "../transport/index.ts";
import { besideModule, startThread } from "../transport/threads.ts";
import { askAhead } from "./ask-ahead.ts";
import { type Io, untilStopped } from "./io.ts";
import type { KaraboOptions } from "./karabo.ts";
import { isRehearsal } from "./kept-sim.ts";
import { connectLater, loadKarabo, loadMadoca, loadPage, loadServer } from "./load-server.ts";
import { type PageFiles, pageOptions } from "./page-options.ts";
import { controlOf, noData, serveApart } from "./serve-apart.ts";

/** What is to be served, as data that can be given to a thread. */
export interface ServingTask extends KaraboOptions, PageFiles {
  readonly url: string;
  readonly zmq: readonly string[];
  readonly http?: HostPort | undefined;
  readonly keys?: string;
  readonly audit?: string;
  readonly bl: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly madoca?: string;
  readonly leases: string;
  readonly requests?: string;
  readonly json?: boolean;
  /** Whether it is served for the page in a browser of this computer. */
  readonly isPage?: boolean;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What the thread that serves tells. */
export type ServingNote =
  | { readonly kind: "out" | "err"; readonly text: string }
  | { readonly kind: "ready"; readonly addresses: readonly string[] }
  | { readonly kind: "ended"; readonly error?: WireError };

/** The Io that serving needs. */
type ServingIo = Pick<Io, "out" | "err" | "signal">;

/** More than a script asks one by one, less than what keeps others waiting. */
const REQUESTS_PER_SECOND = 5000;
/** On this computer all programs are one client. */
const OPEN_ON_LOOPBACK = 4096;

/**
 * Serves until Ctrl+C. Addresses, leases and devices are in a thread of their own, the data in another process: neither
 * what is read nor this thread can hold up a stop. Rehearsals in virtual time, which all must share, are served here.
 */
export async function serveUntilStopped(
  task: ServingTask,
  io: ServingIo,
  onReady: (addresses: readonly string[]) => void = () => {},
): Promise<void> {
  if (isRehearsal(task.url)) {
    await serveHere(task, io, onReady);
    return;
  }
  const { out, err } = io;
  const thread = startThread(besideModule(import.meta.url, "control-thread"), { workerData: { ...task } });
  const stop = (): void => thread.postMessage("stop");
  if (io.signal.aborted) stop();
  io.signal.addEventListener("abort", stop, { once: true });
  let error: WireError | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      thread.on("message", (note: ServingNote) => {
        if (note.kind === "ended") error = note.error;
        else if (note.kind === "ready") onReady(note.addresses);
        else if (note.kind === "out") out(note.text);
        else err(note.text);
      });
      thread.once("error", reject);
      thread.once("exit", (code) => {
        if (code === 0 || error !== undefined) resolve();
        else reject(new SaclaError("INTERNAL", `The thread that serves ended with ${code}.`));
      });
    });
  } finally {
    io.signal.removeEventListener("abort", stop);
  }
  if (error !== undefined) throw fromWireError(error);
}

/** Serves in this thread, until the signal fires. */
export async function serveHere(
  options: ServingTask,
  io: ServingIo,
  onReady: (addresses: readonly string[]) => void,
): Promise<void> {
  const { url, zmq, http, columns, experiment, plans, presets, tma, defaults } = options;
  const { Keys, Limits, openAudit, ServerMetrics, serve: startServer, pino } = await loadServer();
  const tls = tlsFiles(options);
  const keys = options.keys === undefined ? undefined : Keys.open(options.keys);
  const logger = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write: (line) => io.err(line) });
  const isApart = !isRehearsal(url);
  await using facility = isApart ? undefined : await connectLater(url);
  using folder = isApart ? socketFolder() : undefined;
  const control =
    folder !== undefined && options.madoca === undefined ? await controlOf(url, folder.path, options.requests) : {};
  await using _control = closedAtTheEnd(control.endpoint);
  const inner = facility?.endpoint ?? noData;
  // Closed after the server: nobody begins anything any more when the leases end.
  await using madoca =
    options.madoca === undefined
      ? undefined
      : await (await loadMadoca()).controlOverMadoca(
          inner,
          options.madoca,
          { path: options.leases, requests: options.requests, addresses: addressesOf(zmq, http) },
          logger,
        );
  const audit = options.audit === undefined ? undefined : await openAudit(options.audit);
  const limits = keys === undefined ? { open: OPEN_ON_LOOPBACK } : { requestsPerSecond: REQUESTS_PER_SECOND };
  const common = { zmq, http: http === undefined ? undefined : { ...http, tls }, keys, audit, logger };
  const karabo = options;
  let isReady = false;
  try {
    // First, for it may refuse: nobody shall be told before that this is served.
    await using bridge = isApart
      ? undefined
      : await (await loadKarabo()).startKarabo(madoca?.endpoint ?? inner, options.bl, options, logger);
    await using server =
      folder !== undefined
        ? await serveApart(
            {
              ...common,
              page: defined({ columns, experiment, plans, presets, tma, defaults }),
              url,
              folder: folder.path,
              keysFile: options.keys,
              limits,
              bl: options.bl,
              karabo,
            },
            madoca === undefined ? control : { endpoint: madoca.endpoint, hasOwnDevices: true },
            io.signal,
          )
        : await startServer((await loadPage()).withPage(madoca?.endpoint ?? inner, await pageOptions(options)), {
            ...common,
            limits: new Limits(limits),
            metrics: new ServerMetrics(),
          });
    const { addresses } = server;
    const karaboBridge = bridge?.address ?? ("karaboBridge" in server ? server.karaboBridge : undefined);
    isReady = true;
    madoca?.begin(addresses);
    // Who opens the address shall see a picture at once. A source without one, or with keys, is served all the same.
    const [page] = options.isPage === true ? addresses : [];
    if (page !== undefined) await askAhead(httpEndpoint(page), options.bl, io.signal).catch(() => {});
    const more = {
      karaboBridge,
      ...(madoca === undefined ? {} : { madoca: madoca.json }),
    };
    if (madoca !== undefined && options.json !== true) io.out(`${madoca.text}\n`);
    io.out(
      options.json === true
        ? `${JSON.stringify({ source: url, addresses, ...more })}\n`
        : `${options.isPage === true ? pageGreeting(url, addresses) : greeting(url, addresses, keys !== undefined)}\n`,
    );
    onReady(addresses);
    if (karaboBridge !== undefined && options.json !== true)
      io.out(`  karabo_bridge.Client("${karaboBridge}").next()\n`);
    await untilStopped(io);
  } catch (error) {
    // Ctrl+C before it was ready.
    if (isReady || !isSaclaError(error, "ABORTED")) throw error;
  } finally {
    await audit?.close();
  }
}

/** Longest path of a folder whose sockets' paths are not too long: 107 bytes on Linux, 103 on macOS. */
const SOCKET_FOLDER = 80;

/** A new folder of this user alone. @throws WRITE_FAILED */
function socketFolder(): Disposable & { readonly path: string } {
  const parent = Buffer.byteLength(tmpdir()) > SOCKET_FOLDER ? "/tmp" : tmpdir();
  try {
    const path = mkdtempSync(join(parent, "sacla-"));
    return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
  } catch (error) {
    throw toSaclaError(error, "WRITE_FAILED", `No folder can be made in ${show(parent)} (TMPDIR)`);
  }
}

function closedAtTheEnd(endpoint: Endpoint | undefined): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => await endpoint?.close() };
}

/** As asked for: the port may still be a free one. */
function addressesOf(zmq: readonly string[], http: HostPort | undefined): readonly string[] {
  return [...zmq, ...(http === undefined ? [] : [`http://${http.host}:${http.port}`])];
}

function tlsFiles({ tlsCert, tlsKey }: ServingTask): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw badArgument("TLS", tlsCert ?? tlsKey, "given by both --tls-cert and --tls-key");
  return { cert: readPem(tlsCert), key: readPem(tlsKey) };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw toSaclaError(error, "FILE_NOT_FOUND", `${show(path)} cannot be read`);
  }
}

function pageGreeting(source: string, [address]: readonly string[]): string {
  return `${source} in a browser: ${address}/\nstop with Ctrl+C`;
}

/** What is served where, and for each address a line to copy. */
function greeting(source: string, addresses: readonly string[], hasKeys: boolean): string {
  const lines = addresses.flatMap((address) => {
    const isHttp = address.startsWith("http");
    const secret = hasKeys ? (isHttp ? "SACLA_TOKEN=… " : "SACLA_KEY_FILE=… ") : "";
    const bearer = hasKeys ? '-H "Authorization: Bearer …" ' : "";
    // An address that means all of this computer's is none to connect to.
    const there = address.replace(/\/\/(0\.0\.0\.0|\[::\]):/, `//${hostname()}:`);
    const use = `  ${secret}SACLA_URL=${there} sacla runs --bl 3`;
    return isHttp ? [use, `  curl ${bearer}"${there}/v1/db/listRuns?bl=3&last=5"`, `  in a browser: ${there}/`] : [use];
  });
  return [`serving ${source}; stop with Ctrl+C`, ...lines].join("\n");
}
