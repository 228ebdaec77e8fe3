import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { bounded, sleep } from "../core/async.ts";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { RequestLog, withControl } from "../ec/index.ts";
import { simulatedOptions } from "../facility/scheme.ts";
import { newTwins, twinDevices } from "../facility/twins.ts";
import type { AuditLog, Keys, TlsFiles } from "../server/index.ts";
import { fromWireError } from "../transport/codec.ts";
import { controlMethods } from "../transport/control-methods.ts";
import type { Endpoint } from "../transport/index.ts";
import { addressOf } from "../transport/open.ts";
import { presetMethods } from "../transport/preset-methods.ts";
import { scanMethods } from "../transport/scan-methods.ts";
import { besideModule, startProcess } from "../transport/threads.ts";
import { hasZeromq } from "../transport/zmq/load.ts";
import type { KaraboOptions } from "./karabo.ts";
import { connectLater, loadServer } from "./load-server.ts";
import type { PageFiles } from "./page-options.ts";
import { withPresets } from "./page-presets.ts";
import type { ReadingNote, ReadingOrder, ReadingTask } from "./reading-process.ts";
import { withScans } from "./scans.ts";

/** What is served, where, and how. */
interface ApartOptions {
  readonly url: string;
  /** For local sockets, this process's alone. */
  readonly folder: string;
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
  readonly page: PageFiles;
}

interface ServedApart extends AsyncDisposable {
  readonly addresses: readonly string[];
  readonly karaboBridge?: string | undefined;
}

/** The control of a source, in the thread that has the addresses. */
interface ControlHere {
  /** Answers the control alone; undefined: the source controls nothing. */
  readonly endpoint?: Endpoint | undefined;
  /** What the process that reads needs of it. */
  readonly simulated?: ReadingTask["simulated"];
  /** Whether its devices are no part of the source. */
  readonly hasOwnDevices?: boolean;
}

const START_AGAIN_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** After which the process that reads is ended by force. */
const CLOSE_MS = 2000;
/** Of what it wrote to stderr, kept to tell why it died. */
const LAST_WORDS = 2000;
/** Of requests that control something. */
const CONTROL_BYTES = 65_536;

