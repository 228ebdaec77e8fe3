import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { SaclaError, show } from "../../core/errors.ts";
import { foundBeside } from "../direct/external.ts";
import { EXTERNAL_FILES, eachMessage } from "../direct/object-header.ts";
import { H5File } from "./h5file.ts";
import { type H5Metadata, numbersAt, numberType, STRING, typeAndShape } from "./h5types.ts";
import { linkAt } from "./links.ts";

/** A file that can be looked into. */
interface BrowsedFile {
  readonly name: string;
  readonly bytes: number;
  /** Unix seconds. */
  readonly modified: number;
}

/** A member of a group. */
interface Member {
  readonly name: string;
  readonly kind: "group" | "dataset" | "link" | "other";
  /** Type and shape of a dataset, target of a link. */
  readonly what: string;
}

/** What stands at a path of a file. */
interface Looked {
  readonly kind: "group" | "dataset";
  /** Without links: what was found has this path. */
  readonly path: string;
  /** Type and shape in words. */
  readonly what: string;
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
  readonly members: readonly Member[];
  /** How many there are besides. */
  readonly more: number;
  /** Lengths of the axes; null for a group, and what has no value. */
  readonly shape: readonly number[] | null;
  readonly holds: "numbers" | "texts" | "other";
}

/** A part of a dataset: on each axis where it begins, how many, and in what steps. */
interface Slab {
  readonly offset: readonly number[];
  readonly count: readonly number[];
  readonly step: readonly number[];
}

/** Most files of a folder that are listed: the last by name. */
const MOST_FILES = 2000;
/** Most members of a group, and attributes of an object, that are listed. */
const MOST_MEMBERS = 500;
/** Most values and letters of an attribute that are shown. */
const [MOST_VALUES, MOST_LETTERS] = [64, 2000];
/** A larger attribute is not read. */
const MOST_ATTRIBUTE_BYTES = 2 ** 20;
/** Most numbers that are given at once, and most that lie in their range: HDF5 reads all chunks of that range. */
const MOST_NUMBERS = 2 ** 23;
const MOST_SPREAD = 2 ** 28;
const MOST_TEXTS = 1000;
const MOST_LINKS = 16;
/** Most sources of a virtual dataset that are checked; a dataset with more is not read. */
const MOST_SOURCES = 256;
export const ENDINGS: RegExp = /\.(h5|hdf5|hdf|cxi|nxs)$/i;

/**
 * Looks into the HDF5 files of one folder, or into one file. Nothing outside the folder is read: not through links of
 * the file system, external links, virtual datasets, or pixels in files of their own.
 */
export class H5Browser {
  readonly #folder: string;
  readonly #only: string | undefined;

  private constructor(folder: string, only: string | undefined) {
    this.#folder = folder;
    this.#only = only;
  }

