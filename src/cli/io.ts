import { renameSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { SaclaError, show } from "../core/errors.ts";

/** Everything a command touches outside the facility, so that tests can stand in its place. */
export interface Io {
  /** Results. */
  out(text: string): void;
  /** Progress, hints, errors. */
  err(text: string): void;
  /** Whether progress may be redrawn in place. */
  readonly isTerminal: boolean;
  /** Asks a question that is answered with y or n; not there when nobody sits at the terminal. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Fires at Ctrl+C, and when the system asks the process to end. */
  readonly signal: AbortSignal;
  /** Writes a file beside its place and renames it when whole. @throws WRITE_FAILED */
  writeFile(path: string, content: string | Uint8Array): void;
}

/** The Io of a real process. Ctrl+C once ends the work and cleans up, twice ends the process. */
export function processIo(): Io {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  process.once("SIGTERM", () => controller.abort());
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    confirm: process.stdin.isTTY === true ? (question) => confirm(question, controller.signal) : undefined,
    env: process.env,
    signal: controller.signal,
    writeFile,
  };
}

/** Resolves at Ctrl+C, for commands that go on until then. */
export async function untilStopped({ signal }: Io): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    lines.close();
  }
}

function writeFile(path: string, content: string | Uint8Array): void {
  const beside = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(beside, content);
    renameSync(beside, path);
  } catch (cause) {
    rmSync(beside, { force: true });
    const reason = cause instanceof Error ? cause.message.replace(/, \w+ '.*$/, "") : String(cause);
    throw new SaclaError("WRITE_FAILED", `${show(path)} cannot be written: ${reason}.`, { details: { path }, cause });
  }
}
