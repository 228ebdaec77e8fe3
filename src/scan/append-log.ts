import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { SaclaError, show } from "../core/errors.ts";

const datasync = promisify(fdatasync);
const NEWLINE = 0x0a;

/**
 * A file of JSON lines that only grows. A line is in it once `append` has returned, even when the process is killed
 * then; after `sync` even when the computer is. A last line cut short by a crash is dropped when the file is opened.
 */
export class AppendLog {
  readonly path: string;
  readonly #file: number;
  #isDirty = false;
  #isClosed = false;

  private constructor(path: string, file: number) {
    this.path = path;
    this.#file = file;
  }

  /**
   * A new file that begins with `first`: it is there with that line, or not at all, whenever the process is killed.
   * @throws FILE_EXISTS @throws WRITE_FAILED
   */
  static create(path: string, first: object): AppendLog {
    if (existsSync(path)) throw exists(path);
    const beside = asideOf(path);
    try {
      // It may be a second name of a file in use, left by a kill: never write into it.
      rmSync(beside, { force: true });
      writeFileSync(beside, lineOf(first), { flush: true });
      // Unlike a rename this never replaces a file.
      linkSync(beside, path);
      unlinkSync(beside);
      // The name of a new file lasts only when its folder is written, too.
      const folder = openSync(dirname(path), "r");
      fsyncSync(folder);
      closeSync(folder);
      return new AppendLog(path, openSync(path, "a"));
    } catch (cause) {
      rmSync(beside, { force: true });
      throw existsSync(path) ? exists(path) : failed(path, cause);
    }
  }

  /** @throws FILE_NOT_FOUND @throws FILE_DAMAGED when a line before the last is no JSON @throws WRITE_FAILED */
  static open(path: string): { readonly log: AppendLog; readonly lines: readonly unknown[] } {
    if (!existsSync(path)) throw new SaclaError("FILE_NOT_FOUND", `${show(path)} is not there.`, { details: { path } });
    const bytes = readFileSync(path);
    const whole = bytes.lastIndexOf(NEWLINE) + 1;
    const lines = bytes
      .subarray(0, whole)
      .toString("utf8")
      .split("\n")
      .slice(0, -1)
      .map((line, i) => parsed(path, line, i));
    try {
      const file = openSync(path, "a");
      rmSync(asideOf(path), { force: true });
      if (whole < bytes.length) ftruncateSync(file, whole);
      return { log: new AppendLog(path, file), lines };
    } catch (cause) {
      throw failed(path, cause);
    }
  }

  get isDirty(): boolean {
    return this.#isDirty;
  }

  append(line: object): void {
    const bytes = Buffer.from(lineOf(line));
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
    } catch (cause) {
      throw failed(this.path, cause);
    }
    this.#isDirty = true;
  }

  async sync(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    try {
      await datasync(this.#file);
    } catch (cause) {
      throw failed(this.path, cause);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }
}

/** Where a new file is written before it gets its name. */
function asideOf(path: string): string {
  return `${path}.new`;
}

function exists(path: string): SaclaError {
  return new SaclaError("FILE_EXISTS", `${show(path)} is there already; resume it, or choose another name.`, {
    details: { path },
  });
}

function lineOf(line: object): string {
  return `${JSON.stringify(line)}\n`;
}

function parsed(path: string, line: string, i: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new SaclaError("FILE_DAMAGED", `Line ${i + 1} of ${show(path)} is no JSON.`, {
      details: { path, line: i + 1 },
      cause,
    });
  }
}

function failed(path: string, cause: unknown): SaclaError {
  return new SaclaError(
    "WRITE_FAILED",
    `${show(path)} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`,
    {
      details: { path },
      cause,
    },
  );
}
