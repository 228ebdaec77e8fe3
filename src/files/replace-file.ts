import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open, realpath, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { isSaclaError, SaclaError, show } from "../core/errors.ts";

/**
 * Writes a file so that a reader sees the old content or the new one, also after a crash. A link stays a link; what is
 * no file (`/dev/stdout`) is written to directly.
 * @param mode - of the new file; without it, as the system makes files
 * @throws WRITE_FAILED when it cannot be written; the old file is unchanged then
 */
export function replaceFile(path: string, content: string | Uint8Array, mode?: number): void {
  let beside: string | undefined;
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there !== undefined && !there.isFile() && !there.isDirectory()) {
      writeFileSync(path, content);
      return;
    }
    const target = there === undefined ? path : realpathSync(path);
    beside = `${target}.${process.pid}.tmp`;
    writeSynced(beside, content, "w", mode);
    renameSync(beside, target);
    syncFolder(target);
  } catch (cause) {
    if (beside !== undefined) rmSync(beside, { force: true });
    throw writeFailed(path, cause);
  }
}

/**
 * Writes a new file and never replaces one: the file is there with all of `content`, or not at all.
 * @throws FILE_EXISTS when there is a file of that name @throws WRITE_FAILED
 */
export function createFile(path: string, content: string, mode?: number): void {
  if (existsSync(path)) throw fileExists(path);
  const beside = besideOf(path);
  try {
    // It may be a second name of a file in use, left by a kill: never write into it.
    rmSync(beside, { force: true });
    writeSynced(beside, content, "wx", mode);
    // Unlike a rename this never replaces a file.
    linkSync(beside, path);
    rmSync(beside);
    syncFolder(path);
  } catch (cause) {
    rmSync(beside, { force: true });
    throw existsSync(path) ? fileExists(path) : writeFailed(path, cause);
  }
}

/** Where {@link createFile} writes a new file before the file gets its name. */
export function besideOf(path: string): string {
  return `${path}.new`;
}

/**
 * As {@link replaceFile}, for a file that `write` makes beside it, step by step.
 * @throws WRITE_FAILED, or what `write` throws with a code of ours; the old file is unchanged then
 */
export async function replaceBy(path: string, write: (beside: string) => Promise<void>): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const beside = `${target}.${process.pid}.tmp`;
  try {
    await write(beside);
    await renameWhole(beside, target);
  } catch (cause) {
    await rm(beside, { force: true });
    throw writeFailed(path, cause);
  }
}

/** Syncs a complete file, gives it its final name and syncs the folder. @throws WRITE_FAILED */
export async function renameWhole(from: string, to: string): Promise<void> {
  try {
    const file = await open(from, "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(from, to);
    syncFolder(to);
  } catch (cause) {
    throw writeFailed(to, cause);
  }
}

/** Makes the name of a file last: a name is part of its folder. */
export function syncFolder(path: string): void {
  let folder: number | undefined;
  try {
    folder = openSync(dirname(path), "r");
    fsyncSync(folder);
  } catch {
    // Not every system lets a folder be synced; the content of the file is safe.
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

/** Makes a folder, and those above it, where they are not there yet. @throws WRITE_FAILED */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw writeFailed(path, cause);
  }
}

/** WRITE_FAILED with the reason the system gave; an error that has a code of ours already stays as it is. */
export function writeFailed(path: string, cause: unknown): SaclaError {
  if (isSaclaError(cause)) return cause;
  return new SaclaError("WRITE_FAILED", `${show(path)} cannot be written: ${whyNotWritten(cause)}.`, {
    details: { path, ...(hasCode(cause) ? { reason: cause.code } : {}) },
    cause,
  });
}

/** Why the system did not write a file, in words, without the path. */
export function whyNotWritten(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return (hasCode(cause) ? reasons[cause.code] : undefined) ?? cause.message.replace(/, \w+( '.*)?$/, "");
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of the disk is used up",
  EFBIG: "the file is larger than allowed here",
  EACCES: "no permission to write it",
  EPERM: "no permission to write it",
  EROFS: "the disk is read-only",
  ENOENT: "its folder is not there",
  ENOTDIR: "its folder is a file",
  EISDIR: "it is a folder; name a file",
};

function hasCode(cause: unknown): cause is Error & { code: string } {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string";
}

function writeSynced(path: string, content: string | Uint8Array, flag: string, mode: number | undefined): void {
  const file = openSync(path, flag, mode);
  try {
    // The umask may have taken rights away from the owner.
    if (mode !== undefined) fchmodSync(file, mode);
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function fileExists(path: string): SaclaError {
  return new SaclaError("FILE_EXISTS", `${show(path)} is there already; resume it, or choose another name.`, {
    details: { path },
  });
}
