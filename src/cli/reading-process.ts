import { writeFileSync } from "node:fs";
import { connect } from "../connect.ts";
import { SaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { defined } from "../core/options.ts";
import type { SimulatedFacilityOptions } from "../facility/index.ts";
import { type Twins, twinShots } from "../facility/twins.ts";
import { pathIn } from "../hdf5/index.ts";
import { renewed } from "../hdf5/open/renewed.ts";
import { withPage } from "../page/index.ts";
import { endpointOf } from "../source/index.ts";
import { toWireError, type WireError } from "../transport/codec.ts";
import { controlMethods, isControlMethod } from "../transport/control-methods.ts";
import { type Endpoint, inProcess } from "../transport/index.ts";
import type { CallResult } from "../transport/methods.ts";
import { isPresetMethod, presetMethods } from "../transport/preset-methods.ts";
import { isScanMethod, scanMethods } from "../transport/scan-methods.ts";
import { askAhead } from "./ask-ahead.ts";
import { type KaraboOptions, startKarabo } from "./karabo.ts";
import { loadServer } from "./load-server.ts";
import { type PageFiles, pageOptions } from "./page-options.ts";
import { runReports } from "./page-report.ts";
import { setThreadPriority } from "./thread-priority.ts";
import { collectAtOnce } from "./v8-flags.ts";

const READING_NICENESS = 5;
/** When memory runs out, Linux ends this process before the one that controls. */
const READING_OOM_SCORE = "500";

/** What the process that reads is given. */
export interface ReadingTask {
  readonly url: string;
  /** For `sim:`: the options of the address, and what makes it a twin of the one whose devices are controlled. */
  readonly simulated?: {
    readonly options: Omit<SimulatedFacilityOptions, "clock">;
    readonly twins: Twins;
  };
  /** Whether requests for control are answered by the process that has the addresses. */
  readonly isControlled: boolean;
  /** Whether the devices are that process's own, so that the source knows nothing of them. */
  readonly hasOwnDevices: boolean;
  /** Local addresses behind those that clients know. */
  readonly zmq: readonly string[];
  /** The same for processes of the server's own, such as scans: without keys. */
  readonly inner?: string | undefined;
  readonly socketPath?: string | undefined;
  /** A local socket for the process that shares pictures among its clients: without keys and limits. */
  readonly picturesPath?: string | undefined;
  readonly keys?: string | undefined;
  readonly limits: { readonly open?: number; readonly requestsPerSecond?: number };
  readonly bl: number;
  readonly page: PageFiles;
  readonly karabo: KaraboOptions;
}

/** What the process that reads tells. */
export type ReadingNote =
  | { readonly kind: "ready"; readonly karaboBridge?: string }
  | { readonly kind: "failed"; readonly error: WireError }
  | { readonly kind: "pong" }
  | { readonly kind: "log"; readonly level: keyof Logger; readonly fields: object; readonly message: string };

/**
 * What it is told: its task; a call has been answered by the other process; a page is being loaded; to give a sign of
 * life; or to end.
 */
export type ReadingOrder =
  | { readonly kind: "read"; readonly task: ReadingTask }
  | { readonly kind: "observe"; readonly method: string; readonly ms: number; readonly outcome: string }
  | { readonly kind: "look" }
  | { readonly kind: "ping" }
  | { readonly kind: "close" };

type Order<K> = Extract<ReadingOrder, { kind: K }>;

/** What is read and answered. */
interface Reading {
  /** Counts in its metrics. */
  observe(order: Order<"observe">): void;
  lookAhead(): void;
  close(): Promise<void>;
}

/** Resolves when it answers. */
async function read(task: ReadingTask): Promise<Reading> {
  const log =
    (level: keyof Logger) =>
    (fields: object, message: string): void =>
      note({ kind: "log", level, fields, message });
  const logger: Logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const { Keys, Limits, ServerMetrics, Service, serveHttp, servePictures, serveZmq } = await loadServer();
  const files = pathIn(task.url);
  const about = { ...(await pageOptions(task.page)), ...defined({ files }) };
  const open = async (): Promise<Endpoint> => {
    const source = await openSource(task);
    const inner = task.isControlled ? besideControl(source, task) : source;
    return withPage(inner, { ...about, report: runReports(source, task.url) });
  };
  const endpoint = files === undefined ? await open() : await renewed(files, open);
  const keys = task.keys === undefined ? undefined : Keys.open(task.keys);
  const metrics = new ServerMetrics();
  const service = new Service(endpoint, { limits: new Limits(task.limits), metrics, logger });
  const closing: (() => Promise<void>)[] = [() => endpoint.close(), () => service.close()];
  for (const address of task.zmq) {
    const server = await serveZmq(service, address, { keys, isBehind: true });
    closing.push(() => server.close());
  }
  if (task.inner !== undefined) {
    const server = await serveZmq(service, task.inner, { isBehind: true });
    closing.push(() => server.close());
  }
  const { socketPath, picturesPath } = task;
  if (socketPath !== undefined) {
    const server = await serveHttp(service, { port: 0, socketPath, keys, metrics });
    closing.push(() => server.close());
  }
  if (picturesPath !== undefined) {
    const server = await servePictures(new Service(endpoint, { logger }), picturesPath);
    closing.push(() => server.close());
  }
  const bridge = await startKarabo(endpoint, task.bl, task.karabo, logger);
  if (bridge !== undefined) closing.push(() => bridge.close());
  const ending = new AbortController();
  let isLooking = false;
  note({ kind: "ready", ...(bridge === undefined ? {} : { karaboBridge: bridge.address }) });
  return {
    observe: ({ method, ms, outcome }) => metrics.observe(method, ms, outcome),
    lookAhead: () => {
      if (isLooking) return;
      isLooking = true;
      const ended = (): void => {
        isLooking = false;
      };
      // Where nothing is live, there is nothing to make ready.
      askAhead(endpoint, task.bl, ending.signal).then(ended, ended);
    },
    close: async () => {
      ending.abort();
      for (const close of closing.splice(0).reverse()) await close().catch(() => {});
    },
  };
}

function note(message: ReadingNote): void {
  // When the other process has gone, this one ends.
  process.send?.(message, undefined, undefined, () => {});
}

async function openSource({ url, simulated }: ReadingTask): Promise<Endpoint> {
  if (simulated === undefined) return (await connect(url)).endpoint;
  const { options, twins } = simulated;
  return inProcess(endpointOf(twinShots(options, twins)));
}

/** A source of whose facility another process controls the devices. */
function besideControl(source: Endpoint, { hasOwnDevices, inner }: ReadingTask): Endpoint {
  const answered = [
    ...Object.keys(presetMethods),
    ...(hasOwnDevices ? Object.keys(controlMethods) : []),
    ...(inner === undefined ? [] : Object.keys(scanMethods)),
  ];
  return {
    call: async (method, params, options) => {
      if (isControlMethod(method) || isPresetMethod(method) || (inner !== undefined && isScanMethod(method)))
        throw new SaclaError("TOO_LARGE", `A request for ${method} has at most 65536 bytes.`, { details: { method } });
      const answer = await source.call(method, params, options);
      if (method !== "facility.describe") return answer;
      const described = answer as CallResult<"facility.describe">;
      return { ...described, methods: [...new Set([...described.methods, ...answered])] } as typeof answer;
    },
    stream: (method, params, options) => source.stream(method, params, options),
    close: () => source.close(),
  };
}

/** Obeys the process that has started this one, and ends with it. */
function obey(): void {
  collectAtOnce();
  // The end of a service reaches all of its processes; the other one says when this one ends.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("disconnect", () => process.exit(0));
  // When both want the processor, the thread that controls has it.
  setThreadPriority(READING_NICENESS);
  try {
    writeFileSync("/proc/self/oom_score_adj", READING_OOM_SCORE);
  } catch {
    // Another system.
  }
  let reading: ReturnType<typeof read> | undefined;
  process.on("message", (order: ReadingOrder) => {
    if (order.kind === "read") {
      reading = read(order.task);
      reading.catch((error: unknown) => {
        const failed: ReadingNote = { kind: "failed", error: toWireError(error) };
        process.send?.(failed, undefined, undefined, () => process.exit(1));
      });
    } else if (order.kind === "observe") reading?.then((it) => it.observe(order)).catch(() => {});
    else if (order.kind === "look") reading?.then((it) => it.lookAhead()).catch(() => {});
    else if (order.kind === "ping") note({ kind: "pong" });
    else {
      const closed = reading?.then((it) => it.close()) ?? Promise.resolve();
      closed.catch(() => {}).finally(() => process.exit(0));
    }
  });
}

if (process.send !== undefined) obey();
