import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "../../core/errors.ts";
import { decodeMessage, encodeMessage } from "../codec.ts";
import { packParts, unpackParts } from "../packed.ts";

/** SHA-256. */
const CHECKSUM_BYTES = 32;
/** Part of the limit that may be written before the folder is looked through again. */
const SLACK = 1 / 16;

/**
 * Answers in a folder, one file each, bounded in size; several processes may use it at once. Files are written beside
 * their place and renamed when whole, but not synced: an answer may be lost at any time. A file that is damaged, cut
 * off or from another version is as if it were not there.
 */
export class CacheFolder {
  readonly #folder: string;
  readonly #maxBytes: number;
  /** Written since the folder was last looked through; it is, before anything is written. */
  #added = Infinity;

  private constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** @throws WRITE_FAILED when the folder is not there and cannot be made */
  static async open(folder: string, maxBytes: number): Promise<CacheFolder> {
    try {
      await mkdir(folder, { recursive: true });
    } catch (cause) {
      throw fileError("WRITE_FAILED", "Cannot make the folder of the cache", folder, cause);
    }
    return new CacheFolder(folder, maxBytes);
  }

  /** What is kept under `key`; undefined when nothing is. */
  async read(key: string): Promise<unknown> {
    const path = join(this.#folder, key);
    try {
      const bytes = await readFile(path);
      const body = bytes.subarray(CHECKSUM_BYTES);
      if (!checksum(body).equals(bytes.subarray(0, CHECKSUM_BYTES))) return undefined;
      const message = decodeMessage(unpackParts(body), { copy: true });
      if (message.kind !== "result") return undefined;
      // The time of the last use says what goes first when room is needed.
      const now = new Date();
      await utimes(path, now, now);
      return message.value;
    } catch {
      return undefined;
    }
  }

  /**
   * Keeps `value` under `key`, if there is room for it and the disk takes it: a cache that cannot write is only slower.
   */
  async write(key: string, value: unknown): Promise<void> {
    const body = packParts(encodeMessage({ kind: "result", id: 0, value }));
    const size = CHECKSUM_BYTES + body.byteLength;
    const slack = this.#maxBytes * SLACK;
    if (size > slack) return;
    const path = join(this.#folder, key);
    const beside = `${path}.${randomUUID()}.part`;
    try {
      if (this.#added + size > slack) await this.#makeRoom(this.#maxBytes - slack);
      this.#added += size;
      await writeFile(beside, Buffer.concat([checksum(body), body]));
      await rename(beside, path);
    } catch {
      await rm(beside, { force: true }).catch(() => {});
    }
  }

  /** Removes what was used longest ago until the folder has at most `limit` bytes. */
  async #makeRoom(limit: number): Promise<void> {
    this.#added = 0;
    const files: { path: string; size: number; used: number }[] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      // Another process may have removed it meanwhile.
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() === true) files.push({ path, size: found.size, used: found.mtimeMs });
    }
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files.sort((a, b) => a.used - b.used)) {
      if (total <= limit) break;
      await rm(path, { force: true });
      total -= size;
    }
  }
}

function checksum(body: Uint8Array): Buffer {
  return createHash("sha256").update(body).digest();
}
