import { join } from "node:path";
import { SaclaError } from "../core/errors.ts";
import { RequestLog, withControl } from "../ec/index.ts";
import { simulatedOptions } from "../facility/scheme.ts";
import { newTwins, twinDevices } from "../facility/twins.ts";
import type { AuditLog, Keys, TlsFiles } from "../server/index.ts";
import { controlMethods } from "../transport/control-methods.ts";
import type { Endpoint } from "../transport/index.ts";
import { addressOf } from "../transport/open.ts";
import { presetMethods } from "../transport/preset-methods.ts";
import { scanMethods } from "../transport/scan-methods.ts";
import { connectLater, loadServer } from "./load-server.ts";
import { withPresets } from "./page-presets.ts";
import { withScans } from "./scans.ts";
import { type ControlHere, type ReadingOptions, WatchedReading } from "./watched-reading.ts";

/** What is served, where, and how. */
interface ApartOptions extends ReadingOptions {
  readonly http?: { readonly host: string; readonly port: number; readonly tls?: TlsFiles | undefined } | undefined;
  readonly keys?: Keys | undefined;
  readonly audit?: AuditLog | undefined;
}

interface ServedApart extends AsyncDisposable {
  readonly addresses: readonly string[];
  readonly karaboBridge?: string | undefined;
}

/** Of requests that control something. */
const CONTROL_BYTES = 65_536;

/**
 * The control of the source at an address. The devices of `sim:` are here, its shots in the process that reads.
 * @param requests - file of the requests to the accelerator; without it they are kept in memory
 */
export async function controlOf(url: string, folder: string, requests?: string): Promise<ControlHere> {
  if (/^sim:/i.test(url)) {
    const { clock: _, ...options } = await simulatedOptions(addressOf(url, url.slice("sim:".length)));
    const twins = newTwins(join(folder, "commands"));
    const log = requests === undefined ? undefined : await RequestLog.open(requests);
    const endpoint = withControl(noData, twinDevices(options, twins), { requests: log });
    return { endpoint, simulated: { options, twins }, hasOwnDevices: true };
  }
  return /^(tcp|ipc|https?):/i.test(url) ? { endpoint: (await connectLater(url)).endpoint } : {};
}

/** What stands behind a control whose data another thread has. */
export const noData: Endpoint = {
  call: async (method) => {
    throw new SaclaError("UNSUPPORTED", `${method} is answered by another process.`);
  },
  stream: (method) => {
    throw new SaclaError("UNSUPPORTED", `${method} is answered by another process.`);
  },
  close: async () => {},
};

/**
 * Serves a source by two processes. This one has the addresses, the leases and the devices, and passes everything else
 * on to the other, which reads the data: whatever is asked there, a stop is answered here at once, and nothing that
 * ends the other ends this one.
 * @throws as `serve` and `connect`
 * @throws ABORTED when the signal fires before the source is open
 */
export async function serveApart(
  options: ApartOptions,
  control: ControlHere,
  signal: AbortSignal,
): Promise<ServedApart> {
  const { zmq, http, keys, audit, logger } = options;
  const { isPagePath, Limits, Service, serveHttp, serveZmq, sharedPictures } = await loadServer();
  const reading = new WatchedReading(options, control);
  const { inner } = reading;
  const kept = control.endpoint === undefined ? undefined : withPresets(control.endpoint, options.page);
  const endpoint = kept === undefined || inner === undefined ? kept : withScans(kept, inner, options.page);
  const calls = {
    ...(endpoint === undefined ? {} : { ...controlMethods, ...presetMethods }),
    ...(inner === undefined ? {} : scanMethods),
  };
  const service = new Service(
    endpoint ?? noData,
    { audit, limits: new Limits(options.limits), logger, metrics: reading.metrics },
    { calls, streams: {} },
  );
  const servers: { readonly address: string; close(): Promise<void> }[] = [];
  /** What the processes of scans use. */
  const inside: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    // Leases end, and what they left moving stops, before anything is waited for.
    await endpoint?.close();
    await Promise.all([...servers.splice(0), ...inside.splice(0)].map((server) => server.close()));
    await reading.close();
    await service.close();
  };
  const owns = (method: string): boolean => Object.hasOwn(calls, method);
  try {
    // The addresses are taken before anything is opened.
    for (const [i, address] of zmq.entries()) {
      const server = await serveZmq(service, address, { keys, relay: { owns } });
      reading.onMove((isThere) => server.relayTo(isThere ? reading.zmq(i) : undefined));
      servers.push(server);
    }
    if (http !== undefined) {
      const limits = new Limits(options.limits);
      const shared = sharedPictures(() => reading.picturesPath, { limits, logger, metrics: reading.metrics });
      inside.push(shared);
      const relay = {
        shared,
        get socketPath() {
          return reading.socketPath;
        },
        owns: (path: string) => isPagePath(path) || owns(path.replace(/^\/v1\//, "").replace("/", ".")),
      };
      servers.push(
        await serveHttp(service, {
          ...http,
          keys,
          relay,
          requestBytes: CONTROL_BYTES,
          onPage: () => reading.lookAhead(),
        }),
      );
    }
    if (inner !== undefined) {
      const server = await serveZmq(service, inner, { relay: { owns } });
      reading.onMove((isThere) => server.relayTo(isThere ? reading.zmq("inner") : undefined));
      inside.push(server);
    }
    const { karaboBridge } = await reading.start(signal);
    const addresses = servers.map(({ address }) => address);
    logger.info({ addresses }, "serving");
    return { addresses, karaboBridge, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
