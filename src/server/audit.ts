import { SaclaError, toSaclaError } from "../core/errors.ts";
import { AppendLog } from "../files/index.ts";
import { toJsonForm } from "../transport/http/json-form.ts";
import type { AuditEntry, AuditLog } from "./service.ts";

/**
 * An audit in a file of JSON lines that is only ever added to. Made with mode 0600.
 * @throws WRITE_FAILED when it cannot be opened
 */
export async function openAudit(path: string): Promise<FileAudit> {
  return new FileAudit(AppendLog.join(path, 0o600));
}

/** See {@link openAudit}. */
export class FileAudit implements AuditLog {
  readonly #log: AppendLog;

  constructor(log: AppendLog) {
    this.#log = log;
  }

  /** On the disk when it resolves. @throws WRITE_FAILED */
  async write(entry: AuditEntry): Promise<void> {
    try {
      this.#log.append(toJsonForm(entry) as object);
      await this.#log.sync();
    } catch (error) {
      const { code, message, details } = toSaclaError(error);
      throw new SaclaError(code, `The audit ${message}`, { details, cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#log.sync().catch(() => {});
    this.#log.close();
  }
}
