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

/** Bytes of a dataset that are not there, as the file that is not there or too short for them. */
interface AbsentBytes {
  readonly name: string;
  /** Whether the file is there, and ends too early. */
  readonly isThere: boolean;
  /** The first of the bytes, and the one behind the last, counted in the dataset. */
  readonly from: number;
  readonly to: number;
}

/** What is not there of a dataset of so many bytes that stands in files of its own, in the order of its bytes. */
export function absentBytes(hdf5Path: string, parts: readonly ExternalPart[], bytes: number): AbsentBytes[] {
  const absent: AbsentBytes[] = [];
  let from = 0;
  for (const { name, at, bytes: length } of parts) {
    if (from >= bytes) break;
    const path = foundBeside(hdf5Path, name);
    const to = Math.min(bytes, from + length);
    const stored = path === undefined ? 0 : Math.max(0, statSync(path).size - at);
    if (from + stored < to) absent.push({ name, isThere: path !== undefined, from: from + stored, to });
    from = to;
  }
  return absent;
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
