import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { connect } from "../connect.ts";
import { SaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { SimulatedFacilityOptions } from "../facility/index.ts";
import { type Twins, twinShots } from "../facility/twins.ts";
import { endpointOf } from "../source/index.ts";
import { toWireError, type WireError } from "../transport/codec.ts";
import { controlMethods, isControlMethod } from "../transport/control-methods.ts";
import { type Endpoint, inProcess } from "../transport/index.ts";
import { type KaraboOptions, startKarabo } from "./karabo.ts";
import { loadServer } from "./load-server.ts";
import { setThreadPriority } from "./thread-priority.ts";

const READING_NICENESS = 5;

/** What the thread that reads is given. */
export interface ReadingTask {
  readonly url: string;
  /** For `sim:`: the options of the address, and what makes it a twin of the one whose devices are controlled. */
  readonly simulated?: {
    readonly options: Omit<SimulatedFacilityOptions, "clock">;
    readonly twins: Twins;
    readonly commands: MessagePort;
  };
  /** Whether something is controlled by the thread that has the addresses. */
  readonly isControlled: boolean;
  /** Local addresses behind those that clients know. */
  readonly zmq: readonly string[];
  readonly socketPath?: string | undefined;
  readonly keys?: string | undefined;
  readonly limits: { readonly open?: number; readonly requestsPerSecond?: number };
  readonly bl: number;
  readonly karabo: KaraboOptions;
}

/** What the thread that reads tells. */
export type ReadingNote =
  | { readonly kind: "ready"; readonly karaboBridge?: string }
  | { readonly kind: "failed"; readonly error: WireError }
  | { readonly kind: "log"; readonly level: keyof Logger; readonly fields: object; readonly message: string };

/** What it is told: a call has been answered by the other thread; or to end. */
export type ReadingOrder =
  | { readonly kind: "observe"; readonly method: string; readonly ms: number; readonly outcome: string }
  | { readonly kind: "close" };

async function read(port: MessagePort, task: ReadingTask): Promise<void> {
  const note = (message: ReadingNote): void => port.postMessage(message);
  const log =
    (level: keyof Logger) =>
    (fields: object, message: string): void =>
      note({ kind: "log", level, fields, message });
  const logger: Logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const { Keys, Limits, ServerMetrics, Service, serveHttp, serveZmq } = await loadServer();
  const source = await openSource(task);
  const endpoint = task.isControlled ? besideControl(source) : source;
  const keys = task.keys === undefined ? undefined : Keys.open(task.keys);
  const metrics = new ServerMetrics();
  const service = new Service(endpoint, { limits: new Limits(task.limits), metrics, logger });
  const closing: (() => Promise<void>)[] = [() => endpoint.close(), () => service.close()];
  for (const address of task.zmq) {
    const server = await serveZmq(service, address, { keys, isBehind: true });
    closing.push(() => server.close());
  }
  const { socketPath } = task;
  if (socketPath !== undefined) {
    const server = await serveHttp(service, { port: 0, socketPath, keys, metrics });
    closing.push(() => server.close());
  }
  const bridge = await startKarabo(endpoint, task.bl, task.karabo, logger);
  if (bridge !== undefined) closing.push(() => bridge.close());
  port.on("message", (order: ReadingOrder) => {
    if (order.kind === "observe") metrics.observe(order.method, order.ms, order.outcome);
    else
      void (async () => {
        for (const close of closing.reverse()) await close().catch(() => {});
        process.exit(0);
      })();
  });
  note({ kind: "ready", ...(bridge === undefined ? {} : { karaboBridge: bridge.address }) });
}

async function openSource({ url, simulated }: ReadingTask): Promise<Endpoint> {
  if (simulated === undefined) return (await connect(url)).endpoint;
  const { options, twins, commands } = simulated;
  return inProcess(endpointOf(twinShots(options, twins, commands)));
}

/** A source of whose facility another thread controls the devices. */
function besideControl(source: Endpoint): Endpoint {
  return {
    call: async (method, params, options) => {
      if (isControlMethod(method))
        throw new SaclaError("TOO_LARGE", `A request for ${method} has at most 65536 bytes.`, { details: { method } });
      const answer = await source.call(method, params, options);
      if (method !== "facility.describe") return answer;
      const { name, methods } = answer as { name: string; methods: string[] };
      return { name, methods: [...new Set([...methods, ...Object.keys(controlMethods)])] } as typeof answer;
    },
    stream: (method, params, options) => source.stream(method, params, options),
    close: () => source.close(),
  };
}

const port = parentPort;
if (port !== null) {
  // When both want the processor, the thread that controls has it.
  setThreadPriority(READING_NICENESS);
  read(port, workerData as ReadingTask).catch((error: unknown) => {
    port.postMessage({ kind: "failed", error: toWireError(error) } satisfies ReadingNote);
    process.exit(1);
  });
}
