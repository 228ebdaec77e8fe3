import { SaclaError, show } from "../../core/errors.ts";
import { FLOAT, INTEGER } from "../direct/dataset.ts";
import { STRING } from "../read/h5types.ts";
import { attempt, type H5, loadH5 } from "../read/library.ts";

/** Numbers as they can be written; the array's class is the type in the file. */
export type H5Numbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

interface Storage {
  readonly chunks?: readonly number[];
  /** What is done to each chunk; h5wasm sets one filter. */
  readonly filter?: H5Filter | undefined;
  readonly maxShape?: readonly number[];
}

/** A filter of HDF5 by its number, with its parameters. */
export interface H5Filter {
  readonly id: number;
  readonly values: readonly number[];
}

/**
 * One HDF5 file being written. The same calls in the same order give the same bytes, in any process and at any time:
 * HDF5 stamps its objects with the time of day, so its clock stands still at `unixSeconds` while it works.
 */
export class H5Writer {
  readonly path: string;
  readonly #h5: H5;
  readonly #id: bigint;
  readonly #now: () => number;
  readonly #groups = new Set<string>(["/", ""]);
  readonly #stacks = new Map<string, number>();
  /** Whether the file was there before, with groups of its own. */
  #isOld = false;
  #scratch = { at: 0, bytes: 0 };
  #open = true;

  private constructor(path: string, h5: H5, id: bigint, now: () => number) {
    this.path = path;
    this.#h5 = h5;
    this.#id = id;
    this.#now = now;
  }

  /** @throws WRITE_FAILED when the file cannot be made */
  static async create(path: string, unixSeconds: number): Promise<H5Writer> {
    const h5 = await loadH5();
    return H5Writer.#openWith(path, h5, h5.H5F_ACC_TRUNC, unixSeconds);
  }

  /** Opens a file that is there, to add to it. @throws WRITE_FAILED */
  static async edit(path: string, unixSeconds: number): Promise<H5Writer> {
    const h5 = await loadH5();
    const writer = H5Writer.#openWith(path, h5, h5.H5F_ACC_RDWR, unixSeconds);
    writer.#isOld = true;
    return writer;
  }

  static #openWith(path: string, h5: H5, mode: number, unixSeconds: number): H5Writer {
    const now = (): number => unixSeconds * 1000;
    const id = stillAt(now, () =>
      attempt(
        () => h5.open(path, mode, false, -1, -1),
        (reason, cause) => writeFailed(path, reason, cause),
      ),
    );
    return new H5Writer(path, h5, id, now);
  }

  /** Makes a group, and those above it; one that is there already is left as it is. */
  group(path: string): void {
    if (this.#groups.has(path)) return;
    this.group(path.slice(0, path.lastIndexOf("/")));
    this.#call(path, (h5) => {
      if (!this.#isOld || h5.get_type(this.#id, path) !== h5.H5G_GROUP) h5.create_group(this.#id, path, false);
    });
    this.#groups.add(path);
  }

  /** Writes numbers over those of a list of the same type and length. */
  overwrite(path: string, values: H5Numbers): void {
    const at = this.#load(path, values);
    this.#call(path, (h5) => h5.set_dataset_data(this.#id, path, [BigInt(values.length)], [0n], [1n], BigInt(at)));
  }

  /** Row-major numbers; `shape` [] is a scalar. @param shape - default: a list */
  numbers(path: string, values: H5Numbers, shape: readonly number[] = [values.length], storage: Storage = {}): void {
    this.#create(path, values, numberType(values), shape, storage);
  }

  /** A fixed-length text, ASCII where it can be, with a NUL at its end as C programs expect. */
  text(path: string, text: string): void {
    this.#createText(path, [text], []);
  }

  /** A list of fixed-length texts, as long as the longest. */
  texts(path: string, texts: readonly string[]): void {
    this.#createText(path, texts, [texts.length]);
  }

  /** An empty stack of images of one shape, chunks of `chunkRows` rows of one image, to be filled by {@link append}. */
  stack(
    path: string,
    sample: H5Numbers,
    rows: number,
    columns: number,
    images: number,
    chunkRows: number,
    filter?: H5Filter,
  ): void {
    const storage = { filter, chunks: [1, chunkRows, columns], maxShape: [images, rows, columns] };
    this.#create(path, sample.subarray(0, 0) as H5Numbers, numberType(sample), [0, rows, columns], storage);
    this.#stacks.set(path, 0);
  }

  /** Puts one more image onto a stack. */
  append(path: string, image: H5Numbers, rows: number, columns: number): void {
    const index = this.#stacks.get(path);
    if (index === undefined) throw new SaclaError("INTERNAL", `${path} is not a stack that was begun.`);
    this.#call(path, (h5) => h5.resize_dataset(this.#id, path, [BigInt(index + 1), BigInt(rows), BigInt(columns)]));
    const at = this.#load(path, image);
    const [count, offset] = [
      [1n, BigInt(rows), BigInt(columns)],
      [BigInt(index), 0n, 0n],
    ];
    this.#call(path, (h5) => h5.set_dataset_data(this.#id, path, count, offset, [1n, 1n, 1n], BigInt(at)));
    this.#stacks.set(path, index + 1);
  }

  /** A name (soft link) for what is, or will be, at another path of the file. */
  link(path: string, target: string): void {
    this.group(path.slice(0, path.lastIndexOf("/")));
    this.#call(path, (h5) => h5.create_soft_link(this.#id, target, path));
  }

  /** A text attribute of an object that is there. */
  attribute(path: string, name: string, text: string): void {
    const { bytes, type } = encoded([text]);
    const at = this.#load(path, bytes);
    this.#call(path, (h5) => h5.create_attribute(this.#id, path, name, BigInt(at), metadata(type, [], {})));
  }

  /** A numbers attribute, a list, of an object that is there. */
  numbersAttribute(path: string, name: string, values: H5Numbers): void {
    const at = this.#load(path, values);
    this.#call(path, (h5) =>
      h5.create_attribute(this.#id, path, name, BigInt(at), metadata(numberType(values), [values.length], {})),
    );
  }

  /** Writes what is still in memory and closes; a second call does nothing. @throws WRITE_FAILED */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#h5._free(this.#scratch.at);
    stillAt(this.#now, () =>
      attempt(
        () => this.#h5.close_file(this.#id),
        (reason, cause) => writeFailed(this.path, reason, cause),
      ),
    );
  }

  #createText(path: string, texts: readonly string[], shape: readonly number[]): void {
    const { bytes, type } = encoded(texts);
    this.#create(path, bytes, type, shape, {});
  }

  #create(path: string, values: H5Numbers, type: ElementType, shape: readonly number[], storage: Storage): void {
    this.group(path.slice(0, path.lastIndexOf("/")));
    const at = this.#load(path, values);
    this.#call(path, (h5) => h5.create_dataset(this.#id, path, BigInt(at), metadata(type, shape, storage)));
  }

  /** Copies values to where the library can read them. */
  #load(path: string, values: H5Numbers): number {
    const { byteLength } = values;
    if (byteLength > this.#scratch.bytes || this.#scratch.at === 0) {
      this.#h5._free(this.#scratch.at);
      this.#scratch = { at: 0, bytes: 0 };
      const bytes = Math.max(byteLength, 8);
      const at = this.#h5._malloc(bytes);
      if (at === 0) throw writeFailed(this.path, `${bytes} bytes of ${path} in one piece are too many`, undefined);
      this.#scratch = { at, bytes };
    }
    this.#h5.HEAPU8.set(new Uint8Array(values.buffer, values.byteOffset, byteLength), this.#scratch.at);
    return this.#scratch.at;
  }

  #call<T>(path: string, work: (h5: H5) => T): T {
    if (!this.#open)
      throw new SaclaError("CLOSED", `${show(this.path)} was closed before ${path} was written.`, {
        details: { path },
      });
    return stillAt(this.#now, () =>
      attempt(
        () => work(this.#h5),
        (reason, cause) => writeFailed(this.path, `${path}: ${reason}`, cause),
      ),
    );
  }
}

