import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import { bytesOf } from "../../core/bytes.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { lookup3 } from "./checksum.ts";

/** Thrown where a file has an HDF5 structure that this reader does not support: the library then reads the image. */
export class UnsupportedStructure extends Error {}
/** Thrown where a file contradicts itself, as none does that is whole: the library of 32 bits may not notice. */
export class DamagedStructure extends UnsupportedStructure {}

const signature = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");
/** Tables lie in clusters of a few kilobytes beside what they describe: a window is read from the start of a page. */
const WINDOW = 8192;
const PAGE = 4096;
/** Enough for the clusters of a shot of eight sensors, of which the next shot uses some again. */
const WINDOWS = 64;
/** Of a file that is being written, so that what changes is soon read anew. */
const WINDOWS_WHILE_WRITTEN = 16;

/** What changes when a file is written to: `mtimeMs` holds parts of a microsecond, and no clock of a file is finer. */
type FileState = Pick<Stats, "size" | "mtimeMs">;

/** Memory that is kept for the next chunks: one for each sensor of the largest detector, none for odd, large chunks. */
const [SPARE, LARGEST_SPARE] = [8, 2 ** 22];

interface Window {
  start: number;
  length: number;
  readonly bytes: Buffer;
}

/**
 * The bytes of an HDF5 file by address, beside the library: HDF5 can report the offsets of images, but h5wasm has no
 * call for it. Addresses are counted from the superblock, as everywhere in the file.
 */
export class Hdf5Bytes {
  /** Kinds of storage in this file of which an image was compared with what the library reads. */
  readonly verified = new Set<string>();
  /** Members of groups that were listed, by the address of the group: names with addresses. */
  readonly groups = new Map<number, ReadonlyMap<string, number>>();
  readonly path: string;
  /** As HDF5 counts them; the file may be longer. */
  readonly size: number;
  /** What the superblock says of a writer that has not closed the file; with "swmr" it may be read meanwhile. */
  readonly writer: "none" | "one" | "swmr";
  readonly #superblock: Superblock;
  readonly #file: number;
  /** When the file was last written, as it was opened. */
  readonly #written: FileState;
  readonly #base: number;
  /** By where they start, the oldest first. */
  readonly #windows = new Map<number, Window>();
  #last: Window = { start: 0, length: 0, bytes: Buffer.alloc(0) };
  #borrowed = Buffer.alloc(0);
  readonly #spare: Buffer[] = [];
  #open = true;

  private constructor(path: string, file: number, superblock: Superblock, base: number) {
    this.path = path;
    this.#superblock = superblock;
    this.#file = file;
    this.size = superblock.end;
    this.#base = base;
    this.writer = writerOf(file, base);
    this.#written = fstatSync(file);
  }

