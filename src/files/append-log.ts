import {
  closeSync,
  existsSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { fileError, SaclaError, show } from "../core/errors.ts";
import { besideOf, createFile, syncFolder, writeFailed } from "./replace-file.ts";

const datasync = promisify(fdatasync);
const NEWLINE = 0x0a;

/** One line of a log. */
export interface LogLine {
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
  /** Undefined when the line is damaged: it is no JSON. */
  readonly value: unknown;
}

/**
 * A file of JSON lines that only grows. A line survives the death of the process once `append` has returned, and the
 * loss of power once `sync` has.
 */
export class AppendLog {
  readonly path: string;
  readonly #file: number;
  /** Whether it is this process's alone, so that it must not be deleted or moved meanwhile. */
  readonly #isOwn: boolean;
  /** Bytes that this process has read or written: more are another's. */
  #known: number;
  #isDirty = false;
  /** The last sync; null when it has ended. */
  #syncing: Promise<void> | null = null;
  #isClosed = false;

  private constructor(path: string, file: number, isOwn: boolean) {
    this.path = path;
    this.#file = file;
    this.#isOwn = isOwn;
    this.#known = this.size;
  }

  /** A new file that begins with `first`, synced. @throws FILE_EXISTS @throws WRITE_FAILED */
  static create(path: string, first: object): AppendLog {
    createFile(path, lineOf(first));
    return AppendLog.#at(path, undefined, true);
  }

  /**
   * The log of this process alone: a last line that a crash cut off is removed.
   * @throws FILE_NOT_FOUND @throws FILE_DAMAGED when another line is no JSON @throws WRITE_FAILED
   */
  static open(path: string): { readonly log: AppendLog; readonly lines: readonly unknown[] } {
    if (!existsSync(path)) throw new SaclaError("FILE_NOT_FOUND", `${show(path)} is not there.`, { details: { path } });
    const bytes = readFileSync(path);
    const whole = bytes.lastIndexOf(NEWLINE) + 1;
    const lines = bytes.subarray(0, whole).toString("utf8").split("\n").slice(0, -1).map(asLine);
    const damaged = lines.find(({ value }) => value === undefined);
    if (damaged !== undefined) {
      const { line } = damaged;
      throw new SaclaError("FILE_DAMAGED", `Line ${line} of ${show(path)} is no JSON.`, { details: { path, line } });
    }
    try {
      const file = openSync(path, "a");
      rmSync(besideOf(path), { force: true });
      if (whole < bytes.length) ftruncateSync(file, whole);
      const log = new AppendLog(path, file, true);
      log.#known = whole;
      return { log, lines: lines.map(({ value }) => value) };
    } catch (cause) {
      throw writeFailed(path, cause);
    }
  }

  /**
   * A log that other processes may append to as well; a file that is not there is made. Nothing is read or removed:
   * a last line that a crash cut off is ended, so that it does not swallow the next one.
   * @param mode - of a new file; without it, as the system makes files
   * @throws WRITE_FAILED
   */
  static join(path: string, mode?: number): AppendLog {
    return AppendLog.#at(path, mode, false);
  }

  static #at(path: string, mode: number | undefined, isOwn: boolean): AppendLog {
    try {
      const isNew = !existsSync(path);
      const file = openSync(path, "a+", mode);
      if (isNew) syncFolder(path);
      const log = new AppendLog(path, file, isOwn);
      const { size } = fstatSync(file);
      const last = Buffer.alloc(1);
      if (size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE) log.#write("\n");
      return log;
    } catch (cause) {
      throw writeFailed(path, cause);
    }
  }

  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** Bytes, those of other processes too. */
  get size(): number {
    return fstatSync(this.#file).size;
  }

  /**
   * Whether its path still leads to it: what is appended to a file that was deleted is lost without an error.
   * @throws WRITE_FAILED when not
   */
  checkThere(): void {
    const own = fstatSync(this.#file, { bigint: true });
    const there = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (there?.ino === own.ino && there.dev === own.dev) return;
    const what = existsSync(dirname(this.path)) ? "it was" : "its folder was";
    const why = `${what} deleted or moved while it was in use`;
    throw new SaclaError("WRITE_FAILED", `${show(this.path)} cannot be written: ${why}.`, {
      details: { path: this.path, reason: "ENOENT" },
    });
  }

  /** Sets the time of the file to now, as a sign of life. */
  touch(): void {
    try {
      const now = Date.now() / 1000;
      if (!this.#isClosed) futimesSync(this.#file, now, now);
    } catch {
      // Whoever looks for it sees that there is none.
    }
  }

  /**
   * @throws WRITE_FAILED; the log is then as it was before
   * @throws FILE_IN_USE when another process has appended to the log of this process alone: it goes on with it
   */
  append(line: object): void {
    if (this.#isOwn && !this.#isClosed) {
      this.checkThere();
      this.#checkAlone();
    }
    this.#write(lineOf(line));
  }

  #checkAlone(): void {
    if (this.size === this.#known) return;
    const { path } = this;
    throw new SaclaError("FILE_IN_USE", `Another process has taken over ${show(path)} and has written to it.`, {
      details: { path },
    });
  }

  /** Resolves when everything appended so far is on the disk. @throws WRITE_FAILED */
  async sync(): Promise<void> {
    if (this.#isDirty) {
      this.#isDirty = false;
      const syncing = this.#datasync();
      this.#syncing = syncing;
      const end = (): void => {
        if (this.#syncing === syncing) this.#syncing = null;
      };
      syncing.then(end, end);
    }
    await this.#syncing;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const close = (): void => closeSync(this.#file);
    if (this.#syncing === null) close();
    else this.#syncing.then(close, close);
  }

  #write(text: string): void {
    const bytes = Buffer.from(text);
    let done = 0;
    try {
      if (this.#isClosed) throw new Error("the log is closed");
      while (done < bytes.length) done += writeSync(this.#file, bytes, done);
    } catch (cause) {
      this.#takeBack(done);
      throw writeFailed(this.path, cause);
    }
    this.#known += done;
    this.#isDirty = true;
  }

  /** Half a line of a full disk must not swallow the next line. */
  #takeBack(bytes: number): void {
    if (bytes === 0) return;
    try {
      ftruncateSync(this.#file, fstatSync(this.#file).size - bytes);
    } catch {
      // The line is left cut off, as by a crash.
      this.#known += bytes;
    }
  }

  async #datasync(): Promise<void> {
    try {
      await datasync(this.#file);
    } catch (cause) {
      // A device without a disk behind it, such as /dev/null.
      if (cause instanceof Error && "code" in cause && cause.code === "EINVAL") return;
      this.#isDirty = true;
      throw writeFailed(this.path, cause);
    }
  }
}

/**
 * The lines of a log that {@link AppendLog.join} writes; none when there is no file. A line that a crash cut off is
 * left out: it was never confirmed. Damaged lines have no value: the caller reports them.
 * @param what - begins the message of the error
 * @throws FILE_NOT_FOUND when there is a file that cannot be read
 */
export function readLog(what: string, path: string): readonly LogLine[] {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw fileError("FILE_NOT_FOUND", what, path, cause);
  }
  return content
    .split("\n")
    .map(asLine)
    .filter(({ text, value }) => text !== "" && !(value === undefined && isCut(text)));
}

/** Whether a text that is no JSON is the beginning of a JSON object: within a string, or with an open brace. */
function isCut(text: string): boolean {
  const rest = text.replace(/"(?:[^"\\]|\\.)*"/g, "");
  return text.startsWith("{") && (rest.includes('"') || rest.split("{").length > rest.split("}").length);
}

function lineOf(line: object): string {
  return `${JSON.stringify(line)}\n`;
}

function asLine(text: string, i: number): LogLine {
  try {
    return { line: i + 1, text, value: JSON.parse(text) as unknown };
  } catch {
    return { line: i + 1, text, value: undefined };
  }
}
