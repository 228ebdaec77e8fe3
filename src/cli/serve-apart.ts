import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { sleep } from "../core/async.ts";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { withControl } from "../ec/index.ts";
import { simulatedOptions } from "../facility/scheme.ts";
import { newTwins, type TwinCommand, twinDevices } from "../facility/twins.ts";
import type { AuditLog, Keys, TlsFiles } from "../server/index.ts";
import { fromWireError } from "../transport/codec.ts";
import { controlMethods, isControlMethod } from "../transport/control-methods.ts";
import type { Endpoint } from "../transport/index.ts";
import { besideModule, startThread } from "../transport/threads.ts";
import type { KaraboOptions } from "./karabo.ts";
import { connectLater, loadServer } from "./load-server.ts";
import type { ReadingNote, ReadingOrder, ReadingTask } from "./reading-thread.ts";

/** What is served, where, and how. */
interface ApartOptions {
  readonly url: string;
  readonly zmq: readonly string[];
  readonly http?: { readonly host: string; readonly port: number; readonly tls?: TlsFiles | undefined } | undefined;
  readonly keys?: Keys | undefined;
  /** The file of the keys. */
  readonly keysFile?: string | undefined;
  readonly audit?: AuditLog | undefined;
  readonly limits: ReadingTask["limits"];
  readonly logger: Logger;
  readonly bl: number;
  readonly karabo: KaraboOptions;
}

interface ServedApart extends AsyncDisposable {
  readonly addresses: readonly string[];
  readonly karaboBridge?: string | undefined;
}

/** The control of a source, in the thread that has the addresses. */
interface ControlHere {
  /** Answers the control alone; undefined: the source controls nothing. */
  readonly endpoint?: Endpoint | undefined;
  /** What a thread that reads needs of it. */
  simulated?(): ReadingTask["simulated"];
}

const START_AGAIN_MS = 1000;
const CLOSE_MS = 4000;
/** Of requests that control something. */
const CONTROL_BYTES = 65_536;

/** Whether time is that of this computer, so that two threads can share it. */
export function canBeApart(url: string): boolean {
  return !/^sim:.*[?&]clock=virtual/i.test(url);
}

/** The control of the source at an address. The devices of `sim:` are here, its shots in the thread that reads. */
export async function controlOf(url: string): Promise<ControlHere> {
  if (/^sim:/i.test(url)) {
    const query = url.includes("?") ? url.slice(url.indexOf("?") + 1) : "";
    const path = url.slice("sim:".length).split("?")[0] ?? "";
    const { clock: _, ...options } = await simulatedOptions({ text: url, path, options: new URLSearchParams(query) });
    const twins = newTwins();
    const given: TwinCommand[] = [];
    let commands: MessagePort | undefined;
    const driver = twinDevices(options, twins, (command) => {
      given.push(command);
      commands?.postMessage(command);
    });
    return {
      endpoint: withControl(noData, driver),
      simulated: () => {
        const channel = new MessageChannel();
        commands?.close();
        commands = channel.port1;
        commands.unref();
        // A thread that is started again does all again.
        for (const command of given) commands.postMessage(command);
        return { options, twins, commands: channel.port2 };
      },
    };
  }
  return /^(tcp|ipc|https?):/i.test(url) ? { endpoint: (await connectLater(url)).endpoint } : {};
}

/** What stands behind a control whose data another thread has. */
export const noData: Endpoint = {
  call: async (method) => {
    throw new SaclaError("UNSUPPORTED", `${method} is answered by another thread.`);
  },
  stream: (method) => {
    throw new SaclaError("UNSUPPORTED", `${method} is answered by another thread.`);
  },
  close: async () => {},
};

/**
 * Serves a source by two threads. This one has the addresses, the leases and the devices, and passes everything else on
 * to the other, which reads the data: whatever is asked there, a stop is answered here at once.
 * @throws as `serve` and `connect`
 */