interface ElementType {
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly cset?: number;
  readonly strpad?: number;
}

function numberType(values: H5Numbers): ElementType {
  const isFloat = values instanceof Float32Array || values instanceof Float64Array;
  const isSigned =
    values instanceof Int8Array ||
    values instanceof Int16Array ||
    values instanceof Int32Array ||
    values instanceof BigInt64Array;
  return { type: isFloat ? FLOAT : INTEGER, size: values.BYTES_PER_ELEMENT, signed: isFloat || isSigned };
}

/**
 * Texts of one length, each with room for the NUL that ends it (H5T_STR_NULLTERM, 0): ncdump, Scilab and C programs
 * read on to it. HDF5 does not convert UTF-8 (1) to ASCII (0), so programs that ask for C's plain strings, such as
 * Octave's `load`, fail on what is marked UTF-8 without need.
 */
function encoded(texts: readonly string[]): { bytes: Uint8Array; type: ElementType } {
  const all = texts.map((text) => Buffer.from(text, "utf8"));
  const size = 1 + Math.max(0, ...all.map(({ length }) => length));
  const bytes = new Uint8Array(size * texts.length);
  for (const [i, one] of all.entries()) bytes.set(one, i * size);
  const isAscii = bytes.every((byte) => byte < 0x80);
  return { bytes, type: { type: STRING, size, signed: false, cset: isAscii ? 0 : 1, strpad: 0 } };
}

function metadata(element: ElementType, shape: readonly number[], storage: Storage) {
  const { chunks, maxShape } = storage;
  const filter = chunks === undefined ? undefined : storage.filter;
  return {
    ...element,
    littleEndian: true,
    vlen: false,
    total_size: 1,
    shape: shape.map(BigInt),
    maxshape: (maxShape ?? shape).map(BigInt),
    chunks: chunks?.map(BigInt) ?? null,
    compression: filter?.id ?? 0,
    compression_opts: [...(filter?.values ?? [])],
    track_order: false,
  };
}

/** Runs one synchronous call with the clock of this process standing still; nothing else can run meanwhile. */
function stillAt<T>(now: () => number, work: () => T): T {
  const running = Date.now;
  Date.now = now;
  try {
    return work();
  } finally {
    Date.now = running;
  }
}

function writeFailed(path: string, reason: string, cause: unknown): SaclaError {
  // What the system said stands deep in the error stack of HDF5.
  const said = cause instanceof Error ? /error message = '([^']*)'/.exec(cause.message)?.[1] : undefined;
  const why = said === "No space left on device" ? "the disk is full" : (said ?? reason);
  return new SaclaError("WRITE_FAILED", `${show(path)} cannot be written: ${why}.`, {
    details: { path, reason },
    cause,
  });
}