/** Whether time is that of this computer, so that two processes can share it. */
export function canBeApart(url: string): boolean {
  return !/^sim:.*[?&]clock=virtual/i.test(url);
}

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
  const { isPagePath, Limits, Service, serveHttp, serveZmq } = await loadServer();
  const reading = new Reading(options, control);
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
      const relay = {
        get socketPath() {
          return reading.socketPath;
        },
        owns: (path: string) => isPagePath(path) || owns(path.replace(/^\/v1\//, "").replace("/", ".")),
      };
      servers.push(await serveHttp(service, { ...http, keys, relay, requestBytes: CONTROL_BYTES }));
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

/** The process that reads, started again when it dies. */
class Reading {
  readonly #options: ApartOptions;
  readonly #control: ControlHere;
  readonly #moves: ((isThere: boolean) => void)[] = [];
  #process: ChildProcess | undefined;
  /** Starts so far: each has local sockets of its own. */
  #count = 0;
  #failures = 0;
  #isClosing = false;

  constructor(options: ApartOptions, control: ControlHere) {
    this.#options = options;
    this.#control = control;
  }

  /** Where it listens now for address number `i`. */
  zmq(i: number | "inner"): string {
    return `ipc://${join(this.#options.folder, `${this.#count}-${i}`)}`;
  }

  /** Where processes of this server's own reach the beamline: in its private folder, without keys. */
  get inner(): string | undefined {
    const { folder, http } = this.#options;
    const isPossible = http !== undefined && this.#control.endpoint !== undefined && hasZeromq();
    return isPossible ? `ipc://${join(folder, "inner")}` : undefined;
  }

  get socketPath(): string {
    return join(this.#options.folder, `${this.#count}-http`);
  }

  /** Counts with its metrics what is answered here. */
  readonly metrics = {
    observe: (method: string, ms: number, outcome: string): void =>
      this.#order({ kind: "observe", method, ms, outcome }),
    openStreams: (): void => {},
    sentBytes: (): void => {},
  };

  /** Called when it answers, at new addresses, and when it has died. */
  onMove(moved: (isThere: boolean) => void): void {
    this.#moves.push(moved);
  }

  /** Resolves when it answers. @throws what kept it from opening the source @throws ABORTED */
  async start(signal?: AbortSignal): Promise<{ karaboBridge?: string | undefined }> {
    const { logger } = this.#options;
    const child = startProcess(besideModule(import.meta.url, "reading-process"));
    this.#process = child;
    let lastWords = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-LAST_WORDS);
    });
    const ended = new Promise<string>((resolve) => {
      child.once("error", ({ message }) => resolve(message));
      // After all it has written has been read.
      child.once("close", (code, name) => resolve(`it ended ${name === null ? `with ${code}` : `by ${name}`}`));
    }).then((how) => {
      if (this.#process === child) this.#process = undefined;
      return [how, lastWords.trim()].filter(Boolean).join("; it wrote: ");
    });
    const answered = new Promise<Exclude<ReadingNote, { kind: "log" }>>((resolve) => {
      child.on("message", (note: ReadingNote) => {
        if (note.kind === "log") logger[note.level](note.fields, note.message);
        else resolve(note);
      });
    });
    this.#order({ kind: "read", task: this.#task() });
    const died = ended.then((how) => {
      throw new SaclaError("INTERNAL", `The process that reads cannot start: ${how}.`);
    });
    died.catch(() => {});
    const answer = await bounded("sacla serve", { signal }, () => Promise.race([answered, died]));
    if (answer.kind === "failed") throw fromWireError(answer.error);
    this.#failures = 0;
    for (const moved of this.#moves) moved(true);
    void ended.then((how) => this.#restart(how));
    return answer.kind === "ready" ? { karaboBridge: answer.karaboBridge } : {};
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    this.#order({ kind: "close" });
    const late = new AbortController();
    await Promise.race([ended, sleep(CLOSE_MS, late.signal).catch(() => {})]);
    late.abort();
    child.kill("SIGKILL");
    await ended;
  }

  #task(): ReadingTask {
    const { url, zmq, http, keysFile, limits, bl, karabo, page } = this.#options;
    const { endpoint, simulated, hasOwnDevices = false } = this.#control;
    return {
      url,
      ...(simulated === undefined ? {} : { simulated }),
      isControlled: endpoint !== undefined,
      hasOwnDevices,
      zmq: zmq.map((_, i) => this.zmq(i)),
      inner: this.inner === undefined ? undefined : this.zmq("inner"),
      socketPath: http === undefined ? undefined : this.socketPath,
      keys: keysFile,
      page,
      limits,
      bl,
      karabo: {
        karaboBridge: karabo.karaboBridge,
        karaboDetector: karabo.karaboDetector,
        karaboSignal: karabo.karaboSignal,
      },
    };
  }

  #restart(reason: string): void {
    if (this.#isClosing) return;
    for (const moved of this.#moves) moved(false);
    const waitMs = Math.min(LONGEST_WAIT_MS, START_AGAIN_MS * 2 ** this.#failures++);
    this.#options.logger.error(
      { reason, againInMs: waitMs },
      "the process that reads has died and is started again; control goes on",
    );
    setTimeout(() => {
      if (this.#isClosing) return;
      this.#count++;
      this.start().catch((error: unknown) => this.#restart(toSaclaError(error).message));
    }, waitMs).unref();
  }

  #order(order: ReadingOrder): void {
    // One that has just died takes nothing.
    if (this.#process?.connected === true) this.#process.send(order, undefined, undefined, () => {});
  }
}
