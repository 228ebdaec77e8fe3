import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { bounded, sleep } from "../core/async.ts";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { fromWireError } from "../transport/codec.ts";
import type { Endpoint } from "../transport/index.ts";
import { besideModule, startProcess } from "../transport/threads.ts";
import { hasZeromq } from "../transport/zmq/load.ts";
import type { KaraboOptions } from "./karabo.ts";
import type { PageFiles } from "./page-options.ts";
import type { ReadingNote, ReadingOrder, ReadingTask } from "./reading-process.ts";

/** What is served, as far as the process that reads needs it. */
export interface ReadingOptions {
  readonly url: string;
  /** For local sockets, this process's alone. */
  readonly folder: string;
  readonly zmq: readonly string[];
  readonly http?: object | undefined;
  /** The file of the keys. */
  readonly keysFile?: string | undefined;
  readonly limits: ReadingTask["limits"];
  readonly logger: Logger;
  readonly bl: number;
  readonly karabo: KaraboOptions;
  readonly page: PageFiles;
}

/** The control of a source, in the thread that has the addresses. */
export interface ControlHere {
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
/**
 * How often it is asked for a sign of life. After so many in vain it is ended by force, for whoever waits for it would
 * wait for ever. None of its answers keeps it from giving one for so long.
 */
const PING_MS = 10_000;
const SILENT_PINGS = 6;
/** Of what it wrote to stderr, kept to tell why it died. */
const LAST_WORDS = 2000;
/** Orders on their way to it; more of what only counts in its metrics is left out. */
const MOST_UNSENT = 1000;

/** The process that reads, started again when it dies. */
export class WatchedReading {
  readonly #options: ReadingOptions;
  readonly #control: ControlHere;
  readonly #moves: ((isThere: boolean) => void)[] = [];
  #process: ChildProcess | undefined;
  /** Starts so far: each has local sockets of its own. */
  #count = 0;
  #failures = 0;
  #isClosing = false;
  #unsent = 0;
  readonly #entry: URL;
  readonly #pingMs: number;
  readonly #againMs: number;

  /** @param how - the program of that process, and times: other ones for tests */
  constructor(
    options: ReadingOptions,
    control: ControlHere,
    how: { readonly entry?: URL; readonly pingMs?: number; readonly againMs?: number } = {},
  ) {
    this.#options = options;
    this.#control = control;
    this.#entry = how.entry ?? besideModule(import.meta.url, "reading-process");
    this.#pingMs = how.pingMs ?? PING_MS;
    this.#againMs = how.againMs ?? START_AGAIN_MS;
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

  /** The same for the pictures that this server shares among its clients, whom it has let in: without keys. */
  get picturesPath(): string {
    return join(this.#options.folder, `${this.#count}-pictures`);
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
    const child = startProcess(this.#entry);
    this.#process = child;
    this.#unsent = 0;
    const watch = this.#watch(child);
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
      return [watch.end() ?? how, lastWords.trim()].filter(Boolean).join("; it wrote: ");
    });
    const answered = new Promise<Extract<ReadingNote, { kind: "ready" | "failed" }>>((resolve) => {
      child.on("message", (note: ReadingNote) => {
        if (note.kind === "log") logger[note.level](note.fields, note.message);
        else if (note.kind !== "pong") resolve(note);
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

  /** Ends the process when it gives no sign of life any more; `end` tells whether it has. */
  #watch(child: ChildProcess): { end(): string | undefined } {
    let silent = 0;
    let ending: string | undefined;
    const timer = setInterval(() => {
      if (++silent <= SILENT_PINGS) {
        this.#order({ kind: "ping" });
        return;
      }
      ending = `it has given no sign of life for ${(SILENT_PINGS * this.#pingMs) / 1000} s`;
      child.kill("SIGKILL");
    }, this.#pingMs).unref();
    child.on("message", () => {
      silent = 0;
    });
    return {
      end: () => {
        clearInterval(timer);
        return ending;
      },
    };
  }

  /** Has it make ready what a page that is being loaded will ask first. */
  lookAhead(): void {
    this.#order({ kind: "look" });
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
      picturesPath: http === undefined ? undefined : this.picturesPath,
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
    const waitMs = Math.min(LONGEST_WAIT_MS, this.#againMs * 2 ** this.#failures++);
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
    const child = this.#process;
    if (child?.connected !== true || (order.kind === "observe" && this.#unsent >= MOST_UNSENT)) return;
    this.#unsent++;
    child.send(order, undefined, undefined, () => {
      if (this.#process === child) this.#unsent--;
    });
  }
}