  /** @param path - of a folder or a file @throws FILE_NOT_FOUND */
  static async open(path: string): Promise<H5Browser> {
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined) throw new SaclaError("FILE_NOT_FOUND", `${show(path)} is not there.`);
    const isFolder = (await stat(real)).isDirectory();
    return new H5Browser(isFolder ? real : dirname(real), isFolder ? undefined : basename(real));
  }

  async files(): Promise<readonly BrowsedFile[]> {
    const names = this.#only === undefined ? (await readdir(this.#folder)).sort().slice(-MOST_FILES) : [this.#only];
    const found: BrowsedFile[] = [];
    for (const name of names) {
      if (!(await this.#has(name))) continue;
      const { size, mtimeMs } = await stat(join(this.#folder, name));
      found.push({ name, bytes: size, modified: mtimeMs / 1000 });
    }
    return found;
  }

  /** A group or dataset, with its attributes and members. @throws FILE_NOT_FOUND, FILE_DAMAGED, NOT_ALLOWED */
  async look(name: string, path: string): Promise<Looked> {
    return await this.#with(name, (file): Looked => {
      const at = resolved(file, path);
      const found = { path: at, attributes: attributesOf(file, at) };
      if (file.kind(at) === "dataset") {
        const meta = metadataOf(file, at);
        const { shape } = meta;
        return {
          ...found,
          kind: "dataset",
          what: typeAndShape(meta),
          members: [],
          more: 0,
          shape,
          holds: holdsOf(meta),
        };
      }
      const names = file.keys(at);
      const members = names.slice(0, MOST_MEMBERS).map((member) => memberOf(file, at, member));
      const more = names.length - members.length;
      return { ...found, kind: "group", what: "", members, more, shape: null, holds: "other" };
    });
  }

  /**
   * Numbers of a dataset, row-major; whole numbers above 2^53 are rounded.
   * @throws TOO_LARGE, BAD_ARGUMENT for what is not there, NOT_ALLOWED for what lies outside the folder
   */
  async numbers(name: string, path: string, { offset, count, step }: Slab): Promise<Float64Array> {
    return await this.#with(name, async (file) => {
      const at = resolved(file, path);
      const meta = metadataOf(file, at);
      const type = numberType(meta);
      if (type === undefined) throw new SaclaError("UNSUPPORTED", `${at} is ${typeAndShape(meta)}; numbers are shown.`);
      const shape = meta.shape ?? [];
      const fits = shape.every((length, k) => {
        const [from, n, by] = [offset[k] ?? -1, count[k] ?? 0, step[k] ?? 1];
        return from >= 0 && n > 0 && by > 0 && from + (n - 1) * by < length;
      });
      if (!fits || [offset, count, step].some((list) => list.length !== shape.length))
        throw new SaclaError("BAD_ARGUMENT", `${at} is ${typeAndShape(meta)}; there is nothing at ${show(offset)}.`);
      const length = count.reduce((product, n) => product * n, 1);
      const spread = count.reduce((product, n, k) => product * ((n - 1) * (step[k] ?? 1) + 1), 1);
      if (length > MOST_NUMBERS || spread > MOST_SPREAD)
        throw new SaclaError("TOO_LARGE", `${spread} numbers would be read at once; look at it as a table.`);
      await this.#checkInside(file, at, 0);
      return file.ask(at, (h5, id) => {
        const memory = h5._malloc(Math.max(8, length * meta.size));
        try {
          const sizes = (list: readonly number[]) => (list.length === 0 ? null : list.map(BigInt));
          h5.get_dataset_data(id, at, sizes(count), sizes(offset), sizes(step), BigInt(memory));
          return Float64Array.from(numbersAt(type, h5.HEAPU8.buffer as ArrayBuffer, memory, length), Number);
        } finally {
          h5._free(memory);
        }
      });
    });
  }

  /** The first texts of a list. @throws UNSUPPORTED when it is none */
  async texts(name: string, path: string): Promise<readonly string[]> {
    return await this.#with(name, async (file) => {
      const at = resolved(file, path);
      await this.#checkInside(file, at, 0);
      const meta = metadataOf(file, at);
      if (meta.type !== STRING || meta.total_size * meta.size > MOST_NUMBERS)
        throw new SaclaError("UNSUPPORTED", `${at} is ${typeAndShape(meta)}; it is no short list of texts.`);
      const texts = meta.shape?.length === 0 ? [file.text(at) ?? ""] : (file.texts(at) ?? []);
      return texts.slice(0, MOST_TEXTS);
    });
  }

  async #with<T>(name: string, work: (file: H5File) => T | Promise<T>): Promise<T> {
    if (!(await this.#has(name)))
      throw new SaclaError("FILE_NOT_FOUND", `${show(name)} is none of the files that are served here.`);
    const file = await H5File.open(join(this.#folder, name));
    try {
      return await work(file);
    } finally {
      file.close();
    }
  }

  /** Whether a name is that of a file that may be looked into. */
  async #has(name: string): Promise<boolean> {
    const isNamed = this.#only === undefined ? ENDINGS.test(name) && name === basename(name) : name === this.#only;
    return isNamed && (await this.#isInside(join(this.#folder, name)));
  }

  async #isInside(path: string): Promise<boolean> {
    const real = await realpath(path).catch(() => "");
    return real.startsWith(this.#folder.endsWith(sep) ? this.#folder : `${this.#folder}${sep}`);
  }

  /** @throws NOT_ALLOWED when the values of a dataset would be read from outside the folder, or that is not known */
  async #checkInside(file: H5File, path: string, depth: number): Promise<void> {
    const refuse = (why: string): SaclaError =>
      new SaclaError("NOT_ALLOWED", `${path} of ${show(basename(file.path))} ${why}, so it is not read here.`);
    const { chunks, virtual_sources: sources } = metadataOf(file, path);
    if (sources !== undefined && sources.length > 0) {
      if (depth > 4 || sources.length > MOST_SOURCES) throw refuse("is made of too many datasets");
      for (const { file_name: name, dset_name: dataset } of sources) {
        if (`${name}${dataset}`.includes("%")) throw refuse("is made of files by a pattern");
        const beside = name === "." ? file.path : foundBeside(file.path, name);
        // What is not there is filled by HDF5.
        if (beside === undefined) continue;
        if (this.#only !== undefined ? beside !== file.path : !(await this.#isInside(beside)))
          throw refuse("is made of data outside the folder");
        const source = name === "." ? file : await H5File.open(beside);
        try {
          await this.#checkInside(source, resolved(source, dataset), depth + 1);
        } finally {
          if (source !== file) source.close();
        }
      }
    } else if (chunks === null || chunks === undefined) {
      // Only what is not in chunks can stand in files of its own.
      let isElsewhere = false;
      try {
        const reference = file.ask(path, (h5, id) => h5.create_object_reference(id, path));
        const address = Number(Buffer.from(reference).readBigUInt64LE());
        eachMessage(file.fileBytes, address, "dataset", (type) => {
          isElsewhere ||= type === EXTERNAL_FILES;
        });
      } catch {
        throw refuse("has a header that is not known here");
      }
      if (isElsewhere) throw refuse("has its values in other files");
    }
  }
}

/** @throws BAD_ARGUMENT when there is no dataset */
function metadataOf(file: H5File, path: string): H5Metadata {
  if (file.kind(path) !== "dataset") throw new SaclaError("BAD_ARGUMENT", `${show(path)} is no dataset.`);
  return file.ask(path, (h5, id) => h5.get_dataset_metadata(id, path));
}

function holdsOf(meta: H5Metadata): Looked["holds"] {
  if (meta.shape === null) return "other";
  return meta.type === STRING ? "texts" : numberType(meta) === undefined ? "other" : "numbers";
}

/**
 * The path of an object without links, so that the library follows none of them.
 * @throws NOT_ALLOWED for a link to another file @throws BAD_ARGUMENT when nothing is there
 */
function resolved(file: H5File, path: string): string {
  let names = namesOf(path);
  let at = "";
  for (let links = 0; names.length > 0; ) {
    const [name = "", ...rest] = names;
    const next = `${at}/${name}`;
    if (!file.keys(at === "" ? "/" : at).includes(name))
      throw new SaclaError("BAD_ARGUMENT", `${show(basename(file.path))} has nothing at ${show(next)}.`);
    const link = linkAt(file, next);
    if (link === null) {
      at = next;
      names = rest;
      continue;
    }
    if (link.file !== null)
      throw new SaclaError(
        "NOT_ALLOWED",
        `${next} leads to ${link.target} of the file ${show(link.file)}; open that file.`,
      );
    if (++links > MOST_LINKS) throw new SaclaError("BAD_ARGUMENT", `${show(path)} leads in circles.`);
    names = [...namesOf(link.target), ...rest];
    if (link.target.startsWith("/")) at = "";
  }
  return at === "" ? "/" : at;
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function memberOf(file: H5File, parent: string, name: string): Member {
  const path = `${parent === "/" ? "" : parent}/${name}`;
  try {
    const link = linkAt(file, path);
    if (link !== null) {
      const what = link.file === null ? `→ ${link.target}` : `→ ${link.target} of ${link.file}`;
      return { name, kind: "link", what };
    }
    const kind = file.kind(path);
    if (kind === "group") return { name, kind, what: "" };
    return kind === "dataset"
      ? { name, kind, what: typeAndShape(metadataOf(file, path)) }
      : { name, kind: "other", what: "" };
  } catch (error) {
    return { name, kind: "other", what: error instanceof Error ? error.message : "" };
  }
}

function attributesOf(file: H5File, path: string): Looked["attributes"] {
  const names = file.ask(path, (h5, id) => h5.get_attribute_names(id, path));
  return names.slice(0, MOST_MEMBERS).map((name) => {
    try {
      return { name, value: attributeText(file, path, name) };
    } catch (error) {
      return { name, value: error instanceof Error ? error.message : "" };
    }
  });
}

function attributeText(file: H5File, path: string, name: string): string {
  const meta = file.ask(path, (h5, id) => h5.get_attribute_metadata(id, path, name)) as H5Metadata;
  if (meta.shape === null) return "empty";
  if (meta.total_size * meta.size > MOST_ATTRIBUTE_BYTES) return typeAndShape(meta);
  if (meta.type === STRING && meta.total_size > 1) return typeAndShape(meta);
  const value = file.attribute(path, name);
  if (value === undefined) return typeAndShape(meta);
  if (typeof value === "string") return value.slice(0, MOST_LETTERS);
  const shown = Array.from(value.subarray(0, MOST_VALUES), String).join(", ");
  return value.length > MOST_VALUES ? `${shown}, … (${value.length})` : shown;
}
