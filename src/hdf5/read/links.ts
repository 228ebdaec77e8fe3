import { isSaclaError } from "../../core/errors.ts";
import type { H5 } from "./library.ts";

/** Where a path leads: to a file by its name, "." for the same. */
export interface Link {
  readonly file: string;
  readonly path: string;
}

/** What is asked of an `H5File` here. */
interface LinkedFile {
  ask<T>(path: string, work: (h5: H5, file: bigint) => T): T;
  kind(path: string): string | undefined;
}

/** What a link says: an object of a file by its name, null for the same file; null for what is no link. */
export function linkAt(
  file: LinkedFile,
  path: string,
): { readonly file: string | null; readonly target: string } | null {
  const found = file.ask(path, (h5, id) => h5.get_external_link(id, path));
  if (found.filename !== undefined) return { file: found.filename, target: found.obj_path };
  const target = file.ask(path, (h5, id) => h5.get_symbolic_link(id, path));
  return target === null ? null : { file: null, target };
}

/** What HDF5 says of a soft link to what is not there, or to itself. */
const LEADS_NOWHERE = /: (component not found|too many links)$/m;

/** Paths of a file that are remembered: more than a run has signals, fewer than it has images. */
export const MOST_PATHS = 1024;

/** What an HDF5 file has at a path, and its links that lead out of it, or to nothing. */
export class Links {
  readonly #file: LinkedFile;
  /** Paths that are no link out of this file. */
  readonly #inside = new Set<string>();

  constructor(file: LinkedFile) {
    this.#file = file;
  }

  /** HDF5's type of an object; −1 where nothing is: behind a soft link that leads nowhere, and below a dataset, too. */
  typeAt(path: string): number {
    try {
      // Wrapped, because −1 means absent here, and failed everywhere else.
      return this.#file.ask(path, (h5, id) => ({ type: h5.get_type(id, path) })).type;
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED")) throw error;
      const above = path.slice(0, path.lastIndexOf("/"));
      const isBelowNone = above !== "" && this.#file.kind(above) !== "group";
      if (isBelowNone || LEADS_NOWHERE.test(String(error.cause))) return -1;
      throw error;
    }
  }

  /** Where a path leads: to another file by its first external link, or to nothing by a soft link of this one. */
  out(path: string): Link | undefined {
    const names = path.split("/").slice(1);
    for (const [i, name] of names.entries()) {
      const link = `/${names.slice(0, i).concat(name).join("/")}`;
      if (this.#inside.has(link)) continue;
      const below = names.slice(i + 1).map((next) => `/${next}`);
      const found = this.#linkAt(link);
      if (found === null) {
        if (this.#inside.size >= MOST_PATHS) this.#inside.clear();
        this.#inside.add(link);
      }
      if (found === undefined) return undefined;
      if (found !== null) return { file: found.file, path: `${found.path}${below.join("")}` };
    }
    return undefined;
  }

  /** Null where there is no link, or one within this file; undefined where there is nothing. */
  #linkAt(path: string): Link | null | undefined {
    try {
      const link = linkAt(this.#file, path);
      if (link === null || (link.file === null && this.#exists(path))) return null;
      return { file: link.file ?? ".", path: link.target };
    } catch (error) {
      // What is not there, and what cannot be read: who reads it is told.
      if (isSaclaError(error, "FILE_DAMAGED")) return undefined;
      throw error;
    }
  }

  #exists(path: string): boolean {
    try {
      // A soft link to nothing is something else.
      return this.#file.kind(path) === "group" || this.#file.kind(path) === "dataset";
    } catch (error) {
      if (isSaclaError(error, "FILE_DAMAGED")) return false;
      throw error;
    }
  }
}
