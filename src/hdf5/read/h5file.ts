import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import type { Pixels, PixelType } from "../../core/ndarray.ts";
import { Hdf5Bytes } from "../direct/bytes.ts";
import { imageShape, usesFilter } from "../direct/dataset.ts";
import { foundBeside } from "../direct/external.ts";
import {
  arrays,
  doubles,
  type H5Metadata,
  isLine,
  MAX_BYTES,
  type NumberArray,
  numbersAt,
  numberType,
  otherImage,
  STRING,
  setPixels,
  slabOf,
  textIn,
  typeAndShape,
  unlessOdd,
} from "./h5types.ts";
import { attempt, filterError, type H5, lackingFilter, loadH5, quietly, workingH5 } from "./library.ts";
import { type Link, Links, MOST_PATHS } from "./links.ts";
import { openedBy } from "./opened-by.ts";
import { LONG_LIST, listInPiece } from "./piece.ts";

/** What an object in the file is; undefined when there is none. */
type Kind = "group" | "dataset" | "other" | undefined;

/**
 * One HDF5 file open for reading: the only place that knows h5wasm. Every path is looked up, and every shape and type
 * checked, before anything is read; what is not there is `undefined`; what fails is one {@link SaclaError} with the
 * text of HDF5 as `cause`.
 */
export class H5File {
  readonly path: string;
  /** Its bytes, for what is faster without the library. */
  readonly fileBytes: Hdf5Bytes;
  #h5: H5;
  #id: bigint;
  readonly #keys = new Map<string, readonly string[]>();
  /** Of paths that were asked about: each is so several times. */
  readonly #kinds = new Map<string, Kind>();
  /** What was last asked about: mostly more is asked at once. Not while a file is written and its datasets grow. */
  #described: { readonly path: string; readonly meta: H5Metadata } | undefined;
  /** Files that this one refers to, by the name it has for them; undefined for what is not there. */
  readonly #siblings = new Map<string, H5File | undefined>();
  readonly #links = new Links(this);
  #scratch = { at: 0, bytes: 0 };
  #open = true;

  private constructor(path: string, fileBytes: Hdf5Bytes, h5: H5, id: bigint) {
    this.path = path;
    this.fileBytes = fileBytes;
    this.#h5 = h5;
    this.#id = id;
  }

  /**
   * @throws FILE_NOT_FOUND when there is no such file, it is a folder, or it may not be read
   * @throws NOT_HDF5 when it is empty or something else
   * @throws FILE_DAMAGED when it is HDF5 and does not open: truncated, or not closed by its writer
   */
  static async open(path: string): Promise<H5File> {
    return H5File.#openWith(path, Hdf5Bytes.open(path), await loadH5());
  }

