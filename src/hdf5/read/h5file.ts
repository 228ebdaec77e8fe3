import { SaclaError, show } from "../../core/errors.ts";
import { numberArrays, type Pixels, type PixelType } from "../../core/ndarray.ts";
import { Hdf5Bytes } from "../direct/bytes.ts";
import { FLOAT, INTEGER } from "../direct/dataset.ts";
import { pixelArrays } from "../direct/image-bytes.ts";

/** @internal */
export type H5 = Awaited<typeof import("h5wasm/node")["ready"]>;
type H5Metadata = ReturnType<H5["get_dataset_metadata"]>;

const arrays = { ...numberArrays, i8: BigInt64Array, u8: BigUint64Array } as const;
type NumberType = keyof typeof arrays;

/** Further classes of H5T_class_t. */
export const STRING = 3;
const ENUM = 8;

/** The largest thing read at once: no image or column is near it, but a damaged header can ask for anything. */
const MAX_BYTES = 2 ** 30;

/** What an object in the file is; undefined when there is none. */
type Kind = "group" | "dataset" | "other" | undefined;

// HDF5 is one library per process, and so is what it last complained about.
const complaint = { text: "" };
const MAX_COMPLAINT = 20_000;

let loading: Promise<H5> | undefined;

/** Loaded at the first file: it takes 0.2 s, which a script on the simulated facility should not pay. */
export function loadH5(): Promise<H5> {
  loading ??= import("h5wasm/node").then(async ({ ready }) => collectComplaints(await ready));
  return loading;
}

/**
 * Keeps what HDF5 prints on failure, instead of letting it reach the terminal. h5wasm's own way,
 * `activate_throwing_error_handler`, throws through the WebAssembly frames and never gives their stack back: after
 * about 2000 failures the library corrupts its memory. A call that fails by its return value unwinds cleanly.
 */
function collectComplaints(h5: H5): H5 {
  const streams: typeof h5.FS & Partial<{ getStream(fd: number): object }> = h5.FS;
  const write = (_stream: object, bytes: Uint8Array, offset: number, length: number): number => {
    if (complaint.text.length < MAX_COMPLAINT)
      complaint.text += Buffer.from(bytes.subarray(offset, offset + length)).toString();
    return length;
  };
  const characterDevice = { mode: 0o020000 };
  const stderr = streams.getStream?.(2);
  if (stderr === undefined)
    throw new SaclaError(
      "INTERNAL",
      "This version of h5wasm does not show what HDF5 prints; use the version sacla asks for.",
    );
  Object.assign(stderr, { node: characterDevice, stream_ops: { write } });
  return h5;
}