  /**
   * @throws FILE_NOT_FOUND when there is no such file, it is a folder, or it may not be read
   * @throws NOT_HDF5 when it is empty or something else
   */
  static open(path: string): Hdf5Bytes {
    const file = openToRead(path);
    try {
      const { size } = fstatSync(file);
      const notHdf5 = (why: string): SaclaError =>
        new SaclaError("NOT_HDF5", `${show(path)} ${why}; give a file written by DataConvert or \`sacla convert\`.`, {
          details: { path },
        });
      if (size === 0) throw notHdf5("is empty, or its writer has not closed it");
      const bytes = Buffer.alloc(signature.length);
      // The format allows a user block of 512, 1024, 2048, … bytes before the signature.
      for (let at = 0; at < size; at = at === 0 ? 512 : 2 * at) {
        readSync(file, bytes, 0, bytes.length, at);
        if (bytes.equals(signature)) return new Hdf5Bytes(path, file, superblockAt(file, size, at), at);
      }
      throw notHdf5("is not HDF5");
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  /** By what another program finds the file, and sees whether it is still this one. */
  identity(): { readonly file: string; readonly size: number; readonly modifiedMs: number } {
    const { size, mtimeMs } = fstatSync(this.#file);
    return { file: resolve(this.path), size, modifiedMs: mtimeMs };
  }

  /** Where an address is in the file, in bytes from its start. */
  offsetOf(address: number): number {
    return this.#base + address;
  }

  /** @throws FILE_CHANGED when the file was written to since it was opened, by others than a writer for such readers */
  checkUnchanged(): void {
    if (!this.#open || this.writer === "swmr") return;
    const { size, mtimeMs } = fstatSync(this.#file);
    if (size === this.#written.size && mtimeMs === this.#written.mtimeMs) return;
    throw new SaclaError("FILE_CHANGED", `${show(this.path)} was changed since it was opened; open it again.`, {
      details: { path: this.path },
    });
  }

  /** Half of the entries that there is room for in a symbol table, and in nodes of version 1 B-trees; where known. */
  get widths(): Superblock["widths"] {
    return this.#superblock.widths;
  }

  /** Whether the file has these bytes, and is open. */
  has(address: number, length: number): boolean {
    return this.#open && this.#base + address + length <= this.size;
  }

  /**
   * A few bytes of a table. They stay valid until the next few calls.
   * @throws DamagedStructure past the end of the file
   */
  view(address: number, length: number): DataView {
    this.#expect(address, length);
    const at = this.#base + address;
    // Mostly a table is asked for piece by piece.
    const window = holds(this.#last, at, length) ? this.#last : (this.#loaded(at, length) ?? this.#load(at, length));
    if (window.bytes.length === WINDOW) this.#last = window;
    return new DataView(window.bytes.buffer, window.bytes.byteOffset + at - window.start, length);
  }

  /**
   * A table that begins with four letters and ends with its checksum.
   * @throws UnsupportedStructure when they are not there or it is wrong, as past the end of the file
   */
  checked(address: number, length: number, letters: string): DataView {
    const view = this.view(address, length);
    expectLetters(view, letters);
    if (length < 8 || lookup3(view, length - 4) !== view.getUint32(length - 4, true))
      throw new DamagedStructure(`${letters} at ${address} has another checksum`);
    return view;
  }

  /** Fills `out` with what lies at an address. @throws DamagedStructure past the end of the file */
  read(out: Uint8Array, address: number): void {
    this.#expect(address, out.length);
    this.#fill(out, this.#base + address);
  }

  /**
   * What lies at an address, in memory that is used again at the next call.
   * @throws DamagedStructure past the end of the file
   */
  borrow(address: number, length: number): Buffer {
    this.#expect(address, length);
    if (this.#borrowed.length < length) this.#borrowed = Buffer.allocUnsafeSlow(length);
    const bytes = this.#borrowed.subarray(0, length);
    this.#fill(bytes, this.#base + address);
    return bytes;
  }

  /**
   * What lies at an address, for as long as `work` takes: its memory is then used again.
   * @throws DamagedStructure past the end of the file
   */
  async lend<T>(address: number, length: number, work: (bytes: Buffer) => Promise<T>): Promise<T> {
    this.#expect(address, length);
    const large = this.#spare.findIndex((memory) => memory.length >= length);
    // The last one goes where all are too small. Compressed chunks differ in length: with a little more the next fits.
    const [spare] = this.#spare.splice(large, 1);
    const memory = large < 0 || spare === undefined ? Buffer.allocUnsafeSlow(Math.ceil(1.25 * length)) : spare;
    try {
      const bytes = memory.subarray(0, length);
      this.#fill(bytes, this.#base + address);
      return await work(bytes);
    } finally {
      if (this.#spare.length < SPARE && memory.length <= LARGEST_SPARE) this.#spare.push(memory);
    }
  }

  /** What lies at an address, to keep. @throws DamagedStructure past the end of the file */
  bytes(address: number, length: number): Buffer {
    this.#expect(address, length);
    const bytes = Buffer.allocUnsafe(length);
    // A small table lies beside others that were read; what is being written is read anew.
    if (length <= PAGE && this.writer === "none") bytes.set(bytesOf(this.view(address, length)));
    else this.#fill(bytes, this.#base + address);
    return bytes;
  }

  /** A second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#file);
  }

  #expect(address: number, length: number): void {
    if (this.has(address, length)) return;
    const what = `no ${length} bytes at ${address}`;
    throw Number.isNaN(address) || !this.#open ? new UnsupportedStructure(what) : new DamagedStructure(what);
  }

  #loaded(at: number, length: number): Window | undefined {
    const start = at - (at % PAGE);
    for (const from of [start, start - PAGE]) {
      const window = this.#windows.get(from);
      if (window !== undefined && holds(window, at, length)) return window;
    }
    return undefined;
  }

  #load(at: number, length: number): Window {
    const start = at - (at % PAGE);
    if (at + length > start + WINDOW) {
      return { start: at, length, bytes: this.bytes(at - this.#base, length) };
    }
    const window = this.#takeOldest() ?? { start: 0, length: 0, bytes: Buffer.alloc(WINDOW) };
    window.length = 0;
    const wanted = Math.min(WINDOW, this.size - start);
    this.#fill(window.bytes.subarray(0, wanted), start);
    window.start = start;
    window.length = wanted;
    this.#windows.set(start, window);
    return window;
  }

  /** To be used again, when there are as many as there may be. */
  #takeOldest(): Window | undefined {
    const most = this.writer === "none" ? WINDOWS : WINDOWS_WHILE_WRITTEN;
    const oldest = this.#windows.size < most ? undefined : this.#windows.values().next().value;
    if (oldest !== undefined) this.#windows.delete(oldest.start);
    return oldest;
  }

  #fill(out: Uint8Array, at: number): void {
    for (let done = 0; done < out.length; ) {
      const read = readSync(this.#file, out, done, out.length - done, at + done);
      if (read === 0) throw new UnsupportedStructure(`the file ends at ${at + done}`);
      done += read;
    }
  }
}

function holds({ start, length: have }: Window, at: number, length: number): boolean {
  return at >= start && at + length <= start + have;
}

/** File consistency flags of a version 3 superblock ("Disk Format: Level 0A" in the HDF5 File Format Specification). */
function writerOf(file: number, at: number): "none" | "one" | "swmr" {
  const [version, flags] = [Buffer.alloc(1), Buffer.alloc(1)];
  readSync(file, version, 0, 1, at + 8);
  readSync(file, flags, 0, 1, at + 11);
  const [WRITE, SWMR] = [1, 4];
  if (version[0] !== 3 || ((flags[0] ?? 0) & WRITE) === 0) return "none";
  return ((flags[0] ?? 0) & SWMR) === 0 ? "one" : "swmr";
}

interface Superblock {
  /** Where HDF5's bytes end; all of the file where that cannot be seen. */
  readonly end: number;
  readonly widths: { readonly table: number; readonly groups: number; readonly chunks: number } | undefined;
}

function superblockAt(file: number, size: number, at: number): Superblock {
  // Up to the end address of superblock version 1, the longest.
  const block = Buffer.alloc(52);
  readSync(file, block, 0, block.length, at);
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const version = view.getUint8(8);
  const base = version <= 1 ? (version === 0 ? 24 : 28) : 12;
  const end = at + uint64(view, base + 16) - uint64(view, base);
  const u16 = (offset: number): number => view.getUint16(offset, true);
  // Version 0 has no word for chunks: it is HDF5's default.
  const widths = { table: u16(16), groups: u16(18), chunks: version === 0 ? 32 : u16(24) };
  return {
    end: version <= 3 && end > at && end <= size ? end : size,
    widths: version <= 1 ? widths : undefined,
  };
}

function openToRead(path: string): number {
  const notFound = (why: string, cause?: unknown): SaclaError =>
    new SaclaError("FILE_NOT_FOUND", `${show(path)} ${why}; give the path of an HDF5 file that can be read.`, {
      details: { path },
      cause,
    });
  try {
    // Asked first: to open a pipe waits for its writer.
    const found = statSync(path);
    if (found.isDirectory()) throw notFound("is a folder");
    if (!found.isFile()) throw notFound("is not a file");
    return openSync(path, "r");
  } catch (cause) {
    if (isSaclaError(cause)) throw cause;
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw notFound(missing ? "does not exist" : "cannot be opened", cause);
  }
}

/** A 64-bit address or length; what is not defined (all bits set) comes out larger than any file. */
export function uint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** Whether an address or length is the one that stands for "none": all bits set. */
export function isUndefined(view: DataView, at: number): boolean {
  return view.getUint32(at, true) === 0xffff_ffff && view.getUint32(at + 4, true) === 0xffff_ffff;
}

/** A little-endian number of any number of bytes. */
export function uintOf(view: DataView, at: number, bytes: number): number {
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + view.getUint8(at + i);
  return value;
}

/** Whether the four letters that begin most tables are there. */
export function expectLetters(view: DataView, letters: string): void {
  for (let i = 0; i < letters.length; i++) {
    if (view.getUint8(i) !== letters.charCodeAt(i)) throw new UnsupportedStructure(`no ${letters}`);
  }
}