export async function serveApart(options: ApartOptions, control: ControlHere): Promise<ServedApart> {
  const { zmq, http, keys, audit, logger } = options;
  const { Limits, Service, serveHttp, serveZmq } = await loadServer();
  const folder = mkdtempSync(join(tmpdir(), "sacla-"));
  const reading = new Reading(options, control, folder);
  const table = { calls: control.endpoint === undefined ? {} : controlMethods, streams: {} };
  const service = new Service(
    control.endpoint ?? noData,
    { audit, limits: new Limits(options.limits), logger, metrics: reading.metrics },
    table,
  );
  const closing: (() => Promise<void>)[] = [
    async () => rmSync(folder, { recursive: true, force: true }),
    () => reading.close(),
    // Leases end, and what they left moving stops, before anything is waited for.
    async () => await control.endpoint?.close(),
    () => service.close(),
  ];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  const addresses: string[] = [];
  const owns = (method: string): boolean => control.endpoint !== undefined && isControlMethod(method);
  try {
    // The addresses are taken before anything is opened.
    for (const [i, address] of zmq.entries()) {
      const server = await serveZmq(service, address, { keys, relay: { address: reading.zmq(i), owns } });
      reading.onStart(() => server.relayTo(reading.zmq(i)));
      closing.push(() => server.close());
      addresses.push(server.address);
    }
    if (http !== undefined) {
      const relay = {
        get socketPath() {
          return reading.socketPath;
        },
        owns: (path: string) => owns(path.replace(/^\/v1\//, "").replace("/", ".")),
      };
      const server = await serveHttp(service, { ...http, keys, relay, requestBytes: CONTROL_BYTES });
      closing.push(() => server.close());
      addresses.push(server.address);
    }
    const { karaboBridge } = await reading.start();
    logger.info({ addresses }, "serving");
    return { addresses, karaboBridge, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The thread that reads, started again when it dies. */
class Reading {
  readonly #options: ApartOptions;
  readonly #control: ControlHere;
  readonly #folder: string;
  readonly #starts: (() => void)[] = [];
  #thread: Worker | undefined;
  #count = 0;
  #isClosing = false;

  constructor(options: ApartOptions, control: ControlHere, folder: string) {
    this.#options = options;
    this.#control = control;
    this.#folder = folder;
  }

  /** Where it listens now for address number `i`. */
  zmq(i: number): string {
    return `ipc://${join(this.#folder, `${this.#count}-${i}`)}`;
  }

  get socketPath(): string {
    return join(this.#folder, `${this.#count}-http`);
  }

  /** Counts with its metrics what is answered here. */
  readonly metrics = {
    observe: (method: string, ms: number, outcome: string): void =>
      this.#order({ kind: "observe", method, ms, outcome }),
    openStreams: (): void => {},
    sentBytes: (): void => {},
  };

  /** Called when it is elsewhere, as the one before has died. */
  onStart(moved: () => void): void {
    this.#starts.push(moved);
  }

  /** Resolves when it answers. @throws what kept it from opening the source */
  async start(): Promise<{ karaboBridge?: string | undefined }> {
    const { url, zmq, http, keysFile, limits, bl, karabo, logger } = this.#options;
    const simulated = this.#control.simulated?.();
    const task: ReadingTask = {
      url,
      ...(simulated === undefined ? {} : { simulated }),
      isControlled: this.#control.endpoint !== undefined,
      zmq: zmq.map((_, i) => this.zmq(i)),
      socketPath: http === undefined ? undefined : this.socketPath,
      keys: keysFile,
      limits,
      bl,
      karabo,
    };
    const thread = startThread(besideModule(import.meta.url, "reading-thread"), {
      workerData: task,
      transferList: simulated === undefined ? [] : [simulated.commands],
    });
    this.#thread = thread;
    thread.once("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    thread.on("message", (note: ReadingNote) => {
      if (note.kind === "log") logger[note.level](note.fields, note.message);
    });
    const answer = await new Promise<ReadingNote>((resolve, reject) => {
      thread.on("message", (note: ReadingNote) => {
        if (note.kind !== "log") resolve(note);
      });
      thread.once("error", reject);
      thread.once("exit", (code) => reject(new SaclaError("INTERNAL", `The thread that reads ended with ${code}.`)));
    });
    if (answer.kind === "failed") throw fromWireError(answer.error);
    thread.on("error", (error) => logger.error({ error: toSaclaError(error).message }, "the thread that reads failed"));
    thread.once("exit", () => this.#restart());
    return answer.kind === "ready" ? { karaboBridge: answer.karaboBridge } : {};
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    const ended = new Promise((resolve) => thread.once("exit", resolve));
    this.#order({ kind: "close" });
    // Not terminated: ZeroMQ in a thread that is terminated while it works can end the whole process.
    thread.unref();
    await Promise.race([ended, sleep(CLOSE_MS)]);
  }

  #restart(): void {
    if (this.#isClosing) return;
    this.#count++;
    for (const moved of this.#starts) moved();
    this.#options.logger.error({}, "the thread that reads has died and is started again; control goes on");
    setTimeout(() => {
      if (!this.#isClosing) this.start().catch(() => this.#restart());
    }, START_AGAIN_MS).unref();
  }

  #order(order: ReadingOrder): void {
    this.#thread?.postMessage(order);
  }
}
