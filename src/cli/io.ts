import { setMaxListeners } from "node:events";
import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { SaclaError, show } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { replaceFile, whyNotWritten } from "../files/index.ts";
import type { Endpoint } from "../transport/endpoint.ts";

/** Everything a command touches outside the facility, so that tests can stand in its place. */
export interface Io {
  /** Results. */
  out(text: string): void;
  /** Progress, hints, errors. */
  err(text: string): void;
  /**
   * To the same place as `err`: sequences by which a line is drawn anew. Of all else a terminal shows every character.
   * @default err
   */
  control?(sequence: string): void;
  /** Whether progress may be redrawn in place. */
  readonly isTerminal: boolean;
  /** How wide the terminal is now, in letters; not there when it does not say. */
  readonly columns?: number | undefined;
  /** How wide the terminal is that shows the results; undefined for a file or a pipe, which get all of them. */
  readonly outColumns?: number | undefined;
  /** Asks a question that is answered with y or n; not there when nobody sits at the terminal. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined;
  /** Has `handler` called at Ctrl+C instead of ending the process, until it is given undefined. */
  takeInterrupt?(handler: (() => void) | undefined): void;
  /** Lines that `sacla shell` takes instead of those of stdin. */
  readonly lines?: AsyncIterable<string> | undefined;
  /** The connection that `sacla shell` has, for commands with the same address. */
  readonly held?: { readonly url: string; readonly bl: number; readonly endpoint: Endpoint } | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Fires at Ctrl+C, and when the system asks the process to end. */
  readonly signal: AbortSignal;
  /** Writes a file beside its place and renames it when whole. @throws WRITE_FAILED */
  writeFile(path: string, content: string | Uint8Array): void;
}

/**
 * The Io of a real process. Ctrl+C once ends the work and cleans up, twice ends the process; a terminal that is closed
 * and a reader that has gone (`| head`) end it as the first Ctrl+C does.
 */
export function processIo(): Io {
  const controller = new AbortController();
  let taken: (() => void) | undefined;
  const interrupted = (): void => {
    if (taken === undefined) {
      process.off("SIGINT", interrupted);
      controller.abort();
    } else taken();
  };
  process.on("SIGINT", interrupted);
  process.once("SIGTERM", () => controller.abort());
  process.once("SIGHUP", () => controller.abort());
  // One command may wait for many answers at once; Node.js takes more than ten for a leak.
  setMaxListeners(0, controller.signal);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    controller.abort();
    if (error.code === "EPIPE") return;
    process.exitCode = 1;
    process.stderr.write(`error WRITE_FAILED: the output cannot be written: ${whyNotWritten(error)}.\n`);
  });
  // There is nobody left to tell.
  process.stderr.on("error", () => {});
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    get columns() {
      return process.stderr.columns;
    },
    get outColumns() {
      return process.stdout.isTTY === true ? process.stdout.columns : undefined;
    },
    confirm: process.stdin.isTTY === true ? (question) => confirm(question, controller.signal) : undefined,
    takeInterrupt: (handler) => {
      taken = handler;
    },
    env: process.env,
    signal: controller.signal,
    writeFile: replaceFile,
  };
}

/**
 * An Io whose terminal obeys nothing that stands in a text: names, reasons, comments and errors are also written by
 * others. JSON keeps its values: see {@link printable}.
 */
export function cleaned(io: Io): Io {
  const { confirm: ask } = io;
  return Object.create(io, {
    out: { value: (text: string) => io.out(printable(text)) },
    err: { value: (text: string) => io.err(printable(text)) },
    control: { value: (sequence: string) => (io.control ?? io.err)(sequence) },
    ...(ask === undefined ? {} : { confirm: { value: (question: string) => ask(printable(question)) } }),
  }) as Io;
}

/** Resolves at Ctrl+C, for commands that go on until then. */
export async function untilStopped({ signal }: Pick<Io, "signal">): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim());
  } catch (cause) {
    // The terminal gives Ctrl+C and Ctrl+D to the question, not to the process.
    process.stderr.write("\n");
    throw new SaclaError("ABORTED", "The question was not answered, so nothing was done.", { cause });
  } finally {
    lines.close();
  }
}

/**
 * A place that cannot be written to must be known before long work, not after it.
 * @param nothing - what was not done
 * @throws WRITE_FAILED
 */
export function checkFolder(path: string, nothing = ""): void {
  try {
    accessSync(dirname(resolve(path)), constants.W_OK);
  } catch (cause) {
    throw new SaclaError("WRITE_FAILED", `${show(path)} cannot be written: ${whyNotWritten(cause)}.${nothing}`, {
      details: { path },
      cause,
    });
  }
}
