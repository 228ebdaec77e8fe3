import { isSaclaError } from "../../core/errors.ts";
import type { H5 } from "./library.ts";

/** Where a path leads: to a file by its name, "." for the same. */
export interface Link {
  readonly file: string;
  readonly path: string;
}

/** The links of an HDF5 file that lead out of it, or to nothing. */
export class Links {
  readonly #call: <T>(path: string, work: (h5: H5, id: bigint) => T) => T;
  readonly #kind: (path: string) => string | undefined;
  /** Paths that are no link out of this file. */
  readonly #inside = new Set<string>();

  constructor(
    call: <T>(path: string, work: (h5: H5, id: bigint) => T) => T,
    kind: (path: string) => string | undefined,
  ) {
    this.#call = call;
    this.#kind = kind;
  }

  /** Where a path leads: to another file by its first external link, or to nothing by a soft link of this one. */
  out(path: string): Link | undefined {
    const names = path.split("/").slice(1);
    for (const [i, name] of names.entries()) {
      const link = `/${names.slice(0, i).concat(name).join("/")}`;
      if (this.#inside.has(link)) continue;
      const below = names.slice(i + 1).map((next) => `/${next}`);
      const found = this.#linkAt(link);
      // Images have a path of their own: remembered, they would take more than they save.
      if (found === null && below.length > 1) this.#inside.add(link);
      if (found === undefined) return undefined;
      if (found !== null) return { file: found.file, path: `${found.path}${below.join("")}` };
    }
    return undefined;
  }

  /** Null where there is no link, or one within this file; undefined where there is nothing. */
  #linkAt(path: string): Link | null | undefined {
    try {
      const found = this.#call(path, (h5, id) => h5.get_external_link(id, path));
      if (found.filename !== undefined) return { file: found.filename, path: found.obj_path };
      const target = this.#call(path, (h5, id) => h5.get_symbolic_link(id, path));
      return target === null || this.#exists(path) ? null : { file: ".", path: target };
    } catch (error) {
      // What is not there, and what cannot be read: who reads it is told.
      if (isSaclaError(error, "FILE_DAMAGED")) return undefined;
      throw error;
    }
  }

  #exists(path: string): boolean {
    try {
      // A soft link to nothing is something else.
      return this.#kind(path) === "group" || this.#kind(path) === "dataset";
    } catch (error) {
      if (isSaclaError(error, "FILE_DAMAGED")) return false;
      throw error;
    }
  }
}
