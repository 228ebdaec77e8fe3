import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UnsupportedStructure } from "./bytes.ts";
import type { ExternalPart } from "./dataset.ts";

/**
 * Where a file named in an HDF5 file is: beside it, beside the file that a link of the file system leads to, as its
 * writer had it, else from the working folder; undefined when it is not there.
 */
export function foundBeside(hdf5Path: string, name: string): string | undefined {
  const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  const beside = resolve(dirname(hdf5Path), name);
  if (isThere(beside)) return beside;
  return [resolve(dirname(linkTarget(hdf5Path)), name), resolve(name)].find(isThere);
}

/** What a link of the file system leads to; the path itself when the file was moved away since it was opened. */
function linkTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** The first file that is not there or too short for its part; undefined when all of the bytes are there. */
export function firstAbsent(
  hdf5Path: string,
  parts: readonly ExternalPart[],
  bytes: number,
): { readonly name: string; readonly isThere: boolean } | undefined {
  let left = bytes;
  for (const { name, at, bytes: length } of parts) {
    if (left <= 0) break;
    const path = foundBeside(hdf5Path, name);
    if (path === undefined) return { name, isThere: false };
    const wanted = Math.min(left, length);
    if (statSync(path).size < at + wanted) return { name, isThere: true };
    left -= wanted;
  }
  return undefined;
}

/** Fills `out` from the files that the pixels stand in. @throws UnsupportedStructure when one ends too early */
export function readExternal(hdf5Path: string, parts: readonly ExternalPart[], out: Uint8Array): void {
  let done = 0;
  for (const { name, at, bytes } of parts) {
    if (done === out.length) break;
    const path = foundBeside(hdf5Path, name);
    if (path === undefined) throw new UnsupportedStructure(`no ${name}`);
    const file = openSync(path, "r");
    try {
      const end = Math.min(out.length, done + bytes);
      for (const start = done; done < end; ) {
        const read = readSync(file, out, done, end - done, at + done - start);
        if (read === 0) throw new UnsupportedStructure(`${name} ends too early`);
        done += read;
      }
    } finally {
      closeSync(file);
    }
  }
  if (done < out.length) throw new UnsupportedStructure("fewer bytes than pixels");
}
