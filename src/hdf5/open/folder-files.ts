import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { MaybePromise } from "../../core/async.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import type { DataSource } from "../../source/data-source.ts";
import { hasLostRuns } from "../read/archive.ts";
import type { ArchiveOptions } from "../read/dataconvert.ts";
import { StackSource } from "../read/stack-source.ts";
import { FolderIndex, type IndexedArchive, type IndexedFile, type IndexedPart } from "./folder-index.ts";
import { openArchive } from "./open-archive.ts";

/** Files held open at a time: the HDF5 library has room for 4 094, and each takes memory. */
const MOST_OPEN = 64;
/** More runs than any file has. */
const ALL = 1_000_000;

/** One run in a file, or a part of one. */
export interface RunPart {
  readonly bl: number;
  readonly run: number;
  readonly hightag: number;
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

  /** @param before - shots of the files before it that name no tags, where this file names none */
  constructor(path: string, pool: OpenFiles, { apiVersion, beamlines, parts }: IndexedArchive, before: number) {
    this.path = path;
    this.name = basename(path);
    this.#pool = pool;
    this.apiVersion = apiVersion;
    this.beamlines = beamlines;
    this.parts = parts.map(([bl, run, hightag, first, last]) => ({
      bl,
      run,
      hightag,
      tags: [first + before, last + before],
      file: this,
    }));
  }

  /** Asks the archive. @throws FILE_CHANGED when the file is another than when the folder was opened */
  async ask<T>(question: (source: DataSource) => MaybePromise<T>): Promise<T> {
    return await this.#pool.use(this.path, question);
  }
}

/**
 * The archives of a folder by their names, from the kept index where a file has the size and time it had.
 * @returns the files, and the names of those that cannot be read
 */
export async function filesOf(
  folder: string,
  names: readonly string[],
  pool: OpenFiles,
  options: ArchiveOptions,
): Promise<{ readonly files: readonly FolderFile[]; readonly leftOut: readonly string[] }> {
  const index = new FolderIndex(folder, options);
  const found: { readonly name: string; readonly stamp: Stamp; readonly archive: IndexedArchive }[] = [];
  const leftOut: string[] = [];
  const stamps = await stampsOf(folder, names);
  for (const [i, name] of names.entries()) {
    const stamp = stamps[i] ?? nowhere;
    const known = index.find(name, stamp);
    try {
      const { archive, isLasting } =
        known === undefined ? await lookInto(join(folder, name), pool) : { ...known, isLasting: false };
      if (isLasting && stamp.size > 0) index.add(name, { ...stamp, archive });
      if (archive === undefined) leftOut.push(name);
      else found.push({ name, stamp, archive });
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED", "FILE_NOT_FOUND")) throw error;
      leftOut.push(name);
    }
  }
  index.save();
  // The pieces of a master file are no shots of their own: they have no tags by which these would be the same.
  const pieces = new Set(found.flatMap(({ archive }) => archive.imageFiles));
  const files: FolderFile[] = [];
  let before = 0;
  for (const { name, stamp, archive } of found) {
    const isCounted = archive.counted > 0;
    if (isCounted && pieces.has(name)) {
      leftOut.push(name);
      continue;
    }
    const path = join(folder, name);
    pool.expect(path, stamp, isCounted ? before + 1 : 1);
    files.push(new FolderFile(path, pool, archive, isCounted ? before : 0));
    before += archive.counted;
  }
  return { files, leftOut };
}

type Stamp = Pick<IndexedFile, "size" | "mtimeMs">;
const nowhere: Stamp = { size: 0, mtimeMs: 0 };
/** As many at once as a file system far away answers side by side. */
const STATS_AT_ONCE = 64;

/** Size and time of each file; zeros for what is not there. */
async function stampsOf(folder: string, names: readonly string[]): Promise<Stamp[]> {
  const stamps: Stamp[] = [];
  for (let i = 0; i < names.length; i += STATS_AT_ONCE) {
    const some = names.slice(i, i + STATS_AT_ONCE).map(async (name) => await stampOf(join(folder, name)));
    stamps.push(...(await Promise.all(some)));
  }
  return stamps;
}

async function stampOf(path: string): Promise<Stamp> {
  const { size, mtimeMs } = (await stat(path).catch(() => undefined)) ?? nowhere;
  return { size, mtimeMs };
}

interface Found {
  /** Undefined when the file is no archive. */
  readonly archive?: IndexedArchive | undefined;
  /** Whether it is the same while the file is: what a link leads to may be there the next time. */
  readonly isLasting: boolean;
}

/** What other files have of this. */
const NO_STACK = { countedShots: 0, imageFiles: [] };

/** @throws FILE_DAMAGED, FILE_NOT_FOUND */
async function lookInto(path: string, pool: OpenFiles): Promise<Found> {
  try {
    return await pool.use(path, async (source) => {
      const parts: IndexedPart[] = [];
      for (const bl of source.beamlines()) {
        for (const run of await source.runs(bl, ALL)) {
          const tags = await source.tags(bl, run);
          const { hightagnumber } = await source.runInfo(bl, run);
          parts.push([bl, run, hightagnumber, tags[0] ?? 0, tags.at(-1) ?? 0]);
        }
      }
      const { countedShots: counted, imageFiles } = source instanceof StackSource ? source : NO_STACK;
      const archive = { apiVersion: source.apiVersion(), beamlines: source.beamlines(), parts, counted, imageFiles };
      return { archive, isLasting: !hasLostRuns(source) };
    });
  } catch (error) {
    if (isSaclaError(error, "NOT_HDF5", "NOT_DATACONVERT")) return { isLasting: true };
    throw error;
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
  /** Size and time of every file that was looked at. */
  readonly #seen = new Map<string, string>();
  /** From which number the shots of files without tags are counted. */
  readonly #firstShots = new Map<string, number>();
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

  /** Says which size and time a file has from now on, and from which number its shots are counted. */
  expect(path: string, { size, mtimeMs }: Stamp, firstShot: number): void {
    this.#seen.set(path, `${size} ${mtimeMs}`);
    if (firstShot === 1) return;
    this.#firstShots.set(path, firstShot);
    void this.#open.get(path)?.source.then((source) => countFrom(source, firstShot));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const files = [...this.#open.values()];
    this.#open.clear();
    for (const { source } of files) await closed(source);
  }

  async #openFile(path: string): Promise<DataSource> {
    const { size, mtimeMs } = await stampOf(path);
    const now = `${size} ${mtimeMs}`;
    const before = this.#seen.get(path) ?? now;
    if (before !== now) {
      throw new SaclaError("FILE_CHANGED", `${show(path)} was changed since its folder was opened; open it again.`, {
        details: { path },
      });
    }
    const source = await openArchive(path, this.#options);
    this.#seen.set(path, now);
    countFrom(source, this.#firstShots.get(path) ?? 1);
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

function countFrom(source: DataSource, firstShot: number): void {
  if (firstShot > 1 && source instanceof StackSource) source.countFrom(firstShot);
}
