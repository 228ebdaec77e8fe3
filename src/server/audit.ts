import { type FileHandle, open } from "node:fs/promises";
import { show, toSaclaError } from "../core/errors.ts";
import { toJsonForm } from "../transport/http/json-form.ts";
import type { AuditEntry, AuditLog } from "./service.ts";

/**
 * An audit in a file of JSON lines that is only ever added to. Made with mode 0600.
 * @throws WRITE_FAILED when it cannot be opened
 */
export async function openAudit(path: string): Promise<FileAudit> {
  try {
    return new FileAudit(path, await open(path, "a", 0o600));
  } catch (error) {
    throw toSaclaError(error, "WRITE_FAILED", `The audit ${show(path)} cannot be opened`);
  }
}

/** See {@link openAudit}. */
export class FileAudit implements AuditLog {
  readonly #path: string;
  readonly #file: FileHandle;
  /** Entries are written one after another, so that lines never mix. */
  #last: Promise<void> = Promise.resolve();
  /** Begins with a line break what may follow half a line: of a crash before, or of a full disk. */
  #isTorn = true;
  #closing: Promise<void> | undefined;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** On the disk when it resolves. @throws WRITE_FAILED */
  write(entry: AuditEntry): Promise<void> {
    const written = this.#last.then(() => this.#append(entry));
    this.#last = written.catch(() => {});
    return written;
  }

  close(): Promise<void> {
    this.#closing ??= this.#last.then(() => this.#file.close());
    return this.#closing;
  }

  async #append(entry: AuditEntry): Promise<void> {
    try {
      const { size } = await this.#file.stat();
      const start = this.#isTorn && size > 0 ? "\n" : "";
      this.#isTorn = true;
      await this.#file.appendFile(`${start}${JSON.stringify(toJsonForm(entry))}\n`);
      await this.#file.sync();
      this.#isTorn = false;
    } catch (error) {
      throw toSaclaError(error, "WRITE_FAILED", `The audit ${show(this.#path)} cannot be written`);
    }
  }
}
