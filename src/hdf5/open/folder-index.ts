import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { packageManifest, replaceFile } from "../../files/index.ts";

/** What is kept of a file: the same size and time of change, and nothing needs to be asked of the file. */
export interface IndexedFile {
  readonly size: number;
  /** Unix time in ms. */
  readonly mtimeMs: number;
  /** Undefined for a file that is no archive. */
  readonly archive?: IndexedArchive | undefined;
}

export interface IndexedArchive {
  readonly apiVersion: string;
  readonly beamlines: readonly number[];
  readonly parts: readonly IndexedPart[];
  /** Of a file that names no tags: how many shots it has, which are counted from 1 in its parts. */
  readonly counted: number;
  /** Names of other files that have its images. */
  readonly imageFiles: readonly string[];
}

/** One run in a file, or a part of one. */
export type IndexedPart = readonly [bl: number, run: number, hightag: number, firstTag: number, lastTag: number];

/** Of the index: one of another form is not read. */
const FORMAT = 2;
/** Fewer files are opened as fast as an index is read, and leave nothing in the cache folder. */
const FEWEST_FILES = 32;
/** The time of a change may have steps as coarse: a file that was changed just now may change again unseen. */
const SETTLED_MS = 2000;
/** So often an unfinished index is kept, for the next time when the user does not wait. */
const SAVE_EVERY_MS = 5000;

/**
 * What the files of a folder hold, kept between commands in the user's cache folder (`$XDG_CACHE_HOME/sacla/folders`,
 * else `~/.cache/sacla/folders`), one file for each folder. It may be deleted at any time. Where it cannot be read or
 * written, the files are opened as without it.
 */
export class FolderIndex {
  readonly #path: string;
  readonly #version: string;
  /** As it was read: each entry is checked when it is asked for. */
  readonly #known: Readonly<Record<string, unknown>>;
  readonly #now = new Map<string, IndexedFile>();
  #isChanged = false;
  #savedAt = Date.now();

  /**
   * @param options - what else decides the answers
   */
  constructor(folder: string, options: object) {
    this.#version = `${packageManifest().version} ${FORMAT}`;
    const key = JSON.stringify([realpathSync(folder), options]);
    this.#path = join(cacheFolder(), "folders", `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`);
    this.#known = readIndex(this.#path, this.#version);
  }

  /** What is known of a file of this size and time. */
  find(name: string, { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number }): IndexedFile | undefined {
    const known = Object.hasOwn(this.#known, name) ? this.#known[name] : undefined;
    if (!isIndexed(known) || known.size !== size || known.mtimeMs !== mtimeMs) return undefined;
    this.#now.set(name, known);
    return known;
  }

  /** Takes what was found in a file. */
  add(name: string, file: IndexedFile): void {
    if (Date.now() - file.mtimeMs < SETTLED_MS) return;
    this.#now.set(name, file);
    this.#isChanged = true;
    if (Date.now() - this.#savedAt > SAVE_EVERY_MS) this.save();
  }

  /** Keeps it for the next time, when anything is new. */
  save(): void {
    this.#savedAt = Date.now();
    if (!this.#isChanged || this.#now.size < FEWEST_FILES) return;
    const files = Object.fromEntries(this.#now);
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      replaceFile(this.#path, JSON.stringify({ sacla: this.#version, files }));
      this.#isChanged = false;
    } catch {
      // It only saves time.
    }
  }
}

function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const base = XDG_CACHE_HOME || (process.platform === "win32" ? LOCALAPPDATA : undefined) || join(homedir(), ".cache");
  return join(base, "sacla");
}

/** Another version may find other things in the same files. */
function readIndex(path: string, version: string): Readonly<Record<string, unknown>> {
  try {
    const { sacla, files } = Object(JSON.parse(readFileSync(path, "utf8"))) as { sacla?: unknown; files?: unknown };
    return sacla === version ? (Object(files) as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isIndexed(value: unknown): value is IndexedFile {
  const { size, mtimeMs, archive } = Object(value) as Partial<Record<keyof IndexedFile, unknown>>;
  if (typeof size !== "number" || typeof mtimeMs !== "number") return false;
  if (archive === undefined) return true;
  const { apiVersion, beamlines, parts, counted, imageFiles } = Object(archive) as Partial<
    Record<keyof IndexedArchive, unknown>
  >;
  if (typeof apiVersion !== "string" || typeof counted !== "number") return false;
  if (!Array.isArray(beamlines) || !Array.isArray(parts) || !Array.isArray(imageFiles)) return false;
  return parts.every((part) => Array.isArray(part) && part.length === 5 && part.every(Number.isFinite));
}