/** The innermost reason in an HDF5 error stack: one short line out of thirty. */
function reasonIn(text: string): string {
  const missingFilter = /required filter '(.*?)' is not registered/.exec(text);
  if (missingFilter !== null) return missingFilter[0];
  const reasons = [...text.matchAll(/#\d+: .*?\(\): (.*)$/gm)];
  return reasons.at(-1)?.[1] ?? (text === "" ? "HDF5 gives no reason" : text.slice(0, 200));
}

/**
 * One HDF5 file open for reading: the only place that knows h5wasm. Every path is looked up, and every shape and type
 * checked, before anything is read; what is not there is `undefined`; what fails is one {@link SaclaError} with the
 * text of HDF5 as `cause`.
 */
export class H5File {
  readonly path: string;
  /** Its bytes, for what is faster without the library. */
  readonly fileBytes: Hdf5Bytes;
  readonly #h5: H5;
  readonly #id: bigint;
  readonly #keys = new Map<string, readonly string[]>();
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
   * @throws FILE_DAMAGED when it is HDF5 and does not open: truncated, or still being written
   */
  static async open(path: string): Promise<H5File> {
    const fileBytes = Hdf5Bytes.open(path);
    try {
      const h5 = await loadH5();
      const id = attempt(
        () => h5.open(path, h5.H5F_ACC_RDONLY, false, -1, -1),
        (reason, cause) =>
          new SaclaError(
            "FILE_DAMAGED",
            `${show(path)} is HDF5 but does not open (${reason}); copy or convert it again.`,
            { details: { path }, cause },
          ),
      );
      return new H5File(path, fileBytes, h5, id);
    } catch (error) {
      fileBytes.close();
      throw error;
    }
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.fileBytes.close();
    this.#h5._free(this.#scratch.at);
    attempt(
      () => this.#h5.close_file(this.#id),
      (reason, cause) => new SaclaError("INTERNAL", `${show(this.path)} does not close (${reason}).`, { cause }),
    );
  }

  kind(path: string): Kind {
    // Wrapped, because −1 means absent here, and failed everywhere else.
    const { type } = this.#call(path, (h5) => ({ type: h5.get_type(this.#id, path) }));
    if (type === this.#h5.H5G_GROUP) return "group";
    if (type === this.#h5.H5G_DATASET) return "dataset";
    return type < 0 ? undefined : "other";
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

  /** Lengths of a dataset's axes, [] for a scalar. */
  shape(path: string): readonly number[] | undefined {
    return this.#metadata(path)?.shape ?? undefined;
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
    const meta = this.#metadata(path);
    if (meta === undefined) return undefined;
    const type = numberType(meta);
    const shape = meta.shape ?? [];
    if (type === undefined || meta.shape === null || shape.length > 1) {
      throw this.#unexpected(path, `${describe(meta)}, but must be a list of numbers`);
    }
    const n = shape[0] ?? 1;
    if (n === 0) return new Float64Array(0);
    const at = this.#read(path, n * meta.size);
    return Float64Array.from(new arrays[type](this.#memory, at, n), Number);
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

  /**
   * One text, without the padding (NULs, spaces) that fixed-length texts end with.
   * @throws NOT_DATACONVERT when it is not one text
   */
  text(path: string): string | undefined {
    const meta = this.#metadata(path);
    if (meta === undefined) return undefined;
    if (meta.type !== STRING || meta.total_size !== 1)
      throw this.#unexpected(path, `${describe(meta)}, but must be one text`);
    const at = this.#read(path, meta.size);
    const { HEAPU8 } = this.#h5;
    if (!meta.vlen) return textIn(HEAPU8.subarray(at, at + meta.size));
    const start = new Uint32Array(this.#memory, at, 1)[0] ?? 0;
    const text = start === 0 ? "" : textIn(HEAPU8.subarray(start, HEAPU8.indexOf(0, start)));
    this.#h5.reclaim_vlen_memory(this.#id, path, "", BigInt(at));
    return text;
  }

  /** A dataset of any kind as it is in memory, and its type and shape in words: for comparing files. */
  bytes(path: string): { bytes: Uint8Array; description: string } {
    const meta = this.#metadata(path);
    if (meta === undefined || meta.shape === null)
      return { bytes: new Uint8Array(0), description: meta === undefined ? "no dataset" : "empty" };
    const bytes = meta.size * meta.total_size;
    const at = this.#read(path, bytes);
    return { bytes: this.#h5.HEAPU8.slice(at, at + bytes), description: `${describe(meta)} (${meta.size} bytes each)` };
  }

  /**
   * Fills `out`, row-major, with an image of shape [rows, columns]; in float32, pixels of any type are given.
   * @throws FILE_DAMAGED when the image has another shape, or another type than uint16 for `out` of uint16, or cannot
   * be read
   * @throws UNSUPPORTED when pixels are of another type, or compressed by a filter that is not built in
   */
  readImage(path: string, rows: number, columns: number, out: Pixels): void {
    const meta = this.#metadata(path);
    const shape = meta?.shape ?? [];
    const type = meta === undefined ? undefined : numberType(meta);
    const isOther = (wanted: string): SaclaError => {
      const found = meta === undefined ? "is not there" : `is ${describe(meta)}`;
      return new SaclaError(
        "FILE_DAMAGED",
        `${path} of ${show(this.path)} ${found}, but the detector's images ${wanted}.`,
        {
          details: { file: this.path, path, shape, expected: [rows, columns] },
        },
      );
    };
    if (meta === undefined || shape.length !== 2 || shape[0] !== rows || shape[1] !== columns)
      throw isOther(`have shape [${rows}, ${columns}]`);
    const Pixels = pixelArrays[type ?? ""];
    if (Pixels === undefined) {
      throw new SaclaError(
        "UNSUPPORTED",
        `${path} of ${show(this.path)} is ${describe(meta)}; ` +
          `pixels may be ${Object.keys(pixelArrays).join(", ")}. Convert it to float32.`,
        { details: { file: this.path, path } },
      );
    }
    if (out instanceof Uint16Array && type !== "u2") throw isOther("are u2, as the first one is");
    const at = this.#read(path, out.length * meta.size);
    out.set(new Pixels(this.#memory, at, out.length));
  }

  /** To be asked for after each read: reading may grow the WebAssembly memory, which leaves older views empty. */
  get #memory(): ArrayBuffer {
    // h5wasm is built without threads, so its memory is never shared.
    return this.#h5.HEAPU8.buffer as ArrayBuffer;
  }

  #metadata(path: string): H5Metadata | undefined {
    if (this.kind(path) !== "dataset") return undefined;
    return this.#call(path, (h5) => h5.get_dataset_metadata(this.#id, path));
  }

  /** Reads a whole dataset into the kept memory and says where it begins there. */
  #read(path: string, bytes: number): number {
    const at = this.#reserve(path, bytes);
    this.#call(path, (h5) => h5.get_dataset_data(this.#id, path, null, null, null, BigInt(at)));
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
    return attempt(
      () => work(this.#h5),
      (reason, cause) => this.#unreadable(path, reason, cause),
    );
  }

  #unreadable(path: string, reason: string, cause: unknown): SaclaError {
    const filter = /required filter '(.*?)'/.exec(reason)?.[1];
    if (filter === undefined) return this.#damaged(path, reason, cause);
    const { id } = this.#h5.get_dataset_filters(this.#id, path).find(({ name }) => name === filter) ?? {};
    return new SaclaError(
      "UNSUPPORTED",
      `${path} of ${show(this.path)} is compressed with the HDF5 ` +
        `filter ${filter}${id === undefined ? "" : ` (id ${id})`}, which is not built in. ` +
        "Rewrite the file with gzip on a machine that has the filter: h5repack -f GZIP=1 in.h5 out.h5",
      { details: { file: this.path, path, filter, id }, cause },
    );
  }

  #damaged(path: string, reason: string, cause: unknown): SaclaError {
    return new SaclaError(
      "FILE_DAMAGED",
      `${path} of ${show(this.path)} cannot be read (${reason}); copy or convert the file again.`,
      {
        details: { file: this.path, path },
        cause,
      },
    );
  }

  #unexpected(path: string, what: string): SaclaError {
    return new SaclaError("NOT_DATACONVERT", `${path} of ${show(this.path)} is ${what}.`, {
      details: { file: this.path, path },
    });
  }
}

/** Runs one call of h5wasm; whatever way it fails becomes the error made by `failed`. */
export function attempt<T>(work: () => T, failed: (reason: string, cause: unknown) => SaclaError): T {
  complaint.text = "";
  let result: T;
  try {
    result = work();
  } catch (thrown) {
    const text = complaint.text === "" && thrown instanceof Error ? thrown.message : complaint.text;
    // Not the thrown error itself: printed, it would show the 3.7 MB line of source it came from.
    throw failed(reasonIn(text), new Error(text));
  }
  const negative = (typeof result === "number" || typeof result === "bigint") && result < 0;
  // Some calls ignore a failure inside and answer with the half they have: then the complaint is all there is.
  if (negative || complaint.text !== "") throw failed(reasonIn(complaint.text), new Error(complaint.text));
  return result;
}

function numberType({ type, size, signed, enum_type }: H5Metadata): NumberType | undefined {
  // h5py writes booleans as an enumeration of bytes.
  const base = type === ENUM ? enum_type?.type : type;
  if (base === FLOAT) return size === 4 || size === 8 ? `f${size}` : undefined;
  if (base !== INTEGER || (size !== 1 && size !== 2 && size !== 4 && size !== 8)) return undefined;
  return `${signed ? "i" : "u"}${size}`;
}

function describe(meta: H5Metadata): string {
  const type =
    meta.type === STRING
      ? "text"
      : (numberType(meta) ?? (meta.type === FLOAT ? `f${meta.size}` : `of HDF5 type class ${meta.type}`));
  if (meta.shape === null) return "empty";
  return meta.shape.length === 0 ? `one ${type}` : `${type} of shape [${meta.shape.join(", ")}]`;
}

function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end))
    .toString("utf8")
    .trim();
}