  static #openWith(path: string, fileBytes: Hdf5Bytes, h5: H5): H5File {
    try {
      return new H5File(path, fileBytes, h5, openedBy(h5, fileBytes));
    } catch (error) {
      fileBytes.close();
      throw error;
    }
  }

  /**
   * A file that this one names, "." for itself; undefined when it is not there or does not open. It is closed with this
   * one.
   */
  sibling(name: string): H5File | undefined {
    if (name === ".") return this;
    if (this.#siblings.has(name)) return this.#siblings.get(name);
    let sibling: H5File | undefined;
    const path = foundBeside(this.path, name);
    try {
      if (path !== undefined) sibling = H5File.#openWith(path, Hdf5Bytes.open(path), this.#h5);
    } catch (error) {
      if (!isSaclaError(error)) throw error;
    }
    this.#siblings.set(name, sibling);
    return sibling;
  }

  /** Asks the library what no method here does. @param path - for what the error says */
  ask<T>(path: string, work: (h5: H5, file: bigint) => T): T {
    return this.#call(path, (h5) => work(h5, this.#id));
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const sibling of this.#siblings.values()) sibling?.close();
    this.fileBytes.close();
    if (workingH5(this.#h5) !== this.#h5) return;
    this.#h5._free(this.#scratch.at);
    // Nothing was written, so that nothing is lost when HDF5 cannot close a damaged file.
    quietly(() => this.#h5.close_file(this.#id));
  }

  kind(path: string): Kind {
    const known = this.#open ? this.#kinds.get(path) : undefined;
    if (known !== undefined) return known;
    const type = this.#links.typeAt(path);
    if (type < 0) return undefined;
    const kind = type === this.#h5.H5G_GROUP ? "group" : type === this.#h5.H5G_DATASET ? "dataset" : "other";
    if (this.#kinds.size >= MOST_PATHS) this.#kinds.clear();
    this.#kinds.set(path, kind);
    return kind;
  }

  /** Names in a group, read once; none when there is no such group. */
  keys(path: string): readonly string[] {
    const known = this.#keys.get(path);
    if (known !== undefined) return known;
    if (this.kind(path) !== "group") return [];
    const keys = this.#call(path, (h5) => h5.get_names(this.#id, path, false));
    this.#keys.set(path, keys);
    return keys;
  }

  /** As {@link Links.out}. */
  linkOut(path: string): Link | undefined {
    return this.#links.out(path);
  }

  /** What a virtual dataset is made of; none for any other. */
  virtualSources(path: string): { readonly name: string; readonly dataset: string }[] {
    const sources = this.#metadata(path)?.virtual_sources ?? [];
    // The pattern of a growing series: its first file stands for all.
    const first = (text: string): string => text.replaceAll("%b", "0").replaceAll("%%", "%");
    return sources.map(({ file_name, dset_name }) => ({ name: first(file_name), dataset: first(dset_name) }));
  }

  /** Lengths of a dataset's axes, [] for a scalar. */
  shape(path: string): readonly number[] | undefined {
    return this.#metadata(path)?.shape ?? undefined;
  }

  /** Whether a dataset is of numbers. */
  hasNumbers(path: string): boolean {
    const meta = this.#metadata(path);
    return meta !== undefined && numberType(meta) !== undefined;
  }

  /** How the pixels of an image are given without loss: uint16 as they are, all others as float32. */
  pixelType(path: string): PixelType {
    const meta = this.#metadata(path);
    return meta !== undefined && numberType(meta) === "u2" ? "uint16" : "float32";
  }

  /**
   * A list of numbers of any type; a scalar is a list of one. Whole numbers above 2^53 are rounded.
   * @throws NOT_DATACONVERT when it is not a list of numbers
   */
  numbers(path: string): Float64Array | undefined {
    const list = this.list(path);
    return list instanceof Float64Array ? list : list && doubles(list);
  }

  /** As {@link numbers}, of the type that the file has. */
  list(path: string): NumberArray | undefined {
    const found = this.#listed(path);
    if (found === undefined) return undefined;
    const { type, length, bytes } = found;
    if (length === 0) return new Float64Array(0);
    // The library would copy it twice.
    const isLong = bytes >= LONG_LIST && this.linkOut(path) === undefined;
    const list = isLong ? listInPiece(this.fileBytes, path, type, length) : undefined;
    if (list !== undefined) return list;
    const at = this.#read(path, bytes);
    return numbersAt(type, this.#memory, at, length).slice();
  }

  /** How many numbers a list has; as {@link numbers} otherwise. */
  lengthOf(path: string): number | undefined {
    return this.#listed(path)?.length;
  }

  /** One number of a list; as {@link numbers} otherwise. */
  numberAt(path: string, index: number): number | undefined {
    const found = this.#listed(path);
    if (found === undefined || index >= found.length) return undefined;
    const { type, length, bytes, isFlat } = found;
    if (!isFlat) return this.numbers(path)?.[index];
    const at = this.#read(path, bytes / length, { index, shape: [length] });
    return Number(numbersAt(type, this.#memory, at, 1)[0]);
  }

  #listed(path: string) {
    const meta = this.#metadata(path);
    if (meta === undefined) return undefined;
    const type = numberType(meta);
    if (type === undefined || !isLine(meta))
      throw this.#unexpected(path, `${typeAndShape(meta)}, but must be a list of numbers`);
    return { type, length: meta.total_size, bytes: meta.total_size * meta.size, isFlat: (meta.shape ?? []).length < 2 };
  }

  /** @throws NOT_DATACONVERT when it is not one number */
  number(path: string): number | undefined {
    const values = this.numbers(path);
    if (values === undefined) return undefined;
    const [value] = values;
    if (values.length !== 1 || value === undefined)
      throw this.#unexpected(path, `${values.length} numbers, but must be one`);
    return value;
  }

  /** A list of numbers; undefined too when something else is in its place, on which nothing depends. */
  numbersOrNone(path: string): Float64Array | undefined {
    return unlessOdd(() => this.numbers(path));
  }

  /** One number, as {@link numbersOrNone}. */
  numberOrNone(path: string): number | undefined {
    const values = this.numbersOrNone(path);
    return values?.length === 1 ? values[0] : undefined;
  }

  /** Whether a dataset is a list of numbers or texts of a length. */
  isList(path: string, length: number): boolean {
    const meta = this.#metadata(path);
    if (meta === undefined || meta.shape?.length === 0 || !isLine(meta)) return false;
    return meta.total_size === length && (meta.type === STRING || !!numberType(meta));
  }

  /**
   * One text, without the padding (NULs, spaces) that fixed-length texts end with.
   * @throws NOT_DATACONVERT when it is not one text
   */
  text(path: string): string | undefined {
    const meta = this.#metadata(path);
    if (meta === undefined) return undefined;
    if (meta.type !== STRING || meta.total_size !== 1)
      throw this.#unexpected(path, `${typeAndShape(meta)}, but must be one text`);
    return this.#texts(path, meta, this.#read(path, meta.size))[0];
  }

  /** One text, as {@link numbersOrNone}. */
  textOrNone(path: string): string | undefined {
    return unlessOdd(() => this.text(path));
  }

  /** A list of texts, as {@link text}; undefined when it is not one. */
  texts(path: string): string[] | undefined {
    const meta = this.#metadata(path);
    return meta?.type === STRING && meta.shape?.length !== 0 && isLine(meta)
      ? this.#texts(path, meta, this.#read(path, meta.total_size * meta.size))
      : undefined;
  }

  /** An attribute that is a text or numbers; undefined when there is none, or it is something else. */
  attribute(path: string, name: string): string | Float64Array | undefined {
    if (this.kind(path) === undefined) return undefined;
    const link = this.linkOut(path);
    // Through a link, HDF5 looks for texts of variable length in the wrong file.
    if (link !== undefined) return this.sibling(link.file)?.attribute(link.path, name);
    if (!this.#call(path, (h5) => h5.get_attribute_names(this.#id, path)).includes(name)) return undefined;
    const meta = this.#call(path, (h5) => h5.get_attribute_metadata(this.#id, path, name)) as H5Metadata;
    const at = this.#reserve(path, Math.max(8, meta.size * meta.total_size));
    this.#call(path, (h5) => h5.get_attribute_data(this.#id, path, name, BigInt(at)));
    if (meta.type === STRING) return this.#texts(path, meta, at, name)[0];
    const type = numberType(meta);
    return type && doubles(numbersAt(type, this.#memory, at, meta.total_size));
  }

  /** @param attribute - "" for a dataset */
  #texts(path: string, { size, vlen, total_size: count }: H5Metadata, at: number, attribute = ""): string[] {
    const { HEAPU8 } = this.#h5;
    if (!vlen)
      return Array.from({ length: count }, (_, i) => textIn(HEAPU8.subarray(at + i * size, at + (i + 1) * size)));
    const texts = Array.from(new Uint32Array(this.#memory, at, count), (start) =>
      start === 0 ? "" : textIn(HEAPU8.subarray(start, HEAPU8.indexOf(0, start))),
    );
    this.#h5.reclaim_vlen_memory(this.#id, path, attribute, BigInt(at));
    return texts;
  }

  /** Why a dataset cannot be read although it is whole: a filter that is not there. */
  unreadable(path: string): { readonly reason: "unsupported"; readonly what: string } | undefined {
    if (this.kind(path) !== "dataset") return undefined;
    const filters = this.#call(path, (h5) => h5.get_dataset_filters(this.#id, path));
    const what = lackingFilter(filters, (i) => usesFilter(this.fileBytes, path, i));
    return what === undefined ? undefined : { reason: "unsupported", what };
  }

  /** Type and shape of a dataset in words: "f4 of shape [6, 100]"; undefined when there is none. */
  described(path: string): string | undefined {
    const meta = this.#metadata(path);
    return meta === undefined ? undefined : typeAndShape(meta);
  }

  /**
   * A dataset of any kind as it is in memory, and its type and shape in words: for comparing files.
   * @param index - only this one of its first axis; no bytes when there are fewer
   */
  bytes(path: string, index?: number): { bytes: Uint8Array; description: string } {
    const meta = this.#metadata(path);
    if (meta === undefined || meta.shape === null)
      return { bytes: new Uint8Array(0), description: meta === undefined ? "no dataset" : "empty" };
    const [length = 0] = meta.shape;
    if (index !== undefined && index >= length) return { bytes: new Uint8Array(0), description: typeAndShape(meta) };
    const bytes = (meta.size * meta.total_size) / (index === undefined ? 1 : length);
    const at = this.#read(path, bytes, index === undefined ? undefined : { index, shape: meta.shape });
    return {
      bytes: this.#h5.HEAPU8.slice(at, at + bytes),
      description: `${typeAndShape(meta)} (${meta.size} bytes each)`,
    };
  }

  /**
   * Fills `out`, row-major, with an image of shape [rows, columns], with or without axes of 1 in front; in float32,
   * pixels of any type are given.
   * @throws FILE_DAMAGED when the image has another shape, or another type than uint16 for `out` of uint16, or cannot
   * be read
   * @throws UNSUPPORTED when pixels are of another type, or compressed by a filter that is not built in
   */
  readImage(path: string, rows: number, columns: number, out: Pixels): void {
    const meta = this.#metadata(path);
    const shape = imageShape(meta?.shape ?? []);
    const type = meta === undefined ? undefined : numberType(meta);
    const isOther = (wanted: string): SaclaError => otherImage(this.path, path, meta, wanted, [rows, columns]);
    if (meta === undefined || shape.length !== 2 || shape[0] !== rows || shape[1] !== columns)
      throw isOther(`have shape [${rows}, ${columns}]`);
    if (type === undefined) {
      throw new SaclaError(
        "UNSUPPORTED",
        `${path} of ${show(this.path)} is ${typeAndShape(meta)}; ` +
          `pixels may be ${["f2", ...Object.keys(arrays)].join(", ")}. Convert it to float32.`,
        { details: { file: this.path, path } },
      );
    }
    if (out instanceof Uint16Array && type !== "u2") throw isOther("are u2, as the first one is");
    const at = this.#read(path, out.length * meta.size);
    setPixels(out, numbersAt(type, this.#memory, at, out.length));
  }

  /** Fills `out` with a part of an array of any number of axes. @throws FILE_DAMAGED when the part is not there */
  readSlab(path: string, offset: readonly number[], count: readonly number[], out: Pixels): void {
    const meta = this.#metadata(path);
    const end = offset.map((from, k) => from + (count[k] ?? 0));
    if (meta === undefined || end.some((to, k) => to > (meta.shape?.[k] ?? 0)))
      throw this.#damaged(path, `it has no ${count.join(" × ")} from [${offset.join(", ")}] on`, undefined);
    const type = numberType(meta);
    if (type === undefined) throw this.#unexpected(path, typeAndShape(meta));
    const at = this.#data(path, out.length * meta.size, offset, count);
    setPixels(out, numbersAt(type, this.#memory, at, out.length));
  }

  /** To be asked for after each read: reading may grow the WebAssembly memory, which leaves older views empty. */
  get #memory(): ArrayBuffer {
    // h5wasm is built without threads, so its memory is never shared.
    return this.#h5.HEAPU8.buffer as ArrayBuffer;
  }

  #metadata(path: string): H5Metadata | undefined {
    if (this.kind(path) !== "dataset") return undefined;
    if (this.#described?.path === path) return this.#described.meta;
    const meta = this.#call(path, (h5) => h5.get_dataset_metadata(this.#id, path));
    if (this.fileBytes.writer === "none") this.#described = { path, meta };
    return meta;
  }

  /** Reads a dataset, or one of its first axis, into the kept memory and says where it begins there. */
  #read(path: string, bytes: number, part?: { readonly index: number; readonly shape: readonly number[] }): number {
    const offset = part?.shape.map((_, axis) => (axis === 0 ? part.index : 0));
    return this.#data(path, bytes, offset, part?.shape.with(0, 1));
  }

  /** Reads a dataset, or a part of it, into the kept memory and says where it begins there. */
  #data(path: string, bytes: number, offset?: readonly number[], count?: readonly number[]): number {
    const link = this.linkOut(path);
    // Through a link, HDF5 looks for files of raw numbers in the wrong folder.
    const linked = link && link.file !== "." ? this.sibling(link.file) : undefined;
    if (link && linked) return linked.#data(link.path, bytes, offset, count);
    const at = this.#reserve(path, bytes);
    this.#call(path, (h5) => h5.get_dataset_data(this.#id, path, ...slabOf(offset, count), BigInt(at)));
    this.fileBytes.checkUnchanged();
    return at;
  }

  #reserve(path: string, bytes: number): number {
    if (bytes > this.#scratch.bytes) {
      this.#h5._free(this.#scratch.at);
      this.#scratch = { at: 0, bytes: 0 };
      const at = bytes > MAX_BYTES ? 0 : this.#h5._malloc(bytes);
      if (at === 0) throw this.#damaged(path, `${bytes} bytes in one piece`, undefined);
      this.#scratch = { at, bytes };
    }
    return this.#scratch.at;
  }

  #call<T>(path: string, work: (h5: H5) => T): T {
    if (!this.#open)
      throw new SaclaError("CLOSED", `${show(this.path)} was closed before ${path} was read; open it again.`, {
        details: { path },
      });
    this.#revive(path);
    return attempt(
      () => work(this.#h5),
      (reason, cause) => this.#unreadable(path, reason, cause),
      this.path,
    );
  }

  /** Opens the file again where another, damaged file has ended the library. */
  #revive(path: string): void {
    const h5 = workingH5(this.#h5);
    if (h5 === this.#h5) return;
    if (h5 === undefined) throw this.#damaged(path, "HDF5 starts again after a damaged file; ask again", undefined);
    this.#id = openedBy(h5, this.fileBytes);
    this.#h5 = h5;
    this.#scratch = { at: 0, bytes: 0 };
    this.#siblings.clear();
  }

  #unreadable(path: string, reason: string, cause: unknown): SaclaError {
    if (workingH5(this.#h5) !== this.#h5) return this.#damaged(path, "it ended the HDF5 library", cause);
    const filter = /required filter '(.*?)'/.exec(reason)?.[1];
    if (filter === undefined) return this.#damaged(path, reason, cause);
    const { id } = this.#h5.get_dataset_filters(this.#id, path).find(({ name }) => name === filter) ?? {};
    return filterError(this.path, path, { filter, id }, cause);
  }

  #damaged(path: string, reason: string, cause: unknown): SaclaError {
    // What does not fit together any more was written anew.
    this.fileBytes.checkUnchanged();
    const text = `${path} of ${show(this.path)} cannot be read (${reason}); copy or convert the file again.`;
    return new SaclaError("FILE_DAMAGED", text, { details: { file: this.path, path }, cause });
  }

  #unexpected(path: string, what: string): SaclaError {
    return new SaclaError("NOT_DATACONVERT", `${path} of ${show(this.path)} is ${what}.`, {
      details: { file: this.path, path },
    });
  }
}
