import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { MaybePromise } from "../../core/async.ts";
import { SaclaError, show } from "../../core/errors.ts";
import type { DataSource } from "../../source/data-source.ts";
import type { ArchiveOptions } from "./dataconvert.ts";
import { openArchive } from "./open-archive.ts";

/** Files held open at a time: the HDF5 library has room for 4 094, and each takes memory. */
const MOST_OPEN = 64;
/** More runs than any file has. */
const ALL = 1_000_000;

/** One run in a file, or a part of one. */
export interface RunPart {
  readonly bl: number;
  readonly run: number;
  /** First and last tag. */
  readonly tags: readonly [first: number, last: number];
  readonly file: FolderFile;
}

/** One archive of a folder: opened when something is asked of it, closed when many others were. */
export class FolderFile {
  readonly name: string;
  readonly path: string;
  readonly apiVersion: string;
  readonly beamlines: readonly number[];
  readonly parts: readonly RunPart[];
  readonly #pool: OpenFiles;

  private constructor(path: string, pool: OpenFiles, source: DataSource, parts: readonly Omit<RunPart, "file">[]) {
    this.path = path;
    this.name = basename(path);
    this.#pool = pool;
    this.apiVersion = source.apiVersion();
    this.beamlines = source.beamlines();
    this.parts = parts.map((part) => ({ ...part, file: this }));
  }

  /** @throws what `openArchive` throws */
  static async index(path: string, pool: OpenFiles): Promise<FolderFile> {
    return await pool.use(path, async (source) => {
      const parts: Omit<RunPart, "file">[] = [];
      for (const bl of source.beamlines()) {
        for (const run of await source.runs(bl, ALL)) {
          const tags = await source.tags(bl, run);
          parts.push({ bl, run, tags: [tags[0] ?? 0, tags.at(-1) ?? 0] });
        }
      }
      return new FolderFile(path, pool, source, parts);
    });
  }

  /** Asks the archive. @throws FILE_CHANGED when the file is another than when the folder was opened */
  async ask<T>(question: (source: DataSource) => MaybePromise<T>): Promise<T> {
    return await this.#pool.use(this.path, question);
  }
}

interface OpenFile {
  readonly source: Promise<DataSource>;
  users: number;
}

/** Archives that are open now, the one that was used last at the end. */
export class OpenFiles {
  readonly #options: ArchiveOptions;
  readonly #open = new Map<string, OpenFile>();
  /** Size and time of every file that was opened once. */
  readonly #seen = new Map<string, string>();
  #isClosed = false;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  async use<T>(path: string, work: (source: DataSource) => MaybePromise<T>): Promise<T> {
    if (this.#isClosed)
      throw new SaclaError("CLOSED", `The folder of ${show(path)} was closed; open it again.`, { details: { path } });
    const file = this.#open.get(path) ?? { source: this.#openFile(path), users: 0 };
    this.#open.delete(path);
    this.#open.set(path, file);
    file.users++;
    try {
      return await work(await file.source);
    } finally {
      file.users--;
      await this.#trim();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const files = [...this.#open.values()];
    this.#open.clear();
    for (const { source } of files) await closed(source);
  }

  async #openFile(path: string): Promise<DataSource> {
    const { size, mtimeMs } = (await stat(path).catch(() => undefined)) ?? { size: 0, mtimeMs: 0 };
    const now = `${size} ${mtimeMs}`;
    const before = this.#seen.get(path) ?? now;
    if (before !== now) {
      throw new SaclaError("FILE_CHANGED", `${show(path)} was changed since its folder was opened; open it again.`, {
        details: { path },
      });
    }
    const source = await openArchive(path, this.#options);
    this.#seen.set(path, now);
    return source;
  }

  async #trim(): Promise<void> {
    for (const [path, { source, users }] of this.#open) {
      if (this.#open.size <= MOST_OPEN) return;
      if (users > 0) continue;
      this.#open.delete(path);
      await closed(source);
    }
  }
}

/** Closes what was opened; what did not open is nothing to close. */
async function closed(source: Promise<DataSource>): Promise<void> {
  const opened = await source.catch(() => undefined);
  await opened?.close();
}
